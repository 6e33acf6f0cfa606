//! Who does the work: queue runner, pipeline stages, page writers (AI command lines, built-in extractor), git.
//!
//! Read in this order: `runner` (how tasks reach us), `jobs` (what each kind does), `pipeline` (the stages), `writers`.

mod runner;
mod jobs;
mod runs;
mod lease;
mod reaper;
mod pipeline;
mod writers;
mod git;
mod workdir;

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context;
use shared::{
    events::Listening,
    settings::{CloneLimits, GitSettings, TimingSettings, WriterSettings},
};
use sites::store::SiteStore;
use sqlx::PgPool;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Everything a worker process needs.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// At most five connections (decisions.md 11).
    pub pool: PgPool,
    /// The process's listening connection.
    pub listening: Listening,
    /// Where sites and pinned commits are kept; shared by all hosts.
    pub store: SiteStore,
    /// Folder for temporary trees, on this host only.
    pub work_dir: PathBuf,
    /// Who writes.
    pub writers: WriterSettings,
    /// How repositories are fetched.
    pub git: GitSettings,
    /// What a clone may take.
    pub clone_limits: CloneLimits,
    /// The clockwork of leases.
    pub timing: TimingSettings,
    /// Generations this process holds at the same time.
    pub generations: usize,
    /// This program, which parses foreign source in a child process of its own.
    pub program: PathBuf,
}

/// How long runs may go on after a shutdown was asked for, before they are handed back.
const DRAIN: Duration = Duration::from_secs(10);

/// A running worker process.
pub(crate) struct Worker {
    config: WorkerConfig,
    /// Unique for this start of the process.
    name: String,
    runs: runs::Runs,
}

/// Works until `shutdown` is cancelled, then stops taking work, lets runs finish for up to ten seconds and hands the others
/// back. Returns when nothing runs any more.
pub async fn run(config: WorkerConfig, shutdown: CancellationToken) -> anyhow::Result<()> {
    tokio::fs::create_dir_all(&config.work_dir)
        .await
        .with_context(|| format!("cannot create the folder `{}`", config.work_dir.display()))?;
    let runs = runs::Runs::new(config.generations);
    let worker = Arc::new(Worker { name: runner::unique_name("worker"), config, runs });
    workdir::sweep_dead(&worker).await?;

    let mut background = JoinSet::new();
    background.spawn(reaper::reap_until(worker.clone(), shutdown.clone()));
    background.spawn(lease::deliver_cancels(worker.clone(), shutdown.clone()));
    let mut queues = JoinSet::new();
    jobs::start_queues(&worker, &shutdown, &mut queues);
    tracing::info!(worker.name = %worker.name, "worker started");

    shutdown.cancelled().await;
    tracing::info!(runs = worker.runs.count(), "worker stops taking work");
    worker.runs.drain(DRAIN).await;
    while queues.join_next().await.is_some() {}
    while background.join_next().await.is_some() {}
    tracing::info!("worker stopped");
    Ok(())
}
