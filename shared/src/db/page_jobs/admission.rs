//! Which pages may start: round robin over generations, each with a window, each provider with a limit (decisions.md 8).

use std::time::Duration;

use serde_json::Value;
use sqlx::PgConnection;

use super::{ClaimedPage, SUSPECT_AFTER};
use crate::{db::generations::interval, generation::PROTOCOL, ids::GenerationId, names::PageSlug, provider::Provider};

/// A page that may start: its task is to be pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// Its generation.
    pub generation: GenerationId,
    /// The page.
    pub slug: PageSlug,
    /// Its fence; names the task.
    pub fence: i64,
    /// Higher goes first.
    pub priority: i32,
}

/// A worker with a free slot that takes a page without being rung for.
#[derive(Debug, Clone, Copy)]
pub struct Taker<'a> {
    /// The worker.
    pub worker: &'a str,
    /// How long its lease lasts.
    pub lease: Duration,
}

/// What may start now.
#[derive(Debug, Default)]
pub struct Admission {
    /// What the taker has got.
    pub own: Option<ClaimedPage>,
    /// The others, for whose tasks the bell is to be rung.
    pub others: Vec<Admitted>,
}

/// A page that was admitted, or taken at once.
struct Started {
    own: bool,
    priority: i32,
    generation: GenerationId,
    slug: PageSlug,
    fence: i64,
    task: Option<Value>,
    tries: i32,
    suspect: bool,
}

impl Admission {
    fn of(rows: Vec<Started>) -> Self {
        let mut admission = Self::default();
        for Started { own, priority, generation, slug, fence, task, tries, suspect } in rows {
            if own {
                admission.own = Some(ClaimedPage { generation, slug, fence, task, tries, suspect });
            } else {
                admission.others.push(Admitted { generation, slug, fence, priority });
            }
        }
        admission
    }
}

/// Lets nobody else admit until the end of the transaction: two that count at once would both see the same free places. The
/// lock comes after those of generations and variants, and before those of pages that wait.
pub async fn lock_admission(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("SELECT pg_advisory_xact_lock(733002)").fetch_one(conn).await?;
    Ok(())
}

/// The same in one step with what an admission has to know: the AI slots of all workers that live and take work. More pages
/// than that need not be admitted.
pub async fn begin_admission(conn: &mut PgConnection) -> sqlx::Result<i64> {
    let row = sqlx::query!(
        r#"
        SELECT live.slots AS "slots!", pg_advisory_xact_lock(733002)
          FROM (SELECT COALESCE(sum(ai_slots), 0) AS slots FROM workers
                 WHERE last_seen > now() - interval '30 seconds' AND draining_since IS NULL) AS live
        "#
    );
    Ok(row.fetch_one(conn).await?.slots)
}

