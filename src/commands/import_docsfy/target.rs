//! Where the import goes: docmill's database, its store of sites and the pepper, opened as `serve` and `api` open them.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use api::auth::pepper::{self, Pepper};
use shared::{
    db,
    settings::{DataSettings, DatabaseSettings},
};
use sites::store::SiteStore;
use sqlx::{PgPool, Postgres, pool::PoolConnection};

use crate::{data_dir::DataDir, database::Database, instance::close};

/// Connections of an import: one writes, one holds the lock.
const CONNECTIONS: u32 = 3;

/// Where docmill keeps things, as the command was told.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) data: DataSettings,
    pub(super) database: DatabaseSettings,
    pub(super) key_pepper_file: Option<PathBuf>,
}

impl Place {
    /// Refuses to write into the folder that is read. docsfy's `.env` names it as `DATA_DIR`, so that happens easily.
    pub(super) fn check_apart_from(&self, source: &Path) -> anyhow::Result<()> {
        let sites = self.data.sites_dir()?;
        let own = if self.database.url().is_none() { self.data.data_dir()? } else { sites.clone() };
        for (name, folder) in [("DATA_DIR", own), ("SITES_DIR", sites)] {
            if resolved(&folder).starts_with(source) {
                bail!(
                    "docmill would write into docsfy's own folder `{}`: set {name} to another folder for docmill",
                    folder.display()
                );
            }
        }
        Ok(())
    }
}

/// The path without links, as far as it exists.
fn resolved(path: &Path) -> PathBuf {
    let mut missing = Vec::new();
    let mut known = path;
    loop {
        if let Ok(found) = known.canonicalize() {
            return missing.iter().rev().fold(found, |path, part| path.join(part));
        }
        match (known.file_name(), known.parent()) {
            (Some(name), Some(parent)) => {
                missing.push(name);
                known = parent;
            }
            _ => return path.to_owned(),
        }
    }
}

/// An opened installation. Without a pool there is nothing yet, which only a dry run leaves so.
pub(super) struct Target {
    pub(super) pool: Option<PgPool>,
    /// Where sites are written; missing in a dry run.
    pub(super) store: Option<SiteStore>,
    database: Option<Database>,
    lock: Option<PoolConnection<Postgres>>,
}

impl Target {
    /// Opens the database and the store, and makes them when they are missing.
    pub(super) async fn open(place: &Place) -> anyhow::Result<Self> {
        let data_dir = place.data.data_dir()?;
        if place.database.url().is_none() {
            DataDir::open(data_dir.clone())?;
        }
        let store = SiteStore::local(&place.data.sites_dir()?)?;
        let database = Database::open_or_start(&place.database, &data_dir).await?;
        let target = Self { pool: None, store: Some(store), database: Some(database), lock: None };
        target.connected().await
    }

    /// Opens what is there, for a dry run; makes and changes nothing.
    pub(super) async fn look(place: &Place) -> anyhow::Result<Self> {
        let nothing = Self { pool: None, store: None, database: None, lock: None };
        match Database::look(&place.database, &place.data.data_dir()?).await? {
            Some(database) => Self { database: Some(database), ..nothing }.connected().await,
            None => Ok(nothing),
        }
    }

    async fn connected(mut self) -> anyhow::Result<Self> {
        let connected = async {
            let Some(database) = &self.database else { bail!("there is no database") };
            let pool = database.connect(CONNECTIONS).await?;
            let mut lock = pool.acquire().await?;
            if !db::imports::lock(&mut lock).await? {
                bail!("another import is running on this database");
            }
            anyhow::Ok((pool, lock))
        };
        match connected.await {
            Ok((pool, lock)) => {
                (self.pool, self.lock) = (Some(pool), Some(lock));
                Ok(self)
            }
            Err(error) => {
                self.close().await;
                Err(error)
            }
        }
    }

    /// The pepper of this installation, which docsfy's admin key is sealed with.
    pub(super) async fn pepper(&self, place: &Place) -> anyhow::Result<Pepper> {
        // with a database of its own the installation is this one process; else the pepper comes from another
        let may_create = place.key_pepper_file.is_none() && place.database.url().is_none();
        let file = match &place.key_pepper_file {
            Some(file) => file.clone(),
            None => DataDir::of(place.data.data_dir()?).pepper_file(),
        };
        let pepper = pepper::load_or_create(&file, may_create)
            .context("keys cannot be kept without the pepper of this installation, set KEY_PEPPER_FILE")?;
        if let Some(pool) = &self.pool {
            pepper::agree(pool, &pepper).await?;
        }
        Ok(pepper)
    }

    /// Stops what was started.
    pub(super) async fn close(self) {
        if let Some(lock) = self.lock {
            // the lock ends with its connection
            drop(lock.detach());
        }
        if let Some(pool) = &self.pool {
            close(pool).await;
        }
        if let Some(database) = self.database {
            database.stop().await;
        }
    }
}
