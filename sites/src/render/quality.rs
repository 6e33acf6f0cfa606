//! The quality page: the score card, what its figures mean, and what was found, page by page; and the line on every page that
//! leads to it.

use askama::Template;
use shared::{
    evidence::{Counts, Finding, Grade, ScoreCard},
    grading,
};

use super::{
    assets::Assets,
    evidence::counts_of,
    markdown::RenderedPage,
    page::{Frame, frame, render},
    site::Site,
    unverified::prose_html,
};

/// Most findings that are listed of one page, and of the site.
const MAX_PAGE_FINDINGS: usize = 20;
const MAX_SITE_FINDINGS: usize = 500;

/// What the line on a page says.
pub(crate) struct Checked {
    pub(crate) href: String,
    pub(crate) citations: String,
    pub(crate) unverified: String,
}

/// A figure of the score card.
struct Figure {
    name: &'static str,
    value: String,
    /// What it is worth; nothing for what is only told.
    points: Option<u8>,
    meaning: &'static str,
}

/// What is known about a page, or about the whole site.
struct PageReport {
    /// Empty for the whole site.
    slug: String,
    title: String,
    citations: String,
    unverified: usize,
    findings: Vec<Told>,
    left_out: usize,
}

/// A finding as readers see it.
struct Told {
    severity: &'static str,
    rule: &'static str,
    href: String,
    heading: String,
    message: String,
    fix: String,
}

#[derive(Template)]
#[template(path = "quality.html")]
struct QualityTemplate<'a> {
    frame: Frame<'a>,
    grade: &'static str,
    points: String,
    figures: Vec<Figure>,
    formula: String,
    reports: Vec<PageReport>,
}

/// The quality page; no page of a plan may have this name.
pub(crate) const FILE: &str = "quality.html";

/// The address of the quality page and the grade, for sites that were checked.
pub(crate) fn link(site: &Site<'_>) -> Option<(&'static str, &'static str)> {
    score(site).map(|score| (FILE, score.grade.as_str()))
}

fn score<'a>(site: &Site<'a>) -> Option<&'a ScoreCard> {
    site.evidence.and_then(|evidence| evidence.found.score.as_ref())
}

/// What a page says about itself; nothing when it was not checked.
pub(crate) fn checked(site: &Site<'_>, position: usize) -> Option<Checked> {
    let evidence = site.pages[position].evidence?;
    let (href, _) = link(site)?;
    let counts = counts_of(evidence);
    let doubtful = evidence.sections.iter().filter(|section| !section.verified).count();
    let sections = evidence.sections.len();
    Some(Checked {
        href: format!("{href}#_dm-p-{}", site.pages[position].slug()),
        citations: match counts.citations {
            0 => "no citations".to_owned(),
            1 => format!("{} of 1 citation resolves", counts.resolved),
            all => format!("{} of {all} citations resolve", counts.resolved),
        },
        unverified: match doubtful {
            0 => String::new(),
            1 => format!("1 of {sections} sections is unverified"),
            many => format!("{many} of {sections} sections are unverified"),
        },
    })
}

/// The quality page; nothing when the site was not checked.
pub(crate) fn quality_html(site: &Site<'_>, assets: &Assets, rendered: &[RenderedPage]) -> Option<String> {
    let score = score(site)?;
    Some(render(&QualityTemplate {
        frame: frame(site, assets, "How well this documentation is backed by the source code."),
        grade: score.grade.as_str(),
        points: number(score.points),
        figures: figures(score),
        formula: formula(),
        reports: reports(site, rendered),
    }))
}

fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// A share and what it is a share of.
fn share(percent: Option<f64>, part: u32, whole: u32) -> String {
    percent
        .map_or_else(|| "nothing to count".to_owned(), |percent| format!("{} % ({part} of {whole})", number(percent)))
}

