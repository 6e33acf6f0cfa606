//! Who can write, and whether just now.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::{Api, answer, refusal};
use crate::support::world::World;

const PATH: &str = "/api/models";
const REFRESH: &str = "/api/models/refresh";
const PROVIDERS: [&str; 4] = ["builtin", "claude", "gemini", "cursor"];

async fn status(api: &Api) -> Value {
    // nobody needs a key for it
    answer(api.ask(Method::GET, PATH)).await.1["provider_status"].clone()
}

/// Waits until the worker of a world has told what it can run.
async fn wait_for_worker(world: &World) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while sqlx::query("SELECT 1 FROM workers").fetch_optional(&world.pool).await.unwrap().is_none() {
        assert!(Instant::now() < deadline, "the worker does not show itself");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A row as another worker would leave it.
async fn other_worker(world: &World, providers: Value, seen_seconds_ago: i32) {
    sqlx::query(
        "INSERT INTO workers (name, providers, last_seen) VALUES ('other', $1, now() - make_interval(secs => $2))",
    )
    .bind(providers)
    .bind(seen_seconds_ago)
    .execute(&world.pool)
    .await
    .unwrap();
}

#[tokio::test]
async fn without_a_living_worker_nobody_can_write() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let (code, body) = answer(api.ask(Method::GET, PATH)).await;
    assert_eq!((code, body["providers"].as_array().unwrap().len()), (200, 4));
    for provider in PROVIDERS {
        let state = &body["provider_status"][provider];
        assert_eq!((&state["ok"], &state["reason"]), (&json!(false), &json!("no_worker")), "{state}");
    }
    let expected = json!({"ok": false, "reason": "no_worker",
        "hint": "docmill is unavailable. Contact an administrator.", "model_count": 1});
    assert_eq!(body["provider_status"]["builtin"], expected);
    // one that was not seen for a minute does not live
    other_worker(&world, json!({"builtin": {"ok": true}}), 60).await;
    assert_eq!(status(&api).await["builtin"]["ok"], false);
    let (_, refreshed) = answer(api.post(REFRESH)).await;
    assert_eq!(refreshed["provider_status"]["claude"]["hint"], "No worker is running.");
}

#[tokio::test]
async fn a_refresh_makes_the_workers_look_again() {
    let mut world = World::start().await;
    let api = Api::start(&world).await;
    wait_for_worker(&world).await;
    for provider in PROVIDERS {
        let state = &status(&api).await[provider];
        assert_eq!((&state["ok"], &state["reason"], &state["hint"]), (&json!(true), &Value::Null, &Value::Null));
        assert!(state["has_api_key"].is_null(), "{state}");
    }
    std::fs::remove_file(world.stand_ins.program("claude")).unwrap();
    let refreshed = loop {
        let (code, refreshed) = answer(api.post(REFRESH)).await;
        assert_eq!(code, 200);
        // a worker that is slow to look is waited for two seconds only
        if refreshed["provider_status"]["claude"]["ok"] == false {
            break refreshed;
        }
    };
    let claude = &refreshed["provider_status"]["claude"];
    assert_eq!((&claude["ok"], &claude["reason"]), (&json!(false), &json!("not_installed")));
    assert!(claude["hint"].as_str().unwrap().contains("DOCMILL_CLAUDE_BIN"), "{claude}");
    let keys = PROVIDERS.map(|provider| refreshed["provider_status"][provider]["has_api_key"] == true);
    assert_eq!(keys, [false, true, true, true]);
    let shown = &status(&api).await["claude"];
    let hint = "Claude is unavailable. Contact an administrator.";
    assert_eq!((&shown["reason"], &shown["hint"]), (&json!("not_installed"), &json!(hint)));

    // any worker that can is enough
    other_worker(&world, json!({"claude": {"ok": true, "of_a_later_version": 1}}), 0).await;
    assert_eq!(status(&api).await["claude"]["ok"], true);
    sqlx::query("DELETE FROM workers WHERE name = 'other'").execute(&world.pool).await.unwrap();
    world.stop_worker().await;
    assert_eq!(status(&api).await["builtin"]["reason"], "no_worker");
}

#[tokio::test]
async fn a_worker_that_does_not_answer_does_not_keep_a_refresh_from_its_answer() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    other_worker(&world, json!({"builtin": {"ok": true}}), 0).await;
    let (code, body) = answer(api.post(REFRESH)).await;
    assert_eq!((code, &body["provider_status"]["builtin"]["ok"]), (200, &json!(true)));
}

#[tokio::test]
async fn only_admins_refresh() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    for role in ["user", "viewer"] {
        let key = api.create_user(role, role).await;
        let refused = refusal(api.ask(Method::POST, REFRESH).bearer_auth(key)).await;
        assert_eq!(refused, (403, "Admin access required".into()));
    }
    assert_eq!(refusal(api.ask(Method::POST, REFRESH)).await, (401, "Unauthorized".into()));
}
