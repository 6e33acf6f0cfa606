//! The reaper: a run without a living worker is queued again, three deaths without progress end it.

use std::time::Duration;

use serde_json::json;
use shared::{db, generation::State, ids::GenerationId, stage::Stage, variant::Status};
use sqlx::PgConnection;

use super::generations::{claim, finished, pool, start};

/// Takes the generation and lets the lease run out.
async fn die(connection: &mut PgConnection, id: GenerationId) -> State {
    let fence = claim(connection, id).await.unwrap().fence;
    db::generations::renew(connection, id, fence, Duration::ZERO).await.unwrap();
    let reaped = db::recovery::reap_expired(connection).await.unwrap();
    assert_eq!(reaped.len(), 1);
    assert_eq!(reaped[0].fence, fence);
    reaped[0].state
}

#[tokio::test]
async fn a_run_whose_lease_ran_out_is_queued_again() {
    let pool = pool().await;
    let mut connection = pool.acquire().await.unwrap();
    let id = start(&mut connection).await.unwrap();
    assert_eq!(die(&mut connection, id).await, State::Queued);
    assert!(claim(&mut connection, id).await.is_some());
    assert!(db::recovery::reap_expired(&mut connection).await.unwrap().is_empty(), "a living lease was taken");
}

#[tokio::test]
async fn three_deaths_without_progress_end_the_run() {
    let pool = pool().await;
    let mut connection = pool.acquire().await.unwrap();
    let id = start(&mut connection).await.unwrap();
    assert_eq!(die(&mut connection, id).await, State::Queued);
    assert_eq!(die(&mut connection, id).await, State::Queued);
    assert_eq!(die(&mut connection, id).await, State::Error);
    let row = db::variants::list(&mut connection, db::variants::Scope::All).await.unwrap().pop().unwrap();
    assert_eq!(row.status, Status::Error);
    assert!(row.error_message.unwrap().contains("died 3 times in stage cloning"));
}

#[tokio::test]
async fn a_run_is_not_blamed_for_workers_that_die_without_it() {
    let pool = pool().await;
    let mut connection = pool.acquire().await.unwrap();
    let dead = "INSERT INTO workers (name, last_seen) SELECT 'dead-' || n, now() - interval '1 minute' FROM generate_series(1, 30) n";
    sqlx::query(dead).execute(&mut *connection).await.unwrap();
    let id = start(&mut connection).await.unwrap();
    for _ in 1..db::recovery::MAX_CRASHES_AMONG_OTHERS {
        assert_eq!(die(&mut connection, id).await, State::Queued);
    }
    assert_eq!(die(&mut connection, id).await, State::Error, "but not for ever");
    let other = start(&mut connection).await.unwrap();
    // it was there at half of the deaths
    sqlx::query("DELETE FROM workers WHERE name NOT IN ('dead-1', 'dead-2', 'dead-3', 'dead-4', 'dead-5', 'dead-6')")
        .execute(&mut *connection)
        .await
        .unwrap();
    assert_eq!(die(&mut connection, other).await, State::Queued);
    assert_eq!(die(&mut connection, other).await, State::Queued);
    assert_eq!(die(&mut connection, other).await, State::Error);
}

#[tokio::test]
async fn progress_forgives_earlier_deaths() {
    let pool = pool().await;
    let mut connection = pool.acquire().await.unwrap();
    let id = start(&mut connection).await.unwrap();
    die(&mut connection, id).await;
    die(&mut connection, id).await;
    let fence = claim(&mut connection, id).await.unwrap().fence;
    db::generations::save_checkpoint(&mut connection, id, fence, Stage::Cloning, &json!({})).await.unwrap();
    db::generations::hand_back(&mut connection, id, fence).await.unwrap();
    assert_eq!(die(&mut connection, id).await, State::Queued);
    assert_eq!(die(&mut connection, id).await, State::Queued);
}

#[tokio::test]
async fn a_dead_run_that_was_to_be_aborted_is_aborted() {
    let pool = pool().await;
    let mut connection = pool.acquire().await.unwrap();
    let id = start(&mut connection).await.unwrap();
    let fence = claim(&mut connection, id).await.unwrap().fence;
    db::aborts::request(&mut connection, id).await.unwrap();
    db::generations::renew(&mut connection, id, fence, Duration::ZERO).await.unwrap();
    assert_eq!(db::recovery::reap_expired(&mut connection).await.unwrap()[0].state, State::Aborted);
}

#[tokio::test]
async fn a_queued_generation_without_a_task_is_found() {
    let pool = pool().await;
    let mut connection = pool.acquire().await.unwrap();
    let id = start(&mut connection).await.unwrap();
    sqlx::query("UPDATE generations SET created_at = now() - interval '1 minute'")
        .execute(&mut *connection)
        .await
        .unwrap();
    assert!(db::recovery::list_unrung(&mut connection, Duration::from_secs(5)).await.unwrap().is_empty());
    sqlx::query("DELETE FROM apalis.jobs").execute(&mut *connection).await.unwrap();
    assert_eq!(db::recovery::list_unrung(&mut connection, Duration::from_secs(5)).await.unwrap(), [(id, 0)]);
}

#[tokio::test]
async fn a_folder_that_was_never_served_is_found_and_no_other() {
    let pool = pool().await;
    let mut connection = pool.acquire().await.unwrap();
    let id = start(&mut connection).await.unwrap();
    let fence = claim(&mut connection, id).await.unwrap().fence;
    let folder = |name: &str| (id, name.to_owned());
    let folders =
        [folder("prefix"), folder("of-a-dead-worker"), (GenerationId::new(), "of-another-database".to_owned())];
    assert_eq!(db::recovery::list_abandoned_sites(&mut connection, &folders).await.unwrap(), Vec::<String>::new());
    db::generations::finish(&mut connection, id, fence, &finished()).await.unwrap();
    assert_eq!(db::recovery::list_abandoned_sites(&mut connection, &folders).await.unwrap(), Vec::<String>::new());
    sqlx::query("UPDATE generations SET finished_at = now() - interval '2 hours'")
        .execute(&mut *connection)
        .await
        .unwrap();
    let abandoned = db::recovery::list_abandoned_sites(&mut connection, &folders).await.unwrap();
    assert_eq!(abandoned, ["of-a-dead-worker"]);
}
