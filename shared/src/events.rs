//! Progress for everyone who watches: events are rows, and a NOTIFY says that there is a new one. One listening connection
//! per process hears everything and hands it on.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool, postgres::PgListener};
use tokio::sync::broadcast;
use tokio_util::task::AbortOnDropHandle;

use crate::{
    db::{self, starts::Start},
    generation::State,
    ids::{GenerationId, InspectionId},
    stage::Stage,
    wire::to_the_second,
};

/// The channel on which running generations are told to stop; the payload is the generation's id.
pub const CANCEL_CHANNEL: &str = "docmill_cancel";

/// The channel on which is told that what somebody may see or do changed other than by an event; the payload is an
/// [`AccessChange`].
pub const ACCESS_CHANNEL: &str = "docmill_access";

/// The channel on which the coordinator of a run hears that one of its pages is done or failed; the payload is the
/// generation's id.
pub const PAGES_CHANNEL: &str = "docmill_pages";

/// The channel between workers and those who want to know what they can run; the payload is [`LOOK`], [`LOOKED`] or
/// [`DRAIN`] with a name.
pub const WORKERS_CHANNEL: &str = "docmill_workers";

/// The channel on which is told that an admin paused or resumed something.
pub const PAUSES_CHANNEL: &str = "docmill_pauses";

/// The channel on which is told that an inspection ended; the payload is its id.
pub const INSPECTIONS_CHANNEL: &str = "docmill_inspections";

/// Begins the payload that tells one worker to drain; its name follows.
pub const DRAIN: &str = "drain ";

/// Asks every worker to look again which providers it can run.
pub const LOOK: &str = "look";

/// A worker has looked.
pub const LOOKED: &str = "looked";

/// Notifications that are kept for a slow receiver; beyond that it is told that it lagged and looks for itself.
const BACKLOG: usize = 1024;

/// A stage began. The one in which pages are written carries the plan, which is known by then.
pub async fn emit_stage(
    conn: &mut PgConnection,
    variant: i64,
    generation: GenerationId,
    stage: Stage,
) -> sqlx::Result<i64> {
    let mut body = json!({ "current_stage": stage });
    if stage == Stage::GeneratingPages
        && let Some((plan, page_count)) = db::events::find_plan(conn, variant).await?
    {
        body["plan_json"] = Value::from(plan);
        body["page_count"] = Value::from(page_count);
    }
    db::events::insert(conn, variant, generation, "progress", &body).await
}

/// Progress within a stage: how many pages are written, and which one came last.
pub async fn emit_page(
    conn: &mut PgConnection,
    variant: i64,
    generation: GenerationId,
    stage: Stage,
    progress: PageProgress<'_>,
) -> sqlx::Result<i64> {
    let body = json!({
        "current_stage": stage, "page_count": progress.page_count, "pages_total": progress.pages_total,
        "page": progress.page,
    });
    db::events::insert(conn, variant, generation, "progress", &body).await
}

/// How far the pages are.
#[derive(Debug, Clone, Copy)]
pub struct PageProgress<'a> {
    /// Written by now.
    pub page_count: i32,
    /// Of the plan.
    pub pages_total: usize,
    /// The slug of the page that came last, if one did.
    pub page: Option<&'a str>,
}

/// These generations were queued, each of another variant.
pub async fn emit_queued(conn: &mut PgConnection, starts: &[Start]) -> sqlx::Result<()> {
    let (variants, generations): (Vec<_>, Vec<_>) = starts.iter().map(|start| (start.variant_id, start.id)).unzip();
    db::events::insert_all(conn, &variants, &generations, "status_change", &status(State::Queued)).await?;
    Ok(())
}

fn status(state: State) -> Value {
    json!({ "status": state })
}

/// The generation ended, or was queued again. Call it after the rows were changed: the end of one that is ready is told with its
/// pages, commit, time and duration.
pub async fn emit_state(
    conn: &mut PgConnection,
    variant: i64,
    generation: GenerationId,
    state: State,
    message: Option<&str>,
) -> sqlx::Result<i64> {
    let mut body = status(state);
    if let Some(message) = message {
        body["error_message"] = Value::from(message);
    }
    if state == State::Ready
        && let Some(end) = db::events::find_end(conn, variant, generation).await?
    {
        body["page_count"] = Value::from(end.page_count);
        body["last_generated"] = Value::from(end.last_generated.map(to_the_second));
        body["last_commit_sha"] = Value::from(end.last_commit_sha);
        let duration = end.started_at.zip(end.finished_at).map(|(from, to)| (to - from).num_seconds());
        body["generation_duration"] = Value::from(duration);
    }
    db::events::insert(conn, variant, generation, "status_change", &body).await
}

