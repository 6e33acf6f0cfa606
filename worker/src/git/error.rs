//! What went wrong with a repository, as a sentence that a person can act on: no secrets, no temporary paths.

use shared::address::AddressError;

use super::{command::Bounds, remote::Remote};

/// Why a repository could not be fetched or read. `message` is shown to people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct GitError {
    /// The class.
    pub(crate) failure: GitFailure,
    /// The sentence.
    pub(crate) message: String,
}

/// Classes of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GitFailure {
    /// Neither a branch nor a tag of this name exists.
    MissingBranch,
    /// The repository has no commit.
    EmptyRepository,
    /// There is nothing, or something else, at this address.
    NotARepository,
    /// Credentials are missing or were refused, or the host's key or certificate is not trusted.
    NotTrusted,
    /// The address may not be fetched from, or sends elsewhere.
    Refused,
    /// The host cannot be reached.
    Unreachable,
    /// The server failed in the middle.
    ServerFailed,
    /// It took too long.
    TimedOut,
    /// A limit of size or count.
    OverLimit,
    /// The disk of this host is full.
    DiskFull,
    /// The run was cancelled.
    Cancelled,
    /// This host failed: no git, no process, a folder that cannot be written, a repository that cannot be read.
    Host,
    /// git said something that is not known here.
    Other,
}

impl GitError {
    pub(crate) fn new(failure: GitFailure, message: impl Into<String>) -> Self {
        Self { failure, message: message.into() }
    }

    /// Whether the same call may succeed later or on another host.
    pub(crate) fn is_retryable(&self) -> bool {
        matches!(
            self.failure,
            GitFailure::Unreachable | GitFailure::ServerFailed | GitFailure::TimedOut | GitFailure::DiskFull
        )
    }

    pub(super) fn cancelled() -> Self {
        Self::new(GitFailure::Cancelled, "cancelled")
    }

    /// A file of ours that cannot be written or read. The path stays in the log.
    pub(super) fn of_file(what: &str, error: &std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::StorageFull {
            return Self::disk_full();
        }
        Self::new(GitFailure::Host, format!("{what}: {}", error.kind()))
    }

    /// The folder of temporary trees has no room left.
    pub(crate) fn disk_full() -> Self {
        Self::new(GitFailure::DiskFull, "the disk of the worker is full, free some space in its data folder")
    }

    /// A repository that git accepted and libgit2 cannot read.
    pub(crate) fn unreadable(what: &str, error: &git2::Error) -> Self {
        tracing::warn!(error = %error, "{what}");
        Self::new(GitFailure::Host, format!("{what}: {:?}", error.code()))
    }

    pub(super) fn too_many_files(max_files: usize) -> Self {
        let message = format!("the repository has more than {max_files} files and folders, the limit for one commit");
        Self::new(GitFailure::OverLimit, message)
    }
}

impl From<AddressError> for GitError {
    fn from(error: AddressError) -> Self {
        let failure = match error {
            AddressError::Unresolvable { .. } => GitFailure::Unreachable,
            _ => GitFailure::Refused,
        };
        Self::new(failure, error.to_string())
    }
}

/// What git prints for one cause, and the cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    MissingBranch,
    HostKey,
    KeyFileOpen,
    Redirect,
    Credentials,
    Certificate,
    NotARepository,
    DumbServer,
    DiskFull,
    TooLarge,
    OutOfMemory,
    Silent,
    Unreachable,
    NoSsh,
    TooDeep,
    Damaged,
    ServerFailed,
}

/// Looked for in this order, because ssh and curl wrap one cause in several sentences (git 2.39 to 2.47, OpenSSH 9).
const CAUSES: [(&str, Cause); 44] = [
    ("no space left on device", Cause::DiskFull),
    ("file size limit exceeded", Cause::TooLarge),
    ("file too large", Cause::TooLarge),
    ("died of signal 25", Cause::TooLarge),
    ("exceeds maximum allowed size", Cause::TooLarge),
    ("out of memory", Cause::OutOfMemory),
    ("exceeded maximum allowed tree depth", Cause::TooDeep),
    ("possible repository corruption", Cause::Damaged),
    ("fatal: bad object", Cause::Damaged),
    ("not found in upstream", Cause::MissingBranch),
    ("could not find remote branch", Cause::MissingBranch),
    ("remote host identification has changed", Cause::HostKey),
    ("host key verification failed", Cause::HostKey),
    ("host key is known for", Cause::HostKey),
    ("unprotected private key file", Cause::KeyFileOpen),
    ("returned error: 301", Cause::Redirect),
    ("returned error: 302", Cause::Redirect),
    ("returned error: 303", Cause::Redirect),
    ("returned error: 307", Cause::Redirect),
    ("returned error: 308", Cause::Redirect),
    ("could not read username", Cause::Credentials),
    ("could not read password", Cause::Credentials),
    ("authentication failed", Cause::Credentials),
    ("permission denied (", Cause::Credentials),
    ("returned error: 401", Cause::Credentials),
    ("returned error: 403", Cause::Credentials),
    ("certificate problem", Cause::Certificate),
    ("certificate verif", Cause::Certificate),
    ("certificate subject name", Cause::Certificate),
    ("dumb http transport", Cause::DumbServer),
    ("returned error: 404", Cause::NotARepository),
    ("repository not found", Cause::NotARepository),
    ("' not found", Cause::NotARepository),
    ("does not appear to be a git repository", Cause::NotARepository),
    ("is this a git repository", Cause::NotARepository),
    ("operation too slow", Cause::Silent),
    ("could not resolve host", Cause::Unreachable),
    ("failed to connect", Cause::Unreachable),
    ("couldn't connect", Cause::Unreachable),
    ("connection refused", Cause::Unreachable),
    ("connection timed out", Cause::Unreachable),
    ("no route to host", Cause::Unreachable),
    ("network is unreachable", Cause::Unreachable),
    ("cannot run ssh", Cause::NoSsh),
];

