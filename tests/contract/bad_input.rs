//! What nobody should send: it is refused with a sentence, never with 500, and the server goes on.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{asking::Cx, target::ADMIN_KEY};

/// Status of the first answer in what came back; 0 when there is none.
fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or_default()
}

fn request(line: &str, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "{line} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ADMIN_KEY}\r\nconnection: close\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}

pub(super) async fn bodies_over_the_limit_are_413_however_they_come(cx: Cx) {
    let sentence = r#"{"detail":"Request body is larger than 64 KiB"}"#;
    let big = "x".repeat(64 * 1024 + 1);
    for path in BODIES {
        let method = if path == SETTINGS { Method::PUT } else { Method::POST };
        cx.says(cx.admin(method, path).body(big.clone()), 413, sentence).await;
    }
    let chunks = vec![Ok::<_, std::io::Error>(big[..60_000].to_owned()), Ok(big.clone())];
    let chunked = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
    cx.says(cx.post("/api/generate").body(chunked), 413, sentence).await;
    // announced and never sent
    let answer = cx.raw(&request("POST /api/generate", "content-length: 9000000000\r\n", "{")).await;
    cx.same("announced", status(&answer), 413);
    cx.answers(cx.post("/api/generate").body(big[1..].to_owned()), 422).await;
}

const SETTINGS: &str = "/api/admin/settings";

/// Routes with JSON bodies; one's own key is not among them, because the built-in admin is refused before.
const BODIES: [&str; 6] = [
    "/api/auth/login",
    "/api/generate",
    "/api/admin/users",
    SETTINGS,
    "/api/admin/projects/x/access",
    "/api/admin/users/nobody/rotate-key",
];

pub(super) async fn slow_headers_are_cut(cx: Cx) {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(&cx.target.address).await.unwrap();
    stream.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\nx-slow: ").await.unwrap();
    let mut answer = Vec::new();
    let cut = tokio::time::timeout(Duration::from_secs(25), stream.read_to_end(&mut answer)).await;
    let said = String::from_utf8_lossy(&answer).into_owned();
    cx.holds("cut", cut.is_ok(), "the connection stays open");
    cx.holds("cut", matches!(status(&said), 0 | 408), &said);
    cx.holds("time", begun.elapsed() < Duration::from_secs(20), &format!("{:?}", begun.elapsed()));
}

pub(super) async fn too_many_and_too_large_headers_are_refused(cx: Cx) {
    let many = "x-many: y\r\n".repeat(100);
    let answer = cx.raw(&request("GET /health", &many, "")).await;
    cx.same("many", status(&answer), 431);
    let large = format!("x-large: {}\r\n", "y".repeat(100_000));
    let answer = cx.raw(&request("GET /health", &large, "")).await;
    cx.same("large", status(&answer), 431);
    let long = format!("GET /{}", "y".repeat(100_000));
    let answer = cx.raw(&request(&long, "", "")).await;
    cx.holds("long path", matches!(status(&answer), 414 | 431), &answer);
    let answer = cx.raw(&request(&format!("GET /api/projects/{}", "a".repeat(8000)), "", "")).await;
    cx.same("long name", status(&answer), 400);
}

pub(super) async fn what_is_no_http_is_refused(cx: Cx) {
    let line = "GET /api/auth/me";
    for (what, bytes, allowed) in [
        ("no request", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), &[0, 400][..]),
        ("half a line", b"GET\r\n\r\n".to_vec(), &[400]),
        ("a version that is none", b"GET / HTTP/9.9\r\nhost: x\r\n\r\n".to_vec(), &[400, 505]),
        ("HTTP/2 without asking", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), &[0, 400, 505]),
        ("a header without a colon", request(line, "nonsense\r\n", ""), &[400]),
        ("a header with a space", request(line, "x y: z\r\n", ""), &[400]),
        ("a folded header", request(line, "x: y\r\n z\r\n", ""), &[400]),
        ("NUL in a header", request(line, "x: a\0b\r\n", ""), &[400]),
        ("two lengths", request("POST /api/generate", "content-length: 2\r\ncontent-length: 3\r\n", "{}"), &[400]),
        ("a length that is none", request("POST /api/generate", "content-length: -2\r\n", "{}"), &[400]),
        ("a huge length", request("POST /api/generate", "content-length: 99999999999999999999999\r\n", ""), &[400]),
        ("a coding that is none", request("POST /api/generate", "transfer-encoding: zip\r\n", "{}"), &[400, 501]),
        (
            "length and coding",
            request("POST /api/generate", "content-length: 2\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n"),
            // RFC 9112 6.3: the coding wins or the request is refused
            &[400, 422],
        ),
        ("chunks that are none", request("POST /api/generate", "transfer-encoding: chunked\r\n", "xyz\r\n"), &[400]),
        ("half a body", request("POST /api/generate", "content-length: 5000\r\n", "{"), &[0, 400, 408]),
    ] {
        let mut stream = TcpStream::connect(&cx.target.address).await.unwrap();
        let _ = stream.write_all(&bytes).await;
        // a sender who is gone is not answered; only requests that never end need that
        if allowed.contains(&0) {
            let _ = stream.shutdown().await;
        }
        let mut answer = Vec::new();
        let closed = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        cx.holds(what, closed.is_ok(), "the connection stays open");
        cx.holds(what, allowed.contains(&status(&answer)), &format!("{answer:?} is none of {allowed:?}"));
    }
}

