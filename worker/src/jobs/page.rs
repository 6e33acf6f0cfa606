//! Takes an admitted page, writes it, keeps it, and goes on with the next one.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use shared::{
    db::{
        self, WriteError,
        page_jobs::{ClaimedPage, HeldPage, PageTask},
    },
    events::{self, PageProgress},
    jobs::{PageJob, Taker, admit_pages},
    stage::Stage,
};
use sqlx::Connection;
use tokio::sync::SemaphorePermit;
use tracing::Instrument;

use crate::{
    Worker,
    held::{Entry, StopReason},
    pipeline::{StageError, find_sources, persist, rewrite_sections, update_page},
    runner::Work,
    workplaces::Workplace,
    writers::{CallContext, Failure, WriterError},
};

/// Calls for one page that may fail before the page does.
const MAX_TRIES: i32 = 3;
/// Pause before the second try; each further one waits four times as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Pause of a provider that says "too many requests" without saying for how long.
const RATE_LIMIT_PAUSE: Duration = Duration::from_secs(15);
/// Longest pause, whatever a provider asks for.
const MAX_PAUSE: Duration = Duration::from_mins(10);

impl Work for PageJob {
    /// Only the waiting is bounded by this; a page is bounded by its lease and by the time limit of its call.
    const TIMEOUT: Duration = Duration::from_hours(168);

    fn concurrency(worker: &Worker) -> usize {
        worker.config.ai_slots
    }

    async fn work(self, worker: Arc<Worker>) -> anyhow::Result<()> {
        // claim and call outlive this handler (decisions.md 4)
        tokio::spawn(write_pages(worker, self)).await?
    }
}

/// Writes the page that was rung for, and then, in the same slot, whatever page is next, of whichever run.
async fn write_pages(worker: Arc<Worker>, job: PageJob) -> anyhow::Result<()> {
    // before the claim, so that a lease begins when the work does; never closed
    let mut slot = worker.ai_slots.acquire().await?;
    let lease = Duration::from_millis(worker.config.timing.lease_ms);
    let mut conn = worker.config.pool.acquire().await?;
    let mut next = db::page_jobs::claim(&mut conn, job.generation, &job.slug, job.fence, &worker.name, lease).await?;
    drop(conn);
    while let Some(claimed) = next {
        write_page(&worker, &claimed, slot).await?;
        slot = if let Ok(slot) = worker.ai_slots.try_acquire() {
            slot
        } else {
            // others here waited for it: a run that plans, a page that is to be alone; workers elsewhere need not wait
            go_on(&worker, None).await?;
            worker.ai_slots.acquire().await?
        };
        next = go_on(&worker, Some(lease)).await?;
    }
    drop(slot);
    Ok(())
}

/// Writes a page and writes down what became of it.
async fn write_page(worker: &Arc<Worker>, claimed: &ClaimedPage, slot: SemaphorePermit<'_>) -> anyhow::Result<()> {
    let page = HeldPage { generation: claimed.generation, slug: claimed.slug.clone(), fence: claimed.fence };
    let Some(entry) = worker.pages.enter(page.clone()) else {
        // the process shuts down: another takes it
        return put_back(worker, &page, Duration::ZERO, false).await.map_err(StageError::into_anyhow);
    };
    let span =
        tracing::info_span!("page", generation.id = %page.generation, page = %page.slug, page.fence = page.fence);
    let work = async {
        let outcome = AssertUnwindSafe(call_writer(worker, claimed, &entry, slot).boxed()).catch_unwind().await;
        let outcome = outcome.unwrap_or_else(|_| Err(StageError::internal("writing the page panicked")));
        end_page(worker, &page, claimed, &entry, outcome).await
    };
    work.instrument(span).await
}

/// What a page may use of this process. One at which workers died waits until nothing else runs here, so that no other page
/// is suspected for its fault; its lease is kept meanwhile.
async fn slots_for<'a>(
    worker: &'a Worker,
    claimed: &ClaimedPage,
    slot: SemaphorePermit<'a>,
) -> anyhow::Result<SemaphorePermit<'a>> {
    if !claimed.suspect {
        return Ok(slot);
    }
    drop(slot);
    Ok(worker.ai_slots.acquire_many(u32::try_from(worker.config.ai_slots)?).await?)
}

