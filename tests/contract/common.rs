//! What all routes have in common: who is let in, unknown paths and methods, spellings of paths, HEAD, headers.

use reqwest::Method;
use serde_json::{Value, json};

use super::asking::{Cx, keys};

/// Every route of the contract, with the methods that it has.
const ROUTES: [(&str, &str); 26] = [
    ("/health", "GET"),
    ("/api/models", "GET"),
    ("/api/auth/login", "POST"),
    ("/api/auth/logout", "POST"),
    ("/api/auth/me", "GET"),
    ("/api/status", "GET"),
    ("/api/projects", "GET"),
    ("/api/projects/by-id/00000000-0000-4000-8000-000000000000", "GET"),
    ("/api/projects/demo", "GET DELETE"),
    ("/api/generate", "POST"),
    ("/api/projects/demo/main/builtin/extract", "GET DELETE"),
    ("/api/projects/demo/main/builtin/extract/abort", "POST"),
    ("/api/projects/demo/main/builtin/extract/download", "GET"),
    ("/api/projects/demo/abort", "POST"),
    ("/api/projects/demo/download", "GET"),
    ("/api/admin/users", "GET POST"),
    ("/docs/demo/main/builtin/extract/index.html", "GET"),
    ("/docs/demo/index.html", "GET"),
    ("/api/auth/rotate-key", "POST"),
    ("/api/cost", "GET"),
    ("/api/models/refresh", "POST"),
    ("/api/admin/users/nobody", "DELETE"),
    ("/api/admin/users/nobody/rotate-key", "POST"),
    ("/api/admin/projects/demo/access", "GET POST"),
    ("/api/admin/projects/demo/access/nobody", "DELETE"),
    ("/api/admin/settings", "GET PUT"),
];

const PUBLIC: [&str; 4] = ["/health", "/api/models", "/api/auth/login", "/api/auth/logout"];

