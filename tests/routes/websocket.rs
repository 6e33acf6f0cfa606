//! What those who watch are told, by whichever process.

use std::time::{Duration, Instant};

use api::WatchTimes;
use futures_util::{SinkExt, StreamExt};
use reqwest::Method;
use serde_json::{Value, json};
use shared::{
    db,
    events::{self, AccessChange},
    generation::State,
    ids::GenerationId,
    provider::Provider,
    stage::Stage,
    user::Role,
};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest,
        protocol::frame::{
            Frame,
            coding::{CloseCode, Data, OpCode},
        },
    },
};

use super::{
    ADMIN_KEY, Api, answer, claim, publish_site, queue, refusal, variant_of,
    views::{another_api, grant},
};
use crate::support::{
    repository::Repository,
    world::{World, variant},
};

const PATIENCE: Duration = Duration::from_secs(30);

/// A client of the WebSocket.
pub(super) struct Client(WebSocketStream<TcpStream>);

impl Client {
    /// Connects, or gives the status of the refusal.
    pub(super) async fn try_open(api: &Api, query: &str, headers: &[(&'static str, &str)]) -> Result<Self, u16> {
        let mut request = format!("ws://{}/api/ws{query}", api.address).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let stream = TcpStream::connect(&api.address).await.unwrap();
        match client_async(request, stream).await {
            Ok((stream, _)) => Ok(Self(stream)),
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    pub(super) async fn open(api: &Api, key: &str) -> Self {
        Self::try_open(api, &format!("?token={key}"), &[]).await.unwrap()
    }

    /// Connects and takes the first `sync`.
    async fn open_in_sync(api: &Api, key: &str) -> Self {
        let mut client = Self::open(api, key).await;
        assert_eq!(client.next().await["type"], "sync");
        client
    }

    async fn message(&mut self) -> Option<Message> {
        let message = tokio::time::timeout(PATIENCE, self.0.next()).await.expect("nothing came");
        message.map(Result::unwrap)
    }

    /// The text of the next frame.
    async fn text(&mut self) -> String {
        match self.message().await {
            Some(Message::Text(text)) => text.to_string(),
            other => panic!("{other:?} instead of a text"),
        }
    }

    /// The next frame.
    pub(super) async fn next(&mut self) -> Value {
        serde_json::from_str(&self.text().await).unwrap()
    }

    /// The next frame of a type; others are left out.
    pub(super) async fn next_of(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.next().await;
            if frame["type"] == kind {
                return frame;
            }
        }
    }

    /// The code with which the server ends the connection; what comes before is left out.
    async fn close_code(&mut self) -> u16 {
        loop {
            match self.message().await {
                Some(Message::Close(Some(frame))) => return frame.code.into(),
                Some(_) => {}
                None => panic!("it ended without a word"),
            }
        }
    }

    async fn send(&mut self, message: Message) {
        self.0.send(message).await.unwrap();
    }
}

/// Says that something changed that is no event.
pub(super) async fn announce(world: &World, change: AccessChange) {
    let mut conn = world.pool.acquire().await.unwrap();
    events::announce_access(&mut conn, &change).await.unwrap();
}

/// Says that a stage of a generation began.
pub(super) async fn emit(world: &World, id: GenerationId, stage: Stage) -> i64 {
    let mut conn = world.pool.acquire().await.unwrap();
    let variant = db::generations::find_variant_id(&mut conn, id).await.unwrap().unwrap();
    events::emit_stage(&mut conn, variant, id, stage).await.unwrap()
}

/// Ends a queued generation as one that failed.
pub(super) async fn fail(world: &World, id: GenerationId, message: &str) {
    let fence = claim(world, id).await;
    let mut transaction = world.pool.begin().await.unwrap();
    let variant = db::generations::find_variant_id(&mut transaction, id).await.unwrap().unwrap();
    db::generations::end_unfinished(&mut transaction, id, fence, State::Error, message).await.unwrap();
    events::emit_state(&mut transaction, variant, id, State::Error, Some(message)).await.unwrap();
    transaction.commit().await.unwrap();
}

/// Cuts every connection that listens for notifications.
pub(super) async fn cut_listening_connections(world: &World) {
    let cut: Vec<bool> = sqlx::query_scalar(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND query LIKE 'LISTEN%' AND pid <> pg_backend_pid()",
    )
    .fetch_all(&world.pool)
    .await
    .unwrap();
    assert!(!cut.is_empty(), "nobody listens");
}

fn keys(frame: &Value, text: &str) -> Vec<String> {
    // serde_json sorts keys, so their order is looked up in the text
    let mut keys: Vec<String> = frame.as_object().unwrap().keys().cloned().collect();
    keys.sort_by_key(|key| text.rfind(&format!("\"{key}\":")).unwrap());
    keys
}

fn names(sync: &Value) -> Vec<&str> {
    let mut names: Vec<&str> =
        sync["projects"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn only_those_who_are_known_get_in_and_no_page_of_another_site() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let alice = api.create_user("alice", "viewer").await;
    let cookie = api.log_in().await;
    let bearer = format!("Bearer {ADMIN_KEY}");
    for (query, headers) in [
        ("", vec![]),
        ("?token=wrong", vec![]),
        ("?token=", vec![("cookie", "docsfy_session=x")]),
        ("", vec![("authorization", "Bearer wrong")]),
        ("", vec![("cookie", &*cookie), ("origin", "https://evil.example")]),
        ("", vec![("cookie", &*cookie), ("sec-fetch-site", "cross-site")]),
    ] {
        assert_eq!(Client::try_open(&api, query, &headers).await.err(), Some(403), "{query} {headers:?}");
    }
    let own = format!("http://{}", api.address);
    for (query, headers) in [
        (format!("?token={ADMIN_KEY}"), vec![("origin", "https://evil.example")]),
        (format!("?token={alice}"), vec![]),
        ("?token=wrong".to_owned(), vec![("cookie", &*cookie)]),
        (String::new(), vec![("authorization", &*bearer)]),
        (String::new(), vec![("cookie", &*cookie), ("origin", &*own)]),
    ] {
        let mut client = Client::try_open(&api, &query, &headers)
            .await
            .unwrap_or_else(|status| panic!("{status}: {query} {headers:?}"));
        assert_eq!(client.next().await["type"], "sync");
    }
    assert_eq!(refusal(api.ask(Method::GET, "/api/ws")).await, (404, "Not found".into()));
}

#[tokio::test]
async fn the_first_frame_is_the_whole_list_without_models_to_choose_from() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    publish_site(&world, &variant_of("admin", "demo"), &[("index.html", "x")]).await;
    // larger than what is sent at once
    sqlx::query("UPDATE variants SET plan_json = repeat('ü', 300000)").execute(&world.pool).await.unwrap();
    let text = Client::open(&api, ADMIN_KEY).await.text().await;
    let sync: Value = serde_json::from_str(&text).unwrap();
    assert!(text.starts_with("{\"type\":\"sync\",\"projects\":["));
    assert_eq!(
        keys(&sync, &text.replace(&"ü".repeat(300_000), "")),
        ["type", "projects", "known_models", "known_branches", "total_cost_usd"]
    );
    let (_, list) = answer(api.get("/api/projects")).await;
    for key in ["projects", "known_models", "known_branches", "total_cost_usd"] {
        assert_eq!(sync[key], list[key]);
    }
}

#[tokio::test]
async fn a_run_is_followed_through_a_process_that_has_no_part_in_it() {
    let world = World::start().await;
    let (asked, watched) = (Api::start(&world).await, another_api(&world).await);
    let mut client = Client::open_in_sync(&watched, ADMIN_KEY).await;
    let repository = Repository::library("adder");
    let body = json!({"repo_path": repository.path(), "ai_provider": "builtin", "ai_model": "extract"});
    let (status, made) = answer(asked.post("/api/generate").json(&body)).await;
    assert_eq!(status, 202, "{made}");
    let mut frames = Vec::new();
    loop {
        let text = client.text().await;
        let frame: Value = serde_json::from_str(&text).unwrap();
        let is_end = frame["type"] == "status_change";
        if frame["type"] != "sync" {
            for (key, value) in [
                ("name", "adder"),
                ("branch", "main"),
                ("provider", "builtin"),
                ("model", "extract"),
                ("owner", "admin"),
            ] {
                assert_eq!(frame[key], value);
            }
            assert_eq!(frame["generation_id"], made["generation_id"]);
            frames.push((text, frame));
        }
        if is_end {
            break;
        }
    }
    let common = ["type", "name", "branch", "provider", "model", "owner", "status", "generation_id"];
    assert_eq!(keys(&frames[0].1, &frames[0].0), common, "a run that was queued is told without a stage");
    let (end, progress) = frames.split_last().unwrap();
    let mut stages: Vec<&str> =
        progress[1..].iter().map(|(_, frame)| frame["current_stage"].as_str().unwrap()).collect();
    stages.dedup();
    assert_eq!(stages, ["cloning", "planning", "generating_pages", "validating", "cross_linking", "rendering"]);
    for (text, frame) in progress {
        let allowed = [&common[..], &["current_stage", "page_count", "plan_json", "generation_started_at"]].concat();
        assert_eq!((&frame["type"], &frame["status"]), (&json!("progress"), &json!("generating")));
        let found = keys(frame, text);
        assert_eq!(found, allowed.into_iter().filter(|key| frame.get(key).is_some()).collect::<Vec<_>>(), "{text}");
    }
    let plans: Vec<&Value> =
        progress.iter().map(|(_, frame)| frame).filter(|frame| frame.get("plan_json").is_some()).collect();
    assert_eq!(
        (plans.len(), &plans[0]["current_stage"], &plans[0]["page_count"]),
        (1, &json!("generating_pages"), &json!(0))
    );
    let plan: Value = serde_json::from_str(plans[0]["plan_json"].as_str().unwrap()).unwrap();
    assert!(plan["navigation"].is_array());
    let ready = [&common[..], &["page_count", "last_generated", "last_commit_sha", "generation_duration"]].concat();
    assert_eq!(keys(&end.1, &end.0), ready);
    let row = world.row(&variant("adder", Provider::Builtin)).await;
    assert_eq!((&end.1["status"], &end.1["page_count"]), (&json!("ready"), &json!(row.page_count)));
    assert_eq!(end.1["last_commit_sha"].as_str(), row.last_commit_sha.as_deref());
    let sync = client.next_of("sync").await;
    assert_eq!(sync["projects"][0]["status"], "ready");
}

#[tokio::test]
async fn a_failure_is_told_with_its_reason_and_a_branch_with_its_plain_name() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let mut client = Client::open_in_sync(&api, ADMIN_KEY).await;
    let mut key = variant_of("admin", "demo");
    key.branch = "release/1.x".parse().unwrap();
    let id = queue(&world, &key).await;
    fail(&world, id, "no such branch").await;
    let text = loop {
        let text = client.text().await;
        if text.contains("status_change") {
            break text;
        }
    };
    assert_eq!(
        text,
        format!(
            r#"{{"type":"status_change","name":"demo","branch":"release/1.x","provider":"builtin","model":"extract","owner":"admin","status":"error","generation_id":"{id}","error_message":"no such branch"}}"#
        )
    );
}

#[tokio::test]
async fn owners_admins_and_readers_are_told_and_nobody_else() {
    let world = World::without_worker().await;
    let (api, other) = (Api::start(&world).await, another_api(&world).await);
    let mut clients = Vec::new();
    for user in ["alice", "bob", "carol"] {
        let key = api.create_user(user, "viewer").await;
        if user == "bob" {
            grant(&world, "alice", "demo", "bob").await;
        }
        clients.push(Client::open_in_sync(&other, &key).await);
    }
    clients.push(Client::open_in_sync(&api, ADMIN_KEY).await);
    queue(&world, &variant_of("alice", "demo")).await;
    queue(&world, &variant_of("alice", "other")).await;
    queue(&world, &variant_of("carol", "mine")).await;
    let mut told = Vec::new();
    for (client, count) in clients.iter_mut().zip([2, 1, 1, 3]) {
        let mut names = Vec::new();
        for _ in 0..count {
            names.push(client.next_of("progress").await["name"].as_str().unwrap().to_owned());
        }
        told.push(names.join(" "));
    }
    assert_eq!(told, ["demo other", "demo", "mine", "demo other mine"]);
}

#[tokio::test]
async fn a_grant_is_seen_at_once_and_so_is_its_end() {
    let world = World::without_worker().await;
    let api = another_api(&world).await;
    let bob = api.create_user("bob", "viewer").await;
    queue(&world, &variant_of("alice", "demo")).await;
    let mut client = Client::open(&api, &bob).await;
    assert_eq!(client.next().await["projects"], json!([]));
    grant(&world, "alice", "demo", "bob").await;
    announce(&world, AccessChange::User("bob".into())).await;
    let id = queue(&world, &variant_of("alice", "second")).await;
    assert_eq!(names(&client.next_of("sync").await), ["demo"]);
    fail(&world, id, "not for bob").await;
    let mut conn = world.pool.acquire().await.unwrap();
    db::grants::delete(&mut conn, "alice", "demo", "bob").await.unwrap();
    announce(&world, AccessChange::User("bob".into())).await;
    let sync = client.next().await;
    assert_eq!((&sync["type"], &sync["projects"]), (&json!("sync"), &json!([])));
}

#[tokio::test]
async fn a_deleted_variant_and_a_cost_are_told_by_a_sync() {
    let world = World::without_worker().await;
    let api = another_api(&world).await;
    queue(&world, &variant_of("alice", "demo")).await;
    let mut client = Client::open_in_sync(&api, ADMIN_KEY).await;
    let change = AccessChange::Project { owner: "alice".into(), name: "demo".into() };
    sqlx::query("UPDATE variants SET total_cost_usd = 1.5").execute(&world.pool).await.unwrap();
    announce(&world, change.clone()).await;
    assert_eq!(client.next().await["total_cost_usd"], 1.5);
    sqlx::query("DELETE FROM variants").execute(&world.pool).await.unwrap();
    announce(&world, change).await;
    assert_eq!(client.next().await["projects"], json!([]));
}

#[tokio::test]
async fn many_ends_at_once_cost_few_syncs_and_the_last_one_shows_them_all() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let mut client = Client::open_in_sync(&api, ADMIN_KEY).await;
    let begun = Instant::now();
    for number in 0..30 {
        let id = queue(&world, &variant_of("admin", &format!("p{number}"))).await;
        fail(&world, id, "x").await;
    }
    let (mut syncs, mut ends) = (0_u64, 0);
    loop {
        let frame = client.next().await;
        if frame["type"] == "sync" {
            syncs += 1;
            let ended = frame["projects"].as_array().unwrap().iter().filter(|row| row["status"] == "error").count();
            if ended == 30 {
                break;
            }
        }
        ends += usize::from(frame["type"] == "status_change");
    }
    assert_eq!(ends, 30);
    assert!(syncs <= begun.elapsed().as_secs() + 2, "{syncs} in {:?}", begun.elapsed());
}

#[tokio::test]
async fn whose_view_did_not_change_gets_no_sync() {
    let world = World::without_worker().await;
    let api = Api::start_with(&world, |parts| parts.watch_times.sync_every = Duration::ZERO).await;
    let carol = api.create_user("carol", "user").await;
    publish_site(&world, &variant_of("alice", "demo"), &[("index.html", "x")]).await;
    let mut client = Client::open_in_sync(&api, &carol).await;
    publish_site(&world, &variant_of("alice", "demo"), &[("index.html", "y")]).await;
    announce(&world, AccessChange::Project { owner: "alice".into(), name: "demo".into() }).await;
    announce(&world, AccessChange::User("carol".into())).await;
    queue(&world, &variant_of("carol", "mine")).await;
    assert_eq!(client.next().await["name"], "mine");
    // a model that nobody had used is in everybody's list
    let mut key = variant_of("alice", "new");
    key.model = "another".parse().unwrap();
    publish_site(&world, &key, &[("index.html", "x")]).await;
    assert_eq!(client.next().await["known_models"], json!({"builtin": ["another", "extract"]}));
}

#[tokio::test]
async fn a_lost_connection_to_the_database_loses_no_event_and_tells_none_twice() {
    let world = World::without_worker().await;
    let api = another_api(&world).await;
    let alice = api.create_user("alice", "user").await;
    let id = queue(&world, &variant_of("alice", "demo")).await;
    let mut client = Client::open_in_sync(&api, &alice).await;
    let mut expected = Vec::new();
    for _ in 0..3 {
        for stage in [Stage::Cloning, Stage::Planning] {
            emit(&world, id, stage).await;
            expected.push(stage.as_str());
        }
        cut_listening_connections(&world).await;
        for stage in [Stage::Validating, Stage::CrossLinking, Stage::Rendering] {
            emit(&world, id, stage).await;
            expected.push(stage.as_str());
        }
        let mut told = Vec::new();
        while told.len() < expected.len() {
            told.push(client.next_of("progress").await["current_stage"].as_str().unwrap().to_owned());
        }
        assert_eq!(told, expected);
        expected.clear();
        // the connection is back when this comes
        emit(&world, id, Stage::UpToDate).await;
        expected.push("up_to_date");
    }
}

#[tokio::test]
async fn any_frame_of_a_client_is_survived() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let mut client = Client::open_in_sync(&api, ADMIN_KEY).await;
    let texts = ["[]", "1", "null", "\"pong\"", "{", "", "{\"type\":[]}", "[\"pong\"]", "{\"type\":\"pong\"}", "\u{0}"];
    for text in texts.into_iter().map(str::to_owned).chain(["[".repeat(60_000)]) {
        client.send(Message::text(text)).await;
    }
    client.send(Message::binary(vec![0xff; 60_000])).await;
    client.send(Message::Ping(b"x".to_vec().into())).await;
    for _ in 0..1_000 {
        client.send(Message::text("x")).await;
    }
    queue(&world, &variant_of("admin", "demo")).await;
    loop {
        match client.message().await.unwrap() {
            Message::Text(text) => {
                assert!(text.contains("\"demo\""), "{text}");
                break;
            }
            other => assert!(other.is_pong(), "{other:?}"),
        }
    }
    for (frame, code) in [
        (Frame::message(vec![b'x'; 70_000], OpCode::Data(Data::Text), true), CloseCode::Size),
        (Frame::message(vec![0xc3, 0x28], OpCode::Data(Data::Text), true), CloseCode::Invalid),
        (Frame::message(vec![b'x'], OpCode::Data(Data::Continue), true), CloseCode::Protocol),
    ] {
        let mut client = Client::open_in_sync(&api, ADMIN_KEY).await;
        client.send(Message::Frame(frame)).await;
        assert_eq!(client.close_code().await, u16::from(code));
    }
}

