//! One generation in progress: what its stages share, and what every stage does around its work.

use std::{
    collections::HashMap,
    io::ErrorKind,
    sync::{Arc, OnceLock},
    time::Duration,
};

use anyhow::Context;
use futures_util::{FutureExt, future::BoxFuture};
use serde::{Serialize, de::DeserializeOwned};
use shared::{
    db::{
        self,
        generations::{Claimed, PageWork},
    },
    events,
    plan::Plan,
    provider::Provider,
    settings::CloneLimits,
    source::RepoSource,
    stage::Stage,
};
use tokio::sync::{Mutex, SemaphorePermit};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{Ground, StageError, Update, gate};
use crate::{
    Worker,
    git::{Checkout, GitError},
    grounding::index::Index,
    held::StopSign,
    pauses,
    steering::Steering,
    workdir::WorkDir,
    workplaces::Workplace,
    writers::{self, CallContext, Writer},
};

/// A generation in progress.
pub(crate) struct Run {
    /// The process.
    pub(crate) worker: Arc<Worker>,
    /// What it is about, and its fence.
    pub(crate) claimed: Claimed,
    /// Where the repository comes from.
    pub(crate) source: RepoSource,
    /// Temporary tree of this run alone; removed when the run ends.
    pub(crate) work_dir: Arc<WorkDir>,
    /// Whether the site that is served, if there is one, has the grade that the request asks for.
    pub(crate) served_is_good_enough: bool,
    /// Pages that are written at the same time.
    pub(crate) concurrent_pages: usize,
    /// The clone, when this life of the run made it.
    pub(crate) checkout: Mutex<Option<Checkout>>,
    /// The commit and its index, as soon as it is clear which files count.
    ground: OnceLock<Arc<Ground>>,
    stop: StopSign,
    /// What earlier lives of this run left.
    checkpoints: HashMap<Stage, serde_json::Value>,
}

impl Run {
    /// Makes the run's temporary tree and reads its source.
    pub(crate) async fn begin(worker: &Arc<Worker>, claimed: &Claimed, stop: &StopSign) -> Result<Self, StageError> {
        let source = RepoSource::from_stored(&claimed.repo_url).map_err(|error| StageError::Fail(error.to_string()))?;
        let (base, id, fence) = (worker.config.work_dir.clone(), claimed.id, claimed.fence);
        let work_dir = tokio::task::spawn_blocking(move || WorkDir::create(&base, id, fence))
            .await
            .map_err(anyhow::Error::from)?
            .map_err(|error| match error.kind() {
                ErrorKind::StorageFull => StageError::Fail(GitError::disk_full().message),
                _ => StageError::Internal(
                    anyhow::Error::from(error).context("cannot make the temporary folder of the run"),
                ),
            })?;
        let mut conn = worker.config.pool.acquire().await?;
        let defaults = db::settings::read_defaults(&mut conn).await?;
        let checkpoints = db::generations::list_checkpoints(&mut conn, claimed.id).await?;
        let min_grade = claimed.request.options.min_grade;
        let served_is_good_enough = gate::served_reaches(&mut conn, claimed.variant_id, min_grade).await?;
        drop(conn);
        Ok(Self {
            served_is_good_enough,
            concurrent_pages: defaults.max_concurrent_pages as usize,
            worker: Arc::clone(worker),
            claimed: claimed.clone(),
            source,
            work_dir: Arc::new(work_dir),
            checkout: Mutex::default(),
            ground: OnceLock::new(),
            stop: stop.clone(),
            checkpoints: checkpoints.into_iter().collect(),
        })
    }

    /// Says what the run's index is about; it is built when somebody asks for it.
    pub(crate) fn stand_on(&self, checkout: &Checkout, steering: &Steering) {
        self.ground.get_or_init(|| {
            let Claimed { id, key, .. } = &self.claimed;
            let claimed = Some(&self.claimed);
            Arc::new(Ground::new(*id, claimed, &key.name, checkout, &steering.filter, &self.work_dir))
        });
    }

