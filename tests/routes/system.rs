//! Whether the program lives and can work.

use reqwest::Method;
use serde_json::json;

use super::{Api, answer, publish_site, variant_of};
use crate::support::world::World;

#[tokio::test]
async fn anybody_may_ask_whether_the_program_lives() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    assert_eq!(answer(api.ask(Method::GET, "/health")).await, (200, json!({ "status": "ok" })));
    let (status, body) = answer(api.ask(Method::GET, "/version")).await;
    assert_eq!((status, &body["name"]), (200, &json!("docmill")));
    let (status, body) = answer(api.ask(Method::GET, "/api/openapi.json")).await;
    assert_eq!((status, body["openapi"].is_string()), (200, true));
}

#[tokio::test]
async fn ready_says_what_is_missing() {
    let world = World::without_worker().await;
    let api = Api::start_with(&world, |parts| parts.sandbox = Some(Ok("landlock".into()))).await;
    let (status, body) = answer(api.ask(Method::GET, "/ready")).await;
    let expected = json!({"status": "ready", "checks": [
        {"name": "database", "ok": true}, {"name": "migrations", "ok": true}, {"name": "sites", "ok": true},
        {"name": "sandbox", "ok": true, "detail": "landlock"},
    ]});
    assert_eq!((status, body), (200, expected));
    // the check leaves nothing behind
    assert_eq!(std::fs::read_dir(world.sites_dir()).unwrap().count(), 0);

    sqlx::query("DELETE FROM _sqlx_migrations WHERE version = 20261121000005").execute(&world.pool).await.unwrap();
    let (status, body) = answer(api.ask(Method::GET, "/ready")).await;
    assert_eq!((status, &body["status"]), (503, &json!("not ready")));
    let detail = "1 schema changes are missing, run `docmill migrate`";
    assert_eq!(body["checks"][1], json!({"name": "migrations", "ok": false, "detail": detail}));

    std::fs::remove_dir_all(world.sites_dir()).unwrap();
    std::fs::write(world.sites_dir(), "in the way").unwrap();
    world.pool.close().await;
    let (status, body) = answer(api.ask(Method::GET, "/ready")).await;
    let failed: Vec<bool> = body["checks"].as_array().unwrap().iter().map(|check| check["ok"] == false).collect();
    assert_eq!((status, failed), (503, vec![true, true, false]));
    assert!(!body.to_string().contains(world.sites_dir().to_str().unwrap()), "{body}");
}

#[tokio::test]
async fn models_are_the_defaults_and_those_that_made_a_site() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let mut key = variant_of("alice", "demo");
    key.provider = shared::provider::Provider::Claude;
    key.model = "opus".parse().unwrap();
    publish_site(&world, &key, &[("index.html", "x")]).await;
    let (status, mut body) = answer(api.ask(Method::GET, "/api/models")).await;
    // `models` has tests of its own about that
    let state = body.as_object_mut().unwrap().remove("provider_status").unwrap();
    assert_eq!(state["claude"]["model_count"], 1);
    let opus = json!([{"id": "opus", "name": "opus"}]);
    let expected = json!({
        "providers": ["builtin", "claude", "gemini", "cursor"],
        "default_provider": "builtin",
        "default_model": "extract",
        "known_models": {"claude": ["opus"]},
        "available_models": {"builtin": [{"id": "extract", "name": "extract"}], "claude": opus, "gemini": [],
                             "cursor": []},
        "default_vision_provider": "",
        "default_vision_model": "",
    });
    assert_eq!((status, body), (200, expected));
}
