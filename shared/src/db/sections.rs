//! The table `sections`: what was found out about each section of a generation's pages. Its text is cut out of `pages.markdown`.

use std::collections::HashMap;

use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::PgConnection;

use super::{WriteError, citations, findings, one_row};
use crate::{
    evidence::{Citation, Counts, Evidence, Grade, PageEvidence, ScoreCard, SectionEvidence},
    ids::GenerationId,
    names::PageSlug,
};

/// Keeps everything that the validating stage found out, in place of what an earlier life of it found. The caller's
/// transaction should hold nothing else; it fails with `Lost` when the run is not this worker's any more.
pub async fn save(
    conn: &mut PgConnection,
    generation: GenerationId,
    fence: i64,
    evidence: &Evidence,
) -> Result<(), WriteError> {
    let card = evidence.score.as_ref();
    let score = card.map(|card| serde_json::to_value(card).expect("it is made of numbers and words"));
    let rows = sqlx::query!(
        r#"
        UPDATE generations SET score = $3, grade = $4 WHERE id = $1 AND fence = $2 AND state = 'running'
        "#,
        generation as GenerationId,
        fence,
        score,
        card.map(|card| card.grade.as_str()),
    )
    .execute(&mut *conn)
    .await?;
    one_row(rows.rows_affected())?;
    // citations go with their sections
    sqlx::query!("DELETE FROM sections WHERE generation_id = $1", generation as GenerationId)
        .execute(&mut *conn)
        .await?;
    insert(conn, generation, &evidence.pages).await?;
    citations::insert(conn, generation, &evidence.pages).await?;
    findings::replace(conn, generation, &evidence.findings).await?;
    Ok(())
}

