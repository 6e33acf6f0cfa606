//! The folder of the embedded database: its lock, the cluster in it, and what an earlier process left there.
//!
//! ```text
//! <data_dir>/lock         held as long as a docmill process uses the folder
//! <data_dir>/pg           the cluster
//! <data_dir>/pg.init      a cluster that is being made
//! <data_dir>/pg.log       what the server says, and pg.log.1 before that
//! <data_dir>/pg.socket    names the folder of the Unix socket: `psql -U docmill -h "$(cat pg.socket)" docmill`
//! ```

use std::{
    env,
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use url::Url;

use super::{
    PostgresError,
    account::{self, Account},
    binaries::{self, Binaries},
    system,
};

/// Name of the database and of its owner.
pub(super) const DATABASE: &str = "docmill";

/// Part of the name of the socket; nothing listens on such a port.
pub(super) const PORT: &str = "5432";

/// A Unix socket's path has at most 107 bytes, and `/.s.PGSQL.5432.lock` belongs to them.
const LONGEST_SOCKET_FOLDER: usize = 80;

/// How a socket's folder begins, in `/tmp` and everywhere else.
const SOCKET_FOLDER_PREFIX: &str = "docmill-pg-";

const MAX_LOG_BYTES: u64 = 10 * 1024 * 1024;

/// A cluster that is ours alone for as long as this lives.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) binaries: Binaries,
    pub(super) folder: PathBuf,
    pub(super) socket_folder: PathBuf,
    account: Option<Account>,
    log: PathBuf,
    _lock: File,
}

impl Cluster {
    /// Locks `data_dir`, which must be absolute, and makes what is missing in it.
    pub(super) fn open(data_dir: &Path) -> Result<Self, PostgresError> {
        create_data_folder(data_dir)?;
        // the server's own view of its folder, to recognise it by
        let data_dir = data_dir
            .canonicalize()
            .map_err(|source| system(format!("find the folder `{}`", data_dir.display()), source))?;
        let lock = lock(&data_dir)?;
        let folder = data_dir.join("pg");
        let made_by = read_version(&folder)?;
        let binaries = binaries::find(&folder, made_by.as_deref())?;
        let account = account::for_cluster(&folder)?;
        if let Some(account) = &account {
            check_reachable(account, &data_dir)?;
        }
        if made_by.is_none() {
            create_cluster(&binaries, account.as_ref(), &data_dir)?;
        }
        let socket_folder = create_socket_folder(account.as_ref(), &data_dir)
            .map_err(|source| system("make a folder for its socket in `/tmp`".into(), source))?;
        let log = data_dir.join("pg.log");
        Ok(Self { binaries, folder, socket_folder, account, log, _lock: lock })
    }

    /// Where the database is, as libpq and sqlx read it. The port is named so that `PGPORT` does not matter.
    pub(super) fn url(&self) -> String {
        let host = self.socket_folder.to_string_lossy();
        let mut url = Url::parse(&format!("postgres://{DATABASE}@localhost:{PORT}/{DATABASE}"))
            .expect("the parts are constants without special characters");
        url.query_pairs_mut().append_pair("host", &host).append_pair("sslmode", "disable");
        url.into()
    }

    /// A command that runs as the right account, knows none of our secrets and dies with us by `signal`.
    pub(super) fn command(&self, program: &Path, signal: i32) -> Command {
        command(program, self.account.as_ref(), signal)
    }

    /// The log, open for appending; set aside first when it has grown too long.
    pub(super) fn open_log(&self) -> io::Result<File> {
        if fs::metadata(&self.log).is_ok_and(|metadata| metadata.len() > MAX_LOG_BYTES) {
            fs::rename(&self.log, self.log.with_extension("log.1"))?;
        }
        OpenOptions::new().create(true).append(true).mode(0o600).open(&self.log)
    }

    /// The last lines of the log as one.
    pub(super) fn log_tail(&self) -> String {
        read_tail(&self.log).unwrap_or_else(|error| format!("(the log cannot be read: {error})"))
    }

    /// The failure to start, with what the server said about it.
    pub(super) fn not_started(&self) -> PostgresError {
        PostgresError::NotStarted { log: self.log.clone(), tail: self.log_tail() }
    }

    /// The server's own note about itself in `pg/postmaster.pid`, by lines.
    pub(super) fn postmaster_lines(&self) -> io::Result<Vec<String>> {
        let note = fs::read_to_string(self.postmaster_note())?;
        Ok(note.lines().map(|line| line.trim().to_owned()).collect())
    }

    /// The file that a server keeps while it runs.
    pub(super) fn postmaster_note(&self) -> PathBuf {
        self.folder.join("postmaster.pid")
    }

    /// Removes sockets of a server that is gone. Its lock files would stop the next one when their process id is in
    /// use again or is that of a zombie.
    pub(super) fn clear_socket_folder(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.socket_folder)? {
            fs::remove_file(entry?.path())?;
        }
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.socket_folder) {
            let folder = self.socket_folder.display();
            tracing::warn!(%folder, %error, "the folder of the database socket stays behind");
        }
    }
}

fn command(program: &Path, account: Option<&Account>, signal: i32) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("LC_ALL", "C").current_dir("/").stdin(Stdio::null());
    // what a relocated or nameless installation needs (libnss_wrapper), and the time zone
    let kept = ["PATH", "TZ", "LD_LIBRARY_PATH", "LD_PRELOAD", "NSS_WRAPPER_PASSWD", "NSS_WRAPPER_GROUP"];
    command.envs(kept.iter().filter_map(|name| Some((name, env::var_os(name)?))));
    if let Some(account) = account {
        account.run(&mut command);
    }
    shared::os::die_with_parent(&mut command, signal);
    command
}

