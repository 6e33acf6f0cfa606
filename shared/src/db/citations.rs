//! The table `citations`: where the citations of sections lead at the commit of their generation. Written with the sections.

use std::collections::HashMap;

use sqlx::PgConnection;

use crate::{
    evidence::{Citation, CitationState, PageEvidence},
    ids::GenerationId,
    names::PageSlug,
};

/// Makes the rows of all citations of these pages, whose sections are there already.
pub(super) async fn insert(
    conn: &mut PgConnection,
    generation: GenerationId,
    pages: &[PageEvidence],
) -> sqlx::Result<()> {
    let sections = pages.iter().flat_map(|page| page.sections.iter().map(move |section| (&page.slug, section)));
    let all: Vec<(&PageSlug, u32, i32, &Citation)> = sections
        .flat_map(|(slug, section)| {
            (0..).zip(&section.citations).map(move |(position, citation)| (slug, section.position, position, citation))
        })
        .collect();
    let slugs: Vec<String> = all.iter().map(|(slug, ..)| slug.to_string()).collect();
    let sections: Vec<i32> = all.iter().map(|(_, section, ..)| i32::try_from(*section).unwrap_or(i32::MAX)).collect();
    let positions: Vec<i32> = all.iter().map(|(_, _, position, _)| *position).collect();
    let written: Vec<String> = all.iter().map(|(.., citation)| citation.written.clone()).collect();
    let paths: Vec<String> = all.iter().map(|(.., citation)| citation.path.clone()).collect();
    let line = |line: Option<u32>| line.map(|line| i32::try_from(line).unwrap_or(i32::MAX));
    let firsts: Vec<Option<i32>> = all.iter().map(|(.., citation)| line(citation.lines.map(|lines| lines.0))).collect();
    let lasts: Vec<Option<i32>> = all.iter().map(|(.., citation)| line(citation.lines.map(|lines| lines.1))).collect();
    let hashes: Vec<String> = all.iter().map(|(.., citation)| citation.content_hash.clone()).collect();
    let states: Vec<String> = all.iter().map(|(.., citation)| citation.state.as_str().to_owned()).collect();
    sqlx::query!(
        r#"
        INSERT INTO citations (generation_id, slug, section, position, written, path, first_line, last_line,
                               content_hash, state)
        SELECT $1, new.*
          FROM unnest($2::text[], $3::int[], $4::int[], $5::text[], $6::text[], $7::int[], $8::int[], $9::text[],
                      $10::text[]) AS new
        "#,
        generation as GenerationId,
        &slugs,
        &sections,
        &positions,
        &written,
        &paths,
        &firsts as &[Option<i32>],
        &lasts as &[Option<i32>],
        &hashes,
        &states,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The citations of a generation, or of one of its pages, by page and section, in their order.
pub(super) async fn list(
    conn: &mut PgConnection,
    generation: GenerationId,
    slug: Option<&PageSlug>,
) -> sqlx::Result<HashMap<(PageSlug, u32), Vec<Citation>>> {
    let rows = sqlx::query!(
        r#"
        SELECT slug AS "slug: PageSlug", section, written, path, first_line, last_line, content_hash, state
          FROM citations
         WHERE generation_id = $1 AND ($2::text IS NULL OR slug = $2)
         ORDER BY slug, section, position
        "#,
        generation as GenerationId,
        slug.map(PageSlug::as_str),
    )
    .fetch_all(conn)
    .await?;
    let mut found: HashMap<(PageSlug, u32), Vec<Citation>> = HashMap::new();
    for row in rows {
        found.entry((row.slug, row.section.unsigned_abs())).or_default().push(Citation {
            written: row.written,
            path: row.path,
            lines: lines(row.first_line, row.last_line),
            content_hash: row.content_hash,
            state: state(&row.state),
        });
    }
    Ok(found)
}

pub(super) fn lines(first: Option<i32>, last: Option<i32>) -> Option<(u32, u32)> {
    Some((first?.unsigned_abs(), last?.unsigned_abs()))
}

/// The state that a row names; the table admits no other words.
pub(super) fn state(word: &str) -> CitationState {
    CitationState::ALL.into_iter().find(|state| state.as_str() == word).unwrap_or(CitationState::Unresolved)
}
