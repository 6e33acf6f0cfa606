//! Holds workers at exactly one point of the pipeline: a trigger that waits where a certain row is written.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::time::Instant;

use crate::support::world::World;

const WAITING: &str = "SELECT l.pid FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    WHERE l.locktype = 'advisory' AND l.objid = 4242 AND NOT l.granted AND d.datname = current_database()";

/// Holds whoever writes a row of a table that fulfils a condition, until dropped. For at most three seconds, because no
/// statement of docmill waits longer for a lock.
pub(super) struct Barrier {
    holder: PgConnection,
    observer: PgConnection,
}

impl Barrier {
    pub(super) async fn raise(world: &World, table: &str, condition: &str) -> Self {
        let mut holder = PgConnection::connect(&world.database_url).await.unwrap();
        let statements = format!(
            "CREATE OR REPLACE FUNCTION wait_at_barrier() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN PERFORM pg_advisory_xact_lock_shared(4242); RETURN NEW; END $$;
             CREATE TRIGGER barrier BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW WHEN ({condition})
             EXECUTE FUNCTION wait_at_barrier();
             SELECT pg_advisory_lock(4242);"
        );
        sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut holder).await.unwrap();
        let observer = PgConnection::connect(&world.database_url).await.unwrap();
        Self { holder, observer }
    }

    /// Waits until somebody stands at the barrier.
    pub(super) async fn wait_for_arrival(&mut self) {
        let deadline = Instant::now() + Duration::from_mins(1);
        while sqlx::query_scalar::<_, i32>(WAITING).fetch_optional(&mut self.observer).await.unwrap().is_none() {
            assert!(Instant::now() < deadline, "nobody came to the barrier");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ends the statements that wait here, as if they had never arrived; else they happen although their sender is dead.
    pub(super) async fn cut_off(&mut self) {
        let cut = format!("SELECT pg_terminate_backend(waiting.pid, 5000) FROM ({WAITING}) waiting");
        sqlx::query(AssertSqlSafe(cut)).execute(&mut self.observer).await.unwrap();
    }

    /// Opens the barrier for good.
    pub(super) async fn open(mut self) {
        sqlx::query("SELECT pg_advisory_unlock(4242)").execute(&mut self.holder).await.unwrap();
    }
}
