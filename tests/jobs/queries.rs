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
async fn a_begin_that_is_dropped_leaves_no_transaction_open() {
    let url = fresh_database().await;
    let (pool, mut other) = (shared::db::connect(&url, 1).await.unwrap(), PgConnection::connect(&url).await.unwrap());
    other.execute("CREATE TABLE kept (number int)").await.unwrap();
    for number in 1..=200_i32 {
        // dropped after a few polls, somewhere between the pool and the answer of the server
        let mut begun = Box::pin(shared::db::begin(&pool));
        for _ in 0..number % 8 {
            if futures_util::poll!(&mut begun).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(begun);
        sqlx::query("INSERT INTO kept VALUES ($1)").bind(number).execute(&pool).await.unwrap();
        let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM kept").fetch_one(&mut other).await.unwrap();
        assert_eq!(kept, i64::from(number), "a write went into a transaction that nobody ends");
    }
}
