//! What admins do with all runs: ending many, pausing, looking at workers.

use serde_json::json;
use shared::{ids::GenerationId, provider::Provider, variant::VariantKey};

use super::{Api, answer, claim, queue, refusal, variant_of};
use crate::support::world::World;

#[tokio::test]
async fn an_admin_ends_any_run_by_its_id() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let bob = api.create_user("bob", "user").await;
    let id = queue(&world, &variant_of("alice", "demo")).await;
    let path = format!("/api/admin/generations/{id}/abort");
    let by_bob = refusal(api.ask(reqwest::Method::POST, &path).bearer_auth(&bob)).await;
    assert_eq!(by_bob, (403, "Admin access required".into()));
    let (status, body) = answer(api.post(&path)).await;
    assert_eq!((status, body), (200, json!({ "generation_id": id.to_string(), "state": "aborted" })));
    let (status, detail) = refusal(api.post(&path)).await;
    assert_eq!(status, 409);
    assert!(detail.contains("already finished"), "{detail}");
    let unknown = format!("/api/admin/generations/{}/abort", GenerationId::new());
    assert_eq!(refusal(api.post(&unknown)).await, (404, "Generation ID not found".into()));
    assert_eq!(refusal(api.post("/api/admin/generations/x/abort")).await.0, 400);
}

