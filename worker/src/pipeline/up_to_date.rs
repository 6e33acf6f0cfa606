//! Stage `up_to_date`: the served site stands at this very commit, so there is nothing to do.

use shared::{
    db::{self, generations::Finished},
    events,
    generation::State,
    plan::Plan,
    stage::Stage,
};
use sqlx::PgConnection;

use super::{StageError, cloning::Pinned, run::Run};

/// Whether the served site was made from this commit and nobody asked for it to be made anew.
pub(crate) fn is_served(run: &Run, pinned: &Pinned) -> bool {
    let claimed = &run.claimed;
    !claimed.request.force && claimed.served_site && claimed.served_commit.as_deref() == Some(pinned.commit.as_str())
}

/// Ends the run; the site stays as it is.
pub(crate) async fn finish(run: &Run, pinned: &Pinned) -> Result<(), StageError> {
    let (id, fence, variant) = (run.claimed.id, run.claimed.fence, run.claimed.variant_id);
    let mut transaction = run.worker.config.pool.begin().await?;
    let pages = show_served(run, &mut transaction).await?;
    let finished = Finished {
        site_prefix: None,
        commit: pinned.commit.clone(),
        page_count: pages,
        final_stage: Some(Stage::UpToDate),
    };
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
        let row = db::variants::find(connection, run.claimed.variant_id).await?;
        return Ok(row.map_or(0, |row| row.page_count));
    };
    let kept = db::generations::find_checkpoint(connection, maker, Stage::Planning).await?;
    if let Some(plan) = kept.and_then(|kept| serde_json::from_value::<Plan>(kept).ok()) {
        let json = serde_json::to_string(&plan).map_err(anyhow::Error::from)?;
        db::generations::show_plan(connection, id, fence, &json, plan.repo_type).await?;
    }
    Ok(pages)
}
