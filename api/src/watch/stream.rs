//! Server-sent events of one variant or one generation. The rows are the truth: a stream reads what was before it, goes on
//! with what the hub hands out, and reads rows again when it was too slow. So a reader who comes back with the number of the
//! last event misses nothing and gets nothing twice.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use shared::{
    db::{self, variants::VariantRow},
    events::AccessChange,
    ids::GenerationId,
};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::Instant,
};

use super::{
    hub::{Happened, Told},
    places::Place,
    watcher::Watcher,
};
use crate::{error::ApiError, state::ApiState};

/// Rows that are read at a time.
const PAGE: i64 = 200;
const COMMENT: &[u8] = b":\n\n";

/// What is watched.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Subject {
    /// A variant; such a stream has no end.
    Variant,
    /// One of its generations; the stream ends with it.
    Generation(GenerationId),
}

/// A stream of events.
pub(crate) struct EventStream {
    state: ApiState,
    watcher: Watcher,
    _place: Place,
    variant_id: i64,
    owner: String,
    name: String,
    subject: Subject,
    told: Receiver<Told>,
    /// The last event that was handed on.
    after: i64,
    waiting: VecDeque<Arc<Happened>>,
    /// There may be rows that were not read.
    reads_rows: bool,
    /// The generation had ended before its rows were read: the last row is the end.
    ends_with_rows: bool,
    has_ended: bool,
    comment_at: Instant,
    recheck_at: Instant,
}

impl EventStream {
    /// Begins after an event, or at the beginning of the generation, of the newest one for a variant. `None` when nothing is
    /// left of a generation that has ended.
    pub(crate) async fn begin(
        state: ApiState,
        watcher: Watcher,
        place: Place,
        row: VariantRow,
        subject: Subject,
        last_event: Option<i64>,
    ) -> Result<Option<Self>, ApiError> {
        let told = state.hub().watch().await?;
        let mut conn = state.pool().acquire().await?;
        let after = match (last_event, subject) {
            (Some(id), _) => id,
            (None, Subject::Generation(_)) => 0,
            (None, Subject::Variant) => db::events::last_before_newest_generation(&mut conn, row.id).await?,
        };
        let ends_with_rows = match subject {
            Subject::Variant => false,
            Subject::Generation(id) => {
                db::generations::find_state(&mut conn, id).await?.is_none_or(|(state, _)| state.is_terminal())
            }
        };
        drop(conn);
        let now = Instant::now();
        let mut stream = Self {
            comment_at: now,
            recheck_at: now + state.watch_times().recheck_every,
            state,
            watcher,
            _place: place,
            variant_id: row.id,
            owner: row.owner,
            name: row.name.to_string(),
            subject,
            told,
            after,
            waiting: VecDeque::new(),
            reads_rows: true,
            ends_with_rows,
            has_ended: false,
        };
        // what changed between the proof and now was not heard
        if !stream.may_go_on().await? {
            return Err(ApiError::not_found("Not found"));
        }
        stream.read_rows().await?;
        let is_over = stream.ends_with_rows && stream.waiting.is_empty();
        Ok((!is_over).then_some(stream))
    }

    /// The next piece; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(happened) = self.waiting.pop_front() {
                if let Some(piece) = self.pass_on(&happened) {
                    return Some(piece);
                }
                continue;
            }
            if self.has_ended || self.state.closing().is_cancelled() {
                return None;
            }
            if self.reads_rows {
                if let Err(error) = self.read_rows().await {
                    // the reader comes back with the number of the last event
                    tracing::debug!(?error, "a stream of events cannot go on");
                    return None;
                }
                continue;
            }
            if self.ends_with_rows {
                return None;
            }
            let closing = self.state.closing().clone();
            let may_go_on = tokio::select! {
                () = closing.cancelled() => false,
                heard = self.told.recv() => self.hear(heard).await,
                () = tokio::time::sleep_until(self.recheck_at) => {
                    self.recheck_at = Instant::now() + self.state.watch_times().recheck_every;
                    // a database that is away for a moment is no reason to end
                    self.may_go_on().await.unwrap_or(true)
                }
                () = tokio::time::sleep_until(self.comment_at) => {
                    self.comment_at = Instant::now() + self.state.watch_times().comment_every;
                    return Some(Bytes::from_static(COMMENT));
                }
            };
            if !may_go_on {
                return None;
            }
        }
    }

    fn pass_on(&mut self, happened: &Happened) -> Option<Bytes> {
        if happened.id <= self.after {
            return None;
        }
        self.after = happened.id;
        self.has_ended = happened.is_end && matches!(self.subject, Subject::Generation(_));
        let head = format!("id: {}\nevent: {}\ndata: ", happened.id, happened.kind);
        Some([head.as_bytes(), &happened.json, b"\n\n"].concat().into())
    }

    async fn read_rows(&mut self) -> Result<(), ApiError> {
        let mut conn = self.state.pool().acquire().await?;
        let rows = match self.subject {
            Subject::Variant => {
                db::events::list_watched_of_variant(&mut conn, self.variant_id, self.after, PAGE).await?
            }
            Subject::Generation(id) => db::events::list_watched_of_generation(&mut conn, id, self.after, PAGE).await?,
        };
        self.reads_rows = i64::try_from(rows.len()).is_ok_and(|count| count >= PAGE);
        self.waiting.extend(rows.into_iter().map(|row| Arc::new(row.into())));
        Ok(())
    }

    /// False when the stream ends.
    async fn hear(&mut self, heard: Result<Told, RecvError>) -> bool {
        let concerns_access = match heard {
            Ok(Told::Event(happened)) => {
                if self.is_about(&happened) {
                    self.waiting.push_back(happened);
                }
                false
            }
            Ok(Told::Changed(change)) => match &*change {
                AccessChange::User(name) => *name == *self.watcher.caller.username,
                AccessChange::Project { owner, name } => (owner, name) == (&self.owner, &self.name),
                AccessChange::Settings => false,
            },
            Ok(Told::Missed) => true,
            Err(RecvError::Lagged(_)) => {
                self.reads_rows = true;
                true
            }
            Err(RecvError::Closed) => return false,
        };
        !concerns_access || self.may_go_on().await.unwrap_or(false)
    }

    fn is_about(&self, happened: &Happened) -> bool {
        match self.subject {
            Subject::Variant => happened.variant_id == self.variant_id,
            Subject::Generation(id) => happened.generation_id == id,
        }
    }

    /// Whether the reader is still somebody who may see this, and this still there.
    async fn may_go_on(&mut self) -> Result<bool, ApiError> {
        let username = self.watcher.caller.username.clone();
        if !self.watcher.recheck(&self.state).await? || self.watcher.caller.username != username {
            return Ok(false);
        }
        let mut conn = self.state.pool().acquire().await?;
        Ok(db::variants::find(&mut conn, self.watcher.caller.reads(), self.variant_id).await?.is_some())
    }
}