fn figures(score: &ScoreCard) -> Vec<Figure> {
    let Counts { citations, resolved, supportable, supported, names, known_names, code_lines, verbatim_lines, .. } =
        score.counts;
    let figure = |name, value, points, meaning| Figure { name, value, points, meaning };
    vec![
        figure(
            "Citations per 1,000 words",
            number(score.citations_per_1000_words),
            Some(grading::DENSITY),
            "how often the text says where it comes from",
        ),
        figure(
            "Median width of a citation",
            score.median_width.map_or_else(|| "nothing to count".to_owned(), lines),
            None,
            "the narrower, the easier to check",
        ),
        figure(
            "Citations that resolve",
            share(score.valid_percent, resolved, citations),
            Some(grading::VALID),
            "file and lines exist",
        ),
        figure(
            "Support",
            share(score.support_percent, supported, supportable),
            Some(grading::SUPPORT),
            "names that stand in the lines that their section cites",
        ),
        figure(
            "Names that exist",
            share(score.names_percent, known_names, names),
            Some(grading::NAMES),
            "names in code type that the repository knows",
        ),
        figure(
            "Verbatim code",
            share(score.verbatim_percent, verbatim_lines, code_lines),
            Some(grading::VERBATIM),
            "lines of quoted code that stand in their source",
        ),
        figure(
            "Coverage",
            score
                .coverage_percent
                .map_or_else(|| "nothing to count".to_owned(), |percent| format!("{} %", number(percent))),
            Some(grading::COVERAGE),
            "public names, flags, settings and routes that a page mentions",
        ),
        figure("Broken links", score.broken_links.to_string(), Some(grading::LINKS), "between pages of this site"),
        figure(
            "Unverified sections",
            format!("{} of {}", score.unverified_sections, score.sections),
            Some(grading::VERIFIED),
            "with something that could not be confirmed; marked in the text",
        ),
    ]
}

fn lines(count: u32) -> String {
    format!("{count} line{}", if count == 1 { "" } else { "s" })
}

/// What the points make, in short.
fn formula() -> String {
    let grades: Vec<String> = Grade::ALL
        .into_iter()
        .map(|grade| match grade.least_points() {
            0 => format!("{grade} below"),
            least => format!("{grade} from {least}"),
        })
        .collect();
    format!(
        "The grade is made of points: {}. The table says how many of 100 a figure is worth; what has nothing to count \
         does not weigh. Warnings take up to {} away. Without citations that resolve there are at most {}.",
        grades.join(", "),
        grading::MOST_FOR_WARNINGS,
        grading::MOST_WITHOUT_CITATIONS
    )
}

/// The whole site first, then its pages in reading order.
fn reports(site: &Site<'_>, rendered: &[RenderedPage]) -> Vec<PageReport> {
    let Some(evidence) = site.evidence else { return Vec::new() };
    let mut listed_left = MAX_SITE_FINDINGS;
    let mut reports = Vec::new();
    let of_page = |slug: Option<&str>| -> Vec<&Finding> {
        let about = |finding: &&Finding| finding.page.as_ref().map(shared::names::PageSlug::as_str) == slug;
        evidence.found.findings.iter().filter(about).collect()
    };
    let about_site = of_page(None);
    if !about_site.is_empty() {
        let (findings, left_out) = tell(&about_site, &mut listed_left, |_| (String::new(), String::new()));
        let title = "The whole site".to_owned();
        let (slug, citations) = (String::new(), String::new());
        reports.push(PageReport { slug, title, citations, unverified: 0, findings, left_out });
    }
    for (page, result) in site.pages.iter().zip(rendered) {
        let Some(known) = page.evidence else { continue };
        let (findings, left_out) = tell(&of_page(Some(page.slug())), &mut listed_left, |finding| {
            let position = finding.section.unwrap_or_default();
            let section = known.sections.iter().find(|section| section.position == position);
            let heading = section.map(|section| section.heading.clone()).unwrap_or_default();
            let id = result.section_ids.get(&position);
            let fragment = id.map(|id| format!("#{}", super::escape::encode_url(id))).unwrap_or_default();
            (format!("{}.html{fragment}", page.slug()), if id.is_some() { heading } else { String::new() })
        });
        let counts = counts_of(known);
        reports.push(PageReport {
            slug: page.slug().to_owned(),
            title: page.title(),
            citations: format!("{} of {}", counts.resolved, counts.citations),
            unverified: known.sections.iter().filter(|section| !section.verified).count(),
            findings,
            left_out,
        });
    }
    reports
}

/// The gravest findings of a page, as many as there is room for, and how many are left out.
fn tell(findings: &[&Finding], room: &mut usize, place: impl Fn(&Finding) -> (String, String)) -> (Vec<Told>, usize) {
    let mut sorted: Vec<&&Finding> = findings.iter().collect();
    sorted.sort_by_key(|finding| (finding.severity, finding.section));
    let count = sorted.len().min(MAX_PAGE_FINDINGS).min(*room);
    *room -= count;
    let told = sorted[..count].iter().map(|finding| {
        let (href, heading) = place(finding);
        Told {
            severity: finding.severity.as_str(),
            rule: finding.rule.as_str(),
            href,
            heading,
            message: prose_html(&finding.message),
            fix: prose_html(&finding.fix),
        }
    });
    (told.collect(), findings.len() - count)
}
