//! What the project as a whole is: name, tagline, licence, kind.

use shared::plan::RepoType;

use super::{
    documents::split_title,
    manifests::Package,
    markdown::first_sentence,
    sources::{Role, role},
    survey::Survey,
};

/// The project.
#[derive(Debug)]
pub(crate) struct Project {
    /// Its name for people.
    pub(crate) name: String,
    /// What it is, in a sentence; may be empty.
    pub(crate) tagline: String,
    /// Its licence and the file that says so.
    pub(crate) licence: Option<(String, String)>,
    /// Its main package.
    pub(crate) package: Option<Package>,
    /// What kind of repository it is.
    pub(crate) repo_type: RepoType,
    /// Its public address.
    pub(crate) repo_url: Option<String>,
}

/// Looks at manifests and README. `readme` is the README's Markdown for the site.
pub(crate) fn describe(
    survey: &Survey,
    fallback_name: &str,
    repo_url: Option<String>,
    readme: Option<&str>,
) -> Project {
    let package = survey.main_package().cloned();
    let (title, body) = readme.map(split_title).unwrap_or_default();
    let same = |a: &str, b: &str| {
        let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
        letters(a) == letters(b)
    };
    let name = title.filter(|title| same(title, fallback_name)).unwrap_or_else(|| fallback_name.to_owned());
    let said = package.as_ref().and_then(|package| package.description.clone()).unwrap_or_default();
    let mut tagline = first_sentence(&said, 200);
    if tagline.is_empty() {
        tagline = first_sentence(&body, 200);
    }
    Project {
        name,
        tagline,
        licence: licence(survey, package.as_ref()),
        repo_type: kind(survey, package.as_ref()),
        package,
        repo_url,
    }
}

fn licence(survey: &Survey, package: Option<&Package>) -> Option<(String, String)> {
    if let Some((licence, manifest)) =
        package.and_then(|package| Some((package.licence.clone()?, package.manifest.clone())))
    {
        return Some((licence, manifest));
    }
    let files = survey.files.iter().filter(|file| !file.path.contains('/'));
    let mut files = files.filter(|file| {
        let name = file.path.to_ascii_uppercase();
        ["LICENSE", "LICENCE", "COPYING", "UNLICENSE"].iter().any(|start| name.starts_with(start))
    });
    files.find_map(|file| {
        let text = survey.text(&file.path)?;
        Some((recognise(&text)?.to_owned(), file.path.clone()))
    })
}

fn recognise(text: &str) -> Option<&'static str> {
    let head: String = text.split_whitespace().take(400).collect::<Vec<_>>().join(" ").to_lowercase();
    let known = [
        ("apache license", "Apache-2.0"),
        ("gnu affero general public license", "AGPL-3.0"),
        ("gnu lesser general public license", "LGPL"),
        ("gnu general public license version 2", "GPL-2.0"),
        ("gnu general public license", "GPL-3.0"),
        ("mozilla public license", "MPL-2.0"),
        ("permission is hereby granted, free of charge", "MIT"),
        ("permission to use, copy, modify, and/or distribute", "ISC"),
        ("neither the name", "BSD-3-Clause"),
        ("redistribution and use in source and binary forms", "BSD"),
        ("this is free and unencumbered software", "Unlicense"),
    ];
    known.iter().find(|(words, _)| head.contains(words)).map(|(_, name)| *name)
}

fn kind(survey: &Survey, package: Option<&Package>) -> RepoType {
    let own = survey.parsed.len();
    let tests = survey.files.iter().filter(|file| role(&file.path) == Role::Test).count();
    if own == 0 && tests > 10 {
        return RepoType::Tests;
    }
    match package {
        Some(package) if package.library.is_none() && !package.programs.is_empty() => RepoType::App,
        Some(package) if package.library.is_some() || !package.private => RepoType::Library,
        _ => RepoType::App,
    }
}
