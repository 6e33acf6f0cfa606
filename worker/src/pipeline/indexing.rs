//! The index of a run's commit: taken from the store, or built from what the last good run knew and kept beside the pinned
//! commit. Made when it is first asked for, once in a process.

use std::sync::Arc;

use anyhow::Context;
use shared::{
    db::{self, generations::Claimed},
    ids::GenerationId,
    names::{CommitSha, ProjectName},
    stage::Stage,
};
use tempfile::{NamedTempFile, TempPath};
use tokio::sync::{OnceCell, Semaphore};
use tokio_util::sync::CancellationToken;

use super::{Pinned, StageError};
use crate::{
    Worker,
    git::Checkout,
    grounding::index::{Build, Done, Index},
    steering::PathFilter,
    workdir::WorkDir,
    writers::builtin::ParserLimits,
};

/// Indexes that are built at the same time in this process: each takes two cores.
static BUILDING: Semaphore = Semaphore::const_new(2);

/// The commit of a run, with its index as soon as somebody asks for it. Shared by the run and the pages it writes here.
pub(crate) struct Ground {
    generation: GenerationId,
    /// The variant, and the run that this one repeats: where earlier indexes may be. Pages of other hosts do not ask.
    earlier: Option<(i64, Option<GenerationId>)>,
    name: ProjectName,
    checkout: Checkout,
    filter: PathFilter,
    index: OnceCell<Arc<Index>>,
    /// Holds the checkout, and temporary files.
    folder: Arc<WorkDir>,
}

impl Ground {
    /// The ground of a run that coordinates, or of a page that another run asked for (without `claimed`).
    pub(crate) fn new(
        generation: GenerationId,
        claimed: Option<&Claimed>,
        name: &ProjectName,
        checkout: &Checkout,
        filter: &PathFilter,
        folder: &Arc<WorkDir>,
    ) -> Self {
        Self {
            generation,
            earlier: claimed.map(|claimed| (claimed.variant_id, claimed.retry_of)),
            name: name.clone(),
            checkout: checkout.clone(),
            filter: filter.clone(),
            index: OnceCell::new(),
            folder: Arc::clone(folder),
        }
    }

    /// The index. The first call takes it from the store or builds it; it ends early when `cancel` is cancelled.
    pub(crate) async fn index(&self, worker: &Worker, cancel: &CancellationToken) -> Result<Arc<Index>, StageError> {
        let open = self.index.get_or_try_init(|| self.open(worker, cancel));
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(StageError::Stopped),
            index = open => index.cloned(),
        }
    }

    async fn open(&self, worker: &Worker, cancel: &CancellationToken) -> Result<Arc<Index>, StageError> {
        // never closed
        let _turn = BUILDING.acquire().await.ok();
        let commit = &self.checkout.commit;
        let own = self.fetch(worker, self.generation, commit).await;
        let is_kept = own.is_some();
        let known = match own {
            Some(own) => Some(own),
            None => self.fetch_earlier(worker).await?,
        };
        let keep = self.new_file()?;
        let (index, done, keep) = self.build(worker, known, keep, cancel).await?;
        if done.is_kept && (!is_kept || done.read > 0) {
            // the next one reads again what this one read
            if let Err(error) = worker.config.store.put_derived(self.generation, &index_name(commit), &keep).await {
                tracing::warn!(%error, "the index is not kept");
            }
        }
        let (files, left_out) = (index.files().len(), done.findings.len());
        tracing::info!(
            index.files = files,
            index.blobs_known = done.known,
            index.blobs_read = done.read,
            index.blobs_parsed = done.parsed,
            index.left_out = left_out,
            "index is ready"
        );
        for finding in done.findings.iter().take(20) {
            tracing::debug!(finding, "index");
        }
        Ok(Arc::new(index))
    }

    async fn build(
        &self,
        worker: &Worker,
        known: Option<TempPath>,
        keep: TempPath,
        cancel: &CancellationToken,
    ) -> Result<(Index, Done, TempPath), StageError> {
        let (checkout, filter, name) = (self.checkout.clone(), self.filter.clone(), self.name.to_string());
        let (program, stop) = (worker.config.program.clone(), cancel.clone());
        let built = tokio::task::spawn_blocking(move || {
            let build = Build {
                checkout: &checkout,
                filter: &filter,
                name: &name,
                parser: (&program, ParserLimits::default()),
                known: known.as_deref(),
                keep: Some(&keep),
                cancel: &stop,
            };
            let (index, done) = Index::of_checkout(&build)?;
            anyhow::Ok((index, done, keep))
        });
        match built.await {
            _ if cancel.is_cancelled() => Err(StageError::Stopped),
            Ok(built) => Ok(built.context("the repository cannot be indexed")?),
            Err(panic) => Err(anyhow::Error::from(panic).context("indexing the repository failed").into()),
        }
    }

    /// A file of this attempt alone: one that was given up may still write to its own. It goes when it is not needed.
    fn new_file(&self) -> anyhow::Result<TempPath> {
        let file =
            NamedTempFile::with_prefix_in("index-", self.folder.path()).context("cannot make a temporary file")?;
        Ok(file.into_temp_path())
    }

    /// What an earlier run left: the one that is repeated, the newest of the variant that ended well, or that which made the
    /// served site.
    async fn fetch_earlier(&self, worker: &Worker) -> Result<Option<TempPath>, StageError> {
        let Some((variant, retry_of)) = self.earlier else { return Ok(None) };
        if let Some(repeated) = retry_of
            && let Some(file) = self.fetch(worker, repeated, &self.checkout.commit).await
        {
            return Ok(Some(file));
        }
        let mut conn = worker.config.pool.acquire().await?;
        let mut earlier: Vec<(GenerationId, serde_json::Value)> = Vec::new();
        if let Some(last) = db::generations::find_last_good(&mut conn, variant).await? {
            earlier.push((last.generation, last.pinned));
        }
        if let Some((served, _)) = db::generations::find_served(&mut conn, variant).await? {
            let pinned = db::generations::find_checkpoint(&mut conn, served, Stage::Cloning).await?;
            earlier.extend(pinned.map(|pinned| (served, pinned)));
        }
        drop(conn);
        for (generation, pinned) in earlier {
            // what another version wrote is not worth an error
            let Ok(pinned) = serde_json::from_value::<Pinned>(pinned) else { continue };
            if let Some(file) = self.fetch(worker, generation, &pinned.commit).await {
                return Ok(Some(file));
            }
        }
        Ok(None)
    }

    /// The index file of a run, on this host. A store that cannot be read costs time, nothing else.
    async fn fetch(&self, worker: &Worker, generation: GenerationId, commit: &CommitSha) -> Option<TempPath> {
        let file = self.new_file().inspect_err(|error| tracing::warn!(%error, "a kept index is not fetched")).ok()?;
        match worker.config.store.get_commit(generation, &index_name(commit), &file).await {
            Ok(is_there) => is_there.then_some(file),
            Err(error) => {
                tracing::warn!(%error, "a kept index cannot be read, the repository is indexed anew");
                None
            }
        }
    }
}

/// File name of an index, in the store and on its way there, beside `<commit>.pack`.
fn index_name(commit: &CommitSha) -> String {
    format!("{commit}.index")
}
