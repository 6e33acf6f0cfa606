//! Ending generations before they are done.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::{asking::Cx, generate::ended, target::LIBRARY};
use crate::{
    routes::{occupy, variant_of},
    support::repository::Repository,
};

/// A page of a stand-in that waits for ever: `claude` never answers when it is asked for a plan.
pub(super) async fn a_running_generation_is_ended_by_its_variant_and_by_its_project(cx: Cx) {
    let user = cx.user("user").await;
    for whole_project in [false, true] {
        let body = json!({"repo_url": cx.target.library_url(), "ai_provider": "claude", "ai_model": "stuck"});
        cx.answers(cx.by(&user, Method::POST, "/api/generate").json(&body), 202).await;
        let variant = format!("{LIBRARY}/main/claude/stuck");
        let path = format!("/api/projects/{variant}");
        wait_for(&cx, || cx.by(&user, Method::GET, &path), |row| row["current_stage"] == "planning").await;
        let sentence = format!("Variant '{variant}' is already being generated");
        cx.refused(cx.by(&user, Method::POST, "/api/generate").json(&body), 409, &sentence).await;
        let (abort, named) = if whole_project {
            (format!("/api/projects/{LIBRARY}/abort"), LIBRARY.to_owned())
        } else {
            (format!("{path}/abort"), variant.clone())
        };
        cx.says(cx.by(&user, Method::POST, &abort), 200, &format!(r#"{{"aborted":"{named}"}}"#)).await;
        let row = ended(&cx, Some(&user), &variant).await;
        cx.same("status", (&row["status"], &row["current_stage"]), (&json!("aborted"), &Value::Null));
        cx.same("reason", &row["error_message"], &json!("Generation aborted by user"));
    }
    let none = "No active generation for this variant";
    cx.refused(cx.by(&user, Method::POST, &format!("/api/projects/{LIBRARY}/main/claude/stuck/abort")), 404, none)
        .await;
    let none = format!("No active generation for '{LIBRARY}'");
    cx.refused(cx.by(&user, Method::POST, &format!("/api/projects/{LIBRARY}/abort")), 404, &none).await;
}

async fn wait_for(cx: &Cx, ask: impl Fn() -> reqwest::RequestBuilder, wanted: impl Fn(&Value) -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        let row = cx.send(ask()).await.json();
        if wanted(&row) {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "waited in vain: {row}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(super) async fn a_branch_with_a_slash_is_aborted_by_its_code(cx: Cx) {
    let name = cx.fresh("slash");
    let repository = Repository::library(&name);
    repository.git(&["branch", "feat/x"]);
    let body =
        json!({"repo_path": repository.path(), "branch": "feat/x", "ai_provider": "claude", "ai_model": "stuck"});
    cx.answers(cx.post("/api/generate").json(&body), 202).await;
    let path = format!("/api/projects/{name}/feat~2Fx/claude/stuck");
    let answer = cx.answers(cx.post(&format!("{path}/abort")), 200).await;
    let aborted = answer.json()["aborted"].as_str().unwrap_or_default().to_owned();
    let names = [format!("{name}/feat~2Fx/claude/stuck"), format!("{name}/feat/x/claude/stuck")];
    cx.holds("name", names.contains(&aborted), &aborted);
}

pub(super) async fn nobody_waits_longer_than_five_seconds(cx: Cx) {
    let name = cx.fresh("frozen");
    cx.generating("admin", &name).await;
    let begun = std::time::Instant::now();
    let sentence = format!("Abort still in progress for '{name}'. Please retry shortly.");
    cx.refused(cx.post(&format!("/api/projects/{name}/abort")), 409, &sentence).await;
    let taken = begun.elapsed().as_secs();
    cx.holds("time", (4..9).contains(&taken), &format!("{taken} s"));
}

pub(super) async fn a_generation_that_ends_by_itself_was_not_aborted(cx: Cx) {
    let name = cx.fresh("finished");
    let key = variant_of("admin", &name);
    let world = &cx.target.world;
    let (id, fence) = occupy(world, &key).await;
    let abort = format!("/api/projects/{name}/main/builtin/extract/abort");
    let sentence = format!(
        "Generation for 'admin/{name}/main/builtin/extract' already finished. Refresh status and retry only if needed."
    );
    let end = async {
        // ends as soon as the request is written down
        let mut conn = world.pool.acquire().await.unwrap();
        loop {
            let asked: bool =
                sqlx::query_scalar("SELECT cancel_requested_at IS NOT NULL FROM generations WHERE id = $1")
                    .bind(id)
                    .fetch_one(&mut *conn)
                    .await
                    .unwrap();
            if asked {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let state = shared::generation::State::Error;
        shared::db::generations::end_unfinished(&mut conn, id, fence, state, "x").await.unwrap();
    };
    tokio::join!(cx.refused(cx.post(&abort), 409, &sentence), end);
}

pub(super) async fn what_is_meant_must_be_clear(cx: Cx) {
    let (a, b, name) = (cx.user("user").await, cx.user("user").await, cx.fresh("several"));
    let variant = format!("/api/projects/{name}/main/builtin/extract");
    for owner in [&a, &b] {
        cx.generating(&owner.name, &name).await;
    }
    let several = "Multiple active variants found; use the branch-specific abort endpoint.";
    cx.refused(cx.post(&format!("/api/projects/{name}/abort")), 409, several).await;
    let whose = "Multiple owners found for this variant, please specify owner";
    cx.refused(cx.post(&format!("{variant}/abort")), 409, whose).await;
    cx.refused(cx.post(&format!("{variant}/abort?owner=nobody")), 404, "No active generation for this variant").await;
}

pub(super) async fn only_writers_abort_and_only_their_own(cx: Cx) {
    let (owner, reader, viewer) = (cx.user("user").await, cx.user("user").await, cx.user("viewer").await);
    let name = cx.fresh("own");
    cx.generating(&owner.name, &name).await;
    for user in [&reader, &viewer] {
        cx.grant(&owner.name, &name, user).await;
    }
    let (project, variant) =
        (format!("/api/projects/{name}/abort"), format!("/api/projects/{name}/main/builtin/extract/abort"));
    for path in [&project, &variant, "/api/projects/-x/abort"] {
        cx.refused(cx.by(&viewer, Method::POST, path), 403, "Write access required.").await;
    }
    cx.refused(cx.by(&reader, Method::POST, &project), 404, &format!("No active generation for '{name}'")).await;
    let none = "No active generation for this variant";
    cx.refused(cx.by(&reader, Method::POST, &variant), 404, none).await;
    cx.refused(cx.by(&reader, Method::POST, &format!("{variant}?owner={}", owner.name)), 404, none).await;
    cx.refused(cx.by(&reader, Method::POST, "/api/projects/-x/abort"), 400, "Invalid project name: '-x'").await;
    let path = "/api/projects/-x/main/builtin/extract/abort";
    cx.refused(cx.by(&reader, Method::POST, path), 400, "Invalid project name: '-x'").await;
    for rest in ["main/gpt/x", "-x/builtin/extract"] {
        cx.refused(cx.by(&owner, Method::POST, &format!("/api/projects/{name}/{rest}/abort")), 404, none).await;
    }
}
