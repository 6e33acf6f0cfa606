//! Changing keys: one's own, and as an admin those of others.

use reqwest::{Method, RequestBuilder};
use serde_json::json;

use super::asking::{Answer, Cx, User};

const ROTATE: &str = "/api/auth/rotate-key";

/// Checks an answer that shows a new key, and gives the user with it.
fn rotated(cx: &Cx, answer: &Answer, user: &User) -> User {
    let key = answer.json()["new_api_key"].as_str().unwrap_or_default().to_owned();
    let expected = format!(r#"{{"username":"{}","new_api_key":"{key}"}}"#, user.name);
    cx.same(&answer.cell, (answer.status, answer.text()), (200, expected));
    cx.same(&answer.cell, answer.header("cache-control"), "no-store");
    User { name: user.name.clone(), key }
}

async fn opens(cx: &Cx, user: &User, status: u16) {
    cx.answers(cx.by(user, Method::GET, "/api/auth/me"), status).await;
}

pub(super) async fn everybody_but_the_built_in_admin_may_change_the_own_key(cx: Cx) {
    for role in ["viewer", "user", "admin"] {
        let old = cx.user(role).await;
        let answer = cx.send(cx.by(&old, Method::POST, ROTATE)).await;
        let new = rotated(&cx, &answer, &old);
        cx.holds(role, new.key.starts_with("docsfy_"), &new.key);
        let cookie = answer.header("set-cookie");
        cx.holds("cookie", cookie.starts_with("docsfy_session=\"\"; expires="), &cookie);
        cx.holds("cookie", cookie.ends_with("; HttpOnly; Max-Age=0; Path=/; SameSite=strict; Secure"), &cookie);
        opens(&cx, &old, 401).await;
        opens(&cx, &new, 200).await;
    }
    let sentence = "ADMIN_KEY users cannot rotate keys. Change the ADMIN_KEY env var instead.";
    cx.refused(cx.post(ROTATE), 400, sentence).await;
    cx.refused(cx.post(ROTATE).body("no json"), 400, sentence).await;
}

pub(super) async fn a_new_key_ends_every_session(cx: Cx) {
    let user = cx.user("user").await;
    let (first, second) = (cx.log_in(&user).await, cx.log_in(&user).await);
    let answer = cx.send(cx.ask(Method::POST, ROTATE).header("cookie", &first)).await;
    let user = rotated(&cx, &answer, &user);
    for cookie in [first, second] {
        cx.refused(cx.ask(Method::GET, "/api/auth/me").header("cookie", cookie), 401, "Unauthorized").await;
    }
    opens(&cx, &user, 200).await;
}

pub(super) async fn a_key_can_be_chosen_by_both_names_of_the_field(cx: Cx) {
    let user = cx.user("user").await;
    for field in ["new_key", "new_api_key"] {
        let wanted = format!("chosen by people, {}", cx.fresh(field));
        let old = if field == "new_key" { user.clone() } else { cx.user("user").await };
        let request = cx.by(&old, Method::POST, ROTATE).json(&json!({ field: wanted }));
        let new = rotated(&cx, &cx.send(request).await, &old);
        cx.same(field, &new.key, &wanted);
        opens(&cx, &new, 200).await;
        opens(&cx, &old, 401).await;
    }
}

pub(super) async fn an_empty_body_or_field_makes_a_key(cx: Cx) {
    let mut user = cx.user("user").await;
    for body in ["", "  ", "{}", r#"{"new_key":""}"#, r#"{"new_key":null}"#, r#"{"other":1}"#] {
        let answer = cx.send(cx.by(&user, Method::POST, ROTATE).body(body)).await;
        user = rotated(&cx, &answer, &user);
        cx.holds(body, user.key.starts_with("docsfy_"), &user.key);
    }
}

async fn bad_keys_are_refused(cx: &Cx, ask: impl Fn() -> RequestBuilder) {
    cx.refused(ask().body("no json"), 400, "Malformed JSON in request body").await;
    cx.refused(ask().body("[]"), 400, "Request body must be a JSON object").await;
    cx.refused(ask().body("null"), 400, "Request body must be a JSON object").await;
    let short = "API key must be at least 16 characters long";
    cx.refused(ask().json(&json!({"new_key": "short"})), 400, short).await;
    cx.refused(ask().json(&json!({"new_key": "fifteen-letters"})), 400, short).await;
    for key in
        [json!(1_234_567_890_123_456_789_u64), json!(["sixteen-letters-x"]), json!({}), json!("nul \0 in the middle")]
    {
        cx.answers(ask().json(&json!({ "new_key": key })), 400).await;
    }
}

pub(super) async fn a_key_that_cannot_be_is_refused(cx: Cx) {
    let user = cx.user("user").await;
    bad_keys_are_refused(&cx, || cx.by(&user, Method::POST, ROTATE)).await;
    opens(&cx, &user, 200).await;
}

pub(super) async fn an_admin_changes_the_keys_of_others(cx: Cx) {
    let (admin, old) = (cx.user("admin").await, cx.user("user").await);
    let path = format!("/api/admin/users/{}/rotate-key", old.name);
    let cookie = cx.log_in(&old).await;
    let answer = cx.send(cx.by(&admin, Method::POST, &path)).await;
    let new = rotated(&cx, &answer, &old);
    opens(&cx, &old, 401).await;
    opens(&cx, &new, 200).await;
    cx.refused(cx.ask(Method::GET, "/api/auth/me").header("cookie", cookie), 401, "Unauthorized").await;
    let wanted = format!("chosen by an admin, {}", cx.fresh("key"));
    let answer = cx.send(cx.post(&path).json(&json!({"new_key": wanted}))).await;
    cx.same("chosen", rotated(&cx, &answer, &old).key, wanted);
    bad_keys_are_refused(&cx, || cx.post(&path)).await;

    let nobody = cx.fresh("nobody");
    let path = format!("/api/admin/users/{nobody}/rotate-key");
    cx.refused(cx.post(&path), 404, &format!("User '{nobody}' not found")).await;
    cx.refused(cx.post("/api/admin/users/admin/rotate-key"), 404, "User 'admin' not found").await;
    let path = format!("/api/admin/users/{}/rotate-key", old.name);
    for role in ["user", "viewer"] {
        let user = cx.user(role).await;
        // the role is looked at before the body
        cx.refused(cx.by(&user, Method::POST, &path).body("no json"), 403, "Admin access required").await;
    }
}
