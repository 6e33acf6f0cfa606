//! The table `page_jobs`: which pages are to be written, who may start now, and who is at it.
//!
//! A row waits, is admitted (its task is in the queue), runs under a lease and a fence of its own, and ends `done` or
//! `failed`. One statement under a lock admits (decisions.md 8): round robin over generations, each with a window, each provider
//! with a limit. The coordinator of a generation may change meanwhile; its pages go on.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgConnection;

use super::{WriteError, generations::interval, one_row};
use crate::{events::PAGES_CHANNEL, generation::PROTOCOL, ids::GenerationId, names::PageSlug, provider::Provider};

mod admission;

pub use admission::{Admission, Admitted, Taker, admit, begin_admission, lock_admission, remove_unwanted_tasks};

/// Deaths of workers at a page after which it is written alone.
pub const SUSPECT_AFTER: i32 = 2;
/// Deaths of workers at a page that end it, when it is the likely cause: those that made it suspect, and three while it ran
/// alone.
pub const MAX_DEATHS: i32 = 5;
/// Deaths that end it also while most workers die elsewhere, as for runs ([`super::recovery`]).
pub const MAX_DEATHS_AMONG_OTHERS: i32 = 10;

/// What is to be done about a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum PageTask {
    /// It is written anew.
    Write,
    /// It is written again.
    Revise {
        /// What is wrong with the text there is.
        findings: Vec<String>,
    },
    /// Some of its sections are written again; everything else keeps its bytes.
    Sections {
        /// Which, each once.
        wishes: Vec<SectionTask>,
    },
    /// The text of an earlier run is brought up to date; the checkpoint of `incremental_planning` says which, and what
    /// changed.
    Update,
}

/// A section that is written again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SectionTask {
    /// Its place in the page, from 0.
    pub position: usize,
    /// What is wrong with it.
    pub findings: Vec<String>,
}

impl PageTask {
    /// As it is stored: `Write` is null.
    fn to_value(&self) -> Value {
        match self {
            Self::Write => Value::Null,
            other => serde_json::to_value(other).expect("it is made of texts and lists"),
        }
    }
}

/// The right to write a page.
#[derive(Debug, Clone)]
pub struct ClaimedPage {
    /// Its generation.
    pub generation: GenerationId,
    /// The page.
    pub slug: PageSlug,
    /// Names this claim in every write.
    pub fence: i64,
    /// What is to be done, as it is stored; see [`ClaimedPage::task`].
    pub task: Option<Value>,
    /// Calls that failed before this one.
    pub tries: i32,
    /// Workers died at it: it is written alone.
    pub suspect: bool,
}

impl ClaimedPage {
    /// What is to be done. What this version does not know is written anew: dearer, and always right.
    pub fn task(&self) -> PageTask {
        let task = self.task.clone().and_then(|value| serde_json::from_value(value).ok());
        task.unwrap_or(PageTask::Write)
    }
}

/// How far the pages of a generation are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Waiting, admitted or running.
    pub open: i64,
    /// Failed.
    pub failed: i64,
    /// Failed in a way that all others would fail, too.
    pub hopeless: bool,
}

/// A page that could not be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedPage {
    /// The page.
    pub slug: PageSlug,
    /// Why, for people.
    pub failure: String,
    /// Every other page would fail the same way.
    pub concerns_all: bool,
}

/// A page that is to be written.
#[derive(Debug, Clone)]
pub struct NewPageJob {
    /// The page.
    pub slug: PageSlug,
    /// What is to be done.
    pub task: PageTask,
}

/// Asks for pages to be written, as part of the stage of a coordinator that holds its generation. A page that is asked for
/// already stays as it is, so that a new coordinator changes nothing: one that is done, maybe since it looked, is not paid for
/// twice, and one that failed does not begin anew when its last worker was the coordinator, too. Only a page that was written
/// is asked for again, once, when there are findings.
pub async fn ask(
    conn: &mut PgConnection,
    generation: GenerationId,
    fence: i64,
    provider: Provider,
    window: i32,
    pages: &[NewPageJob],
) -> Result<(), WriteError> {
    let slugs: Vec<String> = pages.iter().map(|page| page.slug.to_string()).collect();
    let tasks: Vec<Value> = pages.iter().map(|page| page.task.to_value()).collect();
    let held = sqlx::query_scalar!(
        r#"
        WITH held AS (
            UPDATE generations SET page_window = $4 WHERE id = $1 AND fence = $2 AND state = 'running' RETURNING id
        ),
        asked AS (
            INSERT INTO page_jobs (generation_id, slug, position, provider, task)
            SELECT held.id, new.slug, new.position, $3, NULLIF(new.task, 'null'::jsonb)
              FROM held, unnest($5::text[], $6::jsonb[]) WITH ORDINALITY AS new (slug, task, position)
            ON CONFLICT (generation_id, slug) DO UPDATE
               SET state = 'waiting', task = EXCLUDED.task, findings = NULL, due_at = now(), tries = 0, deaths = 0,
                   failure = NULL, concerns_all = false
             WHERE page_jobs.state = 'done' AND EXCLUDED.task ->> 'kind' IN ('revise', 'sections')
               AND page_jobs.findings IS NULL
               AND COALESCE(page_jobs.task ->> 'kind', '') NOT IN ('revise', 'sections')
        )
        SELECT count(*) AS "held!" FROM held
        "#,
        generation as GenerationId,
        fence,
        provider.as_str(),
        window,
        &slugs,
        &tasks,
    )
    .fetch_one(conn)
    .await?;
    one_row(held.unsigned_abs())
}

