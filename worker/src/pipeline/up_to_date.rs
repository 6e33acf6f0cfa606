//! Stage `up_to_date`: the served site stands at this very commit, so there is nothing to do.

use shared::{
    db::{self, generations::Finished, variants::Scope},
    events,
    generation::State,
    names::CommitSha,
    plan::Plan,
    stage::Stage,
};
use sqlx::PgConnection;

use super::{StageError, cloning::Pinned, run::Run};
use crate::git;

/// The commit of the served site, unless somebody asked for it to be made anew, for another one than was made, or for a better one.
pub(crate) fn served_commit(run: &Run) -> Option<&str> {
    let claimed = &run.claimed;
    let is_wished = !claimed.starts_anew()
        && claimed.request.options.wish_the_same(&claimed.served_options)
        && run.served_is_good_enough;
    claimed.served_commit.as_deref().filter(|_| claimed.served_site && is_wished)
}

/// Whether the served site was made from this commit.
pub(crate) fn is_served(run: &Run, commit: &CommitSha) -> bool {
    served_commit(run) == Some(commit.as_str())
}

/// Asks the repository, without fetching anything, whether its branch still stands at the served commit. A repository that
/// does not answer is left to the stage `cloning`, which says what is wrong.
pub(crate) async fn find_unchanged_head(run: &Run) -> Result<Option<CommitSha>, StageError> {
    // a run that was taken over may have pinned its commit, and then never asks the remote again (decisions.md 6)
    let is_taken_over = run.claimed.fence > 1;
    if is_taken_over || served_commit(run).is_none() {
        return Ok(None);
    }
    // the commit of a run that is repeated stays the same
    if run.claimed.retry_of.is_some() && run.checkpoint::<Pinned>(Stage::Cloning)?.is_some() {
        return Ok(None);
    }
    run.enter(Stage::Cloning).await?;
    let (branch, settings) = (&run.claimed.key.branch, &run.worker.config.git);
    match git::remote_head(&run.source, branch, settings, run.clone_limits(), run.cancel()).await {
        Ok(head) => Ok(Some(head).filter(|head| is_served(run, head))),
        Err(error) => {
            tracing::debug!(%error, "the head of the branch is not known");
            Ok(None)
        }
    }
}

/// Ends the run; the site stays as it is.
pub(crate) async fn finish(run: &Run, commit: &CommitSha) -> Result<(), StageError> {
    let (id, fence, variant) = (run.claimed.id, run.claimed.fence, run.claimed.variant_id);
    let mut transaction = db::begin(&run.worker.config.pool).await?;
    let pages = show_served(run, &mut transaction).await?;
    let finished =
        Finished { site_prefix: None, commit: commit.clone(), page_count: pages, final_stage: Some(Stage::UpToDate) };
    db::generations::finish(&mut transaction, id, fence, &finished).await?;
    events::emit_stage(&mut transaction, variant, id, Stage::UpToDate).await?;
    events::emit_state(&mut transaction, variant, id, State::Ready, None).await?;
    transaction.commit().await?;
    tracing::info!("up to date");
    Ok(())
}

/// Shows the plan of the served site again, in case a run in between failed or was aborted and left its own; gives the number
/// of its pages.
async fn show_served(run: &Run, connection: &mut PgConnection) -> Result<i32, StageError> {
    let (id, fence) = (run.claimed.id, run.claimed.fence);
    let Some((maker, pages)) = db::generations::find_served(connection, run.claimed.variant_id).await? else {
        let row = db::variants::find(connection, Scope::All, run.claimed.variant_id).await?;
        return Ok(row.map_or(0, |row| row.page_count));
    };
    let kept = db::generations::find_checkpoint(connection, maker, Stage::Planning).await?;
    if let Some(plan) = kept.and_then(|kept| serde_json::from_value::<Plan>(kept).ok()) {
        let json = serde_json::to_string(&plan).map_err(anyhow::Error::from)?;
        db::generations::show_plan(connection, id, fence, &json, plan.repo_type).await?;
    }
    Ok(pages)
}
