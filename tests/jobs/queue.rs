//! What our corset relies on in apalis-postgres 1.0.0, and what it adds.

use shared::{
    db,
    ids::GenerationId,
    jobs::{AbortJob, GenerateJob, Job, enqueue},
};
use sqlx::{Connection, PgConnection};

use crate::support::database::fresh_database;

async fn connect() -> PgConnection {
    PgConnection::connect(&fresh_database().await).await.unwrap()
}

async fn status(connection: &mut PgConnection, queue: &str) -> Vec<String> {
    sqlx::query_scalar("SELECT status FROM apalis.jobs WHERE job_type = $1")
        .bind(queue)
        .fetch_all(connection)
        .await
        .unwrap()
}

#[tokio::test]
async fn the_pinned_apalis_is_the_one_we_know() {
    let mut connection = connect().await;
    let migrations: i64 =
        sqlx::query_scalar("SELECT count(*) FROM apalis._sqlx_migrations").fetch_one(&mut connection).await.unwrap();
    assert_eq!(
        migrations, 23,
        "apalis-postgres changed its schema: look at migrations/20261121000005_queue_corset.sql"
    );
    let arguments: String = sqlx::query_scalar(
        "SELECT pg_get_function_arguments(oid) || ' -> ' || pg_get_function_result(oid) FROM pg_proc WHERE proname = 'get_jobs'",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!(arguments, "worker_id text, v_job_type text, v_job_count integer DEFAULT 5 -> SETOF apalis.jobs");
}

#[tokio::test]
async fn a_rolled_back_request_leaves_no_task() {
    let mut connection = connect().await;
    let job = AbortJob { generation: GenerationId::new() };
    let mut transaction = connection.begin().await.unwrap();
    enqueue(&mut transaction, &job).await.unwrap();
    transaction.rollback().await.unwrap();
    assert_eq!(status(&mut connection, AbortJob::QUEUE).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_key_is_waiting_once_and_can_come_back_when_it_ended() {
    let mut connection = connect().await;
    let job = GenerateJob { generation: GenerationId::new(), fence: 3 };
    enqueue(&mut connection, &job).await.unwrap();
    enqueue(&mut connection, &job).await.unwrap();
    assert_eq!(status(&mut connection, GenerateJob::QUEUE).await, ["Pending"]);
    sqlx::query("UPDATE apalis.jobs SET status = 'Done', done_at = now()").execute(&mut connection).await.unwrap();
    enqueue(&mut connection, &job).await.unwrap();
    assert_eq!(status(&mut connection, GenerateJob::QUEUE).await, ["Pending"]);
}

#[tokio::test]
async fn a_task_ended_from_outside_does_not_run_for_ever() {
    let mut connection = connect().await;
    enqueue(&mut connection, &AbortJob { generation: GenerationId::new() }).await.unwrap();
    sqlx::query("UPDATE apalis.jobs SET status = 'Running'").execute(&mut connection).await.unwrap();
    // what apalis writes when a layer drops the handler
    sqlx::query("UPDATE apalis.jobs SET status = 'Running', done_at = now()").execute(&mut connection).await.unwrap();
    assert_eq!(status(&mut connection, AbortJob::QUEUE).await, ["Killed"]);
}

#[tokio::test]
async fn a_fetch_takes_one_due_task_of_its_queue_by_priority() {
    let mut connection = connect().await;
    for (id, queue, priority) in [("a", "one", 0), ("b", "one", 5), ("c", "two", 9)] {
        let due = db::queue::Due { priority, ..Default::default() };
        let task = db::queue::NewTask { payload: serde_json::json!({}), idempotency_key: id.into(), due };
        db::queue::push(&mut connection, queue, vec![task]).await.unwrap();
    }
    sqlx::query(
        "INSERT INTO apalis.workers (id, worker_type, storage_name, last_seen) VALUES ('w', 'one', 's', now())",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    let fetched: Vec<(String, String)> =
        sqlx::query_as("SELECT idempotency_key, status FROM apalis.get_jobs('w', 'one', 1)")
            .fetch_all(&mut connection)
            .await
            .unwrap();
    assert_eq!(fetched, [("b".to_owned(), "Queued".to_owned())]);
}

#[tokio::test]
async fn a_fetch_reads_the_index_and_not_the_backlog() {
    let mut connection = connect().await;
    sqlx::query(
        "INSERT INTO apalis.jobs (id, job_type, job, status, run_at, metadata)
         SELECT 'j' || n, 'big', '{}', 'Pending', now() - interval '1 minute', '' FROM generate_series(1, 20000) n",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO apalis.workers (id, worker_type, storage_name, last_seen) VALUES ('w', 'big', 's', now())",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    sqlx::query("ANALYZE apalis.jobs").execute(&mut connection).await.unwrap();
    let before: i64 = sequentially_read(&mut connection).await;
    for _ in 0..5 {
        sqlx::query("SELECT id FROM apalis.get_jobs('w', 'big', 1)").fetch_one(&mut connection).await.unwrap();
    }
    assert_eq!(sequentially_read(&mut connection).await, before, "a fetch read the whole table");
}

async fn sequentially_read(connection: &mut PgConnection) -> i64 {
    sqlx::query_scalar("SELECT pg_stat_force_next_flush()::text")
        .fetch_one(&mut *connection)
        .await
        .map(|_: String| ())
        .unwrap();
    sqlx::query_scalar("SELECT seq_tup_read FROM pg_stat_user_tables WHERE schemaname = 'apalis' AND relname = 'jobs'")
        .fetch_one(connection)
        .await
        .unwrap()
}

#[test]
fn payloads_of_older_versions_still_parse() {
    let id: GenerationId = "0196b1a4-7f4e-7c3a-8a39-3f4f5a6b7c8d".parse().unwrap();
    let generate: GenerateJob =
        serde_json::from_str(r#"{"generation":"0196b1a4-7f4e-7c3a-8a39-3f4f5a6b7c8d"}"#).unwrap();
    assert_eq!((generate.generation, generate.fence), (id, 0));
    let newer = r#"{"generation":"0196b1a4-7f4e-7c3a-8a39-3f4f5a6b7c8d","fence":2,"a_field_of_tomorrow":true}"#;
    assert_eq!(serde_json::from_str::<GenerateJob>(newer).unwrap().fence, 2);
    assert_eq!(serde_json::from_str::<AbortJob>(newer).unwrap().generation, id);
}
