//! Limits of load and time: what cannot be answered soon is refused at once, with a word to come back.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use tokio::sync::Semaphore;

use crate::error::try_again;

/// Requests that are worked on at the same time. Sending the answer's body does not count.
const MAX_REQUESTS: usize = 512;
/// Longest time until an answer begins; an abort may wait 5 s, a name service 10 s.
const MAX_TIME: Duration = Duration::from_secs(30);

/// What is left of the limits.
#[derive(Clone)]
pub(super) struct Limits {
    requests: Arc<Semaphore>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { requests: Arc::new(Semaphore::new(MAX_REQUESTS)) }
    }
}

/// Answers within the limits.
pub(super) async fn keep(State(limits): State<Limits>, request: Request, next: Next) -> Response {
    let Ok(_turn) = limits.requests.try_acquire() else {
        return try_again("Server is busy, try again shortly");
    };
    let Ok(response) = tokio::time::timeout(MAX_TIME, next.run(request)).await else {
        tracing::warn!(limit_s = MAX_TIME.as_secs(), "a request took too long");
        return try_again("Request took too long, try again shortly");
    };
    response
}
