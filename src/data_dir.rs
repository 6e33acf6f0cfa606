//! The folder where `serve` and `try` keep everything: database, sites, temporary trees, and the secrets they make.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::Context;
use rand::RngExt;
use shared::settings::{Secret, check_admin_key};

/// The data folder.
#[derive(Debug, Clone)]
pub(crate) struct DataDir(PathBuf);

impl DataDir {
    /// Makes the folder if it is missing. Others may pass through it (the database server is another user when we are root)
    /// but not list it.
    pub(crate) fn open(path: PathBuf) -> anyhow::Result<Self> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o711).create(&path);
        made.with_context(|| format!("the data folder `{}` cannot be made, set DATA_DIR", path.display()))?;
        Ok(Self(path))
    }

    /// The folder as it is, made or not.
    pub(crate) fn of(path: PathBuf) -> Self {
        Self(path)
    }

    /// The folder itself.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Temporary trees.
    pub(crate) fn work_dir(&self) -> PathBuf {
        self.0.join("work")
    }

    /// The pepper that `serve` makes.
    pub(crate) fn pepper_file(&self) -> PathBuf {
        self.0.join("key-pepper")
    }

    /// The admin key of an earlier start, or a new one; says whether it is new.
    pub(crate) fn admin_key(&self) -> anyhow::Result<(Secret, bool)> {
        let file = self.0.join("admin-key");
        match fs::read_to_string(&file) {
            Ok(text) => {
                let key = Secret::new(text.trim());
                check_admin_key(&key).with_context(|| format!("in `{}`", file.display()))?;
                Ok((key, false))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let key = random_text(32);
                write_secret(&file, &key).with_context(|| format!("cannot write `{}`", file.display()))?;
                Ok((Secret::new(key), true))
            }
            Err(error) => Err(error).with_context(|| format!("cannot read `{}`", file.display())),
        }
    }
}

/// Letters and digits from the system's random source; 32 of them are 190 bits.
pub(crate) fn random_text(length: usize) -> String {
    rand::rng().sample_iter(rand::distr::Alphanumeric).take(length).map(char::from).collect()
}

/// Writes a file that only its owner can read, whole or not at all.
fn write_secret(path: &Path, text: &str) -> std::io::Result<()> {
    let unfinished = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    // the file may have been there with other rights
    file.set_permissions(Permissions::from_mode(0o600))?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