pub(super) async fn health_is_public(cx: Cx) {
    cx.says(cx.ask(Method::GET, "/health"), 200, r#"{"status":"ok"}"#).await;
}

pub(super) async fn whoever_is_unknown_hears_401_before_anything_else(cx: Cx) {
    for method in [Method::GET, Method::POST, Method::DELETE, Method::PUT, Method::PATCH, Method::OPTIONS] {
        for (path, _) in ROUTES.iter().filter(|(path, _)| !PUBLIC.contains(path)) {
            cx.refused(cx.ask(method.clone(), path), 401, "Unauthorized").await;
        }
        cx.refused(cx.ask(method.clone(), "/api/nope"), 401, "Unauthorized").await;
        cx.refused(cx.ask(method.clone(), "/api/projects/-x"), 401, "Unauthorized").await;
    }
    // a body that does not fit is not looked at, whatever its size
    let big = cx.ask(Method::POST, "/api/generate").body("x".repeat(70_000));
    cx.refused(big, 401, "Unauthorized").await;
}

pub(super) async fn what_is_no_route_is_404_to_read_and_405_to_change(cx: Cx) {
    for path in ["/api/nope", "/api/", "/api/projects/a/b", "/api/projects/a/b/c/d/e", "/api/admin", "/nope", "/docs/"]
    {
        cx.refused(cx.get(path), 404, "Not found").await;
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
            let answer = cx.send(cx.admin(method, path)).await;
            let found = (answer.status, answer.text(), answer.header("allow"));
            let expected = (405, r#"{"detail":"Method Not Allowed"}"#.to_owned(), "GET".to_owned());
            cx.same(&answer.cell, found, expected);
        }
    }
}

pub(super) async fn no_slash_is_added_or_taken(cx: Cx) {
    for path in ["/api/models/", "/api/projects/", "/api/status/", "/api/auth/me/", "/api/admin/users/", "/health/"] {
        cx.refused(cx.get(path), 404, "Not found").await;
    }
    cx.refused(cx.post("/api/generate/"), 405, "Method Not Allowed").await;
}

pub(super) async fn a_method_that_a_route_lacks_is_405_and_the_answer_names_those_it_has(cx: Cx) {
    for (path, methods) in ROUTES {
        for method in [Method::PUT, Method::PATCH, Method::OPTIONS, Method::DELETE, Method::POST, Method::TRACE] {
            if methods.contains(method.as_str()) {
                continue;
            }
            let answer = cx.send(cx.admin(method, path)).await;
            cx.same(&answer.cell, (answer.status, answer.text()), (405, r#"{"detail":"Method Not Allowed"}"#.into()));
            for allowed in methods.split(' ') {
                let allow = answer.header("allow");
                cx.holds(&answer.cell, allow.contains(allowed), &format!("Allow is `{allow}`"));
            }
        }
    }
}

pub(super) async fn a_path_is_decoded_once_and_before_it_is_routed(cx: Cx) {
    for (path, status, detail) in [
        ("/api/projects/a%2Fb", 404, "Not found"),
        ("/api/projects/a%252Fb", 400, "Invalid project name: 'a%2Fb'"),
        ("/api/projects/a%5Cb", 400, "Invalid project name: 'a\\b'"),
        ("/api/projects/%2e%2e", 400, "Invalid project name: '..'"),
        ("/api/projects/..%2f..%2fetc", 404, "Not found"),
        ("/api/projects/a%0A", 400, "Invalid project name: 'a?'"),
        ("/api/projects/%20", 400, "Invalid project name: ' '"),
        ("/api//projects", 404, "Not found"),
    ] {
        let expected = json!({ "detail": detail }).to_string();
        cx.same(path, cx.get_raw(path).await, (status, expected));
    }
    for path in ["/api/%70rojects", "/%61pi/status", "/api%2Fstatus"] {
        cx.same(path, cx.get_raw(path).await.0, 200);
        let anonymous = cx.raw(format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).await;
        cx.holds(path, anonymous.starts_with("HTTP/1.1 401"), &anonymous);
    }
}

pub(super) async fn head_is_get_without_a_body(cx: Cx) {
    let name = cx.fresh("head");
    cx.ready("admin", &name, &[("index.html", "start")]).await;
    let variant = format!("/api/projects/{name}/main/builtin/extract");
    for path in [
        "/health",
        "/api/models",
        "/api/auth/me",
        "/api/admin/users",
        &format!("/api/projects/{name}"),
        &variant,
        &format!("{variant}/download"),
        &format!("/docs/{name}/"),
        &format!("/docs/{name}/main/builtin/extract/index.html"),
    ] {
        let (get, head) = (cx.send(cx.get(path)).await, cx.send(cx.admin(Method::HEAD, path)).await);
        let expected = (get.status, get.header("content-type"), 0);
        cx.same(&head.cell, (head.status, head.header("content-type"), head.bytes.len()), expected);
        cx.same(&head.cell, head.status, 200);
    }
    for (path, status) in [("/api/nope", 404), ("/api/projects/nope", 404), ("/api/projects/-x", 400)] {
        let answer = cx.answers(cx.admin(Method::HEAD, path), status).await;
        cx.same(&answer.cell, answer.bytes.len(), 0);
    }
}

pub(super) async fn every_answer_tells_browsers_what_not_to_do(cx: Cx) {
    for path in ["/health", "/api/models", "/api/status", "/api/nope", "/login", "/docs/nope/", "/api/openapi.json"] {
        let answer = cx.send(cx.get(path)).await;
        cx.same(path, answer.header("x-content-type-options"), "nosniff");
        cx.same(path, answer.header("x-frame-options"), "DENY");
        cx.holds(path, answer.header("content-security-policy").contains("frame-ancestors 'none'"), "no policy");
        cx.same(path, answer.header("access-control-allow-origin"), "");
    }
}

pub(super) async fn models_are_listed_for_everybody(cx: Cx) {
    let name = cx.fresh("models");
    cx.ready("admin", &name, &[("index.html", "start")]).await;
    let answer = cx.answers(cx.ask(Method::GET, "/api/models"), 200).await;
    let expected = [
        "providers",
        "default_provider",
        "default_model",
        "known_models",
        "available_models",
        "default_vision_provider",
        "default_vision_model",
    ];
    let found = keys(&answer.text());
    cx.same("keys", &found[..expected.len().min(found.len())], &expected[..]);
    let body = answer.json();
    cx.same("providers", &body["providers"], &json!(["builtin", "claude", "gemini", "cursor"]));
    cx.same("known", &body["known_models"]["builtin"], &json!(["extract"]));
    for provider in ["claude", "gemini", "cursor", "builtin"] {
        cx.holds("available", body["available_models"][provider].is_array(), &format!("no {provider}: {body}"));
    }
    let model = &body["available_models"]["builtin"][0];
    cx.same("model", (&model["id"], &model["name"]), (&json!("extract"), &json!("extract")));
    cx.same("vision", (&body["default_vision_provider"], &body["default_vision_model"]), (&json!(""), &json!("")));
}

pub(super) async fn the_description_is_public_and_names_every_route(cx: Cx) {
    let answer = cx.answers(cx.ask(Method::GET, "/api/openapi.json"), 200).await;
    let document = answer.json();
    for (path, method) in [("/api/status", "get"), ("/api/generate", "post"), ("/docs/{project}/{path}", "get")] {
        cx.holds(path, document["paths"][path][method] != Value::Null, "it is not described");
    }
}
