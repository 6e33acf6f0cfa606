//! What this version does not understand waits for a newer one: nothing crashes, nothing is lost, nothing is counted.

use shared::{generation::PROTOCOL, ids::GenerationId, provider::Provider, variant::Status};

use crate::support::{
    repository::Repository,
    world::{World, variant},
};

async fn execute(world: &World, statement: &'static str) {
    sqlx::query(statement).execute(&world.pool).await.unwrap();
}

/// State, fence, deaths and protocol.
async fn look(world: &World, id: GenerationId) -> (String, i64, i32, i32) {
    sqlx::query_as("SELECT state, fence, crash_count, protocol FROM generations WHERE id = $1")
        .bind(id.0)
        .fetch_one(&world.pool)
        .await
        .unwrap()
}

async fn let_others_work(world: &World, name: &str) {
    let row = world.generate(&Repository::library(name), &variant(name, Provider::Builtin), false).await;
    assert_eq!((row.status, row.error_message), (Status::Ready, None));
}

#[tokio::test]
async fn a_run_of_a_newer_version_waits_for_a_newer_worker() {
    let mut world = World::without_worker().await;
    let repository = Repository::library("adder");
    let key = variant("adder", Provider::Builtin);
    let id = world.request(&repository, &key, false).await.unwrap();
    execute(&world, "UPDATE generations SET protocol = 999, created_at = now() - interval '1 minute'").await;
    world.start_worker();
    let_others_work(&world, "one").await;
    let_others_work(&world, "two").await;
    assert_eq!(look(&world, id).await, ("queued".into(), 0, 0, 999));
    let rung: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM apalis.jobs WHERE starts_with(idempotency_key, $1) AND status IN ('Pending', 'Queued')",
    )
    .bind(id.to_string())
    .fetch_one(&world.pool)
    .await
    .unwrap();
    assert_eq!(rung, 0, "somebody rings for what nobody can take");
    execute(&world, "UPDATE generations SET protocol = 1").await;
    let row = world.wait_for_end(&key).await;
    assert_eq!((row.status, row.error_message), (Status::Ready, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_a_newer_version_are_not_taken() {
    let mut world = World::start().await;
    world.stand_ins.block("plan");
    let repository = Repository::library("adder");
    let key = variant("adder", Provider::Claude);
    let id = world.request(&repository, &key, false).await.unwrap();
    world.stand_ins.wait_until_blocked("plan");
    // as if a newer worker had it
    execute(&world, "UPDATE generations SET protocol = 999").await;
    world.stand_ins.release("plan");
    world.wait_until(&key, |row| row.plan_json.is_some()).await;
    let_others_work(&world, "one").await;
    let states: Vec<String> =
        sqlx::query_scalar("SELECT DISTINCT state FROM page_jobs").fetch_all(&world.pool).await.unwrap();
    assert_eq!(states, ["waiting"]);
    world.stop_worker().await;
    // on a busy host its short lease may have been lost before it could be handed back
    let (state, _, _, protocol) = look(&world, id).await;
    assert!(["queued", "running"].contains(&state.as_str()) && protocol == 999, "{state} {protocol}");
    execute(&world, "UPDATE generations SET protocol = 1").await;
    world.start_worker();
    let row = world.wait_for_end(&key).await;
    assert_eq!((row.status, row.error_message), (Status::Ready, None));
}

#[tokio::test]
async fn a_task_that_cannot_be_read_harms_nothing() {
    let mut world = World::without_worker().await;
    let repository = Repository::library("adder");
    let key = variant("adder", Provider::Claude);
    let id = world.request(&repository, &key, false).await.unwrap();
    execute(&world, r#"UPDATE apalis.jobs SET job = convert_to('{"of": ["another", "version"]}', 'UTF8')"#).await;
    world.start_worker();
    let row = world.wait_for_end(&key).await;
    assert_eq!((row.status, row.error_message), (Status::Ready, None));
    let (state, _, deaths, protocol) = look(&world, id).await;
    assert_eq!((state.as_str(), deaths, protocol), ("ready", 0, PROTOCOL));
}

#[tokio::test]
async fn a_checkpoint_that_cannot_be_read_is_left_to_a_newer_worker() {
    let mut world = World::without_worker().await;
    let repository = Repository::library("adder");
    let key = variant("adder", Provider::Claude);
    let id = world.request(&repository, &key, false).await.unwrap();
    execute(&world, r#"INSERT INTO checkpoints SELECT id, 'cloning', '{"tomorrow": 1}' FROM generations"#).await;
    world.start_worker();
    let_others_work(&world, "one").await;
    let_others_work(&world, "two").await;
    assert_eq!(look(&world, id).await, ("queued".into(), 1, 0, PROTOCOL + 1));
    execute(&world, "DELETE FROM checkpoints WHERE result ? 'tomorrow'").await;
    execute(&world, "UPDATE generations SET protocol = 1").await;
    let row = world.wait_for_end(&key).await;
    assert_eq!((row.status, row.error_message), (Status::Ready, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_whose_plan_cannot_be_read_are_left_to_a_newer_worker() {
    let mut world = World::without_worker().await;
    world.start_another_worker(1);
    world.stand_ins.block("page-page-1");
    let repository = Repository::library("adder");
    let key = variant("adder", Provider::Claude);
    let id = world.request(&repository, &key, false).await.unwrap();
    // the only slot is taken: the other pages wait
    world.stand_ins.wait_until_blocked("page-page-1");
    let newer = r"UPDATE checkpoints SET result = jsonb_build_object('tomorrow', result) WHERE stage = 'planning'";
    execute(&world, newer).await;
    world.start_worker();
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_mins(1);
    while look(&world, id).await.3 != PROTOCOL + 1 {
        assert!(tokio::time::Instant::now() < deadline, "nobody leaves the pages to a newer worker");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let failed: i64 =
        sqlx::query_scalar("SELECT count(*) FROM page_jobs WHERE state = 'failed' OR tries > 0 OR deaths > 0")
            .fetch_one(&world.pool)
            .await
            .unwrap();
    assert_eq!(failed, 0);
    execute(&world, "UPDATE checkpoints SET result = result -> 'tomorrow' WHERE stage = 'planning'").await;
    execute(&world, "UPDATE generations SET protocol = 1").await;
    world.stand_ins.release("page-page-1");
    let row = world.wait_for_end(&key).await;
    assert_eq!((row.status, row.error_message, row.page_count), (Status::Ready, None, 3));
}
