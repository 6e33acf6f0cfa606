//! From text to source. What passes is written anew from its parts, so git never sees what a caller spelled.

use std::path::{Component, Path, PathBuf};

use url::Host;

use super::{InvalidSource, Protocol, RepoSource, RepoUrl};

/// Longest address or path, in bytes.
const MAX_BYTES: usize = 1000;

pub(super) fn repo_url(text: &str) -> Result<RepoUrl, InvalidSource> {
    if has_user_information(text) {
        return Err(InvalidSource(
            "Invalid git repository URL: it must not contain a user name, password or token; credentials are \
             configured on the server with GIT_CREDENTIALS_FILE (https) or GIT_SSH_KEY_FILE (git@)"
                .into(),
        ));
    }
    let refused = || InvalidSource(format!("Invalid git repository URL: '{}'", shown(text)));
    if text.len() > MAX_BYTES || text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
        return Err(refused());
    }
    let url = split(text).ok_or_else(refused)?;
    RepoSource::Url(url.clone()).project_name().map_err(|_| refused())?;
    Ok(url)
}

pub(super) fn local_path(text: &str) -> Result<PathBuf, InvalidSource> {
    let path = Path::new(text);
    if !path.is_absolute() {
        return Err(InvalidSource("repo_path must be an absolute path".into()));
    }
    if text.len() > MAX_BYTES || text.chars().any(char::is_control) {
        return Err(InvalidSource(format!("Invalid repository path: '{}'", shown(text))));
    }
    if path.components().any(|part| part == Component::ParentDir) {
        return Err(InvalidSource(format!("repo_path must not contain '..': '{}'", shown(text))));
    }
    // `components` drops `.`, doubled and trailing slashes
    let path: PathBuf = path.components().collect();
    RepoSource::LocalPath(path.clone()).project_name()?;
    Ok(path)
}

/// Whether an `@` stands anywhere but in a leading `git@`: even a misspelled address may hold a password.
fn has_user_information(text: &str) -> bool {
    let rest = text.strip_prefix("ssh://").unwrap_or(text);
    rest.strip_prefix("git@").unwrap_or(text).contains('@')
}

fn split(text: &str) -> Option<RepoUrl> {
    let (protocol, authority, path) = if let Some((scheme, rest)) = text.split_once("://") {
        let (authority, path) = rest.split_once('/')?;
        match scheme.to_ascii_lowercase().as_str() {
            "https" => (Protocol::Https, authority, path),
            "http" => (Protocol::Http, authority, path),
            "ssh" => (Protocol::Ssh, authority.strip_prefix("git@")?, path),
            _ => return None,
        }
    } else {
        let rest = text.strip_prefix("git@")?;
        // in `git@[::1]:repo` the first colon belongs to the address
        let from = rest.find(']').unwrap_or(0);
        let colon = from + rest[from..].find(':')?;
        return Some(RepoUrl {
            protocol: Protocol::Ssh,
            host: host(&rest[..colon])?,
            port: None,
            path: repository_path(&rest[colon + 1..])?,
        });
    };
    let (host_text, port) = split_port(authority)?;
    let port = match protocol {
        Protocol::Ssh => Some(port.unwrap_or(22)),
        _ => port.filter(|port| *port != protocol.default_port()),
    };
    Some(RepoUrl { protocol, host: host(host_text)?, port, path: repository_path(path)? })
}

fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            let digits_only = port.bytes().all(|b| b.is_ascii_digit());
            let port = port.parse::<u16>().ok().filter(|port| digits_only && *port > 0)?;
            Some((host, Some(port)))
        }
        _ => Some((authority, None)),
    }
}

/// The host in its one spelling: lower case, punycode, `127.1` and `0x7f000001` as `127.0.0.1`.
fn host(text: &str) -> Option<String> {
    match Host::parse(text).ok()? {
        Host::Ipv4(address) => Some(address.to_string()),
        Host::Ipv6(address) => Some(address.to_string()),
        Host::Domain(name) => {
            let part_fits = |part: &str| {
                let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
                !part.is_empty() && part.len() <= 63 && !part.starts_with('-') && part.bytes().all(fits)
            };
            (name.len() <= 253 && name.split('.').all(part_fits)).then_some(name)
        }
    }
}

fn repository_path(text: &str) -> Option<String> {
    let path = text.trim_end_matches('/');
    let part_fits = |part: &str| {
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'~' | b'+');
        !matches!(part, "" | "." | "..") && !part.starts_with('-') && part.bytes().all(fits)
    };
    path.split('/').all(part_fits).then(|| path.to_owned())
}

