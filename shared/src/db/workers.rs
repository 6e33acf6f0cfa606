//! The table `workers`: which worker processes live, and which providers they can run.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, types::Json};

use crate::{
    events::{DRAIN, LOOK, LOOKED, WORKERS_CHANNEL},
    ids::GenerationId,
    names::PageSlug,
};

/// A provider on the host of a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderState {
    /// Whether its program is there.
    pub ok: bool,
    /// What is missing, for people who can do something about it.
    #[serde(default)]
    pub hint: Option<String>,
    /// Whether the worker has a key to give it.
    #[serde(default)]
    pub has_api_key: bool,
}

/// Providers by name.
pub type ProviderStates = BTreeMap<String, ProviderState>;

/// What a worker tells about itself.
#[derive(Debug, Clone)]
pub struct WorkerRow {
    /// Unique for each start of a process.
    pub name: String,
    /// Name of its host.
    pub host: String,
    /// Version of docmill.
    pub version: String,
    /// What it can run.
    pub providers: ProviderStates,
    /// AI command lines that it runs at the same time.
    pub ai_slots: i32,
    /// Generations that it holds at the same time.
    pub generation_slots: i32,
}

/// Says that a worker lives, what it can run, and whether it drains; `looked` when what it can run was found out just now.
/// Gives whether it drains by now, be it that an admin said so.
pub async fn save(conn: &mut PgConnection, worker: &WorkerRow, looked: bool, drains: bool) -> sqlx::Result<bool> {
    let drains = sqlx::query_scalar!(
        r#"
        INSERT INTO workers (name, host, version, providers, ai_slots, generation_slots, draining_since, looked_at)
        VALUES ($1, $2, $3, $4, $6, $7, CASE WHEN $8 THEN now() END, clock_timestamp())
        ON CONFLICT (name) DO UPDATE
           SET providers = EXCLUDED.providers, last_seen = now(),
               draining_since = COALESCE(workers.draining_since, EXCLUDED.draining_since),
               looked_at = CASE WHEN $5 THEN EXCLUDED.looked_at ELSE workers.looked_at END
        RETURNING draining_since IS NOT NULL AS "drains!"
        "#,
        worker.name,
        worker.host,
        worker.version,
        Json(&worker.providers) as Json<&ProviderStates>,
        looked,
        worker.ai_slots,
        worker.generation_slots,
        drains,
    )
    .fetch_one(&mut *conn)
    .await?;
    if looked {
        super::events::notify(conn, WORKERS_CHANNEL, LOOKED).await?;
    }
    Ok(drains)
}

/// Takes a worker that ends off the list.
pub async fn delete(conn: &mut PgConnection, name: &str) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM workers WHERE name = $1", name).execute(conn).await?;
    Ok(())
}

/// Deletes the rows of workers that were not seen for ten minutes.
pub async fn prune(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM workers WHERE last_seen < now() - interval '10 minutes'").execute(conn).await?;
    Ok(())
}

