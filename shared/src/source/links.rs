//! Links from a site into its repository, as the repository's host writes them.

use super::{Protocol, RepoSource, RepoUrl};
use crate::names::CommitSha;

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
    /// Where the files of a commit can be seen; `None` for local paths and for hosts whose addresses are not known.
    pub fn web_links(&self, commit: &CommitSha) -> Option<SourceLinks> {
        let Self::Url(url) = self else {
            return None;
        };
        let (infix, style) = file_address(&url.host)?;
        let repository = web_address(url);
        Some(SourceLinks { blob_base: format!("{repository}/{infix}/{commit}/"), repository, style })
    }
}

/// What stands between the repository's address and the commit, and how lines are written. A host is known by a word
/// in its name, because companies call their own `gitlab.example.com` or `git-github.example.com`.
fn file_address(host: &str) -> Option<(&'static str, LineStyle)> {
    // Bitbucket Server under a name of its own has other addresses than bitbucket.org
    if host == "bitbucket.org" {
        return Some(("src", LineStyle::Bitbucket));
    }
    let known = [
        ("github", "blob", LineStyle::HashLDashL),
        ("gitlab", "-/blob", LineStyle::HashLDash),
        ("codeberg", "src/commit", LineStyle::HashLDashL),
        ("gitea", "src/commit", LineStyle::HashLDashL),
        ("forgejo", "src/commit", LineStyle::HashLDashL),
    ];
    known.into_iter().find(|(word, ..)| host.contains(word)).map(|(_, infix, style)| (infix, style))
}

/// The address of the repository for a browser. The port of ssh says nothing about the port of the web pages.
fn web_address(url: &RepoUrl) -> String {
    let path = url.path.strip_suffix(".git").unwrap_or(&url.path);
    let scheme = if url.protocol == Protocol::Http { "http" } else { "https" };
    let host = url.bracketed_host();
    match url.port.filter(|_| url.protocol != Protocol::Ssh) {
        Some(port) => format!("{scheme}://{host}:{port}/{path}"),
        None => format!("{scheme}://{host}/{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_follow_the_host_and_carry_the_commit() {
        let commit: CommitSha = "0123456789abcdef0123456789abcdef01234567".parse().unwrap();
        for (url, base, style) in [
            ("git@github.com:acme/demo.git", "https://github.com/acme/demo/blob", LineStyle::HashLDashL),
            ("https://gitlab.lan:8443/a/b/demo", "https://gitlab.lan:8443/a/b/demo/-/blob", LineStyle::HashLDash),
            ("ssh://git@gitlab.lan:2222/a/demo.git", "https://gitlab.lan/a/demo/-/blob", LineStyle::HashLDash),
            ("https://bitbucket.org/a/demo", "https://bitbucket.org/a/demo/src", LineStyle::Bitbucket),
            ("https://codeberg.org/a/demo.git", "https://codeberg.org/a/demo/src/commit", LineStyle::HashLDashL),
        ] {
            let links = RepoSource::parse_url(url).unwrap().web_links(&commit).unwrap();
            assert_eq!(links.blob_base, format!("{base}/{commit}/"));
            assert_eq!(links.style, style);
            assert!(links.blob_base.starts_with(&links.repository));
        }
        for unknown in ["https://git.example.com/a/demo", "https://bitbucket.lan/a/demo"] {
            assert_eq!(RepoSource::parse_url(unknown).unwrap().web_links(&commit), None);
        }
        assert_eq!(RepoSource::parse_local_path("/srv/github/demo").unwrap().web_links(&commit), None);
    }
}
