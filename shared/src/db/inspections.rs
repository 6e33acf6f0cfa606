//! The table `inspections`: questions about sites that workers answer without touching anything. A row is queued, taken under
//! a lease, and always ends: by its worker, or by the reaper when that is gone, or nobody came.

use std::time::Duration;

use serde_json::Value;
use sqlx::{PgConnection, types::Json};

use super::{WriteError, generations::interval, one_row};
use crate::{
    ids::InspectionId,
    inspection::{Bill, CheckResult, DryRunRequest, Inspection, Kind, State},
    names::ModelId,
    options::RunOptions,
    provider::Provider,
};

/// Most inspections of one caller that wait or run at a time.
pub const MAX_OPEN: i64 = 20;
/// Deaths after which an inspection is given up.
const MAX_DEATHS: i32 = 3;

/// A question that is to be asked.
#[derive(Debug, Clone, Copy)]
pub struct NewInspection<'a> {
    /// The variant, when there is one.
    pub variant_id: Option<i64>,
    /// Who asks.
    pub requested_by: &'a str,
    /// What is asked.
    pub question: Question<'a>,
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub enum Question<'a> {
    /// How far the site is behind.
    Check,
    /// What this request would do.
    DryRun(&'a DryRunRequest),
}

impl Question<'_> {
    fn kind(self) -> Kind {
        match self {
            Self::Check => Kind::Check,
            Self::DryRun(_) => Kind::DryRun,
        }
    }

    fn request(self) -> Value {
        match self {
            Self::Check => Value::Object(serde_json::Map::new()),
            Self::DryRun(request) => serde_json::to_value(request).expect("it is made of texts and lists"),
        }
    }
}

/// The right to answer one.
#[derive(Debug, Clone)]
pub struct ClaimedInspection {
    /// Which.
    pub id: InspectionId,
    /// Names the holder.
    pub fence: i64,
    /// The variant, when there is one.
    pub variant_id: Option<i64>,
    /// What is asked.
    pub kind: Kind,
    /// The request of a dry run.
    pub request: Value,
}

/// Who asked, and what became of it.
#[derive(Debug, Clone)]
pub struct InspectionRow {
    /// Who asked.
    pub requested_by: String,
    /// As it is told.
    pub inspection: Inspection,
}

/// One that asks the very same and has not ended.
pub async fn find_open(conn: &mut PgConnection, new: &NewInspection<'_>) -> sqlx::Result<Option<InspectionId>> {
    sqlx::query_scalar!(
        r#"
        SELECT id AS "id: InspectionId"
          FROM inspections
         WHERE state IN ('queued', 'running') AND kind = $1 AND variant_id IS NOT DISTINCT FROM $2
           AND requested_by = $3 AND request = $4
         ORDER BY created_at
         LIMIT 1
        "#,
        new.question.kind().as_str(),
        new.variant_id,
        new.requested_by,
        new.question.request(),
    )
    .fetch_optional(conn)
    .await
}

/// Makes the row; `None` when the caller has too many open ones.
pub async fn create(conn: &mut PgConnection, new: &NewInspection<'_>) -> sqlx::Result<Option<InspectionId>> {
    sqlx::query_scalar!(
        r#"
        INSERT INTO inspections (id, variant_id, requested_by, kind, request)
        SELECT $1, $2, $3, $4, $5
         WHERE (SELECT count(*) FROM inspections
                 WHERE requested_by = $3 AND state IN ('queued', 'running')) < $6
        RETURNING id AS "id: InspectionId"
        "#,
        InspectionId::new() as InspectionId,
        new.variant_id,
        new.requested_by,
        new.question.kind().as_str(),
        new.question.request(),
        MAX_OPEN,
    )
    .fetch_optional(conn)
    .await
}

/// Takes a queued one.
pub async fn claim(
    conn: &mut PgConnection,
    id: InspectionId,
    lease: Duration,
) -> sqlx::Result<Option<ClaimedInspection>> {
    sqlx::query_as!(
        ClaimedInspection,
        r#"
        UPDATE inspections
           SET state = 'running', fence = fence + 1, lease_until = now() + $2::interval
         WHERE id = $1 AND state = 'queued'
        RETURNING id AS "id: InspectionId", fence, variant_id, kind AS "kind: Kind", request
        "#,
        id as InspectionId,
        interval(lease),
    )
    .fetch_optional(conn)
    .await
}

