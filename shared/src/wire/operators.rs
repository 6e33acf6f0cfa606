//! What admins do with runs and workers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    db::{
        pauses::PauseRow,
        workers::{HeldGeneration, HeldPageRow, ListedWorker, PageDepth, ProviderState},
    },
    generation::State,
    ids::GenerationId,
    names::PageSlug,
    provider::Provider,
};

use super::runs::to_the_micro;

/// The body of `POST /api/admin/abort`: everything, or what fits all that is named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct AbortManyRequest {
    /// Every active generation.
    #[schema(required = false, default = false)]
    pub all: bool,
    /// Only this owner's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Only of this project name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Only of this provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
}

/// What became of many aborts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AbortManyResponse {
    /// Active generations that were told to end.
    pub requested: usize,
    /// Those of them that have ended as aborted.
    pub aborted: usize,
    /// Those that have not ended yet; they will.
    #[schema(value_type = Vec<uuid::Uuid>)]
    pub still_ending: Vec<GenerationId>,
}

/// The generation has ended as aborted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AbortOneResponse {
    /// The generation.
    #[schema(value_type = uuid::Uuid)]
    pub generation_id: GenerationId,
    /// Always `aborted`.
    pub state: State,
}

/// The body of `POST /api/admin/pause` and `POST /api/admin/resume`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct PauseRequest {
    /// Only this provider; everything when missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// Why, for people; at most 500 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub message: Option<String>,
}

/// What nothing new is started of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PausesResponse {
    /// Every pause in force.
    pub pauses: Vec<Pause>,
}

impl PausesResponse {
    /// Pauses as they are shown.
    pub fn new(rows: Vec<PauseRow>) -> Self {
        Self { pauses: rows.into_iter().map(Pause::from).collect() }
    }
}

/// Nothing new is started of this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Pause {
    /// The provider; `null` means everything.
    pub provider: Option<String>,
    /// `admin`, or `rate_limit` when the provider said "too many requests".
    pub reason: String,
    /// Since when, ISO 8601 with `+00:00`.
    pub since: String,
    /// Until when; `null` until an admin resumes.
    pub until: Option<String>,
    /// Why, for people.
    pub message: String,
    /// The admin who paused it.
    pub paused_by: Option<String>,
}

impl From<PauseRow> for Pause {
    fn from(row: PauseRow) -> Self {
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        Self {
            provider: some(row.provider),
            reason: row.reason,
            since: to_the_micro(row.created_at),
            until: row.until.map(to_the_micro),
            message: row.message,
            paused_by: some(row.created_by),
        }
    }
}

/// Who works, at what, and how much there is to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct WorkersResponse {
    /// Workers that live or were seen within the last ten minutes, the oldest first.
    pub workers: Vec<Worker>,
    /// How much there is to do.
    pub queue: QueueDepth,
    /// What nothing new is started of.
    pub pauses: Vec<Pause>,
}

/// A worker process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = WorkerProcess)]
pub struct Worker {
    /// Unique for each start of a process.
    pub name: String,
    /// Name of its host.
    pub host: String,
    /// Version of docmill.
    pub version: String,
    /// Whether it was seen within half a minute.
    pub live: bool,
    /// Whether it takes nothing new, and ends when what it does has ended.
    pub draining: bool,
    /// When it started, ISO 8601 with `+00:00`.
    pub started_at: String,
    /// Its last sign of life.
    pub last_seen: String,
    /// AI command lines that it runs at the same time.
    pub ai_slots: i32,
    /// Generations that it holds at the same time.
    pub generation_slots: i32,
    /// What it can run, by provider.
    pub providers: BTreeMap<String, WorkerProvider>,
    /// Generations that it holds.
    pub generations: Vec<WorkedGeneration>,
    /// Pages that it writes, for whatever generation.
    pub pages: Vec<WorkedPage>,
}

/// A provider on the host of a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct WorkerProvider {
    /// Whether its program is there.
    pub ok: bool,
    /// What is missing.
    pub hint: Option<String>,
    /// Whether the worker has a key to give it.
    pub has_api_key: bool,
}

impl From<ProviderState> for WorkerProvider {
    fn from(state: ProviderState) -> Self {
        Self { ok: state.ok, hint: state.hint, has_api_key: state.has_api_key }
    }
}

/// A generation that a worker holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct WorkedGeneration {
    /// The generation.
    #[schema(value_type = uuid::Uuid)]
    pub generation_id: GenerationId,
    /// What is done of it.
    pub stage: Option<String>,
}

/// A page that a worker writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct WorkedPage {
    /// Its generation.
    #[schema(value_type = uuid::Uuid)]
    pub generation_id: GenerationId,
    /// The page.
    #[schema(value_type = String)]
    pub slug: PageSlug,
    /// Since when, ISO 8601 with `+00:00`.
    pub since: Option<String>,
}

/// How much there is to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct QueueDepth {
    /// Generations that no worker holds.
    pub queued_generations: i64,
    /// Pages that are not done, by provider.
    pub pages: BTreeMap<String, QueuedPages>,
}

/// Pages of a provider that are not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct QueuedPages {
    /// To be written.
    pub waiting: i64,
    /// About to be taken by a worker.
    pub admitted: i64,
    /// Being written.
    pub running: i64,
}

impl QueueDepth {
    /// The depth as it is shown.
    pub fn new(queued_generations: i64, pages: Vec<PageDepth>) -> Self {
        let counts =
            |row: &PageDepth| QueuedPages { waiting: row.waiting, admitted: row.admitted, running: row.running };
        let pages = pages.into_iter().map(|row| (row.provider.clone(), counts(&row))).collect();
        Self { queued_generations, pages }
    }
}

impl Worker {
    /// A worker as it is shown, with its part of all the work.
    pub fn new(row: ListedWorker, generations: &[HeldGeneration], pages: &[HeldPageRow]) -> Self {
        let generations = generations.iter().filter(|held| held.worker == row.name);
        let pages = pages.iter().filter(|held| held.worker == row.name);
        Self {
            live: row.is_live,
            draining: row.draining_since.is_some(),
            started_at: to_the_micro(row.started_at),
            last_seen: to_the_micro(row.last_seen),
            ai_slots: row.ai_slots,
            generation_slots: row.generation_slots,
            providers: row.providers.0.into_iter().map(|(name, state)| (name, state.into())).collect(),
            generations: generations
                .map(|held| WorkedGeneration { generation_id: held.generation, stage: held.stage.clone() })
                .collect(),
            pages: pages
                .map(|held| WorkedPage {
                    generation_id: held.generation,
                    slug: held.slug.clone(),
                    since: held.since.map(to_the_micro),
                })
                .collect(),
            name: row.name,
            host: row.host,
            version: row.version,
        }
    }
}

/// The worker takes nothing new from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DrainResponse {
    /// Name of the worker.
    pub draining: String,
}
