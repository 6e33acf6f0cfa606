//! Settings by API, the refresh of models, costs.

use reqwest::Method;
use serde_json::json;

use super::asking::{Cx, keys};

const SETTINGS: &str = "/api/admin/settings";

pub(super) async fn settings_are_shown_and_changed_by_admins(cx: Cx) {
    let answer = cx.answers(cx.get(SETTINGS), 200).await;
    cx.same("keys", keys(&answer.text()), vec!["settings", "env_overrides"]);
    let body = answer.json();
    for key in ["default_ai_provider", "default_ai_model", "vision_provider", "vision_model"] {
        cx.holds(key, body["settings"][key].is_string(), &body.to_string());
    }
    for key in ["ai_cli_timeout", "max_concurrent_pages"] {
        cx.holds(key, body["settings"][key].is_i64(), &body.to_string());
    }
    cx.holds("overrides", body["env_overrides"].is_object(), &body.to_string());
    let change = json!({"settings": {"max_concurrent_pages": 7}});
    cx.says(cx.put(SETTINGS).json(&change), 200, r#"{"status":"ok"}"#).await;
    // both processes know
    for _ in 0..2 {
        let body = cx.answers(cx.get(SETTINGS), 200).await.json();
        cx.same("changed", &body["settings"]["max_concurrent_pages"], &json!(7));
    }
    cx.says(cx.put(SETTINGS).json(&json!({"settings": {}})), 200, r#"{"status":"ok"}"#).await;
    for role in ["user", "viewer"] {
        let user = cx.user(role).await;
        cx.refused(cx.by(&user, Method::GET, SETTINGS), 403, "Admin access required").await;
        cx.refused(cx.by(&user, Method::PUT, SETTINGS).body("no json"), 403, "Admin access required").await;
    }
}

pub(super) async fn a_setting_that_cannot_be_is_refused(cx: Cx) {
    cx.refused(cx.put(SETTINGS).body("no json"), 400, "Malformed JSON in request body").await;
    cx.refused(cx.put(SETTINGS).body("[]"), 400, "Request body must be a JSON object").await;
    for body in [json!({}), json!({"settings": []}), json!({"settings": null}), json!({"settings": "x"})] {
        cx.refused(cx.put(SETTINGS).json(&body), 400, "'settings' must be a dict of key-value pairs").await;
    }
    let put = |key: &str, value: serde_json::Value| cx.put(SETTINGS).json(&json!({"settings": { key: value }}));
    cx.refused(put("admin_key", json!("x")), 400, "Unknown setting key: 'admin_key'").await;
    for key in ["ai_cli_timeout", "max_concurrent_pages"] {
        for value in [json!(0), json!(-1), json!("x"), json!(""), json!(1.5), json!([])] {
            cx.refused(put(key, value), 400, &format!("Setting '{key}' must be a positive integer")).await;
        }
    }
    for key in ["default_ai_provider", "vision_provider"] {
        let answer = cx.answers(put(key, json!("gpt")), 400).await;
        let detail = answer.json()["detail"].as_str().unwrap_or_default().to_owned();
        cx.holds(key, detail.starts_with("Invalid provider 'gpt'. Must be one of: "), &detail);
        cx.holds(key, detail.contains("claude, gemini, cursor"), &detail);
    }
    let no_model = json!({"settings": {"default_ai_provider": "claude", "default_ai_model": ""}});
    cx.refused(cx.put(SETTINGS).json(&no_model), 400, "default_ai_model is required when default_ai_provider is set")
        .await;
    let no_model = json!({"settings": {"vision_provider": "claude", "vision_model": ""}});
    cx.refused(cx.put(SETTINGS).json(&no_model), 400, "vision_model is required when vision_provider is set").await;
    for value in [json!("nul\0"), json!({}), json!([]), json!(5)] {
        cx.answers(put("default_ai_model", value), 400).await;
    }
}

pub(super) async fn models_are_refreshed_by_admins(cx: Cx) {
    let answer = cx.answers(cx.post("/api/models/refresh"), 200).await;
    let listed = cx.answers(cx.get("/api/models"), 200).await;
    cx.same("keys", keys(&answer.text()), keys(&listed.text()));
    for role in ["user", "viewer"] {
        let user = cx.user(role).await;
        cx.refused(cx.by(&user, Method::POST, "/api/models/refresh"), 403, "Admin access required").await;
    }
    cx.refused(cx.ask(Method::POST, "/api/models/refresh"), 401, "Unauthorized").await;
}

pub(super) async fn costs_are_those_of_the_own_variants(cx: Cx) {
    let (owner, reader) = (cx.user("user").await, cx.user("viewer").await);
    let project = cx.fresh("costly");
    cx.ready(&owner.name, &project, &[("index.html", "start")]).await;
    cx.grant(&owner.name, &project, &reader).await;
    cx.says(cx.by(&owner, Method::GET, "/api/cost"), 200, r#"{"total_cost_usd":0.0}"#).await;
    sqlx::query("UPDATE variants SET total_cost_usd = 1.5 WHERE owner = $1")
        .bind(&owner.name)
        .execute(&cx.target.world.pool)
        .await
        .unwrap();
    cx.says(cx.by(&owner, Method::GET, "/api/cost"), 200, r#"{"total_cost_usd":1.5}"#).await;
    // what is shared is not the reader's
    cx.says(cx.by(&reader, Method::GET, "/api/cost"), 200, r#"{"total_cost_usd":0.0}"#).await;
    let all = cx.answers(cx.get("/api/cost"), 200).await.json();
    cx.holds("admin", all["total_cost_usd"].as_f64().unwrap_or_default() >= 1.5, &all.to_string());
    let row = cx.answers(cx.by(&owner, Method::GET, &format!("/api/projects/{project}")), 200).await.json();
    cx.same("row", &row["variants"][0]["total_cost_usd"], &json!(1.5));
}