pub(super) async fn unusual_http_is_understood(cx: Cx) {
    for (what, bytes, expected) in [
        ("HTTP/1.0", format!("GET /api/auth/me HTTP/1.0\r\nauthorization: Bearer {ADMIN_KEY}\r\n\r\n"), 200),
        (
            "absolute",
            format!(
                "GET http://elsewhere/api/auth/me HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ADMIN_KEY}\r\nconnection: close\r\n\r\n"
            ),
            200,
        ),
        (
            "absolute, unknown",
            "GET http://elsewhere/api/auth/me HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".into(),
            401,
        ),
        ("everything", "OPTIONS * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".into(), 405),
        (
            "a method of ones own",
            format!(
                "BREW /api/projects HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ADMIN_KEY}\r\nconnection: close\r\n\r\n"
            ),
            405,
        ),
        ("a tunnel", "CONNECT github.com:443 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".into(), 405),
        (
            "a body to read",
            format!(
                "GET /api/auth/me HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ADMIN_KEY}\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}"
            ),
            200,
        ),
    ] {
        let answer = cx.raw(bytes.as_bytes()).await;
        cx.same(what, status(&answer), expected);
    }
}

pub(super) async fn texts_that_are_no_utf8_are_refused(cx: Cx) {
    let body: &[u8] = b"{\"username\": \"\xff\xfe\"}";
    for path in BODIES {
        let method = if path == SETTINGS { Method::PUT } else { Method::POST };
        cx.answers(cx.admin(method, path).header("content-type", "application/json").body(body), 400).await;
    }
    for path in ["/api/projects/%FF", "/api/projects/a/%C3%28/builtin/extract", "/docs/x/%FF", "/docs/%FF/", "/api/%FF"]
    {
        let (status, text) = cx.get_raw(path).await;
        cx.same(path, (status, text.as_str()), (400, r#"{"detail":"Path is not valid UTF-8"}"#));
    }
    let (status, _) = cx.get_raw("/api/projects/x/main/builtin/extract?owner=%FF").await;
    cx.same("query", status, 400);
    // bytes that are not encoded at all
    let mut raw = b"GET /api/projects/\xff HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ".to_vec();
    raw.extend_from_slice(ADMIN_KEY.as_bytes());
    raw.extend_from_slice(b"\r\nconnection: close\r\n\r\n");
    cx.same("raw bytes", self::status(&cx.raw(&raw).await), 400);
    // and nobody is told more than that they are unknown
    let anonymous = cx.raw(b"GET /api/projects/%FF HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    cx.same("unknown caller", self::status(&anonymous), 401);
}

pub(super) async fn nul_is_refused_wherever_it_stands(cx: Cx) {
    for path in [
        "/api/projects/a%00b",
        "/api/projects/a/b%00/builtin/extract",
        "/api/projects/a/main/builtin/extract%00",
        "/api/projects/a/main/builtin/extract?owner=%00",
        "/api/projects/by-id/%00",
        "/api/projects/a%00/download",
        "/api/admin/projects/a%00/access?owner=x",
        "/api/admin/projects/a/access?owner=%00",
    ] {
        let (status, text) = cx.get_raw(path).await;
        cx.holds(path, matches!(status, 400 | 404), &format!("{status} {text}"));
    }
    for (method, path) in [
        ("DELETE", "/api/projects/a%00"),
        ("DELETE", "/api/projects/a?owner=%00"),
        ("DELETE", "/api/projects/a/main/builtin/extract?owner=a%00"),
        ("DELETE", "/api/admin/users/a%00"),
        ("POST", "/api/admin/users/a%00/rotate-key"),
        ("DELETE", "/api/admin/projects/a/access/x%00?owner=x"),
        ("POST", "/api/projects/a%00/abort"),
    ] {
        let answer = cx.raw(&request(&format!("{method} {path}"), "", "")).await;
        cx.holds(path, matches!(status(&answer), 400 | 404 | 405), &answer);
    }
    let nul = |fields: Value| fields.to_string();
    let login = nul(json!({"username": cx.fresh("nul\0"), "api_key": "x\0"}));
    cx.refused(cx.ask(Method::POST, "/api/auth/login").body(login), 400, "Request body contains a NUL character").await;
    let form = cx.ask(Method::POST, "/login").body("username=a%00b&api_key=x%00&next=%00");
    let form = cx.send(form.header("content-type", "application/x-www-form-urlencoded")).await;
    cx.holds("form", matches!(form.status, 400 | 401), &form.text());
    cx.answers(cx.post("/api/admin/users").body(nul(json!({"username": "nul\0"}))), 400).await;
    cx.answers(cx.post("/api/admin/users").body(nul(json!({"username": "fine", "role": "user\0"}))), 400).await;
    for field in ["repo_url", "repo_path", "branch", "ai_model", "ai_provider", "repo_type", "force", "ai_cli_timeout"]
    {
        let mut body = json!({"repo_url": "https://127.0.0.1:1/acme/demo"});
        if field == "repo_path" {
            body = json!({});
        }
        body[field] = json!("/a\0b");
        let answer = cx.send(cx.post("/api/generate").json(&body)).await;
        cx.holds(field, matches!(answer.status, 400 | 422), &answer.text());
    }
}

pub(super) async fn secrets_of_other_alphabets_open_nothing(cx: Cx) {
    let secrets = ["ключ", "\u{1f511}", "the-admin-key-of-the-contract\u{301}", "ａdmin"];
    for (number, secret) in secrets.into_iter().enumerate() {
        // the name `admin` has five tries, and other cases log in
        let username = if number < 2 { "admin".to_owned() } else { cx.fresh("nobody") };
        let login = json!({"username": username, "api_key": secret});
        let answer = cx.send(cx.ask(Method::POST, "/api/auth/login").json(&login)).await;
        cx.holds(secret, matches!(answer.status, 401 | 429), &answer.text());
        for header in ["authorization", "cookie"] {
            let prefix = if header == "cookie" { "docsfy_session=" } else { "Bearer " };
            let mut bytes = format!("GET /api/auth/me HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{header}: {prefix}");
            bytes.push_str(secret);
            bytes.push_str("\r\n\r\n");
            cx.same(secret, status(&cx.raw(bytes.as_bytes()).await), 401);
        }
    }
    let latin =
        b"GET /api/auth/me HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer \xfc\xff\x80\r\n\r\n";
    cx.same("Latin-1", status(&cx.raw(latin).await), 401);
}

pub(super) async fn secrets_of_other_alphabets_open_no_socket(cx: Cx) {
    for token in ["%D0%BA%D0%BB%D1%8E%D1%87", "%FF%FE", "%00", "a%0D%0Ab"] {
        let headers =
            "upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
        let bytes =
            format!("GET /api/ws?token={token} HTTP/1.1\r\nhost: x\r\nconnection: upgrade, close\r\n{headers}\r\n");
        let answer = cx.raw(bytes.as_bytes()).await;
        cx.holds(token, matches!(status(&answer), 400 | 403), &answer);
    }
    // no upgrade at all
    let answer = cx.send(cx.get("/api/ws")).await;
    cx.holds("no upgrade", matches!(answer.status, 400 | 403 | 404 | 426), &answer.text());
}

/// JSON that is none, or that means something else to every parser.
fn odd_json() -> Vec<(&'static str, String)> {
    vec![
        ("deep lists", "[".repeat(20_000)),
        ("deep lists that end", format!("{}{}", "[".repeat(20_000), "]".repeat(20_000))),
        ("deep objects", format!("{}1{}", "{\"a\":".repeat(8_000), "}".repeat(8_000))),
        ("a lone surrogate", r#"{"username":"\ud800","new_key":"\ud800","repo_url":"\ud800"}"#.into()),
        ("half a pair", r#"{"username":"\ud83dx"}"#.into()),
        ("a huge number", format!("{{\"username\":{}}}", "9".repeat(5_000))),
        ("a number beyond floats", r#"{"username":1e999,"settings":1e999,"ai_cli_timeout":1e999}"#.into()),
        ("no number", r#"{"username":NaN}"#.into()),
        ("infinity", r#"{"username":-Infinity}"#.into()),
        ("single quotes", "{'username':'x'}".into()),
        ("a comma too many", r#"{"username":"x",}"#.into()),
        ("a comment", r#"{"username":"x"/* */}"#.into()),
        ("a raw control character", "{\"username\":\"a\nb\"}".into()),
        ("an unknown escape", r#"{"username":"\x41"}"#.into()),
        ("two values", "{} {}".into()),
        ("a byte order mark", "\u{feff}{}".into()),
        ("white space", "   ".into()),
    ]
}

pub(super) async fn json_that_is_none_is_refused(cx: Cx) {
    let user = cx.user("user").await;
    for (what, body) in odd_json() {
        // a login with a name that nobody has is no object either, or no text
        for path in BODIES {
            let method = if path == SETTINGS { Method::PUT } else { Method::POST };
            let request = cx.admin(method, path).header("content-type", "application/json").body(body.clone());
            let answer = cx.send(request).await;
            let cell = format!("{} with {what}", answer.cell);
            let is_refused = matches!(answer.status, 400 | 401 | 404 | 422);
            cx.holds(&cell, is_refused, &format!("{} {}", answer.status, answer.text()));
        }
        // white space is no body, and then a key is made
        if what != "white space" {
            cx.answers(cx.by(&user, Method::POST, "/api/auth/rotate-key").body(body), 400).await;
        }
    }
}

pub(super) async fn the_last_of_two_equal_keys_counts(cx: Cx) {
    let name = cx.fresh("twice");
    let body = format!(r#"{{"username":5,"role":"root","username":"{name}","role":"viewer"}}"#);
    let answer = cx.answers(cx.post("/api/admin/users").body(body), 200).await;
    cx.same("role", &answer.json()["role"], &json!("viewer"));
}

/// Every field of every body, with values of every other kind.
pub(super) async fn values_of_other_kinds_are_refused_with_a_sentence(cx: Cx) {
    let kinds = [json!(5), json!(-1.5), json!(true), json!([]), json!(["x"]), json!({}), json!({"a": null})];
    for field in ["repo_url", "repo_path", "branch", "ai_model", "ai_provider", "repo_type"] {
        for value in &kinds {
            let mut body = json!({"repo_url": "https://10.0.0.1/acme/demo"});
            body[field] = value.clone();
            let answer = cx.answers(cx.post("/api/generate").json(&body), 422).await;
            cx.same(field, &answer.json()["detail"][0]["loc"], &json!(["body", field]));
        }
    }
    for value in &kinds {
        let answer = cx.answers(cx.post("/api/admin/users").json(&json!({"username": value})), 400).await;
        cx.holds("username", answer.json()["detail"].is_string(), &answer.text());
        let body = json!({"username": "fine", "role": value});
        let answer = cx.answers(cx.post("/api/admin/users").json(&body), 400).await;
        cx.holds("role", answer.json()["detail"].is_string(), &answer.text());
    }
}

pub(super) async fn keys_grants_and_settings_of_other_kinds_are_refused(cx: Cx) {
    let (user, owner) = (cx.user("user").await, cx.user("user").await);
    let kinds = [json!(5), json!(-1.5), json!(true), json!(["x"]), json!({"a": null})];
    for value in &kinds {
        for path in ["/api/auth/rotate-key", &format!("/api/admin/users/{}/rotate-key", user.name)] {
            for field in ["new_key", "new_api_key"] {
                let by = if path.contains("admin") { cx.post(path) } else { cx.by(&user, Method::POST, path) };
                let answer = cx.answers(by.json(&json!({ field: value })), 400).await;
                cx.holds(field, answer.json()["detail"].is_string(), &answer.text());
            }
        }
        let path = "/api/admin/projects/x/access";
        for body in [json!({"username": value, "owner": owner.name}), json!({"username": owner.name, "owner": value})] {
            let answer = cx.send(cx.post(path).json(&body)).await;
            cx.holds(&body.to_string(), matches!(answer.status, 400 | 404), &answer.text());
        }
        for body in [json!({"settings": value}), json!({"settings": {"default_ai_provider": value}})] {
            cx.answers(cx.put(SETTINGS).json(&body), 400).await;
        }
    }
    cx.answers(cx.by(&user, Method::GET, "/api/auth/me"), 200).await;
}
