//! The reaper's statements: the one place where a lost run is found and decided about (decisions.md 1 and 5).

use std::time::Duration;

use sqlx::PgConnection;

use super::generations::interval;
use crate::{
    generation::{PROTOCOL, State},
    ids::GenerationId,
};

/// Deaths without a new checkpoint in between that end a run, when it is the likely cause: at least half of the workers that
/// died lately had held it.
pub const MAX_CRASHES: i32 = 3;
/// Deaths that end a run also while workers die of other causes, such as hosts that are taken away.
pub const MAX_CRASHES_AMONG_OTHERS: i32 = 10;

/// A run whose lease ran out, and what became of it.
#[derive(Debug, Clone)]
pub struct Reaped {
    /// The generation.
    pub id: GenerationId,
    /// Primary key of its variant.
    pub variant_id: i64,
    /// Its fence.
    pub fence: i64,
    /// `queued` again, `error` after so many deaths that it must be the cause, or `aborted` when that was asked for.
    pub state: State,
    /// What the variant says, for the ended ones.
    pub message: Option<String>,
}

/// Whether this process is the one that reaps now; the right ends with the transaction.
pub async fn try_lock(conn: &mut PgConnection) -> sqlx::Result<bool> {
    // an arbitrary number, only ours: "docmill reaper" in spirit
    sqlx::query_scalar!(r#"SELECT pg_try_advisory_xact_lock(733001) AS "locked!""#).fetch_one(conn).await
}

/// Decides about every run whose lease has run out, and ends the queued ones that somebody asked to abort: nobody claims
/// those any more.
pub async fn reap_expired(conn: &mut PgConnection) -> sqlx::Result<Vec<Reaped>> {
    let mut reaped = sqlx::query_as!(
        Reaped,
        r#"
        WITH expired AS (
            SELECT id FROM generations
             WHERE (state = 'running' AND lease_until < now())
                OR (state = 'queued' AND cancel_requested_at IS NOT NULL)
             ORDER BY lease_until
             LIMIT 500
               FOR UPDATE SKIP LOCKED
        ),
        -- a worker that died while it wrote pages of this run died of them, not of coordinating it (decisions.md 5)
        counted AS (
            SELECT g.id, g.cancel_requested_at, g.stage,
                   g.crash_count + CASE WHEN EXISTS (
                       SELECT 1 FROM page_jobs p
                        WHERE p.generation_id = g.id AND p.worker = g.worker
                          AND (p.state = 'running' OR p.deaths > 0)) THEN 0 ELSE 1 END AS crashes
              FROM generations g JOIN expired USING (id)
        ),
        -- whoever ends in order takes its row away
        died AS (
            SELECT count(*) AS workers FROM workers
             WHERE last_seen BETWEEN now() - interval '10 minutes' AND now() - interval '30 seconds'
        ),
        judged AS (
            SELECT counted.*, crashes >= $1 AND (crashes * 2 >= died.workers OR crashes >= $3) AS is_poison
              FROM counted, died
        ),
        decided AS (
            SELECT id, crashes,
                   CASE WHEN cancel_requested_at IS NOT NULL THEN 'aborted'
                        WHEN is_poison THEN 'error'
                        ELSE 'queued' END AS next,
                   CASE WHEN cancel_requested_at IS NOT NULL THEN $2
                        WHEN is_poison
                        THEN 'The worker died ' || crashes || ' times in stage '
                             || COALESCE(stage, 'cloning') || ' without finishing anything in between' END AS message
              FROM judged
        )
        UPDATE generations g
           SET state = decided.next, crash_count = decided.crashes, worker = NULL, lease_until = NULL,
               finished_at = CASE decided.next WHEN 'queued' THEN NULL ELSE now() END,
               error_message = decided.message
          FROM decided
         WHERE g.id = decided.id
        RETURNING g.id AS "id: GenerationId", g.variant_id, g.fence, g.state AS "state: State",
                  g.error_message AS message
        "#,
        MAX_CRASHES,
        super::aborts::ABORTED_BY_USER,
        MAX_CRASHES_AMONG_OTHERS,
    )
    .fetch_all(&mut *conn)
    .await?;
    // several variants are always locked in this order
    reaped.sort_by_key(|run| run.variant_id);
    for ended in reaped.iter().filter(|run| run.state.is_terminal()) {
        sqlx::query!(
            r#"
            UPDATE variants SET status = $2, error_message = $3, current_stage = NULL, updated_at = now()
             WHERE generation_id = $1
            "#,
            ended.id as GenerationId,
            ended.state.as_str(),
            ended.message,
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(reaped)
}

/// Most generations that [`list_unrung`] gives.
pub const UNRUNG_AT_ONCE: usize = 500;

/// Queued generations for which no task is waiting or being handled: the bell has to be rung again. Not those that are
/// paused or wait for a newer worker. The oldest first; those younger than `age` are left to the transaction that made them.
pub async fn list_unrung(conn: &mut PgConnection, age: Duration) -> sqlx::Result<Vec<(GenerationId, i64)>> {
    let rows = sqlx::query!(
        r#"
        SELECT g.id AS "id: GenerationId", g.fence
          FROM generations g
          JOIN variants v ON v.id = g.variant_id
         WHERE g.state = 'queued' AND g.created_at <= now() - $1::interval AND g.protocol <= $2
           AND NOT EXISTS (SELECT 1 FROM pauses p
                            WHERE p.reason = 'admin' AND p.provider IN ('', v.ai_provider)
                              AND (p.until IS NULL OR p.until > now()))
           AND NOT EXISTS (
               SELECT 1 FROM apalis.jobs j
                WHERE j.job_type = 'generate' AND j.idempotency_key = g.id || ':' || g.fence
                  AND j.status IN ('Pending', 'Queued', 'Running'))
         ORDER BY g.created_at
         LIMIT $3
        "#,
        interval(age),
        PROTOCOL,
        i64::try_from(UNRUNG_AT_ONCE).unwrap_or(i64::MAX),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.fence)).collect())
}

/// Folders of sites that no variant serves and that are neither among its last three builds nor younger than ten minutes.
pub async fn list_outdated_sites(conn: &mut PgConnection, limit: i64) -> sqlx::Result<Vec<(GenerationId, String)>> {
    let rows = sqlx::query!(
        r#"
        SELECT ranked.id AS "id!: GenerationId", ranked.site_prefix AS "site_prefix!"
          FROM (
              SELECT g.id, g.site_prefix, g.finished_at, v.site_prefix AS served,
                     row_number() OVER (PARTITION BY g.variant_id ORDER BY g.finished_at DESC) AS age
                FROM generations g JOIN variants v ON v.id = g.variant_id
               WHERE g.site_prefix IS NOT NULL
          ) ranked
         WHERE ranked.age > 3 AND ranked.site_prefix IS DISTINCT FROM ranked.served
           AND ranked.finished_at < now() - interval '10 minutes'
         LIMIT $1
        "#,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.site_prefix)).collect())
}

/// Which of these folders hold what was never served: their generation ended an hour ago with another folder, or with none.
/// Folders of generations that this database does not know are left alone.
pub async fn list_abandoned_sites(
    conn: &mut PgConnection,
    folders: &[(GenerationId, String)],
) -> sqlx::Result<Vec<String>> {
    let (ids, prefixes): (Vec<uuid::Uuid>, Vec<String>) =
        folders.iter().map(|(id, prefix)| (id.0, prefix.clone())).unzip();
    sqlx::query_scalar!(
        r#"
        SELECT folder.prefix AS "prefix!"
          FROM unnest($1::uuid[], $2::text[]) AS folder (id, prefix)
          JOIN generations g ON g.id = folder.id
          JOIN variants v ON v.id = g.variant_id
         WHERE g.finished_at < now() - interval '1 hour'
           AND g.site_prefix IS DISTINCT FROM folder.prefix AND v.site_prefix IS DISTINCT FROM folder.prefix
        "#,
        &ids,
        &prefixes,
    )
    .fetch_all(conn)
    .await
}

/// Forgets a folder that was removed.
pub async fn forget_site(conn: &mut PgConnection, id: GenerationId) -> sqlx::Result<()> {
    sqlx::query!("UPDATE generations SET site_prefix = NULL WHERE id = $1", id as GenerationId).execute(conn).await?;
    Ok(())
}

/// Which of these generations nobody works for any more.
pub async fn list_over(conn: &mut PgConnection, ids: &[GenerationId]) -> sqlx::Result<Vec<GenerationId>> {
    let ids: Vec<uuid::Uuid> = ids.iter().map(|id| id.0).collect();
    sqlx::query_scalar!(
        r#"
        SELECT asked.id AS "id!: GenerationId"
          FROM unnest($1::uuid[]) AS asked (id)
         WHERE NOT EXISTS (
             SELECT 1 FROM generations g WHERE g.id = asked.id AND g.state IN ('queued', 'running'))
        "#,
        &ids,
    )
    .fetch_all(conn)
    .await
}

/// Forgets what updates that ended well were about: megabytes of differences, which only their own run needs.
pub async fn forget_updates(conn: &mut PgConnection) -> sqlx::Result<u64> {
    let rows = sqlx::query!(
        r#"
        DELETE FROM checkpoints c USING generations g
         WHERE c.generation_id = g.id AND c.stage = 'incremental_planning' AND g.state = 'ready'
        "#
    )
    .execute(conn)
    .await?;
    Ok(rows.rows_affected())
}

/// Of which of these generations the pinned commit is still needed: by its own run, by a retry of it (the newest of its
/// variant), by whoever compares the site that it made with a newer commit, or by the next run to compare with (the newest that
/// ended well, [`super::generations::find_last_good`]).
pub async fn list_pinned_of(conn: &mut PgConnection, ids: &[GenerationId]) -> sqlx::Result<Vec<GenerationId>> {
    let ids: Vec<uuid::Uuid> = ids.iter().map(|id| id.0).collect();
    sqlx::query_scalar!(
        r#"
        SELECT g.id AS "id: GenerationId"
          FROM generations g JOIN variants v ON v.id = g.variant_id
         WHERE g.id = ANY($1)
           AND (g.state IN ('queued', 'running') OR g.finished_at > now() - interval '1 hour' OR v.generation_id = g.id
                -- what a site cites is looked for in newer commits from there
                OR g.site_prefix = v.site_prefix
                -- a run that repeats another one takes its pack over when it begins
                OR EXISTS (SELECT 1 FROM generations newest
                            WHERE newest.id = v.generation_id AND newest.state IN ('queued', 'running')
                              AND newest.commit_sha = g.commit_sha)
                OR g.id = (SELECT good.id
                             FROM generations good
                             JOIN checkpoints c ON c.generation_id = good.id AND c.stage = 'cloning'
                            WHERE good.variant_id = g.variant_id AND good.state = 'ready'
                            ORDER BY good.finished_at DESC
                            LIMIT 1))
        "#,
        &ids,
    )
    .fetch_all(conn)
    .await
}