type Called = (Arc<Workplace>, Result<String, WriterError>);

async fn call_writer(
    worker: &Worker,
    claimed: &ClaimedPage,
    entry: &Entry<HeldPage>,
    slot: SemaphorePermit<'_>,
) -> Result<Called, StageError> {
    let stop = entry.stop.token();
    let call = async {
        let _slots = slots_for(worker, claimed, slot).await?;
        let place = worker.workplaces.open(worker, claimed.generation, stop).await?;
        let page = place.plan.page(&claimed.slug).ok_or(StageError::internal("a page is not in the plan"))?;
        let (stage, page_of) = (stage_of(claimed), Some(claimed.slug.clone()));
        let account = worker.ledger.account(claimed.generation, stage, page_of, claimed.tries + 1);
        let context = CallContext { cancel: stop.clone(), call_timeout: place.call_timeout(), account: Some(account) };
        let written = match claimed.task() {
            PageTask::Write => place.writer.write_page(&context, &place.plan, page).await,
            PageTask::Update => update_page(worker, &place, &context, page).await?,
            PageTask::Sections { wishes } => {
                rewrite_sections(worker, &place, &context, page, (claimed.generation, wishes)).await?
            }
            PageTask::Revise { findings } => {
                let mut conn = worker.config.pool.acquire().await?;
                let previous = db::pages::find_markdown(&mut conn, claimed.generation, &claimed.slug).await?;
                drop(conn);
                let previous = previous.unwrap_or_default();
                place.writer.revise_page(&context, &place.plan, page, &previous, &findings).await
            }
        };
        Ok((place, written))
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => Err(StageError::Stopped),
        called = call => called,
    }
}

/// Writes down what became of a page.
async fn end_page(
    worker: &Arc<Worker>,
    page: &HeldPage,
    claimed: &ClaimedPage,
    entry: &Entry<HeldPage>,
    outcome: Result<Called, StageError>,
) -> anyhow::Result<()> {
    let stop = &entry.stop;
    let ended = match (stop.reason(), outcome) {
        (_, Ok((place, Ok(written)))) => {
            let sources = sources_of(&place, &written).await;
            let sources = sources.as_deref();
            persist(stop.token(), || keep(worker, page, claimed, &place, &written, sources).boxed()).await
        }
        (Some(StopReason::Shutdown), _) => put_back(worker, page, Duration::ZERO, false).await,
        // nobody wants it any more, or somebody else writes it
        (Some(StopReason::Aborted | StopReason::Lost), _) | (None, Err(StageError::Stopped)) => return Ok(()),
        (None, Ok((place, Err(error)))) => settle_failure(worker, page, claimed, &place, error).await,
        (None, Err(StageError::Fail(message) | StageError::TooNew(message))) => {
            fail(worker, page, &message, true).await
        }
        (None, Err(StageError::Internal(error))) => {
            tracing::error!(error = format!("{error:#}"), "the page could not be written here");
            give_up_or_retry(worker, page, claimed, "a fault of the server; its log says more").await
        }
    };
    match ended {
        Err(StageError::Stopped) => {
            tracing::warn!("the page is not ours any more, nothing written");
            Ok(())
        }
        ended => ended.map_err(StageError::into_anyhow),
    }
}

/// The files that a text names. Without them a later run has to ask about the page, which is no reason to lose its text.
async fn sources_of(place: &Workplace, markdown: &str) -> Option<Vec<String>> {
    match find_sources(&place.checkout, markdown).await {
        Ok(sources) => Some(sources),
        Err(error) => {
            tracing::warn!(error = format!("{:#}", error.into_anyhow()), "it is not known what the page is based on");
            None
        }
    }
}

/// A page is revised by the stage that checks it.
fn stage_of(claimed: &ClaimedPage) -> Stage {
    match claimed.task() {
        PageTask::Revise { .. } | PageTask::Sections { .. } => Stage::Validating,
        PageTask::Write | PageTask::Update => Stage::GeneratingPages,
    }
}

