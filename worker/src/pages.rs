//! The pages this process writes for whatever run: which they are, their leases, and telling them to stop.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use shared::{
    db::{self, page_jobs::HeldPage},
    ids::GenerationId,
};
use tokio_util::sync::CancellationToken;

use crate::{
    Worker,
    runs::{StopReason, StopSign},
};

/// Longest one renewal may take.
const RENEWAL_TIMEOUT: Duration = Duration::from_secs(3);

/// The pages of this process.
#[derive(Default)]
pub(crate) struct Pages {
    held: Arc<Mutex<Held>>,
}

#[derive(Default)]
struct Held {
    entries: HashMap<u64, (HeldPage, StopSign)>,
    next: u64,
    closed: bool,
}

/// A page's entry in the list; leaving scope ends it.
pub(crate) struct PageEntry {
    /// Told to stop through this.
    pub(crate) stop: StopSign,
    number: u64,
    held: Arc<Mutex<Held>>,
}

impl Drop for PageEntry {
    fn drop(&mut self) {
        lock(&self.held).entries.remove(&self.number);
    }
}

impl Pages {
    /// Enters a claimed page. One that comes during a shutdown is told to stop at once.
    pub(crate) fn enter(&self, page: HeldPage) -> PageEntry {
        let stop = StopSign::default();
        let mut held = lock(&self.held);
        if held.closed {
            stop.stop(StopReason::Shutdown);
        }
        let number = held.next;
        held.next += 1;
        held.entries.insert(number, (page, stop.clone()));
        PageEntry { stop, number, held: Arc::clone(&self.held) }
    }

    /// Whether the process takes no more pages.
    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.held).closed
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        lock(&self.held).entries.len()
    }

    /// Tells the pages of a run to stop: nobody wants them any more.
    pub(crate) fn stop_run(&self, generation: GenerationId) {
        self.stop_where(StopReason::Aborted, |page| page.generation == generation);
    }

    fn stop_where(&self, reason: StopReason, concerned: impl Fn(&HeldPage) -> bool) {
        for (_, sign) in lock(&self.held).entries.values().filter(|(page, _)| concerned(page)) {
            sign.stop(reason);
        }
    }

    fn list(&self) -> Vec<HeldPage> {
        lock(&self.held).entries.values().map(|(page, _)| page.clone()).collect()
    }

    /// Takes no more pages, lets those that are written end by themselves for `patience`, then has the rest put back and waits
    /// for at most `stopping` until they are.
    pub(crate) async fn drain(&self, patience: Duration, stopping: Duration) {
        lock(&self.held).closed = true;
        let all_ended = async {
            while self.count() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::pin!(all_ended);
        if tokio::time::timeout(patience, &mut all_ended).await.is_ok() {
            return;
        }
        self.stop_where(StopReason::Shutdown, |_| true);
        if tokio::time::timeout(stopping, all_ended).await.is_err() {
            tracing::error!(pages = self.count(), "some pages did not stop in time");
        }
    }
}

fn lock(held: &Mutex<Held>) -> MutexGuard<'_, Held> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

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
