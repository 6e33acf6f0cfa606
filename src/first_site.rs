//! Makes one site in a running instance and waits for it: the first site of `serve`, the only one of `try`.

use std::path::Path;

use anyhow::{Context, bail};
use shared::{
    db::{
        self,
        generations::NewGeneration,
        variants::{Scope, VariantRow},
    },
    events::{Heard, Listening},
    ids::GenerationId,
    jobs::{self, Started},
    names::{BranchName, PageSlug, ProjectName},
    options::RunOptions,
    source::RepoSource,
    variant::{Status, VariantKey},
    writer_defaults::WriterDefaults,
};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::instance::Instance;

/// The user all requests of the command line are made by.
const OWNER: &str = "admin";
/// How often the row is looked at when no notification comes.
const LOOK_EVERY: std::time::Duration = std::time::Duration::from_secs(1);

/// What is made.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// The variant.
    pub(crate) key: VariantKey,
    /// Its repository.
    pub(crate) source: RepoSource,
}

impl Wanted {
    /// Reads a folder or an address; the branch is the one given, or the one the folder is on, or `main`.
    pub(crate) fn parse(
        repository: &str,
        branch: Option<BranchName>,
        writers: &WriterDefaults,
    ) -> anyhow::Result<Self> {
        let folder = Path::new(repository);
        let source = if folder.is_dir() {
            let folder = folder.canonicalize().with_context(|| format!("cannot read `{repository}`"))?;
            shared::source::check_local_repository(&folder)?;
            let text = folder.to_str().context("the folder's path is not UTF-8")?;
            RepoSource::parse_local_path(text)?
        } else {
            RepoSource::parse_url(repository)
                .with_context(|| format!("`{repository}` is neither a folder nor the address of a repository"))?
        };
        let branch = match (branch, &source) {
            (Some(branch), _) => branch,
            (None, RepoSource::LocalPath(folder)) => current_branch(folder)?,
            (None, RepoSource::Url(_)) => "main".parse()?,
        };
        let key = VariantKey {
            owner: OWNER.to_owned(),
            name: project_name(&source)?,
            branch,
            provider: writers.provider,
            model: writers.model.clone().context("there is no default model, name one with --model or AI_MODEL")?,
        };
        Ok(Self { key, source })
    }

    /// Starts the generation, unless one is on its way; gives the generation to wait for.
    pub(crate) async fn start(
        &self,
        pool: &PgPool,
        writers: &WriterDefaults,
        force: bool,
    ) -> anyhow::Result<GenerationId> {
        let request = NewGeneration {
            max_cost_usd: None,
            requested_by: OWNER.to_owned(),
            force,
            replace: false,
            repo_type: None,
            call_timeout_minutes: i32::try_from(writers.call_timeout_minutes).unwrap_or(i32::MAX),
            options: RunOptions::default(),
        };
        let wanted = jobs::Wanted { key: self.key.clone(), source: self.source.clone(), request };
        let mut transaction = db::begin(pool).await?;
        let started = jobs::start_generation(&mut transaction, &wanted).await?;
        transaction.commit().await?;
        match started {
            Started::Queued(id) => Ok(id),
            Started::OtherRepository(first) => {
                bail!("the site of this name was made from another repository, `{first}`; delete it first")
            }
            Started::Busy => self.row(pool).await?.generation_id.context("the variant is busy with nothing"),
        }
    }

    /// The variant's row.
    pub(crate) async fn row(&self, pool: &PgPool) -> anyhow::Result<VariantRow> {
        let key = &self.key;
        let mut connection = pool.acquire().await?;
        let scope = Scope::Owner(&key.owner);
        db::variants::list_matching(&mut connection, scope, &key.name, &key.branch, key.provider, &key.model)
            .await?
            .pop()
            .context("the variant is gone")
    }

    /// Path of the docs on the server.
    pub(crate) fn docs_path(&self) -> String {
        let key = &self.key;
        format!("/docs/{}/{}/{}/{}/", key.name, key.branch.to_segment(), key.provider, key.model)
    }

    /// Waits until the generation ended; `on_change` sees every change. An error when it did not end well.
    pub(crate) async fn wait(
        &self,
        pool: &PgPool,
        listening: &Listening,
        mut on_change: impl FnMut(&VariantRow),
    ) -> anyhow::Result<VariantRow> {
        let mut heard = listening.subscribe();
        loop {
            let row = self.row(pool).await?;
            on_change(&row);
            match row.status {
                Status::Generating => {}
                Status::Ready => return Ok(row),
                Status::Error | Status::Aborted => bail!("{}", row.error_message.unwrap_or_default()),
            }
            // any event is reason enough to look; one that was missed costs a second
            let of_events = |heard: &Heard| !matches!(heard, Heard::Notification { channel, .. } if **channel != *db::events::CHANNEL);
            let event = async { while heard.recv().await.is_ok_and(|heard| !of_events(&heard)) {} };
            let _ = tokio::time::timeout(LOOK_EVERY, event).await;
        }
    }
}

/// Makes the site of a repository and gives the path of its docs.
pub(crate) async fn make(
    instance: &Instance,
    repository: &str,
    shutdown: &CancellationToken,
) -> anyhow::Result<String> {
    let writers = db::settings::read_defaults(&mut *instance.pool.acquire().await?).await?;
    let wanted = Wanted::parse(repository, None, &writers)?;
    wanted.start(&instance.pool, &writers, false).await?;
    println!("making the site of {} ...", wanted.key.name);
    tokio::select! {
        made = wanted.wait(&instance.pool, &instance.listening, |_| {}) => made.map(|_| wanted.docs_path()),
        () = shutdown.cancelled() => bail!("stopped before it was ready"),
        () = instance.broke_off() => bail!("the worker or the API ended before it was ready"),
    }
}

/// The project's name; a folder of any name has one here, such as `my-project` for `My project`.
fn project_name(source: &RepoSource) -> anyhow::Result<ProjectName> {
    match (source.project_name(), source) {
        (Err(_), RepoSource::LocalPath(folder)) => {
            let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            Ok(PageSlug::slugify(&name).as_str().parse()?)
        }
        (name, _) => Ok(name?),
    }
}

/// The branch a folder is on; the commit's tag-less states have no name and cannot be asked for.
fn current_branch(folder: &Path) -> anyhow::Result<BranchName> {
    let head = [folder.join(".git/HEAD"), folder.join("HEAD")]
        .iter()
        .find_map(|file| std::fs::read_to_string(file).ok())
        .or_else(|| linked_head(folder))
        .with_context(|| format!("`{}` is not a Git repository", folder.display()))?;
    let branch = head.trim().strip_prefix("ref: refs/heads/");
    let branch = branch.context("the repository is on no branch, name one with --branch")?;
    Ok(branch.parse()?)
}

/// HEAD of a work tree whose `.git` is a file that names the real folder.
fn linked_head(folder: &Path) -> Option<String> {
    let text = std::fs::read_to_string(folder.join(".git")).ok()?;
    let git_dir = text.trim().strip_prefix("gitdir: ")?;
    std::fs::read_to_string(folder.join(git_dir).join("HEAD")).ok()
}
