//! The account of AI calls: a row before each call, settled after it, whatever came of it. The only place that knows what
//! calls cost.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use shared::{
    budget::Budget,
    db::{
        self,
        ai_calls::{Begun, CallId, NewCall, Settlement},
    },
    ids::GenerationId,
    names::{ModelId, PageSlug},
    provider::Provider,
    stage::Stage,
};
use sqlx::{PgConnection, PgPool};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    pipeline::may_pass,
    prices::Prices,
    writers::{Failure, Usage, WriterError},
};

/// The outcome of a call that was answered.
pub(crate) const OK: &str = "ok";

/// The outcome of a call that was answered from a recording.
pub(crate) const REPLAYED: &str = "replayed";

/// How long a call that may not start any more waits for the word that its run is to stop: at most until the next renewal.
const WORD: Duration = Duration::from_secs(10);
/// Pause before the database is asked again that was out of reach.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a settlement is tried for that nobody waits for any more; what is left then is found by the reaper.
const PATIENCE: Duration = Duration::from_mins(1);

/// Where calls are written down.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    pool: PgPool,
    worker: Arc<str>,
    prices: Arc<Prices>,
}

/// For whom calls are made: what of a row is known before anything is asked.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    ledger: Ledger,
    generation: GenerationId,
    stage: Stage,
    page: Option<PageSlug>,
    attempt: i32,
    tray: Option<Tray>,
}

/// Where the last good call about a page waits to be settled by the transaction that keeps the page.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tray(Arc<Mutex<Option<OpenCall>>>);

impl Tray {
    /// The call that waits here.
    pub(crate) fn take(&self) -> Option<OpenCall> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn replace(&self, call: OpenCall) -> Option<OpenCall> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).replace(call)
    }
}

/// What a call is, for its row.
#[derive(Debug, Clone)]
pub(crate) struct CallFacts<'a> {
    pub(crate) purpose: &'a str,
    pub(crate) provider: Provider,
    pub(crate) model: &'a ModelId,
    pub(crate) cli_version: &'a str,
    pub(crate) prompt_hash: &'a str,
    /// Whether budgets count.
    pub(crate) is_limited: bool,
}

impl Ledger {
    /// The ledger of a worker process.
    pub(crate) fn new(pool: PgPool, worker: &str, prices: Prices) -> Self {
        Self { pool, worker: worker.into(), prices: Arc::new(prices) }
    }

    /// An account for the calls of a stage; `attempt` counts from 1.
    pub(crate) fn account(
        &self,
        generation: GenerationId,
        stage: Stage,
        page: Option<PageSlug>,
        attempt: i32,
    ) -> Account {
        Account { ledger: self.clone(), generation, stage, page, attempt, tray: None }
    }

    /// What was used up, with its price when the command line names none.
    fn price(&self, provider: Provider, model: &ModelId, usage: Usage) -> (Option<f64>, Option<&'static str>) {
        if usage.cost_usd.is_some() {
            return (usage.cost_usd, Some("cli"));
        }
        let cost = self.prices.cost_usd(provider, model, usage);
        (cost, cost.map(|_| "prices"))
    }
}

impl Account {
    /// The same for the calls of another try.
    pub(crate) fn with_attempt(&self, attempt: i32) -> Self {
        Self { attempt, ..self.clone() }
    }

    /// The same for a page, with which the last good call is to be settled.
    pub(crate) fn with_tray(self, tray: &Tray) -> Self {
        Self { tray: Some(tray.clone()), ..self }
    }

    /// The page that the calls are about.
    pub(crate) fn page(&self) -> Option<&PageSlug> {
        self.page.as_ref()
    }

    /// Writes down that a call starts; refused when a budget is used up. A database that is away is waited for.
    pub(crate) async fn open(
        &self,
        facts: &CallFacts<'_>,
        cancel: &CancellationToken,
    ) -> Result<OpenCall, WriterError> {
        let begun = loop {
            match db::ai_calls::begin(&self.ledger.pool, &self.new_call(facts)).await {
                Ok(begun) => break begun,
                Err(error) if may_be_written(&error) => wait(&error, cancel).await?,
                Err(error) => return Err(not_written(&error)),
            }
        };
        match begun {
            Begun::Started { call, budget } => Ok(OpenCall {
                account: self.clone(),
                call,
                facts: OwnedFacts::of(facts),
                budget,
                started: Instant::now(),
                settlement: None,
                is_settled: false,
            }),
            Begun::Refused(budget) => Err(WriterError { failure: Failure::BudgetLimit, message: budget.reached() }),
            Begun::Gone => {
                // so that the run ends as what it was asked to
                let _ = tokio::time::timeout(WORD, cancel.cancelled()).await;
                Err(cancelled())
            }
        }
    }

    fn new_call<'a>(&'a self, facts: &CallFacts<'a>) -> NewCall<'a> {
        NewCall {
            generation: self.generation,
            slug: self.page.as_ref(),
            stage: self.stage,
            purpose: facts.purpose,
            attempt: self.attempt,
            cli_version: facts.cli_version,
            prompt_hash: facts.prompt_hash,
            worker: &self.ledger.worker,
            is_limited: facts.is_limited,
        }
    }
}

/// The facts of a call that is made.
#[derive(Debug)]
struct OwnedFacts {
    purpose: String,
    provider: Provider,
    model: ModelId,
    cli_version: String,
    prompt_hash: String,
}

impl OwnedFacts {
    fn of(facts: &CallFacts<'_>) -> Self {
        Self {
            purpose: facts.purpose.to_owned(),
            provider: facts.provider,
            model: facts.model.clone(),
            cli_version: facts.cli_version.to_owned(),
            prompt_hash: facts.prompt_hash.to_owned(),
        }
    }

