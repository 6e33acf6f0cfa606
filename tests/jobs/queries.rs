//! The cache of checked queries is true: every query of it is accepted by the schema that the migrations make.

use std::{fs, path::Path};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqlSafeStr};

use crate::support::database::fresh_database;

#[tokio::test]
async fn every_cached_query_fits_the_schema() {
    let mut connection = PgConnection::connect(&fresh_database().await).await.unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("shared/.sqlx");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let cached: serde_json::Value = serde_json::from_slice(&fs::read(entry.path()).unwrap()).unwrap();
        let query = cached["query"].as_str().unwrap().to_owned();
        let described = connection.describe(AssertSqlSafe(query.clone()).into_sql_str()).await;
        assert!(described.is_ok(), "{query}\n{described:?}\nrun script/sqlx");
        count += 1;
    }
    assert!(count > 40, "only {count} queries in the cache");
}

#[tokio::test]
async fn nobody_gets_a_connection_that_is_in_a_transaction_of_somebody_else() {
    let pool = shared::db::connect(&fresh_database().await, 1).await.unwrap();
    let mut connection = pool.acquire().await.unwrap();
    // as a `begin` leaves it that is dropped while it waits: sqlx does not count it
    connection.execute("BEGIN").await.unwrap();
    let first: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut *connection).await.unwrap();
    drop(connection);
    let mut connection = pool.acquire().await.unwrap();
    let second: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut *connection).await.unwrap();
    assert_ne!(first, second, "somebody else's transaction is still open in it");
    drop(connection);
    let mut connection = pool.acquire().await.unwrap();
    let third: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut *connection).await.unwrap();
    assert_eq!(second, third, "a connection that is in order is used again");
}
