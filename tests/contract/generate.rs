//! Asking for sites, and getting them: real runs of the built-in writer.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    asking::{Cx, User, keys},
    target::LIBRARY,
};
use crate::support::repository::Repository;

/// Waits until a variant is no longer being generated, and gives it.
pub(super) async fn ended(cx: &Cx, user: Option<&User>, variant: &str) -> Value {
    let path = format!("/api/projects/{variant}");
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let request = match user {
            Some(user) => cx.by(user, Method::GET, &path),
            None => cx.get(&path),
        };
        let row = cx.answers(request, 200).await.json();
        if row["status"] != "generating" {
            return row;
        }
        assert!(Instant::now() < deadline, "it does not end: {row}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(super) async fn an_admin_names_a_folder_and_reads_the_site(cx: Cx) {
    let name = cx.fresh("local");
    let repository = Repository::library(&name);
    let body = json!({"repo_path": repository.path(), "repo_type": "library", "project_name": "ignored"});
    let answer = cx.answers(cx.post("/api/generate").json(&body), 202).await;
    let id = answer.json()["generation_id"].as_str().unwrap_or_default().to_owned();
    let expected = format!(
        r#"{{"project":"{name}","status":"generating","branch":"main","generation_id":"{id}","repo_type":"library"}}"#
    );
    cx.same("body", answer.text(), expected);
    let variant = format!("{name}/main/builtin/extract");
    let row = ended(&cx, None, &variant).await;
    cx.same("status", (&row["status"], &row["error_message"]), (&json!("ready"), &Value::Null));
    cx.same("owner", (&row["owner"], &row["generation_id"]), (&json!("admin"), &json!(id)));
    cx.same("source", &row["repo_url"], &json!(repository.path()));
    cx.same("stage", (&row["current_stage"], &row["repo_type"]), (&Value::Null, &json!("library")));
    cx.same("commit", &row["last_commit_sha"], &json!(repository.git(&["rev-parse", "HEAD"])));
    cx.holds("pages", row["page_count"].as_i64().unwrap_or_default() > 0, &row.to_string());
    let plan = row["plan_json"].as_str().unwrap_or_default();
    cx.holds("plan", serde_json::from_str::<Value>(plan).is_ok_and(|plan| plan.is_object()), plan);
    let page = cx.answers(cx.get(&format!("/docs/{variant}/")), 200).await;
    cx.holds("page", page.text().contains(&name), &page.text());
    for file in ["search-index.json", "llms.txt", "llms-full.txt"] {
        cx.answers(cx.get(&format!("/docs/{name}/{file}")), 200).await;
    }

    // nothing has changed: nothing is made, and the row says so
    cx.answers(cx.post("/api/generate").json(&json!({"repo_path": repository.path()})), 202).await;
    let again = ended(&cx, None, &variant).await;
    cx.same("again", (&again["status"], &again["current_stage"]), (&json!("ready"), &json!("up_to_date")));
    cx.same("commit", &again["last_commit_sha"], &row["last_commit_sha"]);
}

pub(super) async fn a_user_names_an_address_and_owns_what_is_made(cx: Cx) {
    let user = cx.user("user").await;
    let body = json!({"repo_url": cx.target.library_url(), "ai_provider": "builtin", "ai_model": "extract"});
    let answer = cx.answers(cx.by(&user, Method::POST, "/api/generate").json(&body), 202).await;
    cx.same("keys", keys(&answer.text()), vec!["project", "status", "branch", "generation_id", "repo_type"]);
    cx.same("type", &answer.json()["repo_type"], &Value::Null);
    let variant = format!("{LIBRARY}/main/builtin/extract");
    let row = ended(&cx, Some(&user), &variant).await;
    cx.same("status", (&row["status"], &row["error_message"]), (&json!("ready"), &Value::Null));
    cx.same("owner", &row["owner"], &json!(user.name));
    cx.same("source", &row["repo_url"], &json!(cx.target.library_url()));
    cx.answers(cx.by(&user, Method::GET, &format!("/docs/{variant}/")), 200).await;
    // the ending is no part of the name, and another address of that name is the same variant
    let body = json!({"repo_url": format!("{}.git", cx.target.library_url())});
    let answer = cx.send(cx.by(&user, Method::POST, "/api/generate").json(&body)).await;
    cx.holds(&answer.cell, matches!(answer.status, 202 | 409), &answer.text());
}

pub(super) async fn branches_with_slashes_and_tags_are_named_by_their_code(cx: Cx) {
    let user = cx.user("user").await;
    for (branch, segment) in [("feat/x", "feat~2Fx"), ("v1.0", "v1.0")] {
        let body = json!({"repo_url": cx.target.library_url(), "branch": branch});
        let answer = cx.answers(cx.by(&user, Method::POST, "/api/generate").json(&body), 202).await;
        cx.same("branch", &answer.json()["branch"], &json!(branch));
        let variant = format!("{LIBRARY}/{segment}/builtin/extract");
        let row = ended(&cx, Some(&user), &variant).await;
        cx.same(branch, (&row["status"], &row["branch"]), (&json!("ready"), &json!(branch)));
        cx.answers(cx.by(&user, Method::GET, &format!("/docs/{variant}/")), 200).await;
        let archive = cx.answers(cx.by(&user, Method::GET, &format!("/api/projects/{variant}/download")), 200).await;
        let name = format!("attachment; filename=\"{LIBRARY}-{segment}-builtin-extract-docs.tar.gz\"");
        cx.same(branch, archive.header("content-disposition"), name);
    }
    // with the slash itself, however it is spelled, the path is another
    let plain = format!("/api/projects/{LIBRARY}/feat/x/builtin/extract");
    cx.refused(cx.by(&user, Method::GET, &plain), 404, "Not found").await;
    let encoded = format!("/api/projects/{LIBRARY}/feat%2Fx/builtin/extract");
    cx.same(&encoded, cx.get_raw(&encoded).await, (404, r#"{"detail":"Not found"}"#.to_owned()));
    let list = cx.answers(cx.by(&user, Method::GET, "/api/status"), 200).await.json();
    cx.same("known branches", &list["known_branches"][LIBRARY], &json!(["feat/x", "v1.0"]));
}

pub(super) async fn what_is_being_generated_is_not_started_again(cx: Cx) {
    let name = cx.fresh("busy");
    let repository = Repository::library(&name);
    cx.generating("admin", &name).await;
    let sentence = format!("Variant '{name}/main/builtin/extract' is already being generated");
    for body in [json!({"repo_path": repository.path()}), json!({"repo_path": repository.path(), "force": true})] {
        cx.refused(cx.post("/api/generate").json(&body), 409, &sentence).await;
    }
    // another owner's of the same name is another variant
    let user = cx.user("admin").await;
    let body = json!({"repo_path": repository.path()});
    cx.answers(cx.by(&user, Method::POST, "/api/generate").json(&body), 202).await;
}

pub(super) async fn a_run_that_fails_says_why(cx: Cx) {
    let user = cx.user("user").await;
    let body = json!({"repo_url": format!("http://127.0.0.1:{}/acme/no-such", cx.target.git.port)});
    cx.answers(cx.by(&user, Method::POST, "/api/generate").json(&body), 202).await;
    let row = ended(&cx, Some(&user), "no-such/main/builtin/extract").await;
    cx.same("status", &row["status"], &json!("error"));
    cx.holds("reason", row["error_message"].as_str().is_some_and(|text| !text.is_empty()), &row.to_string());
    let body = json!({"repo_url": cx.target.library_url(), "branch": "nope"});
    cx.answers(cx.by(&user, Method::POST, "/api/generate").json(&body), 202).await;
    let row = ended(&cx, Some(&user), &format!("{LIBRARY}/nope/builtin/extract")).await;
    cx.same("status", &row["status"], &json!("error"));
}

pub(super) async fn a_second_repository_of_the_same_name_is_told_apart(cx: Cx) {
    let user = cx.user("user").await;
    let ask = |body: Value| cx.by(&user, Method::POST, "/api/generate").json(&body);
    let (first, second) = (cx.target.library_url(), cx.target.library_url().replace("/acme/", "/other/"));
    cx.answers(ask(json!({"repo_url": first})), 202).await;
    let variant = format!("{LIBRARY}/main/builtin/extract");
    ended(&cx, Some(&user), &variant).await;
    let answer = cx.answers(ask(json!({"repo_url": second})), 409).await;
    cx.holds("names the first", answer.text().contains(&first), &answer.text());
    // the same repository by another spelling is no other one
    cx.answers(ask(json!({"repo_url": format!("{first}.git")})), 202).await;
    ended(&cx, Some(&user), &variant).await;
    cx.answers(ask(json!({"repo_url": second, "force": true})), 202).await;
    let row = ended(&cx, Some(&user), &variant).await;
    cx.same("source", &row["repo_url"], &json!(second));
    // of another owner it is another variant anyway
    let other = cx.user("user").await;
    cx.answers(cx.by(&other, Method::POST, "/api/generate").json(&json!({"repo_url": second})), 202).await;
}