/// Something went wrong without ending the run.
pub async fn emit_warning(
    conn: &mut PgConnection,
    variant: i64,
    generation: GenerationId,
    message: &str,
) -> sqlx::Result<i64> {
    db::events::insert(conn, variant, generation, "warning", &json!({ "message": message })).await
}

/// Tells the holder of a running generation to stop, when the transaction commits.
pub async fn announce_cancel(conn: &mut PgConnection, generation: GenerationId) -> sqlx::Result<()> {
    db::events::notify(conn, CANCEL_CHANNEL, &generation.to_string()).await
}

/// What changed besides what events tell of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessChange {
    /// A user's key, role, sessions, grants or existence.
    User(String),
    /// The variants of a project: one was deleted or imported.
    Project {
        /// Owner of the variants.
        owner: String,
        /// Project name.
        name: String,
    },
    /// The settings that admins make.
    Settings,
}

/// Tells every process of a change, when the transaction commits.
pub async fn announce_access(conn: &mut PgConnection, change: &AccessChange) -> sqlx::Result<()> {
    let payload = serde_json::to_string(change).map_err(|error| sqlx::Error::Encode(error.into()))?;
    db::events::notify(conn, ACCESS_CHANNEL, &payload).await
}

/// Tells the coordinator of a run that one of its pages is done or failed, when the transaction commits.
pub async fn announce_page(conn: &mut PgConnection, generation: GenerationId) -> sqlx::Result<()> {
    db::events::notify(conn, PAGES_CHANNEL, &generation.to_string()).await
}

/// Tells those who wait for an inspection that it ended, when the transaction commits.
pub async fn announce_inspection(conn: &mut PgConnection, inspection: InspectionId) -> sqlx::Result<()> {
    db::events::notify(conn, INSPECTIONS_CHANNEL, &inspection.to_string()).await
}

/// Something that was heard.
#[derive(Debug, Clone)]
pub enum Heard {
    /// A notification of one of the channels.
    Notification {
        /// The channel.
        channel: Arc<str>,
        /// What it carried.
        payload: Arc<str>,
    },
    /// The connection was lost and is back: notifications in between are lost, so look for yourself.
    Reconnected,
}

/// The process's one listening connection, fanned out. Stops when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Listening {
    heard: broadcast::Sender<Heard>,
    _task: Arc<AbortOnDropHandle<()>>,
}

impl Listening {
    /// Starts listening on all channels; comes back when the first connection stands.
    pub async fn start(pool: &PgPool) -> sqlx::Result<Self> {
        let (heard, _) = broadcast::channel(BACKLOG);
        let listener = open(pool).await?;
        let task = tokio::spawn(listen(pool.clone(), listener, heard.clone()));
        Ok(Self { heard, _task: Arc::new(AbortOnDropHandle::new(task)) })
    }

    /// Hears everything from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Heard> {
        self.heard.subscribe()
    }
}

async fn open(pool: &PgPool) -> sqlx::Result<PgListener> {
    let mut listener = PgListener::connect_with(pool).await?;
    let ours = [
        db::events::CHANNEL,
        CANCEL_CHANNEL,
        ACCESS_CHANNEL,
        WORKERS_CHANNEL,
        PAGES_CHANNEL,
        PAUSES_CHANNEL,
        INSPECTIONS_CHANNEL,
    ];
    listener.listen_all(ours.into_iter().chain([db::queue::TASK_CHANNEL])).await?;
    Ok(listener)
}

async fn listen(pool: PgPool, mut listener: PgListener, heard: broadcast::Sender<Heard>) {
    let mut pause = Duration::from_millis(200);
    loop {
        match listener.try_recv().await {
            Ok(Some(notification)) => {
                pause = Duration::from_millis(200);
                // an error only says that nobody subscribes at the moment
                let _ = heard.send(Heard::Notification {
                    channel: notification.channel().into(),
                    payload: notification.payload().into(),
                });
            }
            // the connection was lost; the listener connects again by itself at the next call
            Ok(None) => {
                let _ = heard.send(Heard::Reconnected);
            }
            // the process is about to end
            Err(sqlx::Error::PoolClosed) => return,
            Err(error) => {
                tracing::warn!(%error, "lost the listening connection, trying again in {pause:?}");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(5));
                if let Ok(again) = open(&pool).await {
                    listener = again;
                    let _ = heard.send(Heard::Reconnected);
                }
            }
        }
    }
}
