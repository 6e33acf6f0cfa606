//! Every setting of the program: one group per concern, each a flag and an environment variable with docsfy's name where
//! docsfy has one. A wrong value stops the start with one sentence.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use clap::{Args, ValueEnum};
use ipnet::IpNet;

use crate::{budget::MAX_BUDGET_USD, names::ModelId, provider::Provider};

/// What every command knows.
#[derive(Debug, Clone, Args)]
pub struct CommonSettings {
    /// What is logged: error, warn, info, debug, trace, or a filter such as `info,sqlx=warn`
    #[arg(long, env = "LOG_LEVEL", default_value = "info", hide_env_values = true)]
    pub log_level: String,
}

/// Where state lives on this host.
#[derive(Debug, Clone, Args)]
pub struct DataSettings {
    /// Folder for everything docmill keeps [default: a folder of the user, /var/lib/docmill for root]
    #[arg(long, env = "DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Folder of the published sites; several hosts must share it [default: `DATA_DIR/sites`]
    #[arg(long, env = "SITES_DIR", value_name = "DIR")]
    pub sites_dir: Option<PathBuf>,
}

impl DataSettings {
    /// The data folder: as set, else `/var/lib/docmill` for root, else `$XDG_DATA_HOME/docmill` or `~/.local/share/docmill`.
    pub fn data_dir(&self) -> Result<PathBuf, InvalidSetting> {
        let not_empty = |path: &PathBuf| !path.as_os_str().is_empty();
        if let Some(dir) = self.data_dir.clone().filter(not_empty) {
            return std::path::absolute(&dir)
                .map_err(|error| InvalidSetting(format!("DATA_DIR `{}`: {error}", dir.display())));
        }
        if crate::os::is_root() {
            return Ok(PathBuf::from("/var/lib/docmill"));
        }
        let of_variable = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(not_empty);
        of_variable("XDG_DATA_HOME")
            .or_else(|| of_variable("HOME").map(|home| home.join(".local/share")))
            .map(|base| base.join("docmill"))
            .ok_or_else(|| InvalidSetting("DATA_DIR is not set and there is no HOME to put it in, set DATA_DIR".into()))
    }

    /// The folder of the published sites: as set, else `sites` in the data folder.
    pub fn sites_dir(&self) -> Result<PathBuf, InvalidSetting> {
        match self.sites_dir.clone().filter(|path| !path.as_os_str().is_empty()) {
            Some(dir) => Ok(dir),
            None => Ok(self.data_dir()?.join("sites")),
        }
    }
}

/// Where the database is.
#[derive(Debug, Clone, Args)]
pub struct DatabaseSettings {
    /// Postgres to use, as `postgres://user:password@host/database`
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<String>,
}

impl DatabaseSettings {
    /// The address if one is set; an empty variable counts as not set.
    pub fn url(&self) -> Option<&str> {
        self.database_url.as_deref().filter(|url| !url.is_empty())
    }
}

/// How the API listens and whom it knows.
#[derive(Debug, Clone, Args)]
pub struct ApiSettings {
    /// Address to listen on
    #[arg(long, env = "HOST", default_value = "127.0.0.1")]
    pub host: IpAddr,

    /// Port to listen on; 0 takes a free one
    #[arg(long, env = "PORT", default_value_t = 8000)]
    pub port: u16,

    /// Key of the built-in user `admin`, at least 16 characters
    #[arg(long, env = "ADMIN_KEY", hide_env_values = true, value_name = "KEY")]
    pub admin_key: Option<Secret>,

    /// Whether cookies carry the Secure attribute
    #[arg(long, env = "SECURE_COOKIES", default_value_t = true, action = clap::ArgAction::Set,
          value_parser = parse_bool)]
    pub secure_cookies: bool,

    /// File with the secret under which keys and sessions are stored; `serve` and `try` make one in `DATA_DIR`
    #[arg(long, env = "KEY_PEPPER_FILE", value_name = "FILE")]
    pub key_pepper_file: Option<PathBuf>,

    /// Addresses or networks (CIDR), separated by commas, of proxies whose `X-Forwarded-For` and `X-Forwarded-Host` count
    #[arg(long, env = "TRUSTED_PROXIES", default_value = "", value_name = "LIST")]
    pub trusted_proxies: TrustedProxies,

    /// Whether everybody may read the grade of a project as a badge, without a login
    #[arg(long, env = "PUBLIC_BADGES", default_value_t = false, action = clap::ArgAction::Set,
          value_parser = parse_bool)]
    pub public_badges: bool,
}

