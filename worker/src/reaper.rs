//! The one recovery authority: finds runs whose holder is gone and queued runs nobody was told about, and tidies up.

use std::{sync::Arc, time::Duration};

use shared::{
    db, events,
    generation::State,
    jobs::{self, GenerateJob, InspectJob},
};
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;

use crate::{Worker, deleted_sites, jobs::page::go_on};

/// Looks of the reaper between two tidy-ups.
const TIDY_EVERY: u32 = 60;
/// Looks of the reaper between two searches for files of deleted sites.
const DELETED_EVERY: u32 = 6;
/// Looks of the reaper between two searches for queued runs without a task.
const UNRUNG_EVERY: u32 = 3;

/// Old runs that are deleted in one transaction, and such transactions in a tidy-up.
const DELETED_AT_ONCE: i64 = 100;
const DELETED_BATCHES: u32 = 20;

/// Looks again and again until `shutdown`.
pub(crate) async fn reap_until(worker: Arc<Worker>, shutdown: CancellationToken) {
    let every = Duration::from_millis(worker.config.timing.reaper_ms);
    let mut look = 0_u32;
    loop {
        if let Err(error) = close_workplaces(&worker).await {
            tracing::warn!(error = format!("{error:#}"), "cannot ask which runs are over");
        }
        if let Err(error) = reap(&worker, look).await {
            tracing::warn!(error = format!("{error:#}"), "the reaper could not look");
        }
        if look % DELETED_EVERY == DELETED_EVERY - 1
            && let Err(error) = deleted_sites::remove_left(&worker).await
        {
            tracing::warn!(error = format!("{error:#}"), "could not remove deleted sites");
        }
        if look % TIDY_EVERY == TIDY_EVERY - 1
            && let Err(error) = tidy(&worker).await
        {
            tracing::warn!(error = format!("{error:#}"), "could not tidy up");
        }
        look = look.wrapping_add(1);
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

/// Queued runs that are younger are left to the transaction that made them.
const UNRUNG_AGE: Duration = Duration::from_secs(5);

async fn reap(worker: &Worker, look: u32) -> anyhow::Result<()> {
    let mut transaction = db::begin(&worker.config.pool).await?;
    if !db::recovery::try_lock(&mut transaction).await? {
        return Ok(());
    }
    for run in db::recovery::reap_expired(&mut transaction).await? {
        tracing::warn!(generation.id = %run.id, fence = run.fence, becomes = run.state.as_str(), "a run lost its worker");
        if run.state == State::Queued {
            jobs::enqueue(&mut transaction, &GenerateJob { generation: run.id, fence: run.fence }).await?;
        } else {
            jobs::take_back_pages(&mut transaction, run.id).await?;
            events::emit_state(&mut transaction, run.variant_id, run.id, run.state, run.message.as_deref()).await?;
        }
    }
    if look.is_multiple_of(UNRUNG_EVERY) {
        for (generation, fence) in db::recovery::list_unrung(&mut transaction, UNRUNG_AGE).await? {
            tracing::warn!(generation.id = %generation, "a queued run had no task, ringing again");
            jobs::enqueue(&mut transaction, &GenerateJob { generation, fence }).await?;
        }
    }
    reap_inspections(&mut transaction).await?;
    let pages = db::page_jobs::reap(&mut transaction).await?;
    if pages > 0 {
        tracing::warn!(pages, "pages lost their worker or their task");
    }
    let calls = db::ai_calls::settle_lost(&mut transaction).await?;
    if calls > 0 {
        tracing::warn!(calls, "AI calls were lost with their worker");
    }
    transaction.commit().await?;
    // in a transaction of its own: who admits waits for the rows of pages that are held above
    go_on(worker, false).await?;
    Ok(())
}

/// Rings again for inspections that lost their worker or their task, and tells of those that are given up.
async fn reap_inspections(conn: &mut PgConnection) -> anyhow::Result<()> {
    let (queued, ended) = db::inspections::reap(conn).await?;
    for (inspection, fence) in queued {
        jobs::enqueue(conn, &InspectJob { inspection, fence }).await?;
    }
    for inspection in ended {
        tracing::warn!(inspection.id = %inspection, "an inspection is given up");
        events::announce_inspection(conn, inspection).await?;
    }
    Ok(())
}

/// Deletes runs that ended long ago, some at a time; their folders are removed with those of deleted sites.
async fn delete_old_runs(worker: &Worker) -> anyhow::Result<()> {
    for _ in 0..DELETED_BATCHES {
        let mut transaction = db::begin(&worker.config.pool).await?;
        let deleted =
            db::past_runs::delete_old(&mut transaction, worker.config.keep_generations_days, DELETED_AT_ONCE).await?;
        transaction.commit().await?;
        if deleted > 0 {
            tracing::info!(generations = deleted, "deleted generations that ended long ago");
        }
        if i64::try_from(deleted)? < DELETED_AT_ONCE {
            return Ok(());
        }
    }
    Ok(())
}

/// Forgets the workplaces of runs that are over.
async fn close_workplaces(worker: &Worker) -> anyhow::Result<()> {
    let open = worker.workplaces.list();
    if open.is_empty() {
        return Ok(());
    }
    let mut connection = worker.config.pool.acquire().await?;
    for generation in db::recovery::list_over(&mut connection, &open).await? {
        worker.workplaces.close(generation);
    }
    Ok(())
}

/// Deletes what nobody needs: ended tasks, old events, sessions that ran out, sites no page can still be open from or
/// that were never finished, pinned commits nobody begins from any more.
async fn tidy(worker: &Worker) -> anyhow::Result<()> {
    let mut connection = worker.config.pool.acquire().await?;
    db::queue::prune(&mut connection).await?;
    db::events::prune(&mut connection).await?;
    db::access::prune(&mut connection).await?;
    db::inspections::prune(&mut connection).await?;
    delete_old_runs(worker).await?;
    for (generation, prefix) in db::recovery::list_outdated_sites(&mut connection, 100).await? {
        worker.config.store.remove_site(&prefix.parse()?).await?;
        db::recovery::forget_site(&mut connection, generation).await?;
    }
    // what a worker that died or lost its lease had begun to publish
    let prefixes = worker.config.store.list_prefixes().await?;
    let folders = prefixes.iter().map(|prefix| (prefix.generation(), prefix.to_string())).collect::<Vec<_>>();
    for prefix in db::recovery::list_abandoned_sites(&mut connection, &folders).await? {
        worker.config.store.remove_site(&prefix.parse()?).await?;
    }
    db::recovery::forget_updates(&mut connection).await?;
    let pinned = worker.config.store.list_commits().await?;
    let needed = db::recovery::list_pinned_of(&mut connection, &pinned).await?;
    for generation in pinned.into_iter().filter(|id| !needed.contains(id)) {
        worker.config.store.remove_commits(generation).await?;
    }
    Ok(())
}