/// Extends the lease.
pub async fn renew(conn: &mut PgConnection, id: InspectionId, fence: i64, lease: Duration) -> Result<(), WriteError> {
    let rows = sqlx::query!(
        "UPDATE inspections SET lease_until = now() + $3::interval WHERE id = $1 AND fence = $2 AND state = 'running'",
        id as InspectionId,
        fence,
        interval(lease),
    )
    .execute(conn)
    .await?;
    one_row(rows.rows_affected())
}

/// Puts it back for another worker.
pub async fn put_back(conn: &mut PgConnection, id: InspectionId, fence: i64) -> Result<(), WriteError> {
    let rows = sqlx::query!(
        r#"
        UPDATE inspections SET state = 'queued', lease_until = NULL
         WHERE id = $1 AND fence = $2 AND state = 'running'
        "#,
        id as InspectionId,
        fence,
    )
    .execute(conn)
    .await?;
    one_row(rows.rows_affected())
}

/// Takes back the death that was counted when a lease ran out: its holder lives, it was only slow.
pub async fn live_on(conn: &mut PgConnection, id: InspectionId, fence: i64) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        UPDATE inspections SET deaths = deaths - 1
         WHERE id = $1 AND deaths > 0 AND state IN ('queued', 'running')
           -- put back by the reaper, and maybe taken by another since
           AND (fence > $2 OR state = 'queued')
        "#,
        id as InspectionId,
        fence,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends it, with a result or with the reason why there is none. A lease that ran out does no harm while nobody else took it.
pub async fn finish(
    conn: &mut PgConnection,
    id: InspectionId,
    fence: i64,
    result: Result<&Value, &str>,
) -> Result<(), WriteError> {
    let state = if result.is_ok() { State::Done } else { State::Failed };
    let rows = sqlx::query!(
        r#"
        UPDATE inspections
           SET state = $3, result = $4, message = $5, lease_until = NULL, finished_at = now()
         WHERE id = $1 AND fence = $2 AND state IN ('queued', 'running')
        "#,
        id as InspectionId,
        fence,
        state as State,
        result.ok(),
        result.err(),
    )
    .execute(conn)
    .await?;
    one_row(rows.rows_affected())
}

/// What became of one.
pub async fn find(conn: &mut PgConnection, id: InspectionId) -> sqlx::Result<Option<InspectionRow>> {
    let row = sqlx::query!(
        r#"
        SELECT requested_by, kind AS "kind: Kind", state AS "state: State", result, message
          FROM inspections WHERE id = $1
        "#,
        id as InspectionId,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| {
        // one that another version wrote is told without what cannot be read
        let is_check = row.kind == Kind::Check;
        let check: Option<CheckResult> =
            row.result.clone().filter(|_| is_check).and_then(|value| serde_json::from_value(value).ok());
        let bill: Option<Bill> = row.result.filter(|_| !is_check).and_then(|value| serde_json::from_value(value).ok());
        let inspection =
            Inspection { inspection_id: id, kind: row.kind, state: row.state, message: row.message, check, bill };
        InspectionRow { requested_by: row.requested_by, inspection }
    }))
}

/// Takes back what lost its worker, and ends what three workers died over or nobody took in ten minutes. Gives those that
/// have to be rung for (those that are queued for a while are rung for again), and those that ended.
pub async fn reap(conn: &mut PgConnection) -> sqlx::Result<(Vec<(InspectionId, i64)>, Vec<InspectionId>)> {
    let ended = sqlx::query_scalar!(
        r#"
        UPDATE inspections
           SET state = 'failed', lease_until = NULL, finished_at = now(),
               message = CASE state WHEN 'queued' THEN 'no worker took it within ten minutes'
                                    ELSE 'the workers that looked died over it' END
         WHERE (state = 'running' AND lease_until < now() AND deaths + 1 >= $1)
            OR (state = 'queued' AND created_at < now() - interval '10 minutes')
        RETURNING id AS "id: InspectionId"
        "#,
        MAX_DEATHS,
    )
    .fetch_all(&mut *conn)
    .await?;
    let queued = sqlx::query!(
        r#"
        UPDATE inspections
           SET state = 'queued', lease_until = NULL,
               deaths = deaths + CASE state WHEN 'running' THEN 1 ELSE 0 END
         WHERE (state = 'running' AND lease_until < now())
            OR (state = 'queued' AND created_at < now() - interval '5 seconds')
        RETURNING id AS "id: InspectionId", fence
        "#
    )
    .fetch_all(conn)
    .await?;
    Ok((queued.into_iter().map(|row| (row.id, row.fence)).collect(), ended))
}