/// Root's folder may be entered by the account that runs the server, but not read.
fn create_data_folder(data_dir: &Path) -> Result<(), PostgresError> {
    let mode = if shared::os::is_root() { 0o711 } else { 0o700 };
    let create = || {
        if let Some(parent) = data_dir.parent() {
            fs::create_dir_all(parent)?;
        }
        match DirBuilder::new().mode(mode).create(data_dir) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            result => result,
        }
    };
    create().map_err(|source| system(format!("make the folder `{}`", data_dir.display()), source))
}

/// The lock is the kernel's: it ends with this process, whatever ends that.
fn lock(data_dir: &Path) -> Result<File, PostgresError> {
    let path = data_dir.join("lock");
    let failed = |source| system(format!("lock `{}`", path.display()), source);
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(PostgresError::Busy(data_dir.to_path_buf())),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// The major version that made the cluster; `None` when there is no cluster yet.
fn read_version(folder: &Path) -> Result<Option<String>, PostgresError> {
    match fs::read_to_string(folder.join("PG_VERSION")) {
        Ok(version) => Ok(Some(version.trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(system(format!("read the version of `{}`", folder.display()), source)),
    }
}

fn check_reachable(account: &Account, data_dir: &Path) -> Result<(), PostgresError> {
    match account.barrier(data_dir) {
        Ok(None) => Ok(()),
        Ok(Some(folder)) => Err(PostgresError::Unreachable { account: account.name.clone(), folder }),
        Err(source) => Err(system(format!("look at the folders above `{}`", data_dir.display()), source)),
    }
}

/// Makes the cluster beside its final place, so that being killed in between never leaves half of one.
fn create_cluster(binaries: &Binaries, account: Option<&Account>, data_dir: &Path) -> Result<(), PostgresError> {
    let unfinished = data_dir.join("pg.init");
    let failed = |source| system(format!("make the database in `{}`", data_dir.display()), source);
    match fs::remove_dir_all(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => DirBuilder::new().mode(0o700).create(&unfinished).map_err(failed)?,
    }
    if let Some(account) = account {
        account.own(&unfinished).map_err(failed)?;
    }
    let mut initdb = command(&binaries.initdb(), account, libc::SIGTERM);
    // without passwords: only this user can reach the socket, and there is no other way in
    initdb.args([
        "-U",
        DATABASE,
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
        "--data-checksums",
        "--no-sync",
        "-D",
    ]);
    let output = initdb.arg(&unfinished).output().map_err(failed)?;
    if !output.status.success() {
        return Err(initdb_failed(&String::from_utf8_lossy(&output.stderr)));
    }
    // one sync of the file system instead of initdb's for each of a thousand files
    let durable = File::open(&unfinished)
        .and_then(|folder| shared::os::sync_filesystem(&folder))
        .and_then(|()| fs::rename(&unfinished, data_dir.join("pg")))
        .and_then(|()| File::open(data_dir)?.sync_all());
    durable.map_err(failed)
}

fn initdb_failed(stderr: &str) -> PostgresError {
    if stderr.contains("could not look up effective user ID") {
        return PostgresError::NoPasswdEntry;
    }
    PostgresError::NotCreated(last_lines(stderr))
}

/// A new folder for each process with a short path: in the data folder the path may be too long, and the sockets of a
/// killed process would be in the way.
fn create_socket_folder(account: Option<&Account>, data_dir: &Path) -> io::Result<PathBuf> {
    let note = data_dir.join("pg.socket");
    remove_old_socket_folder(&note);
    let name = format!("{SOCKET_FOLDER_PREFIX}{:016x}", rand::random::<u64>());
    let mut failure = io::Error::from(io::ErrorKind::NotFound);
    for parent in [PathBuf::from("/tmp"), env::temp_dir(), data_dir.to_path_buf()] {
        let folder = parent.join(&name);
        if folder.as_os_str().len() > LONGEST_SOCKET_FOLDER {
            continue;
        }
        // written first, so that a process killed right here leaves nothing that is not found again
        fs::write(&note, folder.as_os_str().as_encoded_bytes())?;
        let created = DirBuilder::new().mode(0o700).create(&folder);
        match created.and_then(|()| account.map_or(Ok(()), |account| account.own(&folder))) {
            Ok(()) => return Ok(folder),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// A killed process could not remove its folder; the server in it is stopped or about to.
fn remove_old_socket_folder(note: &Path) {
    let Ok(old) = fs::read_to_string(note).map(PathBuf::from) else { return };
    if !old.file_name().is_some_and(|name| name.to_string_lossy().starts_with(SOCKET_FOLDER_PREFIX)) {
        return;
    }
    if let Err(error) = fs::remove_dir_all(&old)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(folder = %old.display(), error = %error, "an old folder of the database socket stays behind");
    }
}

fn read_tail(path: &Path) -> io::Result<String> {
    const TAIL_BYTES: u64 = 4096;
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut tail = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut tail)?;
    Ok(last_lines(&String::from_utf8_lossy(&tail)))
}

fn last_lines(text: &str) -> String {
    const LINES: usize = 4;
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(LINES)..].join(" | ")
}
