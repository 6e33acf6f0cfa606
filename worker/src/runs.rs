//! The runs this process holds: each is a task of its own, governed by its lease, stopped by a reason.

use std::{
    collections::HashSet,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
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
use tracing::Instrument;

use crate::{
    Worker,
    held::{Entry, HeldList, StopReason, StopSign},
    lease, pipeline,
};

/// How long a run that failed by a fault of this host waits before it is tried again: most such faults pass.
const RETRY_PAUSE: Duration = Duration::from_secs(3);

/// Runs for newer workers that are remembered, so that each is talked about once.
const MAX_REMEMBERED: usize = 10_000;

/// The runs of this process.
pub(crate) struct Runs {
    places: Arc<Semaphore>,
    held: HeldList<GenerationId>,
    /// Runs for newer workers that were talked about.
    too_new: Mutex<HashSet<GenerationId>>,
}

/// A run's entry in the list; leaving scope ends it.
pub(crate) struct RunEntry {
    entry: Entry<GenerationId>,
    _place: OwnedSemaphorePermit,
}

impl RunEntry {
    /// The run is told to stop through this. Not a field: whoever takes it must keep the rest, too.
    pub(crate) fn stop(&self) -> &StopSign {
        &self.entry.stop
    }
}

impl Runs {
    /// Room for so many runs at a time.
    pub(crate) fn new(places: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), held: HeldList::default(), too_new: Mutex::default() }
    }

    /// Waits for a place and enters a run into the list; `None` when the process shuts down. To be done before the run is
    /// claimed, so that no claimed run can be missed by an abort or by a shutdown.
    pub(crate) async fn enter(&self, id: GenerationId) -> Option<RunEntry> {
        let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
        Some(RunEntry { entry: self.held.enter(id)?, _place: place })
    }

    /// Lets in no more runs and tells those to stop that do not just make a call.
    pub(crate) fn hand_back_idle(&self) {
        self.places.close();
        self.held.close();
        self.held.stop_idle(StopReason::Shutdown);
    }

    /// Whether this run for newer workers was not talked about yet.
    fn is_new_to_us(&self, id: GenerationId) -> bool {
        let mut too_new = self.too_new.lock().unwrap_or_else(PoisonError::into_inner);
        if too_new.len() >= MAX_REMEMBERED {
            too_new.clear();
        }
        too_new.insert(id)
    }

    /// How many runs there are.
    pub(crate) fn count(&self) -> usize {
        self.held.count()
    }

    /// Tells one run to stop, if it is ours.
    pub(crate) fn stop(&self, id: GenerationId, reason: StopReason) {
        self.held.stop_where(reason, |held| *held == id);
    }

    /// The runs of this process.
    pub(crate) fn ids(&self) -> Vec<GenerationId> {
        self.held.list()
    }

    /// Lets in no more runs, and ends as [`HeldList::drain`] does.
    pub(crate) async fn drain(&self, patience: Duration, stopping: Duration) {
        self.places.close();
        let left = self.held.drain(patience, stopping).await;
        if left > 0 {
            tracing::error!(runs = left, "some runs did not stop in time");
        }
    }
}

