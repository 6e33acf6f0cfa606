//! What an incremental run begins from: the run that made the served site, and the commit that the newest good run was at.

use std::path::Path;

use shared::{
    db::{self, pages::BasePage},
    ids::GenerationId,
    plan::{Plan, RepoType},
    stage::Stage,
    variant::VariantKey,
};
use sqlx::PgConnection;

use super::{
    super::{StageError, cloning, cloning::Pinned, generating::input_hashes, run::Run, up_to_date},
    site::load_pages,
};
use crate::{
    git::{self, Change, Checkout, DiffLimits, GitError},
    grounding::{
        comparing::{Limits, compare},
        staleness::{JudgedPage, OldPage},
    },
    steering::{PathFilter, Steering},
    writers::{Writer, cli::is_agent_configuration},
};

/// Limits of the differences that are kept for writers.
const DIFF_LIMITS: DiffLimits = DiffLimits { file_bytes: 64 << 10, total_bytes: 4 << 20 };
/// Larger files have no text here.
pub(crate) const MAX_FILE_BYTES: u64 = 4 << 20;

/// What there is to begin from.
pub(crate) struct Base {
    /// The run that made the served site, and its pages.
    pub(crate) generation: GenerationId,
    /// The commit that it was made from.
    pub(crate) site: Pinned,
    /// Its plan.
    pub(crate) plan: Plan,
    /// Its pages.
    pub(crate) pages: Vec<BasePage>,
    /// Their sections.
    pub(crate) old: Vec<OldPage>,
    /// The newest run that ended well; its commit is what was compared with last.
    pub(crate) last: GenerationId,
    /// That commit.
    pub(crate) last_pinned: Pinned,
}

/// Two comparisons: of the site with the new commit, and of what the newest good run looked at with it.
pub(crate) struct Compared {
    /// What changed since the site was made.
    pub(crate) since_site: Vec<Change>,
    /// What that means for each section.
    pub(crate) judged: Vec<JudgedPage>,
    /// What changed since the newest good run; what was judged before that is not asked about again.
    pub(crate) since_last: Vec<Change>,
}

/// Whether the newest good run stood at a commit with the same files: then there is nothing to do.
pub(crate) async fn is_same_tree(run: &Run, pinned: &Pinned) -> Result<bool, StageError> {
    if up_to_date::served_commit(run).is_none() {
        return Ok(false);
    }
    let mut conn = run.worker.config.pool.acquire().await?;
    is_tree_of_last_good(&mut conn, run.claimed.variant_id, pinned.tree.as_deref()).await
}

/// The same for a variant.
pub(crate) async fn is_tree_of_last_good(
    conn: &mut PgConnection,
    variant: i64,
    tree: Option<&str>,
) -> Result<bool, StageError> {
    let last = db::generations::find_last_good(conn, variant).await?;
    let last: Option<Pinned> = last.and_then(|last| serde_json::from_value(last.pinned).ok());
    Ok(last.is_some_and(|last| last.tree.is_some() && last.tree.as_deref() == tree))
}

/// The base of a run, if it may have one; else why not. A site that another writer made, or this one with other prompts, is
/// none: its pages would not be what this one writes.
pub(crate) async fn find(
    conn: &mut PgConnection,
    (variant, key, repo_type): (i64, &VariantKey, Option<RepoType>),
    writer: &dyn Writer,
    steering: &Steering,
) -> Result<Result<Base, String>, StageError> {
    let no = |reason: &str| Ok(Err(reason.to_owned()));
    let Some((generation, _)) = db::generations::find_served(conn, variant).await? else {
        return no("there is no site that is known to have been made here");
    };
    let plan = db::generations::find_checkpoint(conn, generation, Stage::Planning).await?;
    let site = db::generations::find_checkpoint(conn, generation, Stage::Cloning).await?;
    let last = db::generations::find_last_good(conn, variant).await?;
    let unknown = "it is not known any more what the site was made from";
    let (Some(plan), Some(site), Some(last)) = (plan, site, last) else { return no(unknown) };
    let pages = db::pages::list_base(conn, generation).await?;
    let (Ok(plan), Ok(site), Ok(last_pinned)) = (
        serde_json::from_value::<Plan>(plan),
        serde_json::from_value::<Pinned>(site),
        serde_json::from_value::<Pinned>(last.pinned),
    ) else {
        return no(unknown);
    };
    if repo_type.or(steering.repo_type).is_some_and(|wished| wished != plan.repo_type) {
        return no("another kind of repository is asked for");
    }
    let hashes = input_hashes(key, writer, &plan);
    let is_ours = hashes.len() == pages.len()
        && hashes
            .iter()
            .zip(&pages)
            .all(|(new, old)| old.good && new.slug == old.slug && new.input_hash == old.input_hash);
    if !is_ours {
        return no("the site was made with other prompts, by another version of the writer, or steered otherwise");
    }
    let old = load_pages(conn, generation).await?;
    Ok(Ok(Base { generation, site, plan, pages, old, last: last.generation, last_pinned }))
}