#[tokio::test]
async fn who_does_not_answer_twice_is_let_go_and_who_answers_stays() {
    let world = World::without_worker().await;
    let times = WatchTimes {
        ping_every: Duration::from_millis(100),
        pong_within: Duration::from_millis(300),
        ..WatchTimes::default()
    };
    let api = Api::start_with(&world, |parts| parts.watch_times = times).await;
    let mut silent = Client::open_in_sync(&api, ADMIN_KEY).await;
    for _ in 0..2 {
        assert_eq!(silent.text().await, r#"{"type":"ping"}"#);
    }
    assert_eq!(silent.close_code().await, 1001);
    let mut lively = Client::open_in_sync(&api, ADMIN_KEY).await;
    for _ in 0..6 {
        assert_eq!(lively.next().await["type"], "ping");
        lively.send(Message::text(r#"{"type":"pong"}"#)).await;
    }
}

#[tokio::test]
async fn who_lost_the_right_to_watch_is_let_go() {
    let world = World::without_worker().await;
    let times = WatchTimes { recheck_every: Duration::from_millis(200), ..WatchTimes::default() };
    let (api, brisk) = (another_api(&world).await, Api::start_with(&world, |parts| parts.watch_times = times).await);
    let alice = api.create_user("alice", "user").await;
    let mut deleted = Client::open_in_sync(&api, &alice).await;
    let mut conn = world.pool.acquire().await.unwrap();
    db::users::delete(&mut conn, "alice").await.unwrap();
    announce(&world, AccessChange::User("alice".into())).await;
    assert_eq!(deleted.close_code().await, 1008);

    let bob = api.create_user("bob", "user").await;
    let mut rotated = Client::open_in_sync(&api, &bob).await;
    let key = db::users::KeptKey::Generated { hash: [7; 32] };
    db::users::set_key(&mut conn, "bob", &key).await.unwrap();
    announce(&world, AccessChange::User("bob".into())).await;
    assert_eq!(rotated.close_code().await, 1008);

    // nothing is announced of a session that runs out
    let cookie = brisk.log_in().await;
    let mut session = Client::try_open(&brisk, "", &[("cookie", &cookie)]).await.unwrap();
    assert_eq!(session.next().await["type"], "sync");
    sqlx::query("UPDATE sessions SET expires_at = now()").execute(&world.pool).await.unwrap();
    assert_eq!(session.close_code().await, 1008);
}

#[tokio::test]
async fn another_role_is_another_view() {
    let world = World::without_worker().await;
    let api = another_api(&world).await;
    queue(&world, &variant_of("alice", "demo")).await;
    let key = api.create_user("carol", Role::Admin.as_str()).await;
    let mut client = Client::open(&api, &key).await;
    assert_eq!(names(&client.next().await), ["demo"]);
    sqlx::query("UPDATE users SET role = 'viewer'").execute(&world.pool).await.unwrap();
    announce(&world, AccessChange::User("carol".into())).await;
    assert_eq!(client.next_of("sync").await["projects"], json!([]));
}

#[tokio::test]
async fn the_end_of_the_server_is_told_at_once() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(Client::open_in_sync(&api, ADMIN_KEY).await);
    }
    let begun = Instant::now();
    let stopping = tokio::spawn(api.stop());
    for client in &mut clients {
        assert_eq!(client.close_code().await, 1001);
    }
    drop(clients);
    stopping.await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_user_has_twenty_and_a_place_is_free_when_one_ends() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let alice = api.create_user("alice", "viewer").await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(Client::open(&api, &alice).await);
    }
    assert_eq!(Client::try_open(&api, &format!("?token={alice}"), &[]).await.err(), Some(429));
    Client::open_in_sync(&api, ADMIN_KEY).await;
    clients.clear();
    let deadline = Instant::now() + PATIENCE;
    while Client::try_open(&api, &format!("?token={alice}"), &[]).await.is_err() {
        assert!(Instant::now() < deadline, "no place became free");
        tokio::task::yield_now().await;
    }
}

