//! Score cards, findings and badges: what they say, and to whom.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use shared::{
    provider::Provider,
    variant::{Status, VariantKey},
};

use super::{Api, answer, publish_site, refusal, variant_of};
use crate::support::{
    repository::Repository,
    world::{World, variant},
};

/// Status, headers that matter, and body.
async fn whole(request: RequestBuilder) -> (u16, String, String) {
    let answer = request.send().await.unwrap();
    let header = |name: &str| answer.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    let (status, kind) = (answer.status().as_u16(), [header("content-type"), header("cache-control")].join("; "));
    (status, kind, answer.text().await.unwrap())
}

/// A project of the admin with a checked site.
async fn checked(world: &World, name: &str) -> VariantKey {
    let key = VariantKey { owner: "admin".into(), ..variant(name, Provider::Builtin) };
    let row = world.generate(&Repository::library(name), &key, false).await;
    assert_eq!((row.status, row.error_message.as_deref()), (Status::Ready, None));
    key
}

#[tokio::test]
async fn a_run_says_how_good_its_pages_are_and_what_is_wrong() {
    let world = World::start().await;
    let api = Api::start(&world).await;
    let key = checked(&world, "graded").await;
    let row = world.row(&key).await;
    let id = row.generation_id.unwrap();
    let path = format!("/api/generations/{id}/quality");
    let (status, body) = answer(api.get(&path)).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!((&body["generation_id"], &body["grade"]), (&json!(id.to_string()), &body["score"]["grade"]));
    assert_eq!(body["grade"].as_str(), row.grade.as_deref());
    let pages = body["pages"].as_array().unwrap();
    assert_eq!(pages.len(), usize::try_from(row.page_count).unwrap());
    assert!(pages.iter().all(|page| page["sections"][0].get("citations").is_none()), "{body}");
    let slug = pages[0]["slug"].as_str().unwrap();
    let (_, one) = answer(api.get(&format!("{path}?page={slug}&limit=0"))).await;
    assert_eq!((one["pages"].as_array().unwrap().len(), &one["findings"]), (1, &json!([])));
    assert!(one["pages"][0]["sections"][0]["citations"].is_array(), "{one}");
    let (_, shown) = answer(api.get(&format!("/api/generations/{id}"))).await;
    assert_eq!((&shown["grade"], &shown["links"]["quality"]), (&body["grade"], &json!(path)));
    let (_, project) = answer(api.get("/api/projects/graded/main/builtin/extract")).await;
    assert_eq!(project["grade"], body["grade"]);
    let site = world.site_file(&row, "quality.html").await.unwrap();
    assert!(site.contains(&format!("Grade {}", body["grade"].as_str().unwrap())), "{site}");
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_what_others_made_is_not_there() {
    let world = World::start().await;
    let api = Api::start(&world).await;
    let bob = api.create_user("bob", "user").await;
    let key = checked(&world, "secret").await;
    let id = world.row(&key).await.generation_id.unwrap();
    let path = format!("/api/generations/{id}/quality");
    let unknown = (404, "Generation ID not found".to_owned());
    assert_eq!(refusal(api.ask(Method::GET, &path).bearer_auth(&bob)).await, unknown);
    let nobody = "/api/generations/01939f2c-0000-7000-8000-000000000000/quality";
    assert_eq!(refusal(api.get(nobody)).await, unknown);
    assert_eq!(refusal(api.ask(Method::GET, &path)).await.0, 401);
    assert_eq!(refusal(api.get("/api/generations/x/quality")).await.0, 400);
    for query in ["limit=-1", "limit=1001", "limit=x", "offset=-1", "offset=1e3", "limit=99999999999999999999"] {
        let (status, said) = refusal(api.get(&format!("{path}?{query}"))).await;
        assert!(status == 400 && said.contains("must be a whole number"), "{query}: {said}");
    }
    for page in ["nowhere", "..%2Fx", ""] {
        assert_eq!(refusal(api.get(&format!("{path}?page={page}"))).await.0, 404, "{page}");
    }
    // a site that nobody checked has no grade
    publish_site(&world, &variant_of("admin", "plain"), &[("index.html", "x")]).await;
    let plain = world.row(&variant_of("admin", "plain")).await.generation_id.unwrap();
    let (status, body) = answer(api.get(&format!("/api/generations/{plain}/quality"))).await;
    assert_eq!((status, &body["grade"], &body["score"], &body["pages"]), (200, &Value::Null, &Value::Null, &json!([])));
}

#[tokio::test]
async fn a_badge_shows_the_grade_to_readers_and_the_same_unknown_to_all_others() {
    let world = World::start().await;
    let api = Api::start(&world).await;
    let bob = api.create_user("bob", "viewer").await;
    let key = checked(&world, "badged").await;
    let grade = world.row(&key).await.grade.unwrap();
    let (status, kind, svg) = whole(api.get("/api/projects/badged/badge.svg")).await;
    assert_eq!((status, kind.as_str()), (200, "image/svg+xml; charset=utf-8; private, no-cache"));
    assert!(svg.contains(&format!("<title>docs quality: {grade}</title>")), "{svg}");
    let (_, json) = answer(api.get("/api/projects/badged/badge.json")).await;
    assert_eq!((&json["schemaVersion"], &json["label"]), (&json!(1), &json!("docs quality")));
    assert_eq!(json["message"], grade);
    for fits in ["branch=main", "provider=builtin&model=extract", "owner=admin"] {
        let (_, json) = answer(api.get(&format!("/api/projects/badged/badge.json?{fits}"))).await;
        assert_eq!(json["message"], grade, "{fits}");
    }
    for other in ["branch=old", "provider=claude", "model=x", "owner=bob", "branch=%3Cb%3E"] {
        let (_, json) = answer(api.get(&format!("/api/projects/badged/badge.json?{other}"))).await;
        assert_eq!(json["message"], "unknown", "{other}");
    }
    let by_bob = |name: &str| whole(api.ask(Method::GET, &format!("/api/projects/{name}/badge.svg")).bearer_auth(&bob));
    let (hidden, missing) = (by_bob("badged").await, by_bob("nowhere").await);
    assert_eq!(hidden, missing);
    assert!(hidden.0 == 200 && hidden.2.contains("unknown"), "{hidden:?}");
    for name in ["badged", "nowhere"] {
        assert_eq!(refusal(api.ask(Method::GET, &format!("/api/projects/{name}/badge.svg"))).await.0, 401);
    }
    assert_eq!(refusal(api.get("/api/projects/-x/badge.svg")).await.0, 400);
}

#[tokio::test]
async fn public_badges_need_no_login_and_say_nothing_but_the_grade() {
    let world = World::start().await;
    let api = Api::start_with(&world, |parts| parts.public_badges = true).await;
    let key = checked(&world, "open").await;
    let grade = world.row(&key).await.grade.unwrap();
    let ask = |path: &str| api.ask(Method::GET, path);
    let first = ask("/api/projects/open/badge.svg").send().await.unwrap();
    assert_eq!(
        (first.status().as_u16(), &first.headers()["cache-control"]),
        (200, &"public, max-age=300".parse().unwrap())
    );
    assert_eq!(first.headers()["cross-origin-resource-policy"], "cross-origin", "a README stands on another site");
    let etag = first.headers()["etag"].clone();
    assert!(first.text().await.unwrap().contains(&format!("docs quality: {grade}")));
    let again = ask("/api/projects/open/badge.svg").header("if-none-match", etag).send().await.unwrap();
    assert_eq!((again.status().as_u16(), again.text().await.unwrap()), (304, String::new()));
    let head = api.ask(Method::HEAD, "/api/projects/open/badge.json").send().await.unwrap();
    assert_eq!(head.status(), 200);
    assert_eq!(answer(ask("/api/projects/nowhere/badge.json")).await.1["message"], "unknown");
    let other = api.get("/api/projects/open").send().await.unwrap();
    assert_eq!(other.headers()["cross-origin-resource-policy"], "same-origin");
    // nothing else is open
    for path in ["/api/projects/open", "/api/projects/open/badge.png", "/docs/open/", "/api/projects/open/x/badge.svg"]
    {
        assert_eq!(refusal(ask(path)).await.0, 401, "{path}");
    }
    assert_eq!(refusal(api.ask(Method::POST, "/api/projects/open/badge.svg")).await.0, 401);
}