    /// The index of the commit: from the store, or built now. Once in a run, whoever asks. An error before the repository's
    /// steering was read, and in runs that write nothing.
    pub(crate) async fn index(&self) -> Result<Arc<Index>, StageError> {
        let ground =
            self.ground.get().ok_or(StageError::internal("the index is asked for before there is a commit"))?;
        ground.index(&self.worker, self.stop.token()).await
    }

    /// Opens the writer that the variant asks for.
    pub(crate) async fn open_writer(
        &self,
        checkout: &Checkout,
        steering: &Steering,
    ) -> Result<Arc<dyn Writer>, StageError> {
        let repo_url = self.source.web_links(&checkout.commit).map(|links| links.repository);
        let (key, folder) = (&self.claimed.key, self.work_dir.path());
        let opened = writers::open(&self.worker, key, checkout, repo_url, steering, folder);
        let opened = self.unless_stopped(opened).await?.map_err(|error| StageError::Fail(error.message))?;
        Ok(opened.into())
    }

    /// Lets pages of this run that this process is to write use what the run has already.
    pub(crate) async fn bring_workplace(
        &self,
        plan: &Plan,
        writer: &Arc<dyn Writer>,
        checkout: Checkout,
        update: Option<Arc<Update>>,
    ) {
        let work = PageWork {
            variant_id: self.claimed.variant_id,
            key: self.claimed.key.clone(),
            repo_url: self.claimed.repo_url.clone(),
            call_timeout_minutes: self.claimed.request.call_timeout_minutes,
            options: self.claimed.request.options.clone(),
        };
        let (writer, folder) = (Arc::clone(writer), Arc::clone(&self.work_dir));
        let ground = self.ground.get().cloned();
        let place = Workplace::measure(work, plan.clone(), writer, checkout, update, folder, ground).await;
        self.worker.workplaces.bring(self.claimed.id, place);
    }

    /// Does a stage's work unless an earlier life of this run did it: shows the stage, announces it, opens a span, stops when
    /// told to, and keeps the result.
    pub(crate) async fn stage<T: Serialize + DeserializeOwned>(
        &self,
        stage: Stage,
        work: impl Future<Output = Result<T, StageError>>,
    ) -> Result<T, StageError> {
        if let Some(done) = self.checkpoint(stage)? {
            return Ok(done);
        }
        self.enter(stage).await?;
        let span = tracing::info_span!("stage", stage = stage.as_str());
        let started = std::time::Instant::now();
        let result = self.unless_stopped(work.instrument(span)).await??;
        let kept = serde_json::to_value(&result).context("cannot keep the result of a stage")?;
        self.persist(|| self.save_checkpoint(stage, &kept).boxed()).await?;
        self.stop.set_busy(false);
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(stage = stage.as_str(), stage.duration_ms = duration_ms, "stage done");
        Ok(result)
    }

    /// Shows and announces a stage.
    pub(crate) async fn enter(&self, stage: Stage) -> Result<(), StageError> {
        let mut transaction = db::begin_progress(&self.worker.config.pool).await?;
        db::generations::set_stage(&mut transaction, self.claimed.id, self.claimed.fence, stage).await?;
        events::emit_stage(&mut transaction, self.claimed.variant_id, self.claimed.id, stage).await?;
        Ok(transaction.commit().await?)
    }

    /// Notes something that went wrong without ending the run.
    pub(crate) async fn warn(&self, message: &str) -> Result<(), StageError> {
        tracing::warn!(message, "run");
        let mut connection = self.worker.config.pool.acquire().await?;
        events::emit_warning(&mut connection, self.claimed.variant_id, self.claimed.id, message).await?;
        Ok(())
    }

