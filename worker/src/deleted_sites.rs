//! Removing the files of deleted variants, once their rows are gone.

use shared::db;
use sites::removal::remove_sites;

use crate::Worker;

/// Sites that are looked for in one go.
const AT_ONCE: i64 = 200;

/// Removes what others left: whoever deletes removes the files, unless it is killed or they take too long.
pub(crate) async fn remove_left(worker: &Worker) -> anyhow::Result<()> {
    let mut connection = worker.config.pool.acquire().await?;
    let prefixes = db::deletions::list_files(&mut connection, AT_ONCE).await?;
    drop(connection);
    remove(worker, prefixes).await
}

/// Removes sites, one by one beside the work, and notes which are gone.
pub(crate) async fn remove(worker: &Worker, prefixes: Vec<String>) -> anyhow::Result<()> {
    let removed = remove_sites(&worker.config.store, prefixes, 1).await;
    if !removed.is_empty() {
        db::deletions::forget_files(&mut *worker.config.pool.acquire().await?, &removed).await?;
        tracing::info!(sites = removed.len(), "removed the files of deleted sites");
    }
    Ok(())
}
