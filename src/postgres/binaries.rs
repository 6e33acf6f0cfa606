//! Finds `postgres` and `initdb` on this machine. Nothing is ever downloaded.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::PostgresError;

/// Oldest major version that has what the migrations use.
const OLDEST_MAJOR: u32 = 13;

/// A folder of binaries of one version.
#[derive(Debug)]
pub(super) struct Binaries {
    folder: PathBuf,
    pub(super) major: u32,
}

impl Binaries {
    /// Path of the server.
    pub(super) fn postgres(&self) -> PathBuf {
        self.folder.join("postgres")
    }

    /// Path of the program that makes a cluster.
    pub(super) fn initdb(&self) -> PathBuf {
        self.folder.join("initdb")
    }

    fn in_folder(folder: PathBuf) -> Option<Self> {
        let postgres = folder.join("postgres");
        if !postgres.is_file() || !folder.join("initdb").is_file() {
            return None;
        }
        let major = major_of(&postgres).filter(|major| *major >= OLDEST_MAJOR)?;
        Some(Self { folder, major })
    }
}

/// The binaries to use for the cluster in `cluster`, which was made by the version `made_by` if it exists already.
/// An update to another major version never happens by itself.
pub(super) fn find(cluster: &Path, made_by: Option<&str>) -> Result<Binaries, PostgresError> {
    let named = env::var_os("DOCMILL_PG_BIN").filter(|value| !value.is_empty()).map(PathBuf::from);
    let folders = match &named {
        Some(folder) => vec![folder.clone()],
        None => usual_folders(),
    };
    let mut found = Vec::new();
    for binaries in folders.into_iter().filter_map(Binaries::in_folder) {
        match made_by {
            Some(version) if version != binaries.major.to_string() => found.push(binaries.major.to_string()),
            _ => return Ok(binaries),
        }
    }
    match (made_by, named) {
        (Some(wanted), _) if !found.is_empty() => {
            found.dedup();
            let folder = cluster.to_path_buf();
            Err(PostgresError::WrongVersion { folder, wanted: wanted.to_owned(), found: found.join(", ") })
        }
        (_, Some(folder)) => Err(PostgresError::WrongBinaryFolder { folder, oldest: OLDEST_MAJOR }),
        (_, None) => Err(PostgresError::NotFound),
    }
}

/// Where systems put the binaries, best first.
fn usual_folders() -> Vec<PathBuf> {
    let mut folders = folders_on_path();
    // Debian and Ubuntu have only wrappers on the PATH
    folders.extend(newest_first("/usr/lib/postgresql", ""));
    folders.extend(newest_first("/usr", "pgsql-"));
    for homebrew in ["/opt/homebrew/opt", "/usr/local/opt", "/home/linuxbrew/.linuxbrew/opt"] {
        folders.extend(newest_first(homebrew, "postgresql"));
    }
    folders
}

/// The true folders of every `postgres` on the PATH: a link leads to where the rest of the installation is.
fn folders_on_path() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .filter_map(|folder| folder.join("postgres").canonicalize().ok()?.parent().map(Path::to_path_buf))
        .collect()
}

/// `<parent>/<prefix><number>/bin` in falling order of the number.
fn newest_first(parent: &str, prefix: &str) -> Vec<PathBuf> {
    // a parent that cannot be read is a layout that this system does not have
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let mut numbered: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let number = name.strip_prefix(prefix)?.trim_start_matches('@');
            let number = if number.is_empty() { 0 } else { number.parse().ok()? };
            Some((number, entry.path().join("bin")))
        })
        .collect();
    numbered.sort();
    numbered.into_iter().rev().map(|(_, folder)| folder).collect()
}

/// The major version, from the line `postgres (PostgreSQL) 15.13 (Debian 15.13-1)`.
fn major_of(postgres: &Path) -> Option<u32> {
    let output = Command::new(postgres).arg("--version").current_dir("/").stdin(Stdio::null()).output().ok()?;
    let line = String::from_utf8(output.stdout).ok()?;
    let (_, version) = line.split_once(')')?;
    let digits: String = version.trim_start().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}
