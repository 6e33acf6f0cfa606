//! What callers see of everything is never old, and is not sent when they have it.

use std::io::Read;

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use shared::{
    db::{self, variants::Scope},
    events::Listening,
};

use super::{Api, answer, claim, publish_site, queue, variant_of};
use crate::support::world::World;

/// An API as it would be in a process of its own.
pub(super) async fn another_api(world: &World) -> Api {
    let listening = Listening::start(&world.pool).await.unwrap();
    Api::start_with(world, |parts| parts.listening = listening).await
}

/// Lets a user read a project of somebody else.
pub(super) async fn grant(world: &World, owner: &str, name: &str, username: &str) {
    let mut conn = world.pool.acquire().await.unwrap();
    db::grants::create(&mut conn, owner, &name.parse().unwrap(), username).await.unwrap();
}

fn tag_of(answer: &Response) -> String {
    answer.headers()["etag"].to_str().unwrap().to_owned()
}

async fn tag(request: RequestBuilder) -> String {
    tag_of(&request.send().await.unwrap())
}

fn names(list: &Value) -> Vec<&str> {
    let mut names: Vec<&str> =
        list["projects"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn every_process_shows_a_change_as_soon_as_it_is_committed() {
    let world = World::without_worker().await;
    let apis = [Api::start(&world).await, another_api(&world).await];
    for number in 1..=20_usize {
        queue(&world, &variant_of("admin", &format!("p{number}"))).await;
        for api in &apis {
            let (_, list) = answer(api.get("/api/projects")).await;
            assert_eq!(list["projects"].as_array().unwrap().len(), number);
        }
    }
}

#[tokio::test]
async fn nobody_of_many_at_once_gets_what_is_older_than_the_question() {
    let world = World::without_worker().await;
    let api = std::sync::Arc::new(Api::start(&world).await);
    queue(&world, &variant_of("admin", "demo")).await;
    let written = std::sync::Arc::new(std::sync::atomic::AtomicI64::new(0));
    let readers: Vec<_> = (0..16)
        .map(|_| {
            let (api, written) = (api.clone(), written.clone());
            tokio::spawn(async move {
                loop {
                    let least = written.load(std::sync::atomic::Ordering::SeqCst);
                    let (_, list) = answer(api.get("/api/status")).await;
                    let found = list["projects"][0]["page_count"].as_i64().unwrap();
                    assert!(found >= least, "{found} was shown after {least} was written");
                    if least == 100 {
                        return;
                    }
                }
            })
        })
        .collect();
    for count in 1..=100 {
        sqlx::query("UPDATE variants SET page_count = $1").bind(count).execute(&world.pool).await.unwrap();
        written.store(i64::from(count), std::sync::atomic::Ordering::SeqCst);
    }
    for reader in readers {
        reader.await.unwrap();
    }
}

#[tokio::test]
async fn what_the_caller_has_is_not_sent_again() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let alice = api.create_user("alice", "user").await;
    let key = variant_of("alice", "demo");
    queue(&world, &key).await;
    let ask = |tag: &str| api.ask(Method::GET, "/api/projects").bearer_auth(&alice).header("if-none-match", tag);
    let first = ask("\"x\"").send().await.unwrap();
    assert_eq!(first.status(), 200);
    assert_eq!(first.headers()["cache-control"], "private, no-cache");
    assert!(first.headers()["vary"].to_str().unwrap().contains("Accept-Encoding"));
    let known = tag_of(&first);
    // what others do is nothing new to her
    queue(&world, &variant_of("bob", "other")).await;
    let again = ask(&known).send().await.unwrap();
    assert_eq!((again.status().as_u16(), tag_of(&again)), (304, known.clone()));
    assert_eq!(again.bytes().await.unwrap().len(), 0);
    assert_eq!(ask(&format!("W/{known}")).send().await.unwrap().status(), 304);
    world.row(&key).await;
    sqlx::query("UPDATE variants SET page_count = 7 WHERE owner = 'alice'").execute(&world.pool).await.unwrap();
    let changed = ask(&known).send().await.unwrap();
    assert_eq!(changed.status(), 200);
    assert_ne!(tag_of(&changed), known);
    // other callers of the same server have their own
    assert_ne!(tag(api.get("/api/projects")).await, tag_of(&changed));
}

#[tokio::test]
async fn a_model_that_somebody_else_made_known_is_shown_to_everybody() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let alice = api.create_user("alice", "viewer").await;
    let list = || answer(api.ask(Method::GET, "/api/projects").bearer_auth(&alice));
    assert_eq!(list().await.1["known_models"], json!({}));
    publish_site(&world, &variant_of("bob", "demo"), &[("index.html", "x")]).await;
    let (_, seen) = list().await;
    assert_eq!((&seen["known_models"], &seen["projects"]), (&json!({"builtin": ["extract"]}), &json!([])));
    assert_eq!(seen["known_branches"], json!({}));
}

