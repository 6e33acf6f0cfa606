//! What changes of files mean for pages, as far as their sections and the recorded sources of the pages can tell. Pure.

use std::collections::{BTreeMap, BTreeSet};

use shared::{
    db::pages::BasePage,
    inspection::{ListedSection, Reason},
    names::PageSlug,
};

use super::base::Compared;
use crate::{
    git::{Change, ChangeKind},
    grounding::staleness::JudgedPage,
};

/// Most questions that are put to the model by name; it sees all changes anyway.
const MAX_QUESTIONS: usize = 200;

/// Files in the root folder that say what a project is: a change of theirs may concern pages that do not name them.
const MANIFESTS: [&str; 14] = [
    "cargo.toml",
    "package.json",
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "go.mod",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    "composer.json",
    "gemfile",
    "cmakelists.txt",
    "mix.exs",
    "package.swift",
];

/// What is known without asking.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Assessment {
    /// Pages of which sections have to be written again, with the (new) paths of the files that made it so.
    pub(crate) affected: BTreeMap<PageSlug, BTreeSet<String>>,
    /// These sections, and why.
    pub(crate) listed: BTreeMap<PageSlug, Vec<ListedSection>>,
    /// What cannot be decided without a model, as sentences for it. Empty: nobody is asked.
    pub(crate) questions: Vec<String>,
    /// Paths of changes that no page speaks of.
    pub(crate) uncited: BTreeSet<String>,
}

/// Compares what pages and their sections stand on with what changed.
pub(super) fn assess(pages: &[BasePage], compared: &Compared) -> Assessment {
    let cites = |page: &JudgedPage| page.sections.iter().any(|section| !section.citations.is_empty());
    let citing = compared.judged.iter().filter(|page| cites(page)).map(|page| &page.slug).collect();
    let mut assessment = find_questions(pages, &citing, &compared.since_last);
    for page in &compared.judged {
        let listed: Vec<ListedSection> = page.sections.iter().filter(|section| section.is_stale()).map(list).collect();
        if !listed.is_empty() {
            let reasons = listed.iter().flat_map(|section| &section.reasons);
            let paths = reasons.flat_map(|reason| changes_of(reason, &compared.since_site));
            assessment.affected.insert(page.slug.clone(), paths.cloned().collect());
            assessment.listed.insert(page.slug.clone(), listed);
        }
    }
    assessment
}

fn list(section: &crate::grounding::staleness::JudgedSection) -> ListedSection {
    let section = &section.checked;
    ListedSection { position: section.position, heading: section.heading.clone(), reasons: section.reasons.clone() }
}

/// The (new) paths of the changes that a reason comes from.
fn changes_of<'a>(reason: &Reason, changes: &'a [Change]) -> Vec<&'a String> {
    let is_of = |change: &&Change| match (reason, &change.kind) {
        (Reason::NameGone { name }, _) => change
            .diff
            .as_deref()
            .is_some_and(|diff| diff.lines().any(|line| line.starts_with('-') && line.contains(name.as_str()))),
        (reason, ChangeKind::Renamed { from }) if reason.path() == Some(from) => true,
        (reason, _) => reason.path() == Some(&change.path),
    };
    changes.iter().filter(is_of).map(|change| &change.path).collect()
}

/// What the sources of pages cannot decide. `citing` are those whose sections say what they stand on.
fn find_questions(pages: &[BasePage], citing: &BTreeSet<&PageSlug>, changes: &[Change]) -> Assessment {
    let mut assessment = Assessment::default();
    if changes.is_empty() {
        return assessment;
    }
    let named_by = naming_pages(pages);
    for change in changes {
        let old_path = match &change.kind {
            ChangeKind::Added => None,
            ChangeKind::Renamed { from } => Some(from.as_str()),
            ChangeKind::Modified | ChangeKind::Deleted => Some(change.path.as_str()),
        };
        let is_named = old_path.is_some_and(|path| named_by.contains(path));
        if !is_named {
            assessment.uncited.insert(change.path.clone());
        }
        match &change.kind {
            ChangeKind::Added => assessment.ask(format!("the file `{}` is new", shown(&change.path))),
            ChangeKind::Modified | ChangeKind::Deleted | ChangeKind::Renamed { .. }
                if !is_named && old_path.is_some_and(is_manifest) =>
            {
                assessment.ask(format!("`{}` changed, and no page names it", shown(&change.path)));
            }
            _ => {}
        }
    }
    let deleted =
        |path: &String| changes.iter().any(|change| change.kind == ChangeKind::Deleted && change.path == *path);
    for page in pages {
        match page.sources.as_deref() {
            None | Some([]) if citing.contains(&page.slug) => {}
            None | Some([]) => assessment.ask(format!("it is not known what the page `{}` is based on", page.slug)),
            Some(sources) if sources.iter().all(deleted) => {
                assessment.ask(format!("all files that the page `{}` names are gone", page.slug));
            }
            Some(_) => {}
        }
    }
    assessment
}

/// The version that stands now where the old one stood in a manifest, if that line changed.
pub(super) fn new_version(old: &str, changes: &[Change]) -> Option<String> {
    let is_version = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+' | '_');
    let manifests = changes.iter().filter(|change| is_manifest(&change.path));
    manifests.filter_map(|change| change.diff.as_deref()).find_map(|diff| {
        let removed = diff.lines().filter_map(|line| line.strip_prefix('-'));
        let mut places = removed.filter_map(|line| line.split_once(old));
        places.find_map(|(before, after)| {
            if old.is_empty() || !before.to_ascii_lowercase().contains("version") {
                return None;
            }
            let added = diff.lines().filter_map(|line| line.strip_prefix('+'));
            let mut versions = added.filter_map(|line| line.strip_prefix(before)?.strip_suffix(after));
            versions.find(|new| !new.is_empty() && new.len() <= 60 && new.chars().all(is_version)).map(str::to_owned)
        })
    })
}

