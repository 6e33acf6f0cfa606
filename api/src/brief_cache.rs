//! Answers of the database that are kept for a moment, so that a page with twenty files does not ask twenty times.

use std::{
    hash::Hash,
    time::{Duration, Instant},
};

use quick_cache::{Equivalent, sync::Cache};

/// Keeps at most so many values, each for at most the same time.
pub(crate) struct BriefCache<Key, Value> {
    entries: Cache<Key, (Instant, Value)>,
    lifetime: Duration,
}

impl<Key: Eq + Hash, Value: Clone> BriefCache<Key, Value> {
    pub(crate) fn new(entries: usize, lifetime: Duration) -> Self {
        Self { entries: Cache::new(entries), lifetime }
    }

    pub(crate) fn get<Q: Hash + Equivalent<Key> + ?Sized>(&self, key: &Q) -> Option<Value> {
        let (since, value) = self.entries.get(key)?;
        (since.elapsed() < self.lifetime).then_some(value)
    }

    /// `value` was asked for just now.
    pub(crate) fn insert(&self, key: Key, value: Value) {
        self.insert_as_of(Instant::now(), key, value);
    }

    /// `value` was asked for at `since`.
    pub(crate) fn insert_as_of(&self, since: Instant, key: Key, value: Value) {
        self.entries.insert(key, (since, value));
    }

    pub(crate) fn clear(&self) {
        self.entries.clear();
    }
}
