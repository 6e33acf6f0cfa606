//! Who does the work: queue runner, pipeline stages, page writers (AI command lines, built-in extractor), git.
//!
//! Read in this order: `runner` (how tasks reach us), `jobs` (what each kind does), `pipeline` (the stages), `writers`.

mod runner;
mod jobs;
mod held;
mod ledger;
mod prices;
mod runs;
mod lease;
mod pages;
mod workplaces;
mod reaper;
mod presence;
mod pauses;
mod deleted_sites;
mod pipeline;
mod inspections;
mod steering;
mod grounding;
mod checking;
mod writers;
mod git;
mod launch;
mod workdir;

pub use self::{
    checking::{CheckedPage, DocsCheck, DocsFinding, DocsReport, check_docs},
    launch::{COMMAND as LAUNCH_COMMAND, launch_child, run_launcher},
    prices::Prices,
    writers::parse_source_child,
};

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context;
use shared::{
    events::Listening,
    evidence::Grade,
    provider::Provider,
    settings::{CloneLimits, GitSettings, RecordingSettings, Sandbox, TimingSettings, WriterSettings},
};
use sites::store::SiteStore;
use sqlx::PgPool;
use tokio::{sync::Semaphore, task::JoinSet};
use tokio_util::sync::CancellationToken;

use writers::cli::{CliSettings, Environment, sweep_leftovers};

/// Everything a worker process needs.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// At most four connections: with the one of the queues there are five (decisions.md 11).
    pub pool: PgPool,
    /// The process's listening connection.
    pub listening: Listening,
    /// Where sites and pinned commits are kept; shared by all hosts.
    pub store: SiteStore,
    /// Folder for temporary trees, on this host only.
    pub work_dir: PathBuf,
    /// Who writes.
    pub writers: WriterSettings,
    /// What is kept of AI calls, and what tokens cost.
    pub recording: RecordingSettings,
    /// How repositories are fetched.
    pub git: GitSettings,
    /// What a clone may take.
    pub clone_limits: CloneLimits,
    /// The clockwork of leases.
    pub timing: TimingSettings,
    /// Generations this process holds at the same time.
    pub generations: usize,
    /// AI command lines this process runs at the same time.
    pub ai_slots: usize,
    /// Most calls at the same time of a provider, over all workers; a provider that is missing has no limit.
    pub provider_limits: Vec<(Provider, i32)>,
    /// Bytes of trees that are kept for pages to come.
    pub cache_bytes: u64,
    /// Days after which ended generations are deleted that nobody needs.
    pub keep_generations_days: i32,
    /// Grade that every site must reach to be published.
    pub min_grade: Option<Grade>,
    /// This program, which parses foreign source in a child process of its own.
    pub program: PathBuf,
    /// The environment from which AI command lines get what is theirs (keys, base URLs), and nothing else.
    pub variables: Vec<(String, String)>,
}

/// How long runs may go on after a shutdown was asked for, before they are handed back.
const DRAIN: Duration = Duration::from_secs(8);
/// How long runs that were told to stop may take, handing back included.
const STOPPING: Duration = Duration::from_secs(5);
/// How long queues and background tasks may take after the last run.
const CLOSING: Duration = Duration::from_secs(2);

/// A running worker process.
pub(crate) struct Worker {
    config: WorkerConfig,
    /// For apalis alone.
    queue_pool: PgPool,
    /// Unique for this start of the process.
    name: String,
    runs: runs::Runs,
    pages: pages::Pages,
    workplaces: workplaces::Workplaces,
    clis: CliSettings,
    ledger: ledger::Ledger,
    /// One for each AI command line that may run.
    ai_slots: Semaphore,
    /// Cancelled when nothing new is to be taken: an admin said so, or the process is to end.
    draining: CancellationToken,
}

