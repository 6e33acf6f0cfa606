//! Fetching objects by their ids, most of all one commit that is no longer kept here. Whether a server still has it is another
//! question: after a force push it may be gone.

use std::path::Path;

use git2::Oid;
use shared::names::CommitSha;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    Checkout, blocking,
    clone::{CloneRequest, forget_remote, read_checkout},
    command::{Bounds, git, run},
    error::{GitError, explain},
    pack::{git_dir_argument, make_empty, unwritable},
    remote::Remote,
    tree,
};

/// Fetches the commit without its history; the branch is the one that it once stood on. What an error leaves behind goes with
/// the folder.
pub(crate) async fn fetch_commit(
    request: &CloneRequest<'_>,
    commit: &CommitSha,
    cancel: &CancellationToken,
) -> Result<Checkout, GitError> {
    let fetching = async {
        let mut remote = Remote::resolve(request.source, request.settings).await?;
        remote.hide_folder(request.folder);
        remote.check_reachable().await?;
        let git_dir = request.folder.join("repository.git");
        let (target, wanted) = (git_dir.clone(), commit.clone());
        blocking(move || make_empty(&target, &wanted).map_err(|error| unwritable(&error))).await?;
        let what = format!("fetching commit `{}` of `{remote}`", commit.short());
        let deadline = Instant::now() + request.limits.timeout;
        let bounds = Bounds { what: &what, limits: request.limits, cancel, deadline, folder: Some(&git_dir) };
        // as a clone: blobs of this size and above are left out
        let filter = format!("--filter=blob:limit={}", request.limits.max_blob_bytes.saturating_add(1));
        fetch(&remote, &[commit.to_string()], &git_dir, Some(1), &filter, &bounds).await?;
        adopt(request, commit, &git_dir).await
    };
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(GitError::cancelled()),
        fetched = fetching => fetched,
    }
}

/// Fetches objects by their ids: commits with `depth` - 1 generations before them, or other objects by themselves.
pub(super) async fn fetch(
    remote: &Remote,
    ids: &[String],
    git_dir: &Path,
    depth: Option<u32>,
    filter: &str,
    bounds: &Bounds<'_>,
) -> Result<(), GitError> {
    let mut command = git(bounds.limits.max_bytes)?;
    remote.configure(&mut command)?;
    command.arg(git_dir_argument(git_dir));
    command.args(["fetch", "--quiet", "--no-progress", "--no-tags", "--no-write-fetch-head"]);
    command.args(depth.map(|depth| format!("--depth={depth}"))).arg(filter);
    command.args(remote.upload_pack()).arg("--").arg(remote.git_url()).args(ids);
    let output = run(command, bounds).await?;
    if output.is_success { Ok(()) } else { Err(explain(&output.stderr, remote, bounds)) }
}

async fn adopt(request: &CloneRequest<'_>, commit: &CommitSha, git_dir: &Path) -> Result<Checkout, GitError> {
    let (git_dir, commit, branch) = (git_dir.to_path_buf(), commit.clone(), request.branch.clone());
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