#[tokio::test]
async fn shared_projects_are_listed_but_their_costs_and_branches_are_not_ones_own() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let alice = api.create_user("alice", "user").await;
    publish_site(&world, &variant_of("bob", "shared"), &[("index.html", "x")]).await;
    publish_site(&world, &variant_of("alice", "own"), &[("index.html", "x")]).await;
    publish_site(&world, &variant_of("bob", "secret"), &[("index.html", "x")]).await;
    sqlx::query("UPDATE variants SET total_cost_usd = id").execute(&world.pool).await.unwrap();
    let get = |path: &str| answer(api.ask(Method::GET, path).bearer_auth(&alice));
    assert_eq!(names(&get("/api/projects").await.1), ["own"]);
    grant(&world, "bob", "shared", "alice").await;
    let (_, seen) = get("/api/projects").await;
    assert_eq!(names(&seen), ["own", "shared"]);
    assert_eq!((&seen["total_cost_usd"], &seen["known_branches"]), (&json!(2.0), &json!({"own": ["main"]})));
    assert_eq!(get("/api/cost").await, (200, json!({"total_cost_usd": 2.0})));
    let (_, all) = answer(api.get("/api/projects")).await;
    assert_eq!((all["projects"].as_array().unwrap().len(), &all["total_cost_usd"]), (3, &json!(6.0)));
    assert_eq!(answer(api.get("/api/cost")).await, (200, json!({"total_cost_usd": 6.0})));
}

#[tokio::test]
async fn other_grants_are_another_view_although_count_and_sum_are_the_same() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let alice = api.create_user("alice", "user").await;
    for name in ["a", "b", "c", "d"] {
        queue(&world, &variant_of("bob", name)).await;
    }
    let revisions: Vec<i64> =
        sqlx::query_scalar("SELECT revision FROM variants ORDER BY name").fetch_all(&world.pool).await.unwrap();
    assert_eq!(revisions[0] + revisions[3], revisions[1] + revisions[2], "the test needs two equal sums");
    for name in ["a", "d"] {
        grant(&world, "bob", name, "alice").await;
    }
    let list = || answer(api.ask(Method::GET, "/api/projects").bearer_auth(&alice));
    assert_eq!(names(&list().await.1), ["a", "d"]);
    sqlx::query("UPDATE project_access SET name = CASE name WHEN 'a' THEN 'b' ELSE 'c' END")
        .execute(&world.pool)
        .await
        .unwrap();
    assert_eq!(names(&list().await.1), ["b", "c"]);
}

#[tokio::test]
async fn the_start_of_a_run_is_a_change() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let id = queue(&world, &variant_of("admin", "demo")).await;
    let before = tag(api.get("/api/status")).await;
    claim(&world, id).await;
    assert_ne!(tag(api.get("/api/status")).await, before);
    let (_, list) = answer(api.get("/api/status")).await;
    assert!(list["projects"][0]["generation_started_at"].is_string(), "{list}");
}

#[tokio::test]
async fn the_body_has_docsfys_keys_in_their_order_and_two_forms() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    publish_site(&world, &variant_of("admin", "demo"), &[("index.html", "x")]).await;
    let plain = api.get("/api/status").send().await.unwrap();
    assert_eq!(
        (plain.headers()["content-type"].as_bytes(), plain.headers().get("content-encoding")),
        (&b"application/json"[..], None)
    );
    let (plain_tag, length) = (tag_of(&plain), plain.headers()["content-length"].to_str().unwrap().to_owned());
    let text = plain.text().await.unwrap();
    assert_eq!(length, text.len().to_string());
    let keys = [
        "{\"projects\":[{\"name\"",
        "}],\"known_models\":",
        "},\"available_models\":",
        "},\"known_branches\":",
        "},\"total_cost_usd\":0.0}",
    ];
    let places: Vec<usize> =
        keys.iter().map(|key| text.find(key).unwrap_or_else(|| panic!("{key} in {text}"))).collect();
    assert!(places.is_sorted() && places[0] == 0, "{text}");
    assert!(text.ends_with("},\"total_cost_usd\":0.0}") && !text.contains("\"type\""), "{text}");
    let packed = api.get("/api/status").header("accept-encoding", "br, gzip;q=0.5").send().await.unwrap();
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    let packed_tag = tag_of(&packed);
    assert_ne!(packed_tag, plain_tag);
    let mut unpacked = String::new();
    flate2::read::GzDecoder::new(&*packed.bytes().await.unwrap()).read_to_string(&mut unpacked).unwrap();
    assert_eq!(unpacked, text);
    for known in [plain_tag, packed_tag] {
        let answer = api.get("/api/projects").header("if-none-match", known).send().await.unwrap();
        assert_eq!(answer.status(), 304);
    }
    let head = api.ask(Method::HEAD, "/api/status").bearer_auth(super::ADMIN_KEY).send().await.unwrap();
    assert_eq!((head.status().as_u16(), head.headers()["content-length"].to_str().unwrap()), (200, &*length));
}

#[tokio::test]
async fn a_list_too_large_to_be_kept_is_sent_all_the_same() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    for name in ["a", "b", "c"] {
        queue(&world, &variant_of("admin", name)).await;
    }
    sqlx::query("UPDATE variants SET plan_json = repeat('p', 10 << 20)").execute(&world.pool).await.unwrap();
    let first = api.get("/api/status").send().await.unwrap();
    let known = tag_of(&first);
    assert!(first.bytes().await.unwrap().len() > 30 << 20);
    let again = api.get("/api/status").header("if-none-match", known).send().await.unwrap();
    assert_eq!(again.status(), 304);
}

#[tokio::test]
async fn the_digest_of_one_owner_leaves_grants_out() {
    let world = World::without_worker().await;
    queue(&world, &variant_of("bob", "demo")).await;
    let api = Api::start(&world).await;
    api.create_user("alice", "user").await;
    grant(&world, "bob", "demo", "alice").await;
    let mut conn = world.pool.acquire().await.unwrap();
    let own = db::views::digest(&mut conn, Scope::Owner("alice")).await.unwrap();
    let read = db::views::digest(&mut conn, Scope::Reader("alice")).await.unwrap();
    assert_eq!((own.variants, own.granted), (0, None));
    assert_eq!((read.variants, read.granted.is_some()), (1, true));
}
