//! Asking for a generation and for its end.

use serde::{Deserialize, Serialize};

use crate::{
    evidence::Grade,
    ids::GenerationId,
    names::{BranchName, ModelId, ProjectName},
    options::{Instructions, LanguageTag, PathGlob, SiteTitle, Subdirectory, WishedPage},
    plan::RepoType,
    provider::Provider,
    variant::Status,
};

/// The body of `POST /api/generate`. Unknown fields are ignored; exactly one of `repo_url` and `repo_path` is needed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct GenerateRequest {
    /// `http(s)://host[:port]/owner/repo(.git)` or `git@host:owner/repo(.git)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repo_url: Option<String>,
    /// Absolute path of a repository on the server; admins only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repo_path: Option<String>,
    /// Who writes; the server's default when missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ai_provider: Option<Provider>,
    /// With which model; the server's default when missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub ai_model: Option<ModelId>,
    /// Minutes one call of an AI command line may take, 1 to 1440; the server's default when missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1440)]
    pub ai_cli_timeout: Option<u32>,
    /// Makes everything anew, also from another repository than before.
    #[schema(required = false, default = false)]
    pub force: bool,
    /// When the pages of another model's variant are taken over, deletes that variant in the end.
    #[schema(required = false, default = false)]
    pub replace: bool,
    /// Starts nothing and answers what this request would do, and what that would cost.
    #[schema(required = false, default = false)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Branch or tag; `main` when missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false, default = "main")]
    pub branch: Option<BranchName>,
    /// Kind of repository; found out when missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repo_type: Option<RepoType>,
    /// US dollars that the generation may cost, above 0; no limit of its own when missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(exclusive_minimum = 0, maximum = 100_000)]
    pub max_cost_usd: Option<f64>,
    /// The project's name as a title, at most 200 characters. This and the fields below win over the repository's own
    /// `docmill.toml`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub title: Option<SiteTitle>,
    /// Language of the pages, as BCP 47 writes it: `en`, `pt-BR`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub language: Option<LanguageTag>,
    /// What the pages should stress, at most 8 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub instructions: Option<Instructions>,
    /// Only files that match one of these globs are documented; at most 100 of 256 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    pub include: Option<Vec<PathGlob>>,
    /// Files that match one of these globs are not documented; at most 100 of 256 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    pub exclude: Option<Vec<PathGlob>>,
    /// Only files below this folder are documented.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub subdirectory: Option<Subdirectory>,
    /// Pages that the site must have, at most 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pages: Option<Vec<WishedPage>>,
    /// Whether these are all pages of the site.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pages_only: Option<bool>,
    /// The grade that the site must reach: below it the run ends `error` and the old site stays. The server may ask for
    /// more (`MIN_GRADE`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_grade: Option<Grade>,
}

/// Answer 202: the generation is queued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct GenerateResponse {
    /// Project name, from the repository's address.
    #[schema(value_type = String)]
    pub project: ProjectName,
    /// Always `generating`.
    pub status: Status,
    /// Branch or tag.
    #[schema(value_type = String)]
    pub branch: BranchName,
    /// The new generation.
    #[schema(value_type = uuid::Uuid)]
    pub generation_id: GenerationId,
    /// Kind of repository, when the request named one.
    pub repo_type: Option<RepoType>,
}

/// The generation has ended as aborted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AbortResponse {
    /// `name`, or `name/branch/provider/model`, as it was asked for.
    pub aborted: String,
}

/// It is gone, with its site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DeleteResponse {
    /// `name`, or `name/branch/provider/model`, as it was asked for.
    pub deleted: String,
}
