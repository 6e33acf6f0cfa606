//! The runs this process holds: each is a task of its own, governed by its lease, stopped by a reason.

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use anyhow::Context;
use futures_util::FutureExt;
use shared::{
    db::{self, WriteError, generations::Claimed},
    events,
    generation::State,
    ids::GenerationId,
    jobs::{self, GenerateJob},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{Worker, lease, pipeline};

/// Why a run has to stop before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopReason {
    /// A person asked for it.
    Aborted,
    /// The lease is gone: another worker may be at it. Nothing may be written any more.
    Lost,
    /// This process shuts down.
    Shutdown,
}

/// Tells a run to stop, once, with the first reason given.
#[derive(Debug, Clone, Default)]
pub(crate) struct StopSign {
    reason: Arc<OnceLock<StopReason>>,
    token: CancellationToken,
}

impl StopSign {
    /// Tells the run to stop; a later reason changes nothing.
    pub(crate) fn stop(&self, reason: StopReason) {
        let _ = self.reason.set(reason);
        self.token.cancel();
    }

    /// Why the run has to stop, if it has to.
    pub(crate) fn reason(&self) -> Option<StopReason> {
        self.reason.get().copied()
    }

    /// Cancelled when the run has to stop.
    pub(crate) fn token(&self) -> &CancellationToken {
        &self.token
    }
}

/// The runs of this process.
pub(crate) struct Runs {
    places: Arc<Semaphore>,
    held: Arc<Mutex<HashMap<GenerationId, StopSign>>>,
}

/// A run's entry in the list; leaving scope ends it.
pub(crate) struct Entry {
    /// Told to stop through this.
    pub(crate) stop: StopSign,
    id: GenerationId,
    held: Arc<Mutex<HashMap<GenerationId, StopSign>>>,
    _place: OwnedSemaphorePermit,
}

impl Drop for Entry {
    fn drop(&mut self) {
        lock(&self.held).remove(&self.id);
    }
}

