//! Installing and first steps: install lines from the manifests, the README's own sections, named commands.

use std::collections::BTreeMap;

use crate::writers::builtin::{
    documents::Section,
    manifests::{Ecosystem, Package},
    markdown::{cell, code, escape, fenced, place, shift_headings, table},
    survey::Survey,
};

/// Most packages whose install lines are shown.
const MAX_INSTALL_LINES: usize = 12;

/// Whether a README section belongs on this page.
pub(crate) fn takes(title: &str) -> bool {
    let title = title.to_lowercase();
    let words = [
        "install",
        "getting started",
        "get started",
        "quick start",
        "quickstart",
        "usage",
        "first steps",
        "how to use",
        "setup",
        "set up",
        "building",
        "build from source",
        "running",
        "download",
        "requirements",
        "prerequisites",
    ];
    title.len() <= 60 && words.iter().any(|word| title.contains(word))
}

/// Writes the page, or nothing when there is nothing to say.
pub(crate) fn write(survey: &Survey, sections: &[Section], version: Option<&str>) -> Option<String> {
    let mut text = String::new();
    if let Some(lines) = install_lines(&survey.packages) {
        put!(text, "## Install\n\n{lines}");
    }
    for section in sections {
        text.push_str(&shift_headings(&section.text, 2));
        text.push('\n');
    }
    for package in survey.packages.iter().filter(|package| !package.features.is_empty() && !package.private).take(6) {
        let what = match package.ecosystem {
            Ecosystem::Cargo => "Cargo features",
            Ecosystem::Python => "Extras",
            _ => "Build options",
        };
        let rows: Vec<Vec<String>> = package
            .features
            .iter()
            .filter(|(name, _)| !name.starts_with('_'))
            .map(|(name, on)| vec![cell(&code(name)), cell(&code(on))])
            .collect();
        let means = if package.ecosystem == Ecosystem::CMake { "What it does" } else { "Turns on" };
        put!(
            text,
            "## {what} of {}\n\n{}\n{}\n\n",
            package.name,
            table(&["Name", means], &rows)?,
            place(&package.manifest, None)
        );
    }
    text.push_str(&scripts(&survey.packages));
    text.push_str(&make_targets(survey).unwrap_or_default());
    if text.trim().is_empty() {
        return None;
    }
    let manifest = survey.main_package().map(|package| place(&package.manifest, None)).unwrap_or_default();
    let version = version.map(|version| format!("These pages describe version {version}. {manifest}\n\n"));
    let version = version.unwrap_or_default();
    Some(format!("# Quick start\n\n{version}{text}"))
}

fn install_lines(packages: &[Package]) -> Option<String> {
    let mut text = String::new();
    let shown: Vec<(&Package, String, &str)> = packages
        .iter()
        .filter(|package| !package.private && !package.name.is_empty())
        .filter_map(|package| install(package).map(|(language, lines)| (package, lines, language)))
        .take(MAX_INSTALL_LINES)
        .collect();
    let mut others: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (number, (package, lines, language)) in shown.iter().enumerate() {
        // the main package comes first and is told in full
        if number > 0 {
            others.entry(language).or_default().push(lines);
            continue;
        }
        text.push_str(&fenced(&format!("{language} example"), lines));
        put!(text, "\nName and version from {}.", place(&package.manifest, None));
        if let Some(requires) = &package.requires {
            put!(text, " Needs {}.", escape(requires));
        }
        text.push_str("\n\n");
    }
    if !others.is_empty() {
        let manifests: Vec<String> = shown.iter().skip(1).map(|(package, ..)| place(&package.manifest, None)).collect();
        put!(text, "The other packages of this repository: {}\n\n", manifests.join(" "));
    }
    for (language, lines) in &others {
        put!(text, "{}\n", fenced(&format!("{language} example"), &lines.join("\n")));
    }
    (!text.is_empty()).then_some(text)
}

