//! The embedded database: a Postgres server of our own, for when no `DATABASE_URL` is set.
//!
//! In order: take the folder's lock, find the binaries (`binaries`) and the account that may run them (`account`), make
//! the cluster if there is none (`cluster`), run the server in it (`server`) and start it again whenever it dies.
//! A thread of its own does all of that and lives as long as the server: the kernel stops the server when the thread
//! that started it ends, which is how a killed docmill leaves no server behind.

mod binaries;
mod account;
mod cluster;
mod server;

use std::{
    io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use tokio::sync::{oneshot, watch};

use self::{cluster::Cluster, server::Server};

/// Pauses before each try to start the server. After the last one the supervisor gives up.
const PAUSES_BEFORE_TRIES: [Duration; 3] = [Duration::ZERO, Duration::from_millis(300), Duration::from_secs(2)];

/// A server that ran for less than this counts as a failed try.
const STEADY_AFTER: Duration = Duration::from_secs(10);

/// Why there is no embedded database. Each text is one sentence that a person can act on.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// No binaries on this machine.
    #[error(
        "no Postgres found: install it with `apt install postgresql`, \
         `dnf install postgresql-server postgresql-contrib` or `brew install postgresql`, or set DATABASE_URL to a server that runs elsewhere"
    )]
    NotFound,
    /// `DOCMILL_PG_BIN` is set and wrong.
    #[error("DOCMILL_PG_BIN `{}` does not hold `postgres` and `initdb` of version {oldest} or newer", folder.display())]
    WrongBinaryFolder {
        /// The value of the variable.
        folder: PathBuf,
        /// Oldest major version that works.
        oldest: u32,
    },
    /// Another process holds the lock.
    #[error("another docmill process is using the data folder `{}`, stop it or choose another DATA_DIR", .0.display())]
    Busy(PathBuf),
    /// The data were written by another major version.
    #[error(
        "the database in `{}` was made by Postgres {wanted}, but only version {found} was found: \
         install Postgres {wanted} or name its binaries in DOCMILL_PG_BIN",
        folder.display()
    )]
    WrongVersion {
        /// The cluster's folder.
        folder: PathBuf,
        /// Its major version.
        wanted: String,
        /// What is installed.
        found: String,
    },
    /// Root may not run Postgres and there is nobody to do it instead.
    #[error(
        "Postgres does not run as root and there is no account `postgres` or `nobody` to run it: \
         add one, start docmill as an ordinary user, or set DATABASE_URL"
    )]
    NoAccount,
    /// The numeric user has no name, as on some container platforms.
    #[error(
        "Postgres needs a name for the user that runs docmill: add a line for its uid to /etc/passwd \
         (libnss_wrapper does that too) or set DATABASE_URL"
    )]
    NoPasswdEntry,
    /// The account that runs the server cannot get to its data.
    #[error(
        "the account `{account}`, which runs Postgres for root, cannot enter `{}`: \
         choose a DATA_DIR that it can reach, such as /var/lib/docmill, or set DATABASE_URL",
        folder.display()
    )]
    Unreachable {
        /// Name of the account.
        account: String,
        /// The folder that stops it.
        folder: PathBuf,
    },
    /// `initdb` failed.
    #[error("the database could not be made: {0}")]
    NotCreated(String),
    /// The server did not come up; holds the end of its log.
    #[error("Postgres did not start, its log `{}` ends with: {tail}", log.display())]
    NotStarted {
        /// The log file.
        log: PathBuf,
        /// Its last lines, joined.
        tail: String,
    },
    /// The server runs but does not let us in.
    #[error("Postgres started but does not answer: {0}")]
    NoAnswer(#[from] sqlx::Error),
    /// The operating system refused something.
    #[error("embedded Postgres could not {action}: {source}")]
    System {
        /// What was tried, with its path.
        action: String,
        /// The answer.
        source: io::Error,
    },
}

/// A running server that belongs to this process.
///
/// Dropping it stops the server in the background; [`EmbeddedPostgres::stop`] waits for that.
#[derive(Debug)]
pub struct EmbeddedPostgres {
    url: String,
    stop: oneshot::Sender<()>,
    ended: oneshot::Receiver<()>,
    failure: watch::Receiver<Option<String>>,
}

