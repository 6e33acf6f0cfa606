//! Workers that are stopped, or cut off from the database, while another takes over: they stop by themselves, and what they
//! still try to write when they wake up is refused.

use std::{
    fs,
    time::{Duration, Instant},
};

use shared::{provider::Provider, variant::Status};

use super::{
    barrier::Barrier,
    log_of, start_short_worker, start_worker,
    traces::{Site, assert_calls, assert_nothing_left, assert_same_site, parent_of, processes_of},
};
use crate::support::{
    process::Program,
    proxy::FreezingProxy,
    repository::Repository,
    world::{SHORT_TIMING, World, variant},
};

const STOP: i32 = 19;
const CONTINUE: i32 = 18;
const CALLS: [&str; 4] = ["plan", "page-page-1", "page-page-2", "page-page-3"];

#[tokio::test]
async fn a_worker_stopped_before_it_publishes_does_not_publish_when_it_comes_back() {
    let world = World::without_worker().await;
    let key = variant("adder", Provider::Claude);
    let frozen = start_short_worker(&world, "frozen");
    let mut barrier = Barrier::raise(&world, "generations", "NEW.state = 'ready'").await;
    let repository = Repository::library("adder");
    world.request(&repository, &key, false).await.unwrap();
    barrier.wait_for_arrival().await;
    shared::os::send_signal(frozen.id(), STOP).unwrap();
    // its own last statement is undone with its connection; the lease runs out meanwhile
    barrier.cut_off().await;
    barrier.open().await;
    let other = start_short_worker(&world, "other");
    let row = world.wait_for_end(&key).await;
    assert_same_site(&world, &row, Site::First).await;
    assert!(row.site_prefix.as_ref().unwrap().ends_with("-2"), "{:?}", row.site_prefix);
    shared::os::send_signal(frozen.id(), CONTINUE).unwrap();
    assert_eq!(frozen.terminate(), Some(0), "{}", fs::read_to_string(log_of(&world, "frozen")).unwrap());
    assert_eq!(world.row(&key).await.site_prefix, row.site_prefix);
    assert_calls(&world, 0, &CALLS, &[]);
    assert_eq!(ready_events(&world).await, 1);
    assert_eq!(other.terminate(), Some(0));
    assert_nothing_left(&world).await;
}

#[tokio::test]
async fn a_worker_stopped_while_a_page_is_written_does_not_keep_it_when_it_comes_back() {
    let world = World::without_worker().await;
    let key = variant("adder", Provider::Claude);
    let frozen = start_short_worker(&world, "frozen");
    world.stand_ins.block("page-page-3");
    let repository = Repository::library("adder");
    world.request(&repository, &key, false).await.unwrap();
    world.wait_until(&key, |row| row.page_count == 2).await;
    world.stand_ins.wait_until_blocked("page-page-3");
    stop(&world, &frozen).await;
    // its call answers while it is stopped; the one that takes over asks again
    world.stand_ins.release("page-page-3");
    let other = start_short_worker(&world, "other");
    let row = world.wait_for_end(&key).await;
    assert_same_site(&world, &row, Site::First).await;
    shared::os::send_signal(frozen.id(), CONTINUE).unwrap();
    assert_eq!(frozen.terminate(), Some(0), "{}", fs::read_to_string(log_of(&world, "frozen")).unwrap());
    let after = world.row(&key).await;
    assert_eq!((after.status, after.site_prefix), (Status::Ready, row.site_prefix.clone()));
    assert_same_site(&world, &row, Site::First).await;
    assert_eq!(world.written_times(&row, "page-3").await, 1, "the page was written over");
    assert_calls(&world, 0, &CALLS, &["page-page-3"]);
    assert_eq!(ready_events(&world).await, 1);
    assert_eq!(other.terminate(), Some(0));
    assert_nothing_left(&world).await;
}

/// Whether somebody is inside a transaction: the locks of a frozen worker hold others up longer than the short leases of
/// tests last. A test of its own is about that.
async fn is_inside_a_transaction(world: &World) -> bool {
    let inside = "SELECT EXISTS (SELECT 1 FROM pg_stat_activity
        WHERE datname = current_database() AND state IN ('active', 'idle in transaction') AND pid <> pg_backend_pid())";
    sqlx::query_scalar(inside).fetch_one(&world.pool).await.unwrap()
}

