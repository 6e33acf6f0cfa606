//! One WebSocket: what happens to variants as soon as it happens, and a complete `sync` when the view has changed.
//!
//! A `sync` comes at the beginning and after the end of a generation, a deletion, a grant: at most one a second, only
//! when the view of this reader has changed, and for large views so seldom that it is 1 MB/s at most. Its bytes are shared
//! by all sockets of one view and sent in fragments, so that a socket holds little of its own. A peer that does not keep up
//! is let go, never waited for without end.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use shared::{db::views::Digest, events::AccessChange};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    sync::broadcast::error::RecvError,
    time::{Instant, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        protocol::{
            CloseFrame, Role, WebSocketConfig,
            frame::{
                Frame,
                coding::{CloseCode, Data, OpCode},
            },
        },
    },
};

use super::{hub::Told, watcher::Watcher};
use crate::{
    state::ApiState,
    views::{Seen, View},
};

/// Largest message of a client, in bytes; a `pong` has 15.
const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// Messages of a client that are read in a second; more wait in the system's buffers, and then with the client.
const MESSAGES_PER_SECOND: u32 = 100;
/// Largest part of a message that is sent at once.
const FRAGMENT_BYTES: usize = 64 * 1024;
/// Longest time for taking a message, and what must be taken in a second of a long one.
const SEND_TIME: Duration = Duration::from_secs(30);
const SLOWEST_BYTES_PER_SECOND: usize = 64 * 1024;
/// What `sync` may cost a socket.
const SYNC_BYTES_PER_SECOND: u64 = 1_000_000;
/// Questions in a row without an answer that end it.
const MAX_MISSED_PONGS: u32 = 2;
/// Longest time for saying goodbye.
const CLOSE_TIME: Duration = Duration::from_secs(1);

/// Why a socket ends.
enum End {
    /// The peer is gone or does not read any more.
    Gone,
    /// It is told why.
    Close(CloseCode, &'static str),
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        match error {
            Error::Capacity(_) => Self::Close(CloseCode::Size, "message too big"),
            Error::Utf8(_) => Self::Close(CloseCode::Invalid, "invalid UTF-8"),
            Error::Protocol(_) => Self::Close(CloseCode::Protocol, "protocol error"),
            _ => Self::Gone,
        }
    }
}

struct Socket<Io> {
    stream: WebSocketStream<Io>,
    state: ApiState,
    watcher: Watcher,
    sync: Sync,
    ping: Ping,
    recheck_at: Instant,
    /// Messages that may still be read before `reading_from`.
    allowance: u32,
    reading_from: Instant,
}

/// What the client was told last, and whether it may be something else by now.
struct Sync {
    told: Option<(Digest, u128)>,
    is_due: bool,
    /// Something changed that concerns the known models at most.
    models_may_differ: bool,
    not_before: Instant,
}

struct Ping {
    next: Instant,
    answer_until: Option<Instant>,
    missed: u32,
}

