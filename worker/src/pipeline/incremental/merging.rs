//! The new plan, and what becomes of each page: from the old plan, what is known without asking, and what the model said.
//! Pure.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use shared::{inspection::ListedSection, names::PageSlug, plan::Plan};

use super::assessing::Assessment;
use crate::writers::PlanRevision;

/// What is done about one page of the new plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PageStep {
    /// The page.
    pub(crate) slug: PageSlug,
    /// Which page of the base it comes from; none for a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<PageSlug>,
    /// The changes it has to take in, by path; none when it stays as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) changes: Option<Vec<String>>,
    /// The sections that are written again, when it is not the whole page that takes them in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sections: Option<Vec<ListedSection>>,
}

impl PageStep {
    /// The page of the base whose text it keeps.
    pub(crate) fn kept_from(&self) -> Option<&PageSlug> {
        self.from.as_ref().filter(|_| self.changes.is_none())
    }
}

/// The plan to go on with and what to do about its pages, in its order.
pub(super) fn merge(base: &Plan, assessment: &Assessment, revision: Option<PlanRevision>) -> (Plan, Vec<PageStep>) {
    let revision = revision.unwrap_or_default();
    let Some(revised) = revision.plan.as_ref() else {
        return (base.clone(), steps_of(base, base, assessment, &revision));
    };
    let mut plan = Plan {
        navigation: revised.navigation.clone(),
        version: revised.version.clone().or_else(|| base.version.clone()),
        ..base.clone()
    };
    for page in plan.navigation.iter_mut().flat_map(|group| &mut group.pages) {
        // a model that gives the plan again gives it in other words: those of a page that is not touched stay
        if let Some(old) = base.page(&page.slug).filter(|_| !revision.affected.contains(&page.slug)) {
            *page = old.clone();
        }
    }
    let gone = base.pages().filter(|page| plan.page(&page.slug).is_none());
    let redirects: Vec<_> = gone.map(|page| (page.slug.clone(), revision.renamed.get(&page.slug).cloned())).collect();
    plan.redirect(redirects);
    let steps = steps_of(base, &plan, assessment, &revision);
    (plan, steps)
}

fn steps_of(base: &Plan, plan: &Plan, assessment: &Assessment, revision: &PlanRevision) -> Vec<PageStep> {
    let mut came_from: HashMap<&PageSlug, Vec<&PageSlug>> = HashMap::new();
    for old in base.pages().map(|page| &page.slug).filter(|old| plan.page(old).is_none()) {
        if let Some(new) = revision.renamed.get(old) {
            came_from.entry(new).or_default().push(old);
        }
    }
    let step = |slug: &PageSlug| {
        let merged = came_from.get(slug).map_or(&[][..], Vec::as_slice);
        let from = base.page(slug).map(|page| &page.slug).or_else(|| merged.first().copied());
        let Some(from) = from else {
            return PageStep { slug: slug.clone(), from: None, changes: None, sections: None };
        };
        let mut changes: BTreeSet<String> = BTreeSet::new();
        let mut is_affected = false;
        for old in merged.iter().copied().chain([from]) {
            if let Some(paths) = assessment.affected.get(old) {
                is_affected = true;
                changes.extend(paths.iter().cloned());
            }
        }
        let named = [slug, from].into_iter().any(|slug| revision.affected.contains(slug));
        let has_other_title = base.page(from).map(|page| &page.title) != plan.page(slug).map(|page| &page.title);
        let has_taken_in_others = merged.iter().any(|old| *old != from);
        if named || has_taken_in_others {
            // what made the model name it is among what no page speaks of yet
            changes.extend(assessment.uncited.iter().cloned());
        }
        let is_whole = named || has_other_title || has_taken_in_others;
        is_affected |= is_whole;
        let changes = is_affected.then(|| changes.into_iter().collect());
        let sections = assessment.listed.get(from).filter(|_| !is_whole).cloned();
        PageStep { slug: slug.clone(), from: Some(from.clone()), changes, sections }
    };
    plan.pages().map(|page| step(&page.slug)).collect()
}

/// Whether the site stays as it is.
pub(super) fn is_unchanged(base: &Plan, plan: &Plan, steps: &[PageStep]) -> bool {
    base == plan && steps.iter().all(|step| step.kept_from() == Some(&step.slug))
}
