//! What one call of git needs to know about its source: the address in git's spelling, the pin, the credentials.

use std::{fmt, path::Path, time::Duration};

use shared::{
    address::{PinnedAddress, resolve_public},
    settings::GitSettings,
    source::{Protocol, RepoSource, RepoUrl, check_local_repository},
};
use tokio::{net::TcpStream, process::Command, time::timeout};

use super::{
    blocking,
    error::{GitError, GitFailure},
};

/// Longest wait for a connection, before git is started at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// A source whose address was checked, with the settings that reach it.
#[derive(Debug, Clone)]
pub(super) struct Remote {
    source: RepoSource,
    pin: Option<PinnedAddress>,
    settings: GitSettings,
    /// The folder of the run, which no message may name.
    private_folder: Option<String>,
}

impl Remote {
    /// Checks a source: the address of a URL is resolved and pinned, a local path must hold a repository.
    pub(super) async fn resolve(source: &RepoSource, settings: &GitSettings) -> Result<Self, GitError> {
        let pin = match source {
            RepoSource::Url(url) => Some(resolve_public(url, &settings.repo_host_allowlist).await?),
            RepoSource::LocalPath(path) => {
                let path = path.clone();
                blocking(move || {
                    check_local_repository(&path)
                        .map_err(|error| GitError::new(GitFailure::NotARepository, error.to_string()))
                })
                .await?;
                None
            }
        };
        Ok(Self::pinned(source, pin, settings))
    }

    /// A source at an address that somebody else has checked.
    pub(super) fn pinned(source: &RepoSource, pin: Option<PinnedAddress>, settings: &GitSettings) -> Self {
        Self { source: source.clone(), pin, settings: settings.clone(), private_folder: None }
    }

    /// Keeps a folder's path out of every message.
    pub(super) fn hide_folder(&mut self, folder: &Path) {
        self.private_folder = Some(folder.display().to_string());
    }

    /// The same source with `.git` at the end of its path, for hosts that redirect there (GitLab); `None` when it
    /// already has it or is not fetched by http.
    pub(super) fn with_git_suffix(&self) -> Option<Self> {
        let RepoSource::Url(url) = &self.source else {
            return None;
        };
        if url.protocol == Protocol::Ssh || url.path.strip_suffix(".git").is_some() {
            return None;
        }
        let url = RepoUrl { path: format!("{}.git", url.path), ..url.clone() };
        Some(Self { source: RepoSource::Url(url), ..self.clone() })
    }

    /// Connects once, so that a host which does not answer is told apart at once from a slow one.
    pub(super) async fn check_reachable(&self) -> Result<(), GitError> {
        let Some(pin) = &self.pin else {
            return Ok(());
        };
        let connecting = timeout(CONNECT_TIMEOUT, TcpStream::connect((pin.address, pin.port)));
        if !matches!(connecting.await, Ok(Ok(_))) {
            let message = format!("{} cannot be reached", self.host_and_port());
            return Err(GitError::new(GitFailure::Unreachable, message));
        }
        Ok(())
    }

    /// Gives a call the one protocol it may speak, the pin and the credentials.
    pub(super) fn configure(&self, command: &mut Command) -> Result<(), GitError> {
        let RepoSource::Url(url) = &self.source else {
            command.env("GIT_ALLOW_PROTOCOL", "file");
            return Ok(());
        };
        match url.protocol {
            Protocol::Https => command.env("GIT_ALLOW_PROTOCOL", "https"),
            Protocol::Http => command.env("GIT_ALLOW_PROTOCOL", "http"),
            Protocol::Ssh => {
                let ssh = self.ssh_command(url)?;
                command.env("GIT_ALLOW_PROTOCOL", "ssh").env("GIT_SSH_VARIANT", "ssh").env("GIT_SSH_COMMAND", ssh);
                return Ok(());
            }
        };
        if let Some(pin) = self.pin.as_ref().filter(|_| url.host_address().is_none()) {
            let address = if pin.address.is_ipv6() { format!("[{}]", pin.address) } else { pin.address.to_string() };
            command.args(["-c", &format!("http.curloptResolve={}:{}:{address}", pin.host, pin.port)]);
        }
        if let Some(file) = &self.settings.git_credentials_file {
            // only `get`: by itself git would also write to the file, and erase from it what a server refused
            let file = shell_quoted(&absolute(file)?);
            let helper = format!("!f() {{ test \"$1\" != get || git credential-store --file={file} get; }}; f");
            command.args(["-c", &format!("credential.helper={helper}")]);
        }
        Ok(())
    }

