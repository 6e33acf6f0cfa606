//! Stage `rendering`: the site is rendered, written under a folder of its own, and then served, by one change of one row.

use chrono::DateTime;
use shared::{
    db::{self, generations::Finished},
    events,
    generation::State,
    page::Page,
    plan::Plan,
    stage::Stage,
};
use sites::{
    key::SitePrefix,
    publish::publish,
    render::{SiteInfo, render_site},
};

use super::{
    StageError,
    cloning::Pinned,
    excerpts,
    run::Run,
    taking_over::{self, TakenOver},
};
use crate::{deleted_sites, git::Checkout};

/// Renders and publishes what was written, or `taken` over. Not checkpointed: publishing is its own end, and rendering again
/// gives the same bytes.
pub(crate) async fn publish_site(
    run: &Run,
    (pinned, checkout): (&Pinned, &Checkout),
    plan: Plan,
    pages: Vec<Page>,
    taken: Option<&TakenOver>,
) -> Result<(), StageError> {
    run.enter(Stage::Rendering).await?;
    let page_count = i32::try_from(pages.len()).unwrap_or(i32::MAX);
    let info = site_info(run, pinned, taken);
    let prefix = SitePrefix::new(run.claimed.id, run.claimed.fence);
    let store = &run.worker.config.store;
    let written = async {
        let evidence = excerpts::load(run, checkout).await?;
        let render = move || render_site(&plan, &pages, &info, evidence.as_ref());
        let rendering = tokio::task::spawn_blocking(render);
        let files = rendering.await.map_err(anyhow::Error::from)?;
        let published = publish(store, &prefix, &files).await;
        published.map_err(|error| StageError::Fail(format!("the site could not be written: {error}")))
    };
    let switched = match run.unless_stopped(written).await {
        Ok(Ok(_)) => switch(run, pinned, &prefix, page_count, taken).await,
        Ok(Err(error)) | Err(error) => Err(error),
    };
    // only when it is certain that nobody serves it: a commit whose answer was lost may have happened
    if matches!(switched, Err(StageError::Stopped))
        && let Err(error) = store.remove_site(&prefix).await
    {
        tracing::warn!(error = format!("{error:#}"), "cannot remove a site nobody serves");
    }
    switched
}

/// The one change that makes readers see the new site. A variant that is to be replaced goes with it.
async fn switch(
    run: &Run,
    pinned: &Pinned,
    prefix: &SitePrefix,
    page_count: i32,
    taken: Option<&TakenOver>,
) -> Result<(), StageError> {
    let (id, fence, variant) = (run.claimed.id, run.claimed.fence, run.claimed.variant_id);
    let final_stage = taken.map(|_| Stage::UpToDate);
    let finished =
        Finished { site_prefix: Some(prefix.to_string()), commit: pinned.commit.clone(), page_count, final_stage };
    let replaced = taken.filter(|_| run.claimed.request.replace);
    let mut transaction = db::begin(&run.worker.config.pool).await?;
    if let Some(taken) = replaced {
        db::deletions::lock_in_order(&mut transaction, &[variant, taken.variant]).await?;
    }
    db::generations::finish(&mut transaction, id, fence, &finished).await?;
    if let Some(stage) = final_stage {
        events::emit_stage(&mut transaction, variant, id, stage).await?;
    }
    events::emit_state(&mut transaction, variant, id, State::Ready, None).await?;
    let left_files = match replaced {
        Some(taken) => taking_over::replace(run, &mut transaction, taken, &pinned.commit).await?,
        None => Vec::new(),
    };
    transaction.commit().await?;
    tracing::info!(pages = page_count, "ready");
    if let Err(error) = deleted_sites::remove(&run.worker, left_files).await {
        tracing::warn!(error = format!("{error:#}"), "the files of a replaced variant are left to the reaper");
    }
    Ok(())
}

/// The day the run began, or the one that builds are to be dated with.
fn generated_date(run: &Run) -> String {
    let fixed = run.worker.config.recording.source_date_epoch;
    let fixed = fixed.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    fixed.map_or_else(|| run.claimed.started_date.clone(), |time| time.format("%Y-%m-%d").to_string())
}

fn site_info(run: &Run, pinned: &Pinned, taken: Option<&TakenOver>) -> SiteInfo {
    let key = &run.claimed.key;
    // a page says who wrote it, not for whom it was copied
    let (provider, model) = taken.map_or((key.provider, &key.model), |taken| (taken.provider, &taken.model));
    SiteInfo {
        branch: key.branch.clone(),
        commit: pinned.commit.clone(),
        commit_date: pinned.commit_time.format("%Y-%m-%d").to_string(),
        generated_date: generated_date(run),
        provider,
        model: model.clone(),
        source: run.source.web_links(&pinned.commit),
    }
}
