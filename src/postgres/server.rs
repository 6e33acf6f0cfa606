//! One run of the server: start it, wait until it answers, notice that it ended, stop it.

use std::{
    fs, io,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::PathBuf,
    process::ExitStatus,
    time::Duration,
};

use sqlx::{Connection, PgConnection, Postgres, migrate::MigrateDatabase};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use super::{
    PostgresError,
    cluster::{Cluster, PORT},
    system,
};

/// What is set differently from Postgres' own defaults. Durability is not: fsync stays on, and so does autovacuum.
const SETTINGS: [&str; 7] = [
    "listen_addresses=",
    "unix_socket_permissions=0700",
    "max_connections=100",
    "shared_buffers=64MB",
    "jit=off",
    "log_checkpoints=off",
    "logging_collector=off",
];

/// How long a server may take to replay its log after a crash.
const RECOVERY_LIMIT: Duration = Duration::from_mins(5);

/// How long a server may take to stop when asked nicely.
const FAST_STOP_LIMIT: Duration = Duration::from_secs(10);

/// How often a file or process is looked at while something is awaited that nobody announces.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A server that answers, until proven otherwise.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
}

impl Server {
    /// Starts a server in the cluster and returns when the database `docmill` answers. The thread that calls this must
    /// live as long as the server.
    pub(super) async fn start(cluster: &Cluster) -> Result<Self, PostgresError> {
        clear_leftovers(cluster).await?;
        let mut server = Self::spawn(cluster)?;
        let answers = match server.wait_until_ready(cluster).await {
            Ok(()) => connect_or_create(cluster).await,
            Err(error) => Err(error),
        };
        match answers {
            Ok(()) => Ok(server),
            Err(error) => {
                server.stop().await;
                Err(error)
            }
        }
    }

    /// Waits until the server ends by itself, and says how it did.
    pub(super) async fn exited(&mut self) -> String {
        match self.child.wait().await {
            Ok(status) => describe(status),
            Err(error) => format!("unknown, {error}"),
        }
    }

    /// Stops the server: first it may write everything out, then it is broken off.
    pub(super) async fn stop(mut self) {
        for (signal, limit) in [(libc::SIGINT, FAST_STOP_LIMIT), (libc::SIGQUIT, FAST_STOP_LIMIT)] {
            // no id: it has ended and was waited for
            let Some(pid) = self.child.id() else { return };
            if let Err(error) = shared::os::send_signal(pid, signal) {
                tracing::warn!(%error, "the embedded Postgres could not be told to stop");
            }
            if timeout(limit, self.child.wait()).await.is_ok() {
                return;
            }
            tracing::warn!(postgres.signal = signal, "the embedded Postgres did not stop in time");
        }
        if let Err(error) = self.child.kill().await {
            tracing::error!(%error, "the embedded Postgres could not be killed");
        }
    }

    fn spawn(cluster: &Cluster) -> Result<Self, PostgresError> {
        let failed = |source| system("start Postgres".into(), source);
        let log = cluster.open_log().map_err(failed)?;
        let mut command = cluster.command(&cluster.binaries.postgres(), libc::SIGINT);
        command.arg("-D").arg(&cluster.folder).arg("-k").arg(&cluster.socket_folder).args(["-p", PORT]);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        // its own group: Ctrl-C reaches docmill only, which stops the server last
        command.process_group(0).stdout(log.try_clone().map_err(failed)?).stderr(log);
        let child = Command::from(command).spawn().map_err(failed)?;
        Ok(Self { child })
    }

    /// The server writes `ready` into its own note. That the note carries our child's id also proves that it is not
    /// another server that answers.
    async fn wait_until_ready(&mut self, cluster: &Cluster) -> Result<(), PostgresError> {
        let started = Instant::now();
        let pid = self.child.id().map(|pid| pid.to_string());
        while started.elapsed() < RECOVERY_LIMIT {
            if self.child.try_wait().map_err(|source| system("watch Postgres".into(), source))?.is_some() {
                return Err(cluster.not_started());
            }
            // missing or half written until the server is that far
            let lines = cluster.postmaster_lines().unwrap_or_default();
            if lines.first() == pid.as_ref() && lines.get(7).is_some_and(|status| status == "ready") {
                return Ok(());
            }
            sleep(LOOK_EVERY).await;
        }
        Err(cluster.not_started())
    }
}

/// One round trip to the database, which a new cluster does not have yet.
async fn connect_or_create(cluster: &Cluster) -> Result<(), PostgresError> {
    const NO_SUCH_DATABASE: &str = "3D000";
    let url = cluster.url();
    match PgConnection::connect(&url).await {
        Ok(connection) => connection.close().await?,
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(NO_SUCH_DATABASE) => {
            Postgres::create_database(&url).await?;
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Under the folder's lock nobody else may run a server here: what still does belongs to a docmill that was killed and
/// is stopped. A note without such a server would stop the next one when its process id is in use again, or is that of
/// a zombie. Postgres' own check of its shared memory still stands behind this.
async fn clear_leftovers(cluster: &Cluster) -> Result<(), PostgresError> {
    let failed = |source| system(format!("clear what another server left in `{}`", cluster.folder.display()), source);
    cluster.clear_socket_folder().map_err(failed)?;
    let lines = match cluster.postmaster_lines() {
        Ok(lines) => lines,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    if let Some(pid) = lines.first().and_then(|line| line.parse::<u32>().ok()) {
        stop_orphan(cluster, pid).await.map_err(failed)?;
    }
    match fs::remove_file(cluster.postmaster_note()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
        _ => Ok(()),
    }
}

async fn stop_orphan(cluster: &Cluster, pid: u32) -> io::Result<()> {
    // a server's working folder is its cluster; that of a zombie or of another user cannot be read
    let works_here = || fs::read_link(PathBuf::from(format!("/proc/{pid}/cwd"))).is_ok_and(|cwd| cwd == cluster.folder);
    for signal in [libc::SIGINT, libc::SIGQUIT, libc::SIGKILL] {
        if !works_here() {
            return Ok(());
        }
        tracing::info!(postgres.pid = pid, postgres.signal = signal, "stopping a Postgres that outlived its docmill");
        match shared::os::send_signal(pid, signal) {
            // gone in between
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Ok(()),
            result => result?,
        }
        let asked = Instant::now();
        while works_here() && asked.elapsed() < FAST_STOP_LIMIT {
            sleep(LOOK_EVERY).await;
        }
    }
    if works_here() {
        return Err(io::Error::other(format!("the server with process id {pid} does not end")));
    }
    Ok(())
}

fn describe(status: ExitStatus) -> String {
    match status.signal() {
        Some(signal) => format!("signal {signal}"),
        None => format!("exit code {}", status.code().unwrap_or_default()),
    }
}
