//! A whole installation for one test: database, store, worker and stand-ins, in this process.

use std::{path::PathBuf, time::Duration};

use shared::{
    db::{
        self,
        generations::NewGeneration,
        variants::{Scope, VariantRow},
    },
    events::Listening,
    evidence::Grade,
    ids::GenerationId,
    jobs::{self, Started},
    names::PageSlug,
    options::RunOptions,
    provider::Provider,
    settings::{CloneLimits, GitSettings, RecordingSettings, Sandbox, TimingSettings, WriterSettings},
    source::RepoSource,
    variant::{Status, VariantKey},
};
use sites::{
    key::SitePrefix,
    read::{SitePath, SiteReader},
    store::SiteStore,
};
use sqlx::PgPool;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use worker::WorkerConfig;

use super::{database::fresh_database, repository::Repository, stand_ins::StandIns};

/// A whole installation.
pub(crate) struct World {
    pub(crate) database_url: String,
    pub(crate) pool: PgPool,
    pub(crate) listening: Listening,
    pub(crate) store: SiteStore,
    pub(crate) stand_ins: StandIns,
    /// What is kept of AI calls; set before a worker starts.
    pub(crate) recording: RecordingSettings,
    /// The program that workers start for parsing and for AI command lines; set before a worker starts.
    pub(crate) program: PathBuf,
    /// Grade that every site must reach; set before a worker starts.
    pub(crate) min_grade: Option<Grade>,
    folder: TempDir,
    sandbox: Sandbox,
    worker: Option<(CancellationToken, JoinHandle<anyhow::Result<()>>)>,
}

impl World {
    /// An installation with a worker.
    pub(crate) async fn start() -> Self {
        let mut world = Self::without_worker().await;
        world.start_worker();
        world
    }

    /// An installation with a worker whose stand-ins write down their calls, which the sandbox would keep them from.
    pub(crate) async fn start_counting() -> Self {
        let mut world = Self::without_worker().await;
        world.sandbox = Sandbox::Off;
        world.start_worker();
        world
    }

    /// An installation in which nothing is done.
    pub(crate) async fn without_worker() -> Self {
        Self::on(fresh_database().await, TempDir::new().unwrap(), StandIns::install()).await
    }

    /// An installation on a database that exists, with its sites in the folder `sites` of `folder`.
    pub(crate) async fn on(database_url: String, folder: TempDir, stand_ins: StandIns) -> Self {
        let pool = db::connect(&database_url, 10).await.unwrap();
        Self {
            listening: Listening::start(&pool).await.unwrap(),
            store: SiteStore::local(&folder.path().join("sites")).unwrap(),
            stand_ins,
            program: env!("CARGO_BIN_EXE_docmill").into(),
            min_grade: None,
            database_url,
            pool,
            recording: RecordingSettings::default(),
            folder,
            sandbox: Sandbox::Auto,
            worker: None,
        }
    }

    /// Where sites are kept.
    pub(crate) fn sites_dir(&self) -> PathBuf {
        self.folder.path().join("sites")
    }

    /// A folder of this test for anything.
    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// Starts a worker in this process.
    pub(crate) fn start_worker(&mut self) {
        let stop = CancellationToken::new();
        let running = tokio::spawn(worker::run(self.worker_config(), stop.clone()));
        self.worker = Some((stop, running));
    }

    /// Starts a worker beside that of [`Self::start_worker`], in a folder of its own, with room for so many AI calls. It ends
    /// with the test.
    pub(crate) fn start_another_worker(&self, ai_slots: usize) {
        self.start_other_worker("other-work", |config| config.ai_slots = ai_slots);
    }

    /// The same in a folder of this name, with a configuration of its own. Gives the folder.
    pub(crate) fn start_other_worker(&self, folder: &str, change: impl FnOnce(&mut WorkerConfig)) -> PathBuf {
        let work_dir = self.folder.path().join(folder);
        let mut config = WorkerConfig { work_dir: work_dir.clone(), ..self.worker_config() };
        change(&mut config);
        tokio::spawn(worker::run(config, CancellationToken::new()));
        work_dir
    }

    /// Stops the worker in an orderly way.
    pub(crate) async fn stop_worker(&mut self) {
        let (stop, running) = self.worker.take().unwrap();
        stop.cancel();
        running.await.unwrap().unwrap();
    }

    fn worker_config(&self) -> WorkerConfig {
        WorkerConfig {
            pool: self.pool.clone(),
            listening: self.listening.clone(),
            store: self.store.clone(),
            work_dir: self.folder.path().join("work"),
            writers: WriterSettings {
                ai_provider: None,
                ai_model: None,
                ai_cli_timeout: None,
                max_concurrent_pages: None,
                max_cost_per_month_usd: None,
                max_cost_per_user_per_month_usd: None,
                sandbox: self.sandbox,
            },
            recording: self.recording.clone(),
            git: GitSettings { repo_host_allowlist: "127.0.0.1".parse().unwrap(), ..GitSettings::default() },
            clone_limits: CloneLimits::default(),
            timing: short_timing(),
            generations: 32,
            ai_slots: 10,
            provider_limits: Vec::new(),
            cache_bytes: 2 << 30,
            keep_generations_days: 30,
            min_grade: self.min_grade,
            program: self.program.clone(),
            variables: self.variables(),
        }
    }