fn install(package: &Package) -> Option<(&'static str, String)> {
    let name = &package.name;
    Some(match package.ecosystem {
        Ecosystem::Cargo => match (&package.library, package.programs.is_empty()) {
            (Some(_), _) => ("sh", format!("cargo add {name}")),
            (None, false) => ("sh", format!("cargo install {name}")),
            (None, true) => return None,
        },
        Ecosystem::Python => ("sh", format!("pip install {name}")),
        Ecosystem::Npm if package.programs.is_empty() => ("sh", format!("npm install {name}")),
        Ecosystem::Npm => ("sh", format!("npm install --global {name}")),
        Ecosystem::Go => {
            let programs = package.programs.iter().filter_map(|(_, path)| {
                let folder = path.strip_suffix("/main.go").unwrap_or_default();
                let inside = folder.strip_prefix(&package.folder).unwrap_or(folder).trim_start_matches('/');
                let separator = if inside.is_empty() { "" } else { "/" };
                (path.ends_with("main.go")).then(|| format!("go install {name}{separator}{inside}@latest"))
            });
            let lines: Vec<String> = programs.take(6).collect();
            if lines.is_empty() { ("sh", format!("go get {name}")) } else { ("sh", lines.join("\n")) }
        }
        Ecosystem::Maven => {
            let version =
                package.version.as_deref().filter(|version| !version.contains("SNAPSHOT")).unwrap_or("VERSION");
            let group = package.group.as_deref()?;
            let lines = format!(
                "<dependency>\n  <groupId>{group}</groupId>\n  <artifactId>{name}</artifactId>\n  <version>{version}</version>\n</dependency>"
            );
            ("xml", lines)
        }
        Ecosystem::Gradle => {
            let version = package.version.as_deref().unwrap_or("VERSION");
            ("kotlin", format!("implementation(\"{}:{name}:{version}\")", package.group.as_deref()?))
        }
        Ecosystem::CMake => ("sh", "cmake -B build\ncmake --build build\ncmake --install build".to_owned()),
    })
}

fn scripts(packages: &[Package]) -> String {
    let mut text = String::new();
    for package in packages.iter().filter(|package| !package.scripts.is_empty()).take(8) {
        let rows = package
            .scripts
            .iter()
            .map(|(name, command)| vec![cell(&code(&format!("npm run {name}"))), cell(&code(command))]);
        let of = if package.name.is_empty() || packages.len() == 1 {
            String::new()
        } else {
            format!(" of {}", package.name)
        };
        put!(text, "## Scripts{of}\n\n");
        text.push_str(&table(&["Command", "Runs"], &rows.collect::<Vec<_>>()).unwrap_or_default());
        put!(text, "\n{}\n\n", place(&package.manifest, None));
    }
    text
}

fn make_targets(survey: &Survey) -> Option<String> {
    let file = survey.first_of("", &["Makefile", "GNUmakefile", "justfile"])?;
    let content = survey.text(&file.path)?;
    let mut rows = Vec::new();
    let mut comment = String::new();
    for (number, line) in content.lines().enumerate() {
        if let Some(words) = line.strip_prefix('#') {
            words.trim_start_matches('#').trim().clone_into(&mut comment);
            continue;
        }
        let target = line.split_once(':').filter(|(name, rest)| {
            !rest.starts_with('=')
                && !name.is_empty()
                && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
        });
        if let Some((name, rest)) = target {
            let told = rest.split_once("##").map_or(comment.as_str(), |(_, told)| told.trim());
            let line = u32::try_from(number + 1).unwrap_or(u32::MAX);
            rows.push(vec![cell(&code(name)), cell(told), place(&file.path, Some((line, line)))]);
        }
        comment.clear();
    }
    rows.truncate(60);
    let tool = if file.path.eq_ignore_ascii_case("justfile") { "just" } else { "make" };
    Some(format!("## Targets of `{tool}`\n\n{}\n", table(&["Target", "What it does", "Defined in"], &rows)?))
}
