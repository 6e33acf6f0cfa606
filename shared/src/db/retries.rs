//! Repeating a run: a new row of `generations` with the request of the old one and what is kept of its work.

use sqlx::PgConnection;

use crate::{
    generation::{PROTOCOL, State},
    ids::GenerationId,
    names::{BranchName, CommitSha, ModelId, ProjectName},
    plan::RepoType,
    provider::Provider,
    stage::Stage,
    variant::{Status, VariantKey},
};

/// A run that somebody wants repeated; its variant stays as it is until the end of the transaction.
#[derive(Debug, Clone)]
pub struct HeldRun {
    /// Primary key of its variant.
    pub variant_id: i64,
    /// Its variant.
    pub key: VariantKey,
    /// State of the variant.
    pub status: Status,
    /// The variant's newest run.
    pub newest: Option<GenerationId>,
    /// Source, as [`crate::source::RepoSource`] prints it.
    pub repo_url: String,
    /// How the run ended.
    pub state: State,
    /// Kind of repository, when the request named one.
    pub repo_type: Option<RepoType>,
    /// The run that did the work: another one when this run found the served site up to date.
    pub base: GenerationId,
    /// Whether it pinned a commit itself.
    pub has_cloned: bool,
}

/// Holds the variant of a run; `None` when there is no such run.
pub async fn hold(conn: &mut PgConnection, id: GenerationId) -> sqlx::Result<Option<HeldRun>> {
    let row = sqlx::query!(
        r#"
        SELECT g.variant_id, v.owner, v.name AS "name: ProjectName", v.branch AS "branch: BranchName",
               v.ai_provider AS "provider: Provider", v.ai_model AS "model: ModelId", v.status AS "status: Status",
               v.generation_id AS "newest: GenerationId", v.repo_url, g.state AS "state: State",
               g.repo_type AS "repo_type: RepoType",
               CASE WHEN g.state = 'ready'
                     AND NOT EXISTS (SELECT 1 FROM checkpoints c WHERE c.generation_id = g.id AND c.stage = 'planning')
                    THEN (SELECT served.id FROM generations served
                           WHERE served.variant_id = v.id AND served.site_prefix = v.site_prefix LIMIT 1)
               END AS "base?: GenerationId",
               EXISTS (SELECT 1 FROM checkpoints c WHERE c.generation_id = g.id AND c.stage = 'cloning') AS "has_cloned!"
          FROM generations g
          JOIN variants v ON v.id = g.variant_id
         WHERE g.id = $1
           FOR UPDATE OF v
        "#,
        id as GenerationId,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| HeldRun {
        variant_id: row.variant_id,
        key: VariantKey::new(row.owner, row.name, row.branch, row.provider, row.model),
        status: row.status,
        newest: row.newest,
        repo_url: row.repo_url,
        state: row.state,
        repo_type: row.repo_type,
        base: row.base.unwrap_or(id),
        has_cloned: row.has_cloned,
    }))
}

/// What a repeated run takes over.
#[derive(Debug, Clone)]
pub struct Kept<'a> {
    /// The run that did the work.
    pub base: GenerationId,
    /// Stages whose checkpoints are copied.
    pub stages: &'a [Stage],
    /// Whether finished pages are.
    pub pages: bool,
    /// Whether these count as checked if they were.
    pub checks: bool,
}

/// Makes the row of a run that repeats another one, queued, with what is kept of the work.
pub async fn create(
    conn: &mut PgConnection,
    id: GenerationId,
    retry_of: GenerationId,
    retry_from: Option<Stage>,
    requested_by: &str,
    kept: &Kept<'_>,
) -> sqlx::Result<()> {
    let keeps_commit = kept.stages.contains(&Stage::Cloning);
    sqlx::query!(
        r#"
        INSERT INTO generations (id, retry_of, retry_from, requested_by, protocol, variant_id, commit_sha,
               -- the request; every column of one stands here and below (a test says which is missing)
               force, replace, repo_type, call_timeout_min, max_cost_usd, options)
        SELECT $1, old.id, $3, $4, $5, old.variant_id, CASE WHEN $6 THEN base.commit_sha END,
               old.force, old.replace, old.repo_type, old.call_timeout_min, old.max_cost_usd, old.options
          FROM generations old, generations base
         WHERE old.id = $2 AND base.id = $7
        "#,
        id as GenerationId,
        retry_of as GenerationId,
        retry_from.map(Stage::as_str),
        requested_by,
        PROTOCOL,
        keeps_commit,
        kept.base as GenerationId,
    )
    .execute(&mut *conn)
    .await?;
    let stages: Vec<String> = kept.stages.iter().map(ToString::to_string).collect();
    sqlx::query!(
        r#"
        INSERT INTO checkpoints (generation_id, stage, result)
        SELECT $1, stage, result FROM checkpoints WHERE generation_id = $2 AND stage = ANY($3)
        "#,
        id as GenerationId,
        kept.base as GenerationId,
        &stages,
    )
    .execute(&mut *conn)
    .await?;
    if kept.pages {
        sqlx::query!(
            r#"
            INSERT INTO pages (generation_id, slug, position, input_hash, markdown, sources, checked)
            SELECT $1, slug, position, input_hash, markdown, sources, checked AND $3
              FROM pages WHERE generation_id = $2 AND markdown IS NOT NULL
            "#,
            id as GenerationId,
            kept.base as GenerationId,
            kept.checks,
        )
        .execute(&mut *conn)
        .await?;
    }
    if kept.pages && kept.stages.contains(&Stage::Validating) {
        super::sections::copy(conn, id, kept.base).await?;
    }
    Ok(())
}

/// Other runs of the same variant at this commit, the newest first: each of them may have left its pinned pack.
pub async fn list_at_commit(
    conn: &mut PgConnection,
    id: GenerationId,
    commit: &CommitSha,
) -> sqlx::Result<Vec<GenerationId>> {
    sqlx::query_scalar!(
        r#"
        SELECT other.id AS "id: GenerationId"
          FROM generations g
          JOIN generations other ON other.variant_id = g.variant_id AND other.id <> g.id
         WHERE g.id = $1 AND other.commit_sha = $2
         ORDER BY other.created_at DESC
         LIMIT 50
        "#,
        id as GenerationId,
        commit.as_str(),
    )
    .fetch_all(conn)
    .await
}
