//! The table `ai_calls`: what every call of an AI command line was for, what came of it and what it cost.
//!
//! A row is made before the call and settled after it. The cost of a generation and of its variant is raised by the same
//! statement that settles a call, so the two never differ.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};

use super::settings;
use crate::{
    budget::{Budget, Spent},
    ids::GenerationId,
    names::PageSlug,
    stage::Stage,
    writer_defaults::SettingKey,
};

/// A call that is about to start.
#[derive(Debug, Clone, Copy)]
pub struct NewCall<'a> {
    /// The run it is for; says who asked, and for which variant.
    pub generation: GenerationId,
    /// The page, when it is about one.
    pub slug: Option<&'a PageSlug>,
    /// The stage of the run.
    pub stage: Stage,
    /// What it is asked: `plan`, `page` and their like.
    pub purpose: &'a str,
    /// Which try it is; the first is 1.
    pub attempt: i32,
    /// The version of the command line.
    pub cli_version: &'a str,
    /// Of the prompt and the files that it names.
    pub prompt_hash: &'a str,
    /// The worker that makes it.
    pub worker: &'a str,
    /// Whether budgets count; not for what costs nothing.
    pub is_limited: bool,
}

/// What became of asking to start a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Begun {
    /// It may start.
    Started {
        /// Names it when it is settled.
        call: CallId,
        /// The budget that leaves least, when there is one.
        budget: Option<Budget>,
    },
    /// A budget does not allow it.
    Refused(Budget),
    /// Its generation is over, or is to be.
    Gone,
}

/// Names a call. Its number alone does not: after a crash of the server numbers that were given shortly before may be given
/// again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallId {
    /// Primary key.
    pub id: i64,
    /// When it was written down.
    pub started_at: DateTime<Utc>,
}

/// What a call came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Settlement {
    /// `ok`, `replayed`, or the class of the failure.
    pub outcome: &'static str,
    /// Tokens read, cached ones not included.
    pub input_tokens: i64,
    /// Tokens written.
    pub output_tokens: i64,
    /// Tokens read from the provider's cache.
    pub cached_tokens: i64,
    /// US dollars, if anybody knows.
    pub cost_usd: Option<f64>,
    /// Who says so: `cli` or `prices`.
    pub cost_source: Option<&'static str>,
    /// How long it took.
    pub duration_ms: i64,
}

/// Writes down that a call starts, unless a budget forbids it. One statement when there are no budgets.
pub async fn begin(pool: &PgPool, call: &NewCall<'_>) -> sqlx::Result<Begun> {
    let id = insert(&mut *pool.acquire().await?, call, None, None).await?;
    match id {
        Some(call) => Ok(Begun::Started { call, budget: None }),
        None => begin_within_budgets(pool, call).await,
    }
}

/// Makes the row of a call again that a crash of the server took away while the call was made; `None` when it is there, or its
/// generation is not.
pub async fn restore(conn: &mut PgConnection, call: &NewCall<'_>, lost: CallId) -> sqlx::Result<Option<CallId>> {
    insert(conn, &NewCall { is_limited: false, ..*call }, None, Some(lost)).await
}