/// Claims a generation and works on it to its end, whatever that is, and writes the end down. Nothing is done when there is
/// nothing to claim: another worker was quicker, or it ended.
pub(crate) async fn run_generation(worker: Arc<Worker>, id: GenerationId, entry: RunEntry) -> anyhow::Result<()> {
    let lease = Duration::from_millis(worker.config.timing.lease_ms);
    let mut connection = worker.config.pool.acquire().await?;
    let claimed = db::generations::claim(&mut connection, id, &worker.name, lease).await?;
    drop(connection);
    let Some(claimed) = claimed else { return note_if_too_new(&worker, id).await };
    let fence = claimed.fence;
    let span = tracing::info_span!("run", generation.id = %id, variant = %claimed.key, fence);
    let work = async {
        let lease = lease::keep(Arc::clone(&worker), id, fence, entry.stop().clone());
        let outcome =
            AssertUnwindSafe(pipeline::generate(&worker, &claimed, entry.stop()).boxed()).catch_unwind().await;
        let outcome = outcome.unwrap_or_else(|_| Err(pipeline::StageError::internal("the run panicked")));
        worker.workplaces.close(id);
        let ended = write_end(&worker, &claimed, entry.stop(), outcome).await;
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
    Ok(())
}

/// Says once that a run waits for a worker that understands more.
async fn note_if_too_new(worker: &Worker, id: GenerationId) -> anyhow::Result<()> {
    let mut conn = worker.config.pool.acquire().await?;
    if db::protocol::is_for_newer(&mut conn, id).await? && worker.runs.is_new_to_us(id) {
        tracing::warn!(generation.id = %id, "a newer version of docmill asked for this run, it waits for a newer worker");
    }
    Ok(())
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
    let (id, fence) = (claimed.id, claimed.fence);
    let mut transaction = db::begin(&worker.config.pool).await.context("no connection")?;
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
            let now = db::generations::hand_back(&mut transaction, id, fence).await;
            announce(&mut transaction, claimed, now, Duration::ZERO).await
        }
        (None, StageError::Fail(message)) => {
            tracing::warn!(message, "run failed");
            end_unfinished(&mut transaction, claimed, State::Error, &message).await
        }
        (None, StageError::TooNew(message)) => {
            worker.runs.is_new_to_us(id);
            tracing::warn!(message, "run is left to a worker of a newer version");
            let now = db::protocol::leave_to_newer(&mut transaction, id, fence).await;
            announce(&mut transaction, claimed, now, Duration::ZERO).await
        }
        (None, StageError::Internal(error)) => {
            tracing::error!(error = format!("{error:#}"), "run could not go on");
            let now = db::generations::retry_or_fail(&mut transaction, id, fence).await;
            announce(&mut transaction, claimed, now, RETRY_PAUSE).await
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
    jobs::take_back_pages(connection, claimed.id).await?;
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

/// Tells the world what became of a run that was given up: rings the bell for one that is queued again.
async fn announce(
    connection: &mut sqlx::PgConnection,
    claimed: &Claimed,
    now: Result<(State, Option<String>), WriteError>,
    pause: Duration,
) -> Result<(), WriteError> {
    let (state, message) = now?;
    if state == State::Queued {
        let job = GenerateJob { generation: claimed.id, fence: claimed.fence };
        jobs::enqueue_after(connection, &job, pause).await?;
    } else {
        jobs::take_back_pages(connection, claimed.id).await?;
        events::emit_state(connection, claimed.variant_id, claimed.id, state, message.as_deref()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_old_run_that_ends_late_does_not_take_the_new_one_off_the_list() {
        let runs = Runs::new(2);
        let id = GenerationId::new();
        let old = runs.enter(id).await.unwrap();
        let new = runs.enter(id).await.unwrap();
        drop(old);
        assert_eq!(runs.count(), 1);
        runs.stop(id, StopReason::Aborted);
        assert_eq!(new.stop().reason(), Some(StopReason::Aborted));
    }

    #[tokio::test]
    async fn nothing_enters_once_the_drain_began_and_what_waits_is_let_go() {
        let runs = Arc::new(Runs::new(1));
        let id = GenerationId::new();
        let entry = runs.enter(id).await.unwrap();
        let waiting = {
            let runs = Arc::clone(&runs);
            tokio::spawn(async move { runs.enter(GenerationId::new()).await.is_some() })
        };
        let ends_when_told = tokio::spawn(async move {
            entry.stop().token().cancelled().await;
            entry.stop().reason()
        });
        runs.drain(Duration::ZERO, Duration::from_secs(10)).await;
        assert_eq!(ends_when_told.await.unwrap(), Some(StopReason::Shutdown));
        assert!(!waiting.await.unwrap());
        assert!(runs.enter(id).await.is_none());
        assert_eq!(runs.count(), 0);
    }
}