/// The base of a run; nothing when it has none, and the log says why.
pub(super) async fn find_for(run: &Run, writer: &dyn Writer, steering: &Steering) -> Result<Option<Base>, StageError> {
    let claimed = &run.claimed;
    if up_to_date::served_commit(run).is_none() {
        return Ok(None);
    }
    let mut conn = run.worker.config.pool.acquire().await?;
    let subject = (claimed.variant_id, &claimed.key, claimed.request.repo_type);
    let found = find(&mut conn, subject, writer, steering).await?;
    Ok(found.inspect_err(|reason| tracing::info!(reason, "everything is written anew")).ok())
}

/// What changed, for a run. The inner error is the reason why that cannot be told.
pub(super) async fn changes_since(
    run: &Run,
    pinned: &Pinned,
    checkout: &Checkout,
    base: &Base,
    steering: &Steering,
) -> Result<Result<Compared, String>, StageError> {
    let folder = run.work_dir.path().join("base");
    // an earlier try of this stage may have left it
    drop(tokio::fs::remove_dir_all(&folder).await);
    tokio::fs::create_dir(&folder).await.map_err(anyhow::Error::from)?;
    let compared = open_and_compare(run, checkout, base, steering, &folder).await?;
    if let Err(error) = tokio::fs::remove_dir_all(&folder).await {
        // it goes with the run anyway
        tracing::debug!(%error, "cannot remove the base commit");
    }
    let (old, new) = (base.site.commit.short(), pinned.commit.short());
    tracing::debug!(old, new, is_known = compared.is_ok(), "compared two commits");
    Ok(compared)
}

async fn open_and_compare(
    run: &Run,
    new: &Checkout,
    base: &Base,
    steering: &Steering,
    folder: &Path,
) -> Result<Result<Compared, String>, StageError> {
    let site = match open(run, base.generation, &base.site, &folder.join("site")).await? {
        Ok(site) => site,
        Err(reason) => return Ok(Err(reason)),
    };
    let last = if base.last_pinned.commit == base.site.commit {
        None
    } else {
        match open(run, base.last, &base.last_pinned, &folder.join("last")).await? {
            Ok(last) => Some(last),
            Err(reason) => return Ok(Err(reason)),
        }
    };
    let (new, old, filter) = (new.clone(), base.old.clone(), steering.filter.clone());
    let max_files = run.clone_limits().max_files;
    let comparing =
        tokio::task::spawn_blocking(move || compare_all(&site, last.as_ref(), &new, &old, &filter, max_files));
    let compared = comparing.await.map_err(anyhow::Error::from)?;
    Ok(compared.map_err(|error| format!("the commits cannot be compared: {error}")))
}

/// A commit: from the store, else from the remote, which may have it no more.
async fn open(
    run: &Run,
    generation: GenerationId,
    pinned: &Pinned,
    folder: &Path,
) -> Result<Result<Checkout, String>, StageError> {
    tokio::fs::create_dir(folder).await.map_err(anyhow::Error::from)?;
    let branch = &run.claimed.key.branch;
    match cloning::restore_checkout(&run.worker, generation, branch, pinned, folder, run.cancel()).await {
        Ok(checkout) => return Ok(Ok(checkout)),
        Err(StageError::Stopped) => return Err(StageError::Stopped),
        Err(error) => {
            let error = error.into_anyhow();
            tracing::info!(error = format!("{error:#}"), "an earlier commit is not in the store, asking the remote");
        }
    }
    let folder = folder.join("fetched");
    tokio::fs::create_dir(&folder).await.map_err(anyhow::Error::from)?;
    let fetched = git::fetch_commit(&cloning::clone_request(run, &folder), &pinned.commit, run.cancel()).await;
    Ok(fetched.map_err(|error| format!("the earlier commit `{}` cannot be had: {error}", pinned.commit.short())))
}

/// Compares; `last` is missing when it is the site's own commit. Blocks.
pub(crate) fn compare_all(
    site: &Checkout,
    last: Option<&Checkout>,
    new: &Checkout,
    old: &[OldPage],
    filter: &PathFilter,
    max_files: usize,
) -> Result<Compared, GitError> {
    // what writers do not see does not change for them
    let counts = |path: &str| filter.allows(path) && !is_agent_configuration(Path::new(path));
    let limits = Limits { max_files, max_file_bytes: MAX_FILE_BYTES, diffs: DIFF_LIMITS };
    let compared = compare(site, new, old, &counts, limits)?;
    let since_last = match last {
        Some(last) => git::changes_between(last, new, &counts, max_files, DIFF_LIMITS)?,
        None => compared.changes.clone(),
    };
    Ok(Compared { since_site: compared.changes, judged: compared.pages, since_last })
}