/// Proxies that are believed when they say for whom they forward a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Whether this address is one of a trusted proxy.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl FromStr for TrustedProxies {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let parse = |entry: &str| {
            let network = entry.parse::<IpNet>().or_else(|_| entry.parse::<IpAddr>().map(IpNet::from));
            network.map_err(|_| format!("`{entry}` is neither an address nor a network such as 10.0.0.0/8"))
        };
        entries.map(parse).collect::<Result<_, _>>().map(Self)
    }
}

/// Who writes and how much at once. What is given here is stored at the start of the program, where admins can change it
/// until the next one: see [`WriterDefaults`](crate::writer_defaults::WriterDefaults).
#[derive(Debug, Clone, Args)]
pub struct WriterSettings {
    /// Provider of a request that names none [default: builtin]
    #[arg(long, env = "AI_PROVIDER")]
    pub ai_provider: Option<Provider>,

    /// Model of a request that names none [default: extract]
    #[arg(long, env = "AI_MODEL")]
    pub ai_model: Option<ModelId>,

    /// Minutes one call of an AI command line may take [default: 60]
    #[arg(long, env = "AI_CLI_TIMEOUT", value_parser = clap::value_parser!(u32).range(1..=1440), value_name = "MINUTES")]
    pub ai_cli_timeout: Option<u32>,

    /// Pages of one generation that are written at the same time [default: 10]
    #[arg(long, env = "MAX_CONCURRENT_PAGES", value_parser = clap::value_parser!(u32).range(1..=100), value_name = "COUNT")]
    pub max_concurrent_pages: Option<u32>,

    /// US dollars that all generations together may cost in a calendar month (UTC) [default: no limit]
    #[arg(long, env = "MAX_COST_PER_MONTH_USD", value_parser = parse_budget, value_name = "USD")]
    pub max_cost_per_month_usd: Option<f64>,

    /// US dollars that the generations of one user may cost in a calendar month (UTC) [default: no limit]
    #[arg(long, env = "MAX_COST_PER_USER_PER_MONTH_USD", value_parser = parse_budget, value_name = "USD")]
    pub max_cost_per_user_per_month_usd: Option<f64>,

    /// How AI command lines are kept from the rest of this machine
    #[arg(long, env = "SANDBOX", default_value = "auto")]
    pub sandbox: Sandbox,
}

/// Kinds of isolation of an AI command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Sandbox {
    /// Landlock where the kernel has it, else limits alone, with a warning
    Auto,
    /// bubblewrap, or no start
    Bwrap,
    /// Landlock, or no start
    Landlock,
    /// bubblewrap or Landlock, or no start
    Required,
    /// Limits alone
    Off,
}

/// What is kept of AI calls, and what tokens cost.
#[derive(Debug, Clone, Default, Args)]
pub struct RecordingSettings {
    /// Folder in which every AI call is kept with its answer
    #[arg(long, env = "AI_RECORD", value_name = "DIR")]
    pub ai_record: Option<PathBuf>,

    /// Folder from which AI calls are answered, without a command line or a key
    #[arg(long, env = "AI_REPLAY", value_name = "DIR")]
    pub ai_replay: Option<PathBuf>,

    /// Seconds since 1970 that sites are dated with instead of today, so that they can be made again byte for byte
    #[arg(long, env = "SOURCE_DATE_EPOCH", value_parser = clap::value_parser!(i64).range(0..=253_402_300_799),
          value_name = "SECONDS")]
    pub source_date_epoch: Option<i64>,

    /// Prices of tokens, as TOML, for command lines that do not say what a call cost
    #[arg(long, env = "PRICES_FILE", value_name = "FILE")]
    pub prices_file: Option<PathBuf>,
}