/// How many read the table of events right now and have to wait.
async fn count_waiting(world: &World) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM pg_locks WHERE relation = 'events'::regclass AND NOT granted")
        .fetch_one(&world.pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn nothing_is_read_while_nobody_watches() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let id = queue(&world, &variant_of("admin", "demo")).await;
    let event = emit(&world, id, Stage::Cloning).await;
    let announced = json!({"id": event, "variant": 1, "generation": id.to_string(), "kind": "progress"}).to_string();
    for is_watched in [false, true] {
        let client = if is_watched { Some(Client::open_in_sync(&api, ADMIN_KEY).await) } else { None };
        let mut lock = world.pool.begin().await.unwrap();
        sqlx::query("LOCK TABLE events IN ACCESS EXCLUSIVE MODE").execute(&mut *lock).await.unwrap();
        let mut heard = world.listening.subscribe();
        let mut conn = world.pool.acquire().await.unwrap();
        db::events::notify(&mut conn, db::events::CHANNEL, &announced).await.unwrap();
        while !format!("{:?}", heard.recv().await.unwrap()).contains(db::events::CHANNEL) {}
        if is_watched {
            let deadline = Instant::now() + PATIENCE;
            while count_waiting(&world).await == 0 {
                assert!(Instant::now() < deadline, "the test does not see that events are read");
            }
        } else {
            // whoever heard it at the same time has had the time to ask
            for _ in 0..20 {
                assert_eq!(answer(api.get("/version")).await.0, 200);
                assert_eq!(count_waiting(&world).await, 0);
            }
        }
        lock.rollback().await.unwrap();
        drop(client);
    }
}
