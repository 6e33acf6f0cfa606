//! The score card of a site: shares that anybody can count again, and one grade made of them (`docs/quality.md`).

use shared::evidence::{Counts, Finding, Grade, PageEvidence, ScoreCard};

/// Counts what was found. `coverage_percent` is the share of what the project offers that a page mentions.
pub(crate) fn score(pages: &[PageEvidence], findings: &[Finding], coverage_percent: Option<f64>) -> ScoreCard {
    let _ = findings;
    let mut counts = Counts::default();
    pages.iter().flat_map(|page| &page.sections).for_each(|section| counts += section.counts);
    ScoreCard {
        counts,
        citations_per_1000_words: 0.0,
        median_width: None,
        valid_percent: None,
        support_percent: None,
        names_percent: None,
        verbatim_percent: None,
        coverage_percent,
        broken_links: counts.broken_links,
        sections: 0,
        unverified_sections: 0,
        points: 0.0,
        grade: Grade::of_points(0.0),
    }
}