impl EmbeddedPostgres {
    /// Starts the server on the cluster in `<data_dir>/pg`, which is made when it is missing, and returns when the
    /// database `docmill` answers. The folder stays locked until the server has stopped.
    pub async fn start(data_dir: &Path) -> Result<Self, PostgresError> {
        let data_dir = std::path::absolute(data_dir)
            .map_err(|source| system(format!("use the folder `{}`", data_dir.display()), source))?;
        let (started, start) = oneshot::channel();
        let (stop, stop_requested) = oneshot::channel();
        let (ending, ended) = oneshot::channel();
        let (report_failure, failure) = watch::channel(None);
        let supervise = move || {
            let supervisor = Supervisor { stop_requested, report_failure };
            supervisor.run(&data_dir, started);
            drop(ending);
        };
        thread::Builder::new()
            .name("postgres".into())
            .spawn(supervise)
            .map_err(|source| system("start a thread".into(), source))?;
        let url = start.await.unwrap_or_else(|_| {
            Err(system("start".into(), io::Error::other("the thread that supervises it panicked")))
        })?;
        Ok(Self { url, stop, ended, failure })
    }

    /// Where the database `docmill` is: over a Unix socket that only this user may open. Stays the same when the
    /// server is restarted.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Waits until the supervisor gives up, and says why. Never returns while the server runs or is being restarted.
    pub async fn failed(&self) -> String {
        let mut failure = self.failure.clone();
        let reason = match failure.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone(),
            Err(_) => None,
        };
        reason.unwrap_or_else(|| "the thread that supervises Postgres ended".into())
    }

    /// Stops the server: open transactions are rolled back at once. Returns when it is gone, normally within 0.1 s,
    /// at worst after 10 s of asking nicely and the time it takes to break off.
    pub async fn stop(self) {
        let Self { stop, ended, .. } = self;
        // an error here or below means that the supervisor has ended already, and its server with it
        let _ = stop.send(());
        let _ = ended.await;
    }
}

/// What the thread knows.
struct Supervisor {
    /// Ends with a message or with the other side being dropped: both mean stop.
    stop_requested: oneshot::Receiver<()>,
    report_failure: watch::Sender<Option<String>>,
}

impl Supervisor {
    fn run(self, data_dir: &Path, started: oneshot::Sender<Result<String, PostgresError>>) {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(source) => {
                let _ = started.send(Err(system("start a runtime".into(), source)));
                return;
            }
        };
        runtime.block_on(async {
            let first = match Cluster::open(data_dir) {
                Ok(cluster) => start_with_pauses(&cluster).await.map(|server| (cluster, server)),
                Err(error) => Err(error),
            };
            match first {
                Ok((cluster, server)) => {
                    // nobody waits any more: the stop channel is closed too and ends `keep_running` at once
                    let _ = started.send(Ok(cluster.url()));
                    self.keep_running(&cluster, server).await;
                }
                Err(error) => {
                    let _ = started.send(Err(error));
                }
            }
        });
    }

    async fn keep_running(mut self, cluster: &Cluster, mut server: Server) {
        let mut early_deaths = 0;
        loop {
            let running_since = Instant::now();
            let exit = tokio::select! {
                _ = &mut self.stop_requested => return server.stop().await,
                exit = server.exited() => exit,
            };
            let log_tail = cluster.log_tail();
            tracing::error!(postgres.exit = exit, postgres.log = log_tail, "the embedded Postgres ended by itself");
            early_deaths = if running_since.elapsed() < STEADY_AFTER { early_deaths + 1 } else { 0 };
            if early_deaths > PAUSES_BEFORE_TRIES.len() {
                let reason = format!("Postgres ended {early_deaths} times in a row, its log ends with: {log_tail}");
                return self.give_up(reason).await;
            }
            server = match start_with_pauses(cluster).await {
                Ok(server) => server,
                Err(error) => return self.give_up(error.to_string()).await,
            };
            tracing::info!("the embedded Postgres runs again");
        }
    }

    /// Says why and keeps the folder locked until the program has reacted.
    async fn give_up(self, reason: String) {
        self.report_failure.send_replace(Some(reason));
        let _ = self.stop_requested.await;
    }
}

async fn start_with_pauses(cluster: &Cluster) -> Result<Server, PostgresError> {
    let mut tries = PAUSES_BEFORE_TRIES.into_iter().peekable();
    loop {
        let pause = tries.next().unwrap_or_default();
        tokio::time::sleep(pause).await;
        match Server::start(cluster).await {
            Err(error) if tries.peek().is_some() => {
                tracing::warn!(%error, "the embedded Postgres did not start, trying again");
            }
            result => return result,
        }
    }
}

fn system(action: String, source: io::Error) -> PostgresError {
    PostgresError::System { action, source }
}
