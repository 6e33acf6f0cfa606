//! Stage `incremental_planning`: a site that stands is brought to a new commit. What changed is compared with what pages speak
//! of; the model is asked only where that cannot decide. Pages that nothing concerns are copied byte for byte and not paid.
//!
//! In reading order: `base` (what there is to begin from), `site` (its sections), `assessing` (what changes mean for pages), `merging` (the new plan
//! and what becomes of each page), `page` (one page that is brought up to date).

mod base;
mod site;
mod assessing;
mod merging;
mod page;

use std::{collections::BTreeSet, sync::Arc};

use futures_util::FutureExt;
use serde::{Deserialize, Serialize};
use shared::{db, ids::GenerationId, names::PageSlug, plan::Plan, provider::Provider, stage::Stage};

use self::{
    assessing::{Assessment, assess, new_version},
    base::Base,
    merging::{PageStep, is_unchanged, merge},
};
pub(crate) use self::{base::is_same_tree, page::update_page, site::load_pages};
use super::{StageError, cloning::Pinned, run::Run};
use crate::{
    git::{Change, Checkout},
    steering::Steering,
    writers::{Failure, PlanQuestion, PlanRevision, Writer, retrying},
};

/// Most changed files; above, so much is new that the site is written anew.
const MAX_CHANGES: usize = 3_000;

/// What the stage decides; its checkpoint, so that nothing is asked twice.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub(crate) enum Decision {
    /// Everything is written anew.
    Full {
        /// Why, for the log.
        reason: String,
    },
    /// The site stays as it is.
    UpToDate,
    /// Some pages are written or brought up to date, the others stay.
    Update(Arc<Update>),
}

/// A site that is brought to a new commit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Update {
    /// The run that made the pages there are.
    pub(crate) base: GenerationId,
    /// The plan from now on.
    plan: Plan,
    /// What is done about each of its pages, in its order.
    pages: Vec<PageStep>,
    /// What changed.
    changes: Vec<Change>,
}

impl Update {
    /// The pages whose texts stay: (slug, slug in the base).
    pub(crate) fn kept(&self) -> Vec<(PageSlug, PageSlug)> {
        let kept = self.pages.iter().filter_map(|step| Some((step.slug.clone(), step.kept_from()?.clone())));
        kept.collect()
    }

    /// Whether a page has a text that is to be brought up to date.
    pub(crate) fn is_update(&self, slug: &PageSlug) -> bool {
        self.step(slug).is_some_and(|step| step.from.is_some() && step.changes.is_some())
    }

    fn step(&self, slug: &PageSlug) -> Option<&PageStep> {
        self.pages.iter().find(|step| step.slug == *slug)
    }

    /// The changes that a page has to take in.
    fn changes_of(&self, step: &PageStep) -> Vec<&Change> {
        let paths: BTreeSet<&str> = step.changes.iter().flatten().map(String::as_str).collect();
        self.changes.iter().filter(|change| paths.contains(change.path.as_str())).collect()
    }
}

/// Decides whether a run can begin from the site there is, and how. `None` when there is nothing to begin from.
pub(crate) async fn decide(
    run: &Run,
    pinned: &Pinned,
    checkout: &Checkout,
    writer: &dyn Writer,
    steering: &Steering,
) -> Result<Option<Decision>, StageError> {
    if let Some(decided) = run.checkpoint(Stage::IncrementalPlanning).await? {
        return Ok(Some(decided));
    }
    let planned: Option<Plan> = run.checkpoint(Stage::Planning).await?;
    if planned.is_some() {
        return Ok(None);
    }
    let Some(base) = base::find(run, writer, steering).await? else { return Ok(None) };
    let changes = base::changes_since(run, pinned, checkout, &base, steering);
    let work = async { decide_about(run, writer, &base, steering, changes.await?).await }.boxed();
    let decision = run.stage(Stage::IncrementalPlanning, work).await?;
    match &decision {
        Decision::Full { reason } => tracing::info!(reason, "everything is written anew"),
        Decision::UpToDate => tracing::info!("no page is concerned"),
        Decision::Update(update) => {
            let kept = update.kept().len();
            tracing::info!(changes = update.changes.len(), pages = update.pages.len(), kept, "the site is updated");
        }
    }
    Ok(Some(decision))
}

