//! Keeping a run's lease on the database's clock, and hearing that it should be aborted.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use shared::{
    db::{self, WriteError},
    events::{CANCEL_CHANNEL, Heard},
    ids::GenerationId,
};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{
    Worker,
    held::{StopReason, StopSign},
};

/// Longest one renewal of any lease may take.
pub(crate) const RENEWAL_TIMEOUT: Duration = Duration::from_secs(3);

/// Renews the lease until the handle is dropped. A lease that cannot be renewed stops the run before anybody else may take
/// it; a renewal that says "abort" stops it too, whatever happened to the notification.
pub(crate) fn keep(worker: Arc<Worker>, id: GenerationId, fence: i64, stop: StopSign) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        let timing = &worker.config.timing;
        let lease = Duration::from_millis(timing.lease_ms);
        let self_cancel = Duration::from_millis(timing.self_cancel_ms);
        let mut renewed_at = Instant::now();
        loop {
            tokio::time::sleep(Duration::from_millis(timing.renew_ms)).await;
            let renewal = async {
                let mut connection = worker.config.pool.acquire().await?;
                db::generations::renew(&mut connection, id, fence, lease).await
            };
            match tokio::time::timeout(RENEWAL_TIMEOUT.min(self_cancel), renewal).await {
                Ok(Ok(false)) => renewed_at = Instant::now(),
                Ok(Ok(true)) => return stop.stop(StopReason::Aborted),
                Ok(Err(WriteError::Lost)) => return stop.stop(StopReason::Lost),
                Ok(Err(WriteError::Database(error))) => {
                    tracing::warn!(generation.id = %id, %error, "cannot renew the lease");
                }
                Err(_) => tracing::warn!(generation.id = %id, "renewing the lease takes too long"),
            }
            if renewed_at.elapsed() >= self_cancel {
                tracing::warn!(generation.id = %id, "the lease was not renewed for {self_cancel:?}, stopping");
                return stop.stop(StopReason::Lost);
            }
        }
    }))
}

/// Hands the announcements of aborts to the runs they are about, those that drain included; after a lost connection every
/// run asks the database.
pub(crate) async fn deliver_cancels(worker: Arc<Worker>, runs_ended: CancellationToken) {
    let mut heard = worker.config.listening.subscribe();
    loop {
        let message = tokio::select! {
            message = heard.recv() => message,
            () = runs_ended.cancelled() => return,
        };
        match message {
            Ok(Heard::Notification { channel, payload }) if *channel == *CANCEL_CHANNEL => {
                if let Ok(id) = payload.parse() {
                    worker.runs.stop(id, StopReason::Aborted);
                    worker.pages.stop_where(StopReason::Aborted, |page| page.generation == id);
                }
            }
            Ok(Heard::Notification { .. }) => {}
            Ok(Heard::Reconnected) | Err(RecvError::Lagged(_)) => stop_cancelled(&worker).await,
            Err(RecvError::Closed) => return,
        }
    }
}

async fn stop_cancelled(worker: &Worker) {
    let ids = worker.runs.ids();
    if ids.is_empty() {
        return;
    }
    let asked = async { db::aborts::list_requested_of(&mut *worker.config.pool.acquire().await?, &ids).await };
    match asked.await {
        Ok(requested) => requested.into_iter().for_each(|id| worker.runs.stop(id, StopReason::Aborted)),
        Err(error) => tracing::warn!(%error, "cannot ask which runs are to be aborted; their renewals will tell"),
    }
}
