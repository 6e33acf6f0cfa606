//! The pages this process writes, for whatever run, and their leases.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use shared::db::{self, page_jobs::HeldPage};
use tokio_util::sync::CancellationToken;

use crate::{
    Worker,
    held::{HeldList, StopReason},
    lease::RENEWAL_TIMEOUT,
};

/// The pages of this process.
pub(crate) type Pages = HeldList<HeldPage>;

/// Renews the leases of all pages of this process, in one statement each time, until `ended`. A page that somebody took over,
/// whose run is over or is to be aborted, is stopped; all are when the database cannot be reached for too long.
pub(crate) async fn keep_leases(worker: Arc<Worker>, ended: CancellationToken) {
    let timing = &worker.config.timing;
    let lease = Duration::from_millis(timing.lease_ms);
    let self_cancel = Duration::from_millis(timing.self_cancel_ms);
    let mut renewed_at = Instant::now();
    loop {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(timing.renew_ms)) => {}
            () = ended.cancelled() => return,
        }
        let held = worker.pages.list();
        if held.is_empty() {
            renewed_at = Instant::now();
            continue;
        }
        let renewal = async { db::page_jobs::renew(&mut *worker.config.pool.acquire().await?, &held, lease).await };
        match tokio::time::timeout(RENEWAL_TIMEOUT.min(self_cancel), renewal).await {
            Ok(Ok(kept)) => {
                renewed_at = Instant::now();
                worker.pages.stop_where(StopReason::Lost, |page| held.contains(page) && !kept.contains(page));
            }
            Ok(Err(error)) => tracing::warn!(%error, "cannot renew the leases of pages"),
            Err(_) => tracing::warn!("renewing the leases of pages takes too long"),
        }
        if renewed_at.elapsed() >= self_cancel {
            tracing::warn!("the leases of pages were not renewed for {self_cancel:?}, stopping them");
            worker.pages.stop_where(StopReason::Lost, |_| true);
        }
    }
}
