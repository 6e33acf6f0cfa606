//! Asking for a site.

use serde_json::{Value, json};
use shared::{db, provider::Provider};

use super::{Api, answer, refusal};
use crate::support::{repository::Repository, world::World};

fn body(path: &std::path::Path) -> Value {
    json!({ "repo_path": path })
}

#[tokio::test]
async fn a_request_is_queued_once_and_shown_at_once() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let repository = Repository::library("demo");
    let mut request = body(&repository.path());
    request["repo_type"] = json!("library");
    let answer = api.post("/api/generate").json(&request).send().await.unwrap();
    assert_eq!(answer.status(), 202);
    let text = answer.text().await.unwrap();
    let id = serde_json::from_str::<Value>(&text).unwrap()["generation_id"].as_str().unwrap().to_owned();
    let expected = format!(
        r#"{{"project":"demo","status":"generating","branch":"main","generation_id":"{id}","repo_type":"library"}}"#
    );
    assert_eq!(text, expected);
    let mut conn = world.pool.acquire().await.unwrap();
    assert_eq!(db::queue::count_waiting(&mut conn, "generate").await.unwrap(), 1);

    let again = refusal(api.post("/api/generate").json(&request)).await;
    assert_eq!(again, (409, "Variant 'demo/main/builtin/extract' is already being generated".into()));
    assert_eq!(db::queue::count_waiting(&mut conn, "generate").await.unwrap(), 1);
    // another model of it runs beside it
    request["ai_provider"] = json!("claude");
    request["ai_model"] = json!("opus");
    assert_eq!(super::answer(api.post("/api/generate").json(&request)).await.0, 202);

    let shown = api.get("/api/status").send().await.unwrap().text().await.unwrap();
    let project = &serde_json::from_str::<Value>(&shown).unwrap()["projects"][1];
    assert_eq!((&project["status"], &project["generation_id"]), (&json!("generating"), &json!(id)));
    let keys = [
        "name",
        "branch",
        "ai_provider",
        "ai_model",
        "owner",
        "generation_id",
        "repo_url",
        "status",
        "current_stage",
        "last_commit_sha",
        "last_generated",
        "page_count",
        "error_message",
        "plan_json",
        "repo_type",
        "total_cost_usd",
        "vision_provider",
        "vision_model",
        "generation_duration",
        "generation_started_at",
        "created_at",
        "updated_at",
    ];
    let places: Vec<usize> = keys.iter().map(|key| shown.find(&format!("\"{key}\":")).unwrap()).collect();
    assert!(places.is_sorted(), "{shown}");
    assert_eq!(project.as_object().unwrap().len(), keys.len());
}

#[tokio::test]
async fn a_source_that_cannot_be_used_is_told_with_docsfys_sentence() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let folder = world.folder().join("plain");
    std::fs::create_dir(&folder).unwrap();
    let private = "Repository URL must not target localhost or private networks";
    for (request, status, sentence) in [
        (json!({"repo_path": "/nowhere/demo"}), 400, "Repository path does not exist: '/nowhere/demo'".to_owned()),
        (body(&folder), 400, format!("Not a git repository (no .git directory): '{}'", folder.display())),
        (json!({"repo_url": "https://10.0.0.1/a/b"}), 400, private.to_owned()),
        (json!({"repo_url": "https://localhost/a/b"}), 400, private.to_owned()),
        (json!({"repo_url": "https://[::ffff:10.0.0.1]/a/b"}), 400, private.to_owned()),
    ] {
        assert_eq!(refusal(api.post("/api/generate").json(&request)).await, (status, sentence), "{request}");
    }
    // a host of the list is allowed although it is this one, and a name that nobody knows fails in the run
    for url in ["http://127.0.0.1:9/a/b", "https://no-such-host.invalid/a/c"] {
        assert_eq!(answer(api.post("/api/generate").json(&json!({"repo_url": url}))).await.0, 202, "{url}");
    }
}

#[tokio::test]
async fn the_default_model_is_the_default_providers() {
    let world = World::without_worker().await;
    let change = |parts: &mut api::ApiParts| {
        parts.writer.ai_provider = Provider::Claude;
        parts.writer.ai_model = "opus".parse().unwrap();
    };
    let api = Api::start_with(&world, change).await;
    let repository = Repository::library("demo");
    let ask = async |provider: Value, model: Value| {
        let mut request = body(&repository.path());
        request["ai_provider"] = provider;
        request["ai_model"] = model;
        answer(api.post("/api/generate").json(&request)).await
    };
    let no_model = json!({"detail": "AI model must be specified."});
    assert_eq!(ask(json!("gemini"), Value::Null).await, (400, no_model));
    let one_model = json!({"detail": "Provider 'builtin' has one model: 'extract'"});
    assert_eq!(ask(json!("builtin"), json!("opus")).await, (400, one_model));
    assert_eq!(ask(Value::Null, Value::Null).await.0, 202);
    assert_eq!(ask(json!("builtin"), Value::Null).await.0, 202);
    for path in ["claude/opus", "builtin/extract"] {
        assert_eq!(answer(api.get(&format!("/api/projects/demo/main/{path}"))).await.0, 200, "{path}");
    }
}

#[tokio::test]
async fn from_a_request_to_a_page_that_is_read() {
    let world = World::start().await;
    let api = Api::start(&world).await;
    let repository = Repository::library("demo");
    assert_eq!(answer(api.post("/api/generate").json(&body(&repository.path()))).await.0, 202);
    let row = world.wait_for_end(&super::variant_of("admin", "demo")).await;
    assert_eq!(row.error_message, None);
    let page = api.get("/docs/demo/").send().await.unwrap().text().await.unwrap();
    assert!(page.contains("demo adds numbers"), "{page}");
}
