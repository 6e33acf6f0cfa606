//! Pages on several workers: they share them, and take over those of one that is gone.

use shared::{provider::Provider, variant::Status};

use super::start_worker;
use crate::support::{
    process::Program,
    repository::Repository,
    world::{SHORT_TIMING, World, variant},
};

/// A worker that writes one page at a time.
fn start_narrow_worker(world: &World, name: &str) -> Program {
    let mut settings = SHORT_TIMING.to_vec();
    settings.push(("WORKER_AI_SLOTS", "1"));
    start_worker(world, name, &settings)
}

#[tokio::test]
async fn the_pages_of_one_generation_are_written_by_several_workers() {
    let world = World::without_worker().await;
    let key = variant("adder", Provider::Claude);
    let (_one, _two) = (start_narrow_worker(&world, "one"), start_narrow_worker(&world, "two"));
    world.stand_ins.block("page-page-1");
    world.stand_ins.block("page-page-2");
    let repository = Repository::library("adder");
    world.request(&repository, &key, false).await.unwrap();
    // each worker has one slot: two pages in flight are on two workers
    world.stand_ins.wait_until_blocked("page-page-1");
    world.stand_ins.wait_until_blocked("page-page-2");
    world.stand_ins.release("page-page-1");
    world.stand_ins.release("page-page-2");
    let row = world.wait_for_end(&key).await;
    assert_eq!((row.status, row.error_message, row.page_count), (Status::Ready, None, 3));
    let mut calls = world.stand_ins.calls();
    calls.sort();
    assert_eq!(calls, ["page-page-1", "page-page-2", "page-page-3", "plan"]);
}

#[tokio::test]
async fn a_page_goes_on_when_the_coordinator_of_its_run_dies() {
    let world = World::without_worker().await;
    let key = variant("adder", Provider::Claude);
    let coordinator = start_narrow_worker(&world, "coordinator");
    world.stand_ins.block("plan");
    let repository = Repository::library("adder");
    world.request(&repository, &key, false).await.unwrap();
    world.stand_ins.wait_until_blocked("plan");
    // it comes when the run has its coordinator already, and gets one of the pages
    let _other = start_narrow_worker(&world, "other");
    world.stand_ins.block("page-page-1");
    world.stand_ins.block("page-page-2");
    world.stand_ins.release("plan");
    world.stand_ins.wait_until_blocked("page-page-1");
    world.stand_ins.wait_until_blocked("page-page-2");
    coordinator.kill();
    world.stand_ins.release("page-page-1");
    world.stand_ins.release("page-page-2");
    let row = world.wait_for_end(&key).await;
    assert_eq!((row.status, row.error_message, row.page_count), (Status::Ready, None, 3));
    let calls = world.stand_ins.calls();
    let paid = |call: &str| calls.iter().filter(|made| *made == call).count();
    assert_eq!((paid("plan"), paid("page-page-3")), (1, 1), "{calls:?}");
    // one of the two was in flight at the coordinator's own worker
    assert_eq!(paid("page-page-1") + paid("page-page-2"), 3, "{calls:?}");
}
