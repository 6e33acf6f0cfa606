//! `kill -9` and freezing: another worker goes on from the checkpoint, the old site is served throughout.

use std::time::{Duration, Instant};

use shared::{provider::Provider, variant::Status};

use super::{Barrier, log_of, start_short_worker, start_worker};
use crate::support::{
    repository::Repository,
    world::{World, variant},
};

/// Makes a first site, kills the worker that makes the second one where `table` gets a row that fulfils `condition`, and
/// lets another finish. Only the calls that `may_repeat` may be paid for twice: those in flight when it was killed.
async fn finish_after_a_kill(table: &str, condition: &str, may_repeat: &[&str]) {
    let world = World::without_worker().await;
    let repository = Repository::library("adder");
    let key = variant("adder", Provider::Claude);
    let first = start_short_worker(&world, "first");
    let old = world.generate(&repository, &key, false).await;
    assert_eq!((old.status, old.error_message.as_deref()), (Status::Ready, None));
    repository.commit("second");
    // so that the validating stage has something to do
    world.stand_ins.set("mode.page-page-2", "stub");
    let calls_before = world.stand_ins.calls().len();

    let mut barrier = Barrier::raise(&world, table, condition).await;
    let id = world.request(&repository, &key, true).await.unwrap();
    barrier.wait_for_arrival().await;
    first.kill();
    barrier.open().await;
    let _second = start_short_worker(&world, "second");
    let row = world
        .wait_until(&key, |row| {
            assert!(row.site_prefix.is_some(), "the old site is not served any more");
            row.status != Status::Generating
        })
        .await;
    assert_eq!((row.status, row.error_message.as_deref()), (Status::Ready, None));
    assert_eq!(row.generation_id, Some(id));
    assert_ne!(row.site_prefix, old.site_prefix);
    assert!(world.site_file(&row, "page-2.html").await.is_some());
    assert!(world.site_file(&old, "page-2.html").await.is_some(), "the old site is gone");

    // what was checkpointed before the kill was not paid for again
    let calls = world.stand_ins.calls().split_off(calls_before);
    for call in &calls {
        let count = calls.iter().filter(|other| *other == call).count();
        assert!(count == 1 || may_repeat.contains(&call.as_str()), "`{call}` was made {count} times: {calls:?}");
    }
}

#[tokio::test]
async fn a_worker_killed_while_cloning_is_replaced() {
    finish_after_a_kill("checkpoints", "NEW.stage = 'cloning'", &[]).await;
}

#[tokio::test]
async fn a_worker_killed_while_planning_is_replaced() {
    finish_after_a_kill("checkpoints", "NEW.stage = 'planning'", &["plan"]).await;
}

#[tokio::test]
async fn a_worker_killed_between_pages_is_replaced() {
    let in_flight = ["page-page-1", "page-page-2", "page-page-3"];
    finish_after_a_kill("pages", "NEW.slug = 'page-3' AND NEW.markdown IS NOT NULL", &in_flight).await;
}

#[tokio::test]
async fn a_worker_killed_after_the_last_page_is_replaced() {
    finish_after_a_kill("checkpoints", "NEW.stage = 'generating_pages'", &[]).await;
}

#[tokio::test]
async fn a_worker_killed_while_validating_is_replaced() {
    finish_after_a_kill("checkpoints", "NEW.stage = 'validating'", &[]).await;
}

#[tokio::test]
async fn a_worker_killed_while_cross_linking_is_replaced() {
    finish_after_a_kill("checkpoints", "NEW.stage = 'cross_linking'", &[]).await;
}

#[tokio::test]
async fn a_worker_killed_while_publishing_is_replaced() {
    finish_after_a_kill("generations", "NEW.state = 'ready'", &[]).await;
}

#[tokio::test]
async fn with_the_real_times_work_goes_on_within_45_seconds() {
    let world = World::without_worker().await;
    let key = variant("adder", Provider::Claude);
    let first = start_worker(&world, "first", &[]);
    world.stand_ins.block("page-page-3");
    let repository = Repository::library("adder");
    world.request(&repository, &key, false).await.unwrap();
    world.wait_until(&key, |row| row.page_count == 2).await;
    let _second = start_worker(&world, "second", &[]);
    first.kill();
    let killed = Instant::now();
    world.stand_ins.release("page-page-3");
    let row = world.wait_for_end(&key).await;
    println!("went on and finished {:?} after the kill", killed.elapsed());
    assert_eq!((row.status, row.error_message.as_deref()), (Status::Ready, None));
    assert!(killed.elapsed() < Duration::from_secs(45));
}

#[tokio::test]
async fn a_frozen_worker_that_comes_back_writes_nothing() {
    let world = World::without_worker().await;
    let key = variant("adder", Provider::Claude);
    let frozen = start_short_worker(&world, "frozen");
    let mut barrier = Barrier::raise(&world, "generations", "NEW.state = 'ready'").await;
    let repository = Repository::library("adder");
    world.request(&repository, &key, false).await.unwrap();
    barrier.wait_for_arrival().await;
    shared::os::send_signal(frozen.id(), libc_stop()).unwrap();
    // its own last statement is undone with its connection; the lease runs out meanwhile
    sqlx::query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")
        .execute(&world.pool)
        .await
        .unwrap();
    barrier.open().await;
    let _other = start_short_worker(&world, "other");
    let row = world.wait_for_end(&key).await;
    assert_eq!((row.status, row.error_message.as_deref()), (Status::Ready, None));
    assert!(row.site_prefix.as_ref().unwrap().ends_with("-2"), "{:?}", row.site_prefix);
    shared::os::send_signal(frozen.id(), libc_continue()).unwrap();
    assert_eq!(frozen.terminate(), Some(0), "{}", std::fs::read_to_string(log_of(&world, "frozen")).unwrap());
    assert_eq!(world.row(&key).await.site_prefix, row.site_prefix);
}

fn libc_stop() -> i32 {
    19
}

fn libc_continue() -> i32 {
    18
}

#[tokio::test]
async fn a_job_that_kills_its_workers_ends_after_three_deaths() {
    let world = World::without_worker().await;
    let key = variant("adder", Provider::Claude);
    world.stand_ins.set("mode.plan", "kill-worker");
    let repository = Repository::library("adder");
    world.request(&repository, &key, false).await.unwrap();
    for death in 0..3 {
        let victim = start_short_worker(&world, &format!("victim-{death}"));
        assert_eq!(victim.wait_for(Duration::from_mins(1)).code(), None, "it should have been killed");
    }
    let _survivor = start_short_worker(&world, "survivor");
    let row = world.wait_for_end(&key).await;
    assert_eq!(row.status, Status::Error);
    assert!(row.error_message.as_ref().unwrap().contains("died 3 times in stage planning"), "{:?}", row.error_message);
}
