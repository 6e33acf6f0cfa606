//! Rings the bell for a queued generation.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::Job;
use crate::{
    db::{self, generations::NewGeneration},
    events,
    generation::State,
    ids::GenerationId,
    source::RepoSource,
    variant::VariantKey,
};

/// "Somebody take this generation." Duplicates are harmless: only one claim succeeds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GenerateJob {
    /// The generation.
    pub generation: GenerationId,
    /// Its fence when the bell was rung; a bell for a later fence is another task.
    #[serde(default)]
    pub fence: i64,
}

impl Job for GenerateJob {
    const QUEUE: &'static str = "generate";

    fn idempotency_key(&self) -> String {
        format!("{}:{}", self.generation, self.fence)
    }
}

/// Starts a generation as part of the caller's transaction: takes the variant, makes the generation's row, rings the bell.
/// `None` when the variant is being generated already.
pub async fn start_generation(
    conn: &mut PgConnection,
    key: &VariantKey,
    source: &RepoSource,
    request: &NewGeneration,
) -> sqlx::Result<Option<GenerationId>> {
    let id = GenerationId::new();
    let started = db::variants::start(conn, key, &source.to_string(), request.repo_type, id).await?;
    let Some(variant) = started else { return Ok(None) };
    db::generations::create(conn, id, variant, request).await?;
    super::enqueue(conn, &GenerateJob { generation: id, fence: 0 }).await?;
    events::emit_state(conn, variant, id, State::Queued, None).await?;
    Ok(Some(id))
}
