//! Everything in one process: database, API and worker, as `serve` and `try` run it.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::{Context, bail};
use api::{
    ApiParts, ApiState,
    auth::{pepper, session},
};
use shared::{
    db,
    events::Listening,
    settings::{ApiSettings, DatabaseSettings, Secret, WriterSettings},
};
use sites::store::SiteStore;
use sqlx::PgPool;
use tokio::{net::TcpListener, task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    commands::worker::{WORKER_CONNECTIONS, WorkSettings, worker_config},
    data_dir::DataDir,
    database::Database,
};

/// Connections of an API process (decisions.md 11).
pub(crate) const API_CONNECTIONS: u32 = 10;

/// How long API and worker together may take to end. The database's own end comes on top, and all of it is to be done within
/// 30 s of the signal.
const STOPPING: Duration = Duration::from_secs(17);

/// How an instance is put together.
pub(crate) struct InstanceSettings {
    pub(crate) data_dir: DataDir,
    pub(crate) sites_dir: PathBuf,
    pub(crate) database: DatabaseSettings,
    pub(crate) api: ApiSettings,
    pub(crate) admin_key: Secret,
    pub(crate) work: WorkSettings,
    /// Docs can be read without a login; only on loopback.
    pub(crate) docs_are_open: bool,
}

/// A running instance.
pub(crate) struct Instance {
    /// For what the command itself asks the database.
    pub(crate) pool: PgPool,
    /// Hears what happens.
    pub(crate) listening: Listening,
    /// Where the sites are.
    pub(crate) store: SiteStore,
    /// Where the API listens.
    pub(crate) address: SocketAddr,
    database: Database,
    worker_pool: PgPool,
    stop: CancellationToken,
    api: JoinHandle<anyhow::Result<()>>,
    worker: JoinHandle<anyhow::Result<()>>,
}

impl Instance {
    /// Starts everything; what was started is stopped again when a later part fails.
    pub(crate) async fn start(settings: InstanceSettings) -> anyhow::Result<Self> {
        // first of all, because a port that is taken is the likeliest mistake and costs nothing to find
        let listener = bind(&settings.api).await?;
        let database = Database::open_or_start(&settings.database, settings.data_dir.path()).await?;
        let parts = match Parts::open(&settings, &database).await {
            Ok(parts) => parts,
            Err(error) => {
                database.stop().await;
                return Err(error);
            }
        };
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let worker = tokio::spawn(worker::run(parts.worker, stop.clone()));
        let api = tokio::spawn(api::serve(listener, parts.api, stop.clone()));
        Ok(Self {
            pool: parts.pool,
            listening: parts.listening,
            store: parts.store,
            address,
            database,
            worker_pool: parts.worker_pool,
            stop,
            api,
            worker,
        })
    }

