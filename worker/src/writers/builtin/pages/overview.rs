//! The first page: what the project is, in a table of facts, and its README.

use std::collections::BTreeMap;

use crate::writers::builtin::{
    guides,
    manifests::Package,
    markdown::{cell, code, escape, place, plain_text, shift_headings, table},
    project::Project,
    sources::{Role, language_name, role},
    survey::Survey,
    symbols::cut,
};

/// Most packages listed on the page.
const MAX_LISTED_PACKAGES: usize = 40;

/// Writes the page. `readme` is the README's body for the site, without its title and without what other pages took.
pub(crate) fn write(survey: &Survey, project: &Project, readme: &str, links: &[(String, String)]) -> String {
    let mut text = format!("# {}\n\n", escape(&project.name));
    let beginning: String = plain_text(&cut(readme, 6_000)).chars().take(1_500).collect();
    if !project.tagline.is_empty() && !beginning.contains(project.tagline.trim_end_matches(['.', '…'])) {
        let manifest = survey.main_package().filter(|package| package.description.is_some());
        let from = manifest.map(|package| package.manifest.clone()).or_else(|| guides::readme(survey));
        let from = from.map(|path| place(&path, None)).unwrap_or_default();
        put!(text, "{} {from}\n\n", escape(&project.tagline));
    }
    text.push_str("## At a glance\n\n");
    text.push_str(&table(&["", ""], &glance(survey, project)).unwrap_or_default());
    text.push('\n');
    if !links.is_empty() {
        let links: Vec<String> =
            links.iter().map(|(title, slug)| format!("[{}]({slug}.html)", escape(title))).collect();
        put!(text, "Go on with {}.\n\n", links.join(", "));
    }
    if let Some(packages) = packages(&survey.packages) {
        put!(text, "## Packages\n\n{packages}\n");
    }
    if !readme.trim().is_empty() {
        text.push_str(&shift_headings(readme, 2));
    }
    text
}

fn glance(survey: &Survey, project: &Project) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut row = |name: &str, value: String| {
        if !value.is_empty() {
            rows.push(vec![format!("**{name}**"), value]);
        }
    };
    let cited = |value: &str, path: &str| format!("{} {}", cell(&escape(value)), place(path, None));
    if let Some(package) = &project.package
        && let Some(version) = &package.version
    {
        row("Version", cited(version, &package.manifest));
    }
    if let Some((licence, path)) = &project.licence {
        row("Licence", cited(licence, path));
    }
    row("Languages", cell(&languages(survey)));
    let requires = survey.packages.iter().find_map(|package| Some((package.requires.clone()?, &package.manifest)));
    if let Some((requires, manifest)) = requires {
        row("Needs", cited(&requires, manifest));
    }
    let mut programs: Vec<String> = Vec::new();
    for package in survey.packages.iter().filter(|package| !package.private || survey.packages.len() == 1) {
        for (name, path) in package.programs.iter().take(8) {
            let from = if survey.file(path).is_some() { path } else { &package.manifest };
            programs.push(format!("{} {}", cell(&code(name)), place(from, None)));
        }
    }
    programs.truncate(12);
    row("Programs", programs.join(", "));
    if let Some(library) = project.package.as_ref().and_then(|package| package.library.as_ref())
        && survey.file(library).is_some()
    {
        row("Library", place(library, None));
    }
    row("Size", size(survey));
    if let Some(address) = &project.repo_url {
        row("Repository", cell(address));
    }
    rows
}

fn size(survey: &Survey) -> String {
    let own = survey.files.iter().filter(|file| role(&file.path) == Role::Own).count();
    let tests = survey.files.iter().filter(|file| role(&file.path) == Role::Test).count();
    format!("{} files, of them {own} the project's own and {tests} tests", survey.files.len())
}

/// `Rust 93 %, Shell 5 %, Python 2 %`: shares of the bytes of source that the project's people wrote.
fn languages(survey: &Survey) -> String {
    let mut bytes: BTreeMap<&str, u64> = BTreeMap::new();
    for file in survey.files.iter().filter(|file| role(&file.path) != Role::Foreign) {
        if let Some(language) = language_name(&file.path) {
            *bytes.entry(language).or_default() += file.bytes;
        }
    }
    let all: u64 = bytes.values().sum();
    let mut shares: Vec<(&str, u64)> =
        bytes.into_iter().map(|(name, bytes)| (name, bytes * 100 / all.max(1))).collect();
    shares.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let told = shares.iter().filter(|(_, share)| *share >= 1).take(6);
    told.map(|(name, share)| format!("{name} {share} %")).collect::<Vec<_>>().join(", ")
}

fn packages(packages: &[Package]) -> Option<String> {
    let named: Vec<&Package> = packages.iter().filter(|package| !package.name.is_empty()).collect();
    if named.len() < 2 {
        return None;
    }
    let rows: Vec<Vec<String>> = named
        .iter()
        .take(MAX_LISTED_PACKAGES)
        .map(|package| {
            vec![
                cell(&code(&package.name)),
                cell(package.version.as_deref().unwrap_or_default()),
                cell(&escape(package.description.as_deref().unwrap_or_default())),
                place(&package.manifest, None),
            ]
        })
        .collect();
    let mut text = table(&["Package", "Version", "What it is", "Manifest"], &rows)?;
    if named.len() > MAX_LISTED_PACKAGES {
        put!(text, "\n{} more packages are not listed.\n", named.len() - MAX_LISTED_PACKAGES);
    }
    Some(text)
}
