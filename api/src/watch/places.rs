//! How many may watch at the same time: in all, and each user.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::response::Response;
use http::StatusCode;

use crate::error::{refusal, try_again};

/// What is left.
#[derive(Debug)]
pub(crate) struct Places {
    in_all: usize,
    per_user: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    in_all: usize,
    of_users: HashMap<Arc<str>, usize>,
}

/// A place that somebody has; it is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    user: Arc<str>,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// This process has as many as it can.
    InAll,
    /// This user has.
    OfUser,
}

impl Full {
    /// 503 for a process that has no place, 429 for a user who has enough.
    pub(crate) fn answer(self, what: &str) -> Response {
        match self {
            Self::InAll => try_again(&format!("Too many {what}, try again shortly")),
            Self::OfUser => refusal(StatusCode::TOO_MANY_REQUESTS, format!("Too many {what} of this user")),
        }
    }
}

impl Places {
    pub(crate) fn new(in_all: usize, per_user: usize) -> Arc<Self> {
        Arc::new(Self { in_all, per_user, taken: Mutex::default() })
    }

    pub(crate) fn take(self: &Arc<Self>, user: &Arc<str>) -> Result<Place, Full> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.in_all >= self.in_all {
            return Err(Full::InAll);
        }
        let of_user = taken.of_users.entry(user.clone()).or_default();
        if *of_user >= self.per_user {
            return Err(Full::OfUser);
        }
        *of_user += 1;
        taken.in_all += 1;
        Ok(Place { places: self.clone(), user: user.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.in_all -= 1;
        if let Some(of_user) = taken.of_users.get_mut(&self.user) {
            *of_user -= 1;
            if *of_user == 0 {
                taken.of_users.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_limited_and_free_again() {
        let places = Places::new(3, 2);
        let (alice, bob): (Arc<str>, Arc<str>) = ("alice".into(), "bob".into());
        let first = places.take(&alice).unwrap();
        let _second = places.take(&alice).unwrap();
        assert_eq!(places.take(&alice).unwrap_err(), Full::OfUser);
        let _third = places.take(&bob).unwrap();
        assert_eq!(places.take(&bob).unwrap_err(), Full::InAll);
        drop(first);
        assert!(places.take(&alice).is_ok());
    }
}
