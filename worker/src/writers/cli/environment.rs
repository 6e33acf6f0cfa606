//! What of the worker's own environment reaches an AI command line: its provider's key and address, a proxy, and where
//! its program lies. Read once at start.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::File,
    io::{BufRead, BufReader, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use shared::{provider::Provider, settings::Secret};
use url::Url;

use super::call::Program;
use crate::writers::{Failure, WriterError};

/// Variables that reach every command line: the way out of a company's network.
const NETWORK_VARIABLES: [&str; 8] = [
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "NO_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
];

/// Where programs are looked for besides the worker's `PATH`, and what a command line gets as its `PATH`.
const SYSTEM_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The variables of the worker that matter to writers, and the only place that holds the providers' keys.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment {
    variables: BTreeMap<String, Secret>,
}

impl Environment {
    /// An environment of exactly these variables; empty values count as absent.
    pub(crate) fn from_variables(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let present = variables.into_iter().filter(|(_, value)| !value.is_empty());
        Self { variables: present.map(|(name, value)| (name, Secret::new(value))).collect() }
    }

    /// The value of a variable.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(Secret::expose)
    }

    /// The variables that a provider's command line gets: its own, and those of the network.
    pub(super) fn passed_to(&self, provider: Provider) -> Vec<(String, OsString)> {
        let names = own_variables(provider).iter().chain(&NETWORK_VARIABLES);
        names.filter_map(|name| Some(((*name).to_owned(), self.value(name)?.into()))).collect()
    }

    /// Whether there is a key or token of the provider.
    pub(super) fn has_key(&self, provider: Provider) -> bool {
        let is_key = |name: &&&str| name.ends_with("_KEY") || name.ends_with("_TOKEN");
        own_variables(provider).iter().filter(is_key).any(|name| self.value(name).is_some())
    }

    /// Every value that must not be shown to anyone.
    pub(super) fn secrets(&self) -> Vec<String> {
        let is_secret = |name: &str, value: &str| {
            let credentials_in_address = Url::parse(value).is_ok_and(|url| url.password().is_some());
            (name.ends_with("_KEY") || name.ends_with("_TOKEN") || credentials_in_address) && value.len() >= 6
        };
        let variables = self.variables.iter().map(|(name, value)| (name, value.expose()));
        variables.filter(|(name, value)| is_secret(name, value)).map(|(_, value)| value.to_owned()).collect()
    }

    /// The TCP ports that a provider's command line has to reach: https, DNS, and those of its base URL and of a proxy.
    pub(super) fn ports(&self, provider: Provider) -> Vec<u16> {
        let addresses = own_variables(provider).iter().chain(&NETWORK_VARIABLES);
        let urls = addresses.filter_map(|name| Url::parse(self.value(name)?).ok());
        let mut ports: Vec<u16> = urls.filter_map(|url| url.port_or_known_default()).chain([443, 53]).collect();
        ports.sort_unstable();
        ports.dedup();
        ports
    }

    /// Finds a provider's program: where `DOCMILL_<PROVIDER>_BIN` says, else on the `PATH`.
    pub(super) fn program(&self, provider: Provider) -> Result<Program, WriterError> {
        let named = program_variable(provider).and_then(|name| self.value(name)).map(PathBuf::from);
        let found = named.clone().or_else(|| names(provider).iter().find_map(|name| self.find_on_path(name)));
        let path = found.filter(|path| is_executable(path)).and_then(|path| path.canonicalize().ok());
        let Some(path) = path else {
            return Err(not_installed(provider, named.as_deref()));
        };
        let certificates = ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"].into_iter().filter_map(|name| self.value(name));
        let mut readable: Vec<PathBuf> = certificates.map(PathBuf::from).filter(|file| file.exists()).collect();
        readable.push(package_folder(&path));
        if !is_node_script(&path) {
            return Ok(Program { executable: path, first_arguments: Vec::new(), readable });
        }
        let node = self.find_on_path("node").and_then(|node| node.canonicalize().ok()).ok_or_else(|| WriterError {
            failure: Failure::NotInstalled,
            message: format!(
                "`{}` is a Node.js program and `node` is not on the PATH of the worker",
                names(provider)[0]
            ),
        })?;
        readable.push(node.parent().and_then(Path::parent).unwrap_or(&node).to_owned());
        Ok(Program { executable: node, first_arguments: vec![path.into()], readable })
    }

    fn find_on_path(&self, name: &str) -> Option<PathBuf> {
        let path = self.value("PATH").unwrap_or_default().to_owned() + ":" + SYSTEM_PATH;
        std::env::split_paths(&path)
            .filter(|folder| folder.is_absolute())
            .map(|folder| folder.join(name))
            .find(|candidate| is_executable(candidate))
    }
}