async fn insert(conn: &mut PgConnection, generation: GenerationId, pages: &[PageEvidence]) -> sqlx::Result<()> {
    let all = || pages.iter().flat_map(|page| page.sections.iter().map(move |section| (&page.slug, section)));
    let slugs: Vec<String> = all().map(|(slug, _)| slug.to_string()).collect();
    let positions: Vec<i32> = all().map(|(_, section)| number(section.position)).collect();
    let headings: Vec<String> = all().map(|(_, section)| section.heading.clone()).collect();
    let first_bytes: Vec<i32> = all().map(|(_, section)| number(section.bytes.0)).collect();
    let end_bytes: Vec<i32> = all().map(|(_, section)| number(section.bytes.1)).collect();
    let hashes: Vec<String> = all().map(|(_, section)| section.content_hash.clone()).collect();
    let identifiers: Vec<Value> = all().map(|(_, section)| Value::from(section.identifiers.clone())).collect();
    let counts: Vec<Value> =
        all().map(|(_, section)| serde_json::to_value(section.counts).expect("it is made of numbers")).collect();
    let verified: Vec<bool> = all().map(|(_, section)| section.verified).collect();
    let costs: Vec<Option<f64>> = all().map(|(_, section)| section.cost_usd).collect();
    sqlx::query!(
        r#"
        INSERT INTO sections (generation_id, slug, position, heading, first_byte, end_byte, content_hash, identifiers,
                              counts, verified, cost_usd)
        SELECT $1, new.*
          FROM unnest($2::text[], $3::int[], $4::text[], $5::int[], $6::int[], $7::text[], $8::jsonb[], $9::jsonb[],
                      $10::bool[], $11::float8[]) AS new
        "#,
        generation as GenerationId,
        &slugs,
        &positions,
        &headings,
        &first_bytes,
        &end_bytes,
        &hashes,
        &identifiers,
        &counts,
        &verified,
        &costs as &[Option<f64>],
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Copies what is known of a run's pages to a run that has the same pages. A page that is not copied has no rows.
pub async fn copy(conn: &mut PgConnection, to: GenerationId, from: GenerationId) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        INSERT INTO sections (generation_id, slug, position, heading, first_byte, end_byte, content_hash, identifiers,
                              counts, verified, cost_usd)
        SELECT $1, s.slug, s.position, s.heading, s.first_byte, s.end_byte, s.content_hash, s.identifiers, s.counts,
               s.verified, s.cost_usd
          FROM sections s JOIN pages p ON p.generation_id = $1 AND p.slug = s.slug
         WHERE s.generation_id = $2
        "#,
        to as GenerationId,
        from as GenerationId,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        r#"
        INSERT INTO citations (generation_id, slug, section, position, written, path, first_line, last_line,
                               content_hash, state)
        SELECT $1, c.slug, c.section, c.position, c.written, c.path, c.first_line, c.last_line, c.content_hash, c.state
          FROM citations c
          JOIN sections s ON s.generation_id = $1 AND s.slug = c.slug AND s.position = c.section
         WHERE c.generation_id = $2
        "#,
        to as GenerationId,
        from as GenerationId,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        r#"
        INSERT INTO findings (generation_id, position, slug, section, rule, severity, message, evidence, fix)
        SELECT $1, position, slug, section, rule, severity, message, evidence, fix
          FROM findings WHERE generation_id = $2
        "#,
        to as GenerationId,
        from as GenerationId,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        r#"
        UPDATE generations g SET score = old.score, grade = old.grade FROM generations old WHERE g.id = $1 AND old.id = $2
        "#,
        to as GenerationId,
        from as GenerationId,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What is known of a generation's pages, in the order of its plan; empty when nobody checked them. With a slug only that page.
pub async fn list(
    conn: &mut PgConnection,
    generation: GenerationId,
    slug: Option<&PageSlug>,
) -> sqlx::Result<Vec<PageEvidence>> {
    let rows = sqlx::query!(
        r#"
        SELECT s.slug AS "slug: PageSlug", s.position, s.heading, s.first_byte, s.end_byte, s.content_hash,
               s.identifiers, s.counts, s.verified, s.cost_usd
          FROM sections s JOIN pages p ON p.generation_id = s.generation_id AND p.slug = s.slug
         WHERE s.generation_id = $1 AND ($2::text IS NULL OR s.slug = $2)
         ORDER BY p.position, s.slug, s.position
        "#,
        generation as GenerationId,
        slug.map(PageSlug::as_str),
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut citations: HashMap<(PageSlug, u32), Vec<Citation>> = citations::list(conn, generation, slug).await?;
    let mut pages: Vec<PageEvidence> = Vec::new();
    for row in rows {
        if pages.last().is_none_or(|page| page.slug != row.slug) {
            pages.push(PageEvidence { slug: row.slug.clone(), sections: Vec::new() });
        }
        let position = row.position.unsigned_abs();
        let section = SectionEvidence {
            position,
            heading: row.heading,
            bytes: (row.first_byte.unsigned_abs(), row.end_byte.unsigned_abs()),
            content_hash: row.content_hash,
            identifiers: read(row.identifiers),
            citations: citations.remove(&(row.slug, position)).unwrap_or_default(),
            counts: read::<Counts>(row.counts),
            verified: row.verified,
            cost_usd: row.cost_usd,
        };
        pages.last_mut().expect("it was just pushed").sections.push(section);
    }
    Ok(pages)
}

/// What was found out about a generation; `None` when nobody checked it or there is no such run.
pub async fn find_evidence(conn: &mut PgConnection, generation: GenerationId) -> sqlx::Result<Option<Evidence>> {
    let Some(score) = find_score(conn, generation).await? else { return Ok(None) };
    let pages = list(conn, generation, None).await?;
    let findings = findings::list(conn, generation, None).await?;
    Ok(Some(Evidence { pages, findings, score: Some(score) }))
}

/// The score card of a generation, if it was checked.
pub async fn find_score(conn: &mut PgConnection, generation: GenerationId) -> sqlx::Result<Option<ScoreCard>> {
    let score = sqlx::query_scalar!("SELECT score FROM generations WHERE id = $1", generation as GenerationId)
        .fetch_optional(conn)
        .await?
        .flatten();
    Ok(score.and_then(|score| serde_json::from_value(score).ok()))
}

/// The grade of a generation, if it was checked.
pub async fn find_grade(conn: &mut PgConnection, generation: GenerationId) -> sqlx::Result<Option<Grade>> {
    let grade = sqlx::query_scalar!("SELECT grade FROM generations WHERE id = $1", generation as GenerationId)
        .fetch_optional(conn)
        .await?
        .flatten();
    Ok(grade.and_then(|grade| grade.parse().ok()))
}

/// The sections of these texts (their hashes) that an earlier run of the same variant had, with where their citations led;
/// of each the newest.
pub async fn list_earlier(
    conn: &mut PgConnection,
    generation: GenerationId,
    hashes: Vec<String>,
) -> sqlx::Result<HashMap<String, EarlierSection>> {
    let rows = sqlx::query!(
        r#"
        WITH newest AS (
            SELECT DISTINCT ON (s.content_hash) s.generation_id, s.slug, s.position, s.content_hash, s.cost_usd
              FROM generations own
              JOIN generations g ON g.variant_id = own.variant_id AND g.created_at < own.created_at
              JOIN sections s ON s.generation_id = g.id
             WHERE own.id = $1 AND s.content_hash = ANY($2)
             ORDER BY s.content_hash, g.created_at DESC, s.slug, s.position
        )
        SELECT n.content_hash AS "section!", n.cost_usd, c.written AS "written?", c.path AS "path?", c.first_line,
               c.last_line, c.content_hash AS "content_hash?", c.state AS "state?"
          FROM newest n
          LEFT JOIN citations c ON c.generation_id = n.generation_id AND c.slug = n.slug AND c.section = n.position
         ORDER BY n.content_hash, c.position
        "#,
        generation as GenerationId,
        &hashes,
    )
    .fetch_all(conn)
    .await?;
    let mut earlier: HashMap<String, EarlierSection> = HashMap::new();
    for row in rows {
        let section = earlier.entry(row.section).or_default();
        section.cost_usd = row.cost_usd;
        let citation = row.written.zip(row.path).zip(row.content_hash.zip(row.state));
        if let Some(((written, path), (content_hash, state))) = citation {
            let lines = citations::lines(row.first_line, row.last_line);
            let state = citations::state(&state);
            section.citations.push(Citation { written, path, lines, content_hash, state });
        }
    }
    Ok(earlier)
}

/// What the calls for a page of a run cost.
#[derive(Debug, Clone)]
pub struct PageCost {
    /// The page.
    pub slug: PageSlug,
    /// In US dollars, the calls that wrote the whole page.
    pub whole_usd: Option<f64>,
    /// The calls that wrote parts of it.
    pub parts_usd: Option<f64>,
    /// The sections that were written again after a check.
    pub sections: Vec<i32>,
}

/// What the settled calls for the pages of a run cost.
pub async fn list_costs(conn: &mut PgConnection, generation: GenerationId) -> sqlx::Result<Vec<PageCost>> {
    sqlx::query_as!(
        PageCost,
        r#"
        SELECT c.slug AS "slug!: PageSlug",
               sum(c.cost_usd) FILTER (WHERE c.purpose NOT IN ('edit', 'sections')) AS whole_usd,
               sum(c.cost_usd) FILTER (WHERE c.purpose IN ('edit', 'sections')) AS parts_usd,
               ARRAY(SELECT (wish ->> 'position')::int
                       FROM page_jobs p
                      CROSS JOIN LATERAL jsonb_array_elements(
                            CASE WHEN p.task ->> 'kind' = 'sections' THEN p.task -> 'wishes' ELSE '[]' END) AS wish
                      WHERE p.generation_id = $1 AND p.slug = c.slug) AS "sections!"
          FROM ai_calls c
         WHERE c.generation_id = $1 AND c.slug IS NOT NULL
         GROUP BY c.slug
        "#,
        generation as GenerationId,
    )
    .fetch_all(conn)
    .await
}

/// What an earlier run knew about a section of the same text.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EarlierSection {
    /// Where its citations led.
    pub citations: Vec<Citation>,
    /// What its text cost.
    pub cost_usd: Option<f64>,
}

fn number(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// What another version of docmill wrote may lack something; then it counts as nothing.
fn read<T: DeserializeOwned + Default>(value: Value) -> T {
    serde_json::from_value(value).unwrap_or_default()
}