/// Makes the row. Without a reservation none is made for a call that budgets limit, and the disk is not waited for: everybody
/// sees the row, and a crash of the server itself is what [`restore`] is for. Money that is reserved is safe before the call.
async fn insert(
    conn: &mut PgConnection,
    call: &NewCall<'_>,
    reserved_usd: Option<f64>,
    lost: Option<CallId>,
) -> sqlx::Result<Option<CallId>> {
    let made = sqlx::query!(
        r#"
        INSERT INTO ai_calls (generation_id, username, owner, project, branch, slug, stage, purpose, attempt, provider,
                              model, cli_version, prompt_hash, worker, reserved_usd, started_at)
        SELECT g.id, g.requested_by, v.owner, v.name, v.branch, $2, $3, $4, $5, v.ai_provider, v.ai_model, $6, $7, $8,
               COALESCE($10::float8, 0), COALESCE($12, now())
          FROM generations g JOIN variants v ON v.id = g.variant_id
         WHERE g.id = $1
           AND CASE WHEN $11::bigint IS NULL THEN g.state IN ('queued', 'running') AND g.cancel_requested_at IS NULL
                    ELSE NOT EXISTS (SELECT 1 FROM ai_calls WHERE id = $11 AND started_at = $12) END
           AND ($10::float8 IS NOT NULL OR NOT $9 OR (g.max_cost_usd IS NULL AND NOT EXISTS (
               SELECT 1 FROM settings
                WHERE key IN ('max_cost_per_month_usd', 'max_cost_per_user_per_month_usd') AND value <> '')))
        RETURNING id, started_at,
                  CASE WHEN $10::float8 IS NULL THEN set_config('synchronous_commit', 'off', true) END AS unsynced
        "#,
        call.generation as GenerationId,
        call.slug.map(PageSlug::as_str),
        call.stage.as_str(),
        call.purpose,
        call.attempt,
        call.cli_version,
        call.prompt_hash,
        call.worker,
        call.is_limited,
        reserved_usd,
        lost.map(|lost| lost.id),
        lost.map(|lost| lost.started_at),
    )
    .fetch_optional(conn)
    .await?;
    Ok(made.map(|row| CallId { id: row.id, started_at: row.started_at }))
}

async fn begin_within_budgets(pool: &PgPool, call: &NewCall<'_>) -> sqlx::Result<Begun> {
    let mut transaction = super::begin(pool).await?;
    // one at a time: two that add up at once would both find the same money left; an arbitrary number, only ours
    sqlx::query!("SELECT pg_advisory_xact_lock(733030)").fetch_one(&mut *transaction).await?;
    let Some((estimate, spent)) = add_up(&mut transaction, call).await? else {
        return Ok(Begun::Gone);
    };
    if let Some(exceeded) = spent.iter().find(|spent| !spent.allows(estimate)) {
        return Ok(Begun::Refused(exceeded.budget.clone()));
    }
    let Some(begun) = insert(&mut transaction, call, Some(estimate), None).await? else { return Ok(Begun::Gone) };
    transaction.commit().await?;
    let tightest = spent.into_iter().min_by(|a, b| a.left_usd().total_cmp(&b.left_usd()));
    let budget = tightest.map(|spent| Budget { left_usd: spent.left_usd(), ..spent.budget });
    Ok(Begun::Started { call: begun, budget })
}

