//! The table `workers`: which worker processes live, and which providers they can run.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, types::Json};

use crate::events::{LOOK, LOOKED, WORKERS_CHANNEL};

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
}

/// Says that a worker lives and what it can run; `looked` when that was found out just now.
pub async fn save(conn: &mut PgConnection, worker: &WorkerRow, looked: bool) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        INSERT INTO workers (name, host, version, providers, ai_slots, looked_at)
        VALUES ($1, $2, $3, $4, $6, clock_timestamp())
        ON CONFLICT (name) DO UPDATE
           SET providers = EXCLUDED.providers, last_seen = now(),
               looked_at = CASE WHEN $5 THEN EXCLUDED.looked_at ELSE workers.looked_at END
        "#,
        worker.name,
        worker.host,
        worker.version,
        Json(&worker.providers) as Json<&ProviderStates>,
        looked,
        worker.ai_slots,
    )
    .execute(&mut *conn)
    .await?;
    if looked {
        super::events::notify(conn, WORKERS_CHANNEL, LOOKED).await?;
    }
    Ok(())
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

/// AI slots of all workers that live: more pages than that need not be admitted.
pub async fn count_slots(conn: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT COALESCE(sum(ai_slots), 0) AS "slots!" FROM workers WHERE last_seen > now() - interval '30 seconds'"#
    )
    .fetch_one(conn)
    .await
}
