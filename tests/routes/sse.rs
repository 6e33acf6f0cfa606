//! What happens, as a stream of events that can be gone on with.

use std::time::Duration;

use api::WatchTimes;
use futures_util::StreamExt;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use shared::{db, events::AccessChange, ids::GenerationId, stage::Stage};

use super::{
    ADMIN_KEY, Api, publish_site, queue, refusal, variant_of,
    views::{another_api, grant},
    watching::{Client, HUNDRED_EVENTS, announce, cut_listening_connections, emit, fail},
};
use crate::support::world::World;

const PATIENCE: Duration = Duration::from_secs(30);
const VARIANT: &str = "/api/projects/demo/main/builtin/extract/events";

/// An event as it was sent.
#[derive(Debug, Clone, PartialEq)]
struct Event {
    id: i64,
    kind: String,
    data: String,
}

impl Event {
    fn stage(&self) -> String {
        let data: Value = serde_json::from_str(&self.data).unwrap();
        data["current_stage"].as_str().unwrap_or("-").to_owned()
    }
}

/// A reader of a stream.
struct Reader {
    answer: reqwest::Response,
    text: String,
    comments: usize,
}

impl Reader {
    async fn open(request: RequestBuilder) -> Self {
        let answer = request.send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), answer.headers()["content-type"].as_bytes()),
            (200, &b"text/event-stream"[..])
        );
        Self { answer, text: String::new(), comments: 0 }
    }

    /// The next event, or `None` at the end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                if block.starts_with(':') {
                    self.comments += 1;
                    continue;
                }
                let lines: Vec<&str> = block.lines().collect();
                let [id, kind, data] = lines[..] else { panic!("{block}") };
                return Some(Event {
                    id: id.strip_prefix("id: ").unwrap().parse().unwrap(),
                    kind: kind.strip_prefix("event: ").unwrap().to_owned(),
                    data: data.strip_prefix("data: ").unwrap().to_owned(),
                });
            }
            if !self.read_more().await {
                return None;
            }
        }
    }

    async fn read_more(&mut self) -> bool {
        let chunk = tokio::time::timeout(PATIENCE, self.answer.chunk()).await.expect("nothing came").unwrap();
        chunk.is_some_and(|chunk| {
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
            true
        })
    }

    async fn rest(mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }

    async fn stages(&mut self, count: usize) -> Vec<String> {
        let mut stages = Vec::new();
        while stages.len() < count {
            stages.push(self.next().await.expect("the stream ended").stage());
        }
        stages
    }
}

fn path_of(id: GenerationId) -> String {
    format!("/api/generations/{id}/events")
}

#[tokio::test]
async fn a_generation_is_streamed_from_its_beginning_to_its_end_as_the_websocket_tells_it() {
    let world = World::without_worker().await;
    let api = another_api(&world).await;
    let mut socket = Client::open(&api, ADMIN_KEY).await;
    assert_eq!(socket.next().await["type"], "sync");
    let id = queue(&world, &variant_of("admin", "demo")).await;
    emit(&world, id, Stage::Cloning).await;
    let mut reader = Reader::open(api.get(&path_of(id))).await;
    assert_eq!(reader.stages(2).await, ["-", "cloning"]);
    emit(&world, id, Stage::Planning).await;
    assert_eq!(reader.stages(1).await, ["planning"]);
    fail(&world, id, "x").await;
    let last = reader.rest().await;
    assert_eq!((last.len(), last[0].kind.as_str()), (1, "status_change"));

    let all = Reader::open(api.get(&path_of(id))).await.rest().await;
    assert_eq!(all.len(), 4);
    assert!(all.is_sorted_by_key(|event| event.id));
    for event in &all {
        let told = loop {
            let frame = socket.next().await;
            if frame["type"] != "sync" {
                break frame;
            }
        };
        let mut data: Value = serde_json::from_str(&event.data).unwrap();
        assert_eq!(told["type"], event.kind.as_str());
        // the beginning of the run may have come between the two
        if told.get("generation_started_at").is_none() {
            data.as_object_mut().unwrap().remove("generation_started_at");
        }
        assert_eq!(told, data);
    }
}

