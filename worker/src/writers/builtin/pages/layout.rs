//! The tree of folders: how many files are where, in which languages, and what each folder is for.

use std::collections::BTreeMap;

use crate::writers::builtin::{
    markdown::{cell, code, escape, first_sentence, place, table},
    sources::language_name,
    survey::Survey,
};

/// Deepest folder and most folders that are shown.
const MAX_DEPTH: usize = 3;
const MAX_FOLDERS: usize = 120;
/// A folder with more folders than this in it is shown without them.
const MAX_SIBLINGS: usize = 25;

#[derive(Default)]
struct Folder<'a> {
    files: usize,
    languages: BTreeMap<&'a str, usize>,
}

/// Writes the page.
pub(crate) fn write(survey: &Survey) -> Option<String> {
    let mut folders: BTreeMap<String, Folder<'_>> = BTreeMap::new();
    for file in &survey.files {
        let parts: Vec<&str> = file.path.split('/').collect();
        for depth in 1..parts.len().min(MAX_DEPTH + 1) {
            let folder = folders.entry(parts[..depth].join("/")).or_default();
            folder.files += 1;
            if let Some(language) = language_name(&file.path) {
                *folder.languages.entry(language).or_default() += 1;
            }
        }
    }
    let depth = (1..=MAX_DEPTH).rev().find(|depth| count(&folders, *depth) <= MAX_FOLDERS).unwrap_or(1);
    let shown: Vec<_> = folders.iter().filter(|(path, _)| path.matches('/').count() < depth).collect();
    let crowded = |path: &str| shown.iter().filter(|(other, _)| parent(other) == parent(path)).count() > MAX_SIBLINGS;
    let (hidden, shown): (Vec<_>, Vec<_>) =
        shown.iter().copied().partition(|(path, _)| path.contains('/') && crowded(path));
    let rows: Vec<Vec<String>> = shown
        .iter()
        .take(MAX_FOLDERS)
        .map(|(path, folder)| {
            let mut languages: Vec<(&&str, &usize)> = folder.languages.iter().collect();
            languages.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
            let languages: Vec<&str> = languages.into_iter().take(3).map(|(name, _)| **&name).collect();
            vec![
                cell(&code(&format!("{path}/"))),
                folder.files.to_string(),
                languages.join(", "),
                purpose(survey, path),
            ]
        })
        .collect();
    let root: Vec<String> =
        survey.files.iter().filter(|file| !file.path.contains('/')).map(|file| place(&file.path, None)).collect();
    let mut text =
        "# Project layout\n\nThe folders of the repository, with what their own documentation says about them.\n\n"
            .to_owned();
    if let Some(table) = table(&["Folder", "Files", "Languages", "What is in it"], &rows) {
        text.push_str(&format!("## Folders\n\n{table}\n"));
        if !hidden.is_empty() {
            let parents: std::collections::BTreeSet<&str> = hidden.iter().map(|(path, _)| parent(path)).collect();
            let parents: Vec<String> = parents.into_iter().map(|path| code(&format!("{path}/"))).collect();
            text.push_str(&format!(
                "The {} folders in {} are not listed one by one.\n\n",
                hidden.len(),
                parents.join(", ")
            ));
        }
        if shown.len() > MAX_FOLDERS {
            text.push_str(&format!("{} more folders are not listed.\n\n", shown.len() - MAX_FOLDERS));
        }
    }
    if !root.is_empty() {
        let listed = root.iter().take(60).map(|place| format!("- {place}\n")).collect::<String>();
        text.push_str(&format!("## Files at the top\n\n{listed}"));
    }
    (!survey.files.is_empty()).then_some(text)
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

fn count(folders: &BTreeMap<String, Folder<'_>>, depth: usize) -> usize {
    folders.keys().filter(|path| path.matches('/').count() < depth).count()
}

/// What the folder's README, its manifest or its main module says it is, with the place; else what its name usually means.
fn purpose(survey: &Survey, folder: &str) -> String {
    if let Some(package) =
        survey.packages.iter().find(|package| package.folder == folder && package.description.is_some())
    {
        let description = package.description.as_deref().unwrap_or_default();
        return format!("{} {}", cell(&escape(&first_sentence(description, 160))), place(&package.manifest, None));
    }
    let name = folder.rsplit('/').next().unwrap_or_default();
    let main_modules = [
        "mod.rs",
        "lib.rs",
        "src/lib.rs",
        "main.rs",
        "src/main.rs",
        "__init__.py",
        "doc.go",
        "package-info.java",
        "index.ts",
        "index.js",
    ];
    let own_module = format!("{folder}.rs");
    let candidates = main_modules
        .iter()
        .map(|module| format!("{folder}/{module}"))
        .chain([own_module, format!("{folder}/{name}.go")]);
    for path in candidates {
        let doc = survey.parsed.get(&path).map(|(_, file)| first_sentence(&file.scope.doc, 160)).unwrap_or_default();
        if !doc.is_empty() {
            return format!("{} {}", cell(&escape(&doc)), place(&path, None));
        }
    }
    if let Some(readme) = survey.first_of(folder, &["README.md", "README.rst", "README"]) {
        let sentence = survey.text(&readme.path).map(|text| first_sentence(&text, 160)).unwrap_or_default();
        if sentence.len() >= 12 {
            return format!("{} {}", cell(&escape(&sentence)), place(&readme.path, None));
        }
    }
    usual_meaning(name).to_owned()
}

fn usual_meaning(name: &str) -> &'static str {
    match name {
        "src" | "lib" => "Source code",
        "tests" | "test" | "__tests__" | "spec" => "Tests",
        "docs" | "doc" => "Documentation",
        "examples" | "example" => "Examples",
        "benches" | "bench" | "benchmarks" => "Measurements",
        ".github" | ".gitlab" | ".circleci" | ".ci" => "Automation of the repository's host",
        "scripts" | "script" | "tools" => "Scripts for development",
        "cmd" | "bin" => "Programs",
        "internal" => "Packages for this project only",
        "vendor" | "third_party" | "node_modules" => "Code of others",
        "migrations" => "Changes of the database's schema",
        "include" => "Public headers",
        _ => "",
    }
}
