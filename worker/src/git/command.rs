//! One call of git: cleared environment, nothing configured from outside, its own process group, bounded in time, disk
//! and output. Cancelling or dropping the call kills the whole group.

use std::{
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::Command,
    sync::OnceCell,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

use shared::{
    os::{self, Resource, Signal},
    settings::CloneLimits,
};

use super::error::{GitError, GitFailure};
use crate::launch::{self, Restrictions};

/// `http.curloptResolve`, without which an address cannot be pinned, came with this version; older ones ignore it.
const MIN_VERSION: (u32, u32) = (2, 37);

/// Most bytes that are kept of what git prints on each of its two outputs.
const MAX_OUTPUT_BYTES: usize = 256 << 10;

/// Most memory of each process of a call: git keeps every reference that a server names, and a server need not stop.
const MAX_MEMORY_BYTES: u64 = 2 << 30;

/// How often the size of a growing clone is looked at; the limit of a single file holds at every moment.
const SIZE_INTERVAL: Duration = Duration::from_millis(200);

/// Configuration of every call, on the command line because there it wins over any file.
const CONFIG: [&str; 15] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.symlinks=false",
    // larger blobs are streamed to disk and not kept in memory
    "core.bigFileThreshold=16m",
    "http.followRedirects=false",
    "http.proxy=",
    // a server that is preparing a pack sends at least a byte a second
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=60",
    // forgets helpers of any file; the one of GIT_CREDENTIALS_FILE comes after it
    "credential.helper=",
    "transfer.bundleURI=false",
    "submodule.recurse=false",
    // repositories here end with their run: nobody needs them after a crash, and nobody sends packs from them
    "core.fsync=none",
    "pack.writeReverseIndex=false",
    "gc.auto=0",
    "maintenance.auto=false",
];

/// Variables of this process that a call needs: where git and ssh are, and which certificate authorities count.
const KEPT_VARIABLES: [&str; 3] = ["PATH", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH"];

/// What bounds a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds<'a> {
    /// What is being done, for messages: ``fetching `https://...` ``.
    pub(super) what: &'a str,
    /// Limits.
    pub(super) limits: &'a CloneLimits,
    /// Ends the call.
    pub(super) cancel: &'a CancellationToken,
    /// The end of the whole clone, of which the call may be one of several.
    pub(super) deadline: Instant,
    /// The folder that grows.
    pub(super) folder: Option<&'a Path>,
}

impl Bounds<'_> {
    fn timed_out(&self) -> GitError {
        let message = format!("{} took longer than {:?}, the limit of one clone", self.what, self.limits.timeout);
        GitError::new(GitFailure::TimedOut, message)
    }

    /// The error for files that grew above the limit of one clone.
    pub(super) fn too_large(&self) -> GitError {
        let limit = shown_bytes(self.limits.max_bytes);
        GitError::new(GitFailure::OverLimit, format!("{} takes more than {limit}, the limit of one clone", self.what))
    }
}

/// What a call left behind.
pub(super) struct Output {
    /// Whether git ended with 0.
    pub(super) is_success: bool,
    /// The first bytes of its standard output, if that was a pipe.
    pub(super) stdout: Vec<u8>,
    /// The last bytes of its complaints.
    pub(super) stderr: String,
}

