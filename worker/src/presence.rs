//! Telling everybody that this worker lives, and which providers it can run.

use std::{sync::Arc, time::Duration};

use shared::{
    db::{
        self,
        workers::{ProviderState, ProviderStates, WorkerRow},
    },
    events::{DRAIN, Heard, LOOK, WORKERS_CHANNEL},
    provider::Provider,
};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::Worker;

/// Writes the worker's row at once and again and again until `ended`, then deletes it. Looks for the providers' programs at
/// the start and when somebody asks. Hears that an admin drains it, by a word or at the latest by the next sign of life.
pub(crate) async fn show_until(worker: Arc<Worker>, ended: CancellationToken) {
    let mut heard = worker.config.listening.subscribe();
    let every = Duration::from_secs(worker.config.timing.heartbeat_s);
    let mut row = WorkerRow {
        name: worker.name.clone(),
        host: host_name(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        providers: ProviderStates::new(),
        ai_slots: i32::try_from(worker.config.ai_slots).unwrap_or(i32::MAX),
        generation_slots: i32::try_from(worker.config.generations).unwrap_or(i32::MAX),
    };
    let mut looks = true;
    loop {
        if looks {
            row.providers = look(&worker).await;
        }
        let drains = worker.draining.is_cancelled();
        let shown = async {
            let mut connection = worker.config.pool.acquire().await?;
            let told_to_drain = db::workers::save(&mut connection, &row, looks, drains).await?;
            db::workers::prune(&mut connection).await?;
            Ok::<_, sqlx::Error>(told_to_drain)
        };
        match shown.await {
            Ok(true) => worker.draining.cancel(),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "cannot tell that this worker lives"),
        }
        let heard = tokio::select! {
            () = tokio::time::sleep(every) => Word::Nothing,
            word = hear_word(&mut heard, &row.name) => word,
            // everybody is to see it soon
            () = worker.draining.cancelled(), if !drains => Word::Nothing,
            () = ended.cancelled() => break,
        };
        if heard == Word::Drain {
            worker.draining.cancel();
        }
        looks = heard == Word::Look;
    }
    let left = async { db::workers::delete(&mut *worker.config.pool.acquire().await?, &row.name).await };
    if let Err(error) = left.await {
        tracing::warn!(%error, "this worker stays on the list until it was not seen for a while");
    }
}

/// What a worker is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Nothing,
    Look,
    Drain,
}

/// Comes back when somebody tells this worker something, or may have.
async fn hear_word(heard: &mut tokio::sync::broadcast::Receiver<Heard>, name: &str) -> Word {
    loop {
        match heard.recv().await {
            Ok(Heard::Notification { channel, payload }) if *channel == *WORKERS_CHANNEL => {
                if *payload == *LOOK {
                    return Word::Look;
                }
                if payload.strip_prefix(DRAIN) == Some(name) {
                    return Word::Drain;
                }
            }
            Ok(Heard::Notification { .. }) => {}
            // that it drains stands in its row, too
            Ok(Heard::Reconnected) | Err(RecvError::Lagged(_)) => return Word::Look,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

async fn look(worker: &Worker) -> ProviderStates {
    let clis = worker.clis.clone();
    let looked = tokio::task::spawn_blocking(move || {
        Provider::ALL.map(|provider| {
            let missing = match provider {
                Provider::Builtin => None,
                _ => clis.check_installed(provider).err().map(|error| error.message),
            };
            let has_api_key = clis.has_key(provider);
            (provider.to_string(), ProviderState { ok: missing.is_none(), hint: missing, has_api_key })
        })
    });
    looked.await.map(ProviderStates::from).unwrap_or_default()
}

/// Only shown to people.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().chars().take(64).collect()
}
