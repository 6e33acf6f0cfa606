//! Runs as operators look at them: what became of each, how far it came, what failed. Reads the tables of the others.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{
    generation::State,
    ids::GenerationId,
    names::{BranchName, ModelId, ProjectName},
    provider::Provider,
    stage::Stage,
};

/// A run with its variant.
#[derive(Debug, Clone)]
pub struct RunRow {
    /// The run.
    pub id: GenerationId,
    /// Primary key of its variant.
    pub variant_id: i64,
    /// Owner of the variant.
    pub owner: String,
    /// Project.
    pub name: ProjectName,
    /// Branch or tag.
    pub branch: BranchName,
    /// Who writes.
    pub ai_provider: Provider,
    /// With which model.
    pub ai_model: ModelId,
    /// Where it stands.
    pub state: State,
    /// The last stage that began.
    pub stage: Option<String>,
    /// Its commit.
    pub commit_sha: Option<String>,
    /// The run it repeats.
    pub retry_of: Option<GenerationId>,
    /// From which stage on.
    pub retry_from: Option<Stage>,
    /// Who asked.
    pub requested_by: String,
    /// Whether everything is made anew.
    pub force: bool,
    /// Who works on it.
    pub worker: Option<String>,
    /// Whether somebody asked for its end.
    pub is_cancelled: bool,
    /// What a worker must understand.
    pub protocol: i32,
    /// A letter of [`crate::evidence::Grade`], once its pages are checked.
    pub grade: Option<String>,
    /// Why it failed or was aborted.
    pub error_message: Option<String>,
    /// US dollars.
    pub cost_usd: Option<f64>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When a worker first took it.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Pages that have a text and did not fail.
    pub pages_done: i64,
    /// Pages of the plan, once there is one.
    pub pages_total: i64,
    /// Pages that could not be written.
    pub pages_failed: i64,
    /// Warnings, while its events are kept.
    pub warnings: i64,
}

/// A run; `None` when there is none.
pub async fn find(conn: &mut PgConnection, id: GenerationId) -> sqlx::Result<Option<RunRow>> {
    Ok(select(conn, Some(id), None, 1).await?.pop())
}

/// The runs of a variant, the newest first.
pub async fn list(conn: &mut PgConnection, variant: i64, limit: i64) -> sqlx::Result<Vec<RunRow>> {
    select(conn, None, Some(variant), limit).await
}

async fn select(
    conn: &mut PgConnection,
    id: Option<GenerationId>,
    variant: Option<i64>,
    limit: i64,
) -> sqlx::Result<Vec<RunRow>> {
    sqlx::query_as!(
        RunRow,
        r#"
        SELECT g.id AS "id: GenerationId", g.variant_id, v.owner, v.name AS "name: ProjectName",
               v.branch AS "branch: BranchName", v.ai_provider AS "ai_provider: Provider",
               v.ai_model AS "ai_model: ModelId", g.state AS "state: State", g.stage, g.commit_sha,
               g.retry_of AS "retry_of: GenerationId", g.retry_from AS "retry_from: Stage", g.requested_by, g.force,
               g.worker, g.cancel_requested_at IS NOT NULL AS "is_cancelled!", g.protocol, g.grade, g.error_message, g.cost_usd,
               g.created_at, g.started_at, g.finished_at,
               pages.done AS "pages_done!", pages.total AS "pages_total!", pages.failed AS "pages_failed!",
               (SELECT count(*) FROM events e WHERE e.generation_id = g.id AND e.kind = 'warning') AS "warnings!"
          FROM generations g
          JOIN variants v ON v.id = g.variant_id
         CROSS JOIN LATERAL (
               SELECT count(*) AS total, count(*) FILTER (WHERE j.state = 'failed') AS failed,
                      count(*) FILTER (WHERE p.markdown IS NOT NULL AND j.state IS DISTINCT FROM 'failed') AS done
                 FROM pages p
                 LEFT JOIN page_jobs j ON j.generation_id = p.generation_id AND j.slug = p.slug
                WHERE p.generation_id = g.id) AS pages
         WHERE ($1::uuid IS NULL OR g.id = $1) AND ($2::bigint IS NULL OR g.variant_id = $2)
         ORDER BY g.created_at DESC, g.id DESC
         LIMIT $3
        "#,
        id.map(|id| id.0),
        variant,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// Deletes ended runs with all that belongs to them, when they ended so many days ago and are neither the newest of their
/// variant nor the one that made the served site. At most `limit`, the oldest first; gives their number. Their folders in
/// the site store are left to whoever reads `deleted_sites`.
pub async fn delete_old(conn: &mut PgConnection, keep_days: i32, limit: i64) -> sqlx::Result<u64> {
    let old = sqlx::query_scalar!(
        r#"
        SELECT g.id AS "id: GenerationId"
          FROM generations g
          JOIN variants v ON v.id = g.variant_id
         WHERE g.finished_at < now() - make_interval(days => $1) AND g.state IN ('ready', 'error', 'aborted')
           AND v.generation_id IS DISTINCT FROM g.id
           AND (g.site_prefix IS NULL OR g.site_prefix IS DISTINCT FROM v.site_prefix)
         ORDER BY g.finished_at
         LIMIT $2
           FOR UPDATE OF g SKIP LOCKED
        "#,
        keep_days,
        limit,
    )
    .fetch_all(&mut *conn)
    .await?;
    if old.is_empty() {
        return Ok(0);
    }
    let ids: Vec<uuid::Uuid> = old.iter().map(|id| id.0).collect();
    // a worker that died or lost its lease may have left a folder under any fence
    sqlx::query!(
        r#"
        INSERT INTO deleted_sites (site_prefix)
        SELECT g.site_prefix FROM generations g WHERE g.id = ANY($1) AND g.site_prefix IS NOT NULL
         UNION
        SELECT g.id || '-' || tried.fence
          FROM generations g, generate_series(1, g.fence) AS tried (fence)
         WHERE g.id = ANY($1)
        ON CONFLICT (site_prefix) DO NOTHING
        "#,
        &ids,
    )
    .execute(&mut *conn)
    .await?;
    // checkpoints, pages and page jobs go with them
    let deleted = sqlx::query!("DELETE FROM generations WHERE id = ANY($1)", &ids).execute(conn).await?;
    Ok(deleted.rows_affected())
}