    /// The environment of workers in which the stand-ins are the AI command lines.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        let program = |name: &str| self.stand_ins.program(name).to_str().unwrap().to_owned();
        vec![
            ("PATH".to_owned(), std::env::var("PATH").unwrap()),
            ("DOCMILL_CLAUDE_BIN".to_owned(), program("claude")),
            ("DOCMILL_GEMINI_BIN".to_owned(), program("gemini")),
            ("DOCMILL_CURSOR_BIN".to_owned(), program("agent")),
            ("ANTHROPIC_API_KEY".to_owned(), "test-key-of-claude".to_owned()),
            ("GEMINI_API_KEY".to_owned(), "test-key-of-gemini".to_owned()),
            ("CURSOR_API_KEY".to_owned(), "test-key-of-cursor".to_owned()),
        ]
    }

    /// Asks for a generation as `POST /api/generate` does; `None` when one is active.
    pub(crate) async fn request(&self, repository: &Repository, key: &VariantKey, force: bool) -> Option<GenerationId> {
        self.request_with(repository, key, NewGeneration { force, ..new_generation(key) }).await
    }

    /// The same with everything that a request can say.
    pub(crate) async fn request_with(
        &self,
        repository: &Repository,
        key: &VariantKey,
        request: NewGeneration,
    ) -> Option<GenerationId> {
        let source = RepoSource::LocalPath(repository.path());
        let mut transaction = self.pool.begin().await.unwrap();
        let wanted = jobs::Wanted { key: key.clone(), source, request };
        let started = jobs::start_generation(&mut transaction, &wanted).await.unwrap();
        transaction.commit().await.unwrap();
        match started {
            Started::Queued(id) => Some(id),
            Started::Busy => None,
            other @ Started::OtherRepository(_) => panic!("{other:?}"),
        }
    }

    /// The variant's row.
    pub(crate) async fn row(&self, key: &VariantKey) -> VariantRow {
        let mut connection = self.pool.acquire().await.unwrap();
        let scope = Scope::Owner(&key.owner);
        db::variants::list_matching(&mut connection, scope, &key.name, &key.branch, key.provider, &key.model)
            .await
            .unwrap()
            .pop()
            .unwrap()
    }

    /// Waits until the variant's row is as wanted, for at most a minute.
    pub(crate) async fn wait_until(&self, key: &VariantKey, wanted: impl Fn(&VariantRow) -> bool) -> VariantRow {
        let mut heard = self.listening.subscribe();
        let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
        loop {
            let row = self.row(key).await;
            if wanted(&row) {
                return row;
            }
            assert!(tokio::time::Instant::now() < deadline, "waited in vain, the row is {row:?}");
            let _ = tokio::time::timeout(Duration::from_millis(500), heard.recv()).await;
        }
    }

    /// Waits until no generation is active any more.
    pub(crate) async fn wait_for_end(&self, key: &VariantKey) -> VariantRow {
        self.wait_until(key, |row| row.status != Status::Generating).await
    }

    /// Makes a site and waits for it.
    pub(crate) async fn generate(&self, repository: &Repository, key: &VariantKey, force: bool) -> VariantRow {
        self.request(repository, key, force).await.unwrap();
        self.wait_for_end(key).await
    }

    /// A file of a published site.
    pub(crate) async fn site_file(&self, row: &VariantRow, path: &str) -> Option<String> {
        let prefix: SitePrefix = row.site_prefix.as_ref().unwrap().parse().unwrap();
        let reader = SiteReader::new(self.store.clone(), 1 << 20);
        let file = reader.open(&[prefix], &SitePath::parse(path).unwrap(), None).await.unwrap()?;
        Some(String::from_utf8(file.bytes.to_vec()).unwrap())
    }

    /// How often a page of the newest generation was written.
    pub(crate) async fn written_times(&self, row: &VariantRow, slug: &str) -> i32 {
        sqlx::query_scalar("SELECT attempts FROM pages WHERE generation_id = $1 AND slug = $2")
            .bind(row.generation_id.unwrap())
            .bind(slug)
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    /// The text of a written page of the newest generation.
    pub(crate) async fn page(&self, row: &VariantRow, slug: &str) -> Option<String> {
        let mut connection = self.pool.acquire().await.unwrap();
        let pages = db::pages::list(&mut connection, row.generation_id.unwrap()).await.unwrap();
        let slug: PageSlug = slug.parse().unwrap();
        pages.into_iter().find(|page| page.slug == slug)?.markdown
    }
}

/// What the owner of a variant asks for when nothing is said.
pub(crate) fn new_generation(key: &VariantKey) -> NewGeneration {
    NewGeneration {
        requested_by: key.owner.clone(),
        force: false,
        replace: false,
        repo_type: None,
        call_timeout_minutes: 1,
        max_cost_usd: None,
        options: RunOptions::default(),
    }
}

/// Leases that run out in two seconds.
pub(crate) fn short_timing() -> TimingSettings {
    TimingSettings { lease_ms: 2_000, renew_ms: 300, self_cancel_ms: 1_200, reaper_ms: 300, heartbeat_s: 1 }
}

/// The same as environment of a process.
pub(crate) const SHORT_TIMING: [(&str, &str); 5] = [
    ("DOCMILL_LEASE_MS", "2000"),
    ("DOCMILL_RENEW_MS", "300"),
    ("DOCMILL_SELF_CANCEL_MS", "1200"),
    ("DOCMILL_REAPER_MS", "300"),
    ("DOCMILL_HEARTBEAT_S", "1"),
];

/// A variant of `admin` on `main`.
pub(crate) fn variant(name: &str, provider: Provider) -> VariantKey {
    let model = if provider == Provider::Builtin { "extract" } else { "test-model" };
    VariantKey {
        owner: "admin".into(),
        name: name.parse().unwrap(),
        branch: "main".parse().unwrap(),
        provider,
        model: model.parse().unwrap(),
    }
}
