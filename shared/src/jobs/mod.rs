//! The kinds of jobs and the only way to enqueue one. A payload names a row and nothing else: the row is the truth.
//!
//! A new kind is one payload file here, one work file in `worker/src/jobs`, and one line in the worker's registration.

use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};
use sqlx::PgConnection;

use crate::db;

mod generate;
mod retry;
mod abort;
mod page;
mod inspect;

pub use abort::{AbortJob, request_abort};
pub use generate::{GenerateJob, Started, is_same_repository, start_generation};
pub use inspect::{InspectJob, ask as ask_inspection};
pub use page::{PageJob, admit_pages, pause, resume, take_back_pages};
pub use retry::{RETRY_STAGES, Retried, RetriedRun, retry_generation};

/// A kind of job. Payloads are tolerant: unknown fields are ignored, new fields have defaults, so that old and new
/// processes understand each other.
pub trait Job: Serialize + DeserializeOwned + Send + Sync + Unpin + 'static {
    /// Name of the queue.
    const QUEUE: &'static str;
    /// Higher goes first.
    const PRIORITY: i32 = 0;

    /// At most one task of this key waits or runs at a time.
    fn idempotency_key(&self) -> String;
}

/// Puts a job into its queue as part of the caller's transaction.
pub async fn enqueue<J: Job>(conn: &mut PgConnection, job: &J) -> sqlx::Result<()> {
    enqueue_after(conn, job, Duration::ZERO).await
}

/// The same for a job that is due after a pause.
pub async fn enqueue_after<J: Job>(conn: &mut PgConnection, job: &J, pause: Duration) -> sqlx::Result<()> {
    push(conn, job, db::queue::Due { priority: J::PRIORITY, pause }).await
}

async fn push<J: Job>(conn: &mut PgConnection, job: &J, due: db::queue::Due) -> sqlx::Result<()> {
    let payload = serde_json::to_value(job).map_err(|error| sqlx::Error::Encode(error.into()))?;
    db::queue::push(conn, J::QUEUE, &payload, &job.idempotency_key(), due).await
}

/// The same as [`enqueue`] for a job whose row says how urgent it is.
async fn enqueue_with<J: Job>(conn: &mut PgConnection, job: &J, priority: i32) -> sqlx::Result<()> {
    push(conn, job, db::queue::Due { priority, pause: Duration::ZERO }).await
}