impl RecordingSettings {
    /// Where calls are recorded; an empty variable counts as not set.
    pub fn record(&self) -> Option<&Path> {
        self.ai_record.as_deref().filter(|folder| !folder.as_os_str().is_empty())
    }

    /// Where calls are answered from.
    pub fn replay(&self) -> Option<&Path> {
        self.ai_replay.as_deref().filter(|folder| !folder.as_os_str().is_empty())
    }

    /// The table of prices.
    pub fn prices(&self) -> Option<&Path> {
        self.prices_file.as_deref().filter(|file| !file.as_os_str().is_empty())
    }

    /// Checks what belongs together.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        if self.record().is_some() && self.replay().is_some() {
            return Err(InvalidSetting("AI_RECORD and AI_REPLAY are both set, set only one of them".into()));
        }
        Ok(())
    }
}

/// How repositories are fetched.
#[derive(Debug, Clone, Default, Args)]
pub struct GitSettings {
    /// Private key for `git@` repositories
    #[arg(long, env = "GIT_SSH_KEY_FILE", value_name = "FILE")]
    pub git_ssh_key_file: Option<PathBuf>,

    /// Host keys for `git@` repositories, as ssh's `known_hosts`
    #[arg(long, env = "GIT_KNOWN_HOSTS_FILE", value_name = "FILE")]
    pub git_known_hosts_file: Option<PathBuf>,

    /// Passwords for https repositories, as git's `credential-store` keeps them
    #[arg(long, env = "GIT_CREDENTIALS_FILE", value_name = "FILE")]
    pub git_credentials_file: Option<PathBuf>,

    /// Hosts, addresses or networks (CIDR), separated by commas, that may be cloned from although private, also by http
    #[arg(long, env = "REPO_HOST_ALLOWLIST", default_value = "", value_name = "LIST")]
    pub repo_host_allowlist: HostAllowlist,
}

impl GitSettings {
    /// Checks that every file that is named can be read, so that a mistake shows at the start and not at the first clone.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        let named = [
            ("GIT_SSH_KEY_FILE", &self.git_ssh_key_file),
            ("GIT_KNOWN_HOSTS_FILE", &self.git_known_hosts_file),
            ("GIT_CREDENTIALS_FILE", &self.git_credentials_file),
        ];
        for (name, file) in named {
            let Some(file) = file.as_ref().filter(|file| !file.as_os_str().is_empty()) else { continue };
            if let Err(error) = std::fs::File::open(file) {
                return Err(InvalidSetting(format!("{name} `{}` cannot be read: {error}", file.display())));
            }
        }
        Ok(())
    }
}

/// Hosts and networks that may be cloned from although their addresses are private.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostAllowlist {
    /// Host names, lower case.
    pub hosts: Vec<String>,
    /// Networks.
    pub networks: Vec<IpNet>,
}

impl HostAllowlist {
    /// Whether this host name is listed, or this address lies in a listed network.
    pub fn allows(&self, host: &str, address: IpAddr) -> bool {
        self.allows_host(host) || self.networks.iter().any(|network| network.contains(&address))
    }

    /// Whether this host name is listed as a name.
    pub fn allows_host(&self, host: &str) -> bool {
        self.hosts.iter().any(|listed| listed.eq_ignore_ascii_case(host))
    }
}

impl FromStr for HostAllowlist {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let mut list = Self::default();
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            if let Ok(network) = entry.parse::<IpNet>() {
                list.networks.push(network);
            } else if let Ok(address) = entry.parse::<IpAddr>() {
                list.networks.push(address.into());
            } else if entry.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')) {
                list.hosts.push(entry.to_ascii_lowercase());
            } else {
                return Err(format!(
                    "`{entry}` is neither a host name nor an address nor a network such as 10.0.0.0/8"
                ));
            }
        }
        Ok(list)
    }
}

