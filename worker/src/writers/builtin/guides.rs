//! The repository's own documents: README, the docs folder, changelog, contributing, as pages of the site.

use shared::plan::PageType;

use super::{
    citing::{Source, cited},
    documents::{Links, adopt, sections, split_title},
    markdown::{escape, place, shift_headings},
    sources::{Role, role},
    sphinx::{is_rst, myst, rst},
    survey::{MAX_TEXT_BYTES, Survey},
};

/// Most documents of the docs folder that become pages.
const MAX_GUIDES: usize = 40;
/// A shorter text is no page, in bytes.
const MIN_GUIDE_BYTES: u64 = 200;
/// Fewest bytes of its words, without headings.
const MIN_WORDS_BYTES: usize = 150;
/// Versions of the changelog that are shown.
const MAX_CHANGELOG_VERSIONS: usize = 15;

/// Documents at the top of the repository that are guides by their name.
const TOP_DOCUMENTS: [&str; 14] = [
    "guide.md",
    "faq.md",
    "usage.md",
    "tutorial.md",
    "manual.md",
    "install.md",
    "upgrading.md",
    "upgrade.md",
    "migration.md",
    "migrating.md",
    "design.md",
    "examples.md",
    "configuration.md",
    "glossary.md",
];

/// A document that becomes a page.
#[derive(Debug)]
pub(crate) struct Guide {
    /// Its path.
    pub(crate) path: String,
    /// Its title.
    pub(crate) title: String,
    /// What it is about, where the text itself would not say it well.
    pub(crate) description: &'static str,
    /// What its slug is made of.
    pub(crate) slug_text: String,
    /// Its group in the navigation.
    pub(crate) group: String,
    /// What kind of page it is.
    pub(crate) page_type: PageType,
    /// Whether it stands after the reference.
    pub(crate) late: bool,
    /// Whether only its newest versions are shown.
    changelog: bool,
}

/// The path of the README that describes the project.
pub(crate) fn readme(survey: &Survey) -> Option<String> {
    let names = ["README.md", "README.markdown", "Readme.md", "README.rst", "README.txt", "README"];
    // where the root's README is a link, the main package has the file
    let package = survey.main_package().map(|package| package.folder.as_str()).unwrap_or_default();
    ["", package, ".github", "docs"]
        .iter()
        .find_map(|folder| survey.first_of(folder, &names))
        .map(|file| file.path.clone())
}

/// The documents that become pages, in the order of the navigation, and how many were left out.
pub(crate) fn choose(survey: &Survey) -> (Vec<Guide>, usize) {
    let mut guides = Vec::new();
    let readme = readme(survey);
    let mut documents: Vec<&str> = survey
        .files
        .iter()
        .filter(|file| is_document(&file.path) && (MIN_GUIDE_BYTES..=MAX_TEXT_BYTES).contains(&file.bytes))
        .map(|file| file.path.as_str())
        .filter(|path| Some(*path) != readme.as_deref())
        .collect();
    documents.sort_by_key(|path| (path.matches('/').count(), !is_index(path), *path));
    let left = documents.len().saturating_sub(MAX_GUIDES);
    for path in documents.into_iter().take(MAX_GUIDES) {
        let Some(text) = survey.text(path).filter(|text| has_words(text)) else { continue };
        let title =
            title_of(&text, path).filter(|title| title.chars().count() <= 80).unwrap_or_else(|| title_of_path(path));
        let slug_text = path
            .split_once('/')
            .map_or(path, |(_, inside)| inside)
            .rsplit_once('.')
            .map_or(path, |(stem, _)| stem)
            .to_owned();
        guides.push(Guide {
            path: path.to_owned(),
            title,
            description: "",
            slug_text,
            group: group_of(path),
            page_type: PageType::Guide,
            late: false,
            changelog: false,
        });
    }
    let late = [
        (
            [
                "CHANGELOG.md",
                "CHANGES.md",
                "HISTORY.md",
                "NEWS.md",
                "RELEASES.md",
                "CHANGELOG.rst",
                "CHANGES.rst",
                "HISTORY.rst",
            ]
            .as_slice(),
            "Changelog",
            true,
        ),
        (["CONTRIBUTING.md", "HACKING.md", "DEVELOPMENT.md", "CONTRIBUTING.rst"].as_slice(), "Contributing", false),
        (["ARCHITECTURE.md"].as_slice(), "Architecture", false),
        (["SECURITY.md"].as_slice(), "Security", false),
    ];
    for (names, title, changelog) in late {
        let package = survey.main_package().map(|package| package.folder.as_str()).unwrap_or_default();
        let file = ["", package, ".github", "docs"].iter().find_map(|folder| survey.first_of(folder, names));
        if let Some(file) = file.filter(|file| (MIN_GUIDE_BYTES..=MAX_TEXT_BYTES).contains(&file.bytes)) {
            guides.retain(|guide| guide.path != file.path);
            guides.push(Guide {
                path: file.path.clone(),
                title: title.to_owned(),
                description: if changelog { "What changed in the newest versions" } else { "" },
                slug_text: title.to_owned(),
                group: "Project".to_owned(),
                page_type: if changelog { PageType::Reference } else { PageType::Guide },
                late: true,
                changelog,
            });
        }
    }
    (guides, left)
}