/// Takes an admitted page. `None` when there is nothing to take: somebody has it, it was taken back, or its run is over.
pub async fn claim(
    conn: &mut PgConnection,
    generation: GenerationId,
    slug: &PageSlug,
    fence: i64,
    worker: &str,
    lease: Duration,
) -> sqlx::Result<Option<ClaimedPage>> {
    sqlx::query_as!(
        ClaimedPage,
        r#"
        UPDATE page_jobs p
           SET state = 'running', fence = p.fence + 1, worker = $4, lease_until = now() + $5::interval,
               claimed_at = now()
          FROM generations g
         WHERE p.generation_id = $1 AND p.slug = $2 AND p.fence = $3 AND p.state = 'admitted'
           AND g.id = p.generation_id AND g.state IN ('queued', 'running') AND g.cancel_requested_at IS NULL
          AND g.protocol <= $7
           AND NOT EXISTS (SELECT 1 FROM pauses
                            WHERE pauses.reason = 'admin' AND pauses.provider IN ('', p.provider)
                              AND (pauses.until IS NULL OR pauses.until > now()))
        RETURNING p.generation_id AS "generation: GenerationId", p.slug AS "slug: PageSlug", p.fence, p.tries,
                  -- a row of an older version has its findings only
                  COALESCE(p.task, CASE WHEN p.findings IS NOT NULL
                           THEN jsonb_build_object('kind', 'revise', 'findings', p.findings) END)
                      AS task,
                  p.deaths >= $6 AS "suspect!"
        "#,
        generation as GenerationId,
        slug.as_str(),
        fence,
        worker,
        interval(lease),
        SUSPECT_AFTER,
        PROTOCOL,
    )
    .fetch_optional(conn)
    .await
}

/// A held page, as renewals name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldPage {
    /// Its generation.
    pub generation: GenerationId,
    /// The page.
    pub slug: PageSlug,
    /// The fence of the claim.
    pub fence: i64,
}

/// Extends the leases of all pages that a process holds, in one statement. Gives those it still holds; a page that is missing
/// was taken over, or its run ended or is to be aborted.
pub async fn renew(conn: &mut PgConnection, held: &[HeldPage], lease: Duration) -> sqlx::Result<Vec<HeldPage>> {
    let generations: Vec<uuid::Uuid> = held.iter().map(|page| page.generation.0).collect();
    let slugs: Vec<String> = held.iter().map(|page| page.slug.to_string()).collect();
    let fences: Vec<i64> = held.iter().map(|page| page.fence).collect();
    sqlx::query_as!(
        HeldPage,
        r#"
        UPDATE page_jobs p
           SET lease_until = now() + $4::interval
          FROM unnest($1::uuid[], $2::text[], $3::bigint[]) AS held (generation_id, slug, fence), generations g
         WHERE p.generation_id = held.generation_id AND p.slug = held.slug AND p.fence = held.fence
           AND p.state = 'running' AND g.id = p.generation_id AND g.state IN ('queued', 'running')
           AND g.cancel_requested_at IS NULL
        RETURNING p.generation_id AS "generation: GenerationId", p.slug AS "slug: PageSlug", p.fence
        "#,
        &generations,
        &slugs,
        &fences,
        interval(lease),
    )
    .fetch_all(conn)
    .await
}

/// What a variant shows after a page was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// Primary key of the variant.
    pub variant_id: i64,
    /// Pages written by now.
    pub page_count: i32,
}

