//! Sessions: they end with the key or the user behind them, in every process, and know the role of the moment.

use api::auth::{pepper, session::end_those_of_an_old_admin_key};
use reqwest::{Method, RequestBuilder};
use shared::{events::Listening, settings::Secret};

use super::{ADMIN_KEY, Api, answer, publish_site, refusal, variant_of};
use crate::support::world::World;

/// Another process of the same installation: it hears of changes only from the database.
async fn another(world: &World) -> Api {
    let listening = Listening::start(&world.pool).await.unwrap();
    Api::start_with(world, |parts| parts.listening = listening).await
}

#[tokio::test]
async fn what_one_process_ends_is_over_in_the_other() {
    let world = World::without_worker().await;
    let (first, second) = (Api::start(&world).await, another(&world).await);
    publish_site(&world, &variant_of("alice", "demo"), &[("index.html", "<p>hello")]).await;
    let mut key = first.create_user("alice", "user").await;
    for end in ["rotate", "rotate-own", "delete"] {
        let cookie = second.log_in_as("alice", &key).await;
        let ask = |path: &str| second.ask(Method::GET, path).header("cookie", &cookie);
        assert_eq!(ask("/docs/demo/").send().await.unwrap().status(), 200, "{end}");
        assert_eq!(answer(ask("/api/auth/me")).await.0, 200);
        let request = match end {
            "rotate" => first.post("/api/admin/users/alice/rotate-key"),
            "rotate-own" => first.ask(Method::POST, "/api/auth/rotate-key").bearer_auth(&key),
            _ => first.ask(Method::DELETE, "/api/admin/users/alice").bearer_auth(ADMIN_KEY),
        };
        let (status, body) = answer(request).await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(refusal(ask("/api/auth/me")).await.0, 401, "{end}");
        // readers of docs are remembered until the news is there
        while ask("/docs/demo/").send().await.unwrap().status() != 401 {
            tokio::task::yield_now().await;
        }
        key = body["new_api_key"].as_str().unwrap_or_default().to_owned();
    }
}

#[tokio::test]
async fn no_session_begins_with_a_key_that_is_being_replaced() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let key = api.create_user("alice", "user").await;
    let mut rotation = world.pool.begin().await.unwrap();
    sqlx::query("UPDATE users SET key_version = nextval('key_versions'), key_hash = '\\x00' WHERE username = 'alice'")
        .execute(&mut *rotation)
        .await
        .unwrap();
    sqlx::query("DELETE FROM sessions WHERE username = 'alice'").execute(&mut *rotation).await.unwrap();
    let login = tokio::spawn(api.login("alice", &key).send());
    let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&world.pool).await.unwrap() == 0 {
        tokio::task::yield_now().await;
    }
    rotation.commit().await.unwrap();
    assert_eq!(login.await.unwrap().unwrap().status(), 401);
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM sessions").fetch_one(&world.pool).await.unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_session_has_the_role_of_the_moment_and_lasts_eight_hours() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let key = api.create_user("alice", "admin").await;
    let cookie = api.log_in_as("alice", &key).await;
    let users = || api.ask(Method::GET, "/api/admin/users").header("cookie", &cookie);
    let change = async |query: &'static str| sqlx::query(query).execute(&world.pool).await.unwrap().rows_affected();
    assert_eq!(answer(users()).await.0, 200);
    change("UPDATE users SET role = 'viewer'").await;
    assert_eq!(refusal(users()).await, (403, "Admin access required".into()));
    change("UPDATE sessions SET expires_at = expires_at - interval '7 hours 59 minutes'").await;
    assert_eq!(refusal(users()).await.0, 403);
    change("UPDATE sessions SET expires_at = expires_at - interval '1 minute'").await;
    assert_eq!(refusal(users()).await.0, 401);
}

#[tokio::test]
async fn another_admin_key_ends_the_sessions_of_admin_and_of_nobody_else() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let pepper = pepper::load_or_create(&world.folder().join("pepper"), false).unwrap();
    let start_with = async |key: &str| {
        end_those_of_an_old_admin_key(&world.pool, &pepper, &Secret::new(key)).await.unwrap();
    };
    start_with(ADMIN_KEY).await;
    let key = api.create_user("alice", "user").await;
    let (admin, alice) = (api.log_in().await, api.log_in_as("alice", &key).await);
    let status = async |cookie: &str| answer(api.ask(Method::GET, "/api/auth/me").header("cookie", cookie)).await.0;
    start_with(ADMIN_KEY).await;
    assert_eq!((status(&admin).await, status(&alice).await), (200, 200));
    start_with("another-key-of-admin").await;
    assert_eq!((status(&admin).await, status(&alice).await), (401, 200));
}

#[tokio::test]
async fn a_form_behind_a_proxy_is_known_by_the_host_that_the_proxy_was_asked_for() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let submit = |api: &Api, forwarded: &str| -> RequestBuilder {
        let form = api.ask(Method::POST, "/login").body(format!("username=admin&api_key={ADMIN_KEY}"));
        form.header("origin", "https://docs.example").header("x-forwarded-host", forwarded)
    };
    assert_eq!(submit(&api, "docs.example").send().await.unwrap().status(), 303);
    assert_eq!(refusal(submit(&api, "evil.example")).await.0, 403);
    let direct = Api::start_with(&world, |parts| parts.trusted_proxies = "10.0.0.1".parse().unwrap()).await;
    assert_eq!(refusal(submit(&direct, "docs.example")).await.0, 403);
}
