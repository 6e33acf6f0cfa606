//! Takes an inspection and sees it through: the lease is kept meanwhile, and it ends with an answer, with the reason why there
//! is none, or back in the queue when this process ends.

use std::{sync::Arc, time::Duration};

use shared::{
    db::{self, WriteError, inspections::ClaimedInspection},
    events,
    ids::InspectionId,
    jobs::{self, InspectJob},
};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use crate::{Worker, inspections::answer, lease::RENEWAL_TIMEOUT, pipeline::StageError, runner::Work};

/// Longest time for an answer; the limits of a clone hold as well.
const MAX_TIME: Duration = Duration::from_mins(10);
/// Inspections that one process makes at the same time.
const AT_ONCE: usize = 2;

impl Work for InspectJob {
    const TIMEOUT: Duration = Duration::from_mins(11);

    fn concurrency(_: &Worker) -> usize {
        AT_ONCE
    }

    async fn work(self, worker: Arc<Worker>) -> anyhow::Result<()> {
        let lease = Duration::from_millis(worker.config.timing.lease_ms);
        let mut conn = worker.config.pool.acquire().await?;
        let Some(claimed) = db::inspections::claim(&mut conn, self.inspection, lease).await? else { return Ok(()) };
        drop(conn);
        let span = tracing::info_span!("inspection", inspection.id = %claimed.id, kind = claimed.kind.as_str());
        see_through(&worker, claimed, lease).instrument(span).await
    }
}

async fn see_through(worker: &Arc<Worker>, claimed: ClaimedInspection, lease: Duration) -> anyhow::Result<()> {
    // cancelled when this future is given up as well, which ends what it has started
    let cancel = worker.draining.child_token();
    let _ends_with_us = cancel.clone().drop_guard();
    // a task of its own: whatever the answer keeps its thread busy with, the lease is renewed
    let keeping = keep_lease(Arc::clone(worker), claimed.id, claimed.fence, lease);
    let kept = AbortOnDropHandle::new(tokio::spawn(keeping.in_current_span()));
    let claimed = &claimed;
    let answered = tokio::select! {
        biased;
        () = worker.draining.cancelled() => return put_back(worker, claimed).await,
        _ = kept => return live_on(worker, claimed).await,
        answered = tokio::time::timeout(MAX_TIME, answer(worker, claimed, &cancel)) => answered,
    };
    let result = match answered {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(StageError::Fail(message) | StageError::TooNew(message))) => Err(message),
        Ok(Err(StageError::Stopped)) => return put_back(worker, claimed).await,
        Ok(Err(StageError::Internal(error))) => {
            tracing::error!(error = format!("{error:#}"), "the inspection failed here");
            Err("a fault of the server; its log says more".to_owned())
        }
        Err(_) => Err(format!("it took longer than {MAX_TIME:?}")),
    };
    end(worker, claimed, result).await
}

async fn end(
    worker: &Worker,
    claimed: &ClaimedInspection,
    result: Result<serde_json::Value, String>,
) -> anyhow::Result<()> {
    let result = result.as_ref().map_err(String::as_str);
    let mut transaction = db::begin(&worker.config.pool).await?;
    match db::inspections::finish(&mut transaction, claimed.id, claimed.fence, result).await {
        Ok(()) => {}
        Err(WriteError::Lost) => {
            drop(transaction);
            return live_on(worker, claimed).await;
        }
        Err(WriteError::Database(error)) => return Err(error.into()),
    }
    events::announce_inspection(&mut transaction, claimed.id).await?;
    transaction.commit().await?;
    tracing::info!(failed = result.err(), "inspected");
    Ok(())
}

/// Lets another process answer.
async fn put_back(worker: &Worker, claimed: &ClaimedInspection) -> anyhow::Result<()> {
    let mut transaction = db::begin(&worker.config.pool).await?;
    if db::inspections::put_back(&mut transaction, claimed.id, claimed.fence).await.is_ok() {
        let job = InspectJob { inspection: claimed.id, fence: claimed.fence };
        jobs::enqueue(&mut transaction, &job).await?;
        transaction.commit().await?;
    }
    Ok(())
}

/// Somebody else has it: the lease ran out, though nobody died here.
async fn live_on(worker: &Worker, claimed: &ClaimedInspection) -> anyhow::Result<()> {
    tracing::warn!("the lease of an inspection ran out under a worker that lives, nothing written");
    let mut conn = worker.config.pool.acquire().await?;
    db::inspections::live_on(&mut conn, claimed.id, claimed.fence).await?;
    Ok(())
}

/// Renews the lease until it is lost.
async fn keep_lease(worker: Arc<Worker>, id: InspectionId, fence: i64, lease: Duration) {
    loop {
        tokio::time::sleep(lease / 4).await;
        let renewal = async {
            let mut conn = worker.config.pool.acquire().await?;
            db::inspections::renew(&mut conn, id, fence, lease).await
        };
        match tokio::time::timeout(RENEWAL_TIMEOUT.min(lease / 2), renewal).await {
            Ok(Err(WriteError::Lost)) => return,
            // the database may be back before the lease is over; if not, the next renewal says so
            Ok(Err(error)) => tracing::warn!(%error, "cannot renew the lease of an inspection"),
            Err(_) => tracing::warn!("renewing the lease of an inspection takes too long"),
            Ok(Ok(())) => {}
        }
    }
}
