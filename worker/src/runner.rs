//! From a queue to a handler: apalis inside the corset of `docs/decisions/queue.md`, supervised and restarted.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use apalis::{
    layers::WorkerBuilderExt,
    prelude::{
        BackendExt, BoxDynError, Data, Event, EventListenerExt, ParallelizeExt, PollSnapshot, PollStrategy,
        WorkerBuilder, WorkerContext,
    },
};
use apalis_postgres::{Config, PostgresStorage};
use futures_util::{FutureExt, StreamExt};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use shared::{
    db::{self, queue::TASK_CHANNEL},
    events::Heard,
    jobs::Job,
};
use tokio::sync::{broadcast::error::RecvError, watch};
use tokio_stream::wrappers::WatchStream;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::Worker;

/// A kind of job and what it does.
pub(crate) trait Work: Job {
    /// Longest one task may take before it is given up; the row it is about decides what happens next.
    const TIMEOUT: Duration;

    /// Tasks of this kind that one process handles at the same time.
    fn concurrency(worker: &Worker) -> usize;

    /// Does it. At-least-once: every job may run twice. An error is logged; whether something is tried again is decided by
    /// the row, never by the queue.
    fn work(self, worker: Arc<Worker>) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// How often a queue is looked at without a notification: the net under NOTIFY.
const POLL: Duration = Duration::from_secs(1);
/// How long announcements wait for others that come together with them, after one that was told at once: a fetch goes on
/// until nothing is left, and every worker of the cluster hears of every task.
const GAP: Duration = Duration::from_millis(10);
/// Missed heartbeats that make a queue worker dead.
const MISSED_HEARTBEATS: usize = 6;

/// A name that no other start of any process has: a reused one keeps the orphans of its dead predecessor alive.
pub(crate) fn unique_name(role: &str) -> String {
    format!("{role}-{}-{}", std::process::id(), ulid::Ulid::generate())
}

/// Handles the tasks of one kind until `shutdown`; an apalis worker that ends is replaced by a new one.
pub(crate) async fn run_queue<J: Work>(worker: Arc<Worker>, shutdown: CancellationToken) {
    let mut pause = Duration::from_millis(250);
    while !shutdown.is_cancelled() {
        let name = unique_name(J::QUEUE);
        let started = std::time::Instant::now();
        match run_apalis_worker::<J>(&worker, &name, &shutdown).await {
            Ok(()) if shutdown.is_cancelled() => return,
            Ok(()) => tracing::warn!(queue = J::QUEUE, "queue worker ended by itself, starting another in {pause:?}"),
            Err(error) => tracing::warn!(queue = J::QUEUE, %error, "queue worker ended, starting another in {pause:?}"),
        }
        if started.elapsed() > Duration::from_mins(1) {
            pause = Duration::from_millis(250);
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shutdown.cancelled() => return,
        }
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}

async fn run_apalis_worker<J: Work>(
    worker: &Arc<Worker>,
    name: &str,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let every = Duration::from_secs(worker.config.timing.heartbeat_s);
    let context = WorkerContext::new(name);
    let config = Config::default()
        .queue(J::QUEUE)
        // anything buffered stops apalis's own heartbeat and acknowledgements
        .batch_size(1)
        .heartbeat_interval(every)
        .missed_heartbeats(MISSED_HEARTBEATS);
    let backend = PostgresStorage::<Payload<J>>::new(&worker.queue_pool)
        .with_config(config)
        .poll_with_strategy(Steady::new(announcements(worker, J::QUEUE)));
    let apalis_worker = WorkerBuilder::new(&context)
        .backend(backend)
        .data(worker.clone())
        // without this line it is unlimited
        .concurrency(J::concurrency(worker))
        // without this line all handlers share one task, and a worker that ends leaves its handlers running
        .parallelize(spawn_bound)
        .on_event(|_, event| {
            if let Event::Error(error) = event {
                tracing::warn!(%error, "queue");
            }
        })
        .build(handle::<J>);
    let _beating = AbortOnDropHandle::new(tokio::spawn(beat(worker.clone(), name.to_owned(), every)));
    let mut running = apalis_worker.run().boxed();
    tokio::select! {
        result = &mut running => result.map_err(|error| anyhow::anyhow!("{error}")),
        never = stop_at_shutdown(&context, shutdown) => match never {},
    }
}

/// A task that ends with its handle.
fn spawn_bound<F: Future<Output: Send> + Send + 'static>(future: F) -> AbortOnDropHandle<F::Output> {
    AbortOnDropHandle::new(tokio::spawn(future))
}

async fn stop_at_shutdown(context: &WorkerContext, shutdown: &CancellationToken) -> std::convert::Infallible {
    shutdown.cancelled().await;
    // a worker that is just starting cannot be stopped yet, and would run for ever if it were not asked again
    while let Err(error) = context.stop() {
        tracing::debug!(%error, "queue worker cannot stop yet");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    std::future::pending().await
}

/// What a task carries. That another version wrote something else is no failure of the queue: the row is the truth, and the
/// reaper rings for it again.
#[derive(Debug)]
enum Payload<J> {
    Read(J),
    Unreadable(String),
}

impl<'de, J: DeserializeOwned> Deserialize<'de> for Payload<J> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        Ok(serde_json::from_value(value).map_or_else(|error| Self::Unreadable(error.to_string()), Self::Read))
    }
}

