//! Repeating runs: what is done again, what is kept, and who may.

use serde_json::Value;
use shared::{
    db::{self, variants::VariantRow},
    generation::State,
    ids::GenerationId,
    provider::Provider,
    variant::{Status, VariantKey},
};

use super::{Api, answer, claim, publish_site, queue, refusal, variant_of};
use crate::support::{
    repository::Repository,
    world::{World, variant},
};

/// A world with a worker and an API.
async fn start() -> (World, Api) {
    let world = World::start().await;
    let api = Api::start(&world).await;
    (world, api)
}

/// Repeats the newest run of a variant, `""` or `-from/STAGE`, and waits for its end.
async fn repeat(world: &World, api: &Api, key: &VariantKey, how: &str) -> VariantRow {
    let of = world.row(key).await.generation_id.unwrap();
    let (status, body) = answer(api.post(&format!("/api/generations/{of}/retry{how}"))).await;
    assert_eq!((status, body["status"].as_str()), (202, Some("generating")), "{body}");
    let row = world.wait_for_end(key).await;
    assert_eq!(body["generation_id"], row.generation_id.unwrap().to_string());
    row
}

/// Lets every call fail of which it is not expected.
fn forbid(world: &World, calls: &[&str]) {
    for call in calls {
        world.stand_ins.set(&format!("mode.{call}"), "auth");
    }
}

fn assert_ready(row: &VariantRow) {
    assert_eq!((row.status, row.error_message.as_deref()), (Status::Ready, None));
}

#[tokio::test]
async fn a_retry_makes_one_call_for_the_page_that_failed_and_none_for_the_others() {
    let (world, api) = start().await;
    let repository = Repository::library("adder");
    let key = variant("adder", Provider::Claude);
    for call in ["page-page-2", "revise-page-2"] {
        world.stand_ins.set(&format!("mode.{call}"), "stub");
    }
    let failed = world.generate(&repository, &key, false).await;
    assert_eq!(failed.status, Status::Error);
    let of = failed.generation_id.unwrap();
    let (_, shown) = answer(api.get(&format!("/api/generations/{of}"))).await;
    assert_eq!((shown["state"].as_str(), shown["stage"].as_str()), (Some("error"), Some("validating")));
    assert_eq!(
        (&shown["pages"]["done"], &shown["name"], &shown["retry_of"]),
        (&3.into(), &"adder".into(), &Value::Null)
    );

    world.stand_ins.clear("mode.revise-page-2");
    forbid(&world, &["plan", "page-page-1", "page-page-2", "page-page-3", "revise-page-1", "revise-page-3"]);
    // nor is the repository asked
    drop(repository);
    let row = repeat(&world, &api, &key, "").await;
    assert_ready(&row);
    for (page, calls) in [("page-1", 0), ("page-2", 1), ("page-3", 0)] {
        assert_eq!(world.written_times(&row, page).await, calls, "{page}");
    }
    let (_, listed) = answer(api.get("/api/projects/adder/main/claude/test-model/generations")).await;
    let listed = listed["generations"].as_array().unwrap();
    assert_eq!(listed.len(), 2);
    assert_eq!((&listed[0]["retry_of"], &listed[1]["generation_id"]), (&of.to_string().into(), &of.to_string().into()));
}

#[tokio::test]
async fn a_page_that_was_never_written_is_the_only_one_to_be_written() {
    let (world, api) = start().await;
    let repository = Repository::library("adder");
    let key = variant("adder", Provider::Claude);
    world.stand_ins.block("page-page-3");
    world.stand_ins.set("mode.page-page-3", "auth");
    world.request(&repository, &key, false).await.unwrap();
    world.wait_until(&key, |row| row.page_count == 2).await;
    world.stand_ins.release("page-page-3");
    let failed = world.wait_for_end(&key).await;
    assert_eq!(failed.status, Status::Error);
    let (_, shown) = answer(api.get(&format!("/api/generations/{}", failed.generation_id.unwrap()))).await;
    assert_eq!(shown["pages"], serde_json::json!({ "done": 2, "open": 0, "failed": 1 }));
    assert_eq!(shown["failed_pages"][0]["slug"], "page-3");
    assert!(shown["failed_pages"][0]["reason"].as_str().unwrap().contains("ANTHROPIC_API_KEY"), "{shown}");

    world.stand_ins.clear("mode.page-page-3");
    forbid(&world, &["plan", "page-page-1", "page-page-2"]);
    let row = repeat(&world, &api, &key, "").await;
    assert_ready(&row);
    for (page, calls) in [("page-1", 0), ("page-2", 0), ("page-3", 1)] {
        assert_eq!(world.written_times(&row, page).await, calls, "{page}");
    }
}