/// The variables that every command line gets, whatever its provider.
pub(super) fn base_variables(home: &Path, temporary: &Path, program: &Program) -> Vec<(String, OsString)> {
    let program_folder = program.executable.parent().unwrap_or(Path::new("/usr/bin"));
    let mut path = OsString::from(program_folder);
    path.push(":");
    path.push(SYSTEM_PATH);
    vec![
        ("HOME".into(), home.into()),
        ("TMPDIR".into(), temporary.into()),
        ("PATH".into(), path),
        ("LANG".into(), "C.UTF-8".into()),
    ]
}

/// The variables that belong to one provider.
fn own_variables(provider: Provider) -> &'static [&'static str] {
    match provider {
        Provider::Builtin => &[],
        Provider::Claude => &["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL"],
        Provider::Gemini => &["GEMINI_API_KEY", "GOOGLE_GEMINI_BASE_URL"],
        Provider::Cursor => &["CURSOR_API_KEY"],
    }
}

fn program_variable(provider: Provider) -> Option<&'static str> {
    match provider {
        Provider::Builtin => None,
        Provider::Claude => Some("DOCMILL_CLAUDE_BIN"),
        Provider::Gemini => Some("DOCMILL_GEMINI_BIN"),
        Provider::Cursor => Some("DOCMILL_CURSOR_BIN"),
    }
}

fn names(provider: Provider) -> &'static [&'static str] {
    match provider {
        Provider::Builtin => &[],
        Provider::Claude => &["claude"],
        Provider::Gemini => &["gemini"],
        Provider::Cursor => &["agent", "cursor-agent"],
    }
}

fn not_installed(provider: Provider, named: Option<&Path>) -> WriterError {
    let install = match provider {
        Provider::Builtin => "nothing",
        Provider::Claude => "npm install -g @anthropic-ai/claude-code",
        Provider::Gemini => "npm install -g @google/gemini-cli",
        Provider::Cursor => "curl https://cursor.com/install -fsS | bash",
    };
    let variable = program_variable(provider).unwrap_or_default();
    let name = names(provider).first().copied().unwrap_or_default();
    let message = match named {
        Some(_) => format!("{variable} does not name a program that can be run on the worker"),
        None => format!("`{name}` is not on the PATH of the worker: install it with `{install}` or set {variable}"),
    };
    WriterError { failure: Failure::NotInstalled, message }
}

/// The folder that a program and what it loads lie in: the outermost `node_modules` above it, else its own folder.
fn package_folder(program: &Path) -> PathBuf {
    let modules = program.ancestors().filter(|folder| folder.ends_with("node_modules")).last();
    modules.or(program.parent()).unwrap_or(program).to_owned()
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// Whether the file is a script that asks for Node.js in its first line.
fn is_node_script(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    let mut first_line = Vec::new();
    let read = BufReader::new(file.take(200)).read_until(b'\n', &mut first_line);
    read.is_ok() && first_line.starts_with(b"#!") && first_line.windows(4).any(|window| window == b"node")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_gets_its_own_key_and_no_other() {
        let environment = Environment::from_variables(
            [("ANTHROPIC_API_KEY", "sk-ant-1"), ("GEMINI_API_KEY", "AIza-2"), ("ADMIN_KEY", "admin-3")]
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        let passed = environment.passed_to(Provider::Claude);
        assert_eq!(passed, [("ANTHROPIC_API_KEY".to_owned(), OsString::from("sk-ant-1"))]);
    }

    #[test]
    fn a_missing_program_is_told_with_what_to_install() {
        let empty = Environment::from_variables([("PATH".to_owned(), "/nonexistent".to_owned())]);
        for (provider, install) in [
            (Provider::Claude, "@anthropic-ai/claude-code"),
            (Provider::Gemini, "@google/gemini-cli"),
            (Provider::Cursor, "cursor.com/install"),
        ] {
            let error = empty.program(provider).unwrap_err();
            assert_eq!(error.failure, Failure::NotInstalled);
            assert!(error.message.contains(install), "{error}");
        }
    }

    #[test]
    fn the_ports_are_https_dns_and_those_of_the_base_url() {
        let environment =
            Environment::from_variables([("ANTHROPIC_BASE_URL".to_owned(), "http://127.0.0.1:4000/x".to_owned())]);
        assert_eq!(environment.ports(Provider::Claude), [53, 443, 4000]);
        assert_eq!(environment.ports(Provider::Gemini), [53, 443]);
    }
}