impl Runs {
    /// Room for so many runs at a time.
    pub(crate) fn new(places: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), held: Arc::default() }
    }

    /// Waits for a place; `None` when the process shuts down.
    pub(crate) async fn take_place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).acquire_owned().await.ok()
    }

    /// Enters a run into the list.
    pub(crate) fn enter(&self, place: OwnedSemaphorePermit, id: GenerationId) -> Entry {
        let stop = StopSign::default();
        lock(&self.held).insert(id, stop.clone());
        Entry { stop, id, held: Arc::clone(&self.held), _place: place }
    }

    /// How many runs there are.
    pub(crate) fn count(&self) -> usize {
        lock(&self.held).len()
    }

    /// Tells one run to stop, if it is ours.
    pub(crate) fn stop(&self, id: GenerationId, reason: StopReason) {
        if let Some(sign) = lock(&self.held).get(&id) {
            sign.stop(reason);
        }
    }

    /// The runs of this process.
    pub(crate) fn ids(&self) -> Vec<GenerationId> {
        lock(&self.held).keys().copied().collect()
    }

    /// Lets runs end by themselves for `patience`, then tells the rest to stop and waits until they did.
    pub(crate) async fn drain(&self, patience: Duration) {
        self.places.close();
        let all_ended = async {
            while self.count() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::pin!(all_ended);
        if tokio::time::timeout(patience, &mut all_ended).await.is_ok() {
            return;
        }
        for sign in lock(&self.held).values() {
            sign.stop(StopReason::Shutdown);
        }
        // a run that does not even stop has a lease that will run out
        if tokio::time::timeout(patience, all_ended).await.is_err() {
            tracing::error!(runs = self.count(), "some runs did not stop in time");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Works on a claimed generation to its end, whatever that is, and writes the end down.
pub(crate) async fn run_generation(worker: Arc<Worker>, claimed: Claimed, entry: Entry) {
    let (id, fence) = (claimed.id, claimed.fence);
    let span = tracing::info_span!("run", generation.id = %id, variant = %claimed.key, fence);
    let work = async {
        let lease = lease::keep(Arc::clone(&worker), id, fence, entry.stop.clone());
        let outcome = AssertUnwindSafe(pipeline::generate(&worker, &claimed, &entry.stop).boxed()).catch_unwind().await;
        let outcome = outcome.unwrap_or_else(|_| Err(pipeline::StageError::internal("the run panicked")));
        let ended = write_end(&worker, &claimed, &entry.stop, outcome).await;
        drop(lease);
        if let Err(error) = ended {
            // the lease runs out and the reaper decides
            tracing::error!(error = format!("{error:#}"), "cannot write down how the run ended");
        }
    };
    work.instrument(span).await;
    // takes milliseconds after a large site
    if let Err(error) = tokio::task::spawn_blocking(shared::os::return_free_memory).await {
        tracing::debug!(%error, "free memory was not returned");
    }
}

async fn write_end(
    worker: &Worker,
    claimed: &Claimed,
    stop: &StopSign,
    outcome: Result<(), pipeline::StageError>,
) -> anyhow::Result<()> {
    use pipeline::StageError;
    let error = match outcome {
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    let (id, fence, variant) = (claimed.id, claimed.fence, claimed.variant_id);
    let mut transaction = worker.config.pool.begin().await.context("no connection")?;
    let written = match (stop.reason(), error) {
        (Some(StopReason::Lost), _) => {
            tracing::warn!("lost the lease, stopped");
            return Ok(());
        }
        (Some(StopReason::Aborted), _) => {
            let text = db::aborts::ABORTED_BY_USER;
            end_unfinished(&mut transaction, claimed, State::Aborted, text).await
        }
        (Some(StopReason::Shutdown), _) => {
            tracing::info!("handed back for another worker");
            hand_back(&mut transaction, id, fence).await
        }
        (None, StageError::Fail(message)) => {
            tracing::warn!(message, "run failed");
            end_unfinished(&mut transaction, claimed, State::Error, &message).await
        }
        (None, StageError::Internal(error)) => {
            tracing::error!(error = format!("{error:#}"), "run could not go on");
            match db::generations::retry_or_fail(&mut transaction, id, fence).await {
                Ok((State::Queued, _)) => {
                    Ok(jobs::enqueue(&mut transaction, &GenerateJob { generation: id, fence }).await?)
                }
                Ok((state, message)) => {
                    Ok(events::emit_state(&mut transaction, variant, id, state, message.as_deref())
                        .await
                        .map(|_| ())?)
                }
                Err(error) => Err(error),
            }
        }
        // an abort that came in at the very end, or a run that was taken over: the row knows
        (None, StageError::Stopped) => {
            let text = db::aborts::ABORTED_BY_USER;
            end_if_cancelled(&mut transaction, claimed, text).await
        }
    };
    match written {
        Ok(()) => Ok(transaction.commit().await?),
        Err(WriteError::Lost) => {
            tracing::warn!("another worker holds the run by now, nothing written");
            Ok(())
        }
        Err(WriteError::Database(error)) => Err(error.into()),
    }
}

async fn end_unfinished(
    connection: &mut sqlx::PgConnection,
    claimed: &Claimed,
    state: State,
    message: &str,
) -> Result<(), WriteError> {
    db::generations::end_unfinished(connection, claimed.id, claimed.fence, state, message).await?;
    events::emit_state(connection, claimed.variant_id, claimed.id, state, Some(message)).await?;
    Ok(())
}

async fn end_if_cancelled(
    connection: &mut sqlx::PgConnection,
    claimed: &Claimed,
    message: &str,
) -> Result<(), WriteError> {
    if db::generations::renew(connection, claimed.id, claimed.fence, Duration::ZERO).await? {
        return end_unfinished(connection, claimed, State::Aborted, message).await;
    }
    Err(WriteError::Lost)
}

async fn hand_back(
    connection: &mut sqlx::PgConnection,
    generation: GenerationId,
    fence: i64,
) -> Result<(), WriteError> {
    db::generations::hand_back(connection, generation, fence).await?;
    jobs::enqueue(connection, &GenerateJob { generation, fence }).await?;
    Ok(())
}
