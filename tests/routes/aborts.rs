//! Ending a generation before it is done.

use std::time::{Duration, Instant};

use shared::{
    db,
    events::{CANCEL_CHANNEL, Heard},
    generation::State,
    variant::VariantKey,
};
use tokio::task::JoinHandle;

use super::{Api, answer, claim, queue, refusal, variant_of};
use crate::support::world::World;

/// Ends a generation so, as soon as somebody asks for its end.
async fn end_when_told(world: &World, end: State) -> JoinHandle<()> {
    let id = queue(world, &variant_of("admin", "demo")).await;
    let fence = claim(world, id).await;
    let (mut heard, pool) = (world.listening.subscribe(), world.pool.clone());
    tokio::spawn(async move {
        loop {
            match heard.recv().await.unwrap() {
                Heard::Notification { channel, .. } if &*channel == CANCEL_CHANNEL => break,
                _ => {}
            }
        }
        let mut transaction = pool.begin().await.unwrap();
        let variant = db::generations::find_variant_id(&mut transaction, id).await.unwrap().unwrap();
        db::generations::end_unfinished(&mut transaction, id, fence, end, "x").await.unwrap();
        shared::events::emit_state(&mut transaction, variant, id, end, Some("x")).await.unwrap();
        transaction.commit().await.unwrap();
    })
}

#[tokio::test]
async fn a_queued_generation_ends_at_once_and_there_is_nothing_left_to_abort() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    queue(&world, &variant_of("admin", "demo")).await;
    let path = "/api/projects/demo/main/builtin/extract/abort";
    let (status, body) = answer(api.post(path)).await;
    assert_eq!((status, body.to_string().as_str()), (200, r#"{"aborted":"demo/main/builtin/extract"}"#));
    let (_, row) = answer(api.get("/api/projects/demo/main/builtin/extract")).await;
    assert_eq!(
        (row["status"].as_str(), row["error_message"].as_str()),
        (Some("aborted"), Some("Generation aborted by user"))
    );
    assert_eq!(refusal(api.post(path)).await, (404, "No active generation for this variant".into()));
    let by_name = refusal(api.post("/api/projects/demo/abort")).await;
    assert_eq!(by_name, (404, "No active generation for 'demo'".into()));
}

#[tokio::test]
async fn a_running_generation_is_told_and_the_answer_comes_with_its_end() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let holder = end_when_told(&world, State::Aborted).await;
    let before = Instant::now();
    let (status, body) = answer(api.post("/api/projects/demo/abort")).await;
    assert_eq!((status, body.to_string().as_str()), (200, r#"{"aborted":"demo"}"#));
    assert!(before.elapsed() < Duration::from_secs(3));
    holder.await.unwrap();
}

#[tokio::test]
async fn a_generation_that_ends_by_itself_meanwhile_was_not_aborted() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let holder = end_when_told(&world, State::Error).await;
    let sentence = "Generation for 'demo' already finished. Refresh status and retry only if needed.";
    assert_eq!(refusal(api.post("/api/projects/demo/abort")).await, (409, sentence.into()));
    holder.await.unwrap();
    let holder = end_when_told(&world, State::Error).await;
    let sentence =
        "Generation for 'admin/demo/main/builtin/extract' already finished. Refresh status and retry only if needed.";
    assert_eq!(refusal(api.post("/api/projects/demo/main/builtin/extract/abort")).await, (409, sentence.into()));
    holder.await.unwrap();
}

#[tokio::test]
async fn nobody_waits_longer_than_five_seconds_for_an_end() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let key = VariantKey { branch: "feat/x".parse().unwrap(), ..variant_of("alice", "demo") };
    let id = queue(&world, &key).await;
    claim(&world, id).await;
    let before = Instant::now();
    let (by_name, by_variant) = tokio::join!(
        refusal(api.post("/api/projects/demo/abort")),
        refusal(api.post("/api/projects/demo/feat~2Fx/builtin/extract/abort")),
    );
    assert_eq!(by_name, (409, "Abort still in progress for 'demo'. Please retry shortly.".into()));
    let sentence = "Abort still in progress for 'alice/demo/feat~2Fx/builtin/extract'. Please retry shortly.";
    assert_eq!(by_variant, (409, sentence.into()));
    assert!((4..8).contains(&before.elapsed().as_secs()));
}

#[tokio::test]
async fn what_is_meant_must_be_clear() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    for owner in ["alice", "bob"] {
        queue(&world, &variant_of(owner, "demo")).await;
    }
    let several = "Multiple active variants found; use the branch-specific abort endpoint.";
    assert_eq!(refusal(api.post("/api/projects/demo/abort")).await, (409, several.into()));
    let path = "/api/projects/demo/main/builtin/extract/abort";
    let whose = "Multiple owners found for this variant, please specify owner";
    assert_eq!(refusal(api.post(path)).await, (409, whose.into()));
    assert_eq!(answer(api.post(&format!("{path}?owner=bob"))).await.0, 200);
    assert_eq!(answer(api.get("/api/projects/demo/main/builtin/extract?owner=alice")).await.1["status"], "generating");
    assert_eq!(refusal(api.post("/api/projects/-x/abort")).await.0, 400);
}

#[tokio::test]
async fn only_admins_end_what_is_of_somebody_else_and_only_writers_end_anything() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let (bob, eve) = (api.create_user("bob", "user").await, api.create_user("eve", "viewer").await);
    queue(&world, &variant_of("alice", "demo")).await;
    let mut conn = world.pool.acquire().await.unwrap();
    for username in ["bob", "eve"] {
        db::grants::create(&mut conn, "alice", &"demo".parse().unwrap(), username).await.unwrap();
    }
    let (project, variant) = ("/api/projects/demo/abort", "/api/projects/demo/main/builtin/extract/abort");
    let ask = |key: &str, path: &str| refusal(api.ask(reqwest::Method::POST, path).bearer_auth(key));
    for path in [project, variant] {
        assert_eq!(ask(&eve, path).await, (403, "Write access required.".into()));
    }
    for query in ["", "?owner=alice"] {
        let by_name = ask(&bob, &format!("{project}{query}")).await;
        assert_eq!(by_name, (404, "No active generation for 'demo'".into()));
        let by_variant = ask(&bob, &format!("{variant}{query}")).await;
        assert_eq!(by_variant, (404, "No active generation for this variant".into()));
    }
    queue(&world, &variant_of("bob", "demo")).await;
    let own = api.ask(reqwest::Method::POST, project).bearer_auth(&bob);
    assert_eq!(answer(own).await.0, 200, "what others do does not count");
    assert_eq!(answer(api.post(variant)).await.0, 200);
}
