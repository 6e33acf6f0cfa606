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
    variant::{Status, VariantKey},
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

/// What became of a request for a generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Started {
    /// It is queued.
    Queued(GenerationId),
    /// The variant is being generated already.
    Busy,
    /// The variant is of another repository, whose address this is, and the request does not force it.
    OtherRepository(String),
}

/// Starts a generation as part of the caller's transaction: takes the variant, makes the generation's row, rings the bell.
pub async fn start_generation(
    conn: &mut PgConnection,
    key: &VariantKey,
    source: &RepoSource,
    request: &NewGeneration,
) -> sqlx::Result<Started> {
    let id = GenerationId::new();
    let repo_url = source.to_string();
    let variant = loop {
        let Some(held) = db::variants::hold(conn, key).await? else {
            match db::variants::create(conn, key, &repo_url, request.repo_type, id).await? {
                Some(variant) => break variant,
                // somebody made it just now: it is there to be held
                None => continue,
            }
        };
        if held.status == Status::Generating {
            return Ok(Started::Busy);
        }
        if !request.force && !is_same_repository(&held.repo_url, source).await {
            return Ok(Started::OtherRepository(held.repo_url));
        }
        db::variants::start(conn, held.id, &repo_url, request.repo_type, id).await?;
        break held.id;
    };
    db::generations::create(conn, id, variant, request).await?;
    super::enqueue(conn, &GenerateJob { generation: id, fence: 0 }).await?;
    events::emit_state(conn, variant, id, State::Queued, None).await?;
    Ok(Started::Queued(id))
}

/// Whether a stored address names the same repository; one that cannot be read any more stands in nobody's way.
pub async fn is_same_repository(stored: &str, source: &RepoSource) -> bool {
    let (Ok(stored), source) = (RepoSource::from_stored(stored), source.clone()) else { return true };
    if stored == source {
        return true;
    }
    let compared = tokio::task::spawn_blocking(move || stored.identity() == source.identity());
    compared.await.unwrap_or_default()
}
