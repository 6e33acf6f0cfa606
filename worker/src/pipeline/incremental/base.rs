//! What an incremental run begins from: the run that made the served site, and the commit that the newest good run was at.

use std::path::Path;

use shared::{
    db::{self, pages::BasePage},
    ids::GenerationId,
    plan::Plan,
    stage::Stage,
};

use super::{
    super::{StageError, cloning, cloning::Pinned, generating::input_hashes, run::Run},
    is_by_model,
};
use crate::{
    git::{self, Change, Checkout, DiffLimits},
    steering::{PathFilter, Steering},
    writers::{Writer, cli::is_agent_configuration},
};

/// Limits of the differences that are kept for writers.
const DIFF_LIMITS: DiffLimits = DiffLimits { file_bytes: 64 << 10, total_bytes: 4 << 20 };

/// What there is to begin from.
pub(super) struct Base {
    /// The run that made the served site, and its pages.
    pub(super) generation: GenerationId,
    /// Its plan.
    pub(super) plan: Plan,
    /// Its pages.
    pub(super) pages: Vec<BasePage>,
    /// The newest run that ended well; its commit is what is compared with.
    last: GenerationId,
    last_pinned: Pinned,
}

/// Whether the newest good run stood at a commit with the same files: then there is nothing to do.
pub(crate) async fn is_same_tree(run: &Run, pinned: &Pinned) -> Result<bool, StageError> {
    let claimed = &run.claimed;
    if claimed.request.force || !claimed.served_site || claimed.request.options != claimed.served_options {
        return Ok(false);
    }
    let mut conn = run.worker.config.pool.acquire().await?;
    let last = db::generations::find_last_good(&mut conn, run.claimed.variant_id).await?;
    let last: Option<Pinned> = last.and_then(|last| serde_json::from_value(last.pinned).ok());
    Ok(last.is_some_and(|last| last.tree.is_some() && last.tree == pinned.tree))
}

/// The base of a run, if it may have one. A site that another writer made, or this one with other prompts, is none: its
/// pages would not be what this one writes.
pub(super) async fn find(run: &Run, writer: &dyn Writer) -> Result<Option<Base>, StageError> {
    let claimed = &run.claimed;
    if claimed.request.force || !claimed.served_site || !is_by_model(run) {
        return Ok(None);
    }
    let mut conn = run.worker.config.pool.acquire().await?;
    let Some((generation, _)) = db::generations::find_served(&mut conn, claimed.variant_id).await? else {
        return Ok(None);
    };
    let plan = db::generations::find_checkpoint(&mut conn, generation, Stage::Planning).await?;
    let last = db::generations::find_last_good(&mut conn, claimed.variant_id).await?;
    let Some((plan, last)) = plan.zip(last) else { return Ok(None) };
    let pages = db::pages::list_base(&mut conn, generation).await?;
    drop(conn);
    let Some((plan, last_pinned)) =
        serde_json::from_value::<Plan>(plan).ok().zip(serde_json::from_value::<Pinned>(last.pinned).ok())
    else {
        return Ok(None);
    };
    if claimed.request.repo_type.is_some_and(|wished| wished != plan.repo_type) {
        tracing::info!("the request names another kind of repository, everything is written anew");
        return Ok(None);
    }
    let hashes = input_hashes(run, writer, &plan);
    let is_ours = hashes.len() == pages.len()
        && hashes
            .iter()
            .zip(&pages)
            .all(|(new, old)| old.good && new.slug == old.slug && new.input_hash == old.input_hash);
    if !is_ours {
        tracing::info!("the site was made by another writer or version, everything is written anew");
        return Ok(None);
    }
    Ok(Some(Base { generation, plan, pages, last: last.generation, last_pinned }))
}

/// What changed since the base's commit. The inner error is the reason why that cannot be told.
pub(super) async fn changes_since(
    run: &Run,
    pinned: &Pinned,
    checkout: &Checkout,
    steering: &Steering,
    base: &Base,
) -> Result<Result<Vec<Change>, String>, StageError> {
    let folder = run.work_dir.path().join("base");
    // an earlier try of this stage may have left it
    drop(tokio::fs::remove_dir_all(&folder).await);
    tokio::fs::create_dir(&folder).await.map_err(anyhow::Error::from)?;
    let changes = match open_base(run, base, &folder).await? {
        Ok(old) => compare(run, old, checkout.clone(), steering.filter.clone()).await?,
        Err(reason) => Err(reason),
    };
    if let Err(error) = tokio::fs::remove_dir_all(&folder).await {
        // it goes with the run anyway
        tracing::debug!(%error, "cannot remove the base commit");
    }
    let (old, new) = (base.last_pinned.commit.short(), pinned.commit.short());
    tracing::debug!(old, new, is_known = changes.is_ok(), "compared two commits");
    Ok(changes)
}

/// The base's commit: from the store, else from the remote, which may have it no more.
async fn open_base(run: &Run, base: &Base, folder: &Path) -> Result<Result<Checkout, String>, StageError> {
    let (pinned, branch) = (&base.last_pinned, &run.claimed.key.branch);
    match cloning::restore_checkout(&run.worker, base.last, branch, pinned, folder, run.cancel()).await {
        Ok(checkout) => return Ok(Ok(checkout)),
        Err(StageError::Stopped) => return Err(StageError::Stopped),
        Err(error) => {
            let error = error.into_anyhow();
            tracing::info!(error = format!("{error:#}"), "the last good commit is not in the store, asking the remote");
        }
    }
    let folder = folder.join("fetched");
    tokio::fs::create_dir(&folder).await.map_err(anyhow::Error::from)?;
    let fetched = git::fetch_commit(&cloning::clone_request(run, &folder), &pinned.commit, run.cancel()).await;
    Ok(fetched.map_err(|error| format!("the last good commit `{}` cannot be had: {error}", pinned.commit.short())))
}

async fn compare(
    run: &Run,
    old: Checkout,
    new: Checkout,
    filter: PathFilter,
) -> Result<Result<Vec<Change>, String>, StageError> {
    let max_files = run.clone_limits().max_files;
    // what writers do not see concerns no page
    let counts = move |path: &str| filter.allows(path) && !is_agent_configuration(Path::new(path));
    let compared =
        tokio::task::spawn_blocking(move || git::changes_between(&old, &new, &counts, max_files, DIFF_LIMITS));
    let compared = compared.await.map_err(anyhow::Error::from)?;
    Ok(compared.map_err(|error| format!("the commits cannot be compared: {error}")))
}
