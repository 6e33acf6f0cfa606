//! What AI calls used up, for people who read the account: sums over the table `ai_calls`, and its rows.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgConnection;

use crate::{ids::GenerationId, provider::Provider};

/// Most rows of one answer.
pub const MAX_ROWS: i64 = 1000;

/// Which calls are summed up: those that began on these days (UTC).
#[derive(Debug, Clone)]
pub struct Span {
    /// First day.
    pub from: NaiveDate,
    /// Last day.
    pub to: NaiveDate,
    /// Only calls of generations that this user asked for.
    pub username: Option<String>,
    /// Only those since the user of that name exists: one who was deleted before is somebody else.
    pub of_present_user: bool,
}

/// Sums of some calls.
#[derive(Debug, Clone, PartialEq)]
pub struct UsageRow {
    /// What the calls have in common; empty for all of them.
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

/// A row of the account.
#[derive(Debug, Clone, PartialEq)]
pub struct CallRow {
    /// Rises with time.
    pub id: i64,
    /// The page.
    pub slug: Option<String>,
    /// The stage of the run.
    pub stage: String,
    /// What it was asked.
    pub purpose: String,
    /// Which try it was.
    pub attempt: i32,
    /// Who answered.
    pub provider: Provider,
    /// With which model.
    pub model: String,
    /// By which version of the command line.
    pub cli_version: String,
    /// Of the prompt and the files that it names.
    pub prompt_hash: String,
    /// The worker that made it.
    pub worker: String,
    /// What was reserved of budgets.
    pub reserved_usd: f64,
    /// Tokens read, cached ones not included.
    pub input_tokens: i64,
    /// Tokens written.
    pub output_tokens: i64,
    /// Tokens read from caches.
    pub cached_tokens: i64,
    /// US dollars, if anybody knows.
    pub cost_usd: Option<f64>,
    /// Who says so.
    pub cost_source: Option<String>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it was settled.
    pub ended_at: Option<DateTime<Utc>>,
    /// How long it took.
    pub duration_ms: Option<i64>,
    /// What came of it.
    pub outcome: String,
}

/// The day it is, UTC.
pub async fn today(conn: &mut PgConnection) -> sqlx::Result<NaiveDate> {
    sqlx::query_scalar!(r#"SELECT (now() AT TIME ZONE 'UTC')::date AS "today!""#).fetch_one(conn).await
}

/// Sums by `group_by`: `day`, `user`, `project`, `model`, `stage`, or `all` for one row. Days in their order, others by cost;
/// at most [`MAX_ROWS`].
pub async fn sum_up(conn: &mut PgConnection, span: &Span, group_by: &str) -> sqlx::Result<Vec<UsageRow>> {
    sqlx::query_as!(
        UsageRow,
        r#"
        WITH calls AS (
            SELECT CASE $1 WHEN 'day' THEN to_char(c.started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')
                           WHEN 'user' THEN c.username
                           WHEN 'project' THEN c.owner || '/' || c.project
                           WHEN 'model' THEN c.provider || '/' || c.model
                           WHEN 'stage' THEN c.stage
                           ELSE '' END AS key,
                   c.*
              FROM ai_calls c
             WHERE c.started_at >= $2::date::timestamp AT TIME ZONE 'UTC'
               AND c.started_at < ($3::date + 1)::timestamp AT TIME ZONE 'UTC'
               AND ($4::text IS NULL OR c.username = $4)
               AND (NOT $5 OR c.started_at >= COALESCE(
                   (SELECT u.created_at FROM users u WHERE u.username = $4), '-infinity'))
        )
        SELECT key AS "key!", count(*) AS "calls!",
               count(*) FILTER (WHERE outcome NOT IN ('ok', 'replayed', 'running')) AS "failed_calls!",
               sum(input_tokens)::bigint AS "input_tokens!", sum(output_tokens)::bigint AS "output_tokens!",
               sum(cached_tokens)::bigint AS "cached_tokens!", COALESCE(sum(cost_usd), 0) AS "cost_usd!",
               COALESCE(sum(duration_ms), 0)::bigint AS "duration_ms!"
          FROM calls
         GROUP BY key
         ORDER BY CASE WHEN $1 = 'day' THEN key END, COALESCE(sum(cost_usd), 0) DESC, count(*) DESC, key
         LIMIT $6
        "#,
        group_by,
        span.from,
        span.to,
        span.username,
        span.of_present_user,
        MAX_ROWS,
    )
    .fetch_all(conn)
    .await
}

/// The calls of a generation, the newest first, at most [`MAX_ROWS`], those before a row when one is named.
pub async fn list_calls(
    conn: &mut PgConnection,
    generation: GenerationId,
    before: Option<i64>,
) -> sqlx::Result<Vec<CallRow>> {
    sqlx::query_as!(
        CallRow,
        r#"
        SELECT id, slug, stage, purpose, attempt, provider AS "provider: Provider", model, cli_version, prompt_hash, worker,
               reserved_usd, input_tokens, output_tokens, cached_tokens, cost_usd, cost_source, started_at, ended_at,
               duration_ms, outcome
          FROM ai_calls
         WHERE generation_id = $1 AND ($2::bigint IS NULL OR id < $2)
         ORDER BY id DESC
         LIMIT $3
        "#,
        generation as GenerationId,
        before,
        MAX_ROWS,
    )
    .fetch_all(conn)
    .await
}

/// Who owns a generation; for one that was deleted there is only the account, and nobody does.
pub async fn find_owner(conn: &mut PgConnection, generation: GenerationId) -> sqlx::Result<Option<Option<String>>> {
    let owner = sqlx::query_scalar!(
        "SELECT v.owner FROM generations g JOIN variants v ON v.id = g.variant_id WHERE g.id = $1",
        generation as GenerationId,
    )
    .fetch_optional(&mut *conn)
    .await?;
    if owner.is_some() {
        return Ok(Some(owner));
    }
    let known = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM ai_calls WHERE generation_id = $1) AS "known!""#,
        generation as GenerationId,
    );
    Ok(known.fetch_one(conn).await?.then_some(None))
}