    /// The address for people.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Comes back when the API or the worker ended by itself; [`Self::run_until`] says why.
    pub(crate) async fn broke_off(&self) {
        while !self.api.is_finished() && !self.worker.is_finished() {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// Runs until `shutdown`, or until a part fails, and then stops everything in order: taking requests and work, the runs,
    /// the database.
    pub(crate) async fn run_until(mut self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let ended = tokio::select! {
            () = shutdown.cancelled() => Ok(()),
            reason = self.database.failed() => Err(anyhow::anyhow!("the embedded database cannot be kept alive: {reason}")),
            result = &mut self.api => Err(part_ended("API", result)),
            result = outlast_drain(&mut self.worker) => Err(part_ended("worker", result)),
        };
        self.stop.cancel();
        let deadline = Instant::now() + STOPPING;
        for (name, part) in [("API", self.api), ("worker", self.worker)] {
            // a part that has ended already was reported above, and must not be awaited twice
            if part.is_finished() && (ended.is_err() || name == "worker") {
                continue;
            }
            match tokio::time::timeout_at(deadline, part).await {
                Ok(Ok(Ok(()))) => {}
                Ok(other) => tracing::error!("{:#}", part_ended(name, other)),
                Err(_) => tracing::error!("the {name} did not stop in time"),
            }
        }
        drop(self.listening);
        tokio::join!(close(&self.pool), close(&self.worker_pool));
        self.database.stop().await;
        ended
    }
}

/// How the worker ended. One that an admin drained has ended in order: the API goes on without it.
async fn outlast_drain(
    worker: &mut JoinHandle<anyhow::Result<()>>,
) -> Result<anyhow::Result<()>, tokio::task::JoinError> {
    match worker.await {
        Ok(Ok(())) => {
            tracing::warn!(
                "the worker of this process is drained; requests are answered, and other workers do the work"
            );
            std::future::pending().await
        }
        result => result,
    }
}

/// Closes a pool. Something that did not stop in time may hold a connection for ever, and must not hold up the end.
pub(crate) async fn close(pool: &PgPool) {
    if tokio::time::timeout(Duration::from_secs(1), pool.close()).await.is_err() {
        tracing::warn!("some database connections were still in use");
    }
}

fn part_ended(name: &str, result: Result<anyhow::Result<()>, tokio::task::JoinError>) -> anyhow::Error {
    match result {
        Ok(Ok(())) => anyhow::anyhow!("the {name} ended by itself"),
        Ok(Err(error)) => error.context(format!("the {name} failed")),
        Err(error) => anyhow::Error::from(error).context(format!("the {name} broke off")),
    }
}

struct Parts {
    pool: PgPool,
    worker_pool: PgPool,
    listening: Listening,
    store: SiteStore,
    api: ApiState,
    worker: worker::WorkerConfig,
}

impl Parts {
    async fn open(settings: &InstanceSettings, database: &Database) -> anyhow::Result<Self> {
        let pool = database.connect(API_CONNECTIONS).await?;
        let worker_pool = database.connect(WORKER_CONNECTIONS).await?;
        let listening = Listening::start(&pool).await.context("cannot listen to the database")?;
        let store = SiteStore::local(&settings.sites_dir)?;
        let made_here = settings.api.key_pepper_file.is_none();
        let pepper_file = settings.api.key_pepper_file.clone().unwrap_or_else(|| settings.data_dir.pepper_file());
        let pepper = pepper::load_or_create(&pepper_file, made_here)?;
        pepper::agree(&pool, &pepper).await?;
        session::end_those_of_an_old_admin_key(&pool, &pepper, &settings.admin_key).await?;
        save_given_settings(&pool, &settings.work.writers).await?;
        let sandbox = worker::describe_sandbox(settings.work.writers.sandbox).await?;
        let parts = ApiParts {
            pool: pool.clone(),
            sites: store.clone(),
            listening: listening.clone(),
            admin_key: settings.admin_key.clone(),
            secure_cookies: settings.api.secure_cookies,
            trusted_proxies: settings.api.trusted_proxies.clone(),
            public_badges: settings.api.public_badges,
            writer: settings.work.writers.clone(),
            repo_host_allowlist: settings.work.git.repo_host_allowlist.clone(),
            docs_are_open: settings.docs_are_open,
            sandbox: Some(Ok(sandbox)),
            watch_times: api::WatchTimes::default(),
        };
        let api = ApiState::new(parts, pepper)?;
        let work_dir = settings.data_dir.work_dir();
        let worker = worker_config(&settings.work, worker_pool.clone(), listening.clone(), store.clone(), &work_dir);
        Ok(Self { pool, worker_pool, listening, store, api, worker })
    }
}

/// Stores the settings of writers that the program was started with: they win over what admins had set.
pub(crate) async fn save_given_settings(pool: &PgPool, writers: &WriterSettings) -> anyhow::Result<()> {
    let mut transaction = db::begin(pool).await?;
    db::settings::save_given(&mut transaction, &writers.given()).await.context("cannot store the settings")?;
    Ok(transaction.commit().await?)
}

/// Binds the API's address.
pub(crate) async fn bind(settings: &ApiSettings) -> anyhow::Result<TcpListener> {
    let address = SocketAddr::new(settings.host, settings.port);
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            bail!("another program listens on {address}, set PORT or HOST")
        }
        Err(error) => Err(error).with_context(|| format!("cannot listen on {address}, set PORT or HOST")),
    }
}
