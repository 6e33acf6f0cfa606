//! Fetching one commit by its id, for when it is no longer kept here. Whether a server still has it is another question:
//! after a force push it may be gone.

use std::path::Path;

use git2::Oid;
use shared::{
    names::{BranchName, CommitSha},
    settings::{CloneLimits, GitSettings},
    source::RepoSource,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    Checkout, blocking,
    clone::{forget_remote, read_checkout},
    command::{Bounds, git, run},
    error::{GitError, explain},
    pack::{git_dir_argument, make_empty, unwritable},
    remote::Remote,
    tree,
};

/// A commit of a source, and where it is to be put.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FetchRequest<'a> {
    /// From where.
    pub(crate) source: &'a RepoSource,
    /// Which commit.
    pub(crate) commit: &'a CommitSha,
    /// The branch that it once stood on.
    pub(crate) branch: &'a BranchName,
    /// Credentials and the allowlist.
    pub(crate) settings: &'a GitSettings,
    /// Limits, those of a clone.
    pub(crate) limits: &'a CloneLimits,
    /// A folder: the commit becomes `repository.git` in it.
    pub(crate) folder: &'a Path,
}

/// Fetches the commit without its history. What an error leaves behind goes with the folder.
pub(crate) async fn fetch_commit(request: &FetchRequest<'_>, cancel: &CancellationToken) -> Result<Checkout, GitError> {
    let fetching = async {
        let mut remote = Remote::resolve(request.source, request.settings).await?;
        remote.hide_folder(request.folder);
        remote.check_reachable().await?;
        let git_dir = request.folder.join("repository.git");
        let (target, commit) = (git_dir.clone(), request.commit.clone());
        blocking(move || make_empty(&target, &commit).map_err(|error| unwritable(&error))).await?;
        let what = format!("fetching commit `{}` of `{remote}`", request.commit.short());
        let deadline = Instant::now() + request.limits.timeout;
        let bounds = Bounds { what: &what, limits: request.limits, cancel, deadline, folder: Some(&git_dir) };
        fetch(&remote, request.commit, &git_dir, &bounds).await?;
        adopt(request, &git_dir).await
    };
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(GitError::cancelled()),
        fetched = fetching => fetched,
    }
}

async fn fetch(remote: &Remote, commit: &CommitSha, git_dir: &Path, bounds: &Bounds<'_>) -> Result<(), GitError> {
    let mut command = git(bounds.limits.max_bytes)?;
    remote.configure(&mut command)?;
    command.arg(git_dir_argument(git_dir));
    command.args(["fetch", "--quiet", "--no-progress", "--depth=1", "--no-tags", "--no-write-fetch-head"]);
    // as a clone: blobs of this size and above are left out
    command.arg(format!("--filter=blob:limit={}", bounds.limits.max_blob_bytes.saturating_add(1)));
    command.args(remote.upload_pack()).arg("--").arg(remote.git_url()).arg(commit.as_str());
    let output = run(command, bounds).await?;
    if output.is_success { Ok(()) } else { Err(explain(&output.stderr, remote, bounds)) }
}

async fn adopt(request: &FetchRequest<'_>, git_dir: &Path) -> Result<Checkout, GitError> {
    let (git_dir, commit, branch) = (git_dir.to_path_buf(), request.commit.clone(), request.branch.clone());
    let max_files = request.limits.max_files;
    blocking(move || {
        forget_remote(&git_dir).map_err(|error| unwritable(&error))?;
        let repository = tree::open_bare(&git_dir)?;
        let id = Oid::from_str(commit.as_str())
            .map_err(|error| GitError::unreadable("the commit id cannot be used", &error))?;
        let checkout = read_checkout(&repository, git_dir, id, branch)?;
        tree::count_entries(&checkout, max_files)?;
        Ok(checkout)
    })
    .await
}
