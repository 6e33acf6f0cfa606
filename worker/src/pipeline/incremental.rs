//! Stage `incremental_planning`: a site that stands is brought to a new commit. What changed is compared with what its sections
//! stand on; the model is asked only where that cannot decide. Sections that nothing concerns keep their bytes and are not paid.
//!
//! In reading order: `base` (what there is to begin from), `site` (its sections), `assessing` (what changes mean for pages),
//! `merging` (the new plan and what becomes of each page), `deciding` (the one decision, of a run and of a dry run), `page` (one
//! page that is brought up to date), `extracted` (the same for the built-in writer),
//! `anchored` (where citations lead that only moved).

mod base;
mod site;
mod assessing;
mod merging;
mod deciding;
mod page;
mod extracted;
mod anchored;

use std::{collections::BTreeSet, sync::Arc};

use futures_util::FutureExt;
use serde::{Deserialize, Serialize};
use shared::{db, ids::GenerationId, names::PageSlug, plan::Plan, provider::Provider, stage::Stage};

pub(crate) use self::{
    anchored::Anchored,
    assessing::Assessment,
    base::{Base, Compared, compare_all, find as find_base, is_same_tree, is_tree_of_last_good},
    deciding::{Draft, conclude, draft},
    extracted::{OldSite, find_old_site},
    merging::PageStep,
    page::update_page,
    site::load_pages,
};
use super::{StageError, cloning::Pinned, run::Run};
use crate::{
    git::{Change, Checkout},
    steering::Steering,
    writers::{Failure, PlanQuestion, PlanRevision, Writer, retrying},
};

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
    pub(crate) plan: Plan,
    /// What is done about each of its pages, in its order.
    pub(crate) pages: Vec<PageStep>,
    /// What changed.
    changes: Vec<Change>,
    /// Where citations lead now that only moved.
    #[serde(default, skip_serializing_if = "Anchored::is_empty")]
    pub(crate) anchored: Anchored,
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
    if let Some(decided) = run.checkpoint(Stage::IncrementalPlanning)? {
        return Ok(Some(decided));
    }
    let planned: Option<Plan> = run.checkpoint(Stage::Planning)?;
    if planned.is_some() {
        return Ok(None);
    }
    if run.claimed.key.provider == Provider::Builtin {
        // what is extracted is made anew, and put together with what stands afterwards
        return Ok(None);
    }
    let Some(base) = base::find_for(run, writer, steering).await? else { return Ok(None) };
    let compared = base::changes_since(run, pinned, checkout, &base, steering);
    let work = async { decide_about(run, writer, &base, steering, compared.await?).await }.boxed();
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
    if let Some(plan) = run.checkpoint(Stage::Planning)? {
        return Ok(plan);
    }
    for warning in warnings {
        run.warn(warning).await?;
    }
    let (id, fence, plan) = (run.claimed.id, run.claimed.fence, &update.plan);
    let value = serde_json::to_value(plan).map_err(anyhow::Error::from)?;
    let json = serde_json::to_string(plan).map_err(anyhow::Error::from)?;
    let mut transaction = db::begin(&run.worker.config.pool).await?;
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
    compared: Result<Compared, String>,
) -> Result<Decision, StageError> {
    let compared = match compared {
        Ok(compared) => compared,
        Err(reason) => return Ok(Decision::Full { reason }),
    };
    let assessment = match draft(base, &compared) {
        Draft::Full(reason) => return Ok(Decision::Full { reason }),
        Draft::UpToDate => return Ok(Decision::UpToDate),
        Draft::Assessed(assessment) => assessment,
    };
    match ask(run, writer, base, &compared.since_last, &assessment).await? {
        Ok(revision) => Ok(conclude(base, &compared, &assessment, revision, steering)),
        Err(reason) => Ok(Decision::Full { reason }),
    }
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
