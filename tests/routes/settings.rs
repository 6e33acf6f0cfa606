//! Settings that admins make, and what they change.

use reqwest::Method;
use serde_json::{Value, json};
use shared::{provider::Provider, variant::Status};

use super::{ADMIN_KEY, Api, answer, refusal};
use crate::support::{
    repository::Repository,
    world::{World, variant},
};

const PATH: &str = "/api/admin/settings";

async fn put(api: &Api, settings: Value) -> (u16, Value) {
    answer(api.ask(Method::PUT, PATH).bearer_auth(ADMIN_KEY).json(&json!({ "settings": settings }))).await
}

async fn get(api: &Api) -> Value {
    answer(api.get(PATH)).await.1["settings"].clone()
}

#[tokio::test]
async fn settings_are_for_admins_and_begin_with_docmills_own() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let user = api.create_user("alice", "user").await;
    for method in [Method::GET, Method::PUT] {
        let refused = refusal(api.ask(method.clone(), PATH).bearer_auth(&user)).await;
        assert_eq!(refused, (403, "Admin access required".into()));
        assert_eq!(refusal(api.ask(method, PATH)).await, (401, "Unauthorized".into()));
    }
    let text = api.get(PATH).send().await.unwrap().text().await.unwrap();
    let expected = r#"{"settings":{"default_ai_provider":"builtin","default_ai_model":"extract","ai_cli_timeout":60,"max_concurrent_pages":10,"vision_provider":"","vision_model":""},"env_overrides":{}}"#;
    assert_eq!(text, expected);
}

#[tokio::test]
async fn what_cannot_be_is_told_with_docsfys_sentence_and_changes_nothing() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let before = get(&api).await;
    let minutes = "Setting 'ai_cli_timeout' must be a positive integer";
    let pages = "Setting 'max_concurrent_pages' must be a positive integer";
    let provider = "Invalid provider 'gpt'. Must be one of: builtin, claude, gemini, cursor";
    for (settings, sentence) in [
        (json!({"nope": 1}), "Unknown setting key: 'nope'"),
        (json!({"ai_cli_timeout": 5, "nope": 1}), "Unknown setting key: 'nope'"),
        (json!({"ai_cli_timeout": 0}), minutes),
        (json!({"ai_cli_timeout": -1}), minutes),
        (json!({"ai_cli_timeout": 1.5}), minutes),
        (json!({"ai_cli_timeout": "ten"}), minutes),
        (json!({"ai_cli_timeout": ""}), minutes),
        (json!({"ai_cli_timeout": null}), minutes),
        (json!({"ai_cli_timeout": true}), minutes),
        (json!({"max_concurrent_pages": []}), pages),
        (json!({"max_concurrent_pages": "00"}), pages),
        (json!({"ai_cli_timeout": 1441}), "Setting 'ai_cli_timeout' must be at most 1440"),
        (json!({"ai_cli_timeout": 1e300}), minutes),
        (json!({"ai_cli_timeout": 99_999_999_999_u64}), "Setting 'ai_cli_timeout' must be at most 1440"),
        (json!({"max_concurrent_pages": 101}), "Setting 'max_concurrent_pages' must be at most 100"),
        (json!({"default_ai_provider": "gpt", "default_ai_model": "x"}), provider),
        (json!({"vision_provider": "GPT", "vision_model": "x"}), provider),
        (json!({"default_ai_provider": {}}), "Setting 'default_ai_provider' must be a string"),
        (
            json!({"default_ai_provider": "claude", "default_ai_model": ""}),
            "default_ai_model is required when default_ai_provider is set",
        ),
        (json!({"default_ai_provider": "claude"}), "default_ai_model is required when default_ai_provider is set"),
        (json!({"vision_provider": "claude"}), "vision_model is required when vision_provider is set"),
        (json!({"default_ai_model": "opus"}), "Provider 'builtin' has one model: 'extract'"),
        (
            json!({"default_ai_provider": "claude", "default_ai_model": "a/b"}),
            "Invalid model: 'a/b'. Use 1 to 128 letters, digits or any of ._:@+[]=,-",
        ),
    ] {
        assert_eq!(put(&api, settings.clone()).await, (400, json!({ "detail": sentence })), "{settings}");
    }
    for (body, sentence) in [
        ("", "Malformed JSON in request body"),
        ("{", "Malformed JSON in request body"),
        ("[]", "Request body must be a JSON object"),
        ("{}", "'settings' must be a dict of key-value pairs"),
        (r#"{"settings":[]}"#, "'settings' must be a dict of key-value pairs"),
    ] {
        let request = api.ask(Method::PUT, PATH).bearer_auth(ADMIN_KEY).body(body);
        assert_eq!(refusal(request).await, (400, sentence.into()), "{body}");
    }
    let invalid = api.ask(Method::PUT, PATH).bearer_auth(ADMIN_KEY).body(vec![b'"', 0xff, b'"']);
    assert_eq!(refusal(invalid).await.0, 400);
    assert_eq!(get(&api).await, before);
}

