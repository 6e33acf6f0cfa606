//! Sharing projects.

use reqwest::Method;
use serde_json::json;

use super::asking::Cx;

fn access(project: &str) -> String {
    format!("/api/admin/projects/{project}/access")
}

pub(super) async fn a_grant_opens_a_project_for_reading_until_it_is_revoked(cx: Cx) {
    let (owner, reader) = (cx.user("user").await, cx.user("viewer").await);
    let project = cx.fresh("shared");
    cx.ready(&owner.name, &project, &[("index.html", "start")]).await;
    let (variant, docs) =
        (format!("/api/projects/{project}/main/builtin/extract"), format!("/docs/{project}/main/builtin/extract/"));
    cx.refused(cx.by(&reader, Method::GET, &variant), 404, "Not found").await;
    let body = json!({"username": reader.name, "owner": owner.name});
    let granted = format!(r#"{{"granted":"{project}","username":"{}","owner":"{}"}}"#, reader.name, owner.name);
    for _ in 0..2 {
        cx.says(cx.post(&access(&project)).json(&body), 200, &granted).await;
    }
    for path in [&variant, &docs, &format!("/docs/{project}/"), &format!("{variant}/download")] {
        cx.answers(cx.by(&reader, Method::GET, path), 200).await;
    }
    let path = format!("{}/{}?owner={}", access(&project), reader.name, owner.name);
    let revoked = format!(r#"{{"revoked":"{project}","username":"{}","owner":"{}"}}"#, reader.name, owner.name);
    for _ in 0..2 {
        cx.says(cx.delete(&path), 200, &revoked).await;
    }
    cx.refused(cx.by(&reader, Method::GET, &variant), 404, "Not found").await;
    cx.refused(cx.by(&reader, Method::GET, &format!("{variant}/download")), 404, "Not found").await;
}

pub(super) async fn readers_are_listed_in_order(cx: Cx) {
    let (owner, a, b) = (cx.user("user").await, cx.user("user").await, cx.user("viewer").await);
    let project = cx.fresh("listed");
    cx.ready(&owner.name, &project, &[("index.html", "start")]).await;
    for reader in [&b, &a] {
        let body = json!({"username": reader.name, "owner": owner.name});
        cx.answers(cx.post(&access(&project)).json(&body), 200).await;
    }
    let list = format!("{}?owner={}", access(&project), owner.name);
    let mut names = [a.name, b.name];
    names.sort();
    let expected =
        format!(r#"{{"project":"{project}","owner":"{}","users":["{}","{}"]}}"#, owner.name, names[0], names[1]);
    cx.says(cx.get(&list), 200, &expected).await;
    // a project that does not exist has no readers
    let nothing = cx.fresh("nothing");
    let expected = format!(r#"{{"project":"{nothing}","owner":"x","users":[]}}"#);
    cx.says(cx.get(&format!("{}?owner=x", access(&nothing))), 200, &expected).await;
}

pub(super) async fn a_grant_that_cannot_be_is_refused(cx: Cx) {
    let (owner, reader) = (cx.user("user").await, cx.user("user").await);
    let project = cx.fresh("refused");
    cx.ready(&owner.name, &project, &[("index.html", "start")]).await;
    let path = access(&project);
    cx.refused(cx.post(&path).body("no json"), 400, "Malformed JSON in request body").await;
    cx.refused(cx.post(&path).body("[]"), 400, "Request body must be a JSON object").await;
    for body in [json!({}), json!({"username": "", "owner": owner.name}), json!({"owner": owner.name})] {
        cx.refused(cx.post(&path).json(&body), 400, "Username is required").await;
    }
    for body in [json!({"username": reader.name}), json!({"username": reader.name, "owner": ""})] {
        cx.refused(cx.post(&path).json(&body), 400, "Project owner is required").await;
    }
    let nobody = cx.fresh("nobody");
    for name in [nobody.as_str(), "admin"] {
        let body = json!({"username": name, "owner": owner.name});
        cx.refused(cx.post(&path).json(&body), 404, &format!("User '{name}' not found")).await;
    }
    let body = json!({"username": reader.name, "owner": reader.name});
    let sentence = format!("Project '{project}' not found for owner '{}'", reader.name);
    cx.refused(cx.post(&path).json(&body), 404, &sentence).await;
    for body in [
        json!({"username": 5, "owner": owner.name}),
        json!({"username": [reader.name], "owner": owner.name}),
        json!({"username": reader.name, "owner": {}}),
        json!({"username": reader.name, "owner": 7}),
        json!({"username": "nul\0", "owner": owner.name}),
        json!({"username": reader.name, "owner": "nul\0"}),
    ] {
        let answer = cx.send(cx.post(&path).json(&body)).await;
        cx.holds(&body.to_string(), matches!(answer.status, 400 | 404), &answer.text());
    }
    for query in ["", "?owner="] {
        cx.refused(cx.get(&format!("{path}{query}")), 400, "Project owner is required").await;
        cx.refused(cx.delete(&format!("{path}/{}{query}", reader.name)), 400, "Project owner is required").await;
    }
}

pub(super) async fn only_admins_share(cx: Cx) {
    let project = cx.fresh("mine");
    for role in ["user", "viewer"] {
        let user = cx.user(role).await;
        let path = access(&project);
        cx.refused(cx.by(&user, Method::GET, &path), 403, "Admin access required").await;
        cx.refused(cx.by(&user, Method::POST, &path).body("no json"), 403, "Admin access required").await;
        cx.refused(cx.by(&user, Method::DELETE, &format!("{path}/x")), 403, "Admin access required").await;
    }
}
