//! Who writes the words. One trait, one instance per run; the pipeline does not know which writer it has.

mod answers;
pub(crate) mod cli;
pub(crate) mod builtin;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

use async_trait::async_trait;
use shared::{
    db::pages::BasePage,
    names::PageSlug,
    plan::{Plan, PlannedPage, RepoType},
    provider::Provider,
    variant::VariantKey,
};
use tokio_util::sync::CancellationToken;

use self::builtin::BuiltinOptions;
use crate::{
    Worker,
    git::{self, Change, Checkout, ExportLimits},
    grounding::index::Index,
    ledger::Account,
    steering::Steering,
};

pub use self::builtin::parse_source_child;

/// What a writer was paid for, for one call or summed over several.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Usage {
    /// Tokens read, cached ones not included.
    pub(crate) input_tokens: u64,
    /// Tokens written, thinking included.
    pub(crate) output_tokens: u64,
    /// Tokens read from the provider's cache.
    pub(crate) cached_tokens: u64,
    /// US dollars, when the provider says so.
    pub(crate) cost_usd: Option<f64>,
}

impl Usage {
    /// Adds what another call cost.
    pub(crate) fn add(&mut self, other: Self) {
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
        self.cached_tokens += other.cached_tokens;
        self.cost_usd = match (self.cost_usd, other.cost_usd) {
            (None, None) => None,
            (a, b) => Some(a.unwrap_or_default() + b.unwrap_or_default()),
        };
    }
}

/// Why a writer could not do it (the classes of ai-cli.md section 8). `message` is shown to people: no secrets, no
/// temporary paths, at most 500 characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct WriterError {
    /// The class.
    pub(crate) failure: Failure,
    /// The sentence.
    pub(crate) message: String,
}

/// Classes of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The command is not on this host.
    NotInstalled,
    /// The key is missing or wrong, or the account may not.
    Auth,
    /// The provider does not know the model.
    ModelUnknown,
    /// Too many requests; try again after this time if the provider said one.
    RateLimited {
        /// How long to wait.
        retry_after: Option<Duration>,
    },
    /// The provider is overloaded or failing.
    Overloaded,
    /// The prompt is larger than the model takes.
    PromptTooLong,
    /// The model declined.
    Refused,
    /// The call used all its turns.
    TurnLimit,
    /// A budget is used up.
    BudgetLimit,
    /// The call took longer than `AI_CLI_TIMEOUT`.
    Timeout,
    /// The command was killed, by a signal from outside or for breaking a limit.
    Killed,
    /// The provider could not be reached.
    Network,
    /// The answer could not be read: cut off, or not of the asked shape.
    Protocol,
    /// The answer was empty.
    Empty,
    /// The run was cancelled.
    Cancelled,
    /// This host failed: no disk, no process.
    Host,
    /// Calls are answered from recordings, and there is none of this one.
    NotRecorded,
}

impl Failure {
    /// The name in the account of calls.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::NotInstalled => "not_installed",
            Self::Auth => "auth",
            Self::ModelUnknown => "model_unknown",
            Self::RateLimited { .. } => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::PromptTooLong => "prompt_too_long",
            Self::Refused => "refused",
            Self::TurnLimit => "turn_limit",
            Self::BudgetLimit => "budget_limit",
            Self::Timeout => "timeout",
            Self::Killed => "killed",
            Self::Network => "network",
            Self::Protocol => "protocol",
            Self::Empty => "empty",
            Self::Cancelled => "cancelled",
            Self::Host => "host",
            Self::NotRecorded => "not_recorded",
        }
    }

    /// Whether every other call of this run would fail the same way.
    pub(crate) fn concerns_all_pages(self) -> bool {
        matches!(self, Self::NotInstalled | Self::Auth | Self::ModelUnknown | Self::BudgetLimit | Self::Cancelled)
    }

    /// Whether the same call may succeed later.
    pub(crate) fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::RateLimited { .. }
                | Self::Overloaded
                | Self::Network
                | Self::Timeout
                | Self::Protocol
                | Self::Empty
                | Self::Killed
                | Self::Host
        )
    }
}