/// apalis wants to be able to write what it reads; [`shared::jobs::enqueue`] is who does.
impl<J: Serialize> Serialize for Payload<J> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Read(job) => job.serialize(serializer),
            Self::Unreadable(_) => serializer.serialize_none(),
        }
    }
}

/// Timeout and panics are caught here: apalis's own layers leave the task `Running` for ever.
async fn handle<J: Work>(payload: Payload<J>, worker: Data<Arc<Worker>>) -> Result<(), BoxDynError> {
    let job = match payload {
        Payload::Read(job) => job,
        Payload::Unreadable(error) => {
            tracing::warn!(
                queue = J::QUEUE,
                error,
                "a task of another version cannot be read; its row is rung for again"
            );
            return Ok(());
        }
    };
    let key = job.idempotency_key();
    let work = std::panic::AssertUnwindSafe(job.work(Arc::clone(&worker))).catch_unwind();
    match tokio::time::timeout(J::TIMEOUT, work).await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(error))) => {
            tracing::error!(queue = J::QUEUE, task = key, error = format!("{error:#}"), "task failed");
        }
        Ok(Err(_)) => tracing::error!(queue = J::QUEUE, task = key, "task panicked"),
        Err(_) => tracing::error!(queue = J::QUEUE, task = key, "task took longer than {:?}", J::TIMEOUT),
    }
    // always done for the queue: the reaper rings again while the row still needs a worker
    Ok(())
}

/// apalis beats only while it polls, not while it drains; this beats as long as the worker lives.
async fn beat(worker: Arc<Worker>, name: String, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let beaten = async { db::queue::beat(&mut *worker.config.pool.acquire().await?, &name).await };
        if let Err(error) = beaten.await {
            tracing::warn!(%error, "no heartbeat");
        }
    }
}

#[derive(Deserialize)]
struct TaskAnnouncement {
    job_type: String,
}

/// Tells when a task of this queue may have come, and only then: apalis-core 1.0.0 asks for tasks whenever its worker is woken,
/// for whatever reason, so a worker that listened itself would ask the database at every event of every run.
fn announcements(worker: &Worker, queue: &'static str) -> Announcements {
    let mut heard = worker.config.listening.subscribe();
    let concerns = move |heard: &Heard| match heard {
        Heard::Reconnected => true,
        Heard::Notification { channel, payload } => {
            **channel == *TASK_CHANNEL
                && serde_json::from_str::<TaskAnnouncement>(payload).is_ok_and(|task| task.job_type == queue)
        }
    };
    let (announce, announced) = watch::channel(());
    let forwarding = tokio::spawn(async move {
        loop {
            match heard.recv().await {
                Ok(message) if !concerns(&message) => {}
                Ok(_) | Err(RecvError::Lagged(_)) => {
                    announce.send_replace(());
                    tokio::time::sleep(GAP).await;
                }
                Err(RecvError::Closed) => return,
            }
        }
    });
    Announcements { announced: WatchStream::from_changes(announced), _forwarding: AbortOnDropHandle::new(forwarding) }
}

/// Many that come together are one.
struct Announcements {
    announced: WatchStream<()>,
    _forwarding: AbortOnDropHandle<()>,
}

/// Polls on a steady beat and at every announcement, and always arms its waker again: apalis-core 1.0.0's own strategies do
/// not, and go deaf when a fetch ends within the same poll.
struct Steady {
    tick: tokio::time::Interval,
    announcements: Announcements,
}

impl Steady {
    fn new(announcements: Announcements) -> Self {
        // processes that start together do not poll together
        let spread = Duration::from_millis(u64::from(std::process::id()) % 600);
        let mut tick = tokio::time::interval(POLL.mul_f64(0.7) + spread);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        Self { tick, announcements }
    }
}

impl PollStrategy for Steady {
    fn poll_drive(&mut self, context: &mut Context<'_>, _: &PollSnapshot) -> Poll<Option<()>> {
        let mut fired = false;
        while self.tick.poll_tick(context).is_ready() {
            fired = true;
        }
        // its end is that of the process, which has the beat until then
        while let Poll::Ready(Some(())) = self.announcements.announced.poll_next_unpin(context) {
            fired = true;
        }
        if fired { Poll::Ready(Some(())) } else { Poll::Pending }
    }
}
