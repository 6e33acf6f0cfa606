//! Nothing that anybody sends about users, keys and grants is answered with 500.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{ADMIN_KEY, Api, publish_site, variant_of};
use crate::support::world::World;

/// Path, key of the caller, and the fields of the body with a value of each.
type Route<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

/// Values of which none is a name, a key or a role.
fn odd_values() -> Vec<String> {
    let mut odd: Vec<String> =
        ["null", "true", "0", "-1", "1e999", "123456789012345678901234567890", "[]", "{}", r#""""#]
            .map(str::to_owned)
            .into();
    odd.push(format!("{}{}", "[".repeat(100), "]".repeat(100)));
    odd.push(format!("{}{}", "[".repeat(30_000), "]".repeat(30_000)));
    odd.push(format!("{}1{}", r#"{"a":"#.repeat(5_000), "}".repeat(5_000)));
    odd.push(r#""\ud800""#.into());
    for text in [
        "\0",
        "a\0b",
        "\u{7f}",
        "ключ",
        "\u{202e}x",
        "' OR 1=1 --",
        "%00",
        "../..",
        "\n",
        "😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀",
    ] {
        odd.push(Value::from(text).to_string());
    }
    odd.push(Value::from("x".repeat(60_000)).to_string());
    odd.push(Value::from("\0".repeat(10_000)).to_string());
    odd
}

#[tokio::test]
async fn odd_bodies_are_refused() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let key = api.create_user("alice", "user").await;
    publish_site(&world, &variant_of("admin", "demo"), &[("index.html", "x")]).await;
    let routes: [Route; 5] = [
        ("/api/auth/login", "", &[("username", "alice"), ("api_key", "wrong")]),
        ("/api/auth/rotate-key", &key, &[("new_key", "x"), ("new_api_key", "x")]),
        ("/api/admin/users", ADMIN_KEY, &[("username", "carol"), ("role", "nothing")]),
        ("/api/admin/users/alice/rotate-key", ADMIN_KEY, &[("new_key", "x"), ("new_api_key", "x")]),
        ("/api/admin/projects/demo/access", ADMIN_KEY, &[("username", "nobody"), ("owner", "nobody")]),
    ];
    let mut address = 0;
    for (path, key, fields) in routes {
        let mut bodies: Vec<Vec<u8>> = odd_values().into_iter().map(String::into_bytes).collect();
        bodies.extend([b"\xff\xfe".to_vec(), b"{\"username\":\"\xff\"}".to_vec(), b"\0".to_vec(), b"{".to_vec()]);
        for (odd, _) in fields {
            for value in odd_values() {
                let others = fields.iter().filter(|(name, _)| name != odd);
                let mut members: Vec<_> = others.map(|(name, value)| format!(r#""{name}":"{value}""#)).collect();
                members.push(format!(r#""{odd}":{value}"#));
                bodies.push(format!("{{{}}}", members.join(",")).into_bytes());
            }
        }
        for body in bodies {
            // an empty key is an empty wish for one
            if path.ends_with("rotate-key") && matches!(&*body, b"{}") {
                continue;
            }
            address += 1;
            let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
            let request = api
                .ask(Method::POST, path)
                .header("x-forwarded-for", format!("10.0.{}.{}", address / 250, address % 250));
            let answer = request.bearer_auth(key).body(body).send().await.unwrap();
            let status = answer.status().as_u16();
            let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
            let refused = matches!(status, 400 | 401 | 404) || status == 429 && path == "/api/auth/login";
            assert!(refused && answer["detail"].is_string(), "{path} {shown}: {status} {answer}");
        }
    }
    for form in [&b"username=%00&api_key=%ff"[..], b"\xff\xfe=\0&&&===", b"username=a&api_key=", b""] {
        let status = api.ask(Method::POST, "/login").body(form.to_vec()).send().await.unwrap().status();
        assert_eq!(status, 401, "{form:?}");
    }
}

#[tokio::test]
async fn odd_headers_prove_nothing() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    api.create_user("alice", "user").await;
    let long = "x".repeat(20_000);
    for proof in [
        b"authorization: Bearer \xff\xfe\x80".to_vec(),
        "authorization: Bearer ключ".into(),
        b"authorization: Bearer ".to_vec(),
        b"authorization: Bearer".to_vec(),
        b"authorization: ".to_vec(),
        b"authorization: Bearer docsfy_".to_vec(),
        format!("authorization: Bearer {long}").into(),
        format!("authorization: Bearer docsfy_{}", "a".repeat(49)).into(),
        b"cookie: docsfy_session=\xff\xff".to_vec(),
        b"cookie: docsfy_session=".to_vec(),
        b"cookie: ;;;=;=;docsfy_session".to_vec(),
        format!("cookie: docsfy_session={long}").into(),
        format!("cookie: docsfy_session={}", "a".repeat(43)).into(),
        b"x-forwarded-for: \xff, ::, 1.2.3.4.5,,".to_vec(),
    ] {
        for path in ["/api/auth/me", "/docs/demo/"] {
            let shown = String::from_utf8_lossy(&proof[..proof.len().min(60)]).into_owned();
            assert_eq!(raw_status(&api, path, &proof).await, 401, "{shown}");
        }
    }
    assert_eq!(raw_status(&api, "/api/auth/me", b"authorization: Bearer a\0b").await, 400);
}

async fn raw_status(api: &Api, path: &str, header: &[u8]) -> u16 {
    let mut stream = TcpStream::connect(&api.address).await.unwrap();
    let head =
        [format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n").as_bytes(), header, b"\r\n\r\n"].concat();
    stream.write_all(&head).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn what_a_sentence_repeats_is_short_and_harmless() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let name = "x".repeat(10_000);
    let delete = api.ask(Method::DELETE, &format!("/api/admin/users/{name}%0a%1b")).bearer_auth(ADMIN_KEY);
    let (status, sentence) = super::refusal(delete).await;
    assert!(status == 404 && sentence.len() < 150, "{status} {sentence}");
    let body = json!({ "username": "carol", "role": "\u{1b}[31m" }).to_string();
    let (status, sentence) = super::refusal(api.post("/api/admin/users").body(body)).await;
    assert_eq!((status, sentence.as_str()), (400, "Invalid role: '?[31m'. Must be admin, user, or viewer."));
}
