//! One task per process hears what happened, loads it, and hands it to everybody who watches.
//!
//! A NOTIFY only says that there is an event; its row is loaded, several at once when several came. After the connection
//! was lost, or too much came at once, the rows of that time are read instead. What was handed out already is known by the
//! last number of each variant: the events of one variant commit in the order of their numbers ([`db::events::insert`]).
//! While nobody watches, nothing is read at all.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use shared::{
    db::{
        self,
        events::{Announcement, WatchedEvent},
    },
    events::{ACCESS_CHANNEL, AccessChange, Heard, Listening},
    ids::GenerationId,
    wire::EventFrame,
};
use sqlx::PgPool;
use tokio::sync::{
    broadcast::{self, error::RecvError},
    mpsc, oneshot,
};
use tokio_util::task::AbortOnDropHandle;

/// What a watcher may be behind; who is further behind has lost something.
const BACKLOG: usize = 1024;
/// Notifications that are handled together.
const BATCH: usize = 256;
/// Events that are read at a time when they are read again.
const PAGE: i64 = 500;
/// How many minutes earlier than its commit an event may have its time: longer than any transaction may take.
const MARGIN_MINUTES: i32 = 2;
/// Variants whose last event is remembered before those of old events are forgotten.
const REMEMBERED_VARIANTS: usize = 4_096;
/// From a failure to the next try.
const PAUSE: Duration = Duration::from_secs(1);

/// What those who watch are told.
#[derive(Debug, Clone)]
pub(crate) enum Told {
    /// Something happened to a variant.
    Event(Arc<Happened>),
    /// Something else changed that somebody sees.
    Changed(Arc<AccessChange>),
    /// Changes of the second kind may have been missed; events are not, they follow.
    Missed,
}

/// An event in the form in which it is sent.
#[derive(Debug)]
pub(crate) struct Happened {
    /// Sequence number.
    pub(crate) id: i64,
    pub(crate) variant_id: i64,
    pub(crate) generation_id: GenerationId,
    /// Owner of the variant.
    pub(crate) owner: String,
    /// Project of the variant.
    pub(crate) name: String,
    /// `progress`, `status_change` or `warning`.
    pub(crate) kind: &'static str,
    /// Whether the generation ended with it.
    pub(crate) is_end: bool,
    /// The frame.
    pub(crate) json: Bytes,
}

impl From<WatchedEvent> for Happened {
    fn from(event: WatchedEvent) -> Self {
        let (id, variant_id, generation_id) = (event.id, event.variant_id, event.generation_id);
        let (owner, name) = (event.owner.clone(), event.name.to_string());
        let frame = EventFrame::from(event);
        let json = serde_json::to_vec(&frame).expect("names, numbers and JSON values can be written as JSON");
        Self {
            id,
            variant_id,
            generation_id,
            owner,
            name,
            kind: frame.kind(),
            is_end: frame.is_end(),
            json: json.into(),
        }
    }
}

/// Hands out what happens.
pub(crate) struct Hub {
    told: broadcast::Sender<Told>,
    arrivals: mpsc::Sender<oneshot::Sender<()>>,
    _task: AbortOnDropHandle<()>,
}

impl Hub {
    pub(crate) fn start(pool: PgPool, listening: &Listening) -> Self {
        let (told, _) = broadcast::channel(BACKLOG);
        let (arrivals, arrived) = mpsc::channel(64);
        let hearing =
            Hearing { pool, told: told.clone(), heard: listening.subscribe(), position: None, is_behind: false };
        let task = tokio::spawn(hearing.run(arrived));
        Self { told, arrivals, _task: AbortOnDropHandle::new(task) }
    }

    /// Everything from a moment within this call on. Fails when the database does not answer.
    pub(crate) async fn watch(&self) -> sqlx::Result<broadcast::Receiver<Told>> {
        let watching = self.told.subscribe();
        let (ready, is_ready) = oneshot::channel();
        self.arrivals.send(ready).await.map_err(|_| sqlx::Error::PoolClosed)?;
        is_ready.await.map_err(|_| sqlx::Error::PoolTimedOut)?;
        Ok(watching)
    }
}

/// What the task knows.
struct Hearing {
    pool: PgPool,
    told: broadcast::Sender<Told>,
    heard: broadcast::Receiver<Heard>,
    /// `None` while nobody watches.
    position: Option<Position>,
    /// Whether rows have to be read again.
    is_behind: bool,
}

/// What was handed out.
struct Position {
    /// The time of the newest event.
    newest: DateTime<Utc>,
    /// The last event of each variant that had one lately.
    last: HashMap<i64, (i64, DateTime<Utc>)>,
    remembered: usize,
}

impl Hearing {
    async fn run(mut self, mut arrived: mpsc::Receiver<oneshot::Sender<()>>) {
        loop {
            tokio::select! {
                ready = arrived.recv() => match ready {
                    // who goes without an answer knows that it failed
                    Some(ready) => if self.begin().await { let _ = ready.send(()); },
                    None => return,
                },
                heard = self.heard.recv() => {
                    if !self.hear(heard).await {
                        return;
                    }
                }
                () = tokio::time::sleep(PAUSE), if self.is_behind => self.catch_up().await,
            }
        }
    }

