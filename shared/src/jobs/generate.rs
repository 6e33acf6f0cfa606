//! Rings the bell for a queued generation.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::Job;
use crate::{
    db::{
        self,
        generations::NewGeneration,
        queue::Due,
        starts::{NewStart, Start},
    },
    events,
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

/// What a generation is asked for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The variant, which may not exist yet.
    pub key: VariantKey,
    /// Its repository.
    pub source: RepoSource,
    /// The request.
    pub request: NewGeneration,
}

impl Wanted {
    /// `stored`: the address of this repository that the variant has now, when it is written in another way.
    fn to_start<'a>(&'a self, stored: Option<&'a str>) -> NewStart<'a> {
        let Self { key, source, request } = self;
        NewStart { id: GenerationId::new(), key, repo_url: source.to_string(), stored_repo_url: stored, request }
    }
}

/// Starts a generation as part of the caller's transaction: takes the variant, makes the generation's row, rings the bell.
pub async fn start_generation(conn: &mut PgConnection, wanted: &Wanted) -> sqlx::Result<Started> {
    let mut stored_repo_url: Option<String> = None;
    loop {
        let start = wanted.to_start(stored_repo_url.as_deref());
        if !start_all(conn, std::slice::from_ref(&start)).await?.is_empty() {
            return Ok(Started::Queued(start.id));
        }
        // none: it was deleted just now
        let Some(held) = db::variants::hold(conn, &wanted.key).await? else { continue };
        if held.status == Status::Generating {
            return Ok(Started::Busy);
        }
        if !wanted.request.force && !is_same_repository(&held.repo_url, &wanted.source).await {
            return Ok(Started::OtherRepository(held.repo_url));
        }
        stored_repo_url = Some(held.repo_url);
    }
}

/// The same for many, no two of the same variant, in as many statements as for one. Gives the generation of each that was
/// started; [`start_generation`] says of each of the others why it was not, or starts it.
pub async fn start_generations(conn: &mut PgConnection, wanted: &[&Wanted]) -> sqlx::Result<Vec<Option<GenerationId>>> {
    let starts: Vec<NewStart<'_>> = wanted.iter().map(|wanted| wanted.to_start(None)).collect();
    let started = start_all(conn, &starts).await?;
    Ok(starts.iter().map(|start| Some(start.id).filter(|id| started.contains(id))).collect())
}

/// Gives those that were started.
async fn start_all(conn: &mut PgConnection, starts: &[NewStart<'_>]) -> sqlx::Result<HashSet<GenerationId>> {
    let started = db::starts::start(conn, starts).await?;
    // who is refused is asked about next
    if !started.is_empty() {
        let due = Due { priority: GenerateJob::PRIORITY, ..Due::default() };
        let job = |start: &Start| (GenerateJob { generation: start.id, fence: 0 }, due);
        super::enqueue_all(conn, started.iter().map(job)).await?;
        events::emit_queued(conn, &started).await?;
    }
    Ok(started.iter().map(|start| start.id).collect())
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
