//! The pages of a site as a newer commit is compared with them: their sections, and what these cite.

use std::collections::HashMap;

use shared::{
    citation::found_citations,
    db,
    evidence::{Citation, CitationState, PageEvidence, SectionEvidence},
    ids::GenerationId,
    names::PageSlug,
    section::{self, Section},
};
use sqlx::PgConnection;

use crate::grounding::{
    resolving::hash,
    staleness::{OldPage, OldSection},
};

/// The pages of a run, in the order of its plan.
pub(crate) async fn load_pages(conn: &mut PgConnection, generation: GenerationId) -> sqlx::Result<Vec<OldPage>> {
    let rows = db::pages::list(conn, generation).await?;
    let known = db::sections::list(conn, generation, None).await?;
    let mut known: HashMap<PageSlug, PageEvidence> =
        known.into_iter().map(|evidence| (evidence.slug.clone(), evidence)).collect();
    let pages = rows.into_iter().filter_map(|row| {
        let evidence = known.remove(&row.slug);
        Some(read_page(row.slug, row.markdown.as_deref()?, evidence))
    });
    Ok(pages.collect())
}

/// A page with what was found out about it. A section of which nothing is kept cites the lines that are written in its text.
pub(crate) fn read_page(slug: PageSlug, markdown: &str, evidence: Option<PageEvidence>) -> OldPage {
    let mut sections: Vec<OldSection> = section::sections(markdown).iter().map(read_section).collect();
    let known: HashMap<u32, SectionEvidence> =
        evidence.into_iter().flat_map(|page| page.sections).map(|section| (section.position, section)).collect();
    for section in &mut sections {
        // rows that are about another text say nothing about this one
        if let Some(known) = known.get(&section.position).filter(|known| known.content_hash == section.content_hash) {
            section.citations.clone_from(&known.citations);
            section.identifiers.clone_from(&known.identifiers);
        }
    }
    OldPage { slug, sections }
}

fn read_section(section: &Section<'_>) -> OldSection {
    let found = found_citations(section.text, usize::MAX).into_iter();
    let citations = found.filter_map(|found| {
        let citation = found.citation?;
        Some(Citation {
            written: found.written.to_owned(),
            path: citation.path,
            lines: citation.lines,
            content_hash: String::new(),
            state: CitationState::Exact,
        })
    });
    let mut each_once: Vec<Citation> = Vec::new();
    for citation in citations {
        if !each_once.contains(&citation) {
            each_once.push(citation);
        }
    }
    OldSection {
        position: u32::try_from(section.position).unwrap_or(u32::MAX),
        heading: section.heading.unwrap_or_default().to_owned(),
        content_hash: hash(section.text),
        text: section.text.to_owned(),
        citations: each_once,
        identifiers: Vec::new(),
    }
}
