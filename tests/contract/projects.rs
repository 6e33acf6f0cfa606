//! What exists: lists, projects, variants, generations.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    asking::{Cx, keys},
    users::is_time,
};

const PROJECT_KEYS: [&str; 22] = [
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

pub(super) async fn a_list_has_every_key_in_order(cx: Cx) {
    let user = cx.user("user").await;
    let empty = r#""known_branches":{},"total_cost_usd":0.0}"#;
    for path in ["/api/status", "/api/projects"] {
        let answer = cx.answers(cx.by(&user, Method::GET, path), 200).await;
        let expected = ["projects", "known_models", "available_models", "known_branches", "total_cost_usd"];
        cx.same(path, keys(&answer.text()), expected.map(str::to_owned).to_vec());
        cx.holds(path, answer.text().starts_with(r#"{"projects":[],"#), &answer.text());
        cx.holds(path, answer.text().ends_with(empty), &answer.text());
    }
    let (older, newer) = (cx.fresh("older"), cx.fresh("newer"));
    cx.ready(&user.name, &older, &[("index.html", "start")]).await;
    cx.generating(&user.name, &newer).await;
    for path in ["/api/status", "/api/projects"] {
        let answer = cx.answers(cx.by(&user, Method::GET, path), 200).await;
        let body = answer.json();
        let names: Vec<&Value> = body["projects"].as_array().unwrap().iter().map(|row| &row["name"]).collect();
        cx.same("the last changed first", names, vec![&json!(newer), &json!(older)]);
        cx.same("branches of ready variants", &body["known_branches"], &json!({ older.as_str(): ["main"] }));
        let text = answer.text();
        let first = &text[text.find("[{").unwrap() + 1..=text.find('}').unwrap()];
        cx.same("keys", keys(first), PROJECT_KEYS.map(str::to_owned).to_vec());
    }
}

pub(super) async fn a_variant_has_docsfys_values(cx: Cx) {
    let name = cx.fresh("values");
    cx.ready("admin", &name, &[("index.html", "start")]).await;
    let answer = cx.answers(cx.get(&format!("/api/projects/{name}/main/builtin/extract")), 200).await;
    cx.same("keys", keys(&answer.text()), PROJECT_KEYS.map(str::to_owned).to_vec());
    let row = answer.json();
    for (key, value) in [
        ("name", json!(name)),
        ("branch", json!("main")),
        ("ai_provider", json!("builtin")),
        ("ai_model", json!("extract")),
        ("owner", json!("admin")),
        ("status", json!("ready")),
        ("current_stage", Value::Null),
        ("error_message", Value::Null),
        ("page_count", json!(1)),
        ("vision_provider", json!("")),
        ("vision_model", json!("")),
        ("total_cost_usd", Value::Null),
    ] {
        cx.same(key, &row[key], &value);
    }
    for key in ["last_generated", "created_at", "updated_at"] {
        is_time(&cx, &row[key]);
    }
    let started = row["generation_started_at"].as_str().unwrap_or_default().to_owned();
    cx.holds("started", started.contains('T') && started.ends_with("+00:00"), &started);
    cx.holds("duration", row["generation_duration"].is_i64(), &row.to_string());
    let busy = cx.fresh("busy");
    cx.generating("admin", &busy).await;
    let row = cx.answers(cx.get(&format!("/api/projects/{busy}/main/builtin/extract")), 200).await.json();
    cx.same("busy", (&row["status"], &row["last_generated"]), (&json!("generating"), &Value::Null));
    cx.same("busy", &row["generation_duration"], &Value::Null);
}

pub(super) async fn a_variant_that_is_none_is_not_found(cx: Cx) {
    let name = cx.fresh("one");
    cx.ready("admin", &name, &[("index.html", "start")]).await;
    for rest in [
        "main/builtin/other",
        "main/claude/extract",
        "dev/builtin/extract",
        "main/gpt/extract",
        "-x/builtin/extract",
        "a..b/builtin/extract",
        "main/builtin/a%00b",
    ] {
        let answer = cx.send(cx.get(&format!("/api/projects/{name}/{rest}"))).await;
        let is_refused = answer.status == 404 || (rest.contains("%00") && answer.status == 400);
        cx.holds(&answer.cell, is_refused, &answer.text());
    }
    cx.refused(cx.get(&format!("/api/projects/{name}/main/builtin/other")), 404, "Not found").await;
    cx.refused(cx.get("/api/projects/-x/main/builtin/extract"), 400, "Invalid project name: '-x'").await;
    let long = "a".repeat(101);
    let sentence = format!("Invalid project name: '{}'", "a".repeat(80));
    cx.refused(cx.get(&format!("/api/projects/{long}/main/builtin/extract")), 400, &sentence).await;
    cx.refused(cx.get("/api/projects/.x"), 400, "Invalid project name: '.x'").await;
}

pub(super) async fn a_project_lists_its_variants(cx: Cx) {
    let (user, name) = (cx.user("user").await, cx.fresh("project"));
    let path = format!("/api/projects/{name}");
    cx.refused(cx.by(&user, Method::GET, &path), 404, &format!("Project '{name}' not found")).await;
    cx.ready("admin", &name, &[("index.html", "start")]).await;
    // what one may not see does not exist
    cx.refused(cx.by(&user, Method::GET, &path), 404, &format!("Project '{name}' not found")).await;
    cx.ready(&user.name, &name, &[("index.html", "start")]).await;
    let answer = cx.answers(cx.by(&user, Method::GET, &path), 200).await;
    cx.same("keys", keys(&answer.text()), vec!["name", "variants"]);
    let owners = |body: Value| {
        let rows = body["variants"].as_array().cloned().unwrap_or_default();
        rows.iter().map(|row| row["owner"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    cx.same("own", owners(answer.json()), vec![user.name.clone()]);
    cx.grant("admin", &name, &user).await;
    // the shared one changes later and still stands behind
    sqlx::query("UPDATE variants SET updated_at = now() + interval '1 minute' WHERE name = $1 AND owner = 'admin'")
        .bind(&name)
        .execute(&cx.target.world.pool)
        .await
        .unwrap();
    let body = cx.answers(cx.by(&user, Method::GET, &path), 200).await.json();
    cx.same("own ones first", owners(body), vec![user.name.clone(), "admin".into()]);
    let body = cx.answers(cx.get(&path), 200).await.json();
    cx.same("for admins the last changed first", owners(body), vec!["admin".into(), user.name]);
}

pub(super) async fn a_generation_leads_to_its_variant(cx: Cx) {
    let (user, name) = (cx.user("user").await, cx.fresh("by-id"));
    cx.ready("admin", &name, &[("index.html", "start")]).await;
    let variant = cx.answers(cx.get(&format!("/api/projects/{name}/main/builtin/extract")), 200).await;
    let id = variant.json()["generation_id"].as_str().unwrap().to_owned();
    for id in [&id, &id.to_uppercase()] {
        cx.says(cx.get(&format!("/api/projects/by-id/{id}")), 200, &variant.text()).await;
    }
    let by_id = format!("/api/projects/by-id/{id}");
    cx.refused(cx.by(&user, Method::GET, &by_id), 404, "Generation ID not found").await;
    cx.grant("admin", &name, &user).await;
    cx.answers(cx.by(&user, Method::GET, &by_id), 200).await;
    let unknown = "00000000-0000-4000-8000-000000000000";
    cx.refused(cx.get(&format!("/api/projects/by-id/{unknown}")), 404, "Generation ID not found").await;
    for bad in ["x", &unknown.replace('-', ""), &format!("%7B{unknown}%7D"), &format!("urn:uuid:{unknown}")] {
        cx.refused(cx.get(&format!("/api/projects/by-id/{bad}")), 400, "Invalid generation ID format").await;
    }
}

pub(super) async fn everybody_sees_the_own_and_the_shared(cx: Cx) {
    let (owner, reader, other) = (cx.user("user").await, cx.user("viewer").await, cx.user("user").await);
    let (shared, hidden) = (cx.fresh("shared"), cx.fresh("hidden"));
    for name in [&shared, &hidden] {
        cx.ready(&owner.name, name, &[("index.html", "start")]).await;
    }
    cx.grant(&owner.name, &shared, &reader).await;
    let listed = async |user| {
        let body = cx.answers(cx.by(user, Method::GET, "/api/status"), 200).await.json();
        let rows = body["projects"].as_array().cloned().unwrap_or_default();
        let mut names: Vec<String> = rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect();
        names.sort();
        (names, body["known_branches"].clone())
    };
    let mut own = vec![shared.clone(), hidden.clone()];
    own.sort();
    let branches = json!({ shared.as_str(): ["main"], hidden.as_str(): ["main"] });
    cx.same("owner", listed(&owner).await, (own, branches));
    cx.same("reader: branches are those of own variants", listed(&reader).await, (vec![shared.clone()], json!({})));
    cx.same("other", listed(&other).await, (vec![], json!({})));
    let all = cx.answers(cx.get("/api/status"), 200).await.json();
    let names = all["projects"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap());
    cx.same("admin", names.filter(|name| [shared.as_str(), &hidden].contains(name)).count(), 2);
    cx.same("admin: branches", &all["known_branches"][&shared], &json!(["main"]));
    let path = format!("/api/projects/{hidden}/main/builtin/extract");
    for user in [&reader, &other] {
        cx.refused(cx.by(user, Method::GET, &path), 404, "Not found").await;
    }
}

pub(super) async fn a_list_that_is_known_is_not_sent_again(cx: Cx) {
    let user = cx.user("user").await;
    cx.ready(&user.name, &cx.fresh("etag"), &[("index.html", "start")]).await;
    let first = cx.answers(cx.by(&user, Method::GET, "/api/status"), 200).await;
    let etag = first.header("etag");
    cx.holds("etag", !etag.is_empty(), "there is none");
    for _ in 0..2 {
        let request = cx.by(&user, Method::GET, "/api/status").header("if-none-match", &etag);
        let again = cx.answers(request, 304).await;
        cx.same("empty", again.bytes.len(), 0);
    }
    cx.ready(&user.name, &cx.fresh("etag"), &[("index.html", "start")]).await;
    let request = cx.by(&user, Method::GET, "/api/status").header("if-none-match", &etag);
    let changed = cx.answers(request, 200).await;
    cx.holds("etag", changed.header("etag") != etag, "it did not change");
}
