//! The index of real commits: what is found, what is read again, and what bad files cost.

mod figures;
mod hostile;
mod keeping;
mod languages;
mod routes;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use git2::{IndexEntry, IndexTime, Repository, Signature};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::{Build, Done, Index, OfferKind, PathMatch};
use crate::{git::Checkout, steering::PathFilter, writers::builtin::ParserLimits};

/// A bare repository, made on the fly.
struct Fixture {
    folder: TempDir,
    checkout: Checkout,
}

impl Fixture {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Repository::init_bare(folder.path()).unwrap();
        let commit = "0000000000000000000000000000000000000000".parse().unwrap();
        let checkout = Checkout {
            git_dir: folder.path().to_owned(),
            commit,
            commit_time: chrono::DateTime::UNIX_EPOCH,
            branch: "main".parse().unwrap(),
        };
        let mut fixture = Self { folder, checkout };
        fixture.commit(files);
        fixture
    }

    /// Makes a commit of exactly these files.
    fn commit(&mut self, files: &[(&str, &[u8])]) {
        let repository = Repository::open_bare(&self.checkout.git_dir).unwrap();
        let mut index = repository.index().unwrap();
        index.clear().unwrap();
        for (path, content) in files {
            let entry = IndexEntry {
                ctime: IndexTime::new(0, 0),
                mtime: IndexTime::new(0, 0),
                dev: 0,
                ino: 0,
                mode: 0o100_644,
                uid: 0,
                gid: 0,
                file_size: 0,
                id: git2::Oid::ZERO_SHA1,
                flags: 0,
                flags_extended: 0,
                path: path.as_bytes().to_vec(),
            };
            index.add_frombuffer(&entry, content).unwrap();
        }
        let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
        let someone = Signature::new("A", "a@example.org", &git2::Time::new(1_700_000_000, 0)).unwrap();
        let commit = repository.commit(None, &someone, &someone, "one", &tree, &[]).unwrap();
        self.checkout.commit = commit.to_string().parse().unwrap();
    }

    fn build(&self) -> (Index, Done) {
        self.build_with(|build| build)
    }

    fn build_with<'a>(&'a self, change: impl FnOnce(Build<'a>) -> Build<'a>) -> (Index, Done) {
        let (program, cancel, filter) = (parser(), CancellationToken::new(), PathFilter::default());
        // the three live as long as the test process
        let (program, cancel): (&'static Path, &'static CancellationToken) =
            (Box::leak(Box::new(program)), Box::leak(Box::new(cancel)));
        let build = Build {
            checkout: &self.checkout,
            filter: Box::leak(Box::new(filter)),
            name: "demo",
            parser: (program, patient()),
            known: None,
            keep: None,
            cancel,
        };
        Index::of_checkout(&change(build)).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// The index of a commit of these files, for tests of what stands on an index.
pub(crate) fn index_of_commit(files: &[(&str, &[u8])]) -> Index {
    // texts are read from it as long as the index lives
    let fixture: &'static Fixture = Box::leak(Box::new(Fixture::new(files)));
    fixture.build().0
}

/// The machine may be busy.
fn patient() -> ParserLimits {
    ParserLimits { answer_time: Duration::from_mins(1), ..ParserLimits::default() }
}

/// The binary of this crate that runs nothing but the parsing child; cargo builds it for the tests in `worker/tests`.
pub(crate) fn parser() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().unwrap().parent().unwrap().join("parse-source");
    assert!(path.exists(), "run `cargo build -p worker --bin parse-source` first: {}", path.display());
    path
}

fn offers(index: &Index, kind: OfferKind) -> Vec<&str> {
    index.offers().iter().filter(|offer| offer.kind == kind).map(|offer| offer.name.as_str()).collect()
}

#[test]
fn a_commit_is_indexed() {
    let fixture = Fixture::new(&[
        ("Cargo.toml", b"[package]\nname = \"demo\"\nversion = \"1.2.3\"\n[dependencies]\nserde = \"1\"\n"),
        ("src/lib.rs", b"//! Things.\n\n/// Adds.\npub fn add(a: u8) -> u8 {\n    a\n}\n"),
        ("src/main.rs", b"fn main() {\n    std::env::var(\"DEMO_PORT\");\n}\n"),
        (".env.example", b"API_KEY=\n"),
        ("README.md", b"# Demo\r\n\r\nHas flavour"),
        ("logo.png", b"\x89PNG\0\0\0"),
    ]);
    let (index, done) = fixture.build();
    assert_eq!((done.known, done.read, done.parsed), (0, 6, 2), "{done:?}");
    assert_eq!(done.findings, Vec::<String>::new());
    let lines: Vec<_> = index.files().iter().map(|file| (file.path.as_str(), file.lines)).collect();
    let expected = [
        (".env.example", Some(1)),
        ("Cargo.toml", Some(5)),
        ("README.md", Some(3)),
        ("logo.png", None),
        ("src/lib.rs", Some(6)),
        ("src/main.rs", Some(3)),
    ];
    assert_eq!(lines, expected);
    assert_eq!(index.files()[4].language(), Some("Rust"));
    let (add, count) = (index.definitions("add").first().unwrap(), index.definitions("add").len());
    assert_eq!((count, add.path, add.lines, add.is_public), (1, "src/lib.rs", (4, 6), true));
    assert_eq!(index.public_definitions().count(), 1);
    assert!(index.has_word("flavour") && index.has_word("u8") && !index.has_word("u9"));
    assert_eq!(offers(&index, OfferKind::Environment), ["API_KEY", "DEMO_PORT"]);
    assert_eq!(offers(&index, OfferKind::Program), ["demo"]);
    assert!(index.dependencies().contains("serde"));
    let [package] = index.packages() else { panic!("{:?}", index.packages()) };
    assert_eq!((package.name.as_str(), package.version.as_deref()), ("demo", Some("1.2.3")));
    assert!(matches!(index.find_path("main.rs"), PathMatch::Suffix(file) if file.path == "src/main.rs"));
    assert_eq!(index.text("README.md").unwrap().lines(3, 3), Some("Has flavour"));
    assert_eq!(index.text("logo.png"), None);
}

#[test]
fn what_is_public_in_a_program_is_no_ones_but_its_own() {
    let fixture = Fixture::new(&[
        ("Cargo.toml", b"[package]\nname = \"tool\"\nversion = \"1.0.0\"\n"),
        ("src/main.rs", b"mod a;\nfn main() {}\n"),
        ("src/a.rs", b"pub fn own() {}\n"),
        ("lib/Cargo.toml", b"[package]\nname = \"lib\"\nversion = \"1.0.0\"\n"),
        ("lib/src/lib.rs", b"pub fn offered() {}\n"),
        ("lib/src/main.rs", b"pub fn main() {}\n"),
    ]);
    let (index, _) = fixture.build();
    let public: Vec<&str> = index.public_definitions().map(|found| found.name).collect();
    assert_eq!(public, ["offered"]);
}
