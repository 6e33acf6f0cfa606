//! Where a repository comes from: parsed from what a person wrote, never containing a password.

use std::{fmt, path::PathBuf};

use crate::names::ProjectName;

/// The source of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RepoSource {
    /// Fetched over the network.
    Url(RepoUrl),
    /// A folder on this host; admins only.
    LocalPath(PathBuf),
}

/// A remote repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoUrl {
    /// How it is fetched.
    pub protocol: Protocol,
    /// Host name or address, lower case, without brackets.
    pub host: String,
    /// Port, when it is not the protocol's own.
    pub port: Option<u16>,
    /// Path without leading slash, as written, with or without `.git`.
    pub path: String,
}

/// The protocols that are allowed, exactly one per source (decisions.md 14).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// `https://`
    Https,
    /// `http://`, only for hosts of the allowlist
    Http,
    /// `git@host:owner/repo`
    Ssh,
}

/// Why a text is not a source. The sentence is shown to the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidSource(pub String);

/// Links into the repository as its host shows it, at one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceLinks {
    /// Address of a file without its path, ending in `/`.
    pub blob_base: String,
    /// Address of the repository.
    pub repository: String,
    /// How the host writes a range of lines.
    pub style: LineStyle,
}

/// How a repository host writes lines in an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineStyle {
    /// `#L10-L24` (GitHub, Gitea)
    HashLDashL,
    /// `#L10-24` (GitLab)
    HashLDash,
    /// `#lines-10:24` (Bitbucket)
    Bitbucket,
}

impl RepoSource {
    /// The project's name: the last part of the path without one `.git`.
    pub fn project_name(&self) -> Result<ProjectName, InvalidSource> {
        let last = match self {
            Self::Url(url) => url.path.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned(),
            Self::LocalPath(path) => {
                path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
            }
        };
        let name = last.strip_suffix(".git").unwrap_or(&last);
        name.parse().map_err(|error: crate::names::InvalidName| InvalidSource(error.0))
    }
}

/// What is stored in `repo_url` and shown to clients; [`RepoSource::from_stored`] reads it back.
impl fmt::Display for RepoSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => url.fmt(f),
            Self::LocalPath(path) => write!(f, "{}", path.display()),
        }
    }
}

impl fmt::Display for RepoUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let scheme = match self.protocol {
            Protocol::Https => "https",
            Protocol::Http => "http",
            Protocol::Ssh if self.port.is_none() => return write!(f, "git@{host}:{}", self.path),
            Protocol::Ssh => "ssh",
        };
        let user = if self.protocol == Protocol::Ssh { "git@" } else { "" };
        match self.port {
            Some(port) => write!(f, "{scheme}://{user}{host}:{port}/{}", self.path),
            None => write!(f, "{scheme}://{user}{host}/{}", self.path),
        }
    }
}
