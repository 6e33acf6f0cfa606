//! Stage `cloning`: the repository is fetched once, its commit pinned, and a pack of exactly that commit kept in the store.
//! Every later life of the run, on whatever host, reads the pack and never the remote again (decisions.md 6).

use std::path::Path;

use anyhow::Context;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use shared::{
    db,
    ids::GenerationId,
    names::{BranchName, CommitSha},
};
use sites::store::StoreError;
use tokio_util::sync::CancellationToken;

use super::{StageError, run::Run};
use crate::{
    Worker,
    git::{self, Checkout},
};

/// The commit a run is about.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Pinned {
    /// The commit.
    pub(crate) commit: CommitSha,
    /// When it was made.
    pub(crate) commit_time: DateTime<Utc>,
    /// The id of its tree; equal ids mean equal files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tree: Option<String>,
}

/// File name of a pack, in the store and on its way there. It names the commit: a worker that lost its lease and stored what
/// it had fetched must not replace another commit's pack.
fn pack_name(commit: &CommitSha) -> String {
    format!("{commit}.pack")
}

/// Clones, pins and packs.
pub(crate) async fn pin_commit(run: &Run) -> Result<Pinned, StageError> {
    let checkout = clone(run).await?;
    tracing::info!(branch = %checkout.branch, commit = %checkout.commit, "cloned");
    let name = pack_name(&checkout.commit);
    let pack = run.work_dir.path().join(&name);
    git::pack_commit(&checkout, &pack, run.clone_limits(), run.cancel()).await.map_err(git_failure)?;
    put_pack(run, &name, &pack).await?;
    let mut connection = run.worker.config.pool.acquire().await?;
    db::generations::set_commit(&mut connection, run.claimed.id, run.claimed.fence, &checkout.commit).await?;
    let read = checkout.clone();
    let tree = tokio::task::spawn_blocking(move || git::tree_id(&read)).await.map_err(anyhow::Error::from)?;
    let tree = Some(tree.map_err(git_failure)?);
    let pinned = Pinned { commit: checkout.commit.clone(), commit_time: checkout.commit_time, tree };
    *run.checkout.lock().await = Some(checkout);
    Ok(pinned)
}

/// The clone that this life of the run made, or else the pinned pack, unpacked.
pub(crate) async fn open_checkout(run: &Run, pinned: &Pinned) -> Result<Checkout, StageError> {
    if let Some(checkout) = run.checkout.lock().await.take() {
        return Ok(checkout);
    }
    let claimed = &run.claimed;
    if claimed.retry_of.is_some() {
        own_pack(run, pinned).await?;
    }
    restore_checkout(&run.worker, claimed.id, &claimed.key.branch, pinned, run.work_dir.path(), run.cancel()).await
}

/// A run that repeats another one takes over its pinned commit: the pack that an earlier run left becomes its own, too, or
/// the commit is fetched once more.
async fn own_pack(run: &Run, pinned: &Pinned) -> Result<(), StageError> {
    let (id, store) = (run.claimed.id, &run.worker.config.store);
    let name = pack_name(&pinned.commit);
    let pack = run.work_dir.path().join(&name);
    let unreadable = "cannot read the pinned commit";
    if store.get_commit(id, &name, &pack).await.context(unreadable)? {
        remove(&pack).await;
        return Ok(());
    }
    let mut conn = run.worker.config.pool.acquire().await?;
    let others = db::retries::list_at_commit(&mut conn, id, &pinned.commit).await?;
    drop(conn);
    for other in others {
        if store.get_commit(other, &name, &pack).await.context(unreadable)? {
            put_pack(run, &name, &pack).await?;
            return Ok(());
        }
    }
    tracing::info!(commit = %pinned.commit, "the pinned commit of the earlier run is gone, fetching it once more");
    let folder = run.work_dir.path().join("pinned");
    tokio::fs::create_dir(&folder).await.context("cannot make a folder")?;
    let fetched = git::fetch_commit(&clone_request(run, &folder), &pinned.commit, run.cancel()).await;
    let checkout = fetched.map_err(|error| {
        let commit = pinned.commit.short();
        StageError::Fail(format!(
            "commit `{commit}` cannot be fetched any more, use retry-from/cloning: {}",
            error.message
        ))
    })?;
    git::pack_commit(&checkout, &pack, run.clone_limits(), run.cancel()).await.map_err(git_failure)?;
    put_pack(run, &name, &pack).await
}

/// Keeps a pack in the store; the file goes.
async fn put_pack(run: &Run, name: &str, pack: &Path) -> Result<(), StageError> {
    run.worker.config.store.put_commit(run.claimed.id, name, pack).await.map_err(|error| match error {
        full @ StoreError::Full(_) => StageError::Fail(full.to_string()),
        other => StageError::Internal(anyhow::Error::from(other).context("cannot keep the pinned commit")),
    })?;
    remove(pack).await;
    Ok(())
}

/// The pinned commit of a run, from the store, unpacked into `folder`.
pub(crate) async fn restore_checkout(
    worker: &Worker,
    generation: GenerationId,
    branch: &BranchName,
    pinned: &Pinned,
    folder: &Path,
    cancel: &CancellationToken,
) -> Result<Checkout, StageError> {
    let name = pack_name(&pinned.commit);
    let pack = folder.join(&name);
    let config = &worker.config;
    if !config.store.get_commit(generation, &name, &pack).await.context("cannot read the pinned commit")? {
        return Err(StageError::Fail(
            "the pinned commit is not in SITES_DIR; workers on several hosts must share that folder".into(),
        ));
    }
    let restored = git::restore_commit(&pack, folder, &pinned.commit, branch, &config.clone_limits, cancel).await;
    let checkout = restored.map_err(git_failure)?;
    remove(&pack).await;
    Ok(checkout)
}

async fn clone(run: &Run) -> Result<Checkout, StageError> {
    let request = clone_request(run, run.work_dir.path());
    let mut pause = std::time::Duration::from_millis(500);
    for attempt in 1.. {
        match git::clone_repository(&request, run.cancel()).await {
            Ok(checkout) => return Ok(checkout),
            Err(error) if error.is_retryable() && attempt < 3 => {
                tracing::warn!(%error, attempt, "clone failed, trying again in {pause:?}");
                tokio::time::sleep(pause).await;
                pause *= 4;
            }
            Err(error) => return Err(git_failure(error)),
        }
    }
    unreachable!("the last attempt returns")
}

pub(super) fn clone_request<'a>(run: &'a Run, folder: &'a Path) -> git::CloneRequest<'a> {
    git::CloneRequest {
        source: &run.source,
        branch: &run.claimed.key.branch,
        settings: &run.worker.config.git,
        limits: run.clone_limits(),
        folder,
    }
}

fn git_failure(error: git::GitError) -> StageError {
    StageError::Fail(error.message)
}

async fn remove(path: &std::path::Path) {
    if let Err(error) = tokio::fs::remove_file(path).await {
        // the folder goes with the run anyway
        tracing::debug!(%error, "cannot remove a temporary file");
    }
}
