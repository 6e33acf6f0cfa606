//! `docmill api`: answers from what is stored; as many of them as wanted.

use anyhow::{Context, bail};
use api::{
    ApiParts, ApiState,
    auth::{pepper, session},
};
use clap::Args;
use shared::{
    events::Listening,
    settings::{ApiSettings, DataSettings, DatabaseSettings, GitSettings, WriterSettings, check_admin_key},
};
use sites::store::SiteStore;

use crate::{
    database::Database,
    instance::{API_CONNECTIONS, bind, close, save_given_settings},
    signals,
};

/// Settings of `docmill api`.
#[derive(Debug, Args)]
pub(crate) struct ApiOnlySettings {
    #[command(flatten)]
    data: DataSettings,
    #[command(flatten)]
    database: DatabaseSettings,
    #[command(flatten)]
    api: ApiSettings,
    #[command(flatten)]
    writers: WriterSettings,
    #[command(flatten)]
    git: GitSettings,
}

/// Answers until it is told to stop.
pub(crate) async fn run_api(settings: ApiOnlySettings) -> anyhow::Result<()> {
    let shutdown = signals::shutdown_token()?;
    let Some(admin_key) = settings.api.admin_key.clone().filter(|key| !key.expose().is_empty()) else {
        bail!("`docmill api` needs ADMIN_KEY, the same for all API processes");
    };
    check_admin_key(&admin_key)?;
    let Some(pepper_file) = &settings.api.key_pepper_file else {
        bail!("`docmill api` needs KEY_PEPPER_FILE, the same for all API processes; see docs/operations.md");
    };
    settings.git.check()?;
    let pepper = pepper::load_or_create(pepper_file, false)?;
    let listener = bind(&settings.api).await?;
    let database = tokio::select! {
        database = Database::open(&settings.database, "api") => database?,
        // a database that does not answer is waited for longer than the end of the program may take
        () = shutdown.cancelled() => return Ok(()),
    };
    let pool = database.connect(API_CONNECTIONS).await?;
    pepper::agree(&pool, &pepper).await?;
    session::end_those_of_an_old_admin_key(&pool, &pepper, &admin_key).await?;
    save_given_settings(&pool, &settings.writers).await?;
    let parts = ApiParts {
        pool: pool.clone(),
        sites: SiteStore::local(&settings.data.sites_dir()?)?,
        listening: Listening::start(&pool).await.context("cannot listen to the database")?,
        admin_key,
        secure_cookies: settings.api.secure_cookies,
        trusted_proxies: settings.api.trusted_proxies,
        public_badges: settings.api.public_badges,
        writer: settings.writers,
        repo_host_allowlist: settings.git.repo_host_allowlist,
        docs_are_open: false,
        // workers know; none runs here
        sandbox: None,
        watch_times: api::WatchTimes::default(),
    };
    let state = ApiState::new(parts, pepper)?;
    println!("docmill listens on http://{}", listener.local_addr()?);
    let ended = api::serve(listener, state, shutdown).await;
    close(&pool).await;
    ended
}
