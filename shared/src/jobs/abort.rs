//! Sees an abort through when the holder of the run does not.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::{GenerateJob, Job};
use crate::{db, events, generation::State, ids::GenerationId};

/// "Make sure that this generation ends, and clean up after it."
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AbortJob {
    /// The generation.
    pub generation: GenerationId,
}

impl Job for AbortJob {
    const QUEUE: &'static str = "abort";

    fn idempotency_key(&self) -> String {
        self.generation.to_string()
    }
}

/// Asks for an abort as part of the caller's transaction (decisions.md 10): a queued generation ends at once and its tasks
/// go; a running one is told by NOTIFY, and an abort job sees to it. `None` when it has ended already.
pub async fn request_abort(
    conn: &mut PgConnection,
    variant: i64,
    generation: GenerationId,
) -> sqlx::Result<Option<State>> {
    let state = db::aborts::request(conn, generation).await?;
    match state {
        Some(State::Aborted) => {
            let prefix = format!("{generation}:");
            db::queue::remove_waiting(conn, GenerateJob::QUEUE, &prefix).await?;
            super::take_back_pages(conn, generation).await?;
            // a run that waited for a new coordinator may have pages that are being written
            events::announce_cancel(conn, generation).await?;
            events::emit_state(conn, variant, generation, State::Aborted, Some(db::aborts::ABORTED_BY_USER)).await?;
        }
        Some(_) => {
            events::announce_cancel(conn, generation).await?;
            super::enqueue(conn, &AbortJob { generation }).await?;
        }
        None => {}
    }
    Ok(state)
}
