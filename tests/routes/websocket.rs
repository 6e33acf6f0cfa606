//! What those who watch are told, by whichever process.

use std::time::{Duration, Instant};

use api::WatchTimes;
use serde_json::{Value, json};
use shared::{db, events::AccessChange, provider::Provider, stage::Stage};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::frame::{
        Frame,
        coding::{CloseCode, Data, OpCode},
    },
};

use super::{
    ADMIN_KEY, Api, answer, publish_site, queue, variant_of,
    views::another_api,
    watching::{Client, HUNDRED_EVENTS, PATIENCE, announce, cut_listening_connections, emit, fail},
};
use crate::support::{
    repository::Repository,
    world::{World, variant},
};

fn keys(frame: &Value, text: &str) -> Vec<String> {
    // serde_json sorts keys, so their order is looked up in the text
    let mut keys: Vec<String> = frame.as_object().unwrap().keys().cloned().collect();
    keys.sort_by_key(|key| text.rfind(&format!("\"{key}\":")).unwrap());
    keys
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
    // on a slow machine the view is looked at only now that it has changed
    let told = client.next().await;
    assert!(told["name"] == "mine" || told["projects"][0]["name"] == "mine", "{told}");
    // a model that nobody had used is in everybody's list
    let mut key = variant_of("alice", "new");
    key.model = "another".parse().unwrap();
    publish_site(&world, &key, &[("index.html", "x")]).await;
    loop {
        let told = client.next().await;
        if told["known_models"] == json!({"builtin": ["another", "extract"]}) {
            return;
        }
        assert!(told["name"] == "mine" || told["projects"][0]["name"] == "mine", "{told}");
    }
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
async fn who_does_not_keep_up_is_let_go_and_the_others_miss_nothing() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    queue(&world, &variant_of("admin", "demo")).await;
    let mut brisk = Client::open_in_sync(&api, ADMIN_KEY).await;
    // more than the system takes for one who does not read
    sqlx::query("UPDATE variants SET plan_json = repeat('p', 24 << 20)").execute(&world.pool).await.unwrap();
    let mut slow = Client::open(&api, ADMIN_KEY).await;
    for _ in 0..12 {
        sqlx::query(HUNDRED_EVENTS).execute(&world.pool).await.unwrap();
        for _ in 0..100 {
            assert_eq!(brisk.next().await["current_stage"], "validating");
        }
    }
    assert_eq!(slow.close_code().await, 1013);
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
