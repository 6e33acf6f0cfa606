//! What exists, and whose it is.

use serde_json::{Value, json};

use super::{Api, answer, publish_site, queue, refusal, variant_of};
use crate::support::world::World;

#[tokio::test]
async fn the_list_holds_variants_models_and_branches() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let (_, empty) = answer(api.get("/api/projects")).await;
    assert_eq!((&empty["projects"], &empty["total_cost_usd"].to_string()), (&json!([]), &"0.0".to_owned()));
    publish_site(&world, &variant_of("admin", "demo"), &[("index.html", "x")]).await;
    queue(&world, &variant_of("alice", "other")).await;
    let (_, list) = answer(api.get("/api/projects")).await;
    assert_eq!(list["projects"].as_array().unwrap().len(), 2);
    assert_eq!(list["known_models"], json!({"builtin": ["extract"]}));
    assert_eq!(list["known_branches"], json!({"demo": ["main"]}));
    assert_eq!(answer(api.get("/api/status")).await.1, list);
    let ready = list["projects"].as_array().unwrap().iter().find(|row| row["name"] == "demo").unwrap();
    let time = ready["last_generated"].as_str().unwrap();
    assert_eq!((time.len(), &time[10..11], ready["status"].as_str()), (19, " ", Some("ready")));
    assert!(ready["generation_started_at"].as_str().unwrap().ends_with("+00:00"), "{ready}");
    assert_eq!(ready["generation_duration"], 0);
}

#[tokio::test]
async fn a_project_is_found_by_its_name() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    queue(&world, &variant_of("admin", "demo")).await;
    let (status, body) = answer(api.get("/api/projects/demo")).await;
    assert_eq!((status, &body["name"], body["variants"].as_array().unwrap().len()), (200, &json!("demo"), 1));
    assert_eq!(refusal(api.get("/api/projects/nope")).await, (404, "Project 'nope' not found".into()));
    assert_eq!(refusal(api.get("/api/projects/-x")).await, (400, "Invalid project name: '-x'".into()));
}

#[tokio::test]
async fn a_variant_of_several_owners_is_the_own_one_or_asks_whose() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let get = |owner: &str| api.get(&format!("/api/projects/demo/main/builtin/extract{owner}"));
    assert_eq!(refusal(get("")).await, (404, "Not found".into()));
    queue(&world, &variant_of("alice", "demo")).await;
    assert_eq!(answer(get("")).await.1["owner"], "alice");
    queue(&world, &variant_of("", "demo")).await;
    let which = "Multiple owners found for this variant, please specify owner";
    assert_eq!(refusal(get("")).await, (409, which.into()));
    assert_eq!(answer(get("?owner=alice")).await.1["owner"], "alice");
    assert_eq!(answer(get("?owner=")).await.1["owner"], "");
    assert_eq!(refusal(get("?owner=bob")).await, (404, "Not found".into()));
    queue(&world, &variant_of("admin", "demo")).await;
    assert_eq!(answer(get("")).await.1["owner"], "admin");
}

#[tokio::test]
async fn every_generation_of_a_variant_leads_to_it() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let key = variant_of("admin", "demo");
    let old = publish_site(&world, &key, &[("index.html", "1")]).await.generation().to_string();
    let new = publish_site(&world, &key, &[("index.html", "2")]).await.generation().to_string();
    for id in [&old, &new, &new.to_uppercase()] {
        let (status, body) = answer(api.get(&format!("/api/projects/by-id/{id}"))).await;
        assert_eq!((status, &body["generation_id"]), (200, &Value::from(new.as_str())));
    }
    let unknown = "00000000-0000-4000-8000-000000000000";
    let missing = (404, "Generation ID not found".to_owned());
    assert_eq!(refusal(api.get(&format!("/api/projects/by-id/{unknown}"))).await, missing);
    for bad in ["x", &unknown.replace('-', ""), &format!("%7B{unknown}%7D")] {
        let refused = refusal(api.get(&format!("/api/projects/by-id/{bad}"))).await;
        assert_eq!(refused, (400, "Invalid generation ID format".into()), "{bad}");
    }
}

#[tokio::test]
async fn a_generation_leads_those_to_its_variant_who_may_read_it() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let key = variant_of("alice", "demo");
    let id = publish_site(&world, &key, &[("index.html", "1")]).await.generation();
    let path = format!("/api/projects/by-id/{id}");
    let missing = (404, "Generation ID not found".to_owned());
    let (alice, bob) = (api.create_user("alice", "user").await, api.create_user("bob", "viewer").await);
    let ask = |key: &str| api.ask(reqwest::Method::GET, &path).bearer_auth(key);
    assert_eq!(answer(ask(&alice)).await.1["owner"], "alice");
    assert_eq!(refusal(ask(&bob)).await, missing);
    let mut conn = world.pool.acquire().await.unwrap();
    shared::db::grants::create(&mut conn, "alice", &key.name, "bob").await.unwrap();
    assert_eq!(answer(ask(&bob)).await.1["generation_id"], id.to_string());
    let deleted = api.ask(reqwest::Method::DELETE, "/api/projects/demo/main/builtin/extract").bearer_auth(&alice);
    assert_eq!(answer(deleted).await.0, 200);
    for key in [&alice, &bob, super::ADMIN_KEY] {
        assert_eq!(refusal(ask(key)).await, missing);
    }
}