/// Admits pages: as many as free slots, windows and the limits of providers allow, one generation after the other, the most
/// urgent first. The first one goes to the taker, if there is one. To be called under [`lock_admission`], after every change
/// that may let a page start; the caller pushes the tasks of the others in the same transaction. `limits` are (provider, most
/// pages in flight over the whole cluster), `slots` the AI slots of all workers.
pub async fn admit(
    conn: &mut PgConnection,
    limits: &[(Provider, i32)],
    slots: i64,
    taker: Option<Taker<'_>>,
) -> sqlx::Result<Admission> {
    let (providers, most): (Vec<String>, Vec<i32>) =
        limits.iter().map(|(provider, most)| (provider.to_string(), *most)).unzip();
    let rows = sqlx::query_as!(
        Started,
        r#"
        WITH in_flight AS (
            SELECT generation_id, provider, count(*) AS pages
              FROM page_jobs WHERE state IN ('admitted', 'running')
             GROUP BY generation_id, provider
        ),
        free AS (
            -- what a draining worker still writes takes no slot of those that are counted
            SELECT GREATEST($3::bigint - count(*), 0) AS slots
              FROM page_jobs p
             WHERE p.state = 'admitted'
                OR (p.state = 'running' AND NOT EXISTS (
                       SELECT 1 FROM workers w WHERE w.name = p.worker AND w.draining_since IS NOT NULL))
        ),
        -- a page's turn: after how many pages of its own run, those in flight included
        candidates AS (
            SELECT next.*, next.place + COALESCE(f.pages, 0) AS turn, g.priority, g.created_at
              FROM free
             CROSS JOIN generations g
              LEFT JOIN in_flight f ON f.generation_id = g.id
             CROSS JOIN LATERAL (
                   SELECT p.generation_id, p.slug, p.provider, row_number() OVER (ORDER BY p.tries, p.position) AS place
                     FROM page_jobs p
                    WHERE p.generation_id = g.id AND p.state = 'waiting' AND p.due_at <= now()
                      AND NOT EXISTS (SELECT 1 FROM pauses
                                       WHERE pauses.provider IN (p.provider, '') AND (until IS NULL OR until > now()))
                    ORDER BY p.tries, p.position
                    LIMIT LEAST(GREATEST(g.page_window - COALESCE(f.pages, 0), 0), free.slots)) next
             WHERE g.state IN ('queued', 'running') AND g.cancel_requested_at IS NULL AND g.protocol <= $4
        ),
        of_providers AS (
            SELECT c.*,
                   row_number() OVER (PARTITION BY c.provider ORDER BY c.priority DESC, c.turn, c.created_at)
                       + COALESCE((SELECT sum(pages) FROM in_flight f WHERE f.provider = c.provider), 0) AS of_provider
              FROM candidates c
        ),
        -- who is kept back by the limit of a provider takes no place from others
        ranked AS (
            SELECT o.*, row_number() OVER (ORDER BY o.priority DESC, o.turn, o.created_at) AS of_all
              FROM of_providers o
              LEFT JOIN unnest($1::text[], $2::int[]) AS limits (provider, most) ON limits.provider = o.provider
             WHERE o.of_provider <= COALESCE(limits.most, 2147483647)
        )
        UPDATE page_jobs p
           SET state = CASE WHEN taken.own THEN 'running' ELSE 'admitted' END,
               fence = p.fence + taken.own::int,
               worker = CASE WHEN taken.own THEN $5 ELSE p.worker END,
               -- not now(): the transaction may have waited for its turn
               lease_until = CASE WHEN taken.own THEN clock_timestamp() + $6::interval END,
               claimed_at = CASE WHEN taken.own THEN now() ELSE p.claimed_at END
          FROM (SELECT ranked.*, ranked.of_all = 1 AND $5::text IS NOT NULL AS own
                  FROM ranked, free WHERE ranked.of_all <= free.slots) AS taken
         WHERE p.generation_id = taken.generation_id AND p.slug = taken.slug
        RETURNING p.generation_id AS "generation: GenerationId", p.slug AS "slug: PageSlug", p.fence,
                  taken.priority AS "priority!", taken.own AS "own!", p.tries,
                  -- a row of an older version has its findings only
                  COALESCE(p.task, CASE WHEN p.findings IS NOT NULL
                           THEN jsonb_build_object('kind', 'revise', 'findings', p.findings) END) AS task,
                  p.deaths >= $7 AS "suspect!"
        "#,
        &providers,
        &most,
        slots,
        PROTOCOL,
        taker.map(|taker| taker.worker),
        taker.map(|taker| interval(taker.lease)),
        SUSPECT_AFTER,
    )
    .fetch_all(conn)
    .await?;
    Ok(Admission::of(rows))
}

/// Removes the waiting tasks of pages that are not admitted any more.
pub async fn remove_unwanted_tasks(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        DELETE FROM apalis.jobs j
         USING page_jobs p
         WHERE j.job_type = 'page' AND j.status IN ('Pending', 'Failed') AND p.state = 'waiting'
           AND j.idempotency_key = p.generation_id || ':' || p.slug || ':' || p.fence
        "#
    )
    .execute(conn)
    .await?;
    Ok(())
}