/// Whether a document holds more than a title and what only its own generator understands.
fn has_words(text: &str) -> bool {
    let text = text.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---")).map_or(text, |(_, body)| body);
    let lines =
        text.lines().filter(|line| !line.starts_with(['#', '(']) && !line.contains("{{") && !line.contains("]: "));
    lines.map(|line| line.trim().len()).sum::<usize>() >= MIN_WORDS_BYTES
}

/// The first heading of a document.
fn title_of(text: &str, path: &str) -> Option<String> {
    if is_rst(path) {
        return split_title(&rst(text)).0;
    }
    // sites of other generators name their pages above the text
    let matter = text.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---")).map(|(matter, _)| matter);
    let title = matter.and_then(|matter| matter.lines().find_map(|line| line.strip_prefix("title:")));
    let title = title.map(|title| title.trim().trim_matches(['"', '\'']).to_owned()).filter(|title| !title.is_empty());
    title.or_else(|| split_title(&myst(text)).0)
}

fn is_document(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    if !path.contains('/') {
        return TOP_DOCUMENTS.iter().any(|name| lower == *name);
    }
    let hidden =
        lower.split('/').any(|part| part == "archetypes" || (part.starts_with(['_', '.']) && part != "_index.md"));
    let in_docs = !hidden
        && ["docs/", "doc/", "documentation/", "guide/", "guides/", "book/src/"]
            .iter()
            .any(|folder| lower.starts_with(folder));
    let is_text = [".md", ".markdown", ".mdx", ".rst"].iter().any(|end| lower.ends_with(end));
    let skipped = [
        "summary.md",
        "code_of_conduct.md",
        "pull_request_template.md",
        "license.md",
        "_sidebar.md",
        "agents.md",
        "claude.md",
    ];
    in_docs
        && is_text
        && role(path) != Role::Foreign
        && !skipped.iter().any(|name| lower.ends_with(name))
        && !is_translation(&lower)
}

/// `docs/zh-CN/…`, `docs/README.fr.md`: the site has one language.
fn is_translation(path: &str) -> bool {
    let codes = ["zh", "ja", "ko", "fr", "de", "es", "pt", "ru", "it", "tr", "pl", "uk", "vi", "ar", "fa", "id", "nl"];
    path.split(['/', '.']).skip(1).any(|part| {
        let language = part.split(['-', '_']).next().unwrap_or_default();
        codes.contains(&language) && (part.len() == 2 || part.len() == 5)
    })
}

fn is_index(path: &str) -> bool {
    let base = path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    base.starts_with("index.") || base.starts_with("readme.")
}

fn title_of_path(path: &str) -> String {
    let stem = path.rsplit('/').next().unwrap_or(path).rsplit_once('.').map_or(path, |(stem, _)| stem);
    let stem = if matches!(stem.to_ascii_lowercase().as_str(), "index" | "readme") {
        path.rsplit('/').nth(1).unwrap_or(stem)
    } else {
        stem
    };
    let words = stem.replace(['-', '_'], " ");
    let words = words.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ' || c == '.').trim();
    let mut letters = words.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => "Document".to_owned(),
    }
}

/// Documents in a folder of the docs folder make a group of their own.
fn group_of(path: &str) -> String {
    // of `docs/site/docs/features/x.md` the folders behind the last `docs` say what it is about
    let inside = path.rfind("/docs/").map_or(path, |at| &path[at + 1..]);
    let parts: Vec<&str> = inside.split('/').collect();
    match parts.as_slice() {
        [_, folder, .., _] if *folder != "src" => format!("Guides: {}", title_of_path(folder).to_lowercase()),
        _ => "Guides".to_owned(),
    }
}

/// A document as Markdown for the site, its title included.
pub(crate) fn adopt_file(text: &str, path: &str, links: &Links<'_>) -> String {
    adopt(text, path, links)
}

/// The page of a guide.
pub(crate) fn page(text: &str, guide: &Guide, links: &Links<'_>) -> String {
    let adopted = adopt_file(text, &guide.path, links);
    let (_, body) = split_title(&adopted);
    let mut body = cited(&body, &Source::new(&guide.path, text), 1, None);
    let mut note = String::new();
    if guide.changelog {
        let (kept, left) = newest_versions(&body);
        body = kept;
        if left > 0 {
            note = format!("\n{left} older versions are in {}.\n", place(&guide.path, None));
        }
    }
    let from = format!("From {}.", place(&guide.path, None));
    format!("# {}\n\n{}\n{note}\n{from}\n", escape(&guide.title), shift_headings(&body, 2).trim())
}

/// The newest versions of a changelog and how many sections were left out.
fn newest_versions(body: &str) -> (String, usize) {
    let levels = [1, 2, 3];
    let level = levels.into_iter().find(|level| sections(body, *level).len() > 2).unwrap_or(2);
    let parts = sections(body, level);
    let left = parts.len().saturating_sub(MAX_CHANGELOG_VERSIONS + 1);
    let kept = parts.iter().take(MAX_CHANGELOG_VERSIONS + 1).map(|part| part.text.as_str()).collect();
    (kept, left)
}
