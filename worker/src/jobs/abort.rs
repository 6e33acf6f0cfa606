//! Sees an abort through: waits for the holder of the run, or for its lease to end, and ends the run by force then.

use std::{sync::Arc, time::Duration};

use shared::{
    db, events,
    generation::State,
    jobs::{AbortJob, GenerateJob, Job, take_back_pages},
};

use crate::{Worker, runner::Work};

impl Work for AbortJob {
    const TIMEOUT: Duration = Duration::from_mins(10);

    fn concurrency(_: &Worker) -> usize {
        16
    }

    async fn work(self, worker: Arc<Worker>) -> anyhow::Result<()> {
        loop {
            let mut transaction = db::begin(&worker.config.pool).await?;
            if db::aborts::force(&mut transaction, self.generation).await? {
                if let Some(variant) = db::generations::find_variant_id(&mut transaction, self.generation).await? {
                    let text = Some(db::aborts::ABORTED_BY_USER);
                    events::emit_state(&mut transaction, variant, self.generation, State::Aborted, text).await?;
                }
                tracing::warn!(generation.id = %self.generation, "ended by force: its holder did not answer");
            }
            let state = db::generations::find_state(&mut transaction, self.generation).await?;
            let over = state.is_none_or(|(state, _)| state.is_terminal());
            if over {
                take_back_pages(&mut transaction, self.generation).await?;
                db::queue::remove_waiting(&mut transaction, GenerateJob::QUEUE, &format!("{}:", self.generation))
                    .await?;
            }
            transaction.commit().await?;
            if over {
                return Ok(());
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(500)) => {}
                // the end of this process does not wait for another's lease; the reaper ends the run when that is over
                () = worker.draining.cancelled() => return Ok(()),
            }
        }
    }
}
