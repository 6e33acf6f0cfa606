//! The table `findings`: what is wrong with a generation's pages. Written with the sections.

use sqlx::PgConnection;

use crate::{
    evidence::{Finding, Rule, Severity},
    ids::GenerationId,
    names::PageSlug,
};

/// Most findings that are kept of a generation; the others are counted by the score card alone.
pub const MAX_FINDINGS: usize = 20_000;

/// Keeps these findings in place of the older ones.
pub(super) async fn replace(
    conn: &mut PgConnection,
    generation: GenerationId,
    findings: &[Finding],
) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM findings WHERE generation_id = $1", generation as GenerationId)
        .execute(&mut *conn)
        .await?;
    let findings = &findings[..findings.len().min(MAX_FINDINGS)];
    // Postgres keeps no NUL in a text, and a cited file may hold one
    let text = |text: &str| text.replace('\0', "\u{fffd}");
    let slugs: Vec<Option<String>> =
        findings.iter().map(|finding| finding.page.as_ref().map(ToString::to_string)).collect();
    let sections: Vec<Option<i32>> =
        findings.iter().map(|finding| finding.section.and_then(|section| i32::try_from(section).ok())).collect();
    let rules: Vec<String> = findings.iter().map(|finding| finding.rule.as_str().to_owned()).collect();
    let severities: Vec<String> = findings.iter().map(|finding| finding.severity.as_str().to_owned()).collect();
    let messages: Vec<String> = findings.iter().map(|finding| text(&finding.message)).collect();
    let evidence: Vec<String> = findings.iter().map(|finding| text(&finding.evidence)).collect();
    let fixes: Vec<String> = findings.iter().map(|finding| text(&finding.fix)).collect();
    sqlx::query!(
        r#"
        INSERT INTO findings (generation_id, slug, section, rule, severity, message, evidence, fix, position)
        SELECT $1, new.*
          FROM unnest($2::text[], $3::int[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
               WITH ORDINALITY AS new
        "#,
        generation as GenerationId,
        &slugs as &[Option<String>],
        &sections as &[Option<i32>],
        &rules,
        &severities,
        &messages,
        &evidence,
        &fixes,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The findings of a generation in the order in which they are told; with a slug only those about that page.
pub async fn list(
    conn: &mut PgConnection,
    generation: GenerationId,
    slug: Option<&PageSlug>,
) -> sqlx::Result<Vec<Finding>> {
    list_some(conn, generation, slug, 0, i64::MAX).await
}

/// Some of the findings, in the same order: `limit` of them behind the first `offset`.
pub async fn list_some(
    conn: &mut PgConnection,
    generation: GenerationId,
    slug: Option<&PageSlug>,
    offset: i64,
    limit: i64,
) -> sqlx::Result<Vec<Finding>> {
    let rows = sqlx::query!(
        r#"
        SELECT slug AS "slug: PageSlug", section, rule, severity, message, evidence, fix
          FROM findings
         WHERE generation_id = $1 AND ($2::text IS NULL OR slug = $2)
         ORDER BY position
         OFFSET $3 LIMIT $4
        "#,
        generation as GenerationId,
        slug.map(PageSlug::as_str),
        offset,
        limit,
    )
    .fetch_all(conn)
    .await?;
    // a rule that a newer version checks is none that this one could explain
    let findings = rows.into_iter().filter_map(|row| {
        Some(Finding {
            page: row.slug,
            section: row.section.map(i32::unsigned_abs),
            rule: Rule::ALL.into_iter().find(|rule| rule.as_str() == row.rule)?,
            severity: Severity::ALL.into_iter().find(|severity| severity.as_str() == row.severity)?,
            message: row.message,
            evidence: row.evidence,
            fix: row.fix,
        })
    });
    Ok(findings.collect())
}

/// How many findings there are of each weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FindingCounts {
    /// Of severity `error`.
    pub errors: i64,
    /// Of severity `warning`.
    pub warnings: i64,
    /// Of severity `note`.
    pub notes: i64,
}

/// Counts the findings of a generation; with a slug only those about that page.
pub async fn count(
    conn: &mut PgConnection,
    generation: GenerationId,
    slug: Option<&PageSlug>,
) -> sqlx::Result<FindingCounts> {
    sqlx::query_as!(
        FindingCounts,
        r#"
        SELECT count(*) FILTER (WHERE severity = 'error') AS "errors!",
               count(*) FILTER (WHERE severity = 'warning') AS "warnings!",
               count(*) FILTER (WHERE severity = 'note') AS "notes!"
          FROM findings WHERE generation_id = $1 AND ($2::text IS NULL OR slug = $2)
        "#,
        generation as GenerationId,
        slug.map(PageSlug::as_str),
    )
    .fetch_one(conn)
    .await
}