#[tokio::test]
async fn a_run_is_repeated_from_the_named_stage_on() {
    let (world, api) = start().await;
    let repository = Repository::library("adder");
    let key = variant("adder", Provider::Claude);
    let first = world.generate(&repository, &key, false).await;
    assert_ready(&first);
    // only `cloning` may see this one
    let newer = repository.commit("second");

    forbid(&world, &["all"]);
    let mut sites = vec![first.site_prefix.clone()];
    for stage in ["rendering", "cross_linking", "validating"] {
        let row = repeat(&world, &api, &key, &format!("-from/{stage}")).await;
        assert_ready(&row);
        assert_eq!((&row.last_commit_sha, row.page_count), (&first.last_commit_sha, 3), "{stage}");
        assert!(!sites.contains(&row.site_prefix), "nothing new was published from {stage}");
        sites.push(row.site_prefix);
    }

    world.stand_ins.clear("mode.all");
    forbid(&world, &["plan"]);
    let row = repeat(&world, &api, &key, "-from/generating_pages").await;
    assert_ready(&row);
    assert_eq!(row.last_commit_sha, first.last_commit_sha);
    for page in ["page-1", "page-2", "page-3"] {
        assert_eq!(world.written_times(&row, page).await, 1, "{page} of a ready run is written anew");
    }

    world.stand_ins.clear("mode.plan");
    world.stand_ins.set("pages", "4");
    let row = repeat(&world, &api, &key, "-from/planning").await;
    assert_ready(&row);
    assert_eq!((&row.last_commit_sha, row.page_count), (&first.last_commit_sha, 4));

    let row = repeat(&world, &api, &key, "-from/cloning").await;
    assert_ready(&row);
    assert_eq!(row.last_commit_sha.as_deref(), Some(newer.as_str()));
}

#[tokio::test]
async fn a_pinned_commit_whose_pack_is_gone_is_fetched_once_more() {
    let (world, api) = start().await;
    let repository = Repository::library("adder");
    let key = variant("adder", Provider::Claude);
    let first = world.generate(&repository, &key, false).await;
    repository.commit("second");
    for id in world.store.list_commits().await.unwrap() {
        world.store.remove_commits(id).await.unwrap();
    }
    let row = repeat(&world, &api, &key, "-from/generating_pages").await;
    assert_ready(&row);
    assert_eq!(row.last_commit_sha, first.last_commit_sha);

    for id in world.store.list_commits().await.unwrap() {
        world.store.remove_commits(id).await.unwrap();
    }
    drop(repository);
    let row = repeat(&world, &api, &key, "-from/planning").await;
    assert_eq!(row.status, Status::Error);
    let message = row.error_message.unwrap();
    assert!(message.contains("cannot be fetched any more"), "{message}");
}

#[tokio::test]
async fn a_commit_that_nobody_has_any_more_ends_the_run_with_a_sentence() {
    let (world, api) = start().await;
    let repository = Repository::library("adder");
    let key = variant("adder", Provider::Claude);
    world.generate(&repository, &key, false).await;
    repository.git(&["commit", "--quiet", "--amend", "-m", "another history"]);
    repository.git(&["reflog", "expire", "--expire=now", "--all"]);
    repository.git(&["gc", "--quiet", "--prune=now"]);
    for id in world.store.list_commits().await.unwrap() {
        world.store.remove_commits(id).await.unwrap();
    }
    let row = repeat(&world, &api, &key, "-from/planning").await;
    assert_eq!(row.status, Status::Error);
    let message = row.error_message.unwrap();
    assert!(message.contains("cannot be fetched any more") && message.contains("retry-from/cloning"), "{message}");
    assert!(row.site_prefix.is_some(), "the site is served on");
}

/// A run of somebody that failed without any worker.
async fn fail(world: &World, key: &VariantKey) -> GenerationId {
    let id = queue(world, key).await;
    let fence = claim(world, id).await;
    let mut conn = world.pool.acquire().await.unwrap();
    db::generations::end_unfinished(&mut conn, id, fence, State::Error, "it failed").await.unwrap();
    id
}

#[tokio::test]
async fn what_cannot_be_repeated_is_told_why() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let key = variant_of("admin", "demo");
    let old = fail(&world, &key).await;
    let retry = |id: &dyn std::fmt::Display, how: &str| api.post(&format!("/api/generations/{id}/retry{how}"));
    for stage in ["nonsense", "up_to_date", "incremental_planning", "%0A"] {
        let (status, detail) = refusal(retry(&old, &format!("-from/{stage}"))).await;
        assert_eq!(status, 400, "{detail}");
        assert!(
            detail.contains("cloning, planning, generating_pages, validating, cross_linking, rendering"),
            "{detail}"
        );
    }
    assert_eq!(refusal(retry(&"x", "")).await, (400, "Invalid generation ID format".into()));
    assert_eq!(refusal(retry(&GenerationId::new(), "")).await, (404, "Generation ID not found".into()));

    let (status, body) = answer(retry(&old, "")).await;
    assert_eq!(status, 202, "{body}");
    let newest = body["generation_id"].as_str().unwrap().to_owned();
    let busy = (409, "Variant 'demo/main/builtin/extract' is already being generated".to_owned());
    assert_eq!(refusal(retry(&old, "")).await, busy);
    assert_eq!(refusal(retry(&newest, "-from/cloning")).await, busy);
    answer(api.post("/api/projects/demo/abort")).await;
    let (status, detail) = refusal(retry(&old, "")).await;
    assert_eq!(status, 409);
    assert!(detail.contains(&newest), "the newest is not named: {detail}");

    publish_site(&world, &variant_of("admin", "ready"), &[("index.html", "x")]).await;
    let ready = world.row(&variant_of("admin", "ready")).await.generation_id.unwrap();
    let (status, detail) = refusal(retry(&ready, "")).await;
    assert_eq!(status, 409);
    assert!(detail.contains("Nothing failed"), "{detail}");
}

