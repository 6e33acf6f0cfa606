//! The database of a process: a server of our own, or the one `DATABASE_URL` names.

use std::{future::pending, path::Path, time::Duration};

use anyhow::{Context, bail};
use docmill::postgres::EmbeddedPostgres;
use shared::{db, settings::DatabaseSettings};
use sqlx::PgPool;

/// Largest difference between this host's clock and the database's; beyond it people and logs would be misled.
const MAX_CLOCK_SKEW_S: f64 = 5.0;
/// How long a database that is still starting is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A reachable database with the schema of this version.
pub(crate) struct Database {
    url: String,
    embedded: Option<EmbeddedPostgres>,
}

impl Database {
    /// Uses `DATABASE_URL` if it is set, else starts a server in the data folder; then brings the schema up to date.
    pub(crate) async fn open_or_start(settings: &DatabaseSettings, data_dir: &Path) -> anyhow::Result<Self> {
        let database = if let Some(url) = settings.url() {
            Self { url: url.to_owned(), embedded: None }
        } else {
            let embedded = EmbeddedPostgres::start(data_dir).await?;
            Self { url: embedded.url().to_owned(), embedded: Some(embedded) }
        };
        match database.migrate().await {
            Ok(()) => Ok(database),
            Err(error) => {
                database.stop().await;
                Err(error)
            }
        }
    }

    /// Uses `DATABASE_URL`, which `command` cannot do without.
    pub(crate) async fn open(settings: &DatabaseSettings, command: &str) -> anyhow::Result<Self> {
        let Some(url) = settings.url() else {
            bail!("`docmill {command}` needs DATABASE_URL; `docmill serve` brings a database of its own");
        };
        let database = Self { url: url.to_owned(), embedded: None };
        database.migrate().await?;
        Ok(database)
    }

    /// Opens what is there, to look at it only: nothing is made and the schema stays as it is. `None` when there is nothing
    /// that this version could read.
    pub(crate) async fn look(settings: &DatabaseSettings, data_dir: &Path) -> anyhow::Result<Option<Self>> {
        let database = match settings.url() {
            Some(url) => Self { url: url.to_owned(), embedded: None },
            None if data_dir.join("pg/PG_VERSION").is_file() => {
                let embedded = EmbeddedPostgres::start(data_dir).await?;
                Self { url: embedded.url().to_owned(), embedded: Some(embedded) }
            }
            None => return Ok(None),
        };
        let missing = async {
            let pool = database.wait_for_answer().await?;
            let missing = db::count_missing_migrations(&mut *pool.acquire().await?).await?;
            pool.close().await;
            anyhow::Ok(missing)
        };
        match missing.await {
            Ok(0) => Ok(Some(database)),
            outcome => {
                database.stop().await;
                outcome.map(|_| None)
            }
        }
    }

    /// Opens a pool of at most so many connections.
    pub(crate) async fn connect(&self, max_connections: u32) -> anyhow::Result<PgPool> {
        db::connect(&self.url, max_connections).await.context("the database does not answer")
    }

    /// Comes back when a server of our own could not be kept alive, with the reason; never for `DATABASE_URL`.
    pub(crate) async fn failed(&self) -> String {
        match &self.embedded {
            Some(embedded) => embedded.failed().await,
            None => pending().await,
        }
    }

    /// Stops a server of our own in an orderly way.
    pub(crate) async fn stop(self) {
        if let Some(embedded) = self.embedded {
            embedded.stop().await;
        }
    }

    async fn migrate(&self) -> anyhow::Result<()> {
        let pool = self.wait_for_answer().await?;
        let skew = db::clock_skew_seconds(&mut *pool.acquire().await?).await?;
        if skew.abs() > MAX_CLOCK_SKEW_S {
            bail!(
                "this host's clock and the database's differ by {skew:.1} s, at most {MAX_CLOCK_SKEW_S} s are allowed"
            );
        }
        db::migrate(&pool).await?;
        pool.close().await;
        Ok(())
    }

    async fn wait_for_answer(&self) -> anyhow::Result<PgPool> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            match db::connect_to_migrate(&self.url).await {
                Ok(pool) => return Ok(pool),
                // a wrong address stays wrong; a server that starts will answer
                Err(error) if is_final(&error) || tokio::time::Instant::now() > deadline => {
                    return Err(error).context("cannot use the database of DATABASE_URL");
                }
                Err(error) => {
                    tracing::warn!(%error, "the database does not answer yet");
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
            }
        }
    }
}

fn is_final(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Configuration(_) | sqlx::Error::Tls(_) => true,
        // 57P03: the server is starting up or shutting down
        sqlx::Error::Database(error) => error.code().is_none_or(|code| code != "57P03"),
        _ => false,
    }
}
