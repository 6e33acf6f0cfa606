//! The table `variants`: what exists, in which state, and which site is served.

use chrono::{DateTime, Utc};
use futures_util::{TryStreamExt, stream::BoxStream};
use sqlx::PgConnection;

use crate::{
    ids::GenerationId,
    names::{BranchName, ModelId, ProjectName},
    plan::RepoType,
    provider::Provider,
    stage::Stage,
    variant::{Status, VariantKey},
};

/// A row of `variants` with the times of its newest generation.
#[derive(Debug, Clone)]
pub struct VariantRow {
    /// Primary key.
    pub id: i64,
    /// Owner, or empty.
    pub owner: String,
    /// Project.
    pub name: ProjectName,
    /// Branch or tag.
    pub branch: BranchName,
    /// Provider.
    pub ai_provider: Provider,
    /// Model.
    pub ai_model: ModelId,
    /// Source, as [`crate::source::RepoSource`] prints it.
    pub repo_url: String,
    /// Public state.
    pub status: Status,
    /// Stage of the running generation; `up_to_date` after a run that had nothing to do.
    pub current_stage: Option<Stage>,
    /// Why the newest generation failed or was aborted.
    pub error_message: Option<String>,
    /// Pages written so far, or of the served site.
    pub page_count: i32,
    /// The plan as a JSON text.
    pub plan_json: Option<String>,
    /// Kind of repository.
    pub repo_type: Option<RepoType>,
    /// US dollars of the newest generation, when known.
    pub total_cost_usd: Option<f64>,
    /// The newest generation.
    pub generation_id: Option<GenerationId>,
    /// Folder of the served site.
    pub site_prefix: Option<String>,
    /// Commit of the served site.
    pub last_commit_sha: Option<String>,
    /// Grade of the served site: a letter of [`crate::evidence::Grade`]; none when nobody checked it.
    pub grade: Option<String>,
    /// When the served site was made.
    pub last_generated: Option<DateTime<Utc>>,
    /// When the variant was first asked for.
    pub created_at: DateTime<Utc>,
    /// When the row last changed.
    pub updated_at: DateTime<Utc>,
    /// When a worker first took the newest generation.
    pub generation_started_at: Option<DateTime<Utc>>,
    /// When the newest generation ended.
    pub generation_finished_at: Option<DateTime<Utc>>,
    /// When somebody last checked how far the served site is behind; none since it was made.
    pub checked_at: Option<DateTime<Utc>>,
    /// Where the branch stood then.
    pub checked_commit: Option<String>,
    /// By how many commits it was behind; none when that is not known.
    pub behind_commits: Option<i32>,
    /// Of how many sections something had changed.
    pub stale_sections: Option<i32>,
}

impl VariantRow {
    /// The variant's key.
    pub fn key(&self) -> VariantKey {
        VariantKey {
            owner: self.owner.clone(),
            name: self.name.clone(),
            branch: self.branch.clone(),
            provider: self.ai_provider,
            model: self.ai_model.clone(),
        }
    }
}

/// Whose variants are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope<'a> {
    /// Everybody's (admins).
    All,
    /// One owner's: what a user may change.
    Owner(&'a str),
    /// One owner's and those of projects that the owner was given access to: what a user may read.
    Reader(&'a str),
}

impl<'a> Scope<'a> {
    /// The user, unless everybody's variants are meant.
    pub(super) fn user(self) -> Option<&'a str> {
        match self {
            Self::All => None,
            Self::Owner(user) | Self::Reader(user) => Some(user),
        }
    }

    /// Whether granted projects count as well.
    pub(super) fn with_granted(self) -> bool {
        matches!(self, Self::Reader(_))
    }
}

/// What has to be known of a variant before a new generation takes it.
#[derive(Debug, Clone)]
pub struct HeldVariant {
    /// Primary key.
    pub id: i64,
    /// Public state.
    pub status: Status,
    /// Source, as [`crate::source::RepoSource`] prints it.
    pub repo_url: String,
}

/// Keeps the variant as it is until the end of the transaction; `None` when there is none.
pub async fn hold(conn: &mut PgConnection, key: &VariantKey) -> sqlx::Result<Option<HeldVariant>> {
    sqlx::query_as!(
        HeldVariant,
        r#"
        SELECT id, status AS "status: Status", repo_url
          FROM variants
         WHERE owner = $1 AND name = $2 AND branch = $3 AND ai_provider = $4 AND ai_model = $5
           FOR UPDATE
        "#,
        key.owner,
        key.name.as_str(),
        key.branch.as_str(),
        key.provider.as_str(),
        key.model.as_str(),
    )
    .fetch_optional(conn)
    .await
}

