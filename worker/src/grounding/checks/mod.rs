//! The rules of the validating stage: pages are held against the index of the repository, without a model and without the
//! network. The same pages and the same index always give the same findings; no text makes them fail.
//!
//! A finding of severity `error` sends a section back to its writer and marks it for readers when it stays, so the first aim
//! of every rule is to accuse no truthful text: a name is only accused when it stands nowhere in the repository in any
//! spelling, a number only when it stands beside a citation and not in the cited lines.

mod document;
mod fences;
mod spans;
mod project;
mod folder;
mod scene;
mod citations;
mod support;
mod names;
mod verbatim;
mod commands;
mod numbers;
mod links;
mod structure;
mod language;
mod repetition;
mod coverage;

use shared::{
    evidence::{Finding, PageEvidence, Rule, ScoreCard, SectionEvidence, Severity},
    names::PageSlug,
    options::LanguageTag,
    plan::Plan,
};

use self::{
    document::Document,
    scene::{Findings, Scene},
};
pub(crate) use self::{
    folder::{DocsFolder, FolderTarget},
    links::decode,
    structure::is_thin,
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
    /// The folder that the pages come from, when they are no pages of docmill.
    pub(crate) folder: Option<DocsFolder>,
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
    let documents: Vec<Document<'_>> = pages.into_iter().map(Document::parse).collect();
    let scene = Scene::new(index, plan, &documents, options);
    let mut findings = Findings::default();
    let coverage = run_rules(&scene, &mut findings);
    let (findings, counts) = findings.finish(&scene);
    let mut pages: Vec<PageEvidence> = Vec::with_capacity(documents.len());
    for (page, document) in documents.into_iter().enumerate() {
        let mut sections = document.sections;
        for (place, section) in (0_u32..).zip(&mut sections) {
            section.counts = counts.get(&(page, place)).copied().unwrap_or_default();
            section.verified = true;
        }
        pages.push(PageEvidence { slug: document.slug.clone(), sections });
    }
    mark_unverified(&mut pages, &findings);
    let score = scoring::score(&pages, &findings, coverage, !index.files().is_empty());
    Checked { pages, findings, score }
}

/// Rules (a) to (h) in order; gives the share of what the project offers that is mentioned.
fn run_rules(scene: &Scene<'_>, findings: &mut Findings) -> Option<f64> {
    // without a repository nothing can be held against it
    if !scene.index.files().is_empty() {
        citations::check(scene, findings);
        support::check(scene, findings);
        names::check(scene, findings);
        verbatim::check(scene, findings);
        commands::check(scene, findings);
        numbers::check(scene, findings);
    }
    links::check(scene, findings);
    structure::check(scene, findings);
    repetition::check(scene, findings);
    coverage::check(scene, findings)
}

/// A section with an error is not verified; what is wrong with a whole page is a matter of its beginning.
fn mark_unverified(pages: &mut [PageEvidence], findings: &[Finding]) {
    for finding in findings.iter().filter(|finding| finding.severity == Severity::Error) {
        let page = pages.iter_mut().find(|page| Some(&page.slug) == finding.page.as_ref());
        let place = usize::try_from(finding.section.unwrap_or_default()).unwrap_or(usize::MAX);
        if let Some(section) = page.and_then(|page| page.sections.get_mut(place)) {
            section.verified = false;
        }
    }
}

/// Whether a page with this finding must not be published: it is no page, or talks to its writer.
pub(crate) fn is_fatal(finding: &Finding) -> bool {
    finding.rule == Rule::Structure && finding.severity == Severity::Error && structure::is_fatal(&finding.message)
}

#[cfg(test)]
mod tests;
