//! What each kind of job does; one file per kind, one line per kind below.

mod generate;
mod abort;
mod inspect;
pub(crate) mod page;

use std::sync::Arc;

use shared::jobs::{AbortJob, GenerateJob, InspectJob, PageJob};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{Worker, runner::run_queue};

/// Starts a queue worker for every kind.
pub(crate) fn start_queues(worker: &Arc<Worker>, draining: &CancellationToken, queues: &mut JoinSet<()>) {
    queues.spawn(run_queue::<GenerateJob>(worker.clone(), draining.clone()));
    queues.spawn(run_queue::<PageJob>(worker.clone(), draining.clone()));
    queues.spawn(run_queue::<AbortJob>(worker.clone(), draining.clone()));
    queues.spawn(run_queue::<InspectJob>(worker.clone(), draining.clone()));
}
