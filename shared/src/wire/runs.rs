//! Single runs, as whoever operates docmill looks at them and repeats them.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    db::{page_jobs::FailedPage, past_runs::RunRow},
    evidence::Grade,
    generation::{PROTOCOL, State},
    ids::GenerationId,
    names::{BranchName, ModelId, PageSlug, ProjectName},
    provider::Provider,
    stage::Stage,
    variant::VariantKey,
};

/// One run: an attempt to make a variant's site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Generation {
    /// Its id.
    #[schema(value_type = uuid::Uuid)]
    pub generation_id: GenerationId,
    /// Where it stands.
    pub state: State,
    /// The last stage that began.
    pub stage: Option<String>,
    /// Project name.
    #[schema(value_type = String)]
    pub name: ProjectName,
    /// Branch or tag.
    #[schema(value_type = String)]
    pub branch: BranchName,
    /// Who writes.
    pub ai_provider: Provider,
    /// With which model.
    #[schema(value_type = String)]
    pub ai_model: ModelId,
    /// Owner of the variant.
    pub owner: String,
    /// Who asked for this run.
    pub requested_by: String,
    /// Whether everything is made anew.
    pub force: bool,
    /// The run that this one repeats; it may be deleted by now.
    #[schema(value_type = Option<uuid::Uuid>)]
    pub retry_of: Option<GenerationId>,
    /// The stage from which on it does everything again; `null` when only what failed.
    pub retry_from: Option<Stage>,
    /// The commit it is about.
    pub commit_sha: Option<String>,
    /// How good its pages are, once they are checked; `links.quality` says why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grade: Option<Grade>,
    /// Why it failed or was aborted.
    pub error_message: Option<String>,
    /// Whether somebody asked for its end.
    pub abort_requested: bool,
    /// The worker that holds it.
    pub worker: Option<String>,
    /// Why a queued run is not taken although workers are free, when that is known.
    pub waits_for: Option<String>,
    /// US dollars, when known.
    pub cost_usd: Option<f64>,
    /// How far its pages are.
    pub pages: PageCounts,
    /// Pages that could not be written, and why; only where a single run is asked for.
    pub failed_pages: Vec<FailedPageReason>,
    /// Warnings; its events are kept for a week.
    pub warnings: i64,
    /// When it was asked for, ISO 8601 with `+00:00`.
    pub created_at: String,
    /// When a worker first took it.
    pub started_at: Option<String>,
    /// When it ended.
    pub finished_at: Option<String>,
    /// Where to go from here.
    pub links: GenerationLinks,
}

/// How far the pages of a run are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PageCounts {
    /// With a text.
    pub done: i64,
    /// Without one that did not fail.
    pub open: i64,
    /// Could not be written.
    pub failed: i64,
}

/// A page that could not be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FailedPageReason {
    /// The page.
    #[schema(value_type = String)]
    pub slug: PageSlug,
    /// Why.
    pub reason: String,
}

/// Paths of what belongs to a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct GenerationLinks {
    /// Its variant.
    pub variant: String,
    /// The runs of its variant.
    pub generations: String,
    /// What happens to it.
    pub events: String,
    /// How good its pages are, and what is wrong with them.
    pub quality: String,
    /// Repeats it.
    pub retry: String,
    /// The served site of its variant.
    pub docs: String,
}

/// The runs of a variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct GenerationsResponse {
    /// The newest first, at most fifty.
    pub generations: Vec<Generation>,
}

impl Generation {
    /// A run as it is shown; `failed` are those of its pages that could not be written.
    pub fn new(row: RunRow, failed: Vec<FailedPage>) -> Self {
        let key = VariantKey {
            owner: row.owner,
            name: row.name,
            branch: row.branch,
            provider: row.ai_provider,
            model: row.ai_model,
        };
        let is_for_newer = row.state == State::Queued && row.protocol > PROTOCOL;
        Self {
            links: GenerationLinks::new(row.id, &key),
            generation_id: row.id,
            state: row.state,
            stage: row.stage,
            name: key.name,
            branch: key.branch,
            ai_provider: key.provider,
            ai_model: key.model,
            owner: key.owner,
            requested_by: row.requested_by,
            force: row.force,
            retry_of: row.retry_of,
            retry_from: row.retry_from,
            commit_sha: row.commit_sha,
            grade: row.grade.and_then(|grade| grade.parse().ok()),
            error_message: row.error_message,
            abort_requested: row.is_cancelled,
            worker: row.worker.filter(|_| row.state == State::Running),
            waits_for: is_for_newer.then(|| "a worker of a newer version of docmill".to_owned()),
            cost_usd: row.cost_usd,
            pages: PageCounts {
                done: row.pages_done,
                open: row.pages_total - row.pages_done - row.pages_failed,
                failed: row.pages_failed,
            },
            failed_pages: failed
                .into_iter()
                .map(|page| FailedPageReason { slug: page.slug, reason: page.failure })
                .collect(),
            warnings: row.warnings,
            created_at: to_the_micro(row.created_at),
            started_at: row.started_at.map(to_the_micro),
            finished_at: row.finished_at.map(to_the_micro),
        }
    }
}

impl GenerationLinks {
    fn new(id: GenerationId, key: &VariantKey) -> Self {
        let path = format!("{}/{}/{}/{}", key.name, key.branch.to_segment(), key.provider, key.model);
        Self {
            variant: format!("/api/projects/{path}"),
            generations: format!("/api/projects/{path}/generations"),
            events: format!("/api/generations/{id}/events"),
            quality: format!("/api/generations/{id}/quality"),
            retry: format!("/api/generations/{id}/retry"),
            docs: format!("/docs/{path}/"),
        }
    }
}

/// A time as new routes write it.
pub(super) fn to_the_micro(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, false)
}
