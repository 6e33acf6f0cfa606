//! What this process works on: a list whose entries can be told to stop and that can be drained.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio_util::sync::CancellationToken;

/// Why work has to stop before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopReason {
    /// A person asked for it.
    Aborted,
    /// The lease is gone: another worker may be at it. Nothing may be written any more.
    Lost,
    /// This process shuts down.
    Shutdown,
}

/// Tells work to stop, once, with the first reason given.
#[derive(Debug, Clone, Default)]
pub(crate) struct StopSign {
    reason: Arc<OnceLock<StopReason>>,
    token: CancellationToken,
    busy: Arc<AtomicBool>,
}

impl StopSign {
    /// Tells the work to stop; a later reason changes nothing.
    pub(crate) fn stop(&self, reason: StopReason) {
        let _ = self.reason.set(reason);
        self.token.cancel();
    }

    /// Whether the work should rather be let end than be stopped, because it is being paid for.
    pub(crate) fn set_busy(&self, busy: bool) {
        self.busy.store(busy, Ordering::Relaxed);
    }

    /// Why the work has to stop, if it has to.
    pub(crate) fn reason(&self) -> Option<StopReason> {
        self.reason.get().copied()
    }

    /// Cancelled when the work has to stop.
    pub(crate) fn token(&self) -> &CancellationToken {
        &self.token
    }
}

/// What is worked on.
pub(crate) struct HeldList<T> {
    held: Arc<Mutex<Held<T>>>,
}

/// Entries are told apart by a number of their own: work that lost its lease may still be ending here while the same is taken
/// again.
struct Held<T> {
    entries: HashMap<u64, (T, StopSign)>,
    next: u64,
    closed: bool,
}

/// An entry of the list; leaving scope ends it.
pub(crate) struct Entry<T> {
    /// Told to stop through this.
    pub(crate) stop: StopSign,
    number: u64,
    held: Arc<Mutex<Held<T>>>,
}

impl<T> Drop for Entry<T> {
    fn drop(&mut self) {
        lock(&self.held).entries.remove(&self.number);
    }
}

impl<T> Default for HeldList<T> {
    fn default() -> Self {
        Self { held: Arc::new(Mutex::new(Held { entries: HashMap::new(), next: 0, closed: false })) }
    }
}

impl<T: Clone> HeldList<T> {
    /// Enters something into the list; `None` when the process shuts down.
    pub(crate) fn enter(&self, what: T) -> Option<Entry<T>> {
        let mut held = lock(&self.held);
        if held.closed {
            return None;
        }
        let stop = StopSign::default();
        let number = held.next;
        held.next += 1;
        held.entries.insert(number, (what, stop.clone()));
        Some(Entry { stop, number, held: Arc::clone(&self.held) })
    }

    /// How many entries there are.
    pub(crate) fn count(&self) -> usize {
        lock(&self.held).entries.len()
    }

    /// What is in the list.
    pub(crate) fn list(&self) -> Vec<T> {
        lock(&self.held).entries.values().map(|(what, _)| what.clone()).collect()
    }

    /// Tells those to stop that are concerned.
    pub(crate) fn stop_where(&self, reason: StopReason, concerned: impl Fn(&T) -> bool) {
        for (_, sign) in lock(&self.held).entries.values().filter(|(what, _)| concerned(what)) {
            sign.stop(reason);
        }
    }

    /// Tells those to stop that are not in the middle of something that is being paid for.
    pub(crate) fn stop_idle(&self, reason: StopReason) {
        for (_, sign) in lock(&self.held).entries.values().filter(|(_, sign)| !sign.busy.load(Ordering::Relaxed)) {
            sign.stop(reason);
        }
    }

    /// Lets nothing more in.
    pub(crate) fn close(&self) {
        lock(&self.held).closed = true;
    }

    /// Lets nothing more in, lets those that are there end by themselves for `patience`, then tells the rest to stop and waits
    /// for at most `stopping` until they did. Says how many did not.
    pub(crate) async fn drain(&self, patience: Duration, stopping: Duration) -> usize {
        self.close();
        let all_ended = async {
            while self.count() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::pin!(all_ended);
        if tokio::time::timeout(patience, &mut all_ended).await.is_ok() {
            return 0;
        }
        self.stop_where(StopReason::Shutdown, |_| true);
        // what does not even stop has a lease that will run out
        let _ = tokio::time::timeout(stopping, all_ended).await;
        self.count()
    }
}

fn lock<T>(held: &Mutex<Held<T>>) -> MutexGuard<'_, Held<T>> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}
