//! Taking over the pages of another model: when the newest ready variant of the same branch stands at this very commit,
//! nothing is written anew. docsfy does the same and always deletes the older variant; here it stays unless the request
//! says `replace`.

use serde::{Deserialize, Serialize};
use shared::{
    db::{
        self,
        deletions::Outcome,
        generations::{Claimed, Takeover},
    },
    events,
    jobs::is_same_repository,
    names::{CommitSha, ModelId},
    options::RunOptions,
    plan::Plan,
    provider::Provider,
    source::RepoSource,
    stage::Stage,
    variant::VariantKey,
};
use sqlx::PgConnection;

use super::{StageError, cloning::Pinned, gate, run::Run};
use crate::Worker;

/// Whose pages a run has taken over; kept as the checkpoint of [`Stage::UpToDate`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TakenOver {
    /// Primary key of the variant.
    pub(crate) variant: i64,
    /// Who wrote the pages.
    pub(crate) provider: Provider,
    /// With which model.
    pub(crate) model: ModelId,
}

/// Copies plan and pages of the newest ready variant, if they are of the pinned commit. Decided once: a run that was taken
/// over goes on with what its earlier life copied, or with what that began to write itself.
pub(crate) async fn take_over(run: &Run, pinned: &Pinned) -> Result<Option<(TakenOver, Plan)>, StageError> {
    if run.claimed.request.force {
        return Ok(None);
    }
    let planned: Option<Plan> = run.checkpoint(Stage::Planning)?;
    if let Some(taken) = run.checkpoint(Stage::UpToDate)? {
        return Ok(planned.map(|plan| (taken, plan)));
    }
    // who repeats a run from a stage wants this model's own words
    if planned.is_some() || run.claimed.starts_anew() {
        return Ok(None);
    }
    let (key, options) = (&run.claimed.key, &run.claimed.request.options);
    match find_other(&run.worker, key, options, &run.source, pinned.commit.as_str()).await? {
        Some(found) => copy(run, &found).await,
        None => Ok(None),
    }
}

/// The site whose pages a run of this variant would take over at this commit.
pub(crate) async fn find_other(
    worker: &Worker,
    key: &VariantKey,
    options: &RunOptions,
    source: &RepoSource,
    commit: &str,
) -> Result<Option<Takeover>, StageError> {
    let mut connection = worker.config.pool.acquire().await?;
    let found = db::generations::find_takeover(&mut connection, key, options).await?;
    let Some(found) = found.filter(|found| found.commit.as_deref() == Some(commit)) else { return Ok(None) };
    // pages that nobody checked cannot reach a grade
    if gate::asked(worker, options.min_grade).is_some()
        && db::sections::find_grade(&mut connection, found.generation).await?.is_none()
    {
        return Ok(None);
    }
    drop(connection);
    let is_same = RepoSource::from_stored(&found.repo_url).is_ok() && is_same_repository(&found.repo_url, source).await;
    Ok(is_same.then_some(found))
}

/// All of it or nothing: in between the other variant may be deleted or made anew.
async fn copy(run: &Run, found: &Takeover) -> Result<Option<(TakenOver, Plan)>, StageError> {
    let Claimed { id, fence, .. } = run.claimed;
    let mut transaction = db::begin(&run.worker.config.pool).await?;
    let pages = db::pages::take_over(&mut transaction, id, fence, found.generation).await?;
    let kept = db::generations::find_checkpoint(&mut transaction, found.generation, Stage::Planning).await?;
    let plan: Option<Plan> = kept.and_then(|kept| serde_json::from_value(kept).ok());
    let Some(plan) = plan.filter(|plan| plan.pages().count() as u64 == pages) else {
        tracing::debug!(generation.id = %found.generation, "its pages cannot be taken over");
        return Ok(None);
    };
    // who took them over from somebody else did not write them
    let kept = db::generations::find_checkpoint(&mut transaction, found.generation, Stage::UpToDate).await?;
    let written: Option<TakenOver> = kept.and_then(|kept| serde_json::from_value(kept).ok());
    let (provider, model) = written.map_or((found.provider, found.model.clone()), |by| (by.provider, by.model));
    let taken = TakenOver { variant: found.variant_id, provider, model };
    let json = |value: serde_json::Result<serde_json::Value>| value.map_err(anyhow::Error::from);
    let (plan_value, taken_value) = (json(serde_json::to_value(&plan))?, json(serde_json::to_value(&taken))?);
    db::generations::save_checkpoint(&mut transaction, id, fence, Stage::Planning, &plan_value).await?;
    db::generations::save_checkpoint(&mut transaction, id, fence, Stage::UpToDate, &taken_value).await?;
    let plan_json = serde_json::to_string(&plan).map_err(anyhow::Error::from)?;
    db::generations::show_plan(&mut transaction, id, fence, &plan_json, plan.repo_type).await?;
    transaction.commit().await?;
    tracing::info!(pages, provider = %taken.provider, model = %taken.model, "took over the pages of another model");
    Ok(Some((taken, plan)))
}

/// Deletes the variant whose pages were taken over, as a part of the run's last transaction; gives the folders that are left
/// to remove. One that is being made anew, or stands at another commit by now, stays.
pub(crate) async fn replace(
    run: &Run,
    connection: &mut PgConnection,
    taken: &TakenOver,
    commit: &CommitSha,
) -> Result<Vec<String>, StageError> {
    let scope = db::variants::Scope::Owner(&run.claimed.key.owner);
    let Some(row) = db::variants::find(connection, scope, taken.variant).await? else {
        return Ok(Vec::new());
    };
    let outcome = if row.last_commit_sha.as_deref() == Some(commit.as_str()) {
        db::deletions::delete_replaced(connection, &row.owner, row.id).await?
    } else {
        Outcome::Active
    };
    match outcome {
        Outcome::Deleted(prefixes) => {
            tracing::info!(variant = %row.key(), "the older variant is replaced");
            Ok(prefixes)
        }
        Outcome::Missing => Ok(Vec::new()),
        Outcome::Active => {
            let message = format!("`{}` was not replaced: it is being generated, or has changed meanwhile", row.key());
            tracing::warn!(message, "run");
            events::emit_warning(connection, run.claimed.variant_id, run.claimed.id, &message).await?;
            Ok(Vec::new())
        }
    }
}