#[tokio::test]
async fn a_reader_who_comes_back_gets_exactly_what_is_missing() {
    let world = World::without_worker().await;
    let apis = [Api::start(&world).await, another_api(&world).await];
    let id = queue(&world, &variant_of("admin", "demo")).await;
    // more than one reading of rows
    for _ in 0..4 {
        sqlx::query(HUNDRED_EVENTS).execute(&world.pool).await.unwrap();
    }
    fail(&world, id, "x").await;
    let all = Reader::open(apis[0].get(&path_of(id))).await.rest().await;
    assert_eq!(all.len(), 402);
    for seen in [1, 200, 399, 401] {
        let last = all[seen - 1].id.to_string();
        let by_header =
            Reader::open(apis[seen % 2].get(&path_of(id)).header("last-event-id", &last)).await.rest().await;
        assert_eq!(by_header, all[seen..]);
        let by_query = apis[1].get(&format!("{}?last_event_id={last}", path_of(id)));
        assert_eq!(Reader::open(by_query).await.rest().await, all[seen..]);
    }
    let nothing_left = apis[0].get(&path_of(id)).header("last-event-id", all[401].id).send().await.unwrap();
    assert_eq!(nothing_left.status(), 204);
    for bad in ["x", "-1", "1.5", "99999999999999999999"] {
        let (status, detail) = refusal(apis[0].get(&path_of(id)).header("last-event-id", bad)).await;
        assert_eq!((status, detail.starts_with("Last-Event-ID must be")), (400, true), "{bad}: {detail}");
    }
}

#[tokio::test]
async fn a_variant_is_streamed_from_its_newest_generation_on() {
    let world = World::without_worker().await;
    let api = another_api(&world).await;
    let key = variant_of("admin", "demo");
    publish_site(&world, &key, &[("index.html", "x")]).await;
    let second = queue(&world, &key).await;
    let mut reader = Reader::open(api.get(VARIANT)).await;
    let first = reader.next().await.unwrap();
    assert!(first.data.contains(&second.to_string()), "{first:?}");
    fail(&world, second, "x").await;
    assert_eq!(reader.next().await.unwrap().kind, "status_change");
    let third = queue(&world, &key).await;
    let next = reader.next().await.unwrap();
    assert!(next.data.contains(&third.to_string()), "{next:?}");
    // whoever was away gets all generations since
    let back = api.get(VARIANT).header("last-event-id", first.id);
    let mut back = Reader::open(back).await;
    assert_eq!(back.next().await.unwrap().kind, "status_change");
    assert_eq!(back.next().await.unwrap(), next);
}

#[tokio::test]
async fn a_lost_connection_to_the_database_loses_no_event_and_streams_none_twice() {
    let world = World::without_worker().await;
    let api = another_api(&world).await;
    let id = queue(&world, &variant_of("admin", "demo")).await;
    let mut reader = Reader::open(api.get(&path_of(id))).await;
    assert_eq!(reader.stages(1).await, ["-"]);
    emit(&world, id, Stage::Cloning).await;
    cut_listening_connections(&world).await;
    emit(&world, id, Stage::Planning).await;
    emit(&world, id, Stage::Validating).await;
    assert_eq!(reader.stages(3).await, ["cloning", "planning", "validating"]);
    fail(&world, id, "x").await;
    assert_eq!(reader.rest().await.len(), 1);
}

