//! Aborting a running generation: the stage is left, the writer's processes die, the state is `aborted`.

use std::time::{Duration, Instant};

use shared::{jobs::request_abort, provider::Provider, variant::Status};

use crate::support::{
    repository::Repository,
    world::{World, variant},
};

#[tokio::test]
async fn a_running_generation_is_aborted_and_its_processes_die() {
    let world = World::start().await;
    let repository = Repository::library("adder");
    let key = variant("adder", Provider::Claude);
    world.stand_ins.set("mode.page-page-2", "hang");
    let id = world.request(&repository, &key, false).await.unwrap();
    let row = world.wait_until(&key, |row| row.page_count == 2).await;

    let asked = Instant::now();
    let mut transaction = world.pool.begin().await.unwrap();
    request_abort(&mut transaction, row.id, id).await.unwrap();
    transaction.commit().await.unwrap();
    let row = world.wait_for_end(&key).await;
    assert_eq!((row.status, row.error_message.as_deref()), (Status::Aborted, Some("Generation aborted by user")));
    println!("aborted after {:?}", asked.elapsed());
    assert!(asked.elapsed() < Duration::from_secs(5), "an abort answers within 5 s");
    let folder = world.stand_ins.program("claude");
    let deadline = Instant::now() + Duration::from_secs(5);
    while processes_of(folder.parent().unwrap().to_str().unwrap()) > 0 {
        assert!(Instant::now() < deadline, "the writer's processes live on");
        tokio::task::yield_now().await;
    }
    // and the next one works
    world.stand_ins.clear("mode.page-page-2");
    let row = world.generate(&repository, &key, false).await;
    assert_eq!(row.status, Status::Ready);
}

/// Processes whose command line names this folder.
fn processes_of(folder: &str) -> usize {
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| std::fs::read(entry.unwrap().path().join("cmdline")).ok())
        .filter(|command| String::from_utf8_lossy(command).contains(folder))
        .count()
}

#[tokio::test]
async fn an_abort_does_not_wait_behind_generations() {
    let world = World::start().await;
    world.stand_ins.block("plan");
    let repositories: Vec<Repository> = (0..33).map(|number| Repository::library(&format!("r{number}"))).collect();
    let mut last = None;
    for (number, repository) in repositories.iter().enumerate() {
        let key = variant(&format!("r{number}"), Provider::Claude);
        let id = world.request(repository, &key, false).await.unwrap();
        last = Some((key, id));
    }
    // 32 places are taken, the last one is queued
    let (key, id) = last.unwrap();
    let first = variant("r0", Provider::Claude);
    world.wait_until(&first, |row| row.current_stage.is_some()).await;
    for (key, id) in [(&key, id), (&first, world.row(&first).await.generation_id.unwrap())] {
        let mut transaction = world.pool.begin().await.unwrap();
        let row = world.row(key).await;
        request_abort(&mut transaction, row.id, id).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(world.wait_for_end(key).await.status, Status::Aborted);
    }
    world.stand_ins.release("plan");
}
