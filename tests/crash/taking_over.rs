//! A run that takes over another model's pages, cut off or crossed by another request.

use shared::{
    db::{self, generations::NewGeneration},
    provider::Provider,
    stage::Stage,
    variant::Status,
};

use super::{barrier::Barrier, start_short_worker};
use crate::support::{
    repository::Repository,
    world::{World, new_generation, variant},
};

/// Kills the worker that takes pages over and replaces their variant, where `table` gets a row that fulfils `condition`.
async fn take_over_after_a_kill(table: &str, condition: &str) {
    let world = World::without_worker().await;
    let repository = Repository::library("adder");
    let first = start_short_worker(&world, "first");
    let written = world.generate(&repository, &variant("adder", Provider::Claude), false).await;
    let calls = world.stand_ins.calls().len();
    let key = variant("adder", Provider::Gemini);
    let mut barrier = Barrier::raise(&world, table, condition).await;
    let request = NewGeneration { replace: true, ..new_generation(&key) };
    world.request_with(&repository, &key, request).await.unwrap();
    barrier.wait_for_arrival().await;
    first.kill();
    barrier.open().await;
    assert_eq!(world.row(&variant("adder", Provider::Claude)).await.site_prefix, written.site_prefix);
    let _second = start_short_worker(&world, "second");
    let row = world.wait_for_end(&key).await;
    assert_eq!((row.status, row.current_stage), (Status::Ready, Some(Stage::UpToDate)), "{:?}", row.error_message);
    assert_eq!(row.plan_json, written.plan_json);
    assert!(world.site_file(&row, "page-1.html").await.is_some());
    assert_eq!(world.stand_ins.calls().len(), calls, "a model was asked");
    let mut conn = world.pool.acquire().await.unwrap();
    assert_eq!(db::variants::list(&mut conn, db::variants::Scope::All).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_worker_killed_while_it_takes_pages_over_is_replaced() {
    take_over_after_a_kill("checkpoints", "NEW.stage = 'up_to_date'").await;
}

#[tokio::test]
async fn a_worker_killed_after_it_took_pages_over_is_replaced() {
    take_over_after_a_kill("generations", "NEW.stage = 'rendering'").await;
}

#[tokio::test]
async fn a_worker_killed_while_it_replaces_a_variant_is_replaced() {
    take_over_after_a_kill("deleted_sites", "true").await;
}

#[tokio::test]
async fn a_variant_that_is_being_made_anew_is_not_replaced_and_a_warning_says_so() {
    let world = World::without_worker().await;
    let repository = Repository::library("adder");
    let _worker = start_short_worker(&world, "worker");
    let old = variant("adder", Provider::Claude);
    world.generate(&repository, &old, false).await;
    let key = variant("adder", Provider::Gemini);
    let mut barrier = Barrier::raise(&world, "checkpoints", "NEW.stage = 'up_to_date'").await;
    let request = NewGeneration { replace: true, ..new_generation(&key) };
    let id = world.request_with(&repository, &key, request).await.unwrap();
    barrier.wait_for_arrival().await;
    world.stand_ins.block("page-page-3");
    world.request(&repository, &old, true).await.unwrap();
    barrier.open().await;
    let row = world.wait_for_end(&key).await;
    assert_eq!((row.status, row.current_stage), (Status::Ready, Some(Stage::UpToDate)), "{:?}", row.error_message);
    let mut conn = world.pool.acquire().await.unwrap();
    let events = db::events::list_of_generation(&mut conn, id, 0, 100).await.unwrap();
    let warnings: Vec<&str> = events.iter().filter_map(|event| event.body["message"].as_str()).collect();
    let sentence = "`adder/main/claude/test-model` was not replaced: it is being generated, or has changed meanwhile";
    assert_eq!(warnings, [sentence]);
    world.stand_ins.release("page-page-3");
    let old = world.wait_for_end(&old).await;
    assert_eq!((old.status, old.error_message), (Status::Ready, None));
}