#[tokio::test]
async fn only_those_who_may_see_it_can_watch_and_only_as_long_as_they_may() {
    let world = World::without_worker().await;
    let api = another_api(&world).await;
    let bob = api.create_user("bob", "viewer").await;
    let id = queue(&world, &variant_of("alice", "demo")).await;
    let ask = |path: &str| api.ask(Method::GET, path).bearer_auth(&bob);
    assert_eq!(refusal(ask(&path_of(id))).await, (404, "Generation ID not found".into()));
    assert_eq!(refusal(ask(VARIANT)).await, (404, "Not found".into()));
    assert_eq!(refusal(api.get("/api/generations/x/events")).await, (400, "Invalid generation ID format".into()));
    assert_eq!(refusal(api.ask(Method::GET, VARIANT)).await, (401, "Unauthorized".into()));
    grant(&world, "alice", "demo", "bob").await;
    let mut readers = [Reader::open(ask(&path_of(id))).await, Reader::open(ask(VARIANT)).await];
    for reader in &mut readers {
        assert_eq!(reader.stages(1).await, ["-"]);
    }
    let mut conn = world.pool.acquire().await.unwrap();
    db::grants::delete(&mut conn, "alice", "demo", "bob").await.unwrap();
    announce(&world, AccessChange::User("bob".into())).await;
    emit(&world, id, Stage::Cloning).await;
    for reader in readers {
        assert_eq!(reader.rest().await, []);
    }
    // an owner's own name is of no use to those who are no admins
    assert_eq!(refusal(ask(&format!("{VARIANT}?owner=alice"))).await, (404, "Not found".into()));
    assert_eq!(Reader::open(api.get(&format!("{VARIANT}?owner=alice"))).await.stages(2).await, ["-", "cloning"]);
}

#[tokio::test]
async fn comments_keep_a_quiet_stream_alive() {
    let world = World::without_worker().await;
    let times = WatchTimes { comment_every: Duration::from_millis(50), ..WatchTimes::default() };
    let api = Api::start_with(&world, |parts| parts.watch_times = times).await;
    let id = queue(&world, &variant_of("admin", "demo")).await;
    let mut reader = Reader::open(api.get(&path_of(id))).await;
    reader.stages(1).await;
    let mut received = String::new();
    while received.matches(":\n\n").count() < 3 {
        assert!(reader.read_more().await);
        received.push_str(&std::mem::take(&mut reader.text));
    }
}

#[tokio::test]
async fn streams_end_with_the_server_and_with_what_they_are_about() {
    let world = World::without_worker().await;
    let api = another_api(&world).await;
    let id = queue(&world, &variant_of("admin", "demo")).await;
    let head = api.ask(Method::HEAD, &path_of(id)).bearer_auth(ADMIN_KEY).send().await.unwrap();
    assert_eq!((head.status().as_u16(), head.headers()["content-type"].as_bytes()), (200, &b"text/event-stream"[..]));
    let mut deleted = Reader::open(api.get(&path_of(id))).await;
    deleted.stages(1).await;
    let key = variant_of("admin", "other");
    let mut other = {
        let id = queue(&world, &key).await;
        Reader::open(api.get(&path_of(id))).await
    };
    other.stages(1).await;
    sqlx::query("DELETE FROM variants WHERE name = 'demo'").execute(&world.pool).await.unwrap();
    announce(&world, AccessChange::Project { owner: "admin".into(), name: "demo".into() }).await;
    assert_eq!(deleted.rest().await, []);
    let stopping = tokio::spawn(api.stop());
    assert_eq!(other.rest().await, []);
    tokio::time::timeout(Duration::from_secs(5), stopping).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_user_has_twenty_streams() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let id = queue(&world, &variant_of("admin", "demo")).await;
    let answers = futures_util::stream::iter(0..20).then(|_| api.get(&path_of(id)).send());
    let open: Vec<_> = answers.map(Result::unwrap).collect().await;
    assert!(open.iter().all(|answer| answer.status() == 200));
    let (status, detail) = refusal(api.get(&path_of(id))).await;
    assert_eq!((status, detail.as_str()), (429, "Too many streams of events of this user"));
}
