//! The kinds of jobs and the only way to enqueue one. A payload names a row and nothing else: the row is the truth.
//!
//! A new kind is one payload file here, one work file in `worker/src/jobs`, and one line in the worker's registration.

use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};
use sqlx::PgConnection;

use crate::db::{
    self,
    queue::{Due, NewTask},
};

mod generate;
mod retry;
mod abort;
mod page;
mod inspect;

pub use abort::{AbortJob, request_abort};
pub use generate::{GenerateJob, Started, Wanted, is_same_repository, start_generation, start_generations};
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
    let task = task(job, Due { priority: J::PRIORITY, pause })?;
    db::queue::push(conn, J::QUEUE, vec![task]).await
}

/// The same for several jobs of one kind, no two of them the same.
async fn enqueue_all<J: Job>(conn: &mut PgConnection, jobs: impl Iterator<Item = (J, Due)>) -> sqlx::Result<()> {
    let tasks = jobs.map(|(job, due)| task(&job, due)).collect::<sqlx::Result<_>>()?;
    db::queue::push(conn, J::QUEUE, tasks).await
}

fn task<J: Job>(job: &J, due: Due) -> sqlx::Result<NewTask> {
    let payload = serde_json::to_value(job).map_err(|error| sqlx::Error::Encode(error.into()))?;
    Ok(NewTask { payload, idempotency_key: job.idempotency_key(), due })
}
