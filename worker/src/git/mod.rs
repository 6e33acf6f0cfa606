//! Fetching and reading repositories: fetching by the git command line, hardened; reading by git2, never in a work tree.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use shared::names::{BranchName, CommitSha};

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