/// What of a refused text an error repeats: at most 200 characters, nothing from a `?` or `#` on (tokens stand there),
/// control characters as `?`.
fn shown(text: &str) -> String {
    let (kept, tail) = match text.find(['?', '#']) {
        Some(at) => (&text[..at], "…"),
        None if text.chars().count() > 200 => (text, "…"),
        None => (text, ""),
    };
    let kept: String = kept.chars().take(200).map(|c| if c.is_control() { '?' } else { c }).collect();
    kept + tail
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        RepoSource::parse_url(text).unwrap().to_string()
    }

    #[test]
    fn every_documented_spelling_is_taken_and_reads_back() {
        for (text, stored) in [
            ("https://github.com/acme/demo", "https://github.com/acme/demo"),
            ("https://GitHub.com/acme/Demo.git/", "https://github.com/acme/Demo.git"),
            ("HTTPS://host:443/demo", "https://host/demo"),
            ("https://host:8443/group/sub/repo.git", "https://host:8443/group/sub/repo.git"),
            ("http://10.0.0.7:3000/a/b", "http://10.0.0.7:3000/a/b"),
            ("https://git.sr.ht/~who/demo", "https://git.sr.ht/~who/demo"),
            ("https://[2001:DB8::1]:8443/a/b", "https://[2001:db8::1]:8443/a/b"),
            ("git@github.com:acme/demo.git", "git@github.com:acme/demo.git"),
            ("git@gitlab.lan:a/b/c/d", "git@gitlab.lan:a/b/c/d"),
            ("git@[::1]:a/b", "git@[::1]:a/b"),
            ("ssh://git@host:2222/srv/git/demo.git", "ssh://git@host:2222/srv/git/demo.git"),
            ("ssh://git@host/srv/demo.git", "ssh://git@host:22/srv/demo.git"),
        ] {
            assert_eq!(parsed(text), stored);
            assert_eq!(RepoSource::from_stored(stored).unwrap(), RepoSource::parse_url(text).unwrap());
        }
    }

    #[test]
    fn unusual_spellings_of_an_address_become_that_address() {
        for host in ["2130706433", "0177.0.0.1", "127.1", "0x7f000001", "0x7f.0.0.1", "127.0.0.1"] {
            assert_eq!(parsed(&format!("https://{host}/a/b")), "https://127.0.0.1/a/b");
            assert_eq!(parsed(&format!("git@{host}:a/b")), "git@127.0.0.1:a/b");
        }
    }

    #[test]
    fn what_could_mislead_git_or_a_person_is_refused() {
        let long = format!("https://host/{}", "a/".repeat(600));
        for text in [
            "",
            "demo",
            "/srv/demo",
            "https://host",
            "https://host/",
            "https:///a/b",
            "https://host/a//b",
            "https://host/a/../b",
            "https://host/a/.git",
            "https://host/a/-b",
            "https://host/-a/b",
            "https://host/a/b?ref=x",
            "https://host/a/b#x",
            "https://host/a/b%0a",
            "https://host/a b",
            "https://host/a/b\n",
            "https://host/a\\b",
            "https://host:0/a/b",
            "https://host:+8/a/b",
            "https://host:99999/a/b",
            "https://-oProxyCommand=x/a/b",
            "https://host/ä/b",
            "git@-oProxyCommand=x:a/b",
            "git@host:/a/b",
            "git@host",
            "ssh://host/a/b",
            "git://host/a/b",
            "ext::sh -c id",
            "file:///srv/demo",
            "ftp://host/a/b",
            "https://host./a/b",
            &long,
        ] {
            let error = RepoSource::parse_url(text).expect_err(text).0;
            assert!(error.starts_with("Invalid git repository URL: '"), "{text:?}: {error}");
            assert!(error.len() < 300 && !error.contains('\n'), "{error:?}");
        }
    }

    #[test]
    fn a_refusal_never_repeats_a_secret() {
        for text in [
            "https://me:hunter2@host/a/b",
            "https://hunter2@host/a/b",
            "https://me:p/hunter2@host/a/b",
            "ftp://me:hunter2@host/a",
            "me:hunter2@host:a/b",
            "git@hunter2@host:a/b",
            "ssh://git:hunter2@host/a/b",
        ] {
            let error = RepoSource::parse_url(text).expect_err(text).0;
            assert!(!error.contains("hunter2") && error.contains("GIT_CREDENTIALS_FILE"), "{error}");
        }
        let error = RepoSource::parse_url("https://host/a/b?token=hunter2").unwrap_err().0;
        assert_eq!(error, "Invalid git repository URL: 'https://host/a/b…'");
    }

    #[test]
    fn local_paths_are_absolute_and_have_one_spelling() {
        let path = RepoSource::parse_local_path("/srv//git/./demo.git/").unwrap();
        assert_eq!(path.to_string(), "/srv/git/demo.git");
        assert_eq!(path.project_name().unwrap().as_str(), "demo");
        assert_eq!(RepoSource::from_stored("/srv/git/demo.git").unwrap(), path);
        let error = RepoSource::parse_local_path("git/demo").unwrap_err().0;
        assert_eq!(error, "repo_path must be an absolute path");
        for text in ["/srv/../etc", "/", "/srv/a\nb", "/srv/.hidden"] {
            assert!(RepoSource::parse_local_path(text).is_err(), "{text:?}");
        }
    }
}
