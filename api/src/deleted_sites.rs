//! Removing the files of deleted variants, once their rows are gone.

use std::time::Duration;

use shared::db;
use sites::removal::remove_sites;

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
    let removing = remove_sites(state.sites(), prefixes, CONCURRENT_REMOVALS);
    let Ok(removed) = tokio::time::timeout(PATIENCE, removing).await else {
        tracing::warn!("the files of deleted sites are left to a worker");
        return;
    };
    if let Err(error) = forget(state, &removed).await {
        tracing::warn!(?error, "the files of deleted sites are removed, a worker will look once more");
    }
}

async fn forget(state: &ApiState, removed: &[String]) -> Result<(), ApiError> {
    let mut conn = state.pool().acquire().await?;
    Ok(db::deletions::forget_files(&mut conn, removed).await?)
}
