//! How often keys may be guessed. Tries come back while a test goes on, which may take long on a busy machine, so what is
//! counted is compared with the time that passed.

use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder};
use serde_json::json;

use super::{ADMIN_KEY, Api, answer, refusal};
use crate::support::world::World;

/// A login that comes from this address through a trusted proxy.
fn login(api: &Api, address: &str, username: &str, key: &str) -> RequestBuilder {
    api.login(username, key).header("x-forwarded-for", address)
}

/// How often something may be tried from a moment on, at most.
fn tries_since(begun: Instant, at_first: u32, per_try: Duration) -> u32 {
    at_first + u32::try_from(begun.elapsed().as_secs() / per_try.as_secs()).unwrap()
}

async fn status(request: RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn guessing_ends_after_five_tries_everywhere_and_the_user_still_comes_in_from_elsewhere() {
    let world = World::without_worker().await;
    let [first, second] = [Api::start(&world).await, Api::start(&world).await];
    let key = first.create_user("alice", "user").await;
    for api in [&first, &second, &first, &second, &first] {
        assert_eq!(status(login(api, "192.0.2.1", "alice", "wrong")).await, 401);
    }
    for api in [&first, &second] {
        // nothing is checked any more, the right key neither
        let refused = login(api, "192.0.2.1", "alice", &key).send().await.unwrap();
        assert_eq!(refused.status(), 429);
        let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=30).contains(&wait), "{wait}");
        let sentence = format!(r#"{{"detail":"Too many tries. Try again in {wait} seconds."}}"#);
        assert_eq!(refused.text().await.unwrap(), sentence);
    }
    assert_eq!(status(login(&second, "192.0.2.2", "alice", &key)).await, 200);
    // others at the same address are not concerned, nor is a key in a header
    assert_eq!(status(login(&second, "192.0.2.1", "admin", ADMIN_KEY)).await, 200);
    let me = first.ask(Method::GET, "/api/auth/me").header("x-forwarded-for", "192.0.2.1").bearer_auth(&key);
    assert_eq!(status(me).await, 200);
}

#[tokio::test]
async fn a_success_gives_the_tries_back() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    for _ in 0..4 {
        for _ in 0..4 {
            assert_eq!(status(login(&api, "192.0.2.1", "admin", "wrong")).await, 401);
        }
        assert_eq!(status(login(&api, "192.0.2.1", "admin", ADMIN_KEY)).await, 200);
    }
}

#[tokio::test]
async fn one_address_guesses_at_thirty_names_at_most_and_an_ipv6_network_is_one_address() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let begun = Instant::now();
    let guess = |n: u32| status(login(&api, &format!("2001:db8:1:1::{n:x}"), &format!("user{n}"), "wrong"));
    let mut guesses = 0;
    // together, so that hardly any try comes back meanwhile
    while let answers = futures_util::future::join_all((0..10).map(|n| guess(guesses + n))).await
        && !answers.contains(&429)
    {
        assert!(answers.iter().all(|status| *status == 401), "{answers:?}");
        guesses += 10;
        assert!(guesses <= tries_since(begun, 30, Duration::from_secs(5)), "{guesses}");
    }
    assert!(guesses >= 30, "{guesses}");
    assert_eq!(status(login(&api, "2001:db8:1:2::1", "admin", ADMIN_KEY)).await, 200);
}

#[tokio::test]
async fn one_address_alone_cannot_use_up_a_name() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    for _ in 0..60 {
        assert!(matches!(status(login(&api, "192.0.2.1", "admin", "wrong")).await, 401 | 429));
    }
    assert_eq!(status(login(&api, "192.0.2.2", "admin", ADMIN_KEY)).await, 200);
    // many together can
    let mut others = 10..200;
    while let answer = status(login(&api, &format!("192.0.2.{}", others.next().unwrap()), "admin", "wrong")).await
        && answer != 429
    {
        assert_eq!(answer, 401);
    }
    assert_eq!(status(login(&api, "192.0.2.200", "admin", ADMIN_KEY)).await, 429);
}

#[tokio::test]
async fn a_client_cannot_choose_its_address() {
    let world = World::without_worker().await;
    let api = Api::start_with(&world, |parts| parts.trusted_proxies = "10.0.0.1".parse().unwrap()).await;
    for n in 0..5 {
        assert_eq!(status(login(&api, &format!("192.0.2.{n}"), "admin", "wrong")).await, 401);
    }
    assert_eq!(status(login(&api, "192.0.2.9", "admin", ADMIN_KEY)).await, 429);
}

#[tokio::test]
async fn the_form_says_that_there_were_too_many_tries() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let submit = |key: &str| api.ask(Method::POST, "/login").body(format!("username=admin&api_key={key}"));
    for _ in 0..5 {
        assert_eq!(status(submit("wrong")).await, 401);
    }
    let refused = submit(ADMIN_KEY).send().await.unwrap();
    assert_eq!(refused.status(), 429);
    assert!(refused.headers().contains_key("retry-after"));
    let page = refused.text().await.unwrap();
    assert!(page.contains(r#"role="alert">Too many tries. Try again in "#), "{page}");
}

#[tokio::test]
async fn keys_without_a_name_are_compared_slowly_only_as_long_as_their_address_has_tries() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let generated = api.create_user("alice", "user").await;
    let chosen = "a key that bob made up";
    api.create_user("bob", "user").await;
    let body = json!({ "new_key": chosen }).to_string();
    assert_eq!(answer(api.post("/api/admin/users/bob/rotate-key").body(body)).await.0, 200);
    // whatever is presented looks as if it could be somebody's key, as one in 4096 keys does with bob alone
    let others = "INSERT INTO users (username, role, key_tag, key_verifier)
                  SELECT 'user' || tag, 'user', tag, key_verifier FROM users, generate_series(0, 4095) AS tag
                   WHERE username = 'bob'";
    sqlx::query(others).execute(&world.pool).await.unwrap();
    let me = |key: &str| {
        api.ask(Method::GET, "/api/auth/me").header("x-forwarded-for", "192.0.2.1").bearer_auth(key.to_owned())
    };
    let begun = Instant::now();
    let mut guesses = 0;
    loop {
        match refusal(me(&format!("guess number {guesses} of many"))).await.0 {
            401 => guesses += 1,
            status => break assert_eq!(status, 429),
        }
    }
    assert!((30..=tries_since(begun, 30, Duration::from_secs(5))).contains(&guesses), "{guesses}");
    assert_eq!(status(me(&generated)).await, 200);
    let cookie = api.log_in().await;
    let guess = format!("guess number {guesses} of many");
    assert_eq!(status(me(&guess).header("cookie", cookie)).await, 200);
}