/// Limits of one clone.
#[derive(Debug, Clone)]
pub struct CloneLimits {
    /// Most bytes a clone may take on disk.
    pub max_bytes: u64,
    /// Blobs above this many bytes are left out (skipped files).
    pub max_blob_bytes: u64,
    /// Most files of the commit.
    pub max_files: usize,
    /// Longest a clone may take.
    pub timeout: Duration,
}

impl Default for CloneLimits {
    fn default() -> Self {
        Self { max_bytes: 2 << 30, max_blob_bytes: 2 << 20, max_files: 200_000, timeout: Duration::from_mins(10) }
    }
}

/// The clockwork of leases (decisions.md 3). Hidden settings: tests shorten them, operators need not.
#[derive(Debug, Clone, Args)]
pub struct TimingSettings {
    /// Milliseconds a lease lasts without renewal
    #[arg(long, env = "DOCMILL_LEASE_MS", default_value_t = 30_000, hide = true)]
    pub lease_ms: u64,
    /// Milliseconds between renewals
    #[arg(long, env = "DOCMILL_RENEW_MS", default_value_t = 5_000, hide = true)]
    pub renew_ms: u64,
    /// Milliseconds without a renewal after which a worker cancels its own run
    #[arg(long, env = "DOCMILL_SELF_CANCEL_MS", default_value_t = 15_000, hide = true)]
    pub self_cancel_ms: u64,
    /// Milliseconds between two looks of the reaper
    #[arg(long, env = "DOCMILL_REAPER_MS", default_value_t = 5_000, hide = true)]
    pub reaper_ms: u64,
    /// Seconds between two heartbeats of a queue worker; six missed ones make it dead
    #[arg(long, env = "DOCMILL_HEARTBEAT_S", default_value_t = 5, hide = true)]
    pub heartbeat_s: u64,
}

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself; for comparing, hashing and handing to a child, never for printing.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

/// Fewest characters of `ADMIN_KEY` and of keys that people choose.
pub const MIN_KEY_CHARS: usize = 16;

/// Checks the length of `ADMIN_KEY`.
pub fn check_admin_key(key: &Secret) -> Result<(), InvalidSetting> {
    if key.expose().chars().count() >= MIN_KEY_CHARS {
        return Ok(());
    }
    Err(InvalidSetting(format!("ADMIN_KEY must have at least {MIN_KEY_CHARS} characters")))
}

/// A setting that cannot be used; the sentence names it, its limit and the fix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidSetting(pub String);

fn parse_budget(text: &str) -> Result<f64, String> {
    let usd = text.trim().parse().ok().filter(|usd| *usd > 0.0 && *usd <= MAX_BUDGET_USD);
    usd.ok_or_else(|| format!("must be a number above 0 and at most {MAX_BUDGET_USD}"))
}

fn parse_bool(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("use true or false".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_allowlist_knows_hosts_addresses_and_networks() {
        let list: HostAllowlist = "git.lan, 10.1.0.0/16,127.0.0.1".parse().unwrap();
        assert!(list.allows("git.lan", "192.168.1.1".parse().unwrap()));
        assert!(list.allows("x", "10.1.2.3".parse().unwrap()));
        assert!(list.allows("x", "127.0.0.1".parse().unwrap()));
        assert!(!list.allows("x", "10.2.2.3".parse().unwrap()));
        assert!("a b".parse::<HostAllowlist>().is_err());
    }

    #[test]
    fn trusted_proxies_are_addresses_and_networks() {
        let proxies: TrustedProxies = " 127.0.0.1,10.1.0.0/16, ::1 ,".parse().unwrap();
        for (address, trusted) in [("127.0.0.1", true), ("10.1.2.3", true), ("::1", true), ("10.2.0.1", false)] {
            assert_eq!(proxies.contains(address.parse().unwrap()), trusted, "{address}");
        }
        assert_eq!("".parse(), Ok(TrustedProxies::default()));
        assert!("proxy.lan".parse::<TrustedProxies>().is_err());
    }

    #[test]
    fn a_secret_does_not_print_itself() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "[secret]");
    }
}