/// What every call of a writer knows.
#[derive(Debug, Clone)]
pub(crate) struct CallContext {
    /// Cancelled when the run is aborted or its lease lost: children must be dead within a second.
    pub(crate) cancel: CancellationToken,
    /// Longest one call of an AI command line may take.
    pub(crate) call_timeout: Duration,
    /// For whom the call is made; `None` only in tests of a writer alone.
    pub(crate) account: Option<Account>,
}

/// Writes plans and pages about one checkout. Cheap to make; made once per run.
#[async_trait]
pub(crate) trait Writer: Send + Sync {
    /// Changes whenever the same inputs would give other words; part of what a page's reuse is keyed by.
    fn version(&self) -> String;

    /// Is told what there is in the repository, before pages are asked for. Who reads the repository itself needs nothing of it.
    /// Blocks.
    fn learn(&self, _index: &Index) {}

    /// Decides which pages the site has. The caller validates the plan.
    async fn plan(&self, context: &CallContext, wish: &PlanWish) -> Result<Plan, WriterError>;

    /// Writes one page: Markdown that begins with `# Title`.
    async fn write_page(&self, context: &CallContext, plan: &Plan, page: &PlannedPage) -> Result<String, WriterError>;

    /// Writes a page again, told what was wrong with it.
    async fn revise_page(
        &self,
        context: &CallContext,
        plan: &Plan,
        page: &PlannedPage,
        previous: &str,
        findings: &[String],
    ) -> Result<String, WriterError>;

    /// Says what becomes of a plan after the repository changed; or why its answer is of no use, also when asked again. A
    /// writer that makes everything anew has nothing to say.
    async fn revise_plan(
        &self,
        _context: &CallContext,
        _question: &PlanQuestion<'_>,
    ) -> Result<Result<PlanRevision, String>, WriterError> {
        Ok(Ok(PlanRevision::default()))
    }

    /// Brings the text of an earlier commit up to date. `None` when the answer is of no use and the page has to be written
    /// anew.
    async fn edit_page(
        &self,
        _context: &CallContext,
        _plan: &Plan,
        _page: &PlannedPage,
        _previous: &str,
        _changes: &[&Change],
    ) -> Result<Option<String>, WriterError> {
        Ok(None)
    }

    /// Writes some sections of a page again: the new text of exactly those that are wished for, by position; an empty text
    /// takes the section away. `None` when the answer is of no use, and the page stays as it is.
    async fn rewrite_sections(
        &self,
        context: &CallContext,
        plan: &Plan,
        page: &PlannedPage,
        previous: &str,
        wishes: &[SectionWish<'_>],
    ) -> Result<Option<Vec<(usize, String)>>, WriterError>;

    /// What went wrong without ending the run, one sentence each (files that could not be read or parsed).
    fn findings(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A section that is to be written again, and why.
#[derive(Debug, Clone)]
pub(crate) struct SectionWish<'a> {
    /// Its place in the page ([`shared::section::Section`]).
    pub(crate) position: usize,
    /// What is wrong with it, a sentence each.
    pub(crate) findings: Vec<String>,
    /// What changed in the files that it speaks of.
    pub(crate) changes: Vec<&'a Change>,
}

/// What is known about a plan after the repository changed, and what is not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlanQuestion<'a> {
    /// The plan there is.
    pub(crate) plan: &'a Plan,
    /// Its pages, with the files that they name.
    pub(crate) pages: &'a [BasePage],
    /// The pages that have to be brought up to date anyway.
    pub(crate) known: &'a BTreeSet<PageSlug>,
    /// What changed.
    pub(crate) changes: &'a [Change],
    /// What has to be decided, a sentence each.
    pub(crate) questions: &'a [String],
}

/// What a model says about a plan after the repository changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PlanRevision {
    /// The whole new plan; `None` when its pages stay.
    pub(crate) plan: Option<Plan>,
    /// New slugs by old ones.
    pub(crate) renamed: BTreeMap<PageSlug, PageSlug>,
    /// Pages that go.
    pub(crate) removed: BTreeSet<PageSlug>,
    /// Pages that have to be brought up to date, by their old or new slugs.
    pub(crate) affected: BTreeSet<PageSlug>,
}