/// Makes the plan of an update the plan of the run. `warnings` are about what was wished.
pub(crate) async fn adopt_plan(run: &Run, update: &Update, warnings: &[String]) -> Result<Plan, StageError> {
    if let Some(plan) = run.checkpoint(Stage::Planning).await? {
        return Ok(plan);
    }
    for warning in warnings {
        run.warn(warning).await?;
    }
    let (id, fence, plan) = (run.claimed.id, run.claimed.fence, &update.plan);
    let value = serde_json::to_value(plan).map_err(anyhow::Error::from)?;
    let json = serde_json::to_string(plan).map_err(anyhow::Error::from)?;
    let mut transaction = run.worker.config.pool.begin().await?;
    db::generations::save_checkpoint(&mut transaction, id, fence, Stage::Planning, &value).await?;
    db::generations::show_plan(&mut transaction, id, fence, &json, plan.repo_type).await?;
    transaction.commit().await?;
    Ok(plan.clone())
}

async fn decide_about(
    run: &Run,
    writer: &dyn Writer,
    base: &Base,
    steering: &Steering,
    changes: Result<Vec<Change>, String>,
) -> Result<Decision, StageError> {
    let full = |reason: String| Ok(Decision::Full { reason });
    let changes = match changes {
        Ok(changes) => changes,
        Err(reason) => return full(reason),
    };
    if changes.is_empty() {
        return Ok(Decision::UpToDate);
    }
    if changes.len() > MAX_CHANGES {
        return full(format!("{} files changed, at most {MAX_CHANGES} are compared with pages", changes.len()));
    }
    let assessment = assess(&base.pages, &changes);
    let mut revision = match ask(run, writer, base, &changes, &assessment).await? {
        Ok(revision) => revision,
        Err(reason) => return full(reason),
    };
    if let Some(PlanRevision { plan: revised @ Some(_), .. }) = &mut revision {
        if steering.pages_only {
            *revised = None;
        }
        if let Some(plan) = revised {
            // the pages that were wished for stay, whatever the model says
            steering.apply(plan, true);
        }
    }
    let (mut plan, pages) = merge(&base.plan, &assessment, revision);
    if let Some(version) = base.plan.version.as_deref().and_then(|old| new_version(old, &changes)) {
        plan.version = Some(version);
    }
    if is_unchanged(&base.plan, &plan, &pages) {
        return Ok(Decision::UpToDate);
    }
    if let Err(error) = plan.validate() {
        return full(error.to_string());
    }
    Ok(Decision::Update(Arc::new(Update { base: base.generation, plan, pages, changes })))
}

/// Asks the model what sources cannot decide, if there is anything. The inner error is the reason to write everything anew.
async fn ask(
    run: &Run,
    writer: &dyn Writer,
    base: &Base,
    changes: &[Change],
    assessment: &Assessment,
) -> Result<Result<Option<PlanRevision>, String>, StageError> {
    if assessment.questions.is_empty() {
        return Ok(Ok(None));
    }
    let known: BTreeSet<PageSlug> = assessment.affected.keys().cloned().collect();
    let question =
        PlanQuestion { plan: &base.plan, pages: &base.pages, known: &known, changes, questions: &assessment.questions };
    let asked = &question;
    let revise = |context| async move { run.call(writer.revise_plan(&context, asked)).await };
    match retrying(&run.call_context(Stage::IncrementalPlanning), revise).await {
        Ok(revision) => Ok(revision.map(Some)),
        Err(error) if matches!(error.failure, Failure::Protocol | Failure::PromptTooLong | Failure::TurnLimit) => {
            Ok(Err(error.message))
        }
        Err(error) if error.failure == Failure::BudgetLimit => Err(StageError::Fail(error.message)),
        Err(error) => Err(StageError::Fail(format!("planning failed: {error}"))),
    }
}

/// Whether pages of this run are written by a model: what is extracted is extracted anew, which costs nothing.
fn is_by_model(run: &Run) -> bool {
    run.claimed.key.provider != Provider::Builtin
}
