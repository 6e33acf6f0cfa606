//! What each package depends on.

use crate::writers::builtin::{
    manifests::{Ecosystem, Package},
    markdown::{cell, code, place, table},
};

/// Writes the page, or nothing when no package depends on anything.
pub(crate) fn write(packages: &[Package]) -> Option<String> {
    let mut text = String::new();
    for package in packages.iter().filter(|package| !package.dependencies.is_empty()) {
        let name = if package.name.is_empty() { &package.manifest } else { &package.name };
        put!(text, "## {name}\n\n{} {}\n\n", ecosystem(package.ecosystem), place(&package.manifest, None));
        let mut dependencies: Vec<_> = package.dependencies.iter().collect();
        dependencies.sort_by_key(|dependency| (rank(dependency.kind), &dependency.name));
        let rows: Vec<Vec<String>> = dependencies
            .into_iter()
            .map(|dependency| {
                vec![cell(&code(&dependency.name)), cell(&code(&dependency.requirement)), dependency.kind.to_owned()]
            })
            .collect();
        text.push_str(&table(&["Dependency", "Version", "Used for"], &rows).unwrap_or_default());
        put!(text, "\n{}\n\n", place(&package.manifest, None));
    }
    if text.is_empty() {
        return None;
    }
    Some(format!("# Dependencies\n\nWhat the packages of this repository depend on, as their manifests say.\n\n{text}"))
}

fn rank(kind: &str) -> usize {
    ["Runtime", "Peer", "Provided", "Optional", "Build", "Development", "Indirect"]
        .iter()
        .position(|known| *known == kind)
        .unwrap_or(9)
}

fn ecosystem(ecosystem: Ecosystem) -> &'static str {
    match ecosystem {
        Ecosystem::Cargo => "Rust crate.",
        Ecosystem::Python => "Python package.",
        Ecosystem::Npm => "npm package.",
        Ecosystem::Go => "Go module.",
        Ecosystem::Maven => "Maven artifact.",
        Ecosystem::Gradle => "Gradle project.",
        Ecosystem::CMake => "CMake project.",
    }
}
