//! Takes an admitted page, writes it, keeps it, and goes on with the next one.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use shared::{
    db::{
        self,
        page_jobs::{ClaimedPage, HeldPage, PageTask, Taker},
    },
    events::{self, PageProgress},
    jobs::{PageJob, admit_pages},
    stage::Stage,
};
use sqlx::PgConnection;
use tokio::sync::SemaphorePermit;
use tracing::Instrument;

use crate::{
    Worker,
    held::{Entry, StopSign},
    ledger::{OpenCall, Tray},
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

/// What a slot does after a page.
enum Then<'a> {
    /// This page is next.
    Write(ClaimedPage, SemaphorePermit<'a>),
    /// It looks what is next.
    Look,
    /// There is nothing to do.
    Rest,
}

impl<'a> Then<'a> {
    fn of(claimed: Option<ClaimedPage>, slot: SemaphorePermit<'a>) -> Self {
        claimed.map_or(Self::Rest, |claimed| Self::Write(claimed, slot))
    }
}

/// Writes the page that was rung for, and then, in the same slot, whatever page is next, of whichever run.
async fn write_pages(worker: Arc<Worker>, job: PageJob) -> anyhow::Result<()> {
    // before the claim, so that a lease begins when the work does; never closed
    let slot = worker.ai_slots.acquire().await?;
    let lease = Duration::from_millis(worker.config.timing.lease_ms);
    let mut conn = worker.config.pool.acquire().await?;
    let claimed = db::page_jobs::claim(&mut conn, job.generation, &job.slug, job.fence, &worker.name, lease).await?;
    drop(conn);
    let mut then = Then::of(claimed, slot);
    loop {
        then = match then {
            Then::Write(claimed, slot) => write_page(&worker, &claimed, slot).await?,
            Then::Look => look(&worker).await?,
            Then::Rest => return Ok(()),
        };
    }
}

async fn look(worker: &Worker) -> anyhow::Result<Then<'_>> {
    let slot = if let Ok(slot) = worker.ai_slots.try_acquire() {
        slot
    } else {
        // others here waited for it: a run that plans, a page that is to be alone; workers elsewhere need not wait
        go_on(worker, false).await?;
        worker.ai_slots.acquire().await?
    };
    Ok(Then::of(go_on(worker, true).await?, slot))
}

