//! All SQL of the system: plain functions over `&mut PgConnection`, one file per table group.
//!
//! The rules of this room:
//! - A function does one statement, or a few that belong together; the caller owns the transaction.
//! - A change of state is a guarded `UPDATE` that must hit exactly one row; what a worker writes names its fence and fails
//!   with [`WriteError::Lost`] when another worker holds the run by now.
//! - The clock is `now()`. No process's own time is stored or compared.
//! - `find_*` gives an `Option`, `list_*` a `Vec`; transitions have names (`start`, `claim`, `finish`, `fail`, `abort`).
//! - Queries are checked at compile time against the cache in `shared/.sqlx`; `script/sqlx` makes it anew.

use std::{collections::HashSet, io, time::Duration};

use sqlx::{
    Connection, PgPool, Postgres, Transaction,
    postgres::{PgConnectOptions, PgPoolOptions},
};

pub mod variants;
pub mod views;
pub mod starts;
pub mod generations;
pub mod retries;
pub mod past_runs;
pub mod protocol;
pub mod aborts;
pub mod recovery;
pub mod pages;
pub mod page_jobs;
pub mod inspections;
pub mod sections;
pub mod citations;
pub mod findings;
pub mod pauses;
pub mod events;
pub mod queue;
pub mod access;
pub mod login_tries;
pub mod users;
pub mod grants;
pub mod deletions;
pub mod settings;
pub mod workers;
pub mod ai_calls;
pub mod usage;
pub mod imports;

/// Why a worker's write did not happen.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The run was taken over, ended or deleted: stop at once and write nothing more.
    #[error("this worker does not hold the run any more")]
    Lost,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Demands that exactly one row was hit.
fn one_row(rows_affected: u64) -> Result<(), WriteError> {
    if rows_affected == 1 { Ok(()) } else { Err(WriteError::Lost) }
}

/// How long a connection that was used is taken to be alive.
const TRUSTED_FOR: Duration = Duration::from_millis(200);

/// Opens a pool of at most `max_connections`. Statements end after 10 s, waits for locks after 3 s, transactions that do
/// nothing after 5 s (their process is frozen or cut off, and others wait for its locks); a dead peer is noticed by the server within about 25 s.
pub async fn connect(url: &str, max_connections: u32) -> Result<PgPool, sqlx::Error> {
    let limits = [("statement_timeout", "10s"), ("lock_timeout", "3s"), ("idle_in_transaction_session_timeout", "5s")];
    open_pool(url, max_connections, &limits).await
}

/// Opens a pool for [`migrate`], without those limits: a process waits as long as another one migrates, and a change of a large
/// table takes its time.
pub async fn connect_to_migrate(url: &str) -> Result<PgPool, sqlx::Error> {
    open_pool(url, 2, &[]).await
}

async fn open_pool(url: &str, max_connections: u32, limits: &[(&str, &str)]) -> Result<PgPool, sqlx::Error> {
    let options: PgConnectOptions = url.parse()?;
    let keepalive = [("tcp_keepalives_idle", "10"), ("tcp_keepalives_interval", "5"), ("tcp_keepalives_count", "3")];
    let options = options.application_name("docmill").options(keepalive).options(limits.iter().copied());
    pool_of(max_connections).connect_with(options).await
}

fn pool_of(max_connections: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(Duration::from_secs(5))
        // a round trip for each use is dear; what was in use just now is alive, or about to fail whoever uses it
        .test_before_acquire(false)
        .before_acquire(|conn, meta| {
            Box::pin(async move {
                if meta.idle_for > TRUSTED_FOR {
                    conn.ping().await?;
                }
                Ok(true)
            })
        })
}

