//! The account of AI calls: a row before each call, settled after it, whatever came of it. The only place that knows what
//! calls cost.

use std::{sync::Arc, time::Duration};

use shared::{
    budget::Budget,
    db::{
        self,
        ai_calls::{Begun, NewCall, Settlement},
    },
    ids::GenerationId,
    names::{ModelId, PageSlug},
    provider::Provider,
    stage::Stage,
};
use sqlx::PgPool;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    pipeline::is_out_of_reach,
    writers::{Failure, Usage, WriterError},
};

/// Pause before the database is asked again that was out of reach.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a settlement is tried for that nobody waits for any more; what is left then is found by the reaper.
const PATIENCE: Duration = Duration::from_mins(1);

/// Where calls are written down.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    pool: PgPool,
    worker: Arc<str>,
}

/// For whom calls are made: what of a row is known before anything is asked.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    ledger: Ledger,
    generation: GenerationId,
    stage: Stage,
    page: Option<PageSlug>,
    attempt: i32,
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
    pub(crate) fn new(pool: PgPool, worker: &str) -> Self {
        Self { pool, worker: worker.into() }
    }

    /// An account for the calls of a stage; `attempt` counts from 1.
    pub(crate) fn account(
        &self,
        generation: GenerationId,
        stage: Stage,
        page: Option<PageSlug>,
        attempt: i32,
    ) -> Account {
        Account { ledger: self.clone(), generation, stage, page, attempt }
    }

    /// What was used up, with its price when the command line names none.
    fn price(&self, provider: Provider, model: &ModelId, usage: Usage) -> (Option<f64>, Option<&'static str>) {
        let _ = (provider, model);
        match usage.cost_usd {
            Some(cost) => (Some(cost), Some("cli")),
            None => (None, None),
        }
    }
}

impl Account {
    /// The same for the calls of another try.
    pub(crate) fn with_attempt(&self, attempt: i32) -> Self {
        Self { attempt, ..self.clone() }
    }

    /// Writes down that a call starts; refused when a budget is used up. A database that is away is waited for.
    pub(crate) async fn open(
        &self,
        facts: &CallFacts<'_>,
        cancel: &CancellationToken,
    ) -> Result<OpenCall, WriterError> {
        let call = NewCall {
            generation: self.generation,
            slug: self.page.as_ref(),
            stage: self.stage,
            purpose: facts.purpose,
            attempt: self.attempt,
            cli_version: facts.cli_version,
            prompt_hash: facts.prompt_hash,
            worker: &self.ledger.worker,
            is_limited: facts.is_limited,
        };
        let begun = loop {
            match begin(&self.ledger, &call).await {
                Ok(begun) => break begun,
                Err(error) if is_out_of_reach(&error) => wait(&error, cancel).await?,
                Err(error) => return Err(not_written(&error)),
            }
        };
        match begun {
            Begun::Started { id, budget } => Ok(OpenCall {
                ledger: self.ledger.clone(),
                id,
                provider: facts.provider,
                model: facts.model.clone(),
                budget,
                started: Instant::now(),
                settlement: None,
                is_settled: false,
            }),
            Begun::Refused(budget) => Err(WriterError { failure: Failure::BudgetLimit, message: budget.reached() }),
            Begun::Gone => Err(cancelled()),
        }
    }
}

/// A call that is written down and not settled. Dropping it settles it as cancelled.
#[derive(Debug)]
pub(crate) struct OpenCall {
    ledger: Ledger,
    id: i64,
    provider: Provider,
    model: ModelId,
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

    /// Writes down what came of the call. Waits for a database that is away as long as the run lives; after that it is
    /// written behind the caller's back.
    pub(crate) async fn settle(mut self, outcome: &'static str, usage: Usage, cancel: &CancellationToken) {
        let settlement = self.settlement(outcome, usage);
        // kept here as well: this future may be dropped while it waits
        self.settlement = Some(settlement.clone());
        loop {
            match settle(&self.ledger, self.id, &settlement).await {
                Ok(()) => {
                    self.is_settled = true;
                    return;
                }
                Err(error) if is_out_of_reach(&error) => {
                    if wait(&error, cancel).await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    tracing::error!(%error, call.id = self.id, "a call could not be settled");
                    self.is_settled = true;
                    return;
                }
            }
        }
    }

    fn settlement(&self, outcome: &'static str, usage: Usage) -> Settlement {
        let count = |tokens: u64| i64::try_from(tokens).unwrap_or(i64::MAX);
        let (cost_usd, cost_source) = self.ledger.price(self.provider, &self.model, usage);
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
        let settlement = self.settlement.take();
        let settlement = settlement.unwrap_or_else(|| self.settlement(Failure::Cancelled.as_str(), Usage::default()));
        let (ledger, id, deadline) = (self.ledger.clone(), self.id, Instant::now() + PATIENCE);
        // without a runtime the process ends, and the reaper of another finds the row
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            while let Err(error) = settle(&ledger, id, &settlement).await {
                if Instant::now() > deadline {
                    tracing::error!(%error, call.id = id, "a call could not be settled");
                    return;
                }
                tokio::time::sleep(PAUSE).await;
            }
        });
    }
}

async fn begin(ledger: &Ledger, call: &NewCall<'_>) -> sqlx::Result<Begun> {
    db::ai_calls::begin(&mut *ledger.pool.acquire().await?, call).await
}

async fn settle(ledger: &Ledger, id: i64, settlement: &Settlement) -> sqlx::Result<()> {
    db::ai_calls::settle(&mut *ledger.pool.acquire().await?, id, settlement).await
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
