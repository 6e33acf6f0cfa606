//! The rules against a small repository and twenty truthful pages about it, and against lies of each kind.

mod lies;
mod rules;
mod spoken;

use std::{collections::HashMap, fs, path::Path, sync::OnceLock};

use shared::{
    evidence::{Finding, Severity},
    names::PageSlug,
    plan::{NavGroup, PageType, Plan, PlannedPage, RepoType},
};

use super::{CheckOptions, Checked, PageText, check_site};
use crate::grounding::{index::Index, resolving::Resolver};

/// Pages by slug, in order of name.
type Pages = Vec<(PageSlug, String)>;

fn fixtures() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/grounding/fixtures")
}

/// The index of the invented repository.
fn repository() -> &'static Index {
    static INDEX: OnceLock<Index> = OnceLock::new();
    INDEX.get_or_init(|| index_of(&files()))
}

/// The files of the invented repository.
fn files() -> Vec<(String, Vec<u8>)> {
    let root = fixtures().join("repository");
    let mut folders = vec![root.clone()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                let path = entry.path().strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                files.push((path, fs::read(entry.path()).unwrap()));
            }
        }
    }
    files.sort();
    files
}

/// The index of a commit with these files, made as a run makes it.
fn index_of(files: &[(String, Vec<u8>)]) -> Index {
    let files: Vec<(&str, &[u8])> = files.iter().map(|(path, content)| (path.as_str(), content.as_slice())).collect();
    crate::grounding::index::tests::index_of_commit(&files)
}

/// The truthful pages.
fn truth() -> Pages {
    let mut pages: Pages = fs::read_dir(fixtures().join("pages"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().parse().unwrap(), fs::read_to_string(path).unwrap()))
        .collect();
    pages.sort();
    pages
}

fn plan(pages: &Pages) -> Plan {
    let page = |slug: &PageSlug| PlannedPage {
        slug: slug.clone(),
        title: slug.to_string(),
        description: String::new(),
        page_type: PageType::Guide,
    };
    let pages = pages.iter().map(|(slug, _)| page(slug)).collect();
    Plan {
        project_name: "Lantern".into(),
        tagline: String::new(),
        repo_type: RepoType::App,
        navigation: vec![NavGroup { group: "All".into(), pages }],
        version: None,
        language: None,
        redirects: std::collections::BTreeMap::new(),
    }
}

fn by_model() -> CheckOptions {
    CheckOptions { by_model: true, ..CheckOptions::default() }
}

fn check(index: &Index, pages: &Pages, options: &CheckOptions) -> Checked {
    let earlier = HashMap::new();
    let mut resolver = Resolver::new(index, &earlier);
    let texts = pages
        .iter()
        .map(|(slug, markdown)| PageText { slug, markdown, sections: resolver.page(markdown).sections })
        .collect();
    check_site(index, Some(&plan(pages)), texts, options)
}

fn accusations(checked: &Checked) -> Vec<&Finding> {
    checked.findings.iter().filter(|finding| finding.severity != Severity::Note).collect()
}

#[test]
fn twenty_truthful_pages_are_not_accused() {
    let pages = truth();
    assert_eq!(pages.len(), 20);
    let checked = check(repository(), &pages, &by_model());
    let accused = accusations(&checked);
    assert!(accused.is_empty(), "{} accusations: {accused:#?}", accused.len());
    println!("{:#?}", checked.score);
}
