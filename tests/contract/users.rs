//! Users, as admins make, list and delete them.

use reqwest::Method;
use serde_json::{Value, json};

use super::asking::{Cx, keys};

const USERS: &str = "/api/admin/users";

pub(super) async fn a_new_user_is_shown_once_with_its_key(cx: Cx) {
    for (role, sent) in
        [("user", json!({})), ("viewer", json!({"role": "viewer"})), ("admin", json!({"role": "admin"}))]
    {
        let name = cx.fresh("new.user_");
        let mut body = sent;
        body["username"] = json!(name);
        let answer = cx.answers(cx.post(USERS).json(&body), 200).await;
        let key = answer.json()["api_key"].as_str().unwrap_or_default().to_owned();
        cx.same("body", answer.text(), format!(r#"{{"username":"{name}","api_key":"{key}","role":"{role}"}}"#));
        cx.same("cache", answer.header("cache-control"), "no-store");
        cx.holds("key", key.starts_with("docsfy_") && key.len() > 40, &key);
        let list = cx.answers(cx.get(USERS), 200).await;
        cx.holds("list", list.text().contains(&name) && !list.text().contains(&key), "name missing or key shown");
    }
}

pub(super) async fn a_user_that_cannot_be_is_refused(cx: Cx) {
    cx.refused(cx.post(USERS).body("[]"), 400, "Request body must be a JSON object").await;
    for body in [json!({}), json!({"username": ""}), json!({"username": null}), json!({"role": "user"})] {
        cx.refused(cx.post(USERS).json(&body), 400, "Username is required").await;
    }
    for name in ["a", "-ab", ".ab", "a b", "a/b", "ü1", "a\n", &"a".repeat(51)] {
        let shown = name.replace('\n', "?");
        let sentence =
            format!("Invalid username: '{shown}'. Must be 2-50 alphanumeric characters, dots, hyphens, underscores.");
        cx.refused(cx.post(USERS).json(&json!({"username": name})), 400, &sentence).await;
    }
    let name = cx.fresh("never");
    for role in ["", "root", "Admin"] {
        let sentence = format!("Invalid role: '{role}'. Must be admin, user, or viewer.");
        cx.refused(cx.post(USERS).json(&json!({"username": name, "role": role})), 400, &sentence).await;
    }
    for role in [json!(5), json!(null), json!([]), json!({})] {
        cx.answers(cx.post(USERS).json(&json!({"username": name, "role": role})), 400).await;
    }
    for username in [json!(55), json!(["ab"]), json!({"a": 1}), json!(true), json!("nul\0")] {
        cx.answers(cx.post(USERS).json(&json!({"username": username})), 400).await;
    }
    let user = cx.user("user").await;
    // a sentence for people and not the database's
    let sentence = format!("User '{}' already exists", user.name);
    cx.refused(cx.post(USERS).json(&json!({"username": user.name})), 400, &sentence).await;
}

pub(super) async fn the_name_of_the_admin_is_reserved(cx: Cx) {
    for name in ["admin", "Admin", "ADMIN"] {
        cx.refused(cx.post(USERS).json(&json!({"username": name})), 400, "Username 'admin' is reserved").await;
    }
}

pub(super) async fn a_broken_body_is_told_as_docsfy_does_for_admins(cx: Cx) {
    for body in ["", "no json", "{"] {
        cx.refused(cx.post(USERS).body(body), 400, "Malformed JSON in request body").await;
    }
}

pub(super) async fn users_are_listed_with_the_newest_first(cx: Cx) {
    let older = cx.user("viewer").await;
    let newer = cx.user("user").await;
    let answer = cx.answers(cx.get(USERS), 200).await;
    cx.same("keys", keys(&answer.text()), vec!["users"]);
    let body = answer.json();
    let users = body["users"].as_array().unwrap();
    let place = |name: &str| users.iter().position(|user| user["username"] == name).unwrap();
    cx.holds("order", place(&newer.name) < place(&older.name), "the older one stands first");
    let user = &users[place(&newer.name)];
    let text = answer.text();
    let from = text.find(&format!(r#""username":"{}""#, newer.name)).unwrap();
    let begin = text[..from].rfind('{').unwrap();
    let end = begin + text[begin..].find('}').unwrap();
    cx.same("keys", keys(&text[begin..=end]), vec!["id", "username", "role", "created_at"]);
    cx.same("role", &user["role"], &json!("user"));
    cx.holds("id", user["id"].is_i64(), &user.to_string());
    is_time(&cx, &user["created_at"]);
}

/// `YYYY-MM-DD HH:MM:SS`.
pub(super) fn is_time(cx: &Cx, value: &Value) {
    let text = value.as_str().unwrap_or_default();
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    cx.same("time", shape, "9999-99-99 99:99:99");
}

pub(super) async fn only_admins_see_and_make_users(cx: Cx) {
    for role in ["user", "viewer"] {
        let user = cx.user(role).await;
        cx.refused(cx.by(&user, Method::GET, USERS), 403, "Admin access required").await;
        cx.refused(cx.by(&user, Method::POST, USERS).body("no json"), 403, "Admin access required").await;
    }
    // a role in the database opens the same doors as the key of the server
    let admin = cx.user("admin").await;
    cx.answers(cx.by(&admin, Method::GET, USERS), 200).await;
    cx.answers(cx.by(&admin, Method::POST, USERS).json(&json!({"username": cx.fresh("made")})), 200).await;
}

pub(super) async fn a_deleted_user_is_gone_with_everything(cx: Cx) {
    let (user, reader) = (cx.user("user").await, cx.user("user").await);
    let (own, foreign) = (cx.fresh("own"), cx.fresh("foreign"));
    cx.ready(&user.name, &own, &[("index.html", "start")]).await;
    cx.ready("admin", &foreign, &[("index.html", "start")]).await;
    cx.grant(&user.name, &own, &reader).await;
    cx.grant("admin", &foreign, &user).await;
    let cookie = cx.log_in(&user).await;
    let path = format!("{USERS}/{}", user.name);
    cx.says(cx.delete(&path), 200, &format!(r#"{{"deleted":"{}"}}"#, user.name)).await;
    cx.refused(cx.by(&user, Method::GET, "/api/auth/me"), 401, "Unauthorized").await;
    cx.refused(cx.ask(Method::GET, "/api/auth/me").header("cookie", cookie), 401, "Unauthorized").await;
    cx.refused(cx.get(&format!("/api/projects/{own}")), 404, &format!("Project '{own}' not found")).await;
    cx.refused(
        cx.by(&reader, Method::GET, &format!("/api/projects/{own}")),
        404,
        &format!("Project '{own}' not found"),
    )
    .await;
    let access = cx.answers(cx.get(&format!("/api/admin/projects/{foreign}/access?owner=admin")), 200).await;
    cx.same("grants", &access.json()["users"], &json!([]));
    cx.refused(cx.delete(&path), 404, &format!("User '{}' not found", user.name)).await;
    // the name is free again and inherits nothing
    cx.answers(cx.post(USERS).json(&json!({"username": user.name})), 200).await;
    cx.refused(cx.get(&format!("/api/projects/{own}")), 404, &format!("Project '{own}' not found")).await;
}

pub(super) async fn a_user_who_cannot_be_deleted_stays(cx: Cx) {
    let (admin, user) = (cx.user("admin").await, cx.user("user").await);
    let own = format!("{USERS}/{}", admin.name);
    cx.refused(cx.by(&admin, Method::DELETE, &own), 400, "Cannot delete your own account").await;
    cx.refused(cx.delete(&format!("{USERS}/admin")), 400, "Cannot delete your own account").await;
    let nobody = cx.fresh("nobody");
    cx.refused(cx.delete(&format!("{USERS}/{nobody}")), 404, &format!("User '{nobody}' not found")).await;
    cx.generating(&user.name, &cx.fresh("busy")).await;
    let path = format!("{USERS}/{}", user.name);
    cx.refused(cx.delete(&path), 409, "Cannot delete user while generation is in progress").await;
    cx.answers(cx.by(&user, Method::GET, "/api/auth/me"), 200).await;
    for role in ["user", "viewer"] {
        let other = cx.user(role).await;
        cx.refused(cx.by(&other, Method::DELETE, &path), 403, "Admin access required").await;
    }
}