#[tokio::test]
async fn many_runs_end_by_owner_project_and_provider() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let claude = |owner: &str, name: &str| VariantKey {
        provider: Provider::Claude,
        model: "opus".parse().unwrap(),
        ..variant_of(owner, name)
    };
    let keys = [variant_of("alice", "one"), claude("alice", "two"), variant_of("bob", "one"), claude("bob", "three")];
    for key in &keys {
        queue(&world, key).await;
    }
    let abort = async |body: serde_json::Value| answer(api.post("/api/admin/abort").body(body.to_string())).await;
    let ended = |count: usize| (200, json!({ "requested": count, "aborted": count, "still_ending": [] }));
    assert_eq!(abort(json!({ "owner": "alice", "provider": "claude" })).await, ended(1));
    assert_eq!(abort(json!({ "owner": "carol" })).await, ended(0));
    assert_eq!(abort(json!({ "project": "one" })).await, ended(2));
    assert_eq!(abort(json!({ "all": true })).await, ended(1));
    assert_eq!(abort(json!({ "all": true })).await, ended(0));

    // one whose holder does not answer
    let id = queue(&world, &keys[0]).await;
    claim(&world, id).await;
    let (_, body) = abort(json!({ "provider": "builtin" })).await;
    assert_eq!(body, json!({ "requested": 1, "aborted": 0, "still_ending": [id.to_string()] }));

    for body in [
        json!({}),
        json!({ "all": false }),
        json!({ "all": true, "owner": "x" }),
        json!({ "provider": "gpt" }),
        json!({ "owner": 3 }),
        json!({ "all": "yes" }),
    ] {
        assert_eq!(abort(body.clone()).await.0, 422, "{body}");
    }
    assert_eq!(refusal(api.post("/api/admin/abort").body("no")).await.0, 400);
    assert_eq!(refusal(api.post("/api/admin/abort").body(r#"{"owner":"a\u0000"}"#)).await.0, 400);
}

#[tokio::test]
async fn pauses_are_listed_with_who_made_them_until_they_are_ended() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let bob = api.create_user("bob", "user").await;
    for path in ["/api/admin/pause", "/api/admin/resume"] {
        assert_eq!(refusal(api.ask(reqwest::Method::POST, path).bearer_auth(&bob)).await.0, 403);
    }
    let pause = async |body: &str| answer(api.post("/api/admin/pause").body(body.to_owned())).await;
    assert_eq!(pause("").await.0, 200);
    let (_, body) = pause(r#"{"provider":"claude","message":"new key\n"}"#).await;
    let pauses = body["pauses"].as_array().unwrap();
    assert_eq!(pauses.len(), 2);
    assert_eq!((&pauses[0]["provider"], &pauses[0]["reason"]), (&json!(null), &json!("admin")));
    assert_eq!((&pauses[1]["provider"], &pauses[1]["message"]), (&json!("claude"), &json!("new key\n")));
    assert_eq!((&pauses[1]["paused_by"], &pauses[1]["until"]), (&json!("admin"), &json!(null)));
    sqlx::query(
        "INSERT INTO pauses (provider, reason, until) VALUES ('gemini', 'rate_limit', now() + interval '1 hour')",
    )
    .execute(&world.pool)
    .await
    .unwrap();
    let (_, body) = answer(api.get("/api/admin/workers")).await;
    assert_eq!(body["pauses"].as_array().unwrap().len(), 3);
    assert!(body["pauses"][2]["until"].is_string());

    let resume = async |body: &str| answer(api.post("/api/admin/resume").body(body.to_owned())).await;
    let (_, body) = resume("").await;
    assert_eq!(body["pauses"].as_array().unwrap().len(), 2);
    let (_, body) = resume(r#"{"provider":"claude"}"#).await;
    assert_eq!(body["pauses"][0]["reason"], "rate_limit");
    assert_eq!(answer(api.get("/api/admin/pauses")).await.1, body);
    // whoever has got a higher limit need not wait for what the provider said before
    assert_eq!(resume(r#"{"provider":"gemini"}"#).await.1["pauses"], json!([]));
    let long = format!(r#"{{"message":"{}"}}"#, "x".repeat(501));
    for body in [r#"{"provider":"gpt"}"#, r#"{"message":1}"#, &long] {
        assert_eq!(pause(body).await.0, 422);
    }
}

#[tokio::test]
async fn workers_are_listed_with_their_work_and_the_queue() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let (held, _) = super::occupy(&world, &variant_of("alice", "held")).await;
    queue(&world, &variant_of("alice", "queued")).await;
    sqlx::query(
        "INSERT INTO workers (name, host, version, ai_slots, generation_slots) VALUES ('test', 'here', '9', 4, 32);",
    )
    .execute(&world.pool)
    .await
    .unwrap();
    sqlx::query("INSERT INTO workers (name, last_seen) VALUES ('gone', now() - interval '1 minute')")
        .execute(&world.pool)
        .await
        .unwrap();
    let (_, body) = answer(api.get("/api/admin/workers")).await;
    let workers = body["workers"].as_array().unwrap();
    let find = |name: &str| workers.iter().find(|worker| worker["name"] == name).unwrap();
    let test = find("test");
    assert_eq!((&test["live"], &test["draining"], &test["ai_slots"]), (&json!(true), &json!(false), &json!(4)));
    assert_eq!(test["generations"][0]["generation_id"], held.to_string());
    assert_eq!(find("gone")["live"], false);
    assert_eq!(body["queue"]["queued_generations"], 1);

    for _ in 0..2 {
        let (status, told) = answer(api.post("/api/admin/workers/test/drain")).await;
        assert_eq!((status, told), (202, json!({ "draining": "test" })));
    }
    let (_, body) = answer(api.get("/api/admin/workers")).await;
    assert!(body["workers"].as_array().unwrap().iter().any(|worker| worker["draining"] == true));
    for unknown in ["nobody", "%00", "%0A"] {
        assert_eq!(answer(api.post(&format!("/api/admin/workers/{unknown}/drain"))).await.0 / 100, 4);
    }
    // it is on the list for a while yet, and nobody hears
    assert_eq!(refusal(api.post("/api/admin/workers/gone/drain")).await.0, 404);
    let bob = api.create_user("bob", "user").await;
    for (method, path) in
        [(reqwest::Method::GET, "/api/admin/workers"), (reqwest::Method::POST, "/api/admin/workers/test/drain")]
    {
        assert_eq!(refusal(api.ask(method, path).bearer_auth(&bob)).await.0, 403);
    }
}