/// Keeps the text and the progress.
async fn keep(
    worker: &Worker,
    page: &HeldPage,
    claimed: &ClaimedPage,
    place: &Workplace,
    written: &str,
    sources: Option<&[String]>,
) -> Result<(), StageError> {
    let mut conn = worker.config.pool.acquire().await?;
    match db::page_jobs::finish(&mut conn, page, written, sources).await {
        Ok(()) => {}
        Err(WriteError::Lost) => return Err(StageError::Stopped),
        Err(WriteError::Database(error)) => return Err(error.into()),
    }
    let stage = stage_of(claimed);
    let mut transaction = conn.begin().await?;
    db::page_jobs::note_progress(&mut transaction, page.generation).await?;
    let page_count = db::pages::show_count(&mut transaction, page.generation).await?;
    let progress = PageProgress { page_count, pages_total: place.plan.pages().count(), page: Some(page.slug.as_str()) };
    events::emit_page(&mut transaction, place.work.variant_id, page.generation, stage, progress).await?;
    events::announce_page(&mut transaction, page.generation).await?;
    transaction.commit().await?;
    Ok(())
}

/// A call failed: the page waits, its provider pauses, or the page is given up.
async fn settle_failure(
    worker: &Arc<Worker>,
    page: &HeldPage,
    claimed: &ClaimedPage,
    place: &Workplace,
    error: WriterError,
) -> Result<(), StageError> {
    tracing::warn!(%error, tries = claimed.tries + 1, "a call failed");
    if let Failure::RateLimited { retry_after } = error.failure {
        let pause = jittered(retry_after.unwrap_or(RATE_LIMIT_PAUSE).min(MAX_PAUSE));
        let mut conn = worker.config.pool.acquire().await?;
        db::page_jobs::pause_provider(&mut conn, place.work.key.provider, pause, &error.message).await?;
        drop(conn);
        return put_back(worker, page, pause, false).await;
    }
    if error.failure.is_retryable() {
        return give_up_or_retry(worker, page, claimed, &error.message).await;
    }
    fail(worker, page, &error.message, error.failure.concerns_all_pages()).await
}

async fn give_up_or_retry(
    worker: &Arc<Worker>,
    page: &HeldPage,
    claimed: &ClaimedPage,
    message: &str,
) -> Result<(), StageError> {
    if claimed.tries + 1 >= MAX_TRIES {
        return fail(worker, page, message, false).await;
    }
    let pause = FIRST_PAUSE * 4_u32.pow(u32::try_from(claimed.tries).unwrap_or(0));
    put_back(worker, page, jittered(pause), true).await
}

async fn put_back(worker: &Arc<Worker>, page: &HeldPage, pause: Duration, failed_try: bool) -> Result<(), StageError> {
    let mut conn = worker.config.pool.acquire().await?;
    db::page_jobs::put_back(&mut conn, page, pause, failed_try).await?;
    if !pause.is_zero() {
        // if this process is gone by then, the reaper of another admits
        let worker = Arc::clone(worker);
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            if let Err(error) = go_on(&worker, None).await {
                tracing::warn!(error = format!("{error:#}"), "cannot admit pages; the reaper will");
            }
        });
    }
    Ok(())
}

async fn fail(worker: &Worker, page: &HeldPage, message: &str, concerns_all: bool) -> Result<(), StageError> {
    let mut transaction = worker.config.pool.begin().await?;
    db::page_jobs::fail(&mut transaction, page, message, concerns_all).await?;
    // its coordinator hears of it by this
    events::announce_page(&mut transaction, page.generation).await?;
    Ok(transaction.commit().await?)
}

/// Lets waiting pages start, and takes one of them when this process has a slot for it.
pub(crate) async fn go_on(worker: &Worker, lease: Option<Duration>) -> anyhow::Result<Option<ClaimedPage>> {
    let lease = lease.filter(|_| !worker.draining.is_cancelled());
    let taker = lease.map(|lease| Taker { worker: &worker.name, lease });
    let mut transaction = worker.config.pool.begin().await?;
    let own = admit_pages(&mut transaction, &worker.config.provider_limits, taker).await?;
    transaction.commit().await?;
    Ok(own)
}

/// Up to a third longer, so that pages that failed together do not come back together.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(1.0 + rand::random::<f64>() / 3.0)
}
