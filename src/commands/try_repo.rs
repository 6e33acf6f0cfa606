//! `docmill try`: the site of one repository, with nothing to set up.

use std::{net::Ipv4Addr, path::PathBuf};

use anyhow::Context;
use clap::Args;
use shared::{
    names::{BranchName, ModelId},
    provider::Provider,
    settings::{ApiSettings, DataSettings, DatabaseSettings, Secret, TrustedProxies},
    writer_defaults::WriterDefaults,
};

use super::worker::WorkSettings;
use crate::{
    data_dir::{DataDir, random_text},
    first_site::Wanted,
    instance::{Instance, InstanceSettings},
    progress::Progress,
    signals,
};

/// Settings of `docmill try`.
#[derive(Debug, Args)]
pub(crate) struct TrySettings {
    /// The repository: a folder or an address
    #[arg(default_value = ".")]
    repo: String,

    /// Branch or tag [default: the one the folder is on, or main]
    #[arg(long, value_name = "NAME")]
    branch: Option<BranchName>,

    /// Who writes
    #[arg(long, value_name = "PROVIDER")]
    provider: Option<Provider>,

    /// With which model
    #[arg(long, value_name = "MODEL")]
    model: Option<ModelId>,

    /// End when the site is ready and print where it lies
    #[arg(long)]
    exit: bool,

    #[command(flatten)]
    data: DataSettings,
    #[command(flatten)]
    work: WorkSettings,
}

/// Makes the site, shows how it comes along, and serves it until it is told to stop.
pub(crate) async fn try_repository(settings: TrySettings) -> anyhow::Result<()> {
    let shutdown = signals::shutdown_token()?;
    let mut work = settings.work;
    if let Some(provider) = settings.provider {
        work.writers.ai_provider = Some(provider);
        work.writers.ai_model = None;
    }
    if settings.model.is_some() {
        work.writers.ai_model = settings.model;
    }
    work.check()?;
    let writers = work.writers.defaults();
    let wanted = Wanted::parse(&settings.repo, settings.branch, &writers)?;
    // a folder of its own, so that it never meets the database of a `serve`
    let data_dir = DataDir::open(settings.data.data_dir()?.join("try"))?;
    let instance = Instance::start(InstanceSettings {
        sites_dir: data_dir.path().join("sites"),
        database: DatabaseSettings { database_url: None },
        api: ApiSettings {
            host: Ipv4Addr::LOCALHOST.into(),
            port: 0,
            admin_key: None,
            secure_cookies: false,
            key_pepper_file: None,
            trusted_proxies: TrustedProxies::default(),
            public_badges: false,
        },
        // nobody needs to know it
        admin_key: Secret::new(random_text(32)),
        work,
        docs_are_open: true,
        data_dir,
    })
    .await?;
    let made = tokio::select! {
        made = make(&instance, &wanted, &writers) => made.map(Some),
        // the end of a part is told by what comes last
        () = instance.broke_off() => Ok(None),
        () = shutdown.cancelled() => Ok(None),
    };
    let folder = match made {
        Ok(Some(folder)) => folder,
        Ok(None) => return instance.run_until(shutdown).await,
        Err(error) => {
            shutdown.cancel();
            instance.run_until(shutdown).await?;
            return Err(error);
        }
    };
    println!("read it at {}{}", instance.base_url(), wanted.docs_path());
    if settings.exit {
        println!("the site lies in {}", folder.display());
        shutdown.cancel();
    } else {
        println!("Ctrl-C ends it");
    }
    instance.run_until(shutdown).await
}

async fn make(instance: &Instance, wanted: &Wanted, writers: &WriterDefaults) -> anyhow::Result<PathBuf> {
    // the same commit again means that somebody wants to see what this version of docmill makes of it
    wanted.start(&instance.pool, writers, true).await?;
    let mut progress = Progress::start(&wanted.key.name);
    let made = wanted.wait(&instance.pool, &instance.listening, |row| progress.show(row)).await;
    let row = match made {
        Ok(row) => row,
        Err(error) => {
            progress.fail();
            return Err(error);
        }
    };
    progress.finish(&row);
    let prefix = row.site_prefix.context("a ready site has a place")?.parse()?;
    instance.store.folder_of(&prefix).context("a local store has folders")
}
