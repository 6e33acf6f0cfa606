//! Where a repository comes from: parsed from what a person wrote, never containing a password.

mod parse;
mod links;

use std::{
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
};

use crate::names::ProjectName;

pub use links::{LineStyle, SourceLinks};

/// The source of a repository. What [`RepoSource::parse_url`] and [`RepoSource::parse_local_path`] return has a valid
/// project name.
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
    /// Host name or address, lower case, without brackets, as the `url` crate normalises it.
    pub host: String,
    /// Port, when it is not the protocol's own. For ssh it also marks the spelling `ssh://git@host:port/path`, whose
    /// path begins at the server's root and not in the home of `git`.
    pub port: Option<u16>,
    /// Path without leading or trailing slash, with or without `.git`.
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

impl Protocol {
    /// The port that an address without one means.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Https => 443,
            Self::Http => 80,
            Self::Ssh => 22,
        }
    }
}

/// Why a text is not a source. The sentence is shown to the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidSource(pub String);

impl RepoSource {
    /// Reads a repository's address: `http(s)://host[:port]/group/.../repo(.git)`, `git@host:group/.../repo(.git)` or
    /// `ssh://git@host[:port]/path`. One part after the host is enough; docsfy wants exactly two.
    pub fn parse_url(text: &str) -> Result<Self, InvalidSource> {
        parse::repo_url(text).map(Self::Url)
    }

    /// Reads a path on this host. Looks at the text only; see [`check_local_repository`] for the folder.
    pub fn parse_local_path(text: &str) -> Result<Self, InvalidSource> {
        parse::local_path(text).map(Self::LocalPath)
    }

    /// Reads back what [`Display`](fmt::Display) wrote into `repo_url`.
    pub fn from_stored(text: &str) -> Result<Self, InvalidSource> {
        if text.starts_with('/') { Self::parse_local_path(text) } else { Self::parse_url(text) }
    }

    /// What tells repositories apart, however they are spelled: host and path of an address, the same for https, http and
    /// ssh and with or without `.git`; the real folder of a local path. Looks at the file system for the latter, so it
    /// may block.
    pub fn identity(&self) -> String {
        match self {
            Self::Url(url) => {
                let path = url.path.strip_suffix(".git").unwrap_or(&url.path);
                // servers of one host may listen on several ports; the one for ssh says nothing about the one for https
                let port = url.port.filter(|_| url.protocol != Protocol::Ssh);
                let port = port.map(|port| format!(":{port}")).unwrap_or_default();
                format!("{}{port}/{path}", url.bracketed_host())
            }
            Self::LocalPath(path) => path.canonicalize().unwrap_or_else(|_| path.clone()).display().to_string(),
        }
    }

    /// The project's name: the last part of the path without one `.git`.
    pub fn project_name(&self) -> Result<ProjectName, InvalidSource> {
        let last = match self {
            Self::Url(url) => url.last_part().to_owned(),
            Self::LocalPath(path) => {
                path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
            }
        };
        let name = last.strip_suffix(".git").unwrap_or(&last);
        name.parse().map_err(|error: crate::names::InvalidName| InvalidSource(error.0))
    }
}

impl RepoUrl {
    /// The port that is connected to.
    pub fn port_or_default(&self) -> u16 {
        self.port.unwrap_or(self.protocol.default_port())
    }

    /// The host as an address, when it is written as one.
    pub fn host_address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// The host as it stands in a URL: IPv6 addresses in brackets.
    pub fn bracketed_host(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }

    fn last_part(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

/// Whether a folder holds a repository, with docsfy's texts; bare repositories and linked work trees count. Blocks.
pub fn check_local_repository(path: &Path) -> Result<(), InvalidSource> {
    let shown = path.display();
    if !path.is_dir() {
        return Err(InvalidSource(format!("Repository path does not exist: '{shown}'")));
    }
    let is_bare = path.join("HEAD").is_file() && path.join("objects").is_dir() && path.join("refs").is_dir();
    if !is_bare && !path.join(".git").exists() {
        return Err(InvalidSource(format!("Not a git repository (no .git directory): '{shown}'")));
    }
    Ok(())
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
        let host = self.bracketed_host();
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

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(text: &str) -> String {
        RepoSource::parse_url(text).unwrap().identity()
    }

    #[test]
    fn one_repository_has_one_identity_however_it_is_spelled() {
        for text in [
            "https://github.com/acme/demo",
            "https://GITHUB.com/acme/demo.git/",
            "https://github.com:443/acme/demo",
            "http://github.com/acme/demo",
            "git@github.com:acme/demo.git",
            "ssh://git@GitHub.com:2222/acme/demo",
        ] {
            assert_eq!(identity(text), "github.com/acme/demo", "{text}");
        }
        for other in [
            "https://github.com/evil/demo",
            "https://gitlab.com/acme/demo",
            "https://github.com/acme/sub/demo",
            "https://github.com:8443/acme/demo",
            "https://github.com/acme/demo.git.git",
        ] {
            assert_ne!(identity(other), "github.com/acme/demo", "{other}");
        }
    }

    #[test]
    fn a_local_path_is_the_folder_that_it_leads_to() {
        let folder = std::env::temp_dir().join(format!("docmill-identity-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("real/demo")).unwrap();
        std::os::unix::fs::symlink(folder.join("real"), folder.join("link")).unwrap();
        let of = |path: &str| RepoSource::LocalPath(folder.join(path)).identity();
        let (real, link, other) = (of("real/demo"), of("link/demo"), of("other/demo"));
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(real, link);
        assert_ne!(real, other);
    }
}
