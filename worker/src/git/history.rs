//! How many commits lie between two, and which of them touched a file: from commits and folders alone, without the content of
//! any file, and only so far back as is cheap. What is not known then is nobody's fault and no error.

use std::{
    collections::{HashSet, VecDeque},
    path::{Path, PathBuf},
    time::Duration,
};

use git2::{Oid, Repository};
use shared::names::CommitSha;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    GitError, blocking,
    clone::{CloneRequest, forget_remote},
    command::Bounds,
    fetch::fetch,
    pack::{make_empty, unwritable},
    remote::Remote,
    tree,
};

/// How far back it is looked.
const MAX_DEPTH: u32 = 500;
/// Longest time for it.
const MAX_TIME: Duration = Duration::from_secs(30);

/// The last commits of a branch.
#[derive(Debug, Clone)]
pub(crate) struct History {
    git_dir: PathBuf,
    head: CommitSha,
}

/// Fetches the commits and folders before `head` into `folder`, which exists.
pub(crate) async fn fetch_history(
    request: &CloneRequest<'_>,
    head: &CommitSha,
    cancel: &CancellationToken,
) -> Result<History, GitError> {
    let fetching = async {
        let mut remote = Remote::resolve(request.source, request.settings).await?;
        remote.hide_folder(request.folder);
        remote.check_reachable().await?;
        let git_dir = request.folder.join("history.git");
        let (target, wanted) = (git_dir.clone(), head.clone());
        blocking(move || make_empty(&target, &wanted).map_err(|error| unwritable(&error))).await?;
        let what = format!("fetching the history of `{remote}`");
        let deadline = Instant::now() + request.limits.timeout.min(MAX_TIME);
        let bounds = Bounds { what: &what, limits: request.limits, cancel, deadline, folder: Some(&git_dir) };
        fetch(&remote, head, &git_dir, MAX_DEPTH, "--filter=blob:none", &bounds).await?;
        let written = git_dir.clone();
        blocking(move || forget_remote(&written).map_err(|error| unwritable(&error))).await?;
        Ok(History { git_dir, head: head.clone() })
    };
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(GitError::cancelled()),
        fetched = fetching => fetched,
    }
}

/// The commits of a branch that came after another commit.
pub(crate) struct Since {
    repository: Repository,
    commits: Vec<Oid>,
}

impl History {
    /// The commits that came after `base`; nothing when it lies too far back or on another line. Blocks.
    pub(crate) fn since(&self, base: &CommitSha) -> Option<Since> {
        let repository = tree::open_bare(&self.git_dir).ok()?;
        let cut = cut_off(&self.git_dir);
        let (head, base) = (Oid::from_str(self.head.as_str()).ok()?, Oid::from_str(base.as_str()).ok()?);
        let (older, _) = ancestors(&repository, base, &cut, &HashSet::new())?;
        let (newer, is_whole) = ancestors(&repository, head, &cut, &older)?;
        // without a way from one to the other they are not of one line, and behind a cut there may be more
        let is_of_one_line = newer.is_empty() == (head == base) && is_whole && reaches(&repository, head, base, &newer);
        is_of_one_line.then(|| Since { commits: newer.into_iter().collect(), repository })
    }
}

impl Since {
    /// How many there are.
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.commits.len()).unwrap_or(u32::MAX)
    }

    /// The commit that touched a file, when it was one only.
    pub(crate) fn only_commit_touching(&self, path: &str) -> Option<String> {
        let mut touching = self.commits.iter().filter(|commit| self.touches(**commit, path));
        let only = touching.next()?;
        touching.next().is_none().then(|| only.to_string())
    }

    /// Whether a commit has another file there than each of its parents: a merge that takes one over touches nothing.
    fn touches(&self, commit: Oid, path: &str) -> bool {
        let Ok(found) = self.repository.find_commit(commit) else { return true };
        let own = self.blob(commit, path);
        let mut parents = found.parent_ids().peekable();
        if parents.peek().is_none() {
            return own.is_some();
        }
        parents.all(|parent| self.blob(parent, path) != own)
    }

    fn blob(&self, commit: Oid, path: &str) -> Option<Oid> {
        if path.is_empty() || path.contains('\0') {
            return None;
        }
        let tree = self.repository.find_commit(commit).ok()?.tree().ok()?;
        Some(tree.get_path(Path::new(path)).ok()?.id())
    }
}

/// Commits whose parents were not fetched.
fn cut_off(git_dir: &Path) -> HashSet<Oid> {
    let list = std::fs::read_to_string(git_dir.join("shallow")).unwrap_or_default();
    list.lines().filter_map(|line| Oid::from_str(line).ok()).collect()
}

/// A commit and what came before it, `known` left out; and whether nothing of it is cut off.
fn ancestors(
    repository: &Repository,
    from: Oid,
    cut: &HashSet<Oid>,
    known: &HashSet<Oid>,
) -> Option<(HashSet<Oid>, bool)> {
    let mut found = HashSet::new();
    let mut is_whole = true;
    let mut open = VecDeque::from([from]);
    while let Some(id) = open.pop_front() {
        if known.contains(&id) || !found.insert(id) {
            continue;
        }
        let commit = repository.find_commit(id).ok()?;
        if cut.contains(&id) {
            is_whole = false;
        } else {
            open.extend(commit.parent_ids());
        }
    }
    Some((found, is_whole))
}

/// Whether a way leads from `head` to `base` through these commits.
fn reaches(repository: &Repository, head: Oid, base: Oid, newer: &HashSet<Oid>) -> bool {
    head == base
        || newer
            .iter()
            .any(|id| repository.find_commit(*id).is_ok_and(|commit| commit.parent_ids().any(|parent| parent == base)))
}
