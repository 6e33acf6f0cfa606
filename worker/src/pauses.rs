//! Pauses that admins make: calls wait while one is in force, pages start again when it ends.

use std::{sync::Arc, time::Duration};

use shared::{
    db,
    events::{Heard, PAUSES_CHANNEL},
    provider::Provider,
};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{Worker, jobs::page::go_on};

/// How often a pause is looked at although nothing was heard.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Whether an admin paused this provider, or everything. When the database does not answer, what waits goes on waiting.
pub(crate) async fn is_paused(worker: &Worker, provider: Provider) -> bool {
    let asked = async { db::pauses::is_paused(&mut *worker.config.pool.acquire().await?, provider).await };
    asked.await.unwrap_or_else(|error: sqlx::Error| {
        tracing::warn!(%error, "cannot ask whether something is paused");
        true
    })
}

/// Comes back when something was paused or resumed, and every now and then.
pub(crate) async fn hear_of_pause(heard: &mut Receiver<Heard>) {
    let about_it = async {
        loop {
            match heard.recv().await {
                Ok(Heard::Notification { channel, .. }) if *channel == *PAUSES_CHANNEL => return,
                Ok(Heard::Notification { .. }) => {}
                Ok(Heard::Reconnected) | Err(RecvError::Lagged(_)) => return,
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    };
    // an elapsed time is as good a reason to look as a word
    let _ = timeout(LOOK_EVERY, about_it).await;
}

/// Lets waiting pages start as soon as a pause ends; the reaper would do so later.
pub(crate) async fn follow_until(worker: Arc<Worker>, shutdown: CancellationToken) {
    let mut heard = worker.config.listening.subscribe();
    loop {
        let message = tokio::select! {
            message = heard.recv() => message,
            () = shutdown.cancelled() => return,
        };
        match message {
            Ok(Heard::Notification { channel, .. }) if *channel == *PAUSES_CHANNEL => {}
            Ok(Heard::Notification { .. }) => continue,
            Ok(Heard::Reconnected) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return shutdown.cancelled().await,
        }
        if let Err(error) = go_on(&worker, false).await {
            tracing::warn!(error = format!("{error:#}"), "cannot admit pages; the reaper will");
        }
    }
}
