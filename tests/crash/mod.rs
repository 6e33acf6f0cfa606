//! Real worker processes that are killed, frozen or told to end: the work goes on elsewhere.

mod killed;
mod ended;
mod pages;
mod database;
mod taking_over;
mod calls;

use std::path::PathBuf;

use sqlx::{Connection, PgConnection};

use crate::support::{
    process::Program,
    world::{SHORT_TIMING, World},
};

/// Starts `docmill worker` on the world's database and sites, with folders of its own; `name` tells them apart.
fn start_worker(world: &World, name: &str, timing: &[(&str, &str)]) -> Program {
    let data_dir = world.folder().join(name);
    let (data_dir, sites_dir) = (data_dir.to_str().unwrap().to_owned(), world.sites_dir());
    let owned = world.variables();
    let mut variables: Vec<(&str, &str)> = owned.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    variables.extend([
        ("DATABASE_URL", world.database_url.as_str()),
        ("DATA_DIR", &data_dir),
        ("SITES_DIR", sites_dir.to_str().unwrap()),
        // the stand-ins write down who called them
        ("SANDBOX", "off"),
    ]);
    variables.extend(timing);
    Program::start(&["worker"], &variables, &log_of(world, name))
}

fn start_short_worker(world: &World, name: &str) -> Program {
    start_worker(world, name, &SHORT_TIMING)
}

fn log_of(world: &World, name: &str) -> PathBuf {
    world.folder().join(format!("{name}.log"))
}

/// Holds workers at one point of the pipeline, until dropped: where `table` gets a row that fulfils `condition`.
struct Barrier {
    holder: PgConnection,
    observer: PgConnection,
}

impl Barrier {
    async fn raise(world: &World, table: &str, condition: &str) -> Self {
        let mut holder = PgConnection::connect(&world.database_url).await.unwrap();
        let statements = format!(
            "CREATE OR REPLACE FUNCTION wait_at_barrier() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN PERFORM pg_advisory_xact_lock_shared(4242); RETURN NEW; END $$;
             CREATE TRIGGER barrier BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW WHEN ({condition})
             EXECUTE FUNCTION wait_at_barrier();
             SELECT pg_advisory_lock(4242);"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).execute(&mut holder).await.unwrap();
        let observer = PgConnection::connect(&world.database_url).await.unwrap();
        Self { holder, observer }
    }

    /// Waits until somebody stands at the barrier.
    async fn wait_for_arrival(&mut self) {
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_mins(1);
        loop {
            let waiting: bool = sqlx::query_scalar(
                "SELECT EXISTS (SELECT 1 FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                  WHERE l.locktype = 'advisory' AND l.objid = 4242 AND NOT l.granted AND d.datname = current_database())",
            )
            .fetch_one(&mut self.observer)
            .await
            .unwrap();
            if waiting {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "nobody came to the barrier");
            tokio::task::yield_now().await;
        }
    }

    /// Opens the barrier for good.
    async fn open(mut self) {
        sqlx::query("SELECT pg_advisory_unlock(4242)").execute(&mut self.holder).await.unwrap();
    }
}