#[tokio::test]
async fn a_change_counts_from_the_next_request_on_in_every_process() {
    let world = World::without_worker().await;
    let (api, other) = (Api::start(&world).await, Api::start(&world).await);
    let change = json!({"default_ai_provider": " Claude ", "default_ai_model": "opus", "ai_cli_timeout": "7",
        "vision_provider": "gemini", "vision_model": "pro"});
    assert_eq!(put(&api, change).await, (200, json!({"status": "ok"})));
    let expected = json!({"default_ai_provider": "claude", "default_ai_model": "opus", "ai_cli_timeout": 7,
        "max_concurrent_pages": 10, "vision_provider": "gemini", "vision_model": "pro"});
    assert_eq!(get(&other).await, expected);
    let (_, models) = answer(other.ask(Method::GET, "/api/models")).await;
    assert_eq!((&models["default_provider"], &models["default_model"]), (&json!("claude"), &json!("opus")));
    assert_eq!(models["default_vision_model"], "pro");
    assert_eq!(models["available_models"]["claude"], json!([{"id": "opus", "name": "opus"}]));

    let repository = Repository::library("demo");
    let request = json!({"repo_path": repository.path()});
    assert_eq!(answer(other.post("/api/generate").json(&request)).await.0, 202);
    assert_eq!(answer(other.get("/api/projects/demo/main/claude/opus")).await.0, 200);
    let minutes: i32 =
        sqlx::query_scalar("SELECT call_timeout_min FROM generations").fetch_one(&world.pool).await.unwrap();
    assert_eq!(minutes, 7);

    // what is left out stays, and an empty provider is docmill's own
    assert_eq!(put(&other, json!({"default_ai_provider": "", "default_ai_model": ""})).await.0, 200);
    let now = get(&api).await;
    assert_eq!((&now["default_ai_provider"], &now["default_ai_model"]), (&json!("builtin"), &json!("extract")));
    assert_eq!(now["ai_cli_timeout"], 7);
}

#[tokio::test]
async fn what_a_server_is_started_with_wins_at_each_start() {
    let world = World::without_worker().await;
    let start = |parts: &mut api::ApiParts| {
        parts.writer.ai_provider = Some(Provider::Claude);
        parts.writer.ai_model = Some("opus".parse().unwrap());
        parts.writer.max_concurrent_pages = Some(3);
    };
    let api = Api::start_with(&world, start).await;
    let (_, body) = answer(api.get(PATH)).await;
    let variables = json!({"default_ai_provider": "AI_PROVIDER", "default_ai_model": "AI_MODEL",
        "max_concurrent_pages": "MAX_CONCURRENT_PAGES"});
    assert_eq!(body["env_overrides"], variables);
    let change = json!({"default_ai_provider": "gemini", "default_ai_model": "pro", "max_concurrent_pages": 5,
        "ai_cli_timeout": 9});
    assert_eq!(put(&api, change).await.0, 200);
    assert_eq!(get(&api).await["max_concurrent_pages"], 5);
    api.stop().await;

    let api = Api::start_with(&world, start).await;
    let expected = json!({"default_ai_provider": "claude", "default_ai_model": "opus", "ai_cli_timeout": 9,
        "max_concurrent_pages": 3, "vision_provider": "", "vision_model": ""});
    assert_eq!(get(&api).await, expected);
    api.stop().await;

    // another provider without a model does not inherit one that it does not know
    let api = Api::start_with(&world, |parts| parts.writer.ai_provider = Some(Provider::Gemini)).await;
    let now = get(&api).await;
    assert_eq!((&now["default_ai_provider"], &now["default_ai_model"]), (&json!("gemini"), &json!("")));
}

#[tokio::test]
async fn workers_write_as_many_pages_at_a_time_as_is_set_when_a_generation_starts() {
    let world = World::start().await;
    let api = Api::start(&world).await;
    assert_eq!(put(&api, json!({"max_concurrent_pages": 1})).await.0, 200);
    let repository = Repository::library("adder");
    world.stand_ins.block("page-page-1");
    let key = variant("adder", Provider::Claude);
    world.request(&repository, &key, false).await.unwrap();
    world.wait_until(&key, |_| world.stand_ins.is_blocked("page-page-1")).await;
    // a whole run of another variant goes by meanwhile
    let other = world.generate(&Repository::library("other"), &variant("other", Provider::Builtin), false).await;
    assert_eq!(other.status, Status::Ready);
    assert_eq!(world.row(&key).await.page_count, 0, "other pages were written beside the first");
    world.stand_ins.release("page-page-1");
    let row = world.wait_for_end(&key).await;
    assert_eq!((row.status, row.page_count), (Status::Ready, 3));
}
