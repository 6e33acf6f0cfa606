//! The commits that an inspection looks at: the head of the branch from the remote, that of the site from the store, else from
//! the remote as well. All of it lies in a folder of the inspection and goes with it.

use std::path::Path;

use shared::{
    db::{self, inspections::ClaimedInspection},
    ids::GenerationId,
    names::{BranchName, CommitSha},
    settings::CloneLimits,
    source::RepoSource,
    stage::Stage,
};
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;

use crate::{
    Worker,
    git::{self, Checkout, CloneRequest, GitError},
    pipeline::{Pinned, StageError, restore_checkout},
    workdir::WorkDir,
};

/// A folder, a source, and the limits of what is fetched into it.
pub(super) struct Place<'a> {
    pub(super) worker: &'a Worker,
    pub(super) source: RepoSource,
    pub(super) branch: BranchName,
    pub(super) cancel: &'a CancellationToken,
    folder: WorkDir,
}

impl<'a> Place<'a> {
    /// Makes the folder.
    pub(super) async fn open(
        worker: &'a Worker,
        claimed: &ClaimedInspection,
        repo_url: &str,
        branch: &BranchName,
        cancel: &'a CancellationToken,
    ) -> Result<Self, StageError> {
        let source = RepoSource::from_stored(repo_url).map_err(|error| StageError::Fail(error.to_string()))?;
        let (base, id, fence) = (worker.config.work_dir.clone(), GenerationId(claimed.id.0), claimed.fence);
        let folder = tokio::task::spawn_blocking(move || WorkDir::create(&base, id, fence));
        let folder = folder.await.map_err(anyhow::Error::from)?.map_err(anyhow::Error::from)?;
        Ok(Self { worker, source, branch: branch.clone(), cancel, folder })
    }

    /// The limits of what is fetched.
    pub(super) fn limits(&self) -> &'a CloneLimits {
        &self.worker.config.clone_limits
    }

    /// The commit that the branch stands at. Nothing is fetched.
    pub(super) async fn head(&self) -> Result<CommitSha, StageError> {
        let settings = &self.worker.config.git;
        let head = git::remote_head(&self.source, &self.branch, settings, self.limits(), self.cancel);
        head.await.map_err(refused)
    }

    /// Fetches the branch.
    pub(super) async fn clone_head(&self) -> Result<Checkout, StageError> {
        let folder = self.make_folder("head").await?;
        git::clone_repository(&self.request(&folder), self.cancel).await.map_err(refused)
    }

    /// The commit that a run was about: its pack, else once more from the remote, which may have it no more.
    pub(super) async fn restore(
        &self,
        name: &str,
        generation: GenerationId,
        pinned: &Pinned,
    ) -> Result<Checkout, StageError> {
        let folder = self.make_folder(name).await?;
        match restore_checkout(self.worker, generation, &self.branch, pinned, &folder, self.cancel).await {
            Ok(checkout) => return Ok(checkout),
            Err(StageError::Stopped) => return Err(StageError::Stopped),
            Err(error) => tracing::info!(
                error = format!("{:#}", error.into_anyhow()),
                "the commit of the site is not in the store, asking the remote"
            ),
        }
        let folder = self.make_folder(&format!("{name}-fetched")).await?;
        let fetched = git::fetch_commit(&self.request(&folder), &pinned.commit, self.cancel).await;
        fetched.map_err(|error| {
            let commit = pinned.commit.short();
            StageError::Fail(format!("commit `{commit}` of the site cannot be had any more: {}", error.message))
        })
    }

    /// A clone request into a folder.
    pub(super) fn request<'b>(&'b self, folder: &'b Path) -> CloneRequest<'b> {
        CloneRequest {
            source: &self.source,
            branch: &self.branch,
            settings: &self.worker.config.git,
            limits: self.limits(),
            folder,
        }
    }

    /// Makes a folder in that of the inspection.
    pub(super) async fn make_folder(&self, name: &str) -> Result<std::path::PathBuf, StageError> {
        let folder = self.folder.path().join(name);
        tokio::fs::create_dir(&folder).await.map_err(anyhow::Error::from)?;
        Ok(folder)
    }
}

/// The commit that a run was about.
pub(super) async fn find_pinned(
    conn: &mut PgConnection,
    generation: GenerationId,
) -> Result<Option<Pinned>, StageError> {
    let kept = db::generations::find_checkpoint(conn, generation, Stage::Cloning).await?;
    Ok(kept.and_then(|kept| serde_json::from_value(kept).ok()))
}

fn refused(error: GitError) -> StageError {
    StageError::Fail(error.message)
}