/// What the call is expected to cost, and what is spent or reserved already of each budget that counts; `None` when the
/// generation is gone.
async fn add_up(conn: &mut PgConnection, call: &NewCall<'_>) -> sqlx::Result<Option<(f64, Vec<Spent>)>> {
    let row = sqlx::query!(
        r#"
        SELECT g.max_cost_usd, g.requested_by,
               CASE WHEN g.max_cost_usd IS NOT NULL
                    THEN (SELECT sum(CASE WHEN outcome = 'running' THEN reserved_usd ELSE COALESCE(cost_usd, 0) END)
                            FROM ai_calls WHERE generation_id = g.id) END AS of_generation,
               COALESCE((SELECT avg(cost_usd)
                           FROM (SELECT cost_usd FROM ai_calls c
                                  WHERE c.provider = v.ai_provider AND c.model = v.ai_model AND c.purpose = $2
                                    AND c.outcome = 'ok' AND c.cost_usd IS NOT NULL
                                  ORDER BY c.id DESC LIMIT 50) AS newest), 0) AS "estimate!"
          FROM generations g JOIN variants v ON v.id = g.variant_id
         WHERE g.id = $1
        "#,
        call.generation as GenerationId,
        call.purpose,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let of_generation = Spent::of(row.max_cost_usd, "this generation".to_owned(), row.of_generation);
    let of_month = month_budgets(conn, &row.requested_by).await?;
    Ok(Some((row.estimate, of_generation.into_iter().chain(of_month).collect())))
}

/// The budgets of this month that count for a user, and what is spent or reserved of them.
pub async fn month_budgets(conn: &mut PgConnection, username: &str) -> sqlx::Result<Vec<Spent>> {
    let limits = settings::list(&mut *conn).await?;
    let limit = |key: SettingKey| limits.get(&key).and_then(|text| text.parse::<f64>().ok());
    let (of_user, of_all) = (limit(SettingKey::UserMonthBudget), limit(SettingKey::MonthBudget));
    if of_user.is_none() && of_all.is_none() {
        return Ok(Vec::new());
    }
    // what nobody limits is not added up: a month may have a million calls
    let row = sqlx::query!(
        r#"
        WITH taken AS NOT MATERIALIZED (
            SELECT username, CASE WHEN outcome = 'running' THEN reserved_usd ELSE COALESCE(cost_usd, 0) END AS usd
              FROM ai_calls
             WHERE started_at >= date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'
        )
        SELECT CASE WHEN $2 THEN (SELECT sum(usd) FROM taken WHERE username = $1) END AS of_user,
               CASE WHEN $3 THEN (SELECT sum(usd) FROM taken) END AS of_all
        "#,
        username,
        of_user.is_some(),
        of_all.is_some(),
    )
    .fetch_one(conn)
    .await?;
    let of_user = Spent::of(of_user, format!("user `{username}` this month"), row.of_user);
    Ok(of_user.into_iter().chain(Spent::of(of_all, "this installation this month".to_owned(), row.of_all)).collect())
}

/// Writes down what a call came to, and adds its cost to its generation and to the variant that shows it. Doing it twice is
/// the same as once. A call that was given up as lost is settled all the same. False when there was nothing to settle.
pub async fn settle(conn: &mut PgConnection, call: CallId, settlement: &Settlement) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"
        WITH settled AS (
            UPDATE ai_calls
               SET outcome = $2, input_tokens = $3, output_tokens = $4, cached_tokens = $5, cost_usd = $6,
                   cost_source = $7, duration_ms = $8, ended_at = now()
             WHERE id = $1 AND started_at = $9 AND outcome IN ('running', 'lost')
            RETURNING generation_id, cost_usd
        ),
        run AS (
            UPDATE generations g SET cost_usd = COALESCE(g.cost_usd, 0) + settled.cost_usd
              FROM settled
             WHERE g.id = settled.generation_id AND settled.cost_usd IS NOT NULL
            RETURNING g.id, g.variant_id, g.cost_usd
        ),
        shown AS (
            UPDATE variants v SET total_cost_usd = run.cost_usd
              FROM run
             WHERE v.id = run.variant_id AND v.generation_id = run.id
        )
        SELECT EXISTS (SELECT 1 FROM settled) AS "settled!"
        "#,
        call.id,
        settlement.outcome,
        settlement.input_tokens,
        settlement.output_tokens,
        settlement.cached_tokens,
        settlement.cost_usd,
        settlement.cost_source,
        settlement.duration_ms,
        call.started_at,
    )
    .fetch_one(conn)
    .await
}

/// Settles the calls that nobody makes any more: their worker is gone, or does not hold their page or run. What they cost is
/// not known. Gives their number.
pub async fn settle_lost(conn: &mut PgConnection) -> sqlx::Result<u64> {
    let rows = sqlx::query!(
        r#"
        UPDATE ai_calls
           SET outcome = 'lost', ended_at = now(),
               duration_ms = (extract(epoch FROM now() - started_at) * 1000)::bigint
         WHERE id IN (
             SELECT c.id FROM ai_calls c
              WHERE c.outcome = 'running'
                AND (
                    CASE WHEN c.slug IS NOT NULL
                         THEN NOT EXISTS (SELECT 1 FROM page_jobs p
                                           WHERE p.generation_id = c.generation_id AND p.slug = c.slug
                                             AND p.state = 'running' AND p.worker = c.worker)
                         ELSE NOT EXISTS (SELECT 1 FROM generations g
                                           WHERE g.id = c.generation_id AND g.state = 'running' AND g.worker = c.worker)
                    END
                    -- a worker that has just started may not be on the list yet
                    OR (c.started_at < now() - interval '60 seconds' AND NOT EXISTS (
                        SELECT 1 FROM workers w
                         WHERE w.name = c.worker AND w.last_seen > now() - interval '60 seconds'))
                )
              -- one that is being settled waits for its generation, which the caller may hold
                FOR UPDATE OF c SKIP LOCKED)
        "#
    )
    .execute(conn)
    .await?;
    Ok(rows.rows_affected())
}