impl Assessment {
    fn ask(&mut self, question: String) {
        if self.questions.len() < MAX_QUESTIONS {
            self.questions.push(question);
        }
    }
}

/// The files that pages name.
fn naming_pages(pages: &[BasePage]) -> BTreeSet<&str> {
    pages.iter().flat_map(|page| page.sources.iter().flatten()).map(String::as_str).collect()
}

fn is_manifest(path: &str) -> bool {
    let name = path.to_ascii_lowercase();
    MANIFESTS.contains(&name.as_str()) || (name.starts_with("readme") && !name.contains('/'))
}

/// A path as one line of a file for the model.
fn shown(path: &str) -> String {
    path.chars().filter(|c| !c.is_control()).take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(slug: &str, sources: Option<&[&str]>) -> BasePage {
        BasePage {
            slug: slug.parse().unwrap(),
            input_hash: String::new(),
            good: true,
            sources: sources.map(|sources| sources.iter().map(|path| (*path).to_owned()).collect()),
        }
    }

    fn change(path: &str, kind: ChangeKind) -> Change {
        Change { path: path.to_owned(), kind, diff: None }
    }

    #[test]
    fn what_pages_name_is_no_question() {
        let pages = [
            page("a", Some(&["src/a.rs", "src/shared.rs"])),
            page("b", Some(&["src/b.rs", "src/shared.rs", "src/gone.rs"])),
            page("c", Some(&["src/c.rs"])),
            page("d", Some(&["src/a.rs.bak"])),
        ];
        let changes = [
            change("src/a.rs", ChangeKind::Modified),
            change("src/gone.rs", ChangeKind::Deleted),
            change("src/new_c.rs", ChangeKind::Renamed { from: "src/c.rs".into() }),
            change("src/nobody.rs", ChangeKind::Modified),
            change("src/nobody_else.rs", ChangeKind::Deleted),
        ];
        let found = find_questions(&pages, &BTreeSet::new(), &changes);
        assert_eq!(found.questions, Vec::<String>::new());
        assert_eq!(found.uncited.iter().collect::<Vec<_>>(), ["src/nobody.rs", "src/nobody_else.rs"]);
    }

    #[test]
    fn what_sources_cannot_decide_is_a_question() {
        let pages = [page("a", Some(&["src/a.rs"])), page("b", Some(&["README.md"]))];
        let questions =
            |pages: &[BasePage], change: Change| find_questions(pages, &BTreeSet::new(), &[change]).questions.len();
        assert_eq!(questions(&pages, change("src/new.rs", ChangeKind::Added)), 1, "a new file");
        assert_eq!(questions(&pages, change("src/a.rs", ChangeKind::Deleted)), 1, "a page without ground");
        assert_eq!(questions(&pages, change("Cargo.toml", ChangeKind::Modified)), 1, "a manifest no page names");
        assert_eq!(questions(&pages, change("README.md", ChangeKind::Modified)), 0, "a page names it");
        assert_eq!(questions(&pages, change("sub/Cargo.toml", ChangeKind::Modified)), 0);
        let unknown = [page("a", None), page("b", Some(&[])), page("c", Some(&["x"]))];
        assert_eq!(questions(&unknown, change("src/x.rs", ChangeKind::Modified)), 2, "pages without sources");
        let citing = BTreeSet::from([&unknown[0].slug]);
        let found = find_questions(&unknown, &citing, &[change("src/x.rs", ChangeKind::Modified)]);
        assert_eq!(found.questions.len(), 1, "its sections say what they stand on");
    }

    #[test]
    fn nothing_changed_is_no_question_even_about_pages_without_sources() {
        assert_eq!(find_questions(&[page("a", None)], &BTreeSet::new(), &[]), Assessment::default());
    }

    #[test]
    fn a_new_version_is_read_off_the_line_where_the_old_one_stood() {
        let changed =
            |path: &str, diff: &str| [Change { diff: Some(diff.into()), ..change(path, ChangeKind::Modified) }];
        let bump = "@@ -1,3 +1,3 @@\n name = \"x\"\n-version = \"1.2.3\"\n+version = \"1.3.0-rc.1\"\n";
        assert_eq!(new_version("1.2.3", &changed("Cargo.toml", bump)).as_deref(), Some("1.3.0-rc.1"));
        assert_eq!(new_version("1.2", &changed("Cargo.toml", bump)), None, "another version stood there");
        assert_eq!(new_version("1.2.3", &changed("sub/Cargo.toml", bump)), None);
        assert_eq!(new_version("", &changed("Cargo.toml", bump)), None);
        let other = "-serde = \"1.2.3\"\n+serde = \"2.0.0\"\n";
        assert_eq!(new_version("1.2.3", &changed("Cargo.toml", other)), None);
    }

    #[test]
    fn the_questions_are_bounded() {
        let changes: Vec<_> = (0..1000).map(|number| change(&format!("f{number}"), ChangeKind::Added)).collect();
        let found = find_questions(&[page("a", Some(&["x"]))], &BTreeSet::new(), &changes);
        assert_eq!((found.questions.len(), found.uncited.len()), (MAX_QUESTIONS, 1000));
    }
}
