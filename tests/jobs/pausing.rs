//! While something is paused nothing new of it starts; what runs ends; the end of the pause is heard.

use shared::{provider::Provider, stage::Stage, variant::Status};

use crate::{
    routes::{Api, answer},
    support::{
        repository::Repository,
        world::{World, variant},
    },
};

async fn pause(api: &Api, body: &str) {
    assert_eq!(answer(api.post("/api/admin/pause").body(body.to_owned())).await.0, 200);
}

async fn resume(api: &Api, body: &str) {
    assert_eq!(answer(api.post("/api/admin/resume").body(body.to_owned())).await.0, 200);
}

/// Makes a site without a model: whatever could happen meanwhile has had the time to.
async fn let_others_work(world: &World, name: &str) {
    let row = world.generate(&Repository::library(name), &variant(name, Provider::Builtin), false).await;
    assert_eq!((row.status, row.error_message), (Status::Ready, None));
}

#[tokio::test]
async fn queued_runs_of_a_paused_provider_wait_and_others_do_not() {
    let world = World::start().await;
    let api = Api::start(&world).await;
    pause(&api, r#"{"provider":"claude"}"#).await;
    let repository = Repository::library("adder");
    let key = variant("adder", Provider::Claude);
    world.request(&repository, &key, false).await.unwrap();
    let_others_work(&world, "one").await;
    let_others_work(&world, "two").await;
    assert_eq!(world.row(&key).await.generation_started_at, None, "it was started");
    resume(&api, r#"{"provider":"claude"}"#).await;
    let row = world.wait_for_end(&key).await;
    assert_eq!((row.status, row.error_message), (Status::Ready, None));
}

#[tokio::test]
async fn a_pause_of_everything_stops_all_providers_and_an_abort_works_meanwhile() {
    let world = World::start().await;
    let api = Api::start(&world).await;
    pause(&api, "").await;
    let repository = Repository::library("adder");
    let (built, written) = (variant("adder", Provider::Builtin), variant("adder", Provider::Claude));
    for key in [&built, &written] {
        world.request(&repository, key, false).await.unwrap();
    }
    assert_eq!(answer(api.post("/api/projects/adder/main/claude/test-model/abort")).await.0, 200);
    assert_eq!(world.row(&written).await.status, Status::Aborted);
    assert_eq!(world.row(&built).await.generation_started_at, None);
    resume(&api, "").await;
    assert_eq!(world.wait_for_end(&built).await.status, Status::Ready);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_a_running_run_wait_and_the_one_that_is_written_ends() {
    let world = World::start().await;
    let api = Api::start(&world).await;
    let one_at_a_time = r#"{"settings":{"max_concurrent_pages":1}}"#;
    let settings = api.ask(reqwest::Method::PUT, "/api/admin/settings").bearer_auth(crate::routes::ADMIN_KEY);
    assert_eq!(answer(settings.body(one_at_a_time)).await.0, 200);
    world.stand_ins.block("page-page-1");
    let repository = Repository::library("adder");
    let key = variant("adder", Provider::Claude);
    world.request(&repository, &key, false).await.unwrap();
    world.stand_ins.wait_until_blocked("page-page-1");
    pause(&api, r#"{"provider":"claude"}"#).await;
    world.stand_ins.release("page-page-1");
    world.wait_until(&key, |row| row.page_count == 1).await;
    let_others_work(&world, "one").await;
    let states: Vec<String> =
        sqlx::query_scalar("SELECT state FROM page_jobs ORDER BY position").fetch_all(&world.pool).await.unwrap();
    assert_eq!(states, ["done", "waiting", "waiting"]);
    resume(&api, r#"{"provider":"claude"}"#).await;
    let row = world.wait_for_end(&key).await;
    assert_eq!((row.status, row.error_message, row.page_count), (Status::Ready, None, 3));
}

/// Pauses `claude` when a run of it has its commit, before it can ask for a plan.
async fn pause_after_cloning(world: &World) {
    let statements = "CREATE FUNCTION pause_now() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN INSERT INTO pauses (provider, reason) VALUES ('claude', 'admin') ON CONFLICT DO NOTHING; RETURN NEW; END $$;
         CREATE TRIGGER pause_now AFTER INSERT ON checkpoints FOR EACH ROW WHEN (NEW.stage = 'cloning')
         EXECUTE FUNCTION pause_now();";
    sqlx::raw_sql(statements).execute(&world.pool).await.unwrap();
}

#[tokio::test]
async fn a_running_run_makes_no_call_while_it_is_paused() {
    let world = World::start().await;
    let api = Api::start(&world).await;
    pause_after_cloning(&world).await;
    // a call would end the run
    world.stand_ins.set("mode.plan", "auth");
    let repository = Repository::library("adder");
    let key = variant("adder", Provider::Claude);
    world.request(&repository, &key, false).await.unwrap();
    world.wait_until(&key, |row| row.current_stage == Some(Stage::Planning)).await;
    let_others_work(&world, "one").await;
    assert_eq!(world.row(&key).await.current_stage, Some(Stage::Planning));
    sqlx::query("DROP TRIGGER pause_now ON checkpoints").execute(&world.pool).await.unwrap();
    world.stand_ins.clear("mode.plan");
    resume(&api, r#"{"provider":"claude"}"#).await;
    let row = world.wait_for_end(&key).await;
    assert_eq!((row.status, row.error_message), (Status::Ready, None));
}

#[tokio::test]
async fn a_run_that_waits_for_the_end_of_a_pause_can_be_aborted() {
    let world = World::start().await;
    let api = Api::start(&world).await;
    pause_after_cloning(&world).await;
    let repository = Repository::library("adder");
    let key = variant("adder", Provider::Claude);
    let id = world.request(&repository, &key, false).await.unwrap();
    world.wait_until(&key, |row| row.current_stage == Some(Stage::Planning)).await;
    assert_eq!(answer(api.post(&format!("/api/admin/generations/{id}/abort"))).await.0, 200);
    assert_eq!(world.row(&key).await.status, Status::Aborted);
}
