//! Who is let in, and by what.

use reqwest::Method;

use super::{ADMIN_KEY, Api, answer, cookie_of, refusal};
use crate::support::world::World;

#[tokio::test]
async fn an_unknown_caller_is_told_so_before_anything_else() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    for (method, path) in [
        (Method::GET, "/api/projects"),
        (Method::GET, "/api/nope"),
        (Method::PUT, "/api/projects"),
        (Method::POST, "/api/generate"),
        (Method::GET, "/docs/demo/"),
        (Method::GET, "/api/projects/-x"),
    ] {
        assert_eq!(refusal(api.ask(method, path)).await, (401, "Unauthorized".into()), "{path}");
    }
}

#[tokio::test]
async fn the_key_opens_and_nothing_like_it_does() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let me = |header: &str| api.ask(Method::GET, "/api/auth/me").header("authorization", header.as_bytes());
    let (status, body) = answer(me(&format!("Bearer {ADMIN_KEY}"))).await;
    assert_eq!((status, body.to_string().as_str()), (200, r#"{"is_admin":true,"role":"admin","username":"admin"}"#));
    for header in [
        format!("bearer {ADMIN_KEY}"),
        format!("Bearer  {ADMIN_KEY}"),
        format!("Basic {ADMIN_KEY}"),
        ADMIN_KEY.to_owned(),
        "Bearer ключ".to_owned(),
        format!("Bearer {ADMIN_KEY}x"),
    ] {
        assert_eq!(me(&header).send().await.unwrap().status(), 401, "{header}");
    }
}

#[tokio::test]
async fn a_session_begins_with_the_key_and_ends_with_the_logout() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let cookie = api.log_in().await;
    let me = || api.ask(Method::GET, "/api/auth/me").header("cookie", &cookie);
    assert_eq!(answer(me()).await.0, 200);
    // a wrong key does not spoil a good cookie
    assert_eq!(answer(me().bearer_auth("wrong")).await.0, 200);
    let answer = api.ask(Method::POST, "/api/auth/logout").header("cookie", &cookie).send().await.unwrap();
    assert!(answer.headers()["set-cookie"].to_str().unwrap().starts_with("docsfy_session=\"\"; expires="));
    assert_eq!(answer.text().await.unwrap(), r#"{"ok":true}"#);
    assert_eq!(refusal(me()).await.0, 401);
    // and always succeeds
    assert_eq!(api.ask(Method::POST, "/api/auth/logout").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_login_is_answered_as_docsfy_does() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let login = |body: &str| api.ask(Method::POST, "/api/auth/login").body(body.to_owned());
    assert_eq!(refusal(login("no json")).await, (400, "Invalid JSON body".into()));
    assert_eq!(refusal(login("[]")).await, (400, "Request body must be a JSON object".into()));
    for body in [
        "{}".to_owned(),
        r#"{"username":"admin","api_key":"ключ"}"#.to_owned(),
        r#"{"username":"admin","api_key":5}"#.to_owned(),
        format!(r#"{{"username":"Admin","api_key":"{ADMIN_KEY}"}}"#),
        format!(r#"{{"username":"alice","api_key":"{ADMIN_KEY}"}}"#),
    ] {
        assert_eq!(refusal(login(&body)).await, (401, "Invalid username or password".into()), "{body}");
    }
    let good = login(&format!(r#"{{"username":"admin","api_key":"{ADMIN_KEY}"}}"#)).send().await.unwrap();
    let cookie = cookie_of(&good);
    let set = good.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert_eq!(set, format!("{cookie}; HttpOnly; Max-Age=28800; Path=/; SameSite=strict; Secure"));
    assert_eq!(good.text().await.unwrap(), r#"{"username":"admin","role":"admin","is_admin":true}"#);
}

#[tokio::test]
async fn another_site_cannot_make_a_browser_change_anything() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let cookie = api.log_in().await;
    let generate = || api.ask(Method::POST, "/api/generate").header("origin", "https://evil.example");
    assert_eq!(refusal(generate().header("cookie", &cookie)).await.0, 403);
    // a header is nothing that a browser sends by itself
    assert_eq!(answer(generate().bearer_auth(ADMIN_KEY)).await.0, 422);
    let own = api.ask(Method::POST, "/api/generate").header("origin", format!("http://{}", api.address));
    assert_eq!(answer(own.header("cookie", &cookie)).await.0, 422);
    let forged = api.ask(Method::POST, "/api/auth/login").header("sec-fetch-site", "cross-site");
    assert_eq!(refusal(forged).await.0, 403);
}

#[tokio::test]
async fn a_users_key_opens_what_the_users_role_may_and_stays_hidden() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let key = api.create_user("alice", "viewer").await;
    let ask = |method, path: &str| api.ask(method, path).bearer_auth(&key);
    let (status, body) = answer(ask(Method::GET, "/api/auth/me")).await;
    assert_eq!((status, body.to_string().as_str()), (200, r#"{"is_admin":false,"role":"viewer","username":"alice"}"#));
    assert_eq!(refusal(ask(Method::GET, "/api/admin/users")).await, (403, "Admin access required".into()));
    let generate = ask(Method::POST, "/api/generate").body(r#"{"repo_url":"https://127.0.0.1/a/b"}"#);
    let generate = generate.header("content-type", "application/json");
    assert_eq!(refusal(generate).await, (403, "Write access required.".into()));
    let listed = api.get("/api/admin/users").send().await.unwrap().text().await.unwrap();
    assert!(listed.contains("alice") && !listed.contains(&key), "{listed}");
}
