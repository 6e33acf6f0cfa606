//! A client of the WebSocket, and what makes something happen for those who watch.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use shared::{
    db,
    events::{self, AccessChange},
    generation::State,
    ids::GenerationId,
    stage::Stage,
};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
};

use super::{Api, claim};
use crate::support::world::World;

pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// A hundred events of every variant, announced as usual.
pub(super) const HUNDRED_EVENTS: &str = r#"
    WITH made AS (
        INSERT INTO events (variant_id, generation_id, kind, body)
        SELECT id, generation_id, 'progress', '{"current_stage": "validating"}' FROM variants, generate_series(1, 100)
        RETURNING id, variant_id AS variant, generation_id AS generation, kind
    )
    SELECT pg_notify('docmill_events', to_json(made)::text) FROM made"#;

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
    pub(super) async fn open_in_sync(api: &Api, key: &str) -> Self {
        let mut client = Self::open(api, key).await;
        assert_eq!(client.next().await["type"], "sync");
        client
    }

    pub(super) async fn message(&mut self) -> Option<Message> {
        let message = tokio::time::timeout(PATIENCE, self.0.next()).await.expect("nothing came");
        message.map(Result::unwrap)
    }

    /// The text of the next frame.
    pub(super) async fn text(&mut self) -> String {
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
    pub(super) async fn close_code(&mut self) -> u16 {
        loop {
            match self.message().await {
                Some(Message::Close(Some(frame))) => return frame.code.into(),
                Some(_) => {}
                None => panic!("it ended without a word"),
            }
        }
    }

    pub(super) async fn send(&mut self, message: Message) {
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
