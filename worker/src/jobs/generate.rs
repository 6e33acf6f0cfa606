//! Takes a queued generation and sees it through.

use std::{sync::Arc, time::Duration};

use shared::jobs::GenerateJob;

use crate::{Worker, runner::Work, runs::run_generation};

impl Work for GenerateJob {
    /// Only the waiting is bounded by this; a run is bounded by its lease and by the time limits of its calls.
    const TIMEOUT: Duration = Duration::from_hours(168);

    /// As many as the process may hold: a task that was taken and waits here is one that an idle worker does not get.
    fn concurrency(worker: &Worker) -> usize {
        worker.config.generations
    }

    async fn work(self, worker: Arc<Worker>) -> anyhow::Result<()> {
        let Some(entry) = worker.runs.enter(self.generation).await else { return Ok(()) };
        // claim and run outlive this handler (decisions.md 4): if the queue's worker ends, the lease still says whose it is
        tokio::spawn(run_generation(worker, self.generation, entry)).await?
    }
}
