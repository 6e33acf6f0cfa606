//! One Postgres for all tests of a run, and a fresh database for each test, copied from a migrated template.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use docmill::postgres::EmbeddedPostgres;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::sync::OnceCell;

static POSTGRES: OnceCell<EmbeddedPostgres> = OnceCell::const_new();
static NEXT: AtomicU32 = AtomicU32::new(0);

const TEMPLATE: &str = "migrated";

/// The folder of the shared server. Outside the tree, because the server's user must be able to reach it; one for each
/// checkout, so that the tests of two can run at the same time.
fn data_dir() -> PathBuf {
    let user = if shared::os::is_root() { "root".into() } else { std::env::var("USER").unwrap_or_default() };
    let mut checkout = DefaultHasher::new();
    env!("CARGO_MANIFEST_DIR").hash(&mut checkout);
    std::env::temp_dir().join(format!("docmill-tests-{user}-{:x}", checkout.finish()))
}

async fn postgres() -> &'static EmbeddedPostgres {
    POSTGRES
        .get_or_init(|| async {
            std::fs::create_dir_all(data_dir()).unwrap();
            let postgres = EmbeddedPostgres::start(&data_dir()).await.unwrap();
            make_template(&postgres).await;
            postgres
        })
        .await
}

/// Removes what an earlier run left and migrates the template from nothing.
async fn make_template(postgres: &EmbeddedPostgres) {
    let mut connection = PgConnection::connect(postgres.url()).await.unwrap();
    let old: Vec<String> =
        sqlx::query_scalar("SELECT datname::text FROM pg_database WHERE datname = $1 OR datname LIKE 'test\\_%'")
            .bind(TEMPLATE)
            .fetch_all(&mut connection)
            .await
            .unwrap();
    for name in old {
        sqlx::query(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)")))
            .execute(&mut connection)
            .await
            .unwrap();
    }
    sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {TEMPLATE}"))).execute(&mut connection).await.unwrap();
    let pool = shared::db::connect(&url_of(postgres, TEMPLATE), 2).await.unwrap();
    shared::db::migrate(&pool).await.unwrap();
    pool.close().await;
}

fn url_of(postgres: &EmbeddedPostgres, database: &str) -> String {
    let mut url = url::Url::parse(postgres.url()).unwrap();
    url.set_path(database);
    url.into()
}

/// The address of a database of this test's own, with the schema and nothing in it.
pub(crate) async fn fresh_database() -> String {
    copy_of(TEMPLATE).await
}

/// The address of a database of this test's own without any schema.
pub(crate) async fn empty_database() -> String {
    copy_of("template0").await
}

async fn copy_of(template: &str) -> String {
    let postgres = postgres().await;
    let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let mut connection = PgConnection::connect(postgres.url()).await.unwrap();
    // two copies of one template cannot be made at the same time
    sqlx::query("SELECT pg_advisory_lock(1)").execute(&mut connection).await.unwrap();
    sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE {template}")))
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    url_of(postgres, &name)
}
