//! Cloning one commit of one branch or tag, and asking a remote which commit that is.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    process::Stdio,
};

use chrono::DateTime;
use git2::{ErrorCode, Repository};
use shared::{
    names::{BranchName, CommitSha},
    settings::{CloneLimits, GitSettings},
    source::RepoSource,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    Checkout, blocking,
    command::{Bounds, git, run},
    error::{GitError, GitFailure, explain},
    remote::Remote,
    tree,
};

/// Branches and tags that a message about a missing one names.
const NAMED_BRANCHES: usize = 10;

/// What to clone, and where to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CloneRequest<'a> {
    /// From where. Whether the caller may use a local path has been decided before.
    pub(crate) source: &'a RepoSource,
    /// Branch or tag; a branch wins when both exist.
    pub(crate) branch: &'a BranchName,
    /// Credentials and the allowlist.
    pub(crate) settings: &'a GitSettings,
    /// Limits.
    pub(crate) limits: &'a CloneLimits,
    /// The folder of the run: the clone becomes `repository.git` in it.
    pub(crate) folder: &'a Path,
}

/// Fetches one commit, without its history, into a bare folder. On an error nothing of it is left there.
pub(crate) async fn clone_repository(
    request: &CloneRequest<'_>,
    cancel: &CancellationToken,
) -> Result<Checkout, GitError> {
    let resolving = Remote::resolve(request.source, request.settings);
    let remote = tokio::select! {
        biased;
        () = cancel.cancelled() => return Err(GitError::cancelled()),
        remote = resolving => remote?,
    };
    clone_from(remote, request, cancel).await
}

/// As [`clone_repository`], from an address that was checked before.
pub(super) async fn clone_from(
    mut remote: Remote,
    request: &CloneRequest<'_>,
    cancel: &CancellationToken,
) -> Result<Checkout, GitError> {
    remote.hide_folder(request.folder);
    let git_dir = request.folder.join("repository.git");
    let deadline = Instant::now() + request.limits.timeout;
    let result = async {
        tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(GitError::cancelled()),
            reachable = remote.check_reachable() => reachable?,
        }
        let what = format!("fetching `{remote}`");
        let bounds = Bounds { what: &what, limits: request.limits, cancel, deadline, folder: Some(&git_dir) };
        fetch(&remote, request.branch, &git_dir, &bounds).await?;
        adopt(&git_dir, request.branch, request.limits.max_files).await
    };
    let result = result.await;
    let Err(error) = result else { return result };
    let folder = request.folder.to_owned();
    let cleaning = tokio::task::spawn_blocking(move || {
        let is_full = is_full(&folder);
        // the folder of the run goes soon, too: what cannot be removed now is removed with it
        drop(std::fs::remove_dir_all(git_dir));
        is_full
    });
    match cleaning.await {
        // git does not say so when it cannot write its own configuration
        Ok(true) if error.failure == GitFailure::Other => Err(GitError::disk_full()),
        _ => Err(error),
    }
}

/// Whether nothing can be written into a folder for want of room.
fn is_full(folder: &Path) -> bool {
    let probe = folder.join("probe");
    let written = std::fs::write(&probe, [0; 8192]);
    drop(std::fs::remove_file(probe));
    written.is_err_and(|error| matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded))
}

/// The commit that a branch or tag stands for now. Cheap: one question to the server, nothing is fetched.
pub(crate) async fn remote_head(
    source: &RepoSource,
    branch: &BranchName,
    settings: &GitSettings,
    limits: &CloneLimits,
    cancel: &CancellationToken,
) -> Result<CommitSha, GitError> {
    let asking = async {
        let remote = Remote::resolve(source, settings).await?;
        remote.check_reachable().await?;
        let what = format!("asking `{remote}` for its branches");
        let bounds = Bounds { what: &what, limits, cancel, deadline: Instant::now() + limits.timeout, folder: None };
        find_head(&remote, branch, &bounds).await
    };
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(GitError::cancelled()),
        head = asking => head,
    }
}

async fn find_head(remote: &Remote, branch: &BranchName, bounds: &Bounds<'_>) -> Result<CommitSha, GitError> {
    let wanted = [format!("refs/heads/{branch}"), format!("refs/tags/{branch}^{{}}"), format!("refs/tags/{branch}")];
    let references = list_references(remote, &wanted, bounds).await?;
    // a branch before a tag, and the commit of an annotated tag before the tag itself
    let found = wanted.iter().find_map(|wanted| references.iter().find(|(_, name)| name == wanted));
    let Some((commit, _)) = found else {
        return Err(missing_branch(remote, branch, bounds).await);
    };
    commit.parse().map_err(|_| GitError::new(GitFailure::Other, format!("`{remote}` answered with no commit id")))
}

async fn fetch(remote: &Remote, branch: &BranchName, git_dir: &Path, bounds: &Bounds<'_>) -> Result<(), GitError> {
    let result = match (fetch_once(remote, branch, git_dir, bounds).await, remote.with_git_suffix()) {
        (Err(error), Some(remote)) if error.failure == GitFailure::Refused => {
            fetch_once(&remote, branch, git_dir, bounds).await
        }
        (result, _) => result,
    };
    match result {
        Err(error) if error.failure == GitFailure::MissingBranch => Err(missing_branch(remote, branch, bounds).await),
        result => result,
    }
}