/// Serves a WebSocket until one of its sides ends it.
pub(crate) async fn run<Io: AsyncRead + AsyncWrite + Unpin>(io: Io, state: ApiState, watcher: Watcher) {
    let config = WebSocketConfig::default()
        .read_buffer_size(4 * 1024)
        .write_buffer_size(0)
        .max_write_buffer_size(4 * FRAGMENT_BYTES)
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES));
    let stream = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
    let now = Instant::now();
    let times = state.watch_times();
    let mut socket = Socket {
        stream,
        watcher,
        sync: Sync { told: None, is_due: true, models_may_differ: false, not_before: now },
        ping: Ping { next: now + times.ping_every, answer_until: None, missed: 0 },
        recheck_at: now + times.recheck_every,
        allowance: MESSAGES_PER_SECOND,
        reading_from: now,
        state,
    };
    let Err(end) = socket.live().await;
    if let End::Close(code, reason) = end {
        tracing::debug!(%code, reason, "closing a WebSocket");
        // nothing can be done for a peer that is gone by now
        let _ = timeout(CLOSE_TIME, socket.close(code, reason)).await;
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Socket<Io> {
    async fn live(&mut self) -> Result<std::convert::Infallible, End> {
        let hub = self.state.clone();
        let mut told = hub.hub().watch().await.map_err(|_| unavailable())?;
        // what changed between the proof and now was not heard
        self.recheck().await?;
        self.send_sync().await?;
        let closing = self.state.closing().clone();
        loop {
            let now = Instant::now();
            if self.allowance == 0 && self.reading_from <= now {
                self.allowance = MESSAGES_PER_SECOND;
            }
            let next_look = self.next_look();
            tokio::select! {
                () = closing.cancelled() => return Err(going_away()),
                message = self.stream.next(), if self.allowance > 0 => self.take(message)?,
                heard = told.recv() => self.hear(heard).await?,
                () = tokio::time::sleep_until(next_look) => self.look().await?,
            }
        }
    }

    /// When something is to be done although nothing happens.
    fn next_look(&self) -> Instant {
        let mut next = self.recheck_at.min(self.ping.answer_until.unwrap_or(self.ping.next));
        if self.sync.is_due || self.sync.models_may_differ {
            next = next.min(self.sync.not_before);
        }
        if self.allowance == 0 {
            next = next.min(self.reading_from);
        }
        next
    }

    async fn look(&mut self) -> Result<(), End> {
        let now = Instant::now();
        match self.ping.answer_until {
            Some(until) if until <= now => self.miss_pong()?,
            None if self.ping.next <= now => {
                self.send(Bytes::from_static(br#"{"type":"ping"}"#)).await?;
                self.ping.answer_until = Some(Instant::now() + self.state.watch_times().pong_within);
            }
            _ => {}
        }
        if self.recheck_at <= now {
            self.recheck_at = now + self.state.watch_times().recheck_every;
            let seen = Seen::of(&self.watcher.caller);
            // a database that is away for a moment is no reason to let go of those who were let in
            if !matches!(self.watcher.recheck(&self.state).await, Ok(true) | Err(_)) {
                return Err(not_allowed());
            }
            self.sync.is_due |= Seen::of(&self.watcher.caller) != seen;
        }
        if (self.sync.is_due || self.sync.models_may_differ) && self.sync.not_before <= now {
            self.send_sync().await?;
        }
        Ok(())
    }

    fn miss_pong(&mut self) -> Result<(), End> {
        self.ping.missed += 1;
        if self.ping.missed >= MAX_MISSED_PONGS {
            return Err(End::Close(CloseCode::Away, "no answer to ping"));
        }
        self.ping.answer_until = None;
        self.ping.next = Instant::now() + self.state.watch_times().ping_every;
        Ok(())
    }

    /// Everything of a client is survived; only a `pong` means something.
    fn take(&mut self, message: Option<Result<Message, Error>>) -> Result<(), End> {
        let message = message.ok_or(End::Gone)??;
        if self.allowance == MESSAGES_PER_SECOND {
            self.reading_from = Instant::now() + Duration::from_secs(1);
        }
        self.allowance -= 1;
        if let Message::Text(text) = message
            && is_pong(&text)
            && self.ping.answer_until.take().is_some()
        {
            self.ping.missed = 0;
            self.ping.next = Instant::now() + self.state.watch_times().ping_every;
        }
        Ok(())
    }

    async fn hear(&mut self, heard: Result<Told, RecvError>) -> Result<(), End> {
        match heard {
            Ok(Told::Event(happened)) => {
                let sees = self.watcher.sees(&happened.owner, &happened.name);
                if sees && happened.kind != "warning" {
                    self.send(happened.json.clone()).await?;
                }
                if happened.is_end {
                    self.note_change(sees);
                }
            }
            Ok(Told::Changed(change)) => match &*change {
                AccessChange::User(name) if *name == *self.watcher.caller.username => self.recheck().await?,
                AccessChange::User(_) => self.note_change(self.watcher.caller.is_admin()),
                AccessChange::Project { owner, name } => self.note_change(self.watcher.sees(owner, name)),
                AccessChange::Settings => {}
            },
            Ok(Told::Missed) => self.recheck().await?,
            Err(RecvError::Lagged(_)) => return Err(End::Close(CloseCode::Again, "too slow")),
            Err(RecvError::Closed) => return Err(going_away()),
        }
        if self.sync.is_due && self.sync.not_before <= Instant::now() {
            self.send_sync().await?;
        }
        Ok(())
    }

    fn note_change(&mut self, sees: bool) {
        if sees {
            self.sync.is_due = true;
        } else {
            self.sync.models_may_differ = true;
        }
    }

    /// Looks at once who this is: nothing is sent before that is known.
    async fn recheck(&mut self) -> Result<(), End> {
        match self.watcher.recheck(&self.state).await {
            Ok(true) => {
                self.sync.is_due = true;
                Ok(())
            }
            Ok(false) => Err(not_allowed()),
            Err(_) => Err(unavailable()),
        }
    }

    /// Sends the view if it is another one than the client has.
    async fn send_sync(&mut self) -> Result<(), End> {
        let times = self.state.watch_times().clone();
        let begun = Instant::now();
        let found = self.find_other_view().await;
        self.sync.not_before = begun + times.sync_every;
        let view = match found {
            Ok(view) => view,
            // a client that was told nothing yet shall not wait
            Err(error) if self.sync.told.is_none() => {
                tracing::debug!(%error, "no view for a WebSocket");
                return Err(unavailable());
            }
            Err(error) => {
                tracing::debug!(%error, "no view for a WebSocket yet");
                return Ok(());
            }
        };
        (self.sync.is_due, self.sync.models_may_differ) = (false, false);
        if let Some(view) = view {
            let length = view.frame().len() as u64;
            self.sync.told = Some((view.digest().clone(), view.tag()));
            self.send(view.frame().clone()).await?;
            let share = Duration::from_millis(length * 1000 / SYNC_BYTES_PER_SECOND);
            self.sync.not_before = begun + share.max(times.sync_every);
        }
        Ok(())
    }

    async fn find_other_view(&mut self) -> Result<Option<Arc<View>>, Arc<sqlx::Error>> {
        let views = self.state.views();
        if let Some((digest, _)) = &self.sync.told
            && !self.sync.is_due
            && *views.known_models().await? == *digest.known_models
        {
            return Ok(None);
        }
        let seen = Seen::of(&self.watcher.caller);
        let known = self.sync.told.as_ref().map(|(digest, _)| digest);
        let view = views.changed(&seen, known).await?;
        let Some(view) = view else { return Ok(None) };
        if let Some((digest, tag)) = &mut self.sync.told
            && *tag == view.tag()
        {
            digest.clone_from(view.digest());
            return Ok(None);
        }
        Ok(Some(view))
    }

    /// Sends a text, unless the peer takes too long or the server ends.
    async fn send(&mut self, text: Bytes) -> Result<(), End> {
        let longest = SEND_TIME + Duration::from_secs((text.len() / SLOWEST_BYTES_PER_SECOND) as u64);
        let closing = self.state.closing().clone();
        tokio::select! {
            biased;
            () = closing.cancelled() => Err(going_away()),
            sent = timeout(longest, self.send_fragments(text)) => sent.map_err(|_| End::Gone)?,
        }
    }

    async fn send_fragments(&mut self, mut rest: Bytes) -> Result<(), End> {
        let mut opcode = OpCode::Data(Data::Text);
        loop {
            let part = rest.split_to(rest.len().min(FRAGMENT_BYTES));
            let is_last = rest.is_empty();
            self.stream.send(Message::Frame(Frame::message(part, opcode, is_last))).await?;
            if is_last {
                return Ok(());
            }
            opcode = OpCode::Data(Data::Continue);
        }
    }

    /// Says goodbye and takes what the peer still sends: what is not read would make the system forget what was said.
    async fn close(&mut self, code: CloseCode, reason: &'static str) -> io::Result<()> {
        let frame = CloseFrame { code, reason: reason.into() };
        if self.stream.close(Some(frame)).await.is_err() {
            return Ok(());
        }
        while let Some(Ok(_)) = self.stream.next().await {}
        let io = self.stream.get_mut();
        let mut unread = [0; 4096];
        while io.read(&mut unread).await? > 0 {}
        Ok(())
    }
}

fn is_pong(text: &str) -> bool {
    let Ok(Value::Object(fields)) = serde_json::from_str(text) else { return false };
    fields.get("type").is_some_and(|kind| kind == "pong")
}

fn going_away() -> End {
    End::Close(CloseCode::Away, "server is going away")
}

fn not_allowed() -> End {
    End::Close(CloseCode::Policy, "not allowed any more")
}

fn unavailable() -> End {
    End::Close(CloseCode::Again, "try again shortly")
}
