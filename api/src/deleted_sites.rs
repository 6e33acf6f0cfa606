//! Removing the files of deleted variants, once their rows are gone.

use std::time::Duration;

use futures_util::{FutureExt, StreamExt, stream};
use shared::db;
use sites::{key::SitePrefix, store::SiteStore};

use crate::{error::ApiError, state::ApiState};

/// How long an answer waits for the files to go; a worker removes what is left.
const PATIENCE: Duration = Duration::from_secs(5);
/// Sites that are removed at the same time.
const CONCURRENT_REMOVALS: usize = 8;

/// Removes the sites that a committed deletion left, for a few seconds at most. Their rows in `deleted_sites` tell workers
/// what to do when this does not come to its end, so nothing that goes wrong here is told to the caller.
pub(crate) async fn remove(state: &ApiState, prefixes: Vec<String>) {
    // the other processes hear of it
    state.served().clear();
    let removals = stream::iter(prefixes).map(|prefix| remove_site(state.sites().clone(), prefix).boxed());
    let removed = removals.buffer_unordered(CONCURRENT_REMOVALS).filter_map(std::future::ready).collect::<Vec<_>>();
    let Ok(removed) = tokio::time::timeout(PATIENCE, removed).await else {
        tracing::warn!("the files of deleted sites are left to a worker");
        return;
    };
    if let Err(error) = forget(state, &removed).await {
        tracing::warn!(?error, "the files of deleted sites are removed, a worker will look once more");
    }
}

async fn remove_site(store: SiteStore, prefix: String) -> Option<String> {
    let removed = match prefix.parse::<SitePrefix>() {
        Ok(parsed) => store.remove_site(&parsed).await.map_err(anyhow::Error::from),
        Err(error) => Err(error.into()),
    };
    match removed {
        Ok(()) => Some(prefix),
        Err(error) => {
            tracing::warn!(site.prefix = %prefix, error = format!("{error:#}"), "a deleted site is left to a worker");
            None
        }
    }
}

async fn forget(state: &ApiState, removed: &[String]) -> Result<(), ApiError> {
    let mut conn = state.pool().acquire().await?;
    Ok(db::deletions::forget_files(&mut conn, removed).await?)
}