/// A hardened call without arguments. It may write no file above `max_file_bytes`.
pub(super) fn git(max_file_bytes: u64) -> Result<Command, GitError> {
    let restrictions = Restrictions {
        limits: vec![(Resource::FileBytes, max_file_bytes), (Resource::DataBytes, MAX_MEMORY_BYTES)],
        ignores_large_files: true,
        ..Restrictions::default()
    };
    // tokio starts it from a thread that lives as long as the runtime
    let mut command =
        Command::from(launch::command("git".as_ref(), &restrictions).map_err(|error| not_started(&error))?);
    for name in KEPT_VARIABLES {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
        .env("LC_ALL", "C")
        // neither curl's .netrc nor any configuration of the user
        .env("HOME", "/nonexistent")
        .env("XDG_CONFIG_HOME", "/nonexistent")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_ATTR_NOSYSTEM", "1")
        .env("GIT_ALLOW_PROTOCOL", "")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ASKPASS", "")
        .env("SSH_ASKPASS", "")
        .env("GIT_LFS_SKIP_SMUDGE", "1")
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    for setting in CONFIG {
        command.args(["-c", setting]);
    }
    Ok(command)
}

/// Runs a call to its end, whatever its exit code.
pub(super) async fn run(mut command: Command, bounds: &Bounds<'_>) -> Result<Output, GitError> {
    check_version().await?;
    let mut child = command.spawn().map_err(|error| not_started(&error))?;
    let mut group = ProcessGroup(child.id());
    let stdout = child.stdout.take();
    let stderr = child.stderr.take();
    let finished = {
        let outputs = async { tokio::join!(read_bounded(stdout), read_bounded(stderr), child.wait()) };
        tokio::select! {
            biased;
            () = bounds.cancel.cancelled() => Err(GitError::cancelled()),
            () = sleep_until(bounds.deadline) => Err(bounds.timed_out()),
            () = grows_above(bounds.folder, bounds.limits.max_bytes) => Err(bounds.too_large()),
            outputs = outputs => Ok(outputs),
        }
    };
    let (stdout, stderr, status) = match finished {
        Ok(outputs) => outputs,
        Err(error) => {
            group.kill();
            // the caller may now remove the folder; a child that cannot be reaped has been killed all the same
            drop(child.wait().await);
            return Err(error);
        }
    };
    group.0 = None;
    let status = status.map_err(|error| not_started(&error))?;
    let stderr = String::from_utf8_lossy(&stderr).into_owned();
    tracing::debug!(git.status = %status, git.stderr = %stderr, "git ended");
    if let Some(reason) = launch::failure(status.code(), &stderr) {
        // no word of git, which would be read as one of the server's
        tracing::error!(reason, "git could not be started");
        return Err(not_started(&io::Error::other(reason)));
    }
    Ok(Output { is_success: status.success(), stdout, stderr })
}

/// The processes of one call. They are killed when it is dropped before its end.
struct ProcessGroup(Option<u32>);

impl ProcessGroup {
    fn kill(&mut self) {
        if let Some(group) = self.0.take() {
            os::signal_group(group, Signal::Kill);
        }
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        self.kill();
    }
}

fn not_started(error: &io::Error) -> GitError {
    if error.kind() == io::ErrorKind::NotFound {
        let (major, minor) = MIN_VERSION;
        return GitError::new(
            GitFailure::Host,
            format!("`git` is not installed on this worker, install {major}.{minor} or newer"),
        );
    }
    GitError::of_file("`git` cannot be started", error)
}

/// Reads to the end, so that the writer never blocks, and keeps the last bytes.
async fn read_bounded(stream: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut kept = Vec::new();
    let Some(mut stream) = stream else {
        return kept;
    };
    // a pipe that cannot be read has ended, as far as we are concerned
    while let Ok(1..) = stream.read_buf(&mut kept).await {
        if kept.len() > 2 * MAX_OUTPUT_BYTES {
            kept.drain(..kept.len() - MAX_OUTPUT_BYTES);
        }
    }
    kept
}

/// Ends when the files of a folder take more bytes than allowed.
async fn grows_above(folder: Option<&Path>, max_bytes: u64) {
    let Some(folder) = folder else {
        return std::future::pending().await;
    };
    loop {
        sleep(SIZE_INTERVAL).await;
        let folder = folder.to_path_buf();
        if tokio::task::spawn_blocking(move || folder_bytes(folder)).await.is_ok_and(|bytes| bytes > max_bytes) {
            return;
        }
    }
}

/// Bytes of all files below a folder. Files come and go while git works, so what cannot be read counts nothing.
pub(crate) fn folder_bytes(folder: PathBuf) -> u64 {
    let mut bytes = 0;
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(folder) else {
            continue;
        };
        for entry in entries.flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => folders.push(entry.path()),
                Ok(metadata) => bytes += metadata.len(),
                Err(_) => {}
            }
        }
    }
    bytes
}

/// Refuses a git that is too old to be held to an address. Asked once per process.
async fn check_version() -> Result<(), GitError> {
    static VERSION: OnceCell<(u32, u32)> = OnceCell::const_new();
    let version = VERSION
        .get_or_try_init(|| async {
            let output = Command::new("git").arg("--version").output().await.map_err(|error| not_started(&error))?;
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            parse_version(&text).ok_or_else(|| GitError::new(GitFailure::Host, "`git --version` prints no version"))
        })
        .await?;
    if *version < MIN_VERSION {
        let ((major, minor), (min_major, min_minor)) = (*version, MIN_VERSION);
        let message =
            format!("git {major}.{minor} of this worker is too old, install {min_major}.{min_minor} or newer");
        return Err(GitError::new(GitFailure::Host, message));
    }
    Ok(())
}

fn shown_bytes(bytes: u64) -> String {
    match bytes {
        _ if bytes >= 1 << 30 && bytes.is_multiple_of(1 << 30) => format!("{} GiB", bytes >> 30),
        _ if bytes >= 1 << 20 && bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        _ => format!("{bytes} bytes"),
    }
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.strip_prefix("git version ")?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod unit_tests {
    use super::*;

    #[test]
    fn versions_of_all_builds_are_read() {
        assert_eq!(parse_version("git version 2.47.3\n"), Some((2, 47)));
        assert_eq!(parse_version("git version 2.39.5 (Apple Git-154)\n"), Some((2, 39)));
        assert_eq!(parse_version("git version 2.44.0.windows.1"), Some((2, 44)));
        assert_eq!(parse_version("hub"), None);
    }
}
