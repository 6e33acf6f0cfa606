//! Every call of an AI command line has a row from before its start on, with what came of it and what it cost.

use shared::{ids::GenerationId, provider::Provider, variant::Status};

use crate::support::{
    repository::Repository,
    world::{World, variant},
};

/// A row of the account.
#[derive(Debug, sqlx::FromRow)]
struct Call {
    slug: Option<String>,
    stage: String,
    purpose: String,
    attempt: i32,
    outcome: String,
    input_tokens: i64,
    cost_usd: Option<f64>,
    cost_source: Option<String>,
    prompt_hash: String,
    ended: bool,
}

async fn calls(world: &World, generation: GenerationId) -> Vec<Call> {
    sqlx::query_as(
        "SELECT slug, stage, purpose, attempt, outcome, input_tokens, cost_usd, cost_source, prompt_hash,
                ended_at IS NOT NULL AND duration_ms IS NOT NULL AS ended
           FROM ai_calls WHERE generation_id = $1 ORDER BY id",
    )
    .bind(generation)
    .fetch_all(&world.pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_generation_costs_what_its_calls_cost() {
    let world = World::start().await;
    world.stand_ins.set("pages", "4");
    let row = world.generate(&Repository::library("adder"), &variant("adder", Provider::Claude), false).await;
    assert_eq!((row.status, row.error_message.as_deref()), (Status::Ready, None));
    let calls = calls(&world, row.generation_id.unwrap()).await;
    let mut asked: Vec<_> =
        calls.iter().map(|call| (call.purpose.as_str(), call.slug.as_deref(), call.stage.as_str())).collect();
    asked.sort_unstable();
    assert_eq!(
        asked,
        [
            ("page", Some("page-1"), "generating_pages"),
            ("page", Some("page-2"), "generating_pages"),
            ("page", Some("page-3"), "generating_pages"),
            ("page", Some("page-4"), "generating_pages"),
            ("plan", None, "planning"),
        ]
    );
    for call in &calls {
        assert_eq!((call.outcome.as_str(), call.attempt, call.input_tokens, call.ended), ("ok", 1, 100, true));
        assert_eq!((call.cost_usd, call.cost_source.as_deref()), (Some(0.001), Some("cli")));
        assert_eq!(call.prompt_hash.len(), 64);
    }
    let total = row.total_cost_usd.unwrap();
    assert!((total - 0.005).abs() < 1e-9, "{total}");
    let of_generation: f64 =
        sqlx::query_scalar("SELECT cost_usd FROM generations").fetch_one(&world.pool).await.unwrap();
    assert!((of_generation - total).abs() < f64::EPSILON);
}

#[tokio::test]
async fn failed_calls_are_counted_with_what_they_cost_and_their_tries() {
    let world = World::start().await;
    world.stand_ins.set("mode.page-page-1", "empty");
    world.stand_ins.set("mode.page-page-2", "no-model");
    world.stand_ins.block("page-page-2");
    let key = variant("adder", Provider::Claude);
    let repository = Repository::library("adder");
    let id = world.request(&repository, &key, false).await.unwrap();
    wait_for_call(&world, id, "page-1", "empty").await;
    world.stand_ins.clear("mode.page-page-1");
    wait_for_call(&world, id, "page-1", "ok").await;
    world.stand_ins.release("page-page-2");
    let row = world.wait_for_end(&key).await;
    assert_eq!(row.status, Status::Error);
    assert!(row.error_message.as_ref().unwrap().contains("stand-in"), "{:?}", row.error_message);

    let calls = calls(&world, id).await;
    let of = |slug: &str| -> Vec<_> {
        let of_page = calls.iter().filter(|call| call.slug.as_deref() == Some(slug));
        of_page.map(|call| (call.attempt, call.outcome.as_str(), call.cost_usd, call.input_tokens)).collect()
    };
    assert_eq!(of("page-1").last(), Some(&(2, "ok", Some(0.001), 100)));
    assert_eq!(of("page-1").first(), Some(&(1, "empty", Some(0.001), 100)));
    assert_eq!(of("page-2"), [(1, "model_unknown", Some(0.0005), 40)]);
    let sum: f64 = calls.iter().filter_map(|call| call.cost_usd).sum();
    assert!((row.total_cost_usd.unwrap() - sum).abs() < 1e-9, "{:?} {calls:?}", row.total_cost_usd);
}

#[tokio::test]
async fn an_aborted_call_is_settled_as_cancelled() {
    let world = World::start().await;
    world.stand_ins.block("page-page-2");
    let key = variant("adder", Provider::Claude);
    let repository = Repository::library("adder");
    let id = world.request(&repository, &key, false).await.unwrap();
    let row = world.wait_until(&key, |_| world.stand_ins.is_blocked("page-page-2")).await;
    let mut transaction = world.pool.begin().await.unwrap();
    shared::jobs::request_abort(&mut transaction, row.id, id).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(world.wait_for_end(&key).await.status, Status::Aborted);
    wait_for_call(&world, id, "page-2", "cancelled").await;
}

#[tokio::test]
async fn the_account_survives_the_deletion_of_what_was_paid_for() {
    let world = World::start().await;
    let key = variant("adder", Provider::Claude);
    let row = world.generate(&Repository::library("adder"), &key, false).await;
    let mut transaction = world.pool.begin().await.unwrap();
    shared::db::deletions::delete_variant(&mut transaction, &key).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(calls(&world, row.generation_id.unwrap()).await.len(), 4);
}

#[tokio::test]
async fn a_command_line_that_names_no_cost_is_priced_by_the_table() {
    let mut world = World::without_worker().await;
    let file = world.folder().join("prices.toml");
    let prices = "[[price]]\nprovider = \"gemini\"\nmodel = \"test\"\ninput = 100.0\noutput = 1000.0\ncached = 10.0\n";
    std::fs::write(&file, prices).unwrap();
    world.recording.prices_file = Some(file);
    world.start_worker();
    let row = world.generate(&Repository::library("adder"), &variant("adder", Provider::Gemini), false).await;
    assert_eq!((row.status, row.error_message.as_deref()), (Status::Ready, None));
    let calls = calls(&world, row.generation_id.unwrap()).await;
    // 100 tokens read, 50 written, 10 from the cache
    for call in &calls {
        assert!((call.cost_usd.unwrap() - 0.0601).abs() < 1e-9, "{call:?}");
        assert_eq!(call.cost_source.as_deref(), Some("prices"));
    }
    assert!((row.total_cost_usd.unwrap() - 4.0 * 0.0601).abs() < 1e-9, "{:?}", row.total_cost_usd);

    // without a table nobody knows
    let row = world.generate(&Repository::library("other"), &variant("other", Provider::Cursor), false).await;
    assert_eq!((row.status, row.total_cost_usd), (Status::Ready, None));
}

#[tokio::test]
async fn a_call_names_the_version_of_its_command_line() {
    let world = World::start().await;
    world.generate(&Repository::library("adder"), &variant("adder", Provider::Claude), false).await;
    let versions: Vec<String> =
        sqlx::query_scalar("SELECT DISTINCT cli_version FROM ai_calls").fetch_all(&world.pool).await.unwrap();
    assert_eq!(versions, ["1.2.3"]);
}

/// A row that starts is not waited for until it is on the disk.
#[tokio::test]
async fn a_call_whose_row_was_lost_by_a_crash_of_the_server_is_on_the_account_all_the_same() {
    let world = World::start().await;
    world.stand_ins.block("page-page-2");
    let key = variant("adder", Provider::Claude);
    let repository = Repository::library("adder");
    let id = world.request(&repository, &key, false).await.unwrap();
    world.wait_until(&key, |row| row.page_count == 2 && world.stand_ins.is_blocked("page-page-2")).await;
    let lost = sqlx::query("DELETE FROM ai_calls WHERE slug = 'page-2'").execute(&world.pool).await.unwrap();
    assert_eq!(lost.rows_affected(), 1);
    world.stand_ins.release("page-page-2");
    let row = world.wait_for_end(&key).await;
    assert_eq!((row.status, row.error_message.as_deref()), (Status::Ready, None));
    wait_for_call(&world, id, "page-2", "ok").await;
    let calls = calls(&world, id).await;
    assert_eq!(calls.len(), 4, "{calls:?}");
    assert_eq!(calls.iter().filter_map(|call| call.cost_usd).count(), 4);
}

async fn wait_for_call(world: &World, generation: GenerationId, slug: &str, outcome: &str) {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_mins(1);
    loop {
        let calls = calls(world, generation).await;
        if calls.iter().any(|call| call.slug.as_deref() == Some(slug) && call.outcome == outcome) {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "no call of `{slug}` ended as {outcome}: {calls:?}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
