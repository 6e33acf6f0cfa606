//! Fetching and reading repositories: fetching by the git command line, hardened; reading by git2, never in a work tree.
//!
//! A repository of a stranger must not run anything here, reach anything but the address that was checked, or fill the
//! disk. In reading order: `error` (what is said when it fails), `command` (one hardened call of git), `remote` (what a
//! call needs to know about a source), `clone`, `tree` (reading and exporting files), `pack` (one commit as one file,
//! for other hosts), `fetch` (objects by their ids), `changes` (what differs between two commits), `history` (how many
//! commits lie between two, and which of them changed some lines).

mod error;
mod command;
mod remote;
mod clone;
mod tree;
mod pack;
mod fetch;
mod changes;
mod history;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use shared::names::{BranchName, CommitSha};

pub(crate) use changes::{Change, ChangeKind, DiffLimits, changes_between};
pub(crate) use clone::{CloneRequest, clone_repository, remote_head};
pub(crate) use command::folder_bytes;
pub(crate) use error::{GitError, GitFailure};
pub(crate) use fetch::fetch_commit;
pub(crate) use history::{History, Since, Touch, fetch_contents, fetch_history};
pub(crate) use pack::{pack_commit, restore_commit};
pub(crate) use tree::{
    ExportLimits, FileReader, TreeFile, existing_files, export_tree, list_files, open_bare, read_blob, tree_id,
};

/// A repository at one commit: a bare git folder from which files are read as blobs.
#[derive(Debug, Clone)]
pub(crate) struct Checkout {
    /// The bare git folder.
    pub(crate) git_dir: PathBuf,
    /// The pinned commit.
    pub(crate) commit: CommitSha,
    /// When that commit was made, by its committer's clock.
    pub(crate) commit_time: DateTime<Utc>,
    /// The branch or tag that was asked for.
    pub(crate) branch: BranchName,
}

/// From now on objects are not hashed again whenever they are read. For a process that reads nothing but its own clones: git
/// hashed them when it took them in.
pub(crate) fn trust_clones() {
    git2::opts::strict_hash_verification(false);
}

/// Runs work that blocks on a thread made for it. A panic in it ends the call, not the worker.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, GitError> + Send + 'static,
) -> Result<T, GitError> {
    let failed = |_| Err(GitError::new(GitFailure::Host, "reading the repository failed inside docmill"));
    tokio::task::spawn_blocking(work).await.unwrap_or_else(failed)
}
