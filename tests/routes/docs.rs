//! Reading sites.

use reqwest::{Method, RequestBuilder, Response};
use shared::generation::State;

use super::{Api, claim, publish_site, queue, refusal, variant_of};
use crate::support::world::World;

const SITE: &str = "/docs/demo/main/builtin/extract";

/// A page long enough that compressing it is worth it.
fn page(text: &str) -> String {
    format!("<!doctype html>{}", format!("<p>{text}</p>").repeat(200))
}

async fn text(request: RequestBuilder) -> (u16, String) {
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

fn header(answer: &Response, name: &str) -> String {
    answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn a_page_is_found_by_both_addresses_and_nothing_else_is() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    assert_eq!(refusal(api.get("/docs/demo/")).await, (404, "No docs available".into()));
    assert_eq!(refusal(api.get(&format!("{SITE}/"))).await, (404, "Not found".into()));
    publish_site(&world, &variant_of("admin", "demo"), &[("index.html", "start"), ("a.html", "a")]).await;
    for path in ["/docs/demo/", "/docs/demo/index.html", &format!("{SITE}/"), &format!("{SITE}/index.html")] {
        assert_eq!(text(api.get(path)).await, (200, "start".into()), "{path}");
    }
    assert_eq!(text(api.get(&format!("{SITE}/a.html"))).await, (200, "a".into()));
    for path in ["/docs/demo/b.html", "/docs/demo/a.html/", "/docs/demo/assets/", &format!("{SITE}/x/y")] {
        assert_eq!(refusal(api.get(path)).await, (404, "File not found".into()), "{path}");
    }
    assert_eq!(refusal(api.get("/docs/nope/")).await, (404, "No docs available".into()));
    assert_eq!(refusal(api.get("/docs/nope")).await, (404, "Not found".into()));
    assert_eq!(refusal(api.get("/docs/demo/main/builtin/other/")).await, (404, "Not found".into()));
    assert_eq!(refusal(api.get("/docs/-x/")).await, (400, "Invalid project name: '-x'".into()));
}

#[tokio::test]
async fn a_path_that_leads_out_of_the_site_is_denied_however_it_is_spelled() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    publish_site(&world, &variant_of("admin", "demo"), &[("index.html", "start")]).await;
    let denied = (403, r#"{"detail":"Access denied"}"#.to_owned());
    for path in [
        format!("{SITE}/../manifest.json"),
        format!("{SITE}/..%2f..%2fplan.json"),
        format!("{SITE}/%2e%2e/manifest.json"),
        format!("{SITE}/a/../../manifest.json"),
        format!("{SITE}//etc/passwd"),
        "/docs/demo/../manifest.json".to_owned(),
        "/docs/demo/%2e%2e%2fx".to_owned(),
    ] {
        assert_eq!(api.get_raw(&path).await, denied, "{path}");
    }
    // twice encoded is a name, and no such file exists
    for path in ["%252e%252e/manifest.json", "..%5cmanifest.json", "a%0Ab", ".hidden"] {
        assert_eq!(api.get_raw(&format!("{SITE}/{path}")).await.0, 404, "{path}");
    }
    assert_eq!(api.get_raw(&format!("{SITE}/a/../index.html")).await, (200, "start".into()));
}

#[tokio::test]
async fn the_address_of_a_site_ends_with_a_slash() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    publish_site(&world, &variant_of("alice", "demo"), &[("index.html", "start")]).await;
    for (path, target) in [
        (SITE.to_owned(), format!("{SITE}/")),
        (format!("{SITE}?owner=alice"), format!("{SITE}/?owner=alice")),
        ("/docs/demo".to_owned(), "/docs/demo/".to_owned()),
    ] {
        let answer = api.get(&path).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), header(&answer, "location")), (308, target));
    }
    let none = refusal(api.get("/docs/demo/main/builtin/other")).await;
    assert_eq!(none, (404, "File not found".into()));
}

#[tokio::test]
async fn a_branch_with_a_slash_is_one_part_of_the_address() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let mut key = variant_of("admin", "demo");
    key.branch = "feat/x".parse().unwrap();
    publish_site(&world, &key, &[("index.html", "start")]).await;
    assert_eq!(text(api.get("/docs/demo/feat~2Fx/builtin/extract/")).await, (200, "start".into()));
    assert_eq!(refusal(api.get("/docs/demo/feat/x/builtin/extract/")).await.0, 404);
}

#[tokio::test]
async fn a_reader_who_has_the_page_is_told_so() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let key = variant_of("admin", "demo");
    publish_site(&world, &key, &[("index.html", "start"), ("assets/site.0123abcd.css", "a{}")]).await;
    let first = api.get("/docs/demo/").send().await.unwrap();
    assert_eq!(header(&first, "cache-control"), "private, no-cache");
    assert_eq!(header(&first, "content-type"), "text/html; charset=utf-8");
    assert!(header(&first, "content-security-policy").starts_with("default-src 'none'; script-src 'self'; style-src"));
    assert!(header(&first, "content-security-policy").ends_with("frame-ancestors 'none'"));
    let etag = header(&first, "etag");
    let again = api.get("/docs/demo/").header("if-none-match", &etag).send().await.unwrap();
    assert_eq!(
        (again.status().as_u16(), header(&again, "etag"), again.text().await.unwrap()),
        (304, etag.clone(), String::new())
    );
    let asset = api.get("/docs/demo/assets/site.0123abcd.css").send().await.unwrap();
    assert_eq!(header(&asset, "cache-control"), "private, max-age=31536000, immutable");

    publish_site(&world, &key, &[("index.html", "changed")]).await;
    let changed = async || text(api.get("/docs/demo/").header("if-none-match", &etag)).await;
    wait_for(changed, (200, "changed".into())).await;
}

