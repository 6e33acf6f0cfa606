//! Answers of the database that are kept for a moment, so that a page with twenty files does not ask twenty times.

use std::{
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use quick_cache::{Equivalent, sync::Cache};

/// Keeps at most so many values, each for at most the same time.
pub(crate) struct BriefCache<Key, Value> {
    entries: Cache<Key, (Instant, Value)>,
    lifetime: Duration,
    cleared_at: Mutex<Option<Instant>>,
}

impl<Key: Eq + Hash, Value: Clone> BriefCache<Key, Value> {
    pub(crate) fn new(entries: usize, lifetime: Duration) -> Self {
        Self { entries: Cache::new(entries), lifetime, cleared_at: Mutex::default() }
    }

    pub(crate) fn get<Q: Hash + Equivalent<Key> + ?Sized>(&self, key: &Q) -> Option<Value> {
        let (since, value) = self.entries.get(key)?;
        (since.elapsed() < self.lifetime).then_some(value)
    }

    /// `value` was asked for just now.
    pub(crate) fn insert(&self, key: Key, value: Value) {
        self.insert_as_of(Instant::now(), key, value);
    }

    /// `value` was asked for at `since`. It is not kept if everything was forgotten since then: it may be of before.
    pub(crate) fn insert_as_of(&self, since: Instant, key: Key, value: Value) {
        let cleared_at = self.cleared_at.lock().unwrap_or_else(PoisonError::into_inner);
        if cleared_at.is_none_or(|cleared_at| cleared_at < since) {
            self.entries.insert(key, (since, value));
        }
    }

    pub(crate) fn clear(&self) {
        let mut cleared_at = self.cleared_at.lock().unwrap_or_else(PoisonError::into_inner);
        *cleared_at = Some(Instant::now());
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_to_a_question_of_before_the_forgetting_is_not_kept() {
        let cache = BriefCache::new(10, Duration::from_mins(1));
        let before = Instant::now();
        cache.insert_as_of(before, "early", 1);
        assert_eq!(cache.get("early"), Some(1));
        cache.clear();
        assert_eq!(cache.get("early"), None);
        cache.insert_as_of(before, "late", 2);
        assert_eq!(cache.get("late"), None);
        cache.insert_as_of(Instant::now() + Duration::from_nanos(1), "new", 3);
        assert_eq!(cache.get("new"), Some(3));
    }
}
