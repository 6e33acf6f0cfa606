//! Deleting variants and projects.

use reqwest::Method;
use serde_json::json;

use super::asking::Cx;
use crate::{routes::publish_site, support::world::variant};

const WHOSE: &str =
    "Project owner is required for admin deletion. Use ?owner=username (or ?owner= for legacy projects)";

pub(super) async fn an_owner_deletes_a_variant_and_its_site(cx: Cx) {
    let (user, name) = (cx.user("user").await, cx.fresh("gone"));
    cx.ready(&user.name, &name, &[("index.html", "start")]).await;
    cx.ready("admin", &name, &[("index.html", "of admin")]).await;
    let path = format!("/api/projects/{name}/main/builtin/extract");
    let deleted = format!(r#"{{"deleted":"{name}/main/builtin/extract"}}"#);
    // whatever owner is named, others delete their own
    cx.says(cx.by(&user, Method::DELETE, &format!("{path}?owner=admin")), 200, &deleted).await;
    cx.refused(cx.by(&user, Method::GET, &path), 404, "Not found").await;
    cx.refused(cx.by(&user, Method::DELETE, &path), 404, "Variant not found").await;
    cx.refused(cx.by(&user, Method::GET, &format!("{path}/download")), 404, "Not found").await;
    cx.says(cx.get(&format!("/docs/{name}/main/builtin/extract/")), 200, "of admin").await;
}

pub(super) async fn an_admin_says_whose_variant_is_deleted(cx: Cx) {
    let (user, name) = (cx.user("user").await, cx.fresh("whose"));
    for owner in ["admin", "", &user.name] {
        cx.ready(owner, &name, &[("index.html", "start")]).await;
    }
    let path = format!("/api/projects/{name}/main/builtin/extract");
    let deleted = format!(r#"{{"deleted":"{name}/main/builtin/extract"}}"#);
    cx.refused(cx.delete(&path), 400, WHOSE).await;
    cx.refused(cx.delete(&format!("{path}?owner=nobody")), 404, "Variant not found").await;
    for owner in ["", "admin", &user.name] {
        cx.answers(cx.get(&format!("{path}?owner={owner}")), 200).await;
        cx.says(cx.delete(&format!("{path}?owner={owner}")), 200, &deleted).await;
        cx.refused(cx.get(&format!("{path}?owner={owner}")), 404, "Not found").await;
    }
    cx.refused(cx.delete(&format!("/api/projects/{name}")), 400, WHOSE).await;
}

pub(super) async fn a_variant_that_is_not_ones_own_is_not_found(cx: Cx) {
    let (owner, reader, viewer) = (cx.user("user").await, cx.user("user").await, cx.user("viewer").await);
    let name = cx.fresh("shared");
    cx.ready(&owner.name, &name, &[("index.html", "start")]).await;
    cx.grant(&owner.name, &name, &reader).await;
    cx.grant(&owner.name, &name, &viewer).await;
    let project = format!("/api/projects/{name}");
    let path = format!("{project}/main/builtin/extract");
    cx.refused(cx.by(&reader, Method::DELETE, &path), 404, "Variant not found").await;
    cx.refused(cx.by(&reader, Method::DELETE, &project), 404, &format!("Project '{name}' not found")).await;
    for path in [&path, &project, "/api/projects/-x"] {
        cx.refused(cx.by(&viewer, Method::DELETE, path), 403, "Write access required.").await;
    }
    cx.answers(cx.by(&owner, Method::GET, &path), 200).await;
    cx.refused(cx.by(&reader, Method::DELETE, "/api/projects/-x"), 400, "Invalid project name: '-x'").await;
    let path = "/api/projects/-x/main/builtin/extract";
    cx.refused(cx.by(&reader, Method::DELETE, path), 400, "Invalid project name: '-x'").await;
    for rest in ["main/gpt/x", "-x/builtin/extract", "main/builtin/other"] {
        cx.refused(cx.by(&owner, Method::DELETE, &format!("{project}/{rest}")), 404, "Variant not found").await;
    }
}

pub(super) async fn what_is_being_generated_is_not_deleted(cx: Cx) {
    let (user, name) = (cx.user("user").await, cx.fresh("busy"));
    cx.generating(&user.name, &name).await;
    let project = format!("/api/projects/{name}");
    let path = format!("{project}/main/builtin/extract");
    let sentence = format!("Cannot delete '{name}/builtin/extract' while generation is in progress. Abort first.");
    let of_project = format!("Cannot delete '{name}' while generation is in progress. Abort running variants first.");
    cx.refused(cx.by(&user, Method::DELETE, &path), 409, &sentence).await;
    cx.refused(cx.by(&user, Method::DELETE, &project), 409, &of_project).await;
    cx.refused(cx.delete(&format!("{path}?owner={}", user.name)), 409, &sentence).await;
    cx.refused(cx.delete(&format!("{project}?owner={}", user.name)), 409, &of_project).await;
    cx.answers(cx.by(&user, Method::GET, &path), 200).await;
    // with a slash in its branch too
    let mut key = variant(&name, shared::provider::Provider::Builtin);
    key.branch = "feat/x".parse().unwrap();
    crate::routes::occupy(&cx.target.world, &key).await;
    let path = format!("{project}/feat~2Fx/builtin/extract?owner=admin");
    cx.refused(cx.delete(&path), 409, &sentence).await;
}

pub(super) async fn a_project_goes_with_all_variants_of_its_owner(cx: Cx) {
    let (user, reader, name) = (cx.user("user").await, cx.user("viewer").await, cx.fresh("all"));
    let mut key = cx.ready(&user.name, &name, &[("index.html", "start")]).await;
    key.branch = "feat/x".parse().unwrap();
    publish_site(&cx.target.world, &key, &[("index.html", "start")]).await;
    cx.ready("admin", &name, &[("index.html", "of admin")]).await;
    cx.grant(&user.name, &name, &reader).await;
    let path = format!("/api/projects/{name}");
    cx.says(cx.by(&user, Method::DELETE, &path), 200, &format!(r#"{{"deleted":"{name}"}}"#)).await;
    for user in [&user, &reader] {
        cx.refused(cx.by(user, Method::GET, &path), 404, &format!("Project '{name}' not found")).await;
    }
    cx.refused(cx.by(&user, Method::DELETE, &path), 404, &format!("Project '{name}' not found")).await;
    let left = cx.answers(cx.get(&path), 200).await.json();
    cx.same("others' stay", left["variants"].as_array().map(Vec::len), Some(1));
    let access = cx.answers(cx.get(&format!("/api/admin/projects/{name}/access?owner={}", user.name)), 200).await;
    cx.same("grants went too", &access.json()["users"], &json!([]));
    cx.refused(cx.delete(&format!("{path}?owner=nobody")), 404, &format!("Project '{name}' not found")).await;
    cx.says(cx.delete(&format!("{path}?owner=admin")), 200, &format!(r#"{{"deleted":"{name}"}}"#)).await;
}

pub(super) async fn a_branch_with_a_slash_is_deleted_by_its_code(cx: Cx) {
    let (user, name) = (cx.user("user").await, cx.fresh("slash"));
    let mut key = variant(&name, shared::provider::Provider::Builtin);
    (key.owner, key.branch) = (user.name.clone(), "feat/x".parse().unwrap());
    publish_site(&cx.target.world, &key, &[("index.html", "start")]).await;
    let path = format!("/api/projects/{name}/feat~2Fx/builtin/extract");
    cx.answers(cx.by(&user, Method::GET, &path), 200).await;
    let answer = cx.answers(cx.by(&user, Method::DELETE, &path), 200).await;
    let deleted = answer.json()["deleted"].as_str().unwrap_or_default().to_owned();
    let names = [format!("{name}/feat~2Fx/builtin/extract"), format!("{name}/feat/x/builtin/extract")];
    cx.holds("name", names.contains(&deleted), &deleted);
    cx.refused(cx.by(&user, Method::GET, &path), 404, "Not found").await;
}
