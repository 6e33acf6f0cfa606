//! The rules of the house (ARCHITECTURE.md): who may know whom, where SQL stands, how large a file may be.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The dependencies of a crate that its program has, those for tests left out.
fn dependencies(manifest: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(manifest)).unwrap();
    let manifest: toml::Table = text.parse().unwrap();
    manifest["dependencies"].as_table().unwrap().keys().cloned().collect()
}

fn rust_files() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        ["src", "shared", "sites", "worker", "api", "tests"].iter().map(|folder| root().join(folder)).collect();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    assert!(files.len() > 50, "the search for files is broken");
    files
}

#[test]
fn a_crate_knows_only_the_crates_below_it() {
    let below = BTreeMap::from([
        ("shared", vec![]),
        ("sites", vec!["shared"]),
        ("worker", vec!["shared", "sites"]),
        ("api", vec!["shared", "sites"]),
    ]);
    for (name, allowed) in &below {
        for dependency in dependencies(&format!("{name}/Cargo.toml")) {
            let is_ours = below.contains_key(dependency.as_str());
            assert!(!is_ours || allowed.contains(&dependency.as_str()), "`{name}` must not know `{dependency}`");
        }
    }
}

#[test]
fn a_library_is_known_to_its_room_only() {
    let rooms = BTreeMap::from([
        ("axum", vec!["api"]),
        ("git2", vec!["worker"]),
        ("object_store", vec!["sites"]),
        ("tar", vec!["sites"]),
        ("rusqlite", vec!["."]),
        ("apalis", vec!["worker"]),
        ("apalis-core", vec!["worker"]),
        ("apalis-postgres", vec!["shared", "worker"]),
    ]);
    for crate_name in ["shared", "sites", "worker", "api", "."] {
        for dependency in dependencies(&format!("{crate_name}/Cargo.toml")) {
            if let Some(allowed) = rooms.get(dependency.as_str()) {
                assert!(allowed.contains(&crate_name), "`{crate_name}` must not use `{dependency}`");
            }
        }
    }
    for file in rust_files() {
        let path = file.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&file).unwrap();
        let may = ["shared/src/jobs/", "shared/src/db/", "worker/src/runner.rs", "tests/"];
        let uses_apalis = text.contains("apalis::") || text.contains("apalis_postgres::");
        assert!(!uses_apalis || may.iter().any(|may| path.starts_with(may)), "`{path}` uses apalis");
    }
}

#[test]
fn sql_stands_in_one_folder() {
    for file in rust_files() {
        let path = file.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        if path.starts_with("shared/src/db/") || path.starts_with("tests/") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        assert!(!text.contains("sqlx::query"), "`{path}` holds SQL; it belongs into shared/src/db");
    }
}

#[test]
fn every_file_says_what_it_is_and_is_small() {
    for file in rust_files() {
        let path = file.strip_prefix(root()).unwrap().display().to_string();
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("//! "), "`{path}` does not begin with a sentence that says what it is");
        let lines = text.lines().count();
        assert!(lines <= 600, "`{path}` has {lines} lines, at most 600 are allowed");
    }
}

#[test]
fn unsafe_code_stands_in_one_file() {
    for file in rust_files() {
        let path = file.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        if path == "shared/src/os.rs" || path == "tests/architecture.rs" {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        assert!(!text.contains("unsafe {") && !text.contains("unsafe_code"), "`{path}` holds unsafe code");
    }
}

#[test]
fn a_transaction_is_begun_in_one_place() {
    for path in rust_files() {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        if name.starts_with("tests") || name == "shared/src/db/mod.rs" {
            continue;
        }
        let direct = ["pool.begin()", "pool().begin()", "conn.begin()", "connection.begin()", "transaction.begin()"];
        for begin in direct {
            assert!(
                !text.contains(begin),
                "{name}: `{begin}` may leave a transaction open, `shared::db::begin` does not"
            );
        }
    }
}
