//! What every answer has in common: paths, statuses, headers, limits.

use reqwest::Method;

use super::{Api, answer, refusal};
use crate::support::world::World;

#[tokio::test]
async fn paths_are_decoded_once_before_they_are_routed() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    assert_eq!(api.get_raw("/api/projects/a%2Fb").await, (404, r#"{"detail":"Not found"}"#.into()));
    assert_eq!(api.get_raw("/api/%70rojects").await.0, 200);
    let (status, body) = api.get_raw("/api/projects/a%252Fb").await;
    assert_eq!((status, body.as_str()), (400, r#"{"detail":"Invalid project name: 'a%2Fb'"}"#));
    let (status, body) = api.get_raw("/api/projects/a%0Ab").await;
    assert_eq!((status, body.as_str()), (400, r#"{"detail":"Invalid project name: 'a?b'"}"#));
    // what the gate sees is what the routes see
    assert_eq!(refusal(api.ask(Method::GET, "/%61pi/projects")).await.0, 401);
    assert_eq!(refusal(api.ask(Method::GET, "/api%2Fprojects")).await.0, 401);
}

#[tokio::test]
async fn what_is_no_route_is_404_to_read_and_405_to_change() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    assert_eq!(refusal(api.get("/api/nope")).await, (404, "Not found".into()));
    assert_eq!(refusal(api.get("/api/models/")).await, (404, "Not found".into()));
    for (method, path) in [
        (Method::POST, "/api/nope"),
        (Method::DELETE, "/nope"),
        (Method::PUT, "/api/projects"),
        (Method::OPTIONS, "/api/projects"),
    ] {
        let answer = api.ask(method, path).bearer_auth(super::ADMIN_KEY).send().await.unwrap();
        assert!(answer.headers()["allow"].to_str().unwrap().starts_with("GET"), "{path}");
        assert_eq!(answer.status(), 405);
        assert_eq!(answer.text().await.unwrap(), r#"{"detail":"Method Not Allowed"}"#);
    }
}

#[tokio::test]
async fn every_answer_tells_browsers_what_not_to_do() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    for path in ["/health", "/api/nope", "/login", "/docs/nope/"] {
        let answer = api.get(path).send().await.unwrap();
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("x-frame-options"), "DENY", "{path}");
        assert_eq!(header("referrer-policy"), "same-origin", "{path}");
        assert!(header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(header("x-request-id").len(), 36, "{path}");
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_however_it_comes() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let big = "x".repeat(64 * 1024 + 1);
    let whole = api.post("/api/generate").body(big.clone());
    assert_eq!(refusal(whole).await, (413, "Request body is larger than 64 KiB".into()));
    let parts = futures_util::stream::iter(vec![Ok::<_, std::io::Error>(big[..60_000].to_owned()), Ok(big.clone())]);
    let chunked = api.post("/api/generate").body(reqwest::Body::wrap_stream(parts));
    assert_eq!(refusal(chunked).await.0, 413);
    assert_eq!(answer(api.post("/api/generate").body(big[1..].to_owned())).await.0, 422);
}

#[tokio::test]
async fn without_a_database_the_answer_is_to_try_again() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    world.pool.close().await;
    let answer = api.get("/api/projects").send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["retry-after"].to_str().unwrap()), (503, "2"));
    // what needs none goes on
    assert_eq!(api.get("/health").send().await.unwrap().status(), 200);
    assert_eq!(api.get("/api/models").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn the_end_does_not_wait_for_idle_connections() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    assert_eq!(api.get("/health").send().await.unwrap().status(), 200);
    // the client keeps its connection
    tokio::time::timeout(std::time::Duration::from_secs(2), api.stop()).await.unwrap();
}
