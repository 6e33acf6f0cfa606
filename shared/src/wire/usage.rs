//! What AI calls used up.

use chrono::{NaiveDate, SecondsFormat};
use serde::{Deserialize, Serialize};

use crate::{
    db::usage::{CallRow, UsageRow},
    ids::GenerationId,
    provider::Provider,
};

/// What calls are summed up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GroupBy {
    /// The day (UTC) they began.
    Day,
    /// Who asked for their generation.
    User,
    /// `owner/name` of the project.
    Project,
    /// `provider/model`.
    Model,
    /// The stage of the run.
    Stage,
}

impl GroupBy {
    /// Every way.
    pub const ALL: [Self; 5] = [Self::Day, Self::User, Self::Project, Self::Model, Self::Stage];

    /// The name in JSON and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::User => "user",
            Self::Project => "project",
            Self::Model => "model",
            Self::Stage => "stage",
        }
    }
}

/// Sums of AI calls that began on these days.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct UsageResponse {
    /// What rows have in common.
    pub group_by: GroupBy,
    /// First day, UTC.
    #[schema(value_type = String, format = Date)]
    pub from: NaiveDate,
    /// Last day, UTC.
    #[schema(value_type = String, format = Date)]
    pub to: NaiveDate,
    /// At most 1000: days in their order, others by their cost.
    pub rows: Vec<UsageSums>,
    /// Sums over all calls, those without a row included; its key is empty.
    pub totals: UsageSums,
}

/// Sums of some calls.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct UsageSums {
    /// What they have in common.
    pub key: String,
    /// Calls, those that run included.
    pub calls: i64,
    /// Calls without an answer.
    pub failed_calls: i64,
    /// Tokens read, cached ones not included.
    pub input_tokens: i64,
    /// Tokens written.
    pub output_tokens: i64,
    /// Tokens read from caches.
    pub cached_tokens: i64,
    /// US dollars, as far as they are known.
    pub cost_usd: f64,
    /// How long they took, one after the other.
    pub duration_ms: i64,
}

impl From<UsageRow> for UsageSums {
    fn from(row: UsageRow) -> Self {
        Self {
            key: row.key,
            calls: row.calls,
            failed_calls: row.failed_calls,
            input_tokens: row.input_tokens,
            output_tokens: row.output_tokens,
            cached_tokens: row.cached_tokens,
            cost_usd: row.cost_usd,
            duration_ms: row.duration_ms,
        }
    }
}

/// The AI calls of a generation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CallsResponse {
    /// The generation.
    #[schema(value_type = uuid::Uuid)]
    pub generation_id: GenerationId,
    /// At most 1000, the newest first.
    pub calls: Vec<AiCall>,
    /// `before` of the next answer; missing when this is the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_before: Option<i64>,
}

/// One call of an AI command line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AiCall {
    /// Rises with time.
    pub id: i64,
    /// The page, when it is about one.
    pub page: Option<String>,
    /// The stage of the run.
    pub stage: String,
    /// What it was asked: `plan`, `repair`, `page`, `revise` and their like.
    pub purpose: String,
    /// Which try it was; the first is 1.
    pub attempt: i32,
    /// Who answered.
    pub provider: Provider,
    /// With which model.
    pub model: String,
    /// By which version of the command line; `unknown` when nobody knows.
    pub cli_version: String,
    /// SHA-256 of the prompt and the files that it names.
    pub prompt_hash: String,
    /// The worker that made it; for admins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// US dollars that were reserved of budgets.
    pub reserved_usd: f64,
    /// Tokens read, cached ones not included.
    pub input_tokens: i64,
    /// Tokens written.
    pub output_tokens: i64,
    /// Tokens read from the cache.
    pub cached_tokens: i64,
    /// US dollars; null when nobody knows.
    pub cost_usd: Option<f64>,
    /// Who says so: `cli` or `prices`.
    pub cost_source: Option<String>,
    /// When it began.
    pub started_at: String,
    /// When it was settled; null while it runs.
    pub ended_at: Option<String>,
    /// How long it took.
    pub duration_ms: Option<i64>,
    /// `running`, `ok`, `replayed`, `lost`, or the class of the failure.
    pub outcome: String,
}

impl AiCall {
    /// Of a row; only admins are told which worker made it.
    pub fn new(row: CallRow, for_admin: bool) -> Self {
        let time = |time: chrono::DateTime<chrono::Utc>| time.to_rfc3339_opts(SecondsFormat::Millis, true);
        Self {
            id: row.id,
            page: row.slug,
            stage: row.stage,
            purpose: row.purpose,
            attempt: row.attempt,
            provider: row.provider,
            model: row.model,
            cli_version: row.cli_version,
            prompt_hash: row.prompt_hash,
            worker: Some(row.worker).filter(|_| for_admin),
            reserved_usd: row.reserved_usd,
            input_tokens: row.input_tokens,
            output_tokens: row.output_tokens,
            cached_tokens: row.cached_tokens,
            cost_usd: row.cost_usd,
            cost_source: row.cost_source,
            started_at: time(row.started_at),
            ended_at: row.ended_at.map(time),
            duration_ms: row.duration_ms,
            outcome: row.outcome,
        }
    }
}