#[tokio::test]
async fn only_owners_and_admins_repeat_a_run_and_see_it() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let (alice, bob) = (api.create_user("alice", "user").await, api.create_user("bob", "user").await);
    let eve = api.create_user("eve", "viewer").await;
    let id = fail(&world, &variant_of("alice", "demo")).await;
    sqlx::query("UPDATE variants SET repo_url = 'https://github.com/alice/demo'").execute(&world.pool).await.unwrap();
    let retry = |key: &str| api.ask(reqwest::Method::POST, &format!("/api/generations/{id}/retry")).bearer_auth(key);
    let see = |key: &str| api.ask(reqwest::Method::GET, &format!("/api/generations/{id}")).bearer_auth(key);
    let missing = (404, "Generation ID not found".to_owned());
    assert_eq!(refusal(retry(&bob)).await, missing);
    assert_eq!(refusal(see(&bob)).await, missing);
    assert_eq!(refusal(retry(&eve)).await, (403, "Write access required.".into()));
    // who may read may look, and no more
    let mut conn = world.pool.acquire().await.unwrap();
    db::grants::create(&mut conn, "alice", &"demo".parse().unwrap(), "bob").await.unwrap();
    assert_eq!(answer(see(&bob)).await.0, 200);
    assert_eq!(refusal(retry(&bob)).await, missing);
    let (status, body) = answer(retry(&alice)).await;
    assert_eq!((status, body["project"].as_str()), (202, Some("demo")), "{body}");
}

#[tokio::test]
async fn of_retries_and_requests_at_once_one_wins() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let repository = Repository::library("demo");
    let key = variant_of("admin", "demo");
    for _ in 0..10 {
        world.request(&repository, &key, false).await.unwrap();
        let id = world.row(&key).await.generation_id.unwrap();
        let fence = claim(&world, id).await;
        let mut conn = world.pool.acquire().await.unwrap();
        db::generations::end_unfinished(&mut conn, id, fence, State::Error, "it failed").await.unwrap();
        drop(conn);
        let path = format!("/api/generations/{id}/retry");
        let body = serde_json::json!({ "repo_path": repository.path(), "ai_provider": "builtin" }).to_string();
        let generate = || api.post("/api/generate").header("content-type", "application/json").body(body.clone());
        let from = format!("{path}-from/planning");
        let (a, b, c, d) =
            tokio::join!(answer(api.post(&path)), answer(generate()), answer(api.post(&from)), answer(generate()),);
        let mut statuses = [a.0, b.0, c.0, d.0];
        statuses.sort_unstable();
        assert_eq!(statuses, [202, 409, 409, 409]);
        assert_eq!(answer(api.post("/api/projects/demo/abort")).await.0, 200);
    }
}

/// Whoever adds a column to `generations` has to say whether it is a part of the request: then it is copied.
#[tokio::test]
async fn a_repeated_run_has_the_whole_request_of_the_first() {
    let world = World::without_worker().await;
    let columns: Vec<String> = sqlx::query_scalar(
        "SELECT column_name::text FROM information_schema.columns WHERE table_schema = 'public' AND table_name = 'generations'",
    )
    .fetch_all(&world.pool)
    .await
    .unwrap();
    let source = include_str!("../../shared/src/db/retries.rs");
    let (_, copied) = source.split_once("-- the request;").unwrap();
    let (copied, _) = copied.split_once("FROM generations old").unwrap();
    let of_the_run = [
        "id",
        "variant_id",
        "state",
        "requested_by",
        "fence",
        "worker",
        "lease_until",
        "cancel_requested_at",
        "crash_count",
        "stage",
        "commit_sha",
        "error_message",
        "cost_usd",
        "site_prefix",
        "created_at",
        "started_at",
        "finished_at",
        "page_window",
        "priority",
        "retry_of",
        "retry_from",
        "protocol",
        "score",
        "grade",
    ];
    let undecided: Vec<&String> = columns
        .iter()
        .filter(|column| !of_the_run.contains(&column.as_str()) && !copied.contains(&format!("old.{column}")))
        .collect();
    assert!(undecided.is_empty(), "copy them in shared/src/db/retries.rs, or name them here: {undecided:?}");
}
