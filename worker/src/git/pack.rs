//! One commit as one file, from which any host restores exactly that commit without the remote (decisions.md 6). The
//! file is an ordinary Git pack: the commit, its trees, and the blobs that were not left out for their size.

use std::{
    fs::{self, File},
    io::{Seek, SeekFrom, Write},
    path::Path,
    process::Stdio,
};

use git2::Oid;
use shared::{
    names::{BranchName, CommitSha},
    settings::CloneLimits,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    Checkout, blocking,
    clone::{forget_remote, read_checkout},
    command::{Bounds, git, run},
    error::{GitError, explain_local},
    tree,
};

/// Writes the pack of a checkout to `file`, which must not exist, and returns its size in bytes. On an error the
/// file is removed.
pub(crate) async fn pack_commit(
    checkout: &Checkout,
    file: &Path,
    limits: &CloneLimits,
    cancel: &CancellationToken,
) -> Result<u64, GitError> {
    let path = file.to_path_buf();
    let target = blocking(move || File::create_new(path).map_err(|error| unwritable(&error))).await?;
    let result = write_pack(checkout, target, limits, cancel).await;
    if result.is_err() {
        // the first error says more than one about removing
        drop(tokio::fs::remove_file(file).await);
    }
    result
}

/// Makes `repository.git` in `folder` out of a pack and checks that it holds the commit with all its folders. Git names
/// objects by their content, so whoever wrote the file can only have written this commit.
pub(crate) async fn restore_commit(
    file: &Path,
    folder: &Path,
    commit: &CommitSha,
    branch: &BranchName,
    limits: &CloneLimits,
    cancel: &CancellationToken,
) -> Result<Checkout, GitError> {
    let git_dir = folder.join("repository.git");
    let (path, target, sha) = (file.to_path_buf(), git_dir.clone(), commit.clone());
    let pack = blocking(move || {
        make_bare(&target, &sha).map_err(|error| unwritable(&error))?;
        File::open(path).map_err(|error| GitError::of_file("the stored commit cannot be read", &error))
    })
    .await?;

    let what = format!("restoring commit `{}`", commit.short());
    let deadline = Instant::now() + limits.timeout;
    let bounds = Bounds { what: &what, limits, cancel, deadline, folder: Some(&git_dir) };
    let mut command = git(limits.max_bytes)?;
    command.arg(git_dir_argument(&git_dir));
    command.args(["index-pack", "--stdin", &format!("--max-input-size={}", limits.max_bytes)]);
    command.stdin(pack);
    let output = run(command, &bounds).await?;
    if !output.is_success {
        return Err(explain_local(&output.stderr, &bounds));
    }

    let (commit, branch, max_files) = (commit.clone(), branch.clone(), limits.max_files);
    blocking(move || {
        let repository = tree::open_bare(&git_dir)?;
        let id = Oid::from_str(commit.as_str())
            .map_err(|error| GitError::unreadable("the commit id cannot be used", &error))?;
        let checkout = read_checkout(&repository, git_dir, id, branch)?;
        tree::count_entries(&checkout, max_files)?;
        Ok(checkout)
    })
    .await
}

async fn write_pack(
    checkout: &Checkout,
    target: File,
    limits: &CloneLimits,
    cancel: &CancellationToken,
) -> Result<u64, GitError> {
    let what = format!("packing commit `{}`", checkout.commit.short());
    let deadline = Instant::now() + limits.timeout;
    let bounds = Bounds { what: &what, limits, cancel, deadline, folder: None };
    let (line, output) = (format!("{}\n", checkout.commit), target.try_clone().map_err(|error| unwritable(&error))?);
    let wish = blocking(move || file_with(line.as_bytes()).map_err(|error| unwritable(&error))).await?;

    let mut command = git(limits.max_bytes)?;
    command.arg(git_dir_argument(&checkout.git_dir));
    // blobs left out of the clone stay out; what is a delta stays one, new deltas are not looked for
    command.args(["pack-objects", "--revs", "--missing=allow-any", "--stdout", "--window=0", "-q"]);
    command.stdin(wish).stdout(Stdio::from(output));
    let output = run(command, &bounds).await?;
    if !output.is_success {
        return Err(explain_local(&output.stderr, &bounds));
    }
    blocking(move || target.metadata().map(|metadata| metadata.len()).map_err(|error| unwritable(&error))).await
}

/// An empty bare repository whose history begins at the commit.
fn make_bare(git_dir: &Path, commit: &CommitSha) -> std::io::Result<()> {
    make_empty(git_dir, commit)?;
    fs::write(git_dir.join("shallow"), format!("{commit}\n"))
}

/// An empty bare repository that waits for the commit.
pub(super) fn make_empty(git_dir: &Path, commit: &CommitSha) -> std::io::Result<()> {
    fs::create_dir(git_dir)?;
    for folder in ["objects", "objects/pack", "refs"] {
        fs::create_dir(git_dir.join(folder))?;
    }
    fs::write(git_dir.join("HEAD"), format!("{commit}\n"))?;
    forget_remote(git_dir)
}

/// An unnamed file to read from, so that a child's input needs no task of its own.
fn file_with(content: &[u8]) -> std::io::Result<File> {
    let mut file = tempfile::tempfile()?;
    file.write_all(content)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

pub(super) fn git_dir_argument(git_dir: &Path) -> std::ffi::OsString {
    let mut argument = std::ffi::OsString::from("--git-dir=");
    argument.push(git_dir);
    argument
}

pub(super) fn unwritable(error: &std::io::Error) -> GitError {
    GitError::of_file("the commit cannot be stored", error)
}
