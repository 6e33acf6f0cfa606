//! Takes a queued generation and sees it through.

use std::{sync::Arc, time::Duration};

use shared::{db, jobs::GenerateJob};

use crate::{Worker, WorkerConfig, runner::Work, runs::run_generation};

impl Work for GenerateJob {
    /// Only the waiting is bounded by this; a run is bounded by its lease and by the time limits of its calls.
    const TIMEOUT: Duration = Duration::from_hours(168);

    fn concurrency(config: &WorkerConfig) -> usize {
        config.generations
    }

    async fn work(self, worker: Arc<Worker>) -> anyhow::Result<()> {
        let Some(place) = worker.runs.take_place().await else { return Ok(()) };
        let mut connection = worker.config.pool.acquire().await?;
        let lease = Duration::from_millis(worker.config.timing.lease_ms);
        let claimed = db::generations::claim(&mut connection, self.generation, &worker.name, lease).await?;
        drop(connection);
        // nothing to take: another worker was quicker, or it ended
        let Some(claimed) = claimed else { return Ok(()) };
        // the run outlives this handler (decisions.md 4): if the queue's worker ends, the lease still says whose it is
        let run = worker.runs.enter(place, claimed.id);
        tokio::spawn(run_generation(worker, claimed, run)).await?;
        Ok(())
    }
}