/// Works until `shutdown` is cancelled, then stops taking work, lets runs finish for up to eight seconds and hands the
/// others back: at most 15 seconds in all. An error when a part of it broke off. Also ends, in its own time and without an
/// error, when an admin drains it.
pub async fn run(config: WorkerConfig, shutdown: CancellationToken) -> anyhow::Result<()> {
    tokio::fs::create_dir_all(&config.work_dir)
        .await
        .with_context(|| format!("cannot create the folder `{}`", config.work_dir.display()))?;
    git::trust_clones();
    let program = config.program.clone();
    tokio::task::spawn_blocking(move || launch::use_program(&program)).await?;
    let clis = prepare_clis(config.writers.sandbox, config.variables.clone(), config.recording.clone()).await?;
    let prices = config.recording.prices().map(Prices::load).transpose()?.unwrap_or_default();
    if clis.isolation().is_weak() {
        tracing::warn!(
            "AI command lines can read what this process can read: no Landlock here, and SANDBOX is not `bwrap`"
        );
    }
    let runs = runs::Runs::new(config.generations);
    // ends with the process, and before it when a part breaks off
    let shutdown = shutdown.child_token();
    let name = runner::unique_name("worker");
    let ai_slots = Semaphore::new(config.ai_slots);
    let workplaces = workplaces::Workplaces::new(config.cache_bytes);
    let ledger = ledger::Ledger::new(config.pool.clone(), &name, prices);
    let worker = Arc::new(Worker {
        name,
        queue_pool: shared::db::queue_pool(&config.pool),
        config,
        runs,
        pages: pages::Pages::default(),
        workplaces,
        clis,
        ledger,
        ai_slots,
        draining: shutdown.child_token(),
    });
    sweep_dead_runs(&worker).await?;

    let runs_ended = CancellationToken::new();
    let mut parts = JoinSet::new();
    parts.spawn(presence::show_until(worker.clone(), runs_ended.clone()));
    parts.spawn(pauses::follow_until(worker.clone(), shutdown.clone()));
    parts.spawn(reaper::reap_until(worker.clone(), shutdown.clone()));
    parts.spawn(lease::deliver_cancels(worker.clone(), runs_ended.clone()));
    parts.spawn(pages::keep_leases(worker.clone(), runs_ended.clone()));
    jobs::start_queues(&worker, &worker.draining, &mut parts);
    let sandbox = worker.clis.isolation().describe();
    tracing::info!(worker.name = %worker.name, sandbox, "worker started");

    // without its queues or its reaper a worker only looks alive
    let broken = tokio::select! {
        // the parts end at a shutdown, too: that is asked first
        biased;
        () = shutdown.cancelled() => None,
        () = worker.draining.cancelled() => None,
        ended = parts.join_next() => ended,
    };
    if broken.is_none() {
        drain(&worker, &shutdown).await;
    }
    shutdown.cancel();
    tracing::info!(runs = worker.runs.count(), "worker stops taking work");
    let ((), pages) = tokio::join!(worker.runs.drain(DRAIN, STOPPING), worker.pages.drain(DRAIN, STOPPING));
    if pages > 0 {
        tracing::error!(pages, "some pages did not stop in time");
    }
    runs_ended.cancel();
    let all_ended = async { while parts.join_next().await.is_some() {} };
    if tokio::time::timeout(CLOSING, all_ended).await.is_err() {
        tracing::error!("a queue did not stop in time");
    }
    if tokio::time::timeout(CLOSING, worker.queue_pool.close()).await.is_err() {
        tracing::warn!("the connection of the queues is still in use");
    }
    match broken {
        None => {
            tracing::info!("worker stopped");
            Ok(())
        }
        Some(Err(error)) => Err(error).context("a part of the worker broke off"),
        Some(Ok(())) => Err(anyhow::anyhow!("a part of the worker ended by itself")),
    }
}

/// When an admin drains this worker: lets nothing new in, hands runs back as soon as they do not make a call, and waits for
/// the pages that are being written, or for `shutdown`.
async fn drain(worker: &Worker, shutdown: &CancellationToken) {
    if shutdown.is_cancelled() {
        return;
    }
    let (runs, pages) = (worker.runs.count(), worker.pages.count());
    tracing::info!(worker.name = %worker.name, runs, pages, "worker drains: it takes nothing new and ends after this");
    worker.pages.close();
    while !shutdown.is_cancelled() {
        worker.runs.hand_back_idle();
        if worker.runs.count() == 0 && worker.pages.count() == 0 {
            tracing::info!("worker is drained");
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What keeps AI command lines from the rest of this host, in words; an error when what is demanded is not to be had.
pub async fn describe_sandbox(sandbox: Sandbox) -> anyhow::Result<String> {
    Ok(prepare_clis(sandbox, Vec::new(), RecordingSettings::default()).await?.isolation().describe())
}

async fn prepare_clis(
    sandbox: Sandbox,
    variables: Vec<(String, String)>,
    recording: RecordingSettings,
) -> anyhow::Result<CliSettings> {
    let environment = Environment::from_variables(variables);
    let prepared = tokio::task::spawn_blocking(move || CliSettings::new(sandbox, environment, &recording));
    prepared.await?.map_err(anyhow::Error::msg)
}

/// Ends and removes what dead processes left on this host: AI command lines that still run, temporary trees.
async fn sweep_dead_runs(worker: &Arc<Worker>) -> anyhow::Result<()> {
    tokio::task::spawn_blocking(sweep_leftovers).await?;
    let work_dir = worker.config.work_dir.clone();
    // a folder that a living process works in is locked by it
    let removed = tokio::task::spawn_blocking(move || workdir::sweep(&work_dir)).await??;
    if removed > 0 {
        tracing::info!(workdir.removed = removed, "removed temporary trees of dead processes");
    }
    Ok(())
}

#[cfg(test)]
#[path = "../../tests/support"]
#[expect(unreachable_pub, dead_code, reason = "shared with the whole-system tests")]
mod test_support {
    pub mod agent_traps;
    pub mod model_server;
    pub mod stand_ins;
    pub mod random;
}
