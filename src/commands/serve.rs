//! `docmill serve`: API and worker in one process, with a Postgres of its own unless `DATABASE_URL` is set.

use std::io::Write;

use anyhow::Context;
use clap::Args;
use shared::settings::{ApiSettings, DataSettings, DatabaseSettings, Secret, check_admin_key};
use tokio_util::sync::CancellationToken;

use super::worker::WorkSettings;
use crate::{
    data_dir::DataDir,
    first_site,
    instance::{Instance, InstanceSettings},
    signals,
};

/// Settings of `docmill serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeSettings {
    #[command(flatten)]
    data: DataSettings,
    #[command(flatten)]
    database: DatabaseSettings,
    #[command(flatten)]
    api: ApiSettings,
    #[command(flatten)]
    work: WorkSettings,

    /// Print a link that logs a browser in once
    #[arg(long)]
    login_link: bool,

    /// Make the site of this repository (a folder or an address) at start and print a login link to it
    #[arg(long, value_name = "REPO")]
    first_site: Option<String>,
}

/// Serves until it is told to stop.
pub(crate) async fn serve(settings: ServeSettings) -> anyhow::Result<()> {
    let shutdown = signals::shutdown_token()?;
    settings.work.check()?;
    let data_dir = DataDir::open(settings.data.data_dir()?)?;
    let (admin_key, is_new) = admin_key(&settings.api, &data_dir)?;
    let asked = Asked { first_site: settings.first_site, login_link: settings.login_link };
    let instance = Instance::start(InstanceSettings {
        sites_dir: settings.data.sites_dir()?,
        database: settings.database,
        api: settings.api,
        admin_key: admin_key.clone(),
        work: settings.work,
        docs_are_open: false,
        data_dir,
    })
    .await?;
    let new_key = is_new.then_some(&admin_key);
    let welcomed = welcome(&instance, new_key, &asked, &shutdown).await;
    if welcomed.is_err() {
        // what was started is stopped in order, whatever happened
        shutdown.cancel();
    }
    instance.run_until(shutdown).await.and(welcomed)
}

/// What is done once at start besides serving.
struct Asked {
    first_site: Option<String>,
    login_link: bool,
}

/// Tells whoever started the program what they need to know, and makes the first site.
async fn welcome(
    instance: &Instance,
    new_key: Option<&Secret>,
    asked: &Asked,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    if let Some(key) = new_key {
        say(&format!("new admin key (user `admin`, kept in the data folder): {}", key.expose()))?;
    }
    say(&format!("docmill listens on {}", instance.base_url()))?;
    if let Some(repository) = &asked.first_site {
        match first_site::make(instance, repository, shutdown).await {
            Ok(path) => print_link(instance, &path).await?,
            Err(error) => tracing::error!(error = format!("{error:#}"), "the first site could not be made"),
        }
    } else if asked.login_link {
        print_link(instance, "/").await?;
    }
    Ok(())
}

/// The key that was set, or the one of the data folder; says whether it was made just now.
fn admin_key(settings: &ApiSettings, data_dir: &DataDir) -> anyhow::Result<(Secret, bool)> {
    match settings.admin_key.clone().filter(|key| !key.expose().is_empty()) {
        Some(key) => {
            check_admin_key(&key)?;
            Ok((key, false))
        }
        None => data_dir.admin_key(),
    }
}

async fn print_link(instance: &Instance, path: &str) -> anyhow::Result<()> {
    let link = api::login_link(&instance.pool, &instance.base_url(), path).await?;
    say(&format!("open this once, within 15 minutes: {link}"))
}

/// One line for whoever started the program.
fn say(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("cannot write to standard output")
}
