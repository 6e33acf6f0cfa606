//! Variants as clients see them.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    db::variants::VariantRow,
    evidence::Grade,
    ids::GenerationId,
    names::{BranchName, ModelId, ProjectName},
    plan::RepoType,
    provider::Provider,
    stage::Stage,
    variant::Status,
};

use super::models::KnownModels;

/// One variant. The keys stand in docsfy's order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Project {
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
    /// User name of the owner; empty for rows without one.
    pub owner: String,
    /// The newest generation.
    #[schema(value_type = Option<uuid::Uuid>)]
    pub generation_id: Option<GenerationId>,
    /// Address of the repository, or a path on the server.
    pub repo_url: String,
    /// State of the newest generation.
    pub status: Status,
    /// What is being done; `up_to_date` after a run that had nothing to do.
    pub current_stage: Option<Stage>,
    /// Commit of the site that is served.
    pub last_commit_sha: Option<String>,
    /// When that site was made, `YYYY-MM-DD HH:MM:SS` in UTC.
    pub last_generated: Option<String>,
    /// Pages written so far, or of the site.
    pub page_count: i32,
    /// Why the newest generation failed or was aborted.
    pub error_message: Option<String>,
    /// The plan, as a JSON text.
    pub plan_json: Option<String>,
    /// Kind of repository.
    pub repo_type: Option<RepoType>,
    /// US dollars of the newest generation, when known.
    pub total_cost_usd: Option<f64>,
    /// Always empty; docsfy describes images with a model of its own.
    pub vision_provider: String,
    /// Always empty.
    pub vision_model: String,
    /// Whole seconds that the newest generation took, once it ended.
    pub generation_duration: Option<i64>,
    /// When a worker took the newest generation, ISO 8601 with `+00:00`.
    pub generation_started_at: Option<String>,
    /// When the variant was first asked for, `YYYY-MM-DD HH:MM:SS` in UTC.
    pub created_at: String,
    /// When the row last changed, `YYYY-MM-DD HH:MM:SS` in UTC.
    pub updated_at: String,
    /// When it was last checked how far the site is behind its repository, `YYYY-MM-DD HH:MM:SS` in UTC; this and the next
    /// three are missing when nobody checked the site that is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked_at: Option<String>,
    /// The commit that the branch stood at then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked_commit: Option<String>,
    /// How many commits the site was behind; missing when that was not to be known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind_commits: Option<i32>,
    /// Sections of which something that they stand on had changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_sections: Option<i32>,
    /// Grade of the site that is served; not there when nobody checked it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grade: Option<Grade>,
}

impl From<VariantRow> for Project {
    fn from(row: VariantRow) -> Self {
        let duration = row.generation_started_at.zip(row.generation_finished_at).map(|(from, to)| to - from);
        Self {
            name: row.name,
            branch: row.branch,
            ai_provider: row.ai_provider,
            ai_model: row.ai_model,
            owner: row.owner,
            generation_id: row.generation_id,
            repo_url: row.repo_url,
            status: row.status,
            current_stage: row.current_stage,
            last_commit_sha: row.last_commit_sha,
            last_generated: row.last_generated.map(to_the_second),
            page_count: row.page_count,
            error_message: row.error_message,
            plan_json: row.plan_json,
            repo_type: row.repo_type,
            total_cost_usd: row.total_cost_usd,
            vision_provider: String::new(),
            vision_model: String::new(),
            generation_duration: duration.map(|duration| duration.num_seconds()),
            generation_started_at: row
                .generation_started_at
                .map(|time| time.to_rfc3339_opts(SecondsFormat::Micros, false)),
            created_at: to_the_second(row.created_at),
            updated_at: to_the_second(row.updated_at),
            checked_at: row.checked_at.map(to_the_second),
            checked_commit: row.checked_commit,
            behind_commits: row.behind_commits,
            stale_sections: row.stale_sections,
            grade: row.grade.and_then(|grade| grade.parse().ok()),
        }
    }
}

/// A time as docsfy writes it.
pub(crate) fn to_the_second(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// Every variant the caller may see, and what a form for a new one offers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ProjectsResponse {
    /// The variants, the last changed first.
    pub projects: Vec<Project>,
    /// Models of ready variants, by provider.
    #[schema(value_type = BTreeMap<String, Vec<String>>)]
    pub known_models: KnownModels,
    /// Models to choose from, by provider.
    #[schema(value_type = BTreeMap<String, Vec<super::AvailableModel>>)]
    pub available_models: super::models::AvailableModels,
    /// Branches of ready variants, by project name.
    pub known_branches: BTreeMap<String, Vec<String>>,
    /// US dollars of all these variants.
    pub total_cost_usd: f64,
}

/// Every variant of one project name that the caller may see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ProjectResponse {
    /// Project name.
    #[schema(value_type = String)]
    pub name: ProjectName,
    /// The variants, the last changed first.
    pub variants: Vec<Project>,
}
