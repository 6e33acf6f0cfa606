//! SIGTERM: the worker hands back what it cannot finish and ends with 0; two workers share the work.

use std::{collections::BTreeSet, time::Instant};

use shared::{provider::Provider, variant::Status};

use super::{log_of, start_short_worker};
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
    let id = world.request(&Repository::library("adder"), &key, false).await.unwrap();
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