/// The pointer to a site is remembered for a moment and forgotten when a generation ends.
async fn wait_for(ask: impl AsyncFn() -> (u16, String), wanted: (u16, String)) {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(5);
    loop {
        let answer = ask().await;
        if answer == wanted {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{answer:?}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_site_is_served_while_and_after_a_newer_run_fails() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let key = variant_of("admin", "demo");
    publish_site(&world, &key, &[("index.html", "old")]).await;
    let id = queue(&world, &key).await;
    assert_eq!(text(api.get("/docs/demo/")).await, (200, "old".into()));
    let fence = claim(&world, id).await;
    let mut conn = world.pool.acquire().await.unwrap();
    shared::db::generations::end_unfinished(&mut conn, id, fence, State::Error, "x").await.unwrap();
    assert_eq!(text(api.get("/docs/demo/")).await, (200, "old".into()));
    assert_eq!(text(api.get(&format!("{SITE}/"))).await, (200, "old".into()));
}

#[tokio::test]
async fn an_open_page_still_finds_its_assets_after_the_next_build() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let key = variant_of("admin", "demo");
    let old = [("index.html", "1"), ("gone.html", "x"), ("assets/a.11111111.css", "old")];
    publish_site(&world, &key, &old).await;
    publish_site(&world, &key, &[("index.html", "2"), ("assets/a.22222222.css", "new")]).await;
    assert_eq!(text(api.get("/docs/demo/assets/a.11111111.css")).await, (200, "old".into()));
    assert_eq!(text(api.get("/docs/demo/assets/a.22222222.css")).await, (200, "new".into()));
    // pages are those of the newest build only
    assert_eq!(refusal(api.get("/docs/demo/gone.html")).await.0, 404);
}

#[tokio::test]
async fn a_page_is_sent_in_the_best_form_that_the_reader_takes() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let page = page("hello");
    publish_site(&world, &variant_of("admin", "demo"), &[("index.html", &page)]).await;
    let mut etags = std::collections::BTreeSet::new();
    for (accept, encoding) in [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("br;q=0, gzip;q=0.5", "gzip"),
        ("*", "br"),
        ("identity", ""),
        ("gzip;q=0", ""),
    ] {
        let answer = api.get("/docs/demo/").header("accept-encoding", accept).send().await.unwrap();
        assert_eq!(
            (header(&answer, "content-encoding").as_str(), header(&answer, "vary").as_str()),
            (encoding, "Accept-Encoding"),
            "{accept}"
        );
        etags.insert(header(&answer, "etag"));
        if encoding.is_empty() {
            assert_eq!(answer.text().await.unwrap(), page);
        }
    }
    assert_eq!(etags.len(), 3, "each form has a tag of its own: {etags:?}");
}

#[tokio::test]
async fn a_part_of_a_file_and_its_head_can_be_asked_for() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    publish_site(&world, &variant_of("admin", "demo"), &[("index.html", &page("hello")), ("a.txt", "0123456789")])
        .await;
    let part = |range: &str| api.get("/docs/demo/a.txt").header("range", range);
    let answer = part("bytes=2-4").send().await.unwrap();
    let etag = header(&answer, "etag");
    assert_eq!((answer.status().as_u16(), header(&answer, "content-range")), (206, "bytes 2-4/10".into()));
    assert_eq!(answer.text().await.unwrap(), "234");
    let beyond = part("bytes=10-").send().await.unwrap();
    assert_eq!((beyond.status().as_u16(), header(&beyond, "content-range")), (416, "bytes */10".into()));
    assert_eq!(text(part("bytes=0-1,4-5")).await, (200, "0123456789".into()));
    assert_eq!(text(part("bytes=2-4").header("if-range", &etag)).await.0, 206);
    assert_eq!(text(part("bytes=2-4").header("if-range", "\"older\"")).await, (200, "0123456789".into()));
    // parts are parts of the plain form
    let plain =
        api.get("/docs/demo/").header("accept-encoding", "br").header("range", "bytes=0-8").send().await.unwrap();
    assert_eq!((header(&plain, "content-encoding"), plain.text().await.unwrap()), (String::new(), "<!doctype".into()));

    let head = api.ask(Method::HEAD, "/docs/demo/a.txt").bearer_auth(super::ADMIN_KEY).send().await.unwrap();
    assert_eq!((head.status().as_u16(), header(&head, "content-length").as_str()), (200, "10"));
    assert_eq!((header(&head, "etag"), head.text().await.unwrap()), (etag, String::new()));
}

#[tokio::test]
async fn the_newest_site_of_a_name_is_the_one_that_was_made_last() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let mut other = variant_of("admin", "demo");
    other.branch = "v1".parse().unwrap();
    publish_site(&world, &variant_of("admin", "demo"), &[("index.html", "main")]).await;
    publish_site(&world, &other, &[("index.html", "v1")]).await;
    assert_eq!(text(api.get("/docs/demo/")).await, (200, "v1".into()));
    assert_eq!(text(api.get(&format!("{SITE}/"))).await, (200, "main".into()));
}