/// What the workers can run that were seen within half a minute.
pub async fn list_live(conn: &mut PgConnection) -> sqlx::Result<Vec<ProviderStates>> {
    let rows = sqlx::query_scalar!(
        r#"
        SELECT providers AS "providers: Json<ProviderStates>" FROM workers
         WHERE last_seen > now() - interval '30 seconds' ORDER BY name
        "#
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

/// Asks all workers to look again what they can run, when the transaction commits; gives the moment from which on a look
/// counts.
pub async fn ask_to_look(conn: &mut PgConnection) -> sqlx::Result<DateTime<Utc>> {
    super::events::notify(conn, WORKERS_CHANNEL, LOOK).await?;
    sqlx::query_scalar!(r#"SELECT clock_timestamp() AS "now!""#).fetch_one(conn).await
}

/// Live workers that have not looked since.
pub async fn count_not_looked(conn: &mut PgConnection, since: DateTime<Utc>) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"
        SELECT count(*) AS "count!" FROM workers
         WHERE last_seen > now() - interval '30 seconds' AND looked_at < $1
        "#,
        since,
    )
    .fetch_one(conn)
    .await
}

/// Tells a worker to take nothing new, to let what it does end, and to end itself; false when no such worker lives. Once more
/// changes nothing.
pub async fn drain(conn: &mut PgConnection, name: &str) -> sqlx::Result<bool> {
    let told = sqlx::query!(
        r#"
        UPDATE workers SET draining_since = COALESCE(draining_since, now())
         WHERE name = $1 AND last_seen > now() - interval '30 seconds'
        "#,
        name
    );
    let told = told.execute(&mut *conn).await?.rows_affected() == 1;
    if told {
        super::events::notify(conn, WORKERS_CHANNEL, &format!("{DRAIN}{name}")).await?;
    }
    Ok(told)
}

/// A worker as it is listed.
#[derive(Debug, Clone)]
pub struct ListedWorker {
    /// Its name.
    pub name: String,
    /// Name of its host.
    pub host: String,
    /// Version of docmill.
    pub version: String,
    /// What it can run.
    pub providers: Json<ProviderStates>,
    /// AI command lines that it runs at the same time.
    pub ai_slots: i32,
    /// Generations that it holds at the same time.
    pub generation_slots: i32,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// Its last sign of life.
    pub last_seen: DateTime<Utc>,
    /// Whether that was within half a minute.
    pub is_live: bool,
    /// Since when it takes nothing new.
    pub draining_since: Option<DateTime<Utc>>,
}

/// Every worker whose row is kept: those that live, and those whose last sign of life is at most ten minutes old.
pub async fn list(conn: &mut PgConnection) -> sqlx::Result<Vec<ListedWorker>> {
    sqlx::query_as!(
        ListedWorker,
        r#"
        SELECT name, host, version, providers AS "providers: Json<ProviderStates>", ai_slots, generation_slots,
               started_at, last_seen, last_seen > now() - interval '30 seconds' AS "is_live!", draining_since
          FROM workers
         ORDER BY started_at, name
        "#
    )
    .fetch_all(conn)
    .await
}

/// A generation that a worker holds.
#[derive(Debug, Clone)]
pub struct HeldGeneration {
    /// Name of the worker.
    pub worker: String,
    /// The generation.
    pub generation: GenerationId,
    /// What is done of it.
    pub stage: Option<String>,
}

/// Who holds which generation.
pub async fn list_held_generations(conn: &mut PgConnection) -> sqlx::Result<Vec<HeldGeneration>> {
    sqlx::query_as!(
        HeldGeneration,
        r#"
        SELECT worker AS "worker!", id AS "generation: GenerationId", stage
          FROM generations WHERE state = 'running' AND worker IS NOT NULL
         ORDER BY started_at, id
        "#
    )
    .fetch_all(conn)
    .await
}

/// A page that a worker writes.
#[derive(Debug, Clone)]
pub struct HeldPageRow {
    /// Name of the worker.
    pub worker: String,
    /// The generation.
    pub generation: GenerationId,
    /// The page.
    pub slug: PageSlug,
    /// Since when.
    pub since: Option<DateTime<Utc>>,
}

/// Who writes which page.
pub async fn list_held_pages(conn: &mut PgConnection) -> sqlx::Result<Vec<HeldPageRow>> {
    sqlx::query_as!(
        HeldPageRow,
        r#"
        SELECT worker AS "worker!", generation_id AS "generation: GenerationId", slug AS "slug: PageSlug",
               claimed_at AS since
          FROM page_jobs WHERE state = 'running' AND worker IS NOT NULL
         ORDER BY claimed_at, generation_id, position
        "#
    )
    .fetch_all(conn)
    .await
}

/// Pages of a provider that are not done.
#[derive(Debug, Clone)]
pub struct PageDepth {
    /// The provider.
    pub provider: String,
    /// To be written.
    pub waiting: i64,
    /// About to be taken by a worker.
    pub admitted: i64,
    /// Being written.
    pub running: i64,
}

/// How much there is to do: queued generations, and pages by provider.
pub async fn queue_depth(conn: &mut PgConnection) -> sqlx::Result<(i64, Vec<PageDepth>)> {
    let queued = sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM generations WHERE state = 'queued'"#)
        .fetch_one(&mut *conn)
        .await?;
    let pages = sqlx::query_as!(
        PageDepth,
        r#"
        SELECT provider, count(*) FILTER (WHERE state = 'waiting') AS "waiting!",
               count(*) FILTER (WHERE state = 'admitted') AS "admitted!",
               count(*) FILTER (WHERE state = 'running') AS "running!"
          FROM page_jobs WHERE state IN ('waiting', 'admitted', 'running')
         GROUP BY provider ORDER BY provider
        "#
    )
    .fetch_all(conn)
    .await?;
    Ok((queued, pages))
}