/// Turns a variant that is held and idle to `generating`. What the last run left (plan, page count, site) stays.
pub async fn start(
    conn: &mut PgConnection,
    id: i64,
    repo_url: &str,
    repo_type: Option<RepoType>,
    generation: GenerationId,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        UPDATE variants
           SET status = 'generating', error_message = NULL, current_stage = NULL, total_cost_usd = NULL,
               repo_url = $2, repo_type = COALESCE($3, repo_type), generation_id = $4, updated_at = now()
         WHERE id = $1 AND status <> 'generating'
        "#,
        id,
        repo_url,
        repo_type.map(RepoType::as_str),
        generation as GenerationId,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Every variant of a scope, the last changed first.
pub async fn list(conn: &mut PgConnection, scope: Scope<'_>) -> sqlx::Result<Vec<VariantRow>> {
    select(conn, scope, Filter::default()).await
}

/// The same row by row, so that nobody has to hold them all.
pub fn stream_all<'c>(conn: &'c mut PgConnection, scope: Scope<'_>) -> BoxStream<'c, sqlx::Result<VariantRow>> {
    stream(conn, scope, &Filter::default())
}

/// Every variant of one project name, the last changed first.
pub async fn list_of_project(
    conn: &mut PgConnection,
    scope: Scope<'_>,
    name: &ProjectName,
) -> sqlx::Result<Vec<VariantRow>> {
    select(conn, scope, Filter { name: Some(name), ..Filter::default() }).await
}

/// The variants of this name, branch, provider and model: one for each owner.
pub async fn list_matching(
    conn: &mut PgConnection,
    scope: Scope<'_>,
    name: &ProjectName,
    branch: &BranchName,
    provider: Provider,
    model: &ModelId,
) -> sqlx::Result<Vec<VariantRow>> {
    let filter =
        Filter { name: Some(name), branch: Some(branch), provider: Some(provider), model: Some(model), id: None };
    select(conn, scope, filter).await
}

/// The variant of this primary key, when the scope has it.
pub async fn find(conn: &mut PgConnection, scope: Scope<'_>, id: i64) -> sqlx::Result<Option<VariantRow>> {
    Ok(select(conn, scope, Filter { id: Some(id), ..Filter::default() }).await?.pop())
}

#[derive(Default)]
struct Filter<'a> {
    id: Option<i64>,
    name: Option<&'a ProjectName>,
    branch: Option<&'a BranchName>,
    provider: Option<Provider>,
    model: Option<&'a ModelId>,
}

async fn select(conn: &mut PgConnection, scope: Scope<'_>, filter: Filter<'_>) -> sqlx::Result<Vec<VariantRow>> {
    stream(conn, scope, &filter).try_collect().await
}

fn stream<'c>(
    conn: &'c mut PgConnection,
    scope: Scope<'_>,
    filter: &Filter<'_>,
) -> BoxStream<'c, sqlx::Result<VariantRow>> {
    sqlx::query_as!(
        VariantRow,
        r#"
        SELECT v.id, v.owner, v.name AS "name: ProjectName", v.branch AS "branch: BranchName",
               v.ai_provider AS "ai_provider: Provider", v.ai_model AS "ai_model: ModelId",
               v.repo_url, v.status AS "status: Status", v.current_stage AS "current_stage: Stage", v.error_message,
               v.page_count, v.plan_json, v.repo_type AS "repo_type: RepoType", v.total_cost_usd,
               v.generation_id AS "generation_id: GenerationId", v.site_prefix, v.last_commit_sha, v.grade, v.last_generated,
               v.created_at, v.updated_at,
               g.started_at AS "generation_started_at?", g.finished_at AS "generation_finished_at?",
               v.checked_at, v.checked_commit, v.behind_commits, v.stale_sections
          FROM variants v
          LEFT JOIN generations g ON g.id = v.generation_id
         WHERE ($1::bigint IS NULL OR v.id = $1)
           AND ($2::text IS NULL OR v.owner = $2
                OR ($7 AND EXISTS (SELECT 1 FROM project_access a
                                    WHERE a.owner = v.owner AND a.name = v.name AND a.username = $2)))
           AND ($3::text IS NULL OR v.name = $3)
           AND ($4::text IS NULL OR v.branch = $4)
           AND ($5::text IS NULL OR v.ai_provider = $5)
           AND ($6::text IS NULL OR v.ai_model = $6)
         ORDER BY v.updated_at DESC, v.id DESC
        "#,
        filter.id,
        scope.user(),
        filter.name.map(ProjectName::as_str),
        filter.branch.map(BranchName::as_str),
        filter.provider.map(Provider::as_str),
        filter.model.map(ModelId::as_str),
        scope.with_granted(),
    )
    .fetch(conn)
}

/// The variants of a project whose served site is the newest; more than one when owners tie. A site stays served while a
/// newer run is on its way or after it failed.
pub async fn list_newest_served(
    conn: &mut PgConnection,
    scope: Scope<'_>,
    name: &ProjectName,
) -> sqlx::Result<Vec<VariantRow>> {
    let mut served = list_of_project(conn, scope, name).await?;
    served.retain(|row| row.site_prefix.is_some());
    let newest = served.iter().filter_map(|row| row.last_generated).max();
    served.retain(|row| row.last_generated == newest);
    Ok(served)
}

/// Provider and model of every ready variant, sorted.
pub async fn list_known_models(conn: &mut PgConnection) -> sqlx::Result<Vec<(Provider, ModelId)>> {
    let rows = sqlx::query!(
        r#"
        SELECT DISTINCT ai_provider AS "provider: Provider", ai_model AS "model: ModelId"
          FROM variants
         WHERE status = 'ready'
         ORDER BY 1, 2
        "#
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.provider, row.model)).collect())
}

/// The older builds of a variant, newest first: a page that is still open in a browser asks for their hashed assets.
pub async fn list_older_site_prefixes(conn: &mut PgConnection, variant: i64, limit: i64) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"
        SELECT g.site_prefix AS "site_prefix!"
          FROM generations g
          JOIN variants v ON v.id = g.variant_id
         WHERE g.variant_id = $1 AND g.site_prefix IS NOT NULL AND g.site_prefix IS DISTINCT FROM v.site_prefix
         ORDER BY g.finished_at DESC
         LIMIT $2
        "#,
        variant,
        limit,
    )
    .fetch_all(conn)
    .await
}
