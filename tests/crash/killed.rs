//! `kill -9` in each stage and at each point of a page: another worker goes on from the checkpoint, the old site is served
//! throughout, and only the call that was in flight is paid for again.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use shared::{provider::Provider, variant::Status};

use super::{
    PLACES,
    barrier::Barrier,
    start_worker,
    traces::{Site, assert_calls, assert_nothing_left, assert_same_site, change},
};
use crate::support::{
    process::Program,
    repository::Repository,
    world::{SHORT_TIMING, World, variant},
};

/// Where a worker is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// It is about to write a row of a table that fulfils a condition, and the write is lost with it.
    Before(&'static str, &'static str),
    /// The write still arrives.
    After(&'static str, &'static str),
    /// A call of this key is being answered.
    During(&'static str),
}

use Moment::{After, Before, During};

/// A worker that makes one call at a time, so that at most one is in flight.
fn start_narrow_worker(world: &World, name: &str) -> Program {
    let mut settings = SHORT_TIMING.to_vec();
    settings.push(("WORKER_AI_SLOTS", "1"));
    start_worker(world, name, &settings)
}

/// Makes a first site, kills the worker that makes the second one at that moment, and lets another finish. Only the calls
/// `again` may be paid for twice.
async fn finish_after_a_kill(moment: Moment, again: &'static [&'static str]) {
    let _place = PLACES.acquire().await.unwrap();
    let world = World::without_worker().await;
    let repository = Repository::library("adder");
    let key = variant("adder", Provider::Claude);
    let first = start_narrow_worker(&world, "first");
    let old = world.generate(&repository, &key, false).await;
    assert_same_site(&world, &old, Site::First).await;
    change(&world, &repository);
    let calls_before = world.stand_ins.calls().len();

    let barrier = match moment {
        Before(table, condition) | After(table, condition) => Some(Barrier::raise(&world, table, condition).await),
        During(call) => {
            world.stand_ins.block(call);
            None
        }
    };
    let id = world.request(&repository, &key, true).await.unwrap();
    match (moment, barrier) {
        (During(call), _) => {
            tokio::task::block_in_place(|| world.stand_ins.wait_until_blocked(call));
            first.kill();
            world.stand_ins.release(call);
        }
        (_, Some(mut barrier)) => {
            barrier.wait_for_arrival().await;
            first.kill();
            if matches!(moment, Before(..)) {
                barrier.cut_off().await;
            }
            barrier.open().await;
        }
        (_, None) => unreachable!("every other moment has one"),
    }
    let second = start_narrow_worker(&world, "second");
    let row = world
        .wait_until(&key, |row| {
            assert!(row.site_prefix.is_some(), "{moment:?}: the old site is not served any more");
            row.status != Status::Generating
        })
        .await;
    println!("{moment:?}: {:?} {:?}", row.status, world.stand_ins.calls().split_off(calls_before));
    assert_same_site(&world, &row, Site::Second).await;
    assert_eq!(row.generation_id, Some(id));
    assert_ne!(row.site_prefix, old.site_prefix);
    assert_same_site(&world, &old, Site::First).await;
    let once = ["plan", "page-page-1", "page-page-2", "page-page-3", "revise-page-2"];
    assert_calls(&world, calls_before, &once, again);
    tokio::task::block_in_place(|| assert_eq!(second.terminate(), Some(0)));
    assert_nothing_left(&world).await;
}

/// All of them side by side: each waits mostly for leases to run out.
async fn finish_after_kills(kills: &[(Moment, &'static [&'static str])]) {
    let runs = kills.iter().map(|(moment, again)| tokio::spawn(finish_after_a_kill(*moment, again)));
    for run in join_all(runs).await {
        run.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_while_cloning_is_replaced() {
    finish_after_kills(&[
        (Before("generations", "NEW.stage = 'cloning'"), &[]),
        (Before("checkpoints", "NEW.stage = 'cloning'"), &[]),
        (After("checkpoints", "NEW.stage = 'cloning'"), &[]),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_while_planning_is_replaced() {
    finish_after_kills(&[
        (Before("generations", "NEW.stage = 'planning'"), &[]),
        (During("plan"), &["plan"]),
        (Before("checkpoints", "NEW.stage = 'planning'"), &["plan"]),
        (After("checkpoints", "NEW.stage = 'planning'"), &[]),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_while_it_writes_a_page_is_replaced() {
    // a page is kept, its call settled and the next one taken in one transaction, which dies with its worker
    finish_after_kills(&[
        (Before("page_jobs", "NEW.slug = 'page-1' AND NEW.state = 'running'"), &[]),
        (After("page_jobs", "NEW.slug = 'page-1' AND NEW.state = 'running'"), &[]),
        (Before("page_jobs", "NEW.slug = 'page-2' AND NEW.state = 'running'"), &["page-page-1"]),
        (During("page-page-2"), &["page-page-2"]),
        (Before("ai_calls", "NEW.slug = 'page-3' AND NEW.outcome = 'running'"), &[]),
        (After("ai_calls", "NEW.slug = 'page-3' AND NEW.outcome = 'running'"), &[]),
        (Before("ai_calls", "NEW.slug = 'page-3' AND NEW.outcome = 'ok'"), &["page-page-3"]),
        (Before("page_jobs", "NEW.slug = 'page-3' AND NEW.state = 'done'"), &["page-page-3"]),
        (After("page_jobs", "NEW.slug = 'page-3' AND NEW.state = 'done'"), &["page-page-3"]),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_between_pages_is_replaced() {
    finish_after_kills(&[
        (Before("generations", "NEW.stage = 'generating_pages'"), &[]),
        (Before("page_jobs", "NEW.state = 'waiting'"), &[]),
        (Before("page_jobs", "NEW.slug = 'page-1' AND NEW.state = 'admitted'"), &[]),
        (Before("checkpoints", "NEW.stage = 'generating_pages'"), &[]),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_while_validating_is_replaced() {
    finish_after_kills(&[
        (Before("generations", "NEW.stage = 'validating'"), &[]),
        (During("revise-page-2"), &["revise-page-2"]),
        (Before("checkpoints", "NEW.stage = 'validating'"), &[]),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_while_cross_linking_is_replaced() {
    finish_after_kills(&[
        (Before("generations", "NEW.stage = 'cross_linking'"), &[]),
        (Before("checkpoints", "NEW.stage = 'cross_linking'"), &[]),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_while_rendering_and_publishing_is_replaced() {
    finish_after_kills(&[
        (Before("generations", "NEW.stage = 'rendering'"), &[]),
        (Before("generations", "NEW.state = 'ready'"), &[]),
        (After("generations", "NEW.state = 'ready'"), &[]),
    ])
    .await;
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
    let second = start_worker(&world, "second", &[]);
    first.kill();
    let killed = Instant::now();
    world.stand_ins.release("page-page-3");
    let row = world.wait_for_end(&key).await;
    println!("went on and finished {:?} after the kill", killed.elapsed());
    assert!(killed.elapsed() < Duration::from_secs(45));
    assert_same_site(&world, &row, Site::First).await;
    assert_calls(&world, 0, &["plan", "page-page-1", "page-page-2", "page-page-3"], &["page-page-3"]);
    assert_eq!(second.terminate(), Some(0));
    assert_nothing_left(&world).await;
}
