//! Logging in and out, `me`, and the pages of `/login`.

use reqwest::Method;
use serde_json::json;

use super::{
    asking::{Cx, User, keys},
    target::ADMIN_KEY,
};

fn admin() -> User {
    User { name: "admin".into(), key: ADMIN_KEY.into() }
}

const LOGIN: &str = "/api/auth/login";

pub(super) async fn a_login_gives_the_cookie_letter_by_letter(cx: Cx) {
    for user in [admin(), cx.user("user").await, cx.user("viewer").await, cx.user("admin").await] {
        let role = user.name.split('-').next().unwrap();
        let body = json!({"username": user.name, "api_key": user.key});
        let answer = cx.answers(cx.ask(Method::POST, LOGIN).json(&body), 200).await;
        let expected = format!(r#"{{"username":"{}","role":"{role}","is_admin":{}}}"#, user.name, role == "admin");
        cx.same(&answer.cell, answer.text(), expected);
        let cookie = answer.header("set-cookie");
        let token = cookie.strip_prefix("docsfy_session=").and_then(|rest| rest.split(';').next()).unwrap_or_default();
        cx.same("length of the token", token.len(), 43);
        let safe = token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        cx.holds("token", safe, &cookie);
        let expected = format!("docsfy_session={token}; HttpOnly; Max-Age=28800; Path=/; SameSite=strict; Secure");
        cx.same("cookie", cookie, expected);
    }
}

pub(super) async fn a_login_that_cannot_be_is_told_as_docsfy_does(cx: Cx) {
    let login = |body: &str| cx.ask(Method::POST, LOGIN).body(body.to_owned());
    for body in ["", "no json", "{", "\u{feff}{}", "{\"username\": \"x\",}"] {
        cx.refused(login(body), 400, "Invalid JSON body").await;
    }
    for body in ["[]", "null", "5", "\"text\"", "true"] {
        cx.refused(login(body), 400, "Request body must be a JSON object").await;
    }
    let user = cx.user("user").await;
    let other = cx.user("user").await;
    for body in [
        json!({"username": user.name}),
        json!({"username": user.name, "api_key": other.key}),
        json!({"username": "Admin", "api_key": ADMIN_KEY}),
        json!({"username": other.name, "api_key": ADMIN_KEY}),
        json!({"username": "admin", "api_key": user.key}),
        json!({"username": cx.fresh("nobody"), "api_key": user.key}),
        json!({"username": 5, "api_key": 5}),
    ] {
        cx.refused(cx.ask(Method::POST, LOGIN).json(&body), 401, "Invalid username or password").await;
    }
    // whatever the body is called
    let body = json!({"username": user.name, "api_key": user.key}).to_string();
    cx.answers(login(&body).header("content-type", "text/plain"), 200).await;
}

pub(super) async fn me_is_told_by_key_and_by_cookie(cx: Cx) {
    for role in ["user", "viewer", "admin"] {
        let user = cx.user(role).await;
        let expected = format!(r#"{{"username":"{}","role":"{role}","is_admin":{}}}"#, user.name, role == "admin");
        cx.says(cx.by(&user, Method::GET, "/api/auth/me"), 200, &expected).await;
        let cookie = cx.log_in(&user).await;
        let me = || cx.ask(Method::GET, "/api/auth/me").header("cookie", &cookie);
        cx.says(me(), 200, &expected).await;
        // a wrong key does not spoil a good cookie
        cx.says(me().bearer_auth("wrong"), 200, &expected).await;
    }
    let me = |header: String| cx.ask(Method::GET, "/api/auth/me").header("authorization", header);
    cx.says(me(format!("Bearer {ADMIN_KEY}")), 200, r#"{"username":"admin","role":"admin","is_admin":true}"#).await;
    for header in [format!("bearer {ADMIN_KEY}"), format!("Bearer  {ADMIN_KEY}"), format!("Basic {ADMIN_KEY}")] {
        cx.refused(me(header), 401, "Unauthorized").await;
    }
}

pub(super) async fn a_logout_always_succeeds_and_ends_the_session(cx: Cx) {
    let user = cx.user("user").await;
    let cookie = cx.log_in(&user).await;
    let other = cx.log_in(&user).await;
    let logout = |cookie: &str| cx.ask(Method::POST, "/api/auth/logout").header("cookie", cookie.to_owned());
    for cookie in [cookie.as_str(), "docsfy_session=nonsense", ""] {
        let answer = cx.answers(logout(cookie), 200).await;
        cx.same(&answer.cell, answer.text(), r#"{"ok":true}"#);
        let set = answer.header("set-cookie");
        let (begin, rest) = set.split_at("docsfy_session=\"\"; expires=".len().min(set.len()));
        cx.same("cookie", begin, "docsfy_session=\"\"; expires=");
        cx.holds("cookie", rest.contains(" GMT; HttpOnly; "), &set);
        let end = "; HttpOnly; Max-Age=0; Path=/; SameSite=strict; Secure";
        cx.holds("cookie", set.ends_with(end), &set);
    }
    let me = |cookie: &str| cx.ask(Method::GET, "/api/auth/me").header("cookie", cookie.to_owned());
    cx.refused(me(&cookie), 401, "Unauthorized").await;
    cx.answers(me(&other), 200).await;
}

pub(super) async fn a_session_does_what_its_user_may_and_no_other_site_can_use_it(cx: Cx) {
    let (viewer, user) = (cx.user("viewer").await, cx.user("user").await);
    let (viewer, user) = (cx.log_in(&viewer).await, cx.log_in(&user).await);
    let body = json!({"repo_url": cx.target.library_url()});
    let generate = |cookie: &str| cx.ask(Method::POST, "/api/generate").header("cookie", cookie.to_owned()).json(&body);
    cx.refused(generate(&viewer), 403, "Write access required.").await;
    let users = cx.ask(Method::GET, "/api/admin/users").header("cookie", &user);
    cx.refused(users, 403, "Admin access required").await;
    for (name, value) in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")] {
        cx.refused(generate(&user).header(name, value), 403, "Request comes from another site").await;
    }
    let own = generate(&user).header("origin", format!("http://{}", cx.target.address)).json(&json!({}));
    cx.answers(own, 422).await;
}

pub(super) async fn the_form_works_without_a_script(cx: Cx) {
    let user = cx.user("user").await;
    let page = cx.answers(cx.ask(Method::GET, "/login?next=/docs/x/"), 200).await;
    cx.same("type", page.header("content-type"), "text/html; charset=utf-8");
    for part in ["<form", "method=\"post\"", "name=\"username\"", "name=\"api_key\"", "/docs/x/"] {
        cx.holds("form", page.text().contains(part), &format!("no {part}"));
    }
    let form = |key: &str, next: &str| {
        let body: String = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("username", user.name.as_str()), ("api_key", key), ("next", next)])
            .finish();
        let request = cx.ask(Method::POST, "/login").body(body);
        request.header("content-type", "application/x-www-form-urlencoded")
    };
    let wrong = cx.answers(form("wrong", "/docs/x/"), 401).await;
    cx.holds("wrong key", wrong.text().contains("Wrong user name or key"), &wrong.text());
    for (next, target) in [("/docs/x/?owner=a", "/docs/x/?owner=a"), ("https://evil.example/", "/")] {
        let answer = cx.answers(form(&user.key, next), 303).await;
        cx.same(&answer.cell, answer.header("location"), target);
        cx.holds("cookie", answer.header("set-cookie").starts_with("docsfy_session="), "no cookie");
    }
}

pub(super) async fn a_role_has_its_name_in_every_answer(cx: Cx) {
    let user = cx.user("user").await;
    let me = cx.answers(cx.by(&user, Method::GET, "/api/auth/me"), 200).await;
    cx.same("keys", keys(&me.text()), vec!["username", "role", "is_admin"]);
}

pub(super) async fn guessing_is_slowed_down_for_one_name_on_every_process(cx: Cx) {
    let (user, other) = (cx.user("user").await, cx.user("user").await);
    let login =
        |user: &User, key: &str| cx.ask(Method::POST, LOGIN).json(&json!({"username": user.name, "api_key": key}));
    for _ in 0..5 {
        cx.refused(login(&user, "wrong"), 401, "Invalid username or password").await;
    }
    for key in ["wrong", &user.key] {
        let answer = cx.answers(login(&user, key), 429).await;
        let seconds: u32 = answer.header("retry-after").parse().unwrap_or_default();
        cx.holds("Retry-After", seconds > 0, &format!("`{}`", answer.header("retry-after")));
    }
    // the key itself still opens, and so does the login of others
    cx.answers(cx.by(&user, Method::GET, "/api/auth/me"), 200).await;
    cx.answers(login(&other, &other.key), 200).await;
}