/// Deletes what was answered a week ago, and all but the newest 1,000.
pub async fn prune(conn: &mut PgConnection) -> sqlx::Result<u64> {
    let rows = sqlx::query!(
        r#"
        DELETE FROM inspections
         WHERE finished_at < now() - interval '7 days'
            OR finished_at < (SELECT finished_at FROM inspections
                               WHERE finished_at IS NOT NULL ORDER BY finished_at DESC OFFSET 1000 LIMIT 1)
        "#
    )
    .execute(conn)
    .await?;
    Ok(rows.rows_affected())
}

/// Shows on the variant how far its site is behind, unless another site is served by now.
pub async fn show_check(
    conn: &mut PgConnection,
    variant: i64,
    site_prefix: &str,
    check: &CheckResult,
) -> sqlx::Result<bool> {
    let behind = if check.is_behind {
        check.behind_commits.map(|behind| i32::try_from(behind).unwrap_or(i32::MAX))
    } else {
        Some(0)
    };
    let rows = sqlx::query!(
        r#"
        UPDATE variants
           SET checked_at = now(), checked_commit = $3, behind_commits = $4, stale_sections = $5
         WHERE id = $1 AND site_prefix = $2
        "#,
        variant,
        site_prefix,
        check.head_commit,
        behind,
        i32::try_from(check.stale_sections).unwrap_or(i32::MAX),
    )
    .execute(conn)
    .await?;
    Ok(rows.rows_affected() == 1)
}

/// What was said about the documentation when the served site of a variant was made; `None` for one that was imported.
pub async fn find_served_options(conn: &mut PgConnection, variant: i64) -> sqlx::Result<Option<RunOptions>> {
    let options = sqlx::query_scalar!(
        r#"
        SELECT g.options AS "options: Json<RunOptions>"
          FROM variants v JOIN generations g ON g.variant_id = v.id AND g.site_prefix = v.site_prefix
         WHERE v.id = $1
         LIMIT 1
        "#,
        variant,
    )
    .fetch_optional(conn)
    .await?;
    Ok(options.map(|options| options.0))
}

/// What the past calls of a model for one purpose came to, in the middle.
#[derive(Debug, Clone, PartialEq)]
pub struct PastCalls {
    /// How many there were; at most the newest 200 count.
    pub calls: i64,
    /// Tokens read, cached ones not included.
    pub input_tokens: Option<f64>,
    /// Tokens written.
    pub output_tokens: Option<f64>,
    /// Tokens read from the provider's cache.
    pub cached_tokens: Option<f64>,
    /// US dollars, of the calls of which that is known.
    pub cost_usd: Option<f64>,
}

/// Sums up what is known of a model's calls for a purpose, by medians.
pub async fn past_calls(
    conn: &mut PgConnection,
    provider: Provider,
    model: &ModelId,
    purpose: &str,
) -> sqlx::Result<PastCalls> {
    sqlx::query_as!(
        PastCalls,
        r#"
        SELECT count(*) AS "calls!",
               percentile_cont(0.5) WITHIN GROUP (ORDER BY input_tokens) AS input_tokens,
               percentile_cont(0.5) WITHIN GROUP (ORDER BY output_tokens) AS output_tokens,
               percentile_cont(0.5) WITHIN GROUP (ORDER BY cached_tokens) AS cached_tokens,
               percentile_cont(0.5) WITHIN GROUP (ORDER BY cost_usd) AS cost_usd
          FROM (SELECT input_tokens::float8, output_tokens::float8, cached_tokens::float8, cost_usd
                  FROM ai_calls
                 WHERE provider = $1 AND model = $2 AND purpose = $3 AND outcome = 'ok'
                 ORDER BY id DESC LIMIT 200) AS newest
        "#,
        provider.as_str(),
        model.as_str(),
        purpose,
    )
    .fetch_one(conn)
    .await
}
