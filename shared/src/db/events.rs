//! The table `events`: written in the transaction of the change they tell about, announced by NOTIFY when it commits.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgConnection;

use crate::{
    ids::GenerationId,
    names::{BranchName, ModelId, ProjectName},
    provider::Provider,
};

/// The channel on which new events are announced; the payload is an [`Announcement`].
pub const CHANNEL: &str = "docmill_events";

/// What a NOTIFY carries: enough to know whether to look.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Announcement {
    /// Sequence number of the event.
    pub id: i64,
    /// Primary key of the variant.
    pub variant: i64,
    /// The generation.
    pub generation: GenerationId,
    /// `progress`, `status_change` or `warning`.
    pub kind: String,
}

/// A stored event.
#[derive(Debug, Clone)]
pub struct EventRow {
    /// Sequence number; later events have higher ones.
    pub id: i64,
    /// Primary key of the variant.
    pub variant_id: i64,
    /// The generation.
    pub generation_id: GenerationId,
    /// `progress`, `status_change` or `warning`.
    pub kind: String,
    /// What happened.
    pub body: Value,
}

/// A stored event with what those who watch are told of its variant.
#[derive(Debug, Clone)]
pub struct WatchedEvent {
    /// Sequence number.
    pub id: i64,
    /// Primary key of the variant.
    pub variant_id: i64,
    /// The generation.
    pub generation_id: GenerationId,
    /// `progress`, `status_change` or `warning`.
    pub kind: String,
    /// What happened.
    pub body: Value,
    /// When its transaction began.
    pub created_at: DateTime<Utc>,
    /// Owner, or empty.
    pub owner: String,
    /// Project.
    pub name: ProjectName,
    /// Branch or tag.
    pub branch: BranchName,
    /// Provider.
    pub provider: Provider,
    /// Model.
    pub model: ModelId,
    /// When a worker first took the generation.
    pub started_at: Option<DateTime<Utc>>,
}

/// Writes an event and announces it when the transaction commits. The variant's row is locked first, so that the events of
/// one variant commit in the order of their numbers and a reader who saw one has seen all before it.
pub async fn insert(
    conn: &mut PgConnection,
    variant_id: i64,
    generation: GenerationId,
    kind: &str,
    body: &Value,
) -> sqlx::Result<i64> {
    let id = insert_all(conn, &[variant_id], &[generation], kind, body).await?.pop();
    id.ok_or(sqlx::Error::RowNotFound)
}

