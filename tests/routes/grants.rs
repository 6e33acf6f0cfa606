//! Whom projects are shared with.

use reqwest::Method;
use serde_json::json;

use super::{ADMIN_KEY, Api, answer, publish_site, refusal, variant_of};
use crate::support::world::World;

#[tokio::test]
async fn a_grant_opens_all_variants_of_one_owners_project_for_reading() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let alice = api.create_user("alice", "user").await;
    publish_site(&world, &variant_of("admin", "demo"), &[("index.html", "<p>hello")]).await;
    publish_site(&world, &variant_of("admin", "other"), &[("index.html", "x")]).await;
    let path = "/api/admin/projects/demo/access";
    let as_alice = |method, path: &str| api.ask(method, path).bearer_auth(&alice);
    assert_eq!(refusal(as_alice(Method::GET, "/api/projects/demo")).await.0, 404);

    let grant = || api.post(path).body(r#"{"username":"alice","owner":"admin"}"#);
    for _ in 0..2 {
        let answer = grant().send().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), r#"{"granted":"demo","username":"alice","owner":"admin"}"#);
    }
    assert_eq!(answer(as_alice(Method::GET, "/api/projects/demo")).await.0, 200);
    assert_eq!(as_alice(Method::GET, "/docs/demo/").send().await.unwrap().status(), 200);
    assert_eq!(refusal(as_alice(Method::GET, "/api/projects/other")).await.0, 404);
    let listed = api.get(&format!("{path}?owner=admin")).send().await.unwrap().text().await.unwrap();
    assert_eq!(listed, r#"{"project":"demo","owner":"admin","users":["alice"]}"#);

    let revoke = || api.ask(Method::DELETE, &format!("{path}/alice?owner=admin")).bearer_auth(ADMIN_KEY);
    for _ in 0..2 {
        let answer = revoke().send().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), r#"{"revoked":"demo","username":"alice","owner":"admin"}"#);
    }
    assert_eq!(refusal(as_alice(Method::GET, "/api/projects/demo")).await.0, 404);
    assert_eq!(answer(api.get(&format!("{path}?owner=admin"))).await.1["users"], json!([]));
}

#[tokio::test]
async fn only_a_user_and_a_project_that_exist_are_brought_together() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    api.create_user("alice", "viewer").await;
    publish_site(&world, &variant_of("admin", "demo"), &[("index.html", "x")]).await;
    let grant = |name: &str, body: &str| api.post(&format!("/api/admin/projects/{name}/access")).body(body.to_owned());
    for (body, status, sentence) in [
        ("no json", 400, "Malformed JSON in request body"),
        ("[]", 400, "Request body must be a JSON object"),
        (r#"{"owner":"admin"}"#, 400, "Username is required"),
        (r#"{"username":"alice"}"#, 400, "Project owner is required"),
        (r#"{"username":"alice","owner":""}"#, 400, "Project owner is required"),
        (r#"{"username":["alice"],"owner":"admin"}"#, 400, "Username must be a string"),
        (r#"{"username":"bob","owner":"admin"}"#, 404, "User 'bob' not found"),
        (r#"{"username":"admin","owner":"admin"}"#, 404, "User 'admin' not found"),
        (r#"{"username":"alice","owner":"bob"}"#, 404, "Project 'demo' not found for owner 'bob'"),
        (r#"{"username":"alice","owner":"\u0000"}"#, 400, "Request body contains a NUL character"),
    ] {
        assert_eq!(refusal(grant("demo", body)).await, (status, sentence.into()), "{body}");
    }
    let body = r#"{"username":"alice","owner":"admin"}"#;
    assert_eq!(refusal(grant("-x", body)).await, (404, "Project '-x' not found for owner 'admin'".into()));
    for path in ["/api/admin/projects/-x/access", "/api/admin/projects/nope/access", "/api/admin/projects/%0A/access"] {
        assert_eq!(refusal(api.get(path)).await, (400, "Project owner is required".into()));
        assert_eq!(refusal(api.get(&format!("{path}?owner="))).await.0, 400);
        for owner in ["admin", "%0A", "a%20b"] {
            let (status, body) = answer(api.get(&format!("{path}?owner={owner}"))).await;
            assert_eq!((status, &body["users"]), (200, &json!([])), "{path} {owner}");
        }
        let revoke = |query: &str| api.ask(Method::DELETE, &format!("{path}/%0A{query}")).bearer_auth(ADMIN_KEY);
        assert_eq!(refusal(revoke("")).await, (400, "Project owner is required".into()));
        assert_eq!(answer(revoke("?owner=%0A")).await.0, 200);
    }
}
