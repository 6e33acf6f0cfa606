//! Who may open a WebSocket, what each is told, and when it ends.

use std::time::{Duration, Instant};

use api::WatchTimes;
use reqwest::Method;
use serde_json::{Value, json};
use shared::{db, events::AccessChange, user::Role};

use super::{
    ADMIN_KEY, Api, queue, refusal, variant_of,
    views::{another_api, grant},
    watching::{Client, PATIENCE, announce, fail},
};
use crate::support::world::World;

fn names(sync: &Value) -> Vec<&str> {
    let mut names: Vec<&str> =
        sync["projects"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn only_those_who_are_known_get_in_and_no_page_of_another_site() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let alice = api.create_user("alice", "viewer").await;
    let cookie = api.log_in().await;
    let bearer = format!("Bearer {ADMIN_KEY}");
    for (query, headers) in [
        ("", vec![]),
        ("?token=wrong", vec![]),
        ("?token=", vec![("cookie", "docsfy_session=x")]),
        ("", vec![("authorization", "Bearer wrong")]),
        ("", vec![("cookie", &*cookie), ("origin", "https://evil.example")]),
        ("", vec![("cookie", &*cookie), ("sec-fetch-site", "cross-site")]),
    ] {
        assert_eq!(Client::try_open(&api, query, &headers).await.err(), Some(403), "{query} {headers:?}");
    }
    let own = format!("http://{}", api.address);
    for (query, headers) in [
        (format!("?token={ADMIN_KEY}"), vec![("origin", "https://evil.example")]),
        (format!("?token={alice}"), vec![]),
        ("?token=wrong".to_owned(), vec![("cookie", &*cookie)]),
        (String::new(), vec![("authorization", &*bearer)]),
        (String::new(), vec![("cookie", &*cookie), ("origin", &*own)]),
    ] {
        let mut client = Client::try_open(&api, &query, &headers)
            .await
            .unwrap_or_else(|status| panic!("{status}: {query} {headers:?}"));
        assert_eq!(client.next().await["type"], "sync");
    }
    assert_eq!(refusal(api.ask(Method::GET, "/api/ws")).await, (404, "Not found".into()));
}

#[tokio::test]
async fn owners_admins_and_readers_are_told_and_nobody_else() {
    let world = World::without_worker().await;
    let (api, other) = (Api::start(&world).await, another_api(&world).await);
    let mut clients = Vec::new();
    for user in ["alice", "bob", "carol"] {
        let key = api.create_user(user, "viewer").await;
        if user == "bob" {
            grant(&world, "alice", "demo", "bob").await;
        }
        clients.push(Client::open_in_sync(&other, &key).await);
    }
    clients.push(Client::open_in_sync(&api, ADMIN_KEY).await);
    queue(&world, &variant_of("alice", "demo")).await;
    queue(&world, &variant_of("alice", "other")).await;
    queue(&world, &variant_of("carol", "mine")).await;
    let mut told = Vec::new();
    for (client, count) in clients.iter_mut().zip([2, 1, 1, 3]) {
        let mut names = Vec::new();
        for _ in 0..count {
            names.push(client.next_of("progress").await["name"].as_str().unwrap().to_owned());
        }
        told.push(names.join(" "));
    }
    assert_eq!(told, ["demo other", "demo", "mine", "demo other mine"]);
}

#[tokio::test]
async fn a_grant_is_seen_at_once_and_so_is_its_end() {
    let world = World::without_worker().await;
    let api = another_api(&world).await;
    let bob = api.create_user("bob", "viewer").await;
    queue(&world, &variant_of("alice", "demo")).await;
    let mut client = Client::open(&api, &bob).await;
    assert_eq!(client.next().await["projects"], json!([]));
    grant(&world, "alice", "demo", "bob").await;
    announce(&world, AccessChange::User("bob".into())).await;
    let id = queue(&world, &variant_of("alice", "second")).await;
    assert_eq!(names(&client.next_of("sync").await), ["demo"]);
    fail(&world, id, "not for bob").await;
    let mut conn = world.pool.acquire().await.unwrap();
    db::grants::delete(&mut conn, "alice", "demo", "bob").await.unwrap();
    announce(&world, AccessChange::User("bob".into())).await;
    let sync = client.next().await;
    assert_eq!((&sync["type"], &sync["projects"]), (&json!("sync"), &json!([])));
}

#[tokio::test]
async fn who_lost_the_right_to_watch_is_let_go() {
    let world = World::without_worker().await;
    let times = WatchTimes { recheck_every: Duration::from_millis(200), ..WatchTimes::default() };
    let (api, brisk) = (another_api(&world).await, Api::start_with(&world, |parts| parts.watch_times = times).await);
    let alice = api.create_user("alice", "user").await;
    let mut deleted = Client::open_in_sync(&api, &alice).await;
    let mut conn = world.pool.acquire().await.unwrap();
    db::users::delete(&mut conn, "alice").await.unwrap();
    announce(&world, AccessChange::User("alice".into())).await;
    assert_eq!(deleted.close_code().await, 1008);

    let bob = api.create_user("bob", "user").await;
    let mut rotated = Client::open_in_sync(&api, &bob).await;
    let key = db::users::KeptKey::Generated { hash: [7; 32] };
    db::users::set_key(&mut conn, "bob", &key).await.unwrap();
    announce(&world, AccessChange::User("bob".into())).await;
    assert_eq!(rotated.close_code().await, 1008);

    // the other process hears of a logout
    let cookie = brisk.log_in().await;
    let mut watching = Client::try_open(&api, "", &[("cookie", &cookie)]).await.unwrap();
    assert_eq!(watching.next().await["type"], "sync");
    let logout = brisk.ask(Method::POST, "/api/auth/logout").header("cookie", &cookie).send().await.unwrap();
    assert_eq!(logout.status(), 200);
    assert_eq!(watching.close_code().await, 1008);

    // nothing is announced of a session that runs out
    let cookie = brisk.log_in().await;
    let mut session = Client::try_open(&brisk, "", &[("cookie", &cookie)]).await.unwrap();
    assert_eq!(session.next().await["type"], "sync");
    sqlx::query("UPDATE sessions SET expires_at = now()").execute(&world.pool).await.unwrap();
    assert_eq!(session.close_code().await, 1008);
}

#[tokio::test]
async fn another_role_is_another_view() {
    let world = World::without_worker().await;
    let api = another_api(&world).await;
    queue(&world, &variant_of("alice", "demo")).await;
    let key = api.create_user("carol", Role::Admin.as_str()).await;
    let mut client = Client::open(&api, &key).await;
    assert_eq!(names(&client.next().await), ["demo"]);
    sqlx::query("UPDATE users SET role = 'viewer'").execute(&world.pool).await.unwrap();
    announce(&world, AccessChange::User("carol".into())).await;
    assert_eq!(client.next_of("sync").await["projects"], json!([]));
}

#[tokio::test]
async fn a_user_has_twenty_and_a_place_is_free_when_one_ends() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let alice = api.create_user("alice", "viewer").await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(Client::open(&api, &alice).await);
    }
    assert_eq!(Client::try_open(&api, &format!("?token={alice}"), &[]).await.err(), Some(429));
    Client::open_in_sync(&api, ADMIN_KEY).await;
    clients.clear();
    let deadline = Instant::now() + PATIENCE;
    while Client::try_open(&api, &format!("?token={alice}"), &[]).await.is_err() {
        assert!(Instant::now() < deadline, "no place became free");
        tokio::task::yield_now().await;
    }
}