    fn facts(&self) -> CallFacts<'_> {
        CallFacts {
            purpose: &self.purpose,
            provider: self.provider,
            model: &self.model,
            cli_version: &self.cli_version,
            prompt_hash: &self.prompt_hash,
            is_limited: false,
        }
    }
}

/// A call that is written down and not settled. Dropping it settles it as cancelled.
#[derive(Debug)]
pub(crate) struct OpenCall {
    account: Account,
    call: CallId,
    facts: OwnedFacts,
    budget: Option<Budget>,
    started: Instant,
    settlement: Option<Settlement>,
    is_settled: bool,
}

impl OpenCall {
    /// The budget that leaves least.
    pub(crate) fn budget(&self) -> Option<&Budget> {
        self.budget.as_ref()
    }

    /// Notes what came of the call. A good one about a page is settled with the page when there is a tray for it, every other
    /// at once.
    pub(crate) async fn settle(mut self, outcome: &'static str, usage: Usage, cancel: &CancellationToken) {
        // kept here: futures may be dropped while they wait
        self.settlement = Some(self.settlement(outcome, usage));
        match self.account.tray.take() {
            Some(tray) if matches!(outcome, OK | REPLAYED) => {
                if let Some(earlier) = tray.replace(self) {
                    earlier.write(cancel).await;
                }
            }
            _ => self.write(cancel).await,
        }
    }

    /// Settles the call in the caller's transaction; false when its row is not there or was settled before.
    pub(crate) async fn settle_with(&self, conn: &mut PgConnection) -> sqlx::Result<bool> {
        match &self.settlement {
            Some(settlement) => db::ai_calls::settle(conn, self.call, settlement).await,
            None => Ok(false),
        }
    }

    /// The transaction of [`Self::settle_with`] was committed.
    pub(crate) fn was_settled(mut self) {
        self.is_settled = true;
    }

    /// Writes down what came of the call. Waits for a database that is away as long as the run lives; after that it is
    /// written behind the caller's back.
    pub(crate) async fn write(mut self, cancel: &CancellationToken) {
        loop {
            match self.try_write().await {
                Ok(()) => {
                    self.is_settled = true;
                    return;
                }
                Err(error) if may_be_written(&error) => {
                    if wait(&error, cancel).await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    tracing::error!(%error, call.id = self.call.id, "a call could not be settled");
                    self.is_settled = true;
                    return;
                }
            }
        }
    }

    async fn try_write(&self) -> sqlx::Result<()> {
        let Some(settlement) = &self.settlement else { return Ok(()) };
        let mut conn = self.account.ledger.pool.acquire().await?;
        if db::ai_calls::settle(&mut conn, self.call, settlement).await? {
            return Ok(());
        }
        let facts = self.facts.facts();
        if let Some(call) = db::ai_calls::restore(&mut conn, &self.account.new_call(&facts), self.call).await? {
            tracing::warn!(call.id = call.id, "the row of a call was lost with the server, it is made again");
            db::ai_calls::settle(&mut conn, call, settlement).await?;
        }
        Ok(())
    }

    fn settlement(&self, outcome: &'static str, usage: Usage) -> Settlement {
        let count = |tokens: u64| i64::try_from(tokens).unwrap_or(i64::MAX);
        let (cost_usd, cost_source) = match outcome {
            REPLAYED => (Some(0.0), None),
            _ => self.account.ledger.price(self.facts.provider, &self.facts.model, usage),
        };
        Settlement {
            outcome,
            input_tokens: count(usage.input_tokens),
            output_tokens: count(usage.output_tokens),
            cached_tokens: count(usage.cached_tokens),
            cost_usd,
            cost_source,
            duration_ms: i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX),
        }
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        if self.is_settled {
            return;
        }
        // without a runtime the process ends, and the reaper of another finds the row
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let settlement = self.settlement.take();
        let settlement = settlement.unwrap_or_else(|| self.settlement(Failure::Cancelled.as_str(), Usage::default()));
        let (ledger, call, deadline) = (self.account.ledger.clone(), self.call, Instant::now() + PATIENCE);
        runtime.spawn(async move {
            while let Err(error) = settle(&ledger, call, &settlement).await {
                if Instant::now() > deadline {
                    tracing::error!(%error, call.id = call.id, "a call could not be settled");
                    return;
                }
                tokio::time::sleep(PAUSE).await;
            }
        });
    }
}

async fn settle(ledger: &Ledger, call: CallId, settlement: &Settlement) -> sqlx::Result<bool> {
    db::ai_calls::settle(&mut *ledger.pool.acquire().await?, call, settlement).await
}

/// Whether a row of the account may be written a moment later; a statement that took too long is tried again, too.
fn may_be_written(error: &sqlx::Error) -> bool {
    may_pass(error) || error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("57014"))
}

/// Waits for a database that is away; an error when the run ends meanwhile.
async fn wait(error: &sqlx::Error, cancel: &CancellationToken) -> Result<(), WriterError> {
    tracing::warn!(%error, "cannot write down an AI call yet, trying again");
    tokio::select! {
        () = tokio::time::sleep(PAUSE) => Ok(()),
        () = cancel.cancelled() => Err(cancelled()),
    }
}

fn cancelled() -> WriterError {
    WriterError { failure: Failure::Cancelled, message: "the run was cancelled".into() }
}

fn not_written(error: &sqlx::Error) -> WriterError {
    tracing::error!(%error, "an AI call could not be written down, so it is not made");
    WriterError { failure: Failure::Host, message: "the call could not be written down in the database".into() }
}