    /// Does a write again as long as what hinders it may pass and the lease holds: what is written was paid for.
    pub(crate) async fn persist<'a>(
        &self,
        write: impl Fn() -> BoxFuture<'a, Result<(), StageError>>,
    ) -> Result<(), StageError> {
        persist(self.stop.token(), write).await
    }

    /// Makes a call of a writer. An AI command line is a large process: a host runs only so many at a time, whoever asks.
    /// None starts while an admin has the provider paused; one that runs is not cut off when the worker drains.
    pub(crate) async fn call<T>(&self, call: impl Future<Output = T>) -> T {
        let _slot = self.wait_for_slot().await;
        self.stop.set_busy(true);
        call.await
    }

    async fn wait_for_slot(&self) -> Option<SemaphorePermit<'_>> {
        let provider = self.claimed.key.provider;
        // heard from before the look on, so that the end of a pause cannot be missed
        let mut heard = self.worker.config.listening.subscribe();
        loop {
            let slot = match provider {
                Provider::Builtin => None,
                // never closed
                _ => self.worker.ai_slots.acquire().await.ok(),
            };
            if !pauses::is_paused(&self.worker, provider).await {
                return slot;
            }
            // others need not wait for this one
            drop(slot);
            tracing::debug!(%provider, "an admin paused it, the call waits");
            pauses::hear_of_pause(&mut heard).await;
        }
    }

    /// What every call of a writer knows that a stage makes itself.
    pub(crate) fn call_context(&self, stage: Stage) -> CallContext {
        let minutes = u64::try_from(self.claimed.request.call_timeout_minutes).unwrap_or(1);
        CallContext {
            cancel: self.stop.token().clone(),
            call_timeout: Duration::from_secs(minutes * 60),
            account: Some(self.worker.ledger.account(self.claimed.id, stage, None, 1)),
        }
    }

    /// Cancelled when the run is to stop.
    pub(crate) fn cancel(&self) -> &CancellationToken {
        self.stop.token()
    }

    /// The limits of a clone.
    pub(crate) fn clone_limits(&self) -> &CloneLimits {
        &self.worker.config.clone_limits
    }

    /// Gives up a future when the run is told to stop; dropping it kills what it started.
    pub(crate) async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T, StageError> {
        tokio::select! {
            biased;
            () = self.stop.token().cancelled() => Err(StageError::Stopped),
            result = work => Ok(result),
        }
    }

    async fn save_checkpoint(&self, stage: Stage, result: &serde_json::Value) -> Result<(), StageError> {
        let mut connection = self.worker.config.pool.acquire().await?;
        let (id, fence) = (self.claimed.id, self.claimed.fence);
        Ok(db::generations::save_checkpoint(&mut connection, id, fence, stage, result).await?)
    }

    /// What a stage produced in an earlier life of this run.
    pub(crate) fn checkpoint<T: DeserializeOwned>(&self, stage: Stage) -> Result<Option<T>, StageError> {
        let Some(kept) = self.checkpoints.get(&stage) else { return Ok(None) };
        match T::deserialize(kept) {
            Ok(result) => Ok(Some(result)),
            // another version of docmill wrote it, and what it stands for is paid for
            Err(error) => Err(StageError::TooNew(format!("checkpoint `{stage}` cannot be read: {error}"))),
        }
    }
}

/// Does a write again as long as what hinders it may pass, until told to stop.
pub(crate) async fn persist<'a, T>(
    stop: &CancellationToken,
    write: impl Fn() -> BoxFuture<'a, Result<T, StageError>>,
) -> Result<T, StageError> {
    loop {
        match write().await {
            Err(StageError::Internal(error)) if error.downcast_ref().is_some_and(may_pass) => {
                tracing::warn!(error = format!("{error:#}"), "cannot keep a result yet, trying again");
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_millis(500)) => {}
                    () = stop.cancelled() => return Err(StageError::Stopped),
                }
            }
            written => return written,
        }
    }
}

/// Whether the same statement may succeed a moment later: the database is away or just restarting, or others were in the way.
pub(crate) fn may_pass(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => true,
        // 08: connection lost; 57P01 to 57P03: shut down, crashed, starting; 40P01: a circle of locks; 55P03: a row is
        // locked, for example by a worker that was frozen in a transaction, until the server ends that
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            code.starts_with("08") || code.starts_with("57P0") || code == "40P01" || code == "55P03"
        }),
        _ => false,
    }
}
