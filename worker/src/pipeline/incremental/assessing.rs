//! What changes of files mean for pages, as far as the recorded sources of the pages can tell. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use shared::{db::pages::BasePage, names::PageSlug};

use crate::git::{Change, ChangeKind};

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
pub(super) struct Assessment {
    /// Pages that speak of files that changed, with the (new) paths of those files.
    pub(super) affected: BTreeMap<PageSlug, BTreeSet<String>>,
    /// What sources cannot decide, as sentences for the model. Empty: nobody is asked.
    pub(super) questions: Vec<String>,
    /// Paths of changes that no page speaks of.
    pub(super) uncited: BTreeSet<String>,
}

/// Compares what pages speak of with what changed.
pub(super) fn assess(pages: &[BasePage], changes: &[Change]) -> Assessment {
    let mut assessment = Assessment::default();
    if changes.is_empty() {
        return assessment;
    }
    let citing = citing_pages(pages);
    for change in changes {
        let old_path = match &change.kind {
            ChangeKind::Added => None,
            ChangeKind::Renamed { from } => Some(from.as_str()),
            ChangeKind::Modified | ChangeKind::Deleted => Some(change.path.as_str()),
        };
        let cited_by = old_path.and_then(|path| citing.get(path)).map_or(&[][..], Vec::as_slice);
        for slug in cited_by {
            assessment.affected.entry((*slug).clone()).or_default().insert(change.path.clone());
        }
        if cited_by.is_empty() {
            assessment.uncited.insert(change.path.clone());
        }
        match &change.kind {
            ChangeKind::Added => assessment.ask(format!("the file `{}` is new", shown(&change.path))),
            ChangeKind::Modified | ChangeKind::Deleted | ChangeKind::Renamed { .. }
                if cited_by.is_empty() && old_path.is_some_and(is_manifest) =>
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

fn citing_pages(pages: &[BasePage]) -> HashMap<&str, Vec<&PageSlug>> {
    let mut citing: HashMap<&str, Vec<&PageSlug>> = HashMap::new();
    for page in pages {
        for source in page.sources.iter().flatten() {
            citing.entry(source).or_default().push(&page.slug);
        }
    }
    citing
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

    fn affected(assessment: &Assessment) -> Vec<(&str, Vec<&str>)> {
        let pages = assessment.affected.iter();
        pages.map(|(slug, paths)| (slug.as_str(), paths.iter().map(String::as_str).collect())).collect()
    }

    #[test]
    fn only_pages_that_name_a_changed_deleted_or_renamed_file_are_affected() {
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
        let found = assess(&pages, &changes);
        assert_eq!(
            affected(&found),
            [("a", vec!["src/a.rs"]), ("b", vec!["src/gone.rs"]), ("c", vec!["src/new_c.rs"])]
        );
        assert_eq!(found.questions, Vec::<String>::new());
        assert_eq!(found.uncited.iter().collect::<Vec<_>>(), ["src/nobody.rs", "src/nobody_else.rs"]);
    }

    #[test]
    fn what_sources_cannot_decide_is_a_question() {
        let pages = [page("a", Some(&["src/a.rs"])), page("b", Some(&["README.md"]))];
        let questions = |pages: &[BasePage], change: Change| assess(pages, &[change]).questions.len();
        assert_eq!(questions(&pages, change("src/new.rs", ChangeKind::Added)), 1, "a new file");
        assert_eq!(questions(&pages, change("src/a.rs", ChangeKind::Deleted)), 1, "a page without ground");
        assert_eq!(questions(&pages, change("Cargo.toml", ChangeKind::Modified)), 1, "a manifest no page names");
        assert_eq!(questions(&pages, change("README.md", ChangeKind::Modified)), 0, "a page names it");
        assert_eq!(questions(&pages, change("sub/Cargo.toml", ChangeKind::Modified)), 0);
        let unknown = [page("a", None), page("b", Some(&[])), page("c", Some(&["x"]))];
        assert_eq!(questions(&unknown, change("src/x.rs", ChangeKind::Modified)), 2, "pages without sources");
    }

    #[test]
    fn nothing_changed_is_no_question_even_about_pages_without_sources() {
        assert_eq!(assess(&[page("a", None)], &[]), Assessment::default());
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
        let found = assess(&[page("a", Some(&["x"]))], &changes);
        assert_eq!((found.questions.len(), found.uncited.len()), (MAX_QUESTIONS, 1000));
    }
}