/// What an interrupted transfer looks like; only when nothing above explains it.
const INTERRUPTIONS: [&str; 9] = [
    "returned error: 429",
    "returned error: 5",
    "early eof",
    "rpc failed",
    "hung up unexpectedly",
    "unexpected disconnect",
    "connection reset",
    "empty reply from server",
    "could not read from remote repository",
];

/// Turns what git printed about a remote into a sentence.
pub(super) fn explain(stderr: &str, remote: &Remote, bounds: &Bounds<'_>) -> GitError {
    // an address can hold any word
    let lower = stderr.replace(&remote.git_url(), "").to_lowercase();
    let interrupted = || INTERRUPTIONS.iter().any(|text| lower.contains(text)).then_some(Cause::ServerFailed);
    if let Some(cause) = cause_of(&lower).or_else(interrupted) {
        return sentence(cause, remote, bounds);
    }
    let complaint = remote.without_private_paths(last_complaint(stderr));
    GitError::new(GitFailure::Other, format!("{} failed: {}", bounds.what, bounded(&complaint)))
}

/// Turns what git printed about folders of ours into a sentence; everything but the class stays in the log.
pub(super) fn explain_local(stderr: &str, bounds: &Bounds<'_>) -> GitError {
    match cause_of(&stderr.to_lowercase()) {
        Some(Cause::DiskFull) => GitError::disk_full(),
        Some(Cause::TooLarge) => bounds.too_large(),
        _ => {
            tracing::warn!(git.stderr = stderr, "{} failed", bounds.what);
            GitError::new(GitFailure::Host, format!("{} failed on this worker, its log says why", bounds.what))
        }
    }
}

fn cause_of(lower_stderr: &str) -> Option<Cause> {
    CAUSES.iter().find(|(text, _)| lower_stderr.contains(text)).map(|(_, cause)| *cause)
}

fn sentence(cause: Cause, remote: &Remote, bounds: &Bounds<'_>) -> GitError {
    let host = remote.host_and_port();
    let (failure, message) = match cause {
        Cause::MissingBranch => (GitFailure::MissingBranch, format!("the branch or tag does not exist in `{remote}`")),
        Cause::HostKey => (
            GitFailure::NotTrusted,
            format!(
                "the host key of {host} is not in the file that GIT_KNOWN_HOSTS_FILE names, or has changed; compare \
                 it with what the host publishes and add it"
            ),
        ),
        Cause::KeyFileOpen => (
            GitFailure::NotTrusted,
            "ssh refuses the file of GIT_SSH_KEY_FILE because others may read it, use mode 600".into(),
        ),
        Cause::Redirect => (
            GitFailure::Refused,
            format!(
                "`{remote}` redirects to another address, which is not followed; use the repository's present address"
            ),
        ),
        Cause::Credentials => (GitFailure::NotTrusted, remote.credentials_advice()),
        Cause::Certificate => (
            GitFailure::NotTrusted,
            format!(
                "the certificate of {host} is not trusted by the worker; for an authority of your own set GIT_SSL_CAINFO"
            ),
        ),
        Cause::NotARepository => {
            (GitFailure::NotARepository, format!("there is no Git repository at `{remote}` that the worker may read"))
        }
        Cause::DumbServer => (
            GitFailure::NotARepository,
            format!("{host} serves `{remote}` as plain files; Git's smart HTTP protocol is needed"),
        ),
        Cause::DiskFull => return GitError::disk_full(),
        Cause::TooLarge => return bounds.too_large(),
        Cause::Silent => (GitFailure::TimedOut, format!("{host} stopped sending data")),
        Cause::Unreachable => (GitFailure::Unreachable, format!("{host} cannot be reached")),
        Cause::NoSsh => (GitFailure::Host, "`ssh` is not installed on this worker".into()),
        Cause::OutOfMemory => {
            (GitFailure::OverLimit, format!("{} takes more memory than one clone may use", bounds.what))
        }
        Cause::TooDeep => {
            (GitFailure::OverLimit, format!("`{remote}` has folders that lie too deep in each other for git"))
        }
        Cause::Damaged => (
            GitFailure::NotARepository,
            format!("`{remote}` is damaged, files of the commit are missing; `git fsck` there says more"),
        ),
        Cause::ServerFailed => (GitFailure::ServerFailed, format!("{host} ended the transfer too early")),
    };
    GitError::new(failure, message)
}

/// git's own last complaint, for what is not known above.
fn last_complaint(stderr: &str) -> &str {
    let complaint = |line: &'_ str| line.starts_with("fatal: ") || line.starts_with("error: ");
    stderr.lines().rev().find(|line| complaint(line)).map_or("no reason given", |line| &line["fatal: ".len()..])
}

fn bounded(text: &str) -> String {
    text.trim_end_matches('.').chars().filter(|c| !c.is_control()).take(300).collect()
}
