//! What an update does, from what is known and what a model said: the one decision that a run carries out and a dry run
//! tells. Pure.

use std::sync::Arc;

use super::{
    Anchored, Decision, Update,
    assessing::{Assessment, assess, new_version},
    base::{Base, Compared},
    merging::{is_unchanged, merge},
};
use crate::{steering::Steering, writers::PlanRevision};

/// Most changed files; above, so much is new that the site is written anew.
const MAX_CHANGES: usize = 3_000;

/// What is known before a model is asked.
pub(crate) enum Draft {
    /// Everything is written anew, and why.
    Full(String),
    /// The site stays as it is.
    UpToDate,
    /// Sections have to be written again, or a model has to be asked.
    Assessed(Assessment),
}

/// Decides what can be decided without a model.
pub(crate) fn draft(base: &Base, compared: &Compared) -> Draft {
    let count = compared.since_site.len().max(compared.since_last.len());
    if count == 0 {
        return Draft::UpToDate;
    }
    if count > MAX_CHANGES {
        return Draft::Full(format!("{count} files changed, at most {MAX_CHANGES} are compared with pages"));
    }
    Draft::Assessed(assess(&base.pages, compared))
}

/// Decides, with what a model said when it was asked.
pub(crate) fn conclude(
    base: &Base,
    compared: &Compared,
    assessment: &Assessment,
    mut revision: Option<PlanRevision>,
    steering: &Steering,
) -> Decision {
    if let Some(PlanRevision { plan: revised @ Some(_), .. }) = &mut revision {
        if steering.pages_only {
            *revised = None;
        }
        if let Some(plan) = revised {
            // the pages that were wished for stay, whatever the model says
            steering.apply(plan, true);
        }
    }
    let (mut plan, pages) = merge(&base.plan, assessment, revision);
    if let Some(version) = base.plan.version.as_deref().and_then(|old| new_version(old, &compared.since_site)) {
        plan.version = Some(version);
    }
    if is_unchanged(&base.plan, &plan, &pages) {
        return Decision::UpToDate;
    }
    if let Err(error) = plan.validate() {
        return Decision::Full { reason: error.to_string() };
    }
    let (changes, anchored) = (compared.since_site.clone(), Anchored::of(&compared.judged));
    Decision::Update(Arc::new(Update { base: base.generation, plan, pages, changes, anchored }))
}
