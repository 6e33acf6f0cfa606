//! SIGTERM: the worker hands back what it cannot finish and ends with 0; two workers share the work.

use std::{collections::BTreeSet, time::Instant};

use shared::{jobs::request_abort, provider::Provider, variant::Status};

use super::{log_of, start_short_worker, start_worker};
use crate::support::{
    repository::Repository,
    world::{World, variant},
};

#[tokio::test]
async fn a_worker_told_to_end_hands_its_run_to_another() {
    let world = World::without_worker().await;
    let key = variant("adder", Provider::Claude);
    let first = start_short_worker(&world, "first");
    world.stand_ins.block("page-page-3");
    let repository = Repository::library("adder");
    let id = world.request(&repository, &key, false).await.unwrap();
    world.wait_until(&key, |row| row.page_count == 2).await;
    let asked = Instant::now();
    assert_eq!(first.terminate(), Some(0), "{}", std::fs::read_to_string(log_of(&world, "first")).unwrap());
    println!("ended {:?} after SIGTERM", asked.elapsed());
    assert!(asked.elapsed().as_secs() < 30);
    let crashes: i32 = sqlx::query_scalar("SELECT crash_count FROM generations WHERE id = $1")
        .bind(id.0)
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert_eq!(crashes, 0, "an orderly end is no crash");
    world.stand_ins.release("page-page-3");
    let _second = start_short_worker(&world, "second");
    let row = world.wait_for_end(&key).await;
    assert_eq!((row.status, row.error_message.as_deref()), (Status::Ready, None));
    let calls = world.stand_ins.calls();
    assert_eq!(calls.iter().filter(|call| *call == "page-page-1").count(), 1, "{calls:?}");
}

#[tokio::test]
async fn two_workers_share_twenty_generations() {
    let world = World::without_worker().await;
    let repositories: Vec<Repository> = (0..20).map(|number| Repository::library(&format!("r{number}"))).collect();
    let key = |number: usize| variant(&format!("r{number}"), Provider::Builtin);
    let _workers = [start_short_worker(&world, "one"), start_short_worker(&world, "two")];
    for (number, repository) in repositories.iter().enumerate() {
        world.request(repository, &key(number), false).await.unwrap();
    }
    for number in 0..20 {
        let row = world.wait_for_end(&key(number)).await;
        assert_eq!((row.status, row.error_message.as_deref()), (Status::Ready, None));
    }
    let workers: Vec<String> =
        sqlx::query_scalar("SELECT DISTINCT worker FROM generations").fetch_all(&world.pool).await.unwrap();
    assert_eq!(workers.into_iter().collect::<BTreeSet<_>>().len(), 2, "one worker did everything");
}

#[tokio::test]
async fn a_worker_that_waits_for_its_database_ends_when_told() {
    let world = World::without_worker().await;
    // nobody listens on port 1
    let away = [("DATABASE_URL", "postgres://docmill@127.0.0.1:1/docmill"), ("LOG_LEVEL", "debug")];
    let worker = start_worker(&world, "waiting", &away);
    let deadline = Instant::now() + std::time::Duration::from_secs(20);
    while !std::fs::read_to_string(log_of(&world, "waiting")).unwrap().contains("does not answer yet") {
        assert!(Instant::now() < deadline, "it does not wait");
        tokio::task::yield_now().await;
    }
    let asked = Instant::now();
    assert_eq!(worker.terminate(), Some(0));
    assert!(asked.elapsed().as_secs() < 5, "it waited for {:?}", asked.elapsed());
}

#[tokio::test]
async fn a_worker_without_room_leaves_tasks_to_others() {
    let world = World::without_worker().await;
    let _full = start_worker(&world, "full", &[("WORKER_GENERATIONS", "1")]);
    world.stand_ins.block("plan");
    let (blocked, free) = (Repository::library("blocked"), Repository::library("free"));
    let key = variant("blocked", Provider::Claude);
    world.request(&blocked, &key, false).await.unwrap();
    world.wait_until(&key, |row| row.current_stage == Some(shared::stage::Stage::Planning)).await;
    let key = variant("free", Provider::Builtin);
    world.request(&free, &key, false).await.unwrap();
    let _idle = start_worker(&world, "idle", &[]);
    let row = world.wait_for_end(&key).await;
    assert_eq!((row.status, row.error_message.as_deref()), (Status::Ready, None));
    world.stand_ins.release("plan");
}

#[tokio::test]
async fn the_end_of_a_worker_does_not_wait_for_anothers_lease() {
    let world = World::without_worker().await;
    let key = variant("adder", Provider::Claude);
    let frozen = start_worker(&world, "frozen", &[]);
    world.stand_ins.block("plan");
    let repository = Repository::library("adder");
    let id = world.request(&repository, &key, false).await.unwrap();
    let row = world.wait_until(&key, |row| row.current_stage == Some(shared::stage::Stage::Planning)).await;
    shared::os::send_signal(frozen.id(), 19).unwrap();
    let other = start_worker(&world, "other", &[]);
    let mut transaction = world.pool.begin().await.unwrap();
    request_abort(&mut transaction, row.id, id).await.unwrap();
    transaction.commit().await.unwrap();
    let deadline = Instant::now() + std::time::Duration::from_secs(20);
    let at_it = "SELECT EXISTS (SELECT 1 FROM apalis.jobs WHERE job_type = 'abort' AND status = 'Running')";
    while !sqlx::query_scalar::<_, bool>(at_it).fetch_one(&world.pool).await.unwrap() {
        assert!(Instant::now() < deadline, "nobody takes the abort");
    }
    let asked = Instant::now();
    assert_eq!(other.terminate(), Some(0), "{}", std::fs::read_to_string(log_of(&world, "other")).unwrap());
    assert!(asked.elapsed().as_secs() < 8, "it waited {:?} for the lease", asked.elapsed());
    frozen.kill();
    world.stand_ins.release("plan");
}
