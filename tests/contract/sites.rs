//! Reading sites.

use reqwest::Method;
use serde_json::json;

use super::asking::Cx;

pub(super) async fn a_page_is_found_by_both_addresses(cx: Cx) {
    let (user, name) = (cx.user("viewer").await, cx.fresh("pages"));
    let files = [
        ("index.html", "start"),
        ("a.html", "a"),
        ("a.md", "# a"),
        ("llms.txt", "text"),
        ("search-index.json", "[]"),
        ("assets/x.css", "a{}"),
        ("assets/x.js", "1"),
        (".nojekyll", ""),
        ("deep/index.html", "deep"),
    ];
    cx.ready("admin", &name, &files).await;
    cx.grant("admin", &name, &user).await;
    for base in [format!("/docs/{name}"), format!("/docs/{name}/main/builtin/extract")] {
        for (file, kind, text) in [
            ("", "text/html; charset=utf-8", "start"),
            ("index.html", "text/html; charset=utf-8", "start"),
            ("a.html", "text/html; charset=utf-8", "a"),
            ("a.md", "text/markdown; charset=utf-8", "# a"),
            ("llms.txt", "text/plain; charset=utf-8", "text"),
            ("search-index.json", "application/json", "[]"),
            ("assets/x.css", "text/css; charset=utf-8", "a{}"),
            ("assets/x.js", "text/javascript; charset=utf-8", "1"),
        ] {
            let answer = cx.send(cx.by(&user, Method::GET, &format!("{base}/{file}"))).await;
            let found = (answer.status, answer.header("content-type"), answer.text());
            cx.same(&answer.cell, found, (200, kind.to_owned(), text.to_owned()));
            cx.same(&answer.cell, answer.header("accept-ranges"), "bytes");
            let known = cx.by(&user, Method::GET, &format!("{base}/{file}"));
            cx.answers(known.header("if-none-match", answer.header("etag")), 304).await;
        }
        cx.same("dotfile", cx.answers(cx.get(&format!("{base}/.nojekyll")), 200).await.bytes.len(), 0);
        for missing in ["b.html", "a.html/", "assets/", "assets", "deep/", "deep"] {
            cx.refused(cx.get(&format!("{base}/{missing}")), 404, "File not found").await;
        }
        let part = cx.answers(cx.get(&format!("{base}/index.html")).header("range", "bytes=1-2"), 206).await;
        cx.same("range", (part.text(), part.header("content-range")), ("ta".into(), "bytes 1-2/5".into()));
    }
}

pub(super) async fn what_is_no_site_is_told(cx: Cx) {
    let name = cx.fresh("no-site");
    cx.refused(cx.get(&format!("/docs/{name}/")), 404, "No docs available").await;
    cx.refused(cx.get(&format!("/docs/{name}")), 404, "Not found").await;
    cx.refused(cx.get(&format!("/docs/{name}/main/builtin/extract/")), 404, "Not found").await;
    cx.refused(cx.get("/docs/-x/"), 400, "Invalid project name: '-x'").await;
    cx.refused(cx.get("/docs/-x/main/builtin/extract/"), 400, "Invalid project name: '-x'").await;
    cx.generating("admin", &name).await;
    cx.refused(cx.get(&format!("/docs/{name}/")), 404, "No docs available").await;
    cx.refused(cx.get(&format!("/docs/{name}/main/builtin/extract/")), 404, "File not found").await;
    for rest in ["main/gpt/x/", "-x/builtin/extract/", "main/builtin/other/"] {
        cx.refused(cx.get(&format!("/docs/{name}/{rest}")), 404, "Not found").await;
    }
}

pub(super) async fn no_path_leads_out_of_a_site(cx: Cx) {
    let name = cx.fresh("prison");
    cx.ready("admin", &name, &[("index.html", "start")]).await;
    for base in [format!("/docs/{name}"), format!("/docs/{name}/main/builtin/extract")] {
        // three parts before a file name a variant, so the longer way out is no way out of the newest site
        for path in ["../manifest.json", "%2e%2e/manifest.json", "/etc/passwd", "..%2f..%2fplan.json"] {
            let path = format!("{base}/{path}");
            cx.same(&path, cx.get_raw(&path).await, (403, r#"{"detail":"Access denied"}"#.into()));
        }
        for path in ["%252e%252e/manifest.json", "..%5cmanifest.json", "a%00b", ".hidden", "index.html%00"] {
            let (status, body) = cx.get_raw(&format!("{base}/{path}")).await;
            cx.holds(path, status == 404 || (path.contains("%00") && status == 400), &format!("{status} {body}"));
        }
        let path = format!("{base}/a/../index.html");
        cx.same(&path, cx.get_raw(&path).await, (200, "start".into()));
    }
}

pub(super) async fn readers_with_a_browser_are_sent_to_the_form_and_others_are_told(cx: Cx) {
    let (user, name) = (cx.user("viewer").await, cx.fresh("guarded"));
    cx.ready("admin", &name, &[("index.html", "start")]).await;
    let path = format!("/docs/{name}/index.html?owner=admin");
    cx.refused(cx.ask(Method::GET, &path), 401, "Unauthorized").await;
    let answer = cx.answers(cx.ask(Method::GET, &path).header("accept", "text/html,*/*"), 302).await;
    let location = answer.header("location");
    let next: String = url::form_urlencoded::byte_serialize(path.as_bytes()).collect();
    cx.same("location", location, format!("/login?next={next}"));
    cx.same("body", answer.bytes.len(), 0);
    // only docs lead there
    cx.refused(cx.ask(Method::GET, "/api/status").header("accept", "text/html"), 401, "Unauthorized").await;
    // a site of somebody else does not exist
    cx.refused(cx.by(&user, Method::GET, &path), 404, "No docs available").await;
    let variant = format!("/docs/{name}/main/builtin/extract/");
    cx.refused(cx.by(&user, Method::GET, &variant), 404, "Not found").await;
    let cookie = cx.log_in(&user).await;
    cx.grant("admin", &name, &user).await;
    cx.answers(cx.ask(Method::GET, &variant).header("cookie", cookie), 200).await;
}

pub(super) async fn the_last_good_site_stays_when_a_newer_run_fails(cx: Cx) {
    let name = cx.fresh("good");
    let key = cx.ready("admin", &name, &[("index.html", "good")]).await;
    let world = &cx.target.world;
    let (id, fence) = crate::routes::occupy(world, &key).await;
    for base in [format!("/docs/{name}/"), format!("/docs/{name}/main/builtin/extract/")] {
        cx.says(cx.get(&base), 200, "good").await;
    }
    let mut conn = world.pool.acquire().await.unwrap();
    let state = shared::generation::State::Error;
    shared::db::generations::end_unfinished(&mut conn, id, fence, state, "it failed").await.unwrap();
    drop(conn);
    let row = cx.answers(cx.get(&format!("/api/projects/{name}/main/builtin/extract")), 200).await.json();
    cx.same("row", (&row["status"], &row["error_message"]), (&json!("error"), &json!("it failed")));
    for base in [format!("/docs/{name}/"), format!("/docs/{name}/main/builtin/extract/")] {
        cx.says(cx.get(&base), 200, "good").await;
    }
    cx.answers(cx.get(&format!("/api/projects/{name}/main/builtin/extract/download")), 200).await;
}