    /// The argument for a call on a local path. The repository's owner may be another user, and its own configuration
    /// need not allow filters. Nothing of this runs hooks or reads a work tree.
    pub(super) fn upload_pack(&self) -> Option<&'static str> {
        matches!(self.source, RepoSource::LocalPath(_)).then_some(
            "--upload-pack=git -c 'safe.directory=*' -c uploadpack.allowFilter=true -c core.hooksPath=/dev/null \
             -c core.fsmonitor=false upload-pack",
        )
    }

    /// The address as git is given it.
    pub(super) fn git_url(&self) -> String {
        match &self.source {
            RepoSource::Url(url) => url.to_string(),
            RepoSource::LocalPath(path) => file_url(path),
        }
    }

    fn ssh_command(&self, url: &RepoUrl) -> Result<String, GitError> {
        let Some(known_hosts) = &self.settings.git_known_hosts_file else {
            let message = format!(
                "`git@` repositories need GIT_KNOWN_HOSTS_FILE, a file with the host's key as `ssh-keyscan {}` prints it",
                url.host
            );
            return Err(GitError::new(GitFailure::NotTrusted, message));
        };
        let port = url.port_or_default();
        // known_hosts names a host by what the person wrote, not by the address that is pinned
        let alias = if port == 22 { url.host.clone() } else { format!("[{}]:{port}", url.host) };
        let mut options = vec![
            "BatchMode=yes".to_owned(),
            "StrictHostKeyChecking=yes".into(),
            format!("UserKnownHostsFile=\"{}\"", absolute(known_hosts)?),
            "GlobalKnownHostsFile=/dev/null".into(),
            "UpdateHostKeys=no".into(),
            format!("HostKeyAlias={alias}"),
            "CanonicalizeHostname=no".into(),
            "ProxyCommand=none".into(),
            "ProxyJump=none".into(),
            "ClearAllForwardings=yes".into(),
            "ForwardAgent=no".into(),
            "PermitLocalCommand=no".into(),
            "ControlPath=none".into(),
            "IdentityAgent=none".into(),
            "IdentitiesOnly=yes".into(),
            "PreferredAuthentications=publickey".into(),
            "ConnectTimeout=15".into(),
            "ServerAliveInterval=15".into(),
            "ServerAliveCountMax=2".into(),
        ];
        if let Some(pin) = &self.pin {
            options.push(format!("HostName={}", pin.address));
        }
        options.push(match &self.settings.git_ssh_key_file {
            Some(key) => format!("IdentityFile=\"{}\"", absolute(key)?),
            None => "IdentityFile=none".into(),
        });
        let options: Vec<String> = options.iter().map(|option| format!("-o {}", shell_quoted(option))).collect();
        Ok(format!("ssh -F /dev/null {}", options.join(" ")))
    }

    /// Whom a message is about when the connection failed.
    pub(super) fn host_and_port(&self) -> String {
        match &self.source {
            RepoSource::Url(url) => format!("host `{}` (port {})", url.host, url.port_or_default()),
            RepoSource::LocalPath(_) => "this host".into(),
        }
    }

    /// What to do when a server wants to know who asks.
    pub(super) fn credentials_advice(&self) -> String {
        let (setting, is_set) = match &self.source {
            RepoSource::LocalPath(path) => return format!("`{}` may not be read by the worker", path.display()),
            RepoSource::Url(url) if url.protocol == Protocol::Ssh => {
                ("GIT_SSH_KEY_FILE", self.settings.git_ssh_key_file.is_some())
            }
            RepoSource::Url(_) => ("GIT_CREDENTIALS_FILE", self.settings.git_credentials_file.is_some()),
        };
        if is_set {
            format!("`{self}` does not exist, or what {setting} holds for this host may not read it")
        } else {
            format!("`{self}` does not exist, or is private: check the address, or set {setting} on the workers")
        }
    }

    /// A text of git without paths of this host that are none of the caller's business.
    pub(super) fn without_private_paths(&self, text: &str) -> String {
        let settings = &self.settings;
        let files = [
            (&settings.git_credentials_file, "GIT_CREDENTIALS_FILE"),
            (&settings.git_ssh_key_file, "GIT_SSH_KEY_FILE"),
            (&settings.git_known_hosts_file, "GIT_KNOWN_HOSTS_FILE"),
        ];
        let mut text = text.to_owned();
        if let Some(folder) = &self.private_folder {
            text = text.replace(folder, "the clone");
        }
        for (file, name) in files {
            if let Some(file) = file {
                text = text.replace(&file.display().to_string(), name);
            }
        }
        text
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

fn absolute(file: &Path) -> Result<String, GitError> {
    let path = std::path::absolute(file)
        .map_err(|error| GitError::of_file("a file named by a GIT_ setting cannot be used", &error))?;
    let text = path.display().to_string();
    if text.contains(['"', '\n', '%']) {
        let message = "the paths of GIT_SSH_KEY_FILE and GIT_KNOWN_HOSTS_FILE must not contain `\"`, `%` or line ends";
        return Err(GitError::new(GitFailure::Host, message));
    }
    Ok(text)
}

/// git decodes `%` in every URL, also in this kind.
fn file_url(path: &Path) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-".contains(byte);
    let encode = |byte| if is_plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    let encoded: String = path.as_os_str().as_encoded_bytes().iter().copied().map(encode).collect();
    format!("file://{encoded}")
}

fn shell_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
