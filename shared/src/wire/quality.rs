//! How good the pages of a run are, and why.

use serde::{Deserialize, Serialize};

use crate::{
    db::findings::FindingCounts,
    evidence::{Citation, Counts, Evidence, Finding, Grade, PageEvidence, ScoreCard, SectionEvidence},
    ids::GenerationId,
    names::PageSlug,
};

/// The score card of a run with its figures by page, and findings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct QualityResponse {
    /// The run.
    #[schema(value_type = uuid::Uuid)]
    pub generation_id: GenerationId,
    /// The commit that its pages were held against.
    pub commit_sha: Option<String>,
    /// The grade; `null` when nobody checked the pages.
    pub grade: Option<Grade>,
    /// The figures; `null` when nobody checked the pages.
    pub score: Option<ScoreCard>,
    /// Its pages in the order of the plan; with `page` only that one, with its citations.
    pub pages: Vec<PageQuality>,
    /// How many findings there are; with `page` only those about that page.
    pub finding_counts: SeverityCounts,
    /// `limit` of them behind the first `offset`.
    pub findings: Vec<Finding>,
}

/// How many findings there are of each severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SeverityCounts {
    /// The section goes back to its writer once, and is marked as unverified when it stays.
    pub error: i64,
    /// Weighs on the grade.
    pub warning: i64,
    /// Is only told.
    pub note: i64,
}

/// The figures of one page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PageQuality {
    /// The page.
    #[schema(value_type = String)]
    pub slug: PageSlug,
    /// Sums of its sections.
    pub counts: Counts,
    /// Sections with an open finding of severity `error`.
    pub unverified_sections: usize,
    /// Its sections in order; the first is what stands before the first heading of level 2.
    pub sections: Vec<SectionQuality>,
}

/// The figures of one section.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SectionQuality {
    /// Its place in the page, from 0.
    pub position: u32,
    /// Its heading; empty for the first one.
    pub heading: String,
    /// Whether no finding of severity `error` is open.
    pub verified: bool,
    /// What was counted.
    pub counts: Counts,
    /// US dollars that its text cost, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
    /// Where its citations lead; only where a single page is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub citations: Option<Vec<Citation>>,
}

impl QualityResponse {
    /// What was found out about a run; `evidence.findings` are those that are listed. With citations when a single page is
    /// asked for.
    pub fn new(
        generation_id: GenerationId,
        commit_sha: Option<String>,
        evidence: Evidence,
        counts: FindingCounts,
        with_citations: bool,
    ) -> Self {
        let page = |page| PageQuality::new(page, with_citations);
        Self {
            generation_id,
            commit_sha,
            grade: evidence.score.as_ref().map(|score| score.grade),
            score: evidence.score,
            pages: evidence.pages.into_iter().map(page).collect(),
            finding_counts: SeverityCounts { error: counts.errors, warning: counts.warnings, note: counts.notes },
            findings: evidence.findings,
        }
    }
}

impl PageQuality {
    fn new(page: PageEvidence, with_citations: bool) -> Self {
        let mut counts = Counts::default();
        page.sections.iter().for_each(|section| counts += section.counts);
        Self {
            slug: page.slug,
            counts,
            unverified_sections: page.sections.iter().filter(|section| !section.verified).count(),
            sections: page.sections.into_iter().map(|section| SectionQuality::new(section, with_citations)).collect(),
        }
    }
}

impl SectionQuality {
    fn new(section: SectionEvidence, with_citations: bool) -> Self {
        Self {
            position: section.position,
            heading: section.heading,
            verified: section.verified,
            counts: section.counts,
            cost_usd: section.cost_usd,
            citations: with_citations.then_some(section.citations),
        }
    }
}
