//! The score card of a site: shares that anybody can count again, and one grade made of them (`docs/quality.md`).

use shared::{
    evidence::{CitationState, Counts, Finding, Grade, PageEvidence, ScoreCard, Severity},
    grading,
};

/// Citations that resolve per 1,000 words below which pages count as having none.
const NEXT_TO_NO_CITATIONS: f64 = 1.0;
/// Citations per 1,000 words that are enough.
const ENOUGH_CITATIONS: f64 = 10.0;
/// Share of identifiers in the cited lines that is enough.
const ENOUGH_SUPPORT: f64 = 0.75;
/// Share of what the project offers that is enough.
const ENOUGH_COVERAGE: f64 = 0.5;

/// Counts what was found. `coverage_percent` is the share of what the project offers that a page mentions; `has_repository`
/// says whether the pages were held against one.
pub(crate) fn score(
    pages: &[PageEvidence],
    findings: &[Finding],
    coverage_percent: Option<f64>,
    has_repository: bool,
) -> ScoreCard {
    let mut counts = Counts::default();
    let mut sections = 0;
    let mut unverified = 0;
    let mut widths = Vec::new();
    for section in pages.iter().flat_map(|page| &page.sections) {
        counts += section.counts;
        sections += 1;
        unverified += u32::from(!section.verified);
        let resolved = section.citations.iter().filter(|citation| citation.state != CitationState::Unresolved);
        widths
            .extend(resolved.filter_map(|citation| citation.lines).map(|(first, last)| last.saturating_sub(first) + 1));
    }
    widths.sort_unstable();
    let warnings = findings.iter().filter(|finding| finding.severity == Severity::Warning).count();
    let mut card = ScoreCard {
        counts,
        citations_per_1000_words: rounded(per_1000(counts.citations, counts.words)),
        median_width: widths.get(widths.len() / 2).copied(),
        valid_percent: percent(counts.resolved, counts.citations),
        support_percent: percent(counts.supported, counts.supportable),
        names_percent: percent(counts.known_names, counts.names),
        verbatim_percent: percent(counts.verbatim_lines, counts.code_lines),
        coverage_percent: coverage_percent.map(rounded),
        broken_links: counts.broken_links,
        sections,
        unverified_sections: unverified,
        points: 0.0,
        grade: Grade::F,
    };
    card.points = rounded(points(&card, u32::try_from(warnings).unwrap_or(u32::MAX), has_repository));
    card.grade = Grade::of_points(card.points);
    card
}

/// A share of the points: how many, and how much of them was reached; none when there was nothing to count.
type Part = (u8, Option<f64>);

/// The formula of `docs/quality.md`.
fn points(card: &ScoreCard, warnings: u32, has_repository: bool) -> f64 {
    let counts = &card.counts;
    if counts.words == 0 || card.sections == 0 {
        return 0.0;
    }
    let of = |part: u32, whole: u32| (whole > 0).then(|| f64::from(part) / f64::from(whole));
    let sections = f64::from(card.sections);
    let density = per_1000(counts.resolved, counts.words) / ENOUGH_CITATIONS;
    let valid = of(counts.resolved, counts.citations).unwrap_or(0.0);
    let support = match of(counts.supported, counts.supportable) {
        Some(share) => Some(share / ENOUGH_SUPPORT),
        None if counts.resolved == 0 => Some(0.0),
        None => None,
    };
    let traced: [Part; 3] =
        [(grading::VALID, Some(valid)), (grading::SUPPORT, support), (grading::DENSITY, Some(density))];
    let others: [Part; 5] = [
        (grading::NAMES, of(counts.known_names, counts.names).map(|share| 1.0 - 5.0 * (1.0 - share))),
        (grading::VERIFIED, Some(1.0 - f64::from(card.unverified_sections) / sections)),
        (grading::LINKS, of(counts.broken_links, counts.links).map(|share| 1.0 - 10.0 * share)),
        (grading::VERBATIM, of(counts.verbatim_lines, counts.code_lines)),
        (grading::COVERAGE, card.coverage_percent.map(|percent| percent / 100.0 / ENOUGH_COVERAGE)),
    ];
    let parts = traced.iter().filter(|_| has_repository).chain(&others);
    let counted =
        parts.filter_map(|(weight, reached)| reached.map(|reached| (f64::from(*weight), reached.clamp(0.0, 1.0))));
    let (reached, all) = counted.fold((0.0, 0.0), |(sum, all), (weight, share)| (sum + weight * share, all + weight));
    let penalty = f64::from(grading::MOST_FOR_WARNINGS) * (f64::from(warnings) / sections).min(1.0);
    let is_untraced = per_1000(counts.resolved, counts.words) < NEXT_TO_NO_CITATIONS;
    let most = match (has_repository, is_untraced) {
        (false, _) => grading::MOST_WITHOUT_REPOSITORY,
        (true, true) => grading::MOST_WITHOUT_CITATIONS,
        (true, false) => 100,
    };
    (100.0 * reached / all - penalty).clamp(0.0, f64::from(most))
}

fn per_1000(part: u32, words: u32) -> f64 {
    if words == 0 { 0.0 } else { f64::from(part) * 1_000.0 / f64::from(words) }
}

fn percent(part: u32, whole: u32) -> Option<f64> {
    (whole > 0).then(|| rounded(f64::from(part) * 100.0 / f64::from(whole)))
}

/// One digit behind the point.
fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