    /// Takes up its work for the first one who watches.
    async fn begin(&mut self) -> bool {
        if self.position.is_some() {
            return true;
        }
        match self.find_position().await {
            Ok(position) => self.position = Some(position),
            Err(error) => tracing::warn!(%error, "cannot see yet what happens"),
        }
        self.position.is_some()
    }

    async fn find_position(&self) -> sqlx::Result<Position> {
        let mut conn = self.pool.acquire().await?;
        let found = db::events::position(&mut conn, MARGIN_MINUTES).await?;
        let newest = found.now;
        let last: HashMap<_, _> = found.last_of_variant.into_iter().map(|(id, last)| (id, (last, newest))).collect();
        Ok(Position { newest, remembered: last.len(), last })
    }

    /// False when there is nothing more to hear.
    async fn hear(&mut self, first: Result<Heard, RecvError>) -> bool {
        let mut batch = Vec::new();
        let mut next = first;
        loop {
            match next {
                Ok(Heard::Notification { channel, payload }) => batch.extend(parse(&channel, &payload)),
                Ok(Heard::Reconnected) | Err(RecvError::Lagged(_)) => self.is_behind = true,
                Err(RecvError::Closed) => return false,
            }
            if batch.len() >= BATCH {
                break;
            }
            next = match self.heard.try_recv() {
                Ok(heard) => Ok(heard),
                Err(broadcast::error::TryRecvError::Lagged(count)) => Err(RecvError::Lagged(count)),
                // a closed channel says so again at the next call
                Err(_) => break,
            };
        }
        if self.told.receiver_count() == 0 || self.position.is_none() {
            (self.position, self.is_behind) = (None, false);
            return true;
        }
        if self.is_behind {
            self.catch_up().await;
        } else if let Err(error) = self.hand_out(batch).await {
            tracing::warn!(%error, "cannot see what happened, trying again");
            self.is_behind = true;
        }
        true
    }

    /// Loads what was announced and hands it out in the order in which it was heard.
    async fn hand_out(&mut self, batch: Vec<Announced>) -> sqlx::Result<()> {
        let ids: Vec<i64> = batch.iter().filter_map(Announced::event).collect();
        let mut events = HashMap::new();
        if !ids.is_empty() {
            let mut conn = self.pool.acquire().await?;
            let rows = db::events::list_announced(&mut conn, &ids).await?;
            events.extend(rows.into_iter().map(|row| (row.id, row)));
        }
        for announced in batch {
            match announced {
                // one that is not found went with its variant
                Announced::Event(id) => {
                    if let Some(event) = events.remove(&id) {
                        self.tell(event);
                    }
                }
                Announced::Change(change) => self.send(Told::Changed(Arc::new(change))),
            }
        }
        Ok(())
    }

    /// Reads everything that may have been missed.
    async fn catch_up(&mut self) {
        match self.read_again().await {
            Ok(()) => self.is_behind = false,
            Err(error) => tracing::warn!(%error, "cannot see what happened, trying again"),
        }
    }

    async fn read_again(&mut self) -> sqlx::Result<()> {
        let Some(position) = &self.position else { return Ok(()) };
        let since = position.newest - TimeDelta::minutes(i64::from(MARGIN_MINUTES));
        let mut after = 0;
        let mut first = true;
        loop {
            let mut conn = self.pool.acquire().await?;
            let events = db::events::list_since(&mut conn, since, after, PAGE).await?;
            drop(conn);
            // first what they may see, then what happened
            if std::mem::take(&mut first) {
                self.send(Told::Missed);
            }
            let is_last = i64::try_from(events.len()).unwrap_or(PAGE) < PAGE;
            for event in events {
                after = event.id;
                self.tell(event);
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// Hands out an event, unless that was done already.
    fn tell(&mut self, event: WatchedEvent) {
        let Some(position) = &mut self.position else { return };
        if position.is_new(&event) {
            self.send(Told::Event(Arc::new(event.into())));
        }
    }

    fn send(&self, told: Told) {
        // an error only says that nobody watches any more
        let _ = self.told.send(told);
    }
}

impl Position {
    fn is_new(&mut self, event: &WatchedEvent) -> bool {
        let last = self.last.entry(event.variant_id).or_insert((i64::MIN, event.created_at));
        if last.0 >= event.id {
            return false;
        }
        *last = (event.id, event.created_at.max(last.1));
        self.newest = self.newest.max(event.created_at);
        if self.last.len() > REMEMBERED_VARIANTS.max(2 * self.remembered) {
            // what is as old as this is never read again
            let oldest = self.newest - TimeDelta::minutes(2 * i64::from(MARGIN_MINUTES));
            self.last.retain(|_, (_, at)| *at >= oldest);
            self.remembered = self.last.len();
        }
        true
    }
}

enum Announced {
    Event(i64),
    Change(AccessChange),
}

impl Announced {
    fn event(&self) -> Option<i64> {
        if let Self::Event(id) = self { Some(*id) } else { None }
    }
}

fn parse(channel: &str, payload: &str) -> Option<Announced> {
    match channel {
        db::events::CHANNEL => {
            serde_json::from_str::<Announcement>(payload).ok().map(|announcement| Announced::Event(announcement.id))
        }
        ACCESS_CHANNEL => serde_json::from_str(payload).ok().map(Announced::Change),
        _ => None,
    }
}
