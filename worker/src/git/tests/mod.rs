//! Repositories made on the fly, and what every test of this folder starts from.

mod server;
mod local;
mod http;
mod reading;
mod changes;
mod history;
mod hostile;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use git2::{IndexEntry, IndexTime, ObjectType, Oid, Repository, Signature, Time};
use shared::{
    names::BranchName,
    settings::{CloneLimits, GitSettings},
    source::RepoSource,
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::{Checkout, CloneRequest, GitError, clone::clone_from, clone_repository, remote::Remote};

const FILE: u32 = 0o100_644;
const LINK: u32 = 0o120_000;

/// A folder for repositories, one for the run, and the settings of one call.
struct World {
    folder: TempDir,
    settings: GitSettings,
    limits: CloneLimits,
    cancel: CancellationToken,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("docmill-git-").tempdir().unwrap();
        std::fs::create_dir(folder.path().join("run")).unwrap();
        let settings = GitSettings { repo_host_allowlist: "127.0.0.1".parse().unwrap(), ..GitSettings::default() };
        let limits = CloneLimits { timeout: Duration::from_secs(20), ..CloneLimits::default() };
        Self { folder, settings, limits, cancel: CancellationToken::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run_folder(&self) -> PathBuf {
        self.path("run")
    }

    /// A local repository with these files on `main`.
    fn repository(&self, name: &str, files: &[(&str, u32, &[u8])]) -> Repository {
        let repository = Repository::init(self.path(name)).unwrap();
        let commit = commit_files(&repository, files);
        repository.reference("refs/heads/main", commit, true, "").unwrap();
        repository
    }

    async fn clone_local(&self, name: &str, branch: &str) -> Result<Checkout, GitError> {
        let source = RepoSource::LocalPath(self.path(name));
        self.clone_source(&source, branch).await
    }

    async fn clone_url(&self, url: &str, branch: &str) -> Result<Checkout, GitError> {
        self.clone_source(&RepoSource::parse_url(url).unwrap(), branch).await
    }

    async fn clone_source(&self, source: &RepoSource, branch: &str) -> Result<Checkout, GitError> {
        let (branch, folder) = (branch.parse().unwrap(), self.run_folder());
        let result = clone_repository(&self.request(source, &branch, &folder), &self.cancel).await;
        self.checked(result)
    }

    /// Clones from an address that no name service knows.
    async fn clone_pinned(&self, url: &str, address: &str) -> Result<Checkout, GitError> {
        let source = RepoSource::parse_url(url).unwrap();
        let RepoSource::Url(parts) = &source else { panic!("{url} is not a URL") };
        let pin = shared::address::PinnedAddress {
            host: parts.host.clone(),
            port: parts.port_or_default(),
            address: address.parse().unwrap(),
        };
        let remote = Remote::pinned(&source, Some(pin), &self.settings);
        let (branch, folder) = ("main".parse().unwrap(), self.run_folder());
        let result = clone_from(remote, &self.request(&source, &branch, &folder), &self.cancel).await;
        self.checked(result)
    }

    fn request<'a>(&'a self, source: &'a RepoSource, branch: &'a BranchName, folder: &'a Path) -> CloneRequest<'a> {
        CloneRequest { source, branch, settings: &self.settings, limits: &self.limits, folder }
    }

    /// What holds for every failure: its sentence fits its readers and nothing of the clone is left.
    fn checked(&self, result: Result<Checkout, GitError>) -> Result<Checkout, GitError> {
        if let Err(error) = &result {
            let run = self.run_folder().display().to_string();
            assert!(!error.message.contains(&run), "{error}");
            assert!(!error.message.contains(['\n', '\u{1b}']) && !error.message.ends_with('.'), "{error}");
            assert_eq!(std::fs::read_dir(run).unwrap().count(), 0, "the clone is still there after: {error}");
        }
        result
    }
}

/// A commit without a parent at a fixed time, on no branch.
fn commit_files(repository: &Repository, files: &[(&str, u32, &[u8])]) -> Oid {
    let mut index = repository.index().unwrap();
    index.clear().unwrap();
    for (path, mode, content) in files {
        let entry = IndexEntry {
            ctime: IndexTime::new(0, 0),
            mtime: IndexTime::new(0, 0),
            dev: 0,
            ino: 0,
            mode: *mode,
            uid: 0,
            gid: 0,
            file_size: 0,
            id: Oid::ZERO_SHA1,
            flags: 0,
            flags_extended: 0,
            path: path.as_bytes().to_vec(),
        };
        index.add_frombuffer(&entry, content).unwrap();
    }
    commit_tree(repository, index.write_tree().unwrap())
}

fn commit_tree(repository: &Repository, tree: Oid) -> Oid {
    let author = Signature::new("A", "a@example.com", &Time::new(1_700_000_000, 0)).unwrap();
    let tree = repository.find_tree(tree).unwrap();
    repository.commit(None, &author, &author, "a commit", &tree, &[]).unwrap()
}

/// A folder object as a hostile server could send it, with names that no git would write.
fn crafted_tree(repository: &Repository, entries: &[(&str, &[u8], Oid)]) -> Oid {
    let mut bytes = Vec::new();
    for (mode, name, id) in entries {
        bytes.extend_from_slice(mode.as_bytes());
        bytes.push(b' ');
        bytes.extend_from_slice(name);
        bytes.push(0);
        bytes.extend_from_slice(id.as_bytes());
    }
    repository.odb().unwrap().write(ObjectType::Tree, &bytes).unwrap()
}

/// Bytes that do not compress.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// Whether any process names this folder among its arguments.
fn is_in_use(folder: &Path) -> bool {
    let wanted = folder.display().to_string();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|process| std::fs::read(process.path().join("cmdline")).ok())
        .any(|arguments| String::from_utf8_lossy(&arguments).contains(&wanted))
}

/// Waits until a condition holds, at most five seconds.
async fn eventually(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..500 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("still not so after five seconds: {what}");
}