/// What the request says about the plan.
#[derive(Debug, Clone, Default)]
pub(crate) struct PlanWish {
    /// The kind of repository, if the caller named one.
    pub(crate) repo_type: Option<RepoType>,
    /// The project's name, for writers that find none in the repository.
    pub(crate) project_name: String,
    /// The repository's public address, if it has one.
    pub(crate) repo_url: Option<String>,
}

/// Opens the writer of a variant. An AI command line gets a copy of the repository's tree without the files that would
/// configure it, and no writer sees more than `steering` allows; `folder` is the run's own, `repo_url` the repository's public
/// address.
pub(crate) async fn open(
    worker: &Worker,
    variant: &VariantKey,
    checkout: &Checkout,
    repo_url: Option<String>,
    steering: &Steering,
    folder: &Path,
) -> Result<Box<dyn Writer>, WriterError> {
    if variant.provider == Provider::Builtin {
        let options = BuiltinOptions {
            project_name: variant.name.to_string(),
            title: steering.title.clone(),
            filter: steering.filter.clone(),
            steering_digest: steering.digest(),
            repo_url,
            parser_command: worker.config.program.clone(),
            parser_limits: builtin::ParserLimits::default(),
        };
        return Ok(Box::new(builtin::open(checkout, options)));
    }
    let (tree, clis, provider) = (folder.join("tree"), worker.clis.clone(), variant.provider);
    let limits = ExportLimits {
        max_files: worker.config.clone_limits.max_files,
        max_file_bytes: worker.config.clone_limits.max_blob_bytes,
        max_total_bytes: worker.config.clone_limits.max_bytes,
    };
    let (copied, checkout, filter) = (tree.clone(), checkout.clone(), steering.filter.clone());
    let exported = tokio::task::spawn_blocking(move || {
        clis.check_installed(provider)?;
        let keep = |path: &str| filter.allows(path) && !cli::is_agent_configuration(Path::new(path));
        let no_copy = |error: git::GitError| WriterError { failure: Failure::Host, message: error.to_string() };
        let exported = git::export_tree(&checkout, &copied, &keep, limits).map_err(no_copy)?;
        // what is left out of the tree shows in the numbers
        let tree = git::tree_id(&checkout).map_err(no_copy)?;
        Ok(format!("{tree} {} {}", exported.files, exported.bytes))
    })
    .await
    .map_err(|_| WriterError { failure: Failure::Host, message: "the copy of the repository failed".into() })??;
    let tree = cli::RepositoryCopy { folder: tree, content: exported };
    let writer = cli::open(provider, &variant.model, &worker.clis, tree, folder.to_owned());
    Ok(Box::new(writer.steered_by(steering)))
}

/// Tries of one call.
const MAX_TRIES: i32 = 3;
/// Pause before the second try; the third waits four times as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause, whatever a provider asks for.
const MAX_PAUSE: Duration = Duration::from_mins(2);

/// Makes a call again when it may succeed later, up to three times (each with a context that counts it), and
/// waits in between as long as the provider asks or a
/// little longer each time.
pub(crate) async fn retrying<T, F>(context: &CallContext, call: impl Fn(CallContext) -> F) -> Result<T, WriterError>
where
    F: Future<Output = Result<T, WriterError>>,
{
    let mut pause = FIRST_PAUSE;
    let mut tries = 1;
    loop {
        let account = context.account.as_ref().map(|account| account.with_attempt(tries));
        let error = match call(CallContext { account, ..context.clone() }).await {
            Ok(written) => return Ok(written),
            Err(error) => error,
        };
        if tries == MAX_TRIES || !error.failure.is_retryable() || context.cancel.is_cancelled() {
            return Err(error);
        }
        let asked = match error.failure {
            Failure::RateLimited { retry_after } => retry_after,
            _ => None,
        };
        let wait = asked.unwrap_or(pause).min(MAX_PAUSE);
        tracing::warn!(%error, tries, "call failed, trying again in {wait:?}");
        tokio::time::sleep(wait).await;
        pause *= 4;
        tries += 1;
    }
}