/// Writes a page and writes down what became of it.
async fn write_page<'a>(
    worker: &'a Arc<Worker>,
    claimed: &ClaimedPage,
    slot: SemaphorePermit<'_>,
) -> anyhow::Result<Then<'a>> {
    let page = HeldPage { generation: claimed.generation, slug: claimed.slug.clone(), fence: claimed.fence };
    let Some(entry) = worker.pages.enter(page.clone()) else {
        // the process shuts down: another takes it
        put_back(worker, &page, Duration::ZERO, false).await.map_err(StageError::into_anyhow)?;
        return Ok(Then::Look);
    };
    let span =
        tracing::info_span!("page", generation.id = %page.generation, page = %page.slug, page.fence = page.fence);
    let work = async {
        let tray = Tray::default();
        let outcome = AssertUnwindSafe(call_writer(worker, claimed, &entry, &tray, slot).boxed()).catch_unwind().await;
        let outcome = outcome.unwrap_or_else(|_| Err(StageError::internal("writing the page panicked")));
        let ending = Ending { worker, page: &page, claimed, stop: &entry.stop };
        ending.end(outcome, tray.take()).await
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
    tray: &Tray,
    slot: SemaphorePermit<'_>,
) -> Result<Called, StageError> {
    let stop = entry.stop.token();
    let call = async {
        let _slots = slots_for(worker, claimed, slot).await?;
        let place = worker.workplaces.open(worker, claimed.generation, stop).await?;
        let page = place.plan.page(&claimed.slug).ok_or(StageError::internal("a page is not in the plan"))?;
        let (stage, page_of) = (stage_of(claimed), Some(claimed.slug.clone()));
        let account = worker.ledger.account(claimed.generation, stage, page_of, claimed.tries + 1).with_tray(tray);
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

/// A page at its end.
struct Ending<'a, 'p> {
    worker: &'a Arc<Worker>,
    page: &'p HeldPage,
    claimed: &'p ClaimedPage,
    stop: &'p StopSign,
}

/// A text and what is known of it.
struct Written<'p> {
    place: &'p Workplace,
    markdown: &'p str,
    sources: Option<Vec<String>>,
    /// The call that brought it, when it is not settled yet.
    call: Option<&'p OpenCall>,
}

/// What was done in the transaction that kept a page.
struct Kept {
    settled: bool,
    admitted: bool,
    next: Option<ClaimedPage>,
}

impl<'a> Ending<'a, '_> {
    /// Writes down what became of the page.
    async fn end(&self, outcome: Result<Called, StageError>, call: Option<OpenCall>) -> anyhow::Result<Then<'a>> {
        if let Ok((place, Ok(markdown))) = &outcome {
            return self.or_put_back(self.keep(place, markdown, call).await).await;
        }
        if let Some(call) = call {
            // an answer that was of no use
            call.write(self.stop.token()).await;
        }
        let ended = match (self.stop.reason(), outcome) {
            (Some(_), _) | (None, Ok((_, Ok(_))) | Err(StageError::Stopped)) => Err(StageError::Stopped),
            (None, Ok((place, Err(error)))) => self.settle_failure(&place, error).await,
            (None, Err(StageError::TooNew(message))) => self.leave_to_newer(&message).await,
            (None, Err(StageError::Fail(message))) => self.fail(&message, true).await,
            (None, Err(StageError::Internal(error))) => {
                tracing::error!(error = format!("{error:#}"), "the page could not be written here");
                self.give_up_or_retry("a fault of the server; its log says more").await
            }
        };
        self.or_put_back(ended.map(|()| Then::Look)).await
    }

    /// A page that is not to be written here any more is no failure of this process. One that was stopped is put back, also when
    /// nobody wants it: until then it takes a place from others.
    async fn or_put_back(&self, ended: Result<Then<'a>, StageError>) -> anyhow::Result<Then<'a>> {
        if !matches!(ended, Err(StageError::Stopped)) {
            return ended.map_err(StageError::into_anyhow);
        }
        if self.stop.reason().is_none() {
            tracing::warn!("the page is not ours any more, nothing written");
            return Ok(Then::Look);
        }
        match self.put_back(Duration::ZERO, false).await {
            // or there is nothing to put back
            Ok(()) | Err(StageError::Stopped) => Ok(Then::Look),
            Err(error) => Err(error.into_anyhow()),
        }
    }

    /// Keeps the text, settles its call, and takes the next page if this process has a slot for it: in one transaction.
    async fn keep(&self, place: &Workplace, markdown: &str, call: Option<OpenCall>) -> Result<Then<'a>, StageError> {
        let sources = sources_of(place, markdown).await;
        let written = Written { place, markdown, sources, call: call.as_ref() };
        let slot = self.worker.ai_slots.try_acquire().ok();
        let may_take = slot.is_some() && !self.worker.draining.is_cancelled();
        let tried = AtomicBool::new(false);
        let kept = persist(self.stop.token(), || {
            // what is paid for does not wait a second time for what others do with the pages that are left
            let admits = may_take && !tried.swap(true, Ordering::Relaxed);
            self.try_keep(&written, admits).boxed()
        });
        let kept = kept.await;
        if let Some(call) = call {
            match &kept {
                Ok(kept) if kept.settled => call.was_settled(),
                _ => call.write(self.stop.token()).await,
            }
        }
        let kept = kept?;
        Ok(slot.filter(|_| kept.admitted).map_or(Then::Look, |slot| Then::of(kept.next, slot)))
    }

    async fn try_keep(&self, written: &Written<'_>, admits: bool) -> Result<Kept, StageError> {
        let Self { worker, page, claimed, .. } = self;
        let mut transaction = db::begin(&worker.config.pool).await?;
        let settled = match written.call {
            Some(call) => call.settle_with(&mut transaction).await?,
            None => false,
        };
        let sources = written.sources.as_deref();
        let shown = db::page_jobs::finish(&mut transaction, page, written.markdown, sources).await?;
        let progress = PageProgress {
            page_count: shown.page_count,
            pages_total: written.place.plan.pages().count(),
            page: Some(page.slug.as_str()),
        };
        let stage = stage_of(claimed);
        events::emit_page(&mut transaction, shown.variant_id, page.generation, stage, progress).await?;
        db::page_jobs::announce_last(&mut transaction, page.generation).await?;
        let next = if admits { admit(worker, &mut transaction, true).await? } else { None };
        transaction.commit().await?;
        Ok(Kept { settled, admitted: admits, next })
    }

    /// A call failed: the page waits, its provider pauses, or the page is given up.
    async fn settle_failure(&self, place: &Workplace, error: WriterError) -> Result<(), StageError> {
        tracing::warn!(%error, tries = self.claimed.tries + 1, "a call failed");
        if let Failure::RateLimited { retry_after } = error.failure {
            let pause = jittered(retry_after.unwrap_or(RATE_LIMIT_PAUSE).min(MAX_PAUSE));
            let mut conn = self.worker.config.pool.acquire().await?;
            db::page_jobs::pause_provider(&mut conn, place.work.key.provider, pause, &error.message).await?;
            drop(conn);
            return self.put_back(pause, false).await;
        }
        if error.failure.is_retryable() {
            return self.give_up_or_retry(&error.message).await;
        }
        self.fail(&error.message, error.failure.concerns_all_pages()).await
    }

    async fn give_up_or_retry(&self, message: &str) -> Result<(), StageError> {
        let tries = self.claimed.tries;
        if tries + 1 >= MAX_TRIES {
            return self.fail(message, false).await;
        }
        let pause = FIRST_PAUSE * 4_u32.pow(u32::try_from(tries).unwrap_or(0));
        self.put_back(jittered(pause), true).await
    }

    async fn put_back(&self, pause: Duration, failed_try: bool) -> Result<(), StageError> {
        persist(self.stop.token(), || put_back(self.worker, self.page, pause, failed_try).boxed()).await
    }

    async fn fail(&self, message: &str, concerns_all: bool) -> Result<(), StageError> {
        persist(self.stop.token(), || self.try_fail(message, concerns_all).boxed()).await
    }

    async fn try_fail(&self, message: &str, concerns_all: bool) -> Result<(), StageError> {
        let mut transaction = db::begin(&self.worker.config.pool).await?;
        db::page_jobs::fail(&mut transaction, self.page, message, concerns_all).await?;
        // its coordinator hears of it by this
        events::announce_page(&mut transaction, self.page.generation).await?;
        Ok(transaction.commit().await?)
    }

    /// A newer version wrote what the page is made from: a newer worker writes it.
    async fn leave_to_newer(&self, message: &str) -> Result<(), StageError> {
        tracing::warn!(message, "the pages of this run are left to workers of a newer version");
        persist(self.stop.token(), || self.try_leave_to_newer().boxed()).await
    }

    async fn try_leave_to_newer(&self) -> Result<(), StageError> {
        let mut transaction = db::begin(&self.worker.config.pool).await?;
        db::protocol::leave_pages_to_newer(&mut transaction, self.page.generation).await?;
        db::page_jobs::put_back(&mut transaction, self.page, Duration::ZERO, false).await?;
        Ok(transaction.commit().await?)
    }
}

