//! The store of published sites, through its public functions: on a folder and in memory.

#![expect(clippy::unwrap_used, reason = "clippy's exception for tests does not reach the functions that they share")]

mod publishing;
mod disk_full;
mod reading;
mod paths;
mod archive;
mod commits;

use shared::ids::GenerationId;
use sites::{key::SitePrefix, read::SitePath, render::SiteFiles, store::SiteStore};
use tempfile::TempDir;

/// A store on a folder that goes away with the test.
struct LocalStore {
    store: SiteStore,
    folder: TempDir,
}

impl LocalStore {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { store: SiteStore::local(folder.path()).unwrap(), folder }
    }
}

fn new_prefix() -> SitePrefix {
    SitePrefix::new(GenerationId::new(), 1)
}

fn path(text: &str) -> SitePath {
    SitePath::parse(text).unwrap()
}

/// A small site; `word` makes it differ from others.
fn site(word: &str) -> SiteFiles {
    let page =
        |title: &str| format!("<!doctype html><title>{title}</title>{}", format!("<p>{word} again</p>").repeat(200));
    let hash = if word == "old" { "0a1b2c3d" } else { "4e5f6a7b" };
    SiteFiles::from([
        (".nojekyll".into(), Vec::new()),
        ("index.html".into(), page("Start").into_bytes()),
        ("guide.html".into(), page("Guide").into_bytes()),
        (format!("assets/site.{hash}.css"), "p { color: black }\n".repeat(40).into_bytes()),
        ("assets/logo.png".into(), noise(3000)),
    ])
}

/// Bytes that no compressor makes smaller.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}
