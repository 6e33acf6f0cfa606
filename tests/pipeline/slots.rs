//! The places for AI calls of a worker: whoever waits for one gets it in turn, and waiting costs nobody the lease.

use std::time::{Duration, Instant};

use shared::{jobs::request_abort, provider::Provider, settings::TimingSettings, stage::Stage, variant::Status};

use crate::support::{
    repository::Repository,
    world::{World, variant},
};

#[tokio::test]
async fn a_run_plans_between_the_pages_of_another() {
    let world = World::without_worker().await;
    world.start_another_worker(1);
    world.stand_ins.set("pages", "8");
    world.stand_ins.block("page-page-1");
    let (large, small) = (variant("large", Provider::Claude), variant("small", Provider::Claude));
    let (first, second) = (Repository::library("large"), Repository::library("small"));
    world.request(&first, &large, false).await.unwrap();
    world.wait_until(&large, |_| world.stand_ins.is_blocked("page-page-1")).await;
    world.request(&second, &small, false).await.unwrap();
    world.wait_until(&small, |row| row.current_stage == Some(Stage::Planning)).await;
    world.stand_ins.release("page-page-1");
    for key in [&large, &small] {
        assert_eq!(world.wait_for_end(key).await.status, Status::Ready);
    }
    let order = "SELECT (SELECT min(id) FROM ai_calls WHERE project = 'small')
                      < (SELECT max(id) FROM ai_calls WHERE project = 'large' AND purpose = 'page')";
    let is_between: bool = sqlx::query_scalar(order).fetch_one(&world.pool).await.unwrap();
    assert!(is_between, "it waited for all pages of the other run");
}

#[tokio::test]
async fn an_aborted_run_gives_its_places_to_others_at_once() {
    let world = World::without_worker().await;
    world.start_other_worker("other-work", |config| {
        config.provider_limits = vec![(Provider::Claude, 1)];
        // what is only given back by a lease that runs out does not come back within this test
        config.timing = TimingSettings { lease_ms: 3_600_000, self_cancel_ms: 1_800_000, ..config.timing };
    });
    world.stand_ins.block("page-page-1");
    let (first, second) = (variant("first", Provider::Claude), variant("second", Provider::Claude));
    let repositories = (Repository::library("first"), Repository::library("second"));
    let id = world.request(&repositories.0, &first, false).await.unwrap();
    let row = world.wait_until(&first, |_| world.stand_ins.is_blocked("page-page-1")).await;
    let mut transaction = world.pool.begin().await.unwrap();
    request_abort(&mut transaction, row.id, id).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(world.wait_for_end(&first).await.status, Status::Aborted);
    world.stand_ins.release("page-page-1");
    assert_eq!(world.generate(&repositories.1, &second, false).await.status, Status::Ready);
}

async fn change(world: &World, statement: &'static str) -> u64 {
    sqlx::query(statement).execute(&world.pool).await.unwrap().rows_affected()
}

#[tokio::test]
async fn a_suspect_page_keeps_its_lease_while_it_waits_to_be_alone() {
    let world = World::without_worker().await;
    // pages wait for the word of this test
    change(&world, "ALTER TABLE page_jobs ALTER COLUMN due_at SET DEFAULT now() + interval '1 hour'").await;
    world.start_another_worker(2);
    world.stand_ins.set("pages", "2");
    world.stand_ins.block("page-page-1");
    let (repository, key) = (Repository::library("adder"), variant("adder", Provider::Claude));
    world.request(&repository, &key, false).await.unwrap();
    let deadline = Instant::now() + Duration::from_mins(2);
    while change(&world, "UPDATE page_jobs SET due_at = now() WHERE slug = 'page-1'").await == 0 {
        assert!(Instant::now() < deadline, "no page is asked for");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    world.wait_until(&key, |_| world.stand_ins.is_blocked("page-page-1")).await;
    // two workers died at it before
    change(&world, "UPDATE page_jobs SET due_at = now(), deaths = 2 WHERE slug = 'page-2'").await;
    let waits = "SELECT deaths, COALESCE(lease_until > claimed_at + interval '5 seconds', false)
                   FROM page_jobs WHERE slug = 'page-2'";
    loop {
        let (deaths, is_renewed): (i32, bool) = sqlx::query_as(waits).fetch_one(&world.pool).await.unwrap();
        assert_eq!(deaths, 2, "a page that waits is taken for one whose worker died");
        if is_renewed {
            break;
        }
        assert!(Instant::now() < deadline, "a page that waits does not keep its lease");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    world.stand_ins.release("page-page-1");
    let row = world.wait_for_end(&key).await;
    assert_eq!((row.status, row.page_count), (Status::Ready, 2));
}

/// How many trees a worker keeps of pages of this run.
fn trees(work_dir: &std::path::Path, id: shared::ids::GenerationId) -> usize {
    let folders = std::fs::read_dir(work_dir).unwrap().flatten();
    folders.filter(|folder| folder.file_name().to_string_lossy().starts_with(&id.to_string())).count()
}

#[tokio::test]
async fn trees_of_runs_that_go_on_elsewhere_are_forgotten_when_they_take_too_much_room() {
    for (cache_bytes, kept) in [(2 << 30, 1), (0, 0)] {
        let world = World::without_worker().await;
        world.start_other_worker("coordinator", |config| (config.ai_slots, config.generations) = (1, 1));
        world.stand_ins.block("page-page-1");
        let (large, small) = (variant("large", Provider::Claude), variant("small", Provider::Builtin));
        let repository = Repository::library("large");
        let id = world.request(&repository, &large, false).await.unwrap();
        world.wait_until(&large, |_| world.stand_ins.is_blocked("page-page-1")).await;
        let work_dir = world.start_other_worker("pages", |config| config.cache_bytes = cache_bytes);
        world.wait_until(&large, |row| row.page_count == 2).await;
        assert_eq!(trees(&work_dir, id), 1, "both pages were written in one tree");
        // the other worker has no room for it
        assert_eq!(world.generate(&Repository::library("small"), &small, false).await.status, Status::Ready);
        let deadline = Instant::now() + Duration::from_mins(1);
        while trees(&work_dir, id) != kept {
            assert!(Instant::now() < deadline, "there is {kept} to be kept of {cache_bytes} bytes");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        world.stand_ins.release("page-page-1");
        let row = world.wait_for_end(&large).await;
        assert_eq!((row.status, row.error_message, row.page_count), (Status::Ready, None, 3));
    }
}
