//! The tables of apalis: our own INSERT (decisions.md 2), the heartbeat, and the pruning that apalis lacks.

use std::time::Duration;

use serde_json::Value;
use sqlx::{PgConnection, postgres::types::PgInterval};

use super::generations::interval;

/// The channel on which apalis's trigger announces new tasks; the payload is JSON with `job_type`.
pub const TASK_CHANNEL: &str = "apalis::job::insert";

/// When a task is due.
#[derive(Debug, Clone, Copy, Default)]
pub struct Due {
    /// Higher goes first.
    pub priority: i32,
    /// How long it waits at least.
    pub pause: Duration,
}

/// A task that is to be put into a queue.
#[derive(Debug, Clone)]
pub struct NewTask {
    /// What it names.
    pub payload: Value,
    /// At most one task of this key waits or runs; no two that are pushed together have the same.
    pub idempotency_key: String,
    /// When.
    pub due: Due,
}

/// Puts tasks into a queue. A task of the same key that still waits or runs stays alone; one that has ended is
/// put back. Attempts are practically unlimited: our rows decide about retries.
pub async fn push(conn: &mut PgConnection, queue: &str, tasks: Vec<NewTask>) -> sqlx::Result<()> {
    if tasks.is_empty() {
        return Ok(());
    }
    let priorities: Vec<i32> = tasks.iter().map(|task| task.due.priority).collect();
    let pauses: Vec<PgInterval> = tasks.iter().map(|task| interval(task.due.pause)).collect();
    let (payloads, keys): (Vec<Value>, Vec<String>) =
        tasks.into_iter().map(|task| (task.payload, task.idempotency_key)).unzip();
    sqlx::query!(
        r#"
        INSERT INTO apalis.jobs (id, job_type, job, status, max_attempts, run_at, priority, idempotency_key, metadata)
        SELECT apalis.generate_ulid(), $1, convert_to(new.payload::text, 'UTF8'), 'Pending', 1000000,
               now() + new.pause, new.priority, new.key, ''
          FROM unnest($2::jsonb[], $3::text[], $4::int[], $5::interval[]) AS new (payload, key, priority, pause)
        ON CONFLICT (job_type, idempotency_key) DO UPDATE
           -- the payload too: another version may have written one that cannot be read
           SET job = EXCLUDED.job, status = 'Pending', run_at = EXCLUDED.run_at, lock_by = NULL, lock_at = NULL, done_at = NULL
         WHERE jobs.status IN ('Done', 'Failed', 'Killed')
        "#,
        queue,
        &payloads,
        &keys,
        &priorities,
        &pauses,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes the tasks of a queue whose key begins so and that nobody has taken yet.
pub async fn remove_waiting(conn: &mut PgConnection, queue: &str, key_prefix: &str) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        DELETE FROM apalis.jobs
         WHERE job_type = $1 AND starts_with(idempotency_key, $2) AND status IN ('Pending', 'Failed')
        "#,
        queue,
        key_prefix,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Says that a queue worker lives. apalis itself says so only while it polls.
pub async fn beat(conn: &mut PgConnection, worker: &str) -> sqlx::Result<()> {
    sqlx::query!("UPDATE apalis.workers SET last_seen = now() WHERE id = $1", worker).execute(conn).await?;
    Ok(())
}

/// Deletes tasks that ended a day ago, at most 5,000 at a time, then the rows of workers that nobody refers to.
pub async fn prune(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        DELETE FROM apalis.jobs
         WHERE id IN (SELECT id FROM apalis.jobs
                       WHERE done_at < now() - interval '1 day' AND status IN ('Done', 'Killed')
                       LIMIT 5000)
        "#
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        r#"
        DELETE FROM apalis.workers w
         WHERE w.last_seen < now() - interval '1 day'
           AND NOT EXISTS (SELECT 1 FROM apalis.jobs j WHERE j.lock_by = w.id)
        "#
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Tasks that wait in a queue.
pub async fn count_waiting(conn: &mut PgConnection, queue: &str) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM apalis.jobs WHERE job_type = $1 AND status = 'Pending' AND run_at < now()"#,
        queue,
    )
    .fetch_one(conn)
    .await
}
