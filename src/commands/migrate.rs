//! `docmill migrate`: brings the schema up to date and ends.

use clap::Args;
use shared::settings::DatabaseSettings;

use crate::database::Database;

/// Settings of `docmill migrate`.
#[derive(Debug, Args)]
pub(crate) struct MigrateSettings {
    #[command(flatten)]
    database: DatabaseSettings,
}

/// Brings the schema up to date.
pub(crate) async fn migrate(settings: MigrateSettings) -> anyhow::Result<()> {
    Database::open(&settings.database, "migrate").await?;
    println!("the database is up to date");
    Ok(())
}
