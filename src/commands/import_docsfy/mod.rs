//! `docmill import-docsfy`: brings over what a docsfy of version 1.2 to 1.9 keeps in its data folder.
//!
//! In order: its database is read (`source`, without a change to the folder), then each row is checked (`people`,
//! `variants`), pages are read from the project trees (`folder`, `plan`, `pages`, `links`), put together (`site`) and written
//! (`writing`) into docmill's own installation (`target`). Every step says what it did (`report`).

mod source;
mod folder;
mod people;
mod variants;
mod plan;
mod links;
mod pages;
mod site;
mod target;
mod writing;
mod report;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use api::auth::docsfy_keys;
use clap::Args;
use shared::settings::{DataSettings, DatabaseSettings, Secret};

use self::{
    folder::Projects,
    report::Report,
    target::{Place, Target},
    writing::Import,
};
use crate::signals;

/// Shortest admin key that docsfy starts with.
const MIN_ADMIN_KEY_CHARS: usize = 16;

/// Settings of `docmill import-docsfy`.
#[derive(Debug, Args)]
pub(crate) struct ImportSettings {
    /// Folder that docsfy's own `DATA_DIR` names; nothing in it is changed
    #[arg(value_name = "DATA_DIR")]
    docsfy_dir: PathBuf,

    /// `ADMIN_KEY` of docsfy, under which it hashed the keys of its users; without it they do not work
    #[arg(
        id = "docsfy_admin_key",
        long = "admin-key",
        env = "DOCSFY_ADMIN_KEY",
        hide_env_values = true,
        value_name = "KEY"
    )]
    admin_key: Option<Secret>,

    /// Report what would be done and write nothing
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    data: DataSettings,
    #[command(flatten)]
    database: DatabaseSettings,

    /// File with the secret under which keys are stored [default: the one that `serve` makes in `DATA_DIR`]
    #[arg(long, env = "KEY_PEPPER_FILE", value_name = "FILE")]
    key_pepper_file: Option<PathBuf>,
}

/// Brings everything over and says what it did.
pub(crate) async fn import(settings: ImportSettings) -> anyhow::Result<()> {
    let shutdown = signals::shutdown_token()?;
    let folder = existing_folder(&settings.docsfy_dir)?;
    let admin_key = settings.admin_key.filter(|key| !key.expose().is_empty());
    if admin_key.as_ref().is_some_and(|key| key.expose().chars().count() < MIN_ADMIN_KEY_CHARS) {
        bail!("--admin-key cannot be docsfy's: it has at least {MIN_ADMIN_KEY_CHARS} characters");
    }
    let place = Place { data: settings.data, database: settings.database, key_pepper_file: settings.key_pepper_file };
    place.check_apart_from(&folder)?;
    let reading = {
        let folder = folder.clone();
        tokio::task::spawn_blocking(move || source::read(&folder))
    };
    let source = reading.await??;
    let target = if settings.dry_run { Target::look(&place).await? } else { Target::open(&place).await? };
    let imported = async {
        let sealed = match &admin_key {
            Some(key) if !settings.dry_run => Some(docsfy_keys::seal(&target.pepper(&place).await?, key)),
            _ => None,
        };
        let mut import = Import {
            target: &target,
            projects: Projects::of(&folder),
            report: Report::new(std::io::stdout()),
            admin_key: sealed,
            keys_work: admin_key.is_some(),
            dry_run: settings.dry_run,
            shutdown,
        };
        import.run(&source).await
    };
    let imported = imported.await;
    target.close().await;
    imported
}

fn existing_folder(path: &Path) -> anyhow::Result<PathBuf> {
    let folder = path.canonicalize().with_context(|| format!("`{}` cannot be read", path.display()))?;
    if !folder.is_dir() {
        bail!("`{}` is no folder; name the DATA_DIR of docsfy", path.display());
    }
    Ok(folder)
}