/// Begins a transaction, as everybody here must: a `begin` of sqlx that is dropped while it waits leaves a transaction open that
/// sqlx does not know of (sqlx-postgres 0.9.0, transaction.rs: what it has not counted it does not roll back). Whoever got the
/// connection next would write into it, and nobody would commit that. This one goes on when its caller does not, and is rolled
/// back then.
pub async fn begin(pool: &PgPool) -> sqlx::Result<Transaction<'static, Postgres>> {
    begin_with(pool, "BEGIN").await
}

/// The same for progress: a crash of the database server may take it back, together with all that came after it. For what
/// is done again then at no cost, never for what is paid for or was promised to somebody: that the disk is not waited for
/// spares a commit a millisecond, during which no other transaction that notifies can commit.
pub async fn begin_progress(pool: &PgPool) -> sqlx::Result<Transaction<'static, Postgres>> {
    begin_with(pool, "BEGIN; SET LOCAL synchronous_commit = off").await
}

/// The same for several things of which each can be done alone as well: it fails rather than wait for a lock longer than a
/// moment, because all of them wait with it.
pub async fn begin_in_haste(pool: &PgPool) -> sqlx::Result<Transaction<'static, Postgres>> {
    begin_with(pool, "BEGIN; SET LOCAL lock_timeout = '50ms'").await
}

async fn begin_with(pool: &PgPool, statement: &'static str) -> sqlx::Result<Transaction<'static, Postgres>> {
    let pool = pool.clone();
    let begun = tokio::spawn(async move { pool.begin_with(statement).await });
    begun.await.map_err(|error| sqlx::Error::Io(io::Error::other(error)))?
}

/// A connection of the same kind for apalis, whose queues share it, each for a moment. apalis begins as sqlx does, and may leave
/// a transaction open: nobody else may write into that, and its own next commit ends it.
pub fn queue_pool(pool: &PgPool) -> PgPool {
    // a task that is lost in a crash of the server is rung for again; that a transaction is open already is no news
    let options = [("synchronous_commit", "off"), ("client_min_messages", "error")];
    pool_of(1).connect_lazy_with((*pool.connect_options()).clone().options(options))
}

/// Our own schema changes; apalis brings its own.
static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../migrations");

/// Brings the schema up to date: apalis's tables first, then ours. Safe to run from several processes at once.
pub async fn migrate(pool: &PgPool) -> anyhow::Result<()> {
    use anyhow::Context;
    apalis_postgres::PostgresStorage::<()>::setup(pool).await.context("cannot create the tables of the queue")?;
    MIGRATIONS.run(pool).await.context("cannot create the tables of docmill")?;
    Ok(())
}

/// How many of our schema changes the database lacks; 0 when this program can work with it.
pub async fn count_missing_migrations(conn: &mut sqlx::PgConnection) -> anyhow::Result<usize> {
    use sqlx::migrate::Migrate;
    let applied: HashSet<i64> = match conn.list_applied_migrations("_sqlx_migrations").await {
        Ok(applied) => applied.into_iter().map(|migration| migration.version).collect(),
        // the list itself is made by the first migration
        Err(error) if is_missing_table(&error) => HashSet::new(),
        Err(error) => return Err(error.into()),
    };
    Ok(MIGRATIONS.iter().filter(|migration| !applied.contains(&migration.version)).count())
}

fn is_missing_table(error: &sqlx::migrate::MigrateError) -> bool {
    let sqlx::migrate::MigrateError::Execute(sqlx::Error::Database(error)) = error else {
        return false;
    };
    error.code().as_deref() == Some("42P01")
}

/// How far the database's clock is ahead of this host's, in seconds.
pub async fn clock_skew_seconds(conn: &mut sqlx::PgConnection) -> sqlx::Result<f64> {
    let now = sqlx::query_scalar!(r#"SELECT clock_timestamp() AS "now!""#).fetch_one(conn).await?;
    #[expect(clippy::cast_precision_loss, reason = "a difference of hundreds of years would not be hidden by it")]
    let skew_ms = (now - chrono::Utc::now()).num_milliseconds() as f64;
    Ok(skew_ms / 1000.0)
}
