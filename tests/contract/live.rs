//! What is told without being asked: the WebSocket and the events.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
};

use super::{
    asking::{Cx, keys},
    target::ADMIN_KEY,
};
use crate::routes::publish_site;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The socket, or the status of the refusal.
async fn open(cx: &Cx, query: &str, headers: &[(&'static str, &str)]) -> Result<Socket, u16> {
    let mut request = format!("ws://{}/api/ws{query}", cx.target.address).into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    match connect_async(request).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(answer)) => Err(answer.status().as_u16()),
        Err(error) => panic!("{query}: {error}"),
    }
}

/// The next message that is a text.
async fn next(socket: &mut Socket) -> String {
    let heard = async {
        loop {
            if let Message::Text(text) = socket.next().await.unwrap().unwrap() {
                return text.to_string();
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), heard).await.expect("nothing is told")
}

pub(super) async fn a_socket_opens_for_a_token_or_a_cookie_and_is_403_otherwise(cx: Cx) {
    let user = cx.user("viewer").await;
    let cookie = cx.log_in(&user).await;
    let bearer = format!("Bearer {ADMIN_KEY}");
    for (query, headers) in [
        ("", vec![]),
        ("?token=", vec![]),
        ("?token=wrong", vec![]),
        ("?token=%D0%BA%D0%BB%D1%8E%D1%87", vec![]),
        ("", vec![("cookie", "docsfy_session=nonsense")]),
    ] {
        let opened = open(&cx, query, &headers).await;
        cx.same(&format!("{query} {headers:?}"), opened.err(), Some(403));
    }
    let token = format!("?token={}", user.key);
    // docsfy does not read the bearer key here
    for (query, headers) in [
        (token.as_str(), vec![]),
        ("", vec![("cookie", cookie.as_str())]),
        ("", vec![("authorization", bearer.as_str())]),
    ] {
        let opened = open(&cx, query, &headers).await;
        cx.same(query, opened.as_ref().err(), None);
    }
}

pub(super) async fn a_socket_begins_with_everything_that_one_may_see(cx: Cx) {
    let (user, name) = (cx.user("user").await, cx.fresh("socket"));
    cx.ready(&user.name, &name, &[("index.html", "start")]).await;
    let mut socket = open(&cx, &format!("?token={}", user.key), &[]).await.unwrap();
    let text = next(&mut socket).await;
    let expected = ["type", "projects", "known_models", "known_branches", "total_cost_usd"];
    cx.same("keys", keys(&text), expected.map(str::to_owned).to_vec());
    let sync: Value = serde_json::from_str(&text).unwrap();
    let list = cx.answers(cx.by(&user, Method::GET, "/api/status"), 200).await.json();
    cx.same("type", &sync["type"], &json!("sync"));
    cx.same("projects", &sync["projects"], &list["projects"]);
    // what no server should mind
    for message in ["{\"type\":\"pong\"}", "[]", "5", "no json", "{}", "null"] {
        socket.send(Message::text(message)).await.unwrap();
    }
    socket.send(Message::binary(vec![0, 159, 146, 150])).await.unwrap();
    // another process may have the news first
    publish_site(&cx.target.world, &crate::routes::variant_of(&user.name, &name), &[("index.html", "new")]).await;
    let mut kinds = Vec::new();
    while !kinds.contains(&json!("sync")) {
        let text = next(&mut socket).await;
        kinds.push(serde_json::from_str::<Value>(&text).unwrap()["type"].clone());
        if *kinds.last().unwrap() == "status_change" {
            let told: Value = serde_json::from_str(&text).unwrap();
            cx.same("what", (&told["name"], &told["status"]), (&json!(name), &json!("ready")));
            cx.same("who", (&told["provider"], &told["model"]), (&json!("builtin"), &json!("extract")));
            cx.same("owner", &told["owner"], &json!(user.name));
        }
    }
    cx.holds("told", kinds.contains(&json!("status_change")), &format!("{kinds:?}"));
}

pub(super) async fn events_of_a_variant_can_be_followed_and_resumed(cx: Cx) {
    let (user, other, name) = (cx.user("user").await, cx.user("user").await, cx.fresh("events"));
    cx.ready(&user.name, &name, &[("index.html", "start")]).await;
    let variant = format!("/api/projects/{name}/main/builtin/extract");
    let row = cx.answers(cx.by(&user, Method::GET, &variant), 200).await.json();
    let generation = format!("/api/generations/{}/events", row["generation_id"].as_str().unwrap());
    for path in [&format!("{variant}/events"), &generation] {
        cx.refused(cx.ask(Method::GET, path), 401, "Unauthorized").await;
        let answer = cx.send(cx.by(&other, Method::GET, path)).await;
        cx.same(path, answer.status, 404);
        let request = cx.by(&user, Method::GET, path).header("last-event-id", "0");
        let answer = request.send().await.unwrap();
        cx.same(path, answer.status().as_u16(), 200);
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        cx.holds(path, kind.starts_with("text/event-stream"), &kind);
        let mut chunks = answer.bytes_stream();
        let mut told = String::new();
        let heard = async {
            while !told.contains("ready") {
                told.push_str(&String::from_utf8_lossy(&chunks.next().await.unwrap().unwrap()));
            }
        };
        let heard = tokio::time::timeout(Duration::from_secs(10), heard).await;
        cx.holds(path, heard.is_ok() && told.contains("id:"), &told);
    }
    cx.refused(cx.get("/api/projects/-x/main/builtin/extract/events"), 400, "Invalid project name: '-x'").await;
    cx.answers(cx.get("/api/generations/x/events"), 400).await;
    cx.answers(cx.get("/api/generations/00000000-0000-4000-8000-000000000000/events"), 404).await;
}