/// Keeps a page's text, with the files it speaks of, ends its job, and counts it, all at once. Deaths of
/// coordinators count from zero again. Fails with `Lost` when the page was taken over or its run is over. A run that waits for a new
/// coordinator is not over: what was paid for is kept.
///
/// Locks the generation, the page and the variant, in this order. So the event that the caller writes in the same transaction
/// comes before everything that the coordinator does when it has seen the page done.
pub async fn finish(
    conn: &mut PgConnection,
    page: &HeldPage,
    markdown: &str,
    sources: Option<&[String]>,
) -> Result<Shown, WriteError> {
    sqlx::query_as!(
        Shown,
        r#"
        WITH run AS (
            -- pages of a run are kept one after the other, and none while the run ends
            UPDATE generations SET crash_count = 0
             WHERE id = $1 AND state IN ('queued', 'running') AND cancel_requested_at IS NULL
            RETURNING id, variant_id
        ),
        held AS (
            UPDATE page_jobs p
               SET state = 'done', worker = NULL, lease_until = NULL, deaths = 0, failure = NULL
              FROM run
             WHERE p.generation_id = run.id AND p.slug = $2 AND p.fence = $3 AND p.state = 'running'
            RETURNING p.generation_id, p.slug, run.variant_id
        ),
        old AS (
            SELECT pages.generation_id, pages.slug, held.variant_id, (pages.markdown IS NULL)::int AS added
              FROM pages JOIN held ON pages.generation_id = held.generation_id AND pages.slug = held.slug
               FOR UPDATE OF pages
        ),
        kept AS (
            UPDATE pages
               SET markdown = $4, sources = to_jsonb($5::text[]), checked = false, attempts = attempts + 1,
                   updated_at = now()
              FROM old
             WHERE pages.generation_id = old.generation_id AND pages.slug = old.slug
            RETURNING old.variant_id, old.added
        )
        -- one more than the newest count, which the lock of the row brings; a count of rows could be older
        UPDATE variants v SET page_count = v.page_count + kept.added, updated_at = now()
          FROM kept
         WHERE v.id = kept.variant_id AND v.generation_id = $1
        RETURNING v.id AS variant_id, v.page_count
        "#,
        page.generation as GenerationId,
        page.slug.as_str(),
        page.fence,
        markdown,
        sources,
    )
    .fetch_optional(conn)
    .await?
    .ok_or(WriteError::Lost)
}

/// Tells the coordinator of a run, when the transaction commits, that no page is open any more; it has nothing to do before.
/// To be called when the last change of a page was made under the lock of its generation, as [`finish`] does it: of two
/// that end at once, the second one sees both.
pub async fn announce_last(conn: &mut PgConnection, generation: GenerationId) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        SELECT pg_notify($2, $1::uuid::text)
         WHERE NOT EXISTS (SELECT 1 FROM page_jobs
                            WHERE generation_id = $1 AND state IN ('waiting', 'admitted', 'running'))
        "#,
        generation as GenerationId,
        PAGES_CHANNEL,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Puts a page back: after a failure that may pass (`failed_try`), or untouched at shutdown.
pub async fn put_back(
    conn: &mut PgConnection,
    page: &HeldPage,
    pause: Duration,
    failed_try: bool,
) -> Result<(), WriteError> {
    let rows = sqlx::query!(
        r#"
        UPDATE page_jobs
           SET state = 'waiting', worker = NULL, lease_until = NULL, due_at = now() + $4::interval,
               tries = tries + CASE WHEN $5 THEN 1 ELSE 0 END
         WHERE generation_id = $1 AND slug = $2 AND fence = $3 AND state = 'running'
        "#,
        page.generation as GenerationId,
        page.slug.as_str(),
        page.fence,
        interval(pause),
        failed_try,
    )
    .execute(conn)
    .await?;
    one_row(rows.rows_affected())
}

/// Gives a page up.
pub async fn fail(
    conn: &mut PgConnection,
    page: &HeldPage,
    failure: &str,
    concerns_all: bool,
) -> Result<(), WriteError> {
    let rows = sqlx::query!(
        r#"
        UPDATE page_jobs
           SET state = 'failed', worker = NULL, lease_until = NULL, failure = $4, concerns_all = $5
         WHERE generation_id = $1 AND slug = $2 AND fence = $3 AND state = 'running'
        "#,
        page.generation as GenerationId,
        page.slug.as_str(),
        page.fence,
        failure,
        concerns_all,
    )
    .execute(conn)
    .await?;
    one_row(rows.rows_affected())
}

/// How far the pages of a generation are.
pub async fn progress(conn: &mut PgConnection, generation: GenerationId) -> sqlx::Result<Progress> {
    sqlx::query_as!(
        Progress,
        r#"
        SELECT count(*) FILTER (WHERE state IN ('waiting', 'admitted', 'running')) AS "open!",
               count(*) FILTER (WHERE state = 'failed') AS "failed!",
               COALESCE(bool_or(concerns_all), false) AS "hopeless!"
          FROM page_jobs WHERE generation_id = $1
        "#,
        generation as GenerationId,
    )
    .fetch_one(conn)
    .await
}