async fn put_back(worker: &Arc<Worker>, page: &HeldPage, pause: Duration, failed_try: bool) -> Result<(), StageError> {
    let mut conn = worker.config.pool.acquire().await?;
    db::page_jobs::put_back(&mut conn, page, pause, failed_try).await?;
    if !pause.is_zero() {
        // if this process is gone by then, the reaper of another admits
        let worker = Arc::clone(worker);
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            if let Err(error) = go_on(&worker, false).await {
                tracing::warn!(error = format!("{error:#}"), "cannot admit pages; the reaper will");
            }
        });
    }
    Ok(())
}

/// Lets waiting pages start, and takes one of them when this process has a slot for it.
pub(crate) async fn go_on(worker: &Worker, has_slot: bool) -> anyhow::Result<Option<ClaimedPage>> {
    let (pool, takes) = (&worker.config.pool, has_slot && !worker.draining.is_cancelled());
    // a claim that is taken back costs the call that is made under it
    let mut transaction = if takes { db::begin(pool).await? } else { db::begin_progress(pool).await? };
    let own = admit(worker, &mut transaction, takes).await?;
    transaction.commit().await?;
    Ok(own)
}

/// The same in the caller's transaction, which should end soon.
pub(crate) async fn admit(worker: &Worker, conn: &mut PgConnection, takes: bool) -> sqlx::Result<Option<ClaimedPage>> {
    let lease = Duration::from_millis(worker.config.timing.lease_ms);
    admit_pages(conn, &worker.config.provider_limits, takes.then_some(Taker { worker: &worker.name, lease })).await
}

/// Up to a third longer, so that pages that failed together do not come back together.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(1.0 + rand::random::<f64>() / 3.0)
}
