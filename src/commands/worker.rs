//! `docmill worker`: takes work from the queue; as many of them as wanted, on as many hosts as wanted.

use std::path::Path;

use anyhow::{Context, bail};
use clap::Args;
use shared::{
    events::Listening,
    evidence::Grade,
    provider::{BUILTIN_MODEL, Provider},
    settings::{
        CloneLimits, DataSettings, DatabaseSettings, GitSettings, RecordingSettings, TimingSettings, WriterSettings,
    },
};
use sites::store::SiteStore;
use sqlx::PgPool;
use worker::WorkerConfig;

use crate::{data_dir::DataDir, database::Database, instance, signals};

/// Connections of a worker besides the one of its queues (decisions.md 11).
pub(crate) const WORKER_CONNECTIONS: u32 = 4;

/// What a worker needs to know in whatever command it runs.
#[derive(Debug, Clone, Args)]
pub(crate) struct WorkSettings {
    #[command(flatten)]
    pub(crate) writers: WriterSettings,
    #[command(flatten)]
    pub(crate) recording: RecordingSettings,
    #[command(flatten)]
    pub(crate) git: GitSettings,
    #[command(flatten)]
    pub(crate) timing: TimingSettings,
    /// Generations this process works on at the same time
    #[arg(long, env = "WORKER_GENERATIONS", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1000),
          value_name = "COUNT")]
    pub(crate) worker_generations: u16,
    /// AI command lines this process runs at the same time, whatever generation they work for; each takes hundreds of MB
    #[arg(long, env = "WORKER_AI_SLOTS", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1000),
          value_name = "COUNT")]
    pub(crate) worker_ai_slots: u16,
    /// Calls of a provider at the same time, over all workers, such as `claude=16,gemini=8`; others have no limit
    #[arg(long, env = "PROVIDER_LIMITS", default_value = "", value_name = "PROVIDER=COUNT,...")]
    pub(crate) provider_limits: ProviderLimits,
    /// MB of disk for trees of repositories that this process keeps for pages to come, at least 64
    #[arg(long, env = "WORKER_CACHE_MB", default_value_t = 2048, value_parser = clap::value_parser!(u32).range(64..=1_048_576),
          value_name = "MB")]
    pub(crate) worker_cache_mb: u32,
    /// Days after which ended generations are deleted that are neither the newest of their variant nor served
    #[arg(long, env = "KEEP_GENERATIONS_DAYS", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=3650),
          value_name = "DAYS")]
    pub(crate) keep_generations_days: u16,
    /// Grade that every site must reach to be published, A to F; requests and repositories can only ask for more
    /// [default: no grade is asked for]
    #[arg(long, env = "MIN_GRADE", value_name = "GRADE")]
    pub(crate) min_grade: Option<Grade>,
}

/// Most calls at the same time, by provider.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ProviderLimits(pub(crate) Vec<(Provider, i32)>);

impl std::str::FromStr for ProviderLimits {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut limits = Vec::new();
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let (provider, most) =
                entry.split_once('=').ok_or_else(|| format!("`{entry}` is not of the form `claude=16`"))?;
            let provider: Provider = provider.trim().parse().map_err(|_| {
                format!("`{}` is no provider; use {}", provider.trim(), Provider::ALL.map(Provider::as_str).join(", "))
            })?;
            let most = most.trim().parse().ok().filter(|most| (1..=10_000).contains(most));
            limits.push((provider, most.ok_or_else(|| format!("the limit in `{entry}` must be 1 to 10000"))?));
        }
        Ok(Self(limits))
    }
}

/// Settings of `docmill worker`.
#[derive(Debug, Args)]
pub(crate) struct WorkerOnlySettings {
    #[command(flatten)]
    data: DataSettings,
    #[command(flatten)]
    database: DatabaseSettings,
    #[command(flatten)]
    work: WorkSettings,
}

impl WorkSettings {
    /// Checks what the types alone cannot.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        self.git.check()?;
        self.recording.check()?;
        if let Some(file) = self.recording.prices() {
            // read again by the worker; a mistake is to show before anything starts
            worker::Prices::load(file)?;
        }
        let provider = self.writers.ai_provider.unwrap_or(Provider::Builtin);
        if let Some(model) = &self.writers.ai_model
            && provider == Provider::Builtin
            && model.as_str() != BUILTIN_MODEL
        {
            bail!("AI_MODEL `{model}` does not fit AI_PROVIDER `builtin`, whose only model is `{BUILTIN_MODEL}`");
        }
        Ok(())
    }
}

/// Works until it is told to stop.
pub(crate) async fn run_worker(settings: WorkerOnlySettings) -> anyhow::Result<()> {
    let shutdown = signals::shutdown_token()?;
    settings.work.check()?;
    let data_dir = DataDir::open(settings.data.data_dir()?)?;
    let sites_dir = settings.data.sites_dir()?;
    let database = tokio::select! {
        database = Database::open(&settings.database, "worker") => database?,
        // a database that does not answer is waited for longer than the end of the program may take
        () = shutdown.cancelled() => return Ok(()),
    };
    let pool = database.connect(WORKER_CONNECTIONS).await?;
    instance::save_given_settings(&pool, &settings.work.writers).await?;
    let listening = Listening::start(&pool).await.context("cannot listen to the database")?;
    let store = SiteStore::local(&sites_dir)?;
    let config = worker_config(&settings.work, pool.clone(), listening, store, &data_dir.work_dir());
    let ended = worker::run(config, shutdown).await;
    instance::close(&pool).await;
    ended
}

/// The environment, without what is not UTF-8: no key and no address is.
fn variables() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Puts a worker's configuration together.
pub(crate) fn worker_config(
    settings: &WorkSettings,
    pool: PgPool,
    listening: Listening,
    store: SiteStore,
    work_dir: &Path,
) -> WorkerConfig {
    WorkerConfig {
        pool,
        listening,
        store,
        work_dir: work_dir.to_owned(),
        writers: settings.writers.clone(),
        recording: settings.recording.clone(),
        git: settings.git.clone(),
        clone_limits: CloneLimits::default(),
        timing: settings.timing.clone(),
        generations: settings.worker_generations.into(),
        ai_slots: settings.worker_ai_slots.into(),
        provider_limits: settings.provider_limits.0.clone(),
        cache_bytes: u64::from(settings.worker_cache_mb) << 20,
        keep_generations_days: settings.keep_generations_days.into(),
        min_grade: settings.min_grade,
        // this very program, also when its file was replaced by a newer one meanwhile
        program: "/proc/self/exe".into(),
        variables: variables(),
    }
}