/// The pages of a generation that could not be written, those that concern all others first.
pub async fn list_failed(conn: &mut PgConnection, generation: GenerationId) -> sqlx::Result<Vec<FailedPage>> {
    sqlx::query_as!(
        FailedPage,
        r#"
        SELECT slug AS "slug: PageSlug", COALESCE(failure, '') AS "failure!", concerns_all
          FROM page_jobs WHERE generation_id = $1 AND state = 'failed'
         ORDER BY concerns_all DESC, position
        "#,
        generation as GenerationId,
    )
    .fetch_all(conn)
    .await
}

/// The pages of a generation that were written once more after a check, whole or some of their sections.
pub async fn list_revised(conn: &mut PgConnection, generation: GenerationId) -> sqlx::Result<Vec<PageSlug>> {
    sqlx::query_scalar!(
        r#"
        SELECT slug AS "slug: PageSlug" FROM page_jobs
         WHERE generation_id = $1 AND state = 'done' AND COALESCE(task->>'kind' IN ('revise', 'sections'), findings IS NOT NULL)
        "#,
        generation as GenerationId,
    )
    .fetch_all(conn)
    .await
}

/// Takes back the pages of a generation that nobody works on, when its run ends.
pub async fn take_back(conn: &mut PgConnection, generation: GenerationId) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM page_jobs WHERE generation_id = $1 AND state IN ('waiting', 'admitted')",
        generation as GenerationId,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Decides about pages whose worker is gone: they wait again, alone from the second death on, and fail at the last. The row
/// still names the worker then, so that its death is not counted against the run as well ([`super::recovery`]). Also
/// puts back admitted pages without a task, gives the number of both, and forgets what is open of runs that are over.
pub async fn reap(conn: &mut PgConnection) -> sqlx::Result<u64> {
    // one that was written when its run ended is wanted by nobody; its worker was told to stop, and its lease ran out
    sqlx::query!(
        r#"
        DELETE FROM page_jobs p
         USING generations g
         WHERE g.id = p.generation_id AND g.state NOT IN ('queued', 'running')
           AND (p.state IN ('waiting', 'admitted') OR (p.state = 'running' AND p.lease_until < now()))
        "#
    )
    .execute(&mut *conn)
    .await?;
    let dead = sqlx::query!(
        r#"
        WITH expired AS (
            SELECT generation_id, slug, deaths + 1 AS deaths FROM page_jobs
             WHERE state = 'running' AND lease_until < now()
            -- one that is being kept just now holds its row and waits for locks that the caller may hold
               FOR UPDATE SKIP LOCKED
        ),
        -- whoever ends in order takes its row away
        died AS (
            SELECT count(*) AS workers FROM workers
             WHERE last_seen BETWEEN now() - interval '10 minutes' AND now() - interval '30 seconds'
        ),
        judged AS (
            SELECT expired.*, deaths >= $1 AND (deaths * 2 >= died.workers OR deaths >= $2) AS is_poison
              FROM expired, died
        )
        UPDATE page_jobs p
           SET state = CASE WHEN is_poison THEN 'failed' ELSE 'waiting' END,
               failure = CASE WHEN is_poison THEN 'the worker died ' || judged.deaths || ' times at it' END,
               deaths = judged.deaths, lease_until = NULL, due_at = now()
          FROM judged
         WHERE p.generation_id = judged.generation_id AND p.slug = judged.slug
        "#,
        MAX_DEATHS,
        MAX_DEATHS_AMONG_OTHERS,
    )
    .execute(&mut *conn)
    .await?
    .rows_affected();
    let unrung = sqlx::query!(
        r#"
        UPDATE page_jobs p SET state = 'waiting'
         WHERE p.state = 'admitted'
           AND NOT EXISTS (
               SELECT 1 FROM apalis.jobs j
                WHERE j.job_type = 'page' AND j.idempotency_key = p.generation_id || ':' || p.slug || ':' || p.fence
                  AND j.status IN ('Pending', 'Queued', 'Running'))
        "#
    )
    .execute(conn)
    .await?
    .rows_affected();
    Ok(dead + unrung)
}

/// Nothing of a provider starts for a while.
pub async fn pause_provider(
    conn: &mut PgConnection,
    provider: Provider,
    pause: Duration,
    message: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        INSERT INTO pauses (provider, reason, until, message) VALUES ($1, 'rate_limit', now() + $2::interval, $3)
        ON CONFLICT (provider, reason) DO UPDATE
           SET until = GREATEST(pauses.until, EXCLUDED.until), message = EXCLUDED.message
        "#,
        provider.as_str(),
        interval(pause),
        message,
    )
    .execute(conn)
    .await?;
    Ok(())
}
