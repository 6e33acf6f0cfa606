//! Logging in with a browser.

use reqwest::{Method, RequestBuilder};

use super::{ADMIN_KEY, Api, cookie_of, publish_site, variant_of};
use crate::support::world::World;

async fn location(request: RequestBuilder) -> (u16, String) {
    let answer = request.send().await.unwrap();
    let location = answer.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
    (answer.status().as_u16(), location.unwrap_or_default())
}

#[tokio::test]
async fn a_reader_is_sent_to_the_form_and_back_to_the_page() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    publish_site(&world, &variant_of("admin", "demo"), &[("index.html", "<p>hello")]).await;
    let page = || api.ask(Method::GET, "/docs/demo/?a=b").header("accept", "text/html,*/*");
    assert_eq!(location(page()).await, (302, "/login?next=%2Fdocs%2Fdemo%2F%3Fa%3Db".into()));
    let form = api.ask(Method::GET, "/login?next=%2Fdocs%2Fdemo%2F%3Fa%3Db").send().await.unwrap();
    let policy = form.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    let form = form.text().await.unwrap();
    assert!(form.contains(r#"name="next" value="/docs/demo/?a=b""#), "{form}");
    assert!(!form.contains("<script") && !form.contains("style="), "{form}");

    let submit = |key: &str| {
        let body = format!("username=admin&api_key={key}&next=%2Fdocs%2Fdemo%2F%3Fa%3Db");
        api.ask(Method::POST, "/login").body(body)
    };
    let wrong = submit("wrong").send().await.unwrap();
    assert_eq!(wrong.status(), 401);
    assert!(wrong.text().await.unwrap().contains("Wrong user name or key."));
    let right = submit(ADMIN_KEY).send().await.unwrap();
    assert_eq!((right.status().as_u16(), right.headers()["location"].to_str().unwrap()), (303, "/docs/demo/?a=b"));
    let read = page().header("cookie", cookie_of(&right)).send().await.unwrap();
    assert_eq!(read.text().await.unwrap(), "<p>hello");
}

#[tokio::test]
async fn a_login_link_works_once_and_leads_to_its_page() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let link = api::login_link(&world.pool, "http://here", "/docs/demo/").await.unwrap();
    let path = link.strip_prefix("http://here").unwrap();
    let first = api.ask(Method::GET, path).send().await.unwrap();
    assert_eq!((first.status().as_u16(), first.headers()["location"].to_str().unwrap()), (303, "/docs/demo/"));
    let cookie = cookie_of(&first);
    let me = api.ask(Method::GET, "/api/auth/me").header("cookie", &cookie);
    assert_eq!(me.send().await.unwrap().status(), 200);
    let second = api.ask(Method::GET, path).send().await.unwrap();
    assert_eq!(second.status(), 401);
    assert!(second.headers().get("set-cookie").is_none());
    // who is in already is not stopped by it
    assert_eq!(location(api.ask(Method::GET, path).header("cookie", &cookie)).await, (303, "/docs/demo/".into()));
}

#[tokio::test]
async fn the_start_page_lists_what_can_be_read() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    assert_eq!(location(api.ask(Method::GET, "/")).await, (303, "/login".into()));
    let cookie = api.log_in().await;
    let page =
        || async { api.ask(Method::GET, "/").header("cookie", &cookie).send().await.unwrap().text().await.unwrap() };
    assert!(page().await.contains("Nothing has been generated yet"));
    let mut key = variant_of("admin", "demo");
    key.branch = "feat/<b>".replace(['<', '>'], "_").parse().unwrap();
    publish_site(&world, &key, &[("index.html", "x")]).await;
    publish_site(&world, &variant_of("o'neil & <b>", "theirs"), &[("index.html", "x")]).await;
    let page = page().await;
    assert!(page.contains(r#"href="/docs/demo/feat~2F_b_/builtin/extract/""#), "{page}");
    assert!(page.contains("/docs/theirs/main/builtin/extract/?owner=o%27neil+%26+%3Cb%3E"), "{page}");
    assert!(!page.contains("<b>"), "{page}");
}

#[tokio::test]
async fn the_start_page_of_a_viewer_shows_what_is_shared_and_whose_it_is() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let viewer = api.create_user("victor", "viewer").await;
    let user = api.create_user("ursula", "user").await;
    let page = async |name: &str, key: &str| {
        let cookie = api.log_in_as(name, key).await;
        api.ask(Method::GET, "/").header("cookie", cookie).send().await.unwrap().text().await.unwrap()
    };
    let empty = page("victor", &viewer).await;
    assert!(empty.contains("No project is shared with you yet") && empty.contains("victor (viewer)"), "{empty}");
    for (owner, name) in [("admin", "demo"), ("admin", "secret"), ("ursula", "demo")] {
        publish_site(&world, &variant_of(owner, name), &[("index.html", "x")]).await;
    }
    for name in ["victor", "ursula"] {
        let grant =
            api.post("/api/admin/projects/demo/access").body(format!(r#"{{"username":"{name}","owner":"admin"}}"#));
        assert_eq!(grant.send().await.unwrap().status(), 200);
    }
    let shared = page("victor", &viewer).await;
    assert!(
        shared.contains(r#"href="/docs/demo/main/builtin/extract/""#) && shared.contains("owner admin"),
        "{shared}"
    );
    assert!(!shared.contains("secret") && !shared.contains("ursula"), "{shared}");
    // the same address means her own one, so there is no link that would lie
    let both = page("ursula", &user).await;
    assert_eq!(both.matches(r#"href="/docs/"#).count(), 1, "{both}");
    assert!(both.contains("owner admin") && both.contains("has the same address"), "{both}");
}

#[tokio::test]
async fn open_docs_are_read_without_a_login_by_this_machine_only() {
    let world = World::without_worker().await;
    let api = Api::start_with(&world, |parts| parts.docs_are_open = true).await;
    publish_site(&world, &variant_of("admin", "demo"), &[("index.html", "<p>hello")]).await;
    let status = |request: RequestBuilder| async { request.send().await.unwrap().status().as_u16() };
    assert_eq!(status(api.ask(Method::GET, "/docs/demo/")).await, 200);
    assert_eq!(status(api.ask(Method::GET, "/")).await, 200);
    assert_eq!(status(api.ask(Method::GET, "/docs/demo/").header("host", "evil.example")).await, 401);
    assert_eq!(status(api.ask(Method::GET, "/api/projects")).await, 401);
    assert_eq!(status(api.ask(Method::POST, "/api/generate")).await, 401);
}