async fn fetch_once(remote: &Remote, branch: &BranchName, git_dir: &Path, bounds: &Bounds<'_>) -> Result<(), GitError> {
    let mut command = git(bounds.limits.max_bytes)?;
    remote.configure(&mut command)?;
    command.args(["clone", "--bare", "--quiet", "--no-progress", "--depth=1", "--single-branch", "--no-tags"]);
    command.args(["--template=", &format!("--branch={branch}")]);
    // git leaves out blobs of this size and above, the limit itself is still allowed
    command.arg(format!("--filter=blob:limit={}", bounds.limits.max_blob_bytes.saturating_add(1)));
    command.args(remote.upload_pack()).arg("--").arg(remote.git_url()).arg(git_dir);
    let output = run(command, bounds).await?;
    if output.is_success { Ok(()) } else { Err(explain(&output.stderr, remote, bounds)) }
}

/// Commit ids and names of the references that match; of all branches and tags when `patterns` is empty.
async fn list_references(
    remote: &Remote,
    patterns: &[String],
    bounds: &Bounds<'_>,
) -> Result<Vec<(String, String)>, GitError> {
    let text = match (list_once(remote, patterns, bounds).await, remote.with_git_suffix()) {
        (Err(error), Some(remote)) if error.failure == GitFailure::Refused => {
            list_once(&remote, patterns, bounds).await?
        }
        (result, _) => result?,
    };
    Ok(text.lines().filter_map(|line| line.split_once('\t')).map(|(id, name)| (id.into(), name.into())).collect())
}

async fn list_once(remote: &Remote, patterns: &[String], bounds: &Bounds<'_>) -> Result<String, GitError> {
    let mut command = git(bounds.limits.max_bytes)?;
    remote.configure(&mut command)?;
    command.args(["ls-remote", "--quiet", "--heads", "--tags"]);
    command.args(remote.upload_pack()).arg("--").arg(remote.git_url()).args(patterns);
    command.stdout(Stdio::piped());
    let output = run(command, bounds).await?;
    if !output.is_success {
        return Err(explain(&output.stderr, remote, bounds));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Why a branch was not found, with the names that would have been.
async fn missing_branch(remote: &Remote, branch: &BranchName, bounds: &Bounds<'_>) -> GitError {
    let references = match list_references(remote, &[], bounds).await {
        Ok(references) => references,
        Err(error) => return error,
    };
    let mut names: Vec<&str> = references
        .iter()
        .filter_map(|(_, name)| name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("refs/tags/")))
        .filter(|name| !name.ends_with("^{}"))
        .filter(|name| name.parse::<BranchName>().is_ok())
        .collect();
    if references.is_empty() {
        return GitError::new(
            GitFailure::EmptyRepository,
            format!("`{remote}` is empty: it has no branch with a commit"),
        );
    }
    let rest = names.len().saturating_sub(NAMED_BRANCHES);
    names.truncate(NAMED_BRANCHES);
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    let message = format!("branch or tag `{branch}` does not exist in `{remote}`, it has: {}{more}", names.join(", "));
    GitError::new(GitFailure::MissingBranch, message)
}

/// Makes a fresh clone ours: forgets the remote, checks what was fetched, counts its files.
async fn adopt(git_dir: &Path, branch: &BranchName, max_files: usize) -> Result<Checkout, GitError> {
    let (git_dir, branch) = (git_dir.to_path_buf(), branch.clone());
    blocking(move || {
        let failed = |error| GitError::of_file("the clone cannot be written", &error);
        let config = std::fs::read_to_string(git_dir.join("config")).map_err(failed)?;
        if config.contains("objectformat = sha256") {
            let message = "the repository uses SHA-256 object ids, which are not supported yet";
            return Err(GitError::new(GitFailure::NotARepository, message));
        }
        forget_remote(&git_dir).map_err(failed)?;
        let repository = tree::open_bare(&git_dir)?;
        let commit = find_commit(&repository, &branch)?;
        let checkout = read_checkout(&repository, git_dir, commit, branch)?;
        tree::count_entries(&checkout, max_files)?;
        Ok(checkout)
    })
    .await
}

/// Writes a configuration without the remote, so that no later call can fetch from it, and without the marks of a
/// filtered clone, which libgit2 need not know.
pub(super) fn forget_remote(git_dir: &Path) -> std::io::Result<()> {
    std::fs::write(git_dir.join("config"), "[core]\n\trepositoryformatversion = 0\n\tbare = true\n")
}

fn find_commit(repository: &Repository, branch: &BranchName) -> Result<git2::Oid, GitError> {
    for name in [format!("refs/heads/{branch}"), format!("refs/tags/{branch}")] {
        match repository.find_reference(&name) {
            Ok(reference) => {
                return reference.peel_to_commit().map(|commit| commit.id()).map_err(|_| {
                    GitError::new(GitFailure::MissingBranch, format!("`{branch}` does not stand for a commit"))
                });
            }
            Err(error) if error.code() == ErrorCode::NotFound => {}
            Err(error) => return Err(GitError::unreadable("the clone cannot be read", &error)),
        }
    }
    Err(GitError::new(GitFailure::MissingBranch, format!("branch or tag `{branch}` was not sent by the server")))
}

/// The commit and its time. A time that no calendar has becomes 1970-01-01.
pub(super) fn read_checkout(
    repository: &Repository,
    git_dir: PathBuf,
    commit: git2::Oid,
    branch: BranchName,
) -> Result<Checkout, GitError> {
    let found =
        repository.find_commit(commit).map_err(|error| GitError::unreadable("the commit is missing", &error))?;
    let sha = commit
        .to_string()
        .parse()
        .map_err(|error: shared::names::InvalidName| GitError::new(GitFailure::Host, error.to_string()))?;
    let commit_time = DateTime::from_timestamp(found.time().seconds(), 0).unwrap_or_default();
    Ok(Checkout { git_dir, commit: sha, commit_time, branch })
}