/// The same event for several generations, each of another variant. Those whose variants are gone are left out.
pub async fn insert_all(
    conn: &mut PgConnection,
    variants: &[i64],
    generations: &[GenerationId],
    kind: &str,
    body: &Value,
) -> sqlx::Result<Vec<i64>> {
    let rows = sqlx::query!(
        r#"
        WITH held AS (
            SELECT id FROM variants WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE
        ),
        made AS (
            INSERT INTO events (variant_id, generation_id, kind, body)
            SELECT held.id, new.generation, $3, $4
              FROM held
              JOIN unnest($1::bigint[], $2::uuid[]) AS new (variant, generation) ON new.variant = held.id
            RETURNING id, variant_id, generation_id
        )
        SELECT made.id AS "id!",
               pg_notify($5, json_build_object('id', made.id, 'variant', made.variant_id,
                                               'generation', made.generation_id, 'kind', $3::text)::text) IS NOT NULL AS announced
          FROM made
        "#,
        variants,
        generations as &[GenerationId],
        kind,
        body,
        CHANNEL,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Sends a notification when the transaction commits.
pub async fn notify(conn: &mut PgConnection, channel: &str, payload: &str) -> sqlx::Result<()> {
    sqlx::query!("SELECT pg_notify($1, $2)", channel, payload).execute(conn).await?;
    Ok(())
}

/// The events of a generation after a sequence number, at most `limit`.
pub async fn list_of_generation(
    conn: &mut PgConnection,
    generation: GenerationId,
    after: i64,
    limit: i64,
) -> sqlx::Result<Vec<EventRow>> {
    sqlx::query_as!(
        EventRow,
        r#"
        SELECT id, variant_id, generation_id AS "generation_id: GenerationId", kind, body
          FROM events WHERE generation_id = $1 AND id > $2 ORDER BY id LIMIT $3
        "#,
        generation as GenerationId,
        after,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// These events, in the order of their numbers. Those of variants that are gone are left out, here and below.
pub async fn list_announced(conn: &mut PgConnection, ids: &[i64]) -> sqlx::Result<Vec<WatchedEvent>> {
    sqlx::query_as!(
        WatchedEvent,
        r#"
        SELECT e.id, e.variant_id, e.generation_id AS "generation_id: GenerationId", e.kind, e.body, e.created_at,
               v.owner, v.name AS "name: ProjectName", v.branch AS "branch: BranchName",
               v.ai_provider AS "provider: Provider", v.ai_model AS "model: ModelId", g.started_at AS "started_at?"
          FROM events e
          JOIN variants v ON v.id = e.variant_id
          LEFT JOIN generations g ON g.id = e.generation_id
         WHERE e.id = ANY($1)
         ORDER BY e.id
        "#,
        ids,
    )
    .fetch_all(conn)
    .await
}

/// The events of a generation after a sequence number, at most `limit`.
pub async fn list_watched_of_generation(
    conn: &mut PgConnection,
    generation: GenerationId,
    after: i64,
    limit: i64,
) -> sqlx::Result<Vec<WatchedEvent>> {
    sqlx::query_as!(
        WatchedEvent,
        r#"
        SELECT e.id, e.variant_id, e.generation_id AS "generation_id: GenerationId", e.kind, e.body, e.created_at,
               v.owner, v.name AS "name: ProjectName", v.branch AS "branch: BranchName",
               v.ai_provider AS "provider: Provider", v.ai_model AS "model: ModelId", g.started_at AS "started_at?"
          FROM events e
          JOIN variants v ON v.id = e.variant_id
          LEFT JOIN generations g ON g.id = e.generation_id
         WHERE e.generation_id = $1 AND e.id > $2
         ORDER BY e.id
         LIMIT $3
        "#,
        generation as GenerationId,
        after,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// The events of a variant after a sequence number, at most `limit`.
pub async fn list_watched_of_variant(
    conn: &mut PgConnection,
    variant: i64,
    after: i64,
    limit: i64,
) -> sqlx::Result<Vec<WatchedEvent>> {
    sqlx::query_as!(
        WatchedEvent,
        r#"
        SELECT e.id, e.variant_id, e.generation_id AS "generation_id: GenerationId", e.kind, e.body, e.created_at,
               v.owner, v.name AS "name: ProjectName", v.branch AS "branch: BranchName",
               v.ai_provider AS "provider: Provider", v.ai_model AS "model: ModelId", g.started_at AS "started_at?"
          FROM events e
          JOIN variants v ON v.id = e.variant_id
          LEFT JOIN generations g ON g.id = e.generation_id
         WHERE e.variant_id = $1 AND e.id > $2
         ORDER BY e.id
         LIMIT $3
        "#,
        variant,
        after,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// The events since a time that come after a sequence number, at most `limit`.
pub async fn list_since(
    conn: &mut PgConnection,
    since: DateTime<Utc>,
    after: i64,
    limit: i64,
) -> sqlx::Result<Vec<WatchedEvent>> {
    sqlx::query_as!(
        WatchedEvent,
        r#"
        SELECT e.id, e.variant_id, e.generation_id AS "generation_id: GenerationId", e.kind, e.body, e.created_at,
               v.owner, v.name AS "name: ProjectName", v.branch AS "branch: BranchName",
               v.ai_provider AS "provider: Provider", v.ai_model AS "model: ModelId", g.started_at AS "started_at?"
          FROM events e
          JOIN variants v ON v.id = e.variant_id
          LEFT JOIN generations g ON g.id = e.generation_id
         WHERE e.created_at >= $1 AND e.id > $2
         -- by the index over the time: in the order of the primary key a week of events would be walked through
         ORDER BY e.id + 0
         LIMIT $3
        "#,
        since,
        after,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// The number of the last event before the newest generation of a variant; with it a reader sees that generation whole.
pub async fn last_before_newest_generation(conn: &mut PgConnection, variant: i64) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"
        SELECT COALESCE(
                   (SELECT min(e.id) - 1 FROM events e JOIN variants v ON v.generation_id = e.generation_id WHERE v.id = $1),
                   (SELECT max(id) FROM events WHERE variant_id = $1),
                   0) AS "last!"
        "#,
        variant,
    )
    .fetch_one(conn)
    .await
}

/// Where a reader of everything begins.
#[derive(Debug, Clone)]
pub struct Position {
    /// The database's time.
    pub now: DateTime<Utc>,
    /// The last event of each variant that had one shortly before.
    pub last_of_variant: HashMap<i64, i64>,
}

/// Where a reader of everything begins who looks back by so many minutes.
pub async fn position(conn: &mut PgConnection, margin_minutes: i32) -> sqlx::Result<Position> {
    let rows = sqlx::query!(
        r#"
        SELECT clock.now AS "now!", recent.variant_id AS "variant_id?", recent.last
          FROM (SELECT clock_timestamp() AS now) AS clock
          LEFT JOIN (
              SELECT variant_id, max(id) AS last
                FROM events
               WHERE created_at >= now() - $1 * interval '1 minute'
               GROUP BY variant_id) AS recent ON true
        "#,
        f64::from(margin_minutes),
    )
    .fetch_all(conn)
    .await?;
    let now = rows.first().map_or_else(Utc::now, |row| row.now);
    let last_of_variant = rows.iter().filter_map(|row| row.variant_id.zip(row.last)).collect();
    Ok(Position { now, last_of_variant })
}

/// How a generation ended, as those who watch are told.
#[derive(Debug, Clone)]
pub struct End {
    /// Pages of the site.
    pub page_count: i32,
    /// When the site was made.
    pub last_generated: Option<DateTime<Utc>>,
    /// Its commit.
    pub last_commit_sha: Option<String>,
    /// When a worker first took the generation.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// What the rows say of the end of a generation.
pub async fn find_end(conn: &mut PgConnection, variant: i64, generation: GenerationId) -> sqlx::Result<Option<End>> {
    sqlx::query_as!(
        End,
        r#"
        SELECT v.page_count, v.last_generated, v.last_commit_sha, g.started_at, g.finished_at
          FROM variants v
          JOIN generations g ON g.id = $2
         WHERE v.id = $1
        "#,
        variant,
        generation as GenerationId,
    )
    .fetch_optional(conn)
    .await
}

/// What a variant shows of a run whose pages are about to be written: the plan and how many pages there are already.
pub async fn find_plan(conn: &mut PgConnection, variant: i64) -> sqlx::Result<Option<(Option<String>, i32)>> {
    let row =
        sqlx::query!("SELECT plan_json, page_count FROM variants WHERE id = $1", variant).fetch_optional(conn).await?;
    Ok(row.map(|row| (row.plan_json, row.page_count)))
}

/// Deletes events older than a week, at most 5,000 at a time.
pub async fn prune(conn: &mut PgConnection) -> sqlx::Result<u64> {
    let rows = sqlx::query!(
        r#"
        DELETE FROM events
         WHERE id IN (SELECT id FROM events WHERE created_at < now() - interval '7 days' LIMIT 5000)
        "#
    )
    .execute(conn)
    .await?;
    Ok(rows.rows_affected())
}