/// Stops a worker between two transactions.
async fn stop(world: &World, worker: &Program) {
    loop {
        shared::os::send_signal(worker.id(), STOP).unwrap();
        if !is_inside_a_transaction(world).await {
            return;
        }
        shared::os::send_signal(worker.id(), CONTINUE).unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Cuts a worker off between two transactions.
async fn freeze(world: &World, proxy: &FreezingProxy) {
    loop {
        proxy.freeze();
        if !is_inside_a_transaction(world).await {
            return;
        }
        proxy.thaw();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// How often it was told that a site is ready.
async fn ready_events(world: &World) -> i64 {
    let told = "SELECT count(*) FROM events WHERE kind = 'status_change' AND body->>'status' = 'ready'";
    sqlx::query_scalar(told).fetch_one(&world.pool).await.unwrap()
}

/// A worker that speaks to the database through a proxy.
fn start_behind(world: &World, proxy: &FreezingProxy, name: &str) -> Program {
    let mut settings = SHORT_TIMING.to_vec();
    settings.push(("DATABASE_URL", proxy.url()));
    start_worker(world, name, &settings)
}

/// Waits until a worker has no child any more; its own threads are none.
async fn wait_until_childless(world: &World, worker: &Program) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while processes_of(world).iter().any(|(pid, _)| parent_of(*pid) == Some(worker.id())) {
        assert!(Instant::now() < deadline, "its calls go on: {:?}", processes_of(world));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_cut_off_from_the_database_stops_itself_and_writes_nothing_when_it_is_back() {
    let world = World::without_worker().await;
    let key = variant("adder", Provider::Claude);
    let proxy = FreezingProxy::before(&world.database_url).await;
    let lonely = start_behind(&world, &proxy, "lonely");
    world.stand_ins.block("page-page-3");
    let repository = Repository::library("adder");
    world.request(&repository, &key, false).await.unwrap();
    world.wait_until(&key, |row| row.page_count == 2).await;
    tokio::task::block_in_place(|| world.stand_ins.wait_until_blocked("page-page-3"));
    freeze(&world, &proxy).await;
    wait_until_childless(&world, &lonely).await;
    assert_eq!(world.row(&key).await.status, Status::Generating);
    world.stand_ins.release("page-page-3");
    let other = start_short_worker(&world, "other");
    let row = world.wait_for_end(&key).await;
    assert_eq!(row.status, Status::Ready, "{}", fs::read_to_string(log_of(&world, "other")).unwrap());
    assert_same_site(&world, &row, Site::First).await;
    // what it had sent into the silence arrives now
    proxy.thaw();
    tokio::task::block_in_place(|| {
        assert_eq!(lonely.terminate(), Some(0), "{}", fs::read_to_string(log_of(&world, "lonely")).unwrap());
    });
    assert_eq!(world.row(&key).await.site_prefix, row.site_prefix);
    assert_eq!(world.written_times(&row, "page-3").await, 1, "the page was written over");
    assert_calls(&world, 0, &CALLS, &["page-page-3"]);
    assert_eq!(ready_events(&world).await, 1);
    tokio::task::block_in_place(|| assert_eq!(other.terminate(), Some(0)));
    assert_nothing_left(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_cut_off_just_before_it_publishes_leaves_one_site() {
    let world = World::without_worker().await;
    let key = variant("adder", Provider::Claude);
    let proxy = FreezingProxy::before(&world.database_url).await;
    let lonely = start_behind(&world, &proxy, "lonely");
    let mut barrier = Barrier::raise(&world, "generations", "NEW.stage = 'rendering'").await;
    let repository = Repository::library("adder");
    world.request(&repository, &key, false).await.unwrap();
    barrier.wait_for_arrival().await;
    proxy.freeze();
    barrier.open().await;
    let other = start_short_worker(&world, "other");
    let row = world.wait_for_end(&key).await;
    proxy.thaw();
    assert_same_site(&world, &row, Site::First).await;
    tokio::task::block_in_place(|| {
        assert_eq!(lonely.terminate(), Some(0), "{}", fs::read_to_string(log_of(&world, "lonely")).unwrap());
    });
    assert_eq!(world.row(&key).await.site_prefix, row.site_prefix);
    assert_calls(&world, 0, &CALLS, &[]);
    assert_eq!(ready_events(&world).await, 1);
    tokio::task::block_in_place(|| assert_eq!(other.terminate(), Some(0)));
    assert_nothing_left(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_stopped_inside_a_transaction_does_not_hold_others_up() {
    let world = World::without_worker().await;
    let key = variant("adder", Provider::Claude);
    let frozen = start_short_worker(&world, "frozen");
    // the row of the variant is locked by then
    let mut barrier = Barrier::raise(&world, "events", "NEW.body->>'page' = 'page-1'").await;
    let repository = Repository::library("adder");
    world.request(&repository, &key, false).await.unwrap();
    barrier.wait_for_arrival().await;
    shared::os::send_signal(frozen.id(), STOP).unwrap();
    barrier.open().await;
    // its leases outlast the locks of the other, as those of every installation do
    let patient = [("DOCMILL_LEASE_MS", "20000"), ("DOCMILL_RENEW_MS", "1000"), ("DOCMILL_SELF_CANCEL_MS", "15000")];
    let settings = SHORT_TIMING.iter().copied().filter(|(name, _)| patient.iter().all(|(own, _)| own != name));
    let settings: Vec<_> = settings.chain(patient).collect();
    let other = start_worker(&world, "other", &settings);
    let row = world.wait_for_end(&key).await;
    assert_eq!(row.status, Status::Ready, "{}", fs::read_to_string(log_of(&world, "other")).unwrap());
    assert_same_site(&world, &row, Site::First).await;
    shared::os::send_signal(frozen.id(), CONTINUE).unwrap();
    tokio::task::block_in_place(|| assert_eq!(frozen.terminate(), Some(0)));
    assert_eq!(world.row(&key).await.site_prefix, row.site_prefix);
    tokio::task::block_in_place(|| assert_eq!(other.terminate(), Some(0)));
    assert_nothing_left(&world).await;
}
