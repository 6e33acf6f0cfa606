//! Work that kills whoever does it: it ends by itself, everything else is kept, and the pool of workers stays up.

use std::time::Duration;

use shared::{provider::Provider, variant::Status};

use super::{
    start_short_worker,
    traces::{Site, assert_calls, assert_nothing_left, assert_same_site},
};
use crate::support::{
    process::Program,
    repository::Repository,
    world::{World, variant},
};

#[tokio::test]
async fn a_plan_that_kills_its_workers_ends_after_three_deaths() {
    let world = World::without_worker().await;
    let key = variant("adder", Provider::Claude);
    world.stand_ins.set("mode.plan", "kill-worker");
    let repository = Repository::library("adder");
    world.request(&repository, &key, false).await.unwrap();
    for death in 0..3 {
        let victim = start_short_worker(&world, &format!("victim-{death}"));
        assert_eq!(victim.wait_for(Duration::from_mins(1)).code(), None, "it should have been killed");
    }
    let survivor = start_short_worker(&world, "survivor");
    let row = world.wait_for_end(&key).await;
    assert_eq!(row.status, Status::Error);
    assert!(row.error_message.as_ref().unwrap().contains("died 3 times in stage planning"), "{:?}", row.error_message);
    assert_calls(&world, 0, &["plan"], &["plan", "plan"]);
    assert_eq!(survivor.terminate(), Some(0));
    assert_nothing_left(&world).await;
}

#[tokio::test]
async fn a_page_that_kills_its_workers_ends_its_run_by_name_and_all_others_are_kept() {
    let world = World::without_worker().await;
    let key = variant("adder", Provider::Claude);
    world.stand_ins.set("mode.page-page-2", "kill-worker");
    let (poisoned, healthy) = (Repository::library("adder"), Repository::library("healthy"));
    let mut pool: Vec<Program> = (0..2).map(|number| start_short_worker(&world, &format!("worker-{number}"))).collect();
    world.request(&poisoned, &key, false).await.unwrap();
    let (mut deaths, mut other) = (0, None);
    let row = loop {
        let row = world.row(&key).await;
        if row.status != Status::Generating {
            break row;
        }
        // as systemd or Kubernetes do
        for (number, worker) in pool.iter_mut().enumerate() {
            if worker.has_ended() {
                *worker = start_short_worker(&world, &format!("worker-{number}"));
                deaths += 1;
            }
        }
        // others work meanwhile
        if deaths == 1 && other.is_none() {
            let key = variant("healthy", Provider::Builtin);
            world.request(&healthy, &key, false).await.unwrap();
            other = Some(key);
        }
        assert!(deaths <= 10, "it goes on for ever");
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert_eq!(row.status, Status::Error);
    let message = row.error_message.as_ref().unwrap();
    assert!(message.contains("page `page-2`") && message.contains("died 5 times"), "{message}");
    assert_eq!(row.site_prefix, None);
    assert_eq!(world.wait_for_end(&other.unwrap()).await.status, Status::Ready);

    // the others are paid for: the next run makes only this one
    world.stand_ins.clear("mode.page-page-2");
    let before = world.stand_ins.calls();
    for kept in ["plan", "page-page-1", "page-page-3"] {
        let made = before.iter().filter(|call| *call == kept).count();
        // in flight at the deaths that made the page a suspect, and never after
        assert!((1..=3).contains(&made), "{kept}: {before:?}");
    }
    assert_eq!(before.iter().filter(|call| *call == "page-page-2").count(), 5, "{before:?}");
    world.request(&poisoned, &key, true).await.unwrap();
    let row = world.wait_for_end(&key).await;
    assert_same_site(&world, &row, Site::First).await;
    assert_calls(&world, before.len(), &["plan", "page-page-2"], &[]);
    for worker in &mut pool {
        assert!(!worker.has_ended(), "a worker died of something else");
    }
    for worker in pool {
        assert_eq!(worker.terminate(), Some(0));
    }
    assert_nothing_left(&world).await;
}
