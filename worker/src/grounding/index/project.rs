//! What the project as a whole says about itself: packages, programs, dependencies, sample configurations. Read anew only
//! when one of those files changed, or files came or went.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Offer, OfferKind, samples};
use crate::writers::builtin::{
    manifests::{Package, is_manifest, read_packages},
    sources::{Role, role},
    symbols::Fact,
    tree::{FileReader, RepositoryFile},
};

/// A package of the repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IndexedPackage {
    /// Its name; empty for a manifest that only ties others together.
    pub(crate) name: String,
    /// Its version, when the manifest says one.
    pub(crate) version: Option<String>,
    /// The path of its manifest.
    pub(crate) manifest: String,
    /// Whether other code can use it.
    pub(crate) is_library: bool,
}

/// What manifests and sample configurations say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Project {
    /// Changes with everything that it was read from.
    pub(super) key: String,
    pub(super) offers: Vec<Offer>,
    pub(super) dependencies: BTreeSet<String>,
    pub(super) packages: Vec<IndexedPackage>,
}

/// What [`Project`] depends on: every path, and the content of what is read.
pub(super) fn key(files: &[RepositoryFile], blob_of: &dyn Fn(usize) -> git2::Oid) -> String {
    let mut digest = Sha256::new();
    for (at, file) in files.iter().enumerate() {
        digest.update(file.path.as_bytes());
        digest.update([0]);
        if is_manifest(&file.path) || samples::is_sample(&file.path) {
            digest.update(blob_of(at).as_bytes());
        }
    }
    hex::encode(digest.finalize())
}

/// Reads manifests and sample configurations. `name` is the repository's.
pub(super) fn read(files: &[RepositoryFile], reader: &FileReader, name: &str, key: String) -> Project {
    let packages = read_packages(files, reader, name);
    let mut project = Project { key, ..Project::default() };
    for package in &packages {
        project.offers.extend(programs(package));
        project.dependencies.extend(package.dependencies.iter().map(|dependency| dependency.name.clone()));
        // packages of one repository use each other by name
        project.dependencies.extend(Some(package.name.clone()).filter(|name| !name.is_empty()));
    }
    let samples = files.iter().filter(|file| samples::is_sample(&file.path) && role(&file.path) != Role::Foreign);
    for file in samples.take(samples::MAX_SAMPLES) {
        if let Some(text) = reader.text(file, samples::MAX_SAMPLE_BYTES) {
            project.offers.extend(samples::read(&file.path, &text));
        }
    }
    let indexed = packages.into_iter().map(|package| IndexedPackage {
        is_library: package.library.is_some(),
        name: package.name,
        version: package.version,
        manifest: package.manifest,
    });
    project.packages = indexed.collect();
    project
}

fn programs(package: &Package) -> impl Iterator<Item = Offer> {
    package.programs.iter().map(|(name, _)| Offer {
        kind: OfferKind::Program,
        name: name.clone(),
        of: String::new(),
        path: package.manifest.clone(),
        line: 1,
    })
}

/// What a fact offers: a flag with several names is several offers.
pub(super) fn offers(fact: &Fact, path: &str) -> Vec<Offer> {
    let offer =
        |kind, name: String, of: &str, line| Offer { kind, name, of: of.to_owned(), path: path.to_owned(), line };
    match fact {
        Fact::Environment { name, line, .. } => vec![offer(OfferKind::Environment, name.clone(), "", *line)],
        Fact::Route { method, path, line, .. } => {
            vec![offer(OfferKind::Route, format!("{method} {path}"), "", *line)]
        }
        Fact::Command { name, line, .. } => vec![offer(OfferKind::Command, name.clone(), "", *line)],
        Fact::Flag { command, names, line, .. } => names
            .split(',')
            .map(str::trim)
            .filter(|name| name.starts_with('-'))
            .map(|name| offer(OfferKind::Flag, name.to_owned(), command, *line))
            .collect(),
    }
}
