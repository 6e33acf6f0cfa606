//! The table `pages`: each page's own checkpoint, and the pages that a later run takes over.

use sqlx::PgConnection;

use super::{WriteError, one_row};
use crate::{ids::GenerationId, names::PageSlug};

/// A page of a generation.
#[derive(Debug, Clone)]
pub struct PageRow {
    /// Which page.
    pub slug: PageSlug,
    /// Hash of everything the text depends on.
    pub input_hash: String,
    /// The text, once written.
    pub markdown: Option<String>,
    /// Whether the validating stage is satisfied with it.
    pub checked: bool,
}

/// A page that is to be written.
#[derive(Debug, Clone)]
pub struct NewPage {
    /// Which page.
    pub slug: PageSlug,
    /// Hash of everything the text depends on.
    pub input_hash: String,
}

/// Makes the rows of a plan's pages; rows that exist (a resumed run) stay.
pub async fn create_all(
    conn: &mut PgConnection,
    generation: GenerationId,
    fence: i64,
    pages: &[NewPage],
) -> Result<(), WriteError> {
    let slugs: Vec<String> = pages.iter().map(|page| page.slug.to_string()).collect();
    let hashes: Vec<String> = pages.iter().map(|page| page.input_hash.clone()).collect();
    let held = sqlx::query_scalar!(
        r#"
        WITH held AS (
            SELECT id FROM generations WHERE id = $1 AND fence = $2 AND state = 'running' FOR UPDATE
        ),
        made AS (
            INSERT INTO pages (generation_id, slug, position, input_hash)
            SELECT held.id, new.slug, new.position, new.input_hash
              FROM held, unnest($3::text[], $4::text[]) WITH ORDINALITY AS new (slug, input_hash, position)
            ON CONFLICT (generation_id, slug) DO NOTHING
        )
        SELECT count(*) AS "held!" FROM held
        "#,
        generation as GenerationId,
        fence,
        &slugs,
        &hashes,
    )
    .fetch_one(conn)
    .await?;
    one_row(held.unsigned_abs())
}

/// Every page of a generation in the order of its plan.
pub async fn list(conn: &mut PgConnection, generation: GenerationId) -> sqlx::Result<Vec<PageRow>> {
    sqlx::query_as!(
        PageRow,
        r#"
        SELECT slug AS "slug: PageSlug", input_hash, markdown, checked
          FROM pages WHERE generation_id = $1 ORDER BY position
        "#,
        generation as GenerationId,
    )
    .fetch_all(conn)
    .await
}

/// The text of a page, once written.
pub async fn find_markdown(
    conn: &mut PgConnection,
    generation: GenerationId,
    slug: &PageSlug,
) -> sqlx::Result<Option<String>> {
    let found = sqlx::query_scalar!(
        "SELECT markdown FROM pages WHERE generation_id = $1 AND slug = $2",
        generation as GenerationId,
        slug.as_str(),
    );
    Ok(found.fetch_optional(conn).await?.flatten())
}

/// Takes over the texts that earlier runs of the same variant wrote for the same commit from the same inputs, checked or
/// not (decisions.md 9). With `force` only those of the failed or aborted run that came right before, and nothing of one
/// whose pages were finished and not good enough to be published. Gives the count.
pub async fn reuse(
    conn: &mut PgConnection,
    generation: GenerationId,
    fence: i64,
    commit: &str,
    force: bool,
) -> Result<u64, WriteError> {
    let rows = sqlx::query!(
        r#"
        WITH held AS (
            SELECT id, variant_id, created_at FROM generations WHERE id = $1 AND fence = $2 AND state = 'running'
        ),
        -- a forced run repeats the run before it: what that one finished is paid for, unless it ended well
        earlier AS (
            SELECT g.id, g.created_at
              FROM generations g JOIN held ON g.variant_id = held.variant_id AND g.created_at < held.created_at
             WHERE g.commit_sha = $3
               AND (NOT $4 OR (g.state IN ('error', 'aborted') AND (g.grade IS NULL OR g.stage <> 'validating') AND g.id = (
                       SELECT last.id FROM generations last
                        WHERE last.variant_id = held.variant_id AND last.created_at < held.created_at
                        ORDER BY last.created_at DESC LIMIT 1)))
        ),
        found AS (
            SELECT DISTINCT ON (old.slug, old.input_hash) old.slug, old.input_hash, old.markdown, old.sources
              FROM pages old JOIN earlier ON earlier.id = old.generation_id
             WHERE old.markdown IS NOT NULL
             ORDER BY old.slug, old.input_hash, old.checked DESC, earlier.created_at DESC
        )
        UPDATE pages p
           SET markdown = found.markdown, sources = found.sources, updated_at = now()
          FROM found, held
         WHERE p.generation_id = held.id AND p.slug = found.slug AND p.input_hash = found.input_hash
           AND p.markdown IS NULL
        "#,
        generation as GenerationId,
        fence,
        commit,
        force,
    )
    .execute(conn)
    .await?;
    Ok(rows.rows_affected())
}

/// Copies the checked pages of another variant's generation; gives their number.
pub async fn take_over(
    conn: &mut PgConnection,
    generation: GenerationId,
    fence: i64,
    from: GenerationId,
) -> Result<u64, WriteError> {
    let rows = sqlx::query!(
        r#"
        WITH held AS (
            SELECT id FROM generations WHERE id = $1 AND fence = $2 AND state = 'running' FOR UPDATE
        )
        INSERT INTO pages (generation_id, slug, position, input_hash, markdown, sources, checked)
        SELECT held.id, old.slug, old.position, old.input_hash, old.markdown, old.sources, true
          FROM held, pages old
         WHERE old.generation_id = $3 AND old.markdown IS NOT NULL AND old.checked
        ON CONFLICT (generation_id, slug) DO NOTHING
        "#,
        generation as GenerationId,
        fence,
        from as GenerationId,
    )
    .execute(&mut *conn)
    .await?;
    if rows.rows_affected() > 0 {
        super::sections::copy(conn, generation, from).await?;
    }
    Ok(rows.rows_affected())
}

/// A page of an earlier run that pages of this one come from.
#[derive(Debug, Clone)]
pub struct BasePage {
    /// Which page.
    pub slug: PageSlug,
    /// Hash of everything the text depends on besides the commit.
    pub input_hash: String,
    /// Whether it has a text that passed its checks.
    pub good: bool,
    /// The files of the repository that it speaks of; `None` when they were not recorded.
    pub sources: Option<Vec<String>>,
}

/// The pages of an earlier run without their texts, in the order of its plan.
pub async fn list_base(conn: &mut PgConnection, generation: GenerationId) -> sqlx::Result<Vec<BasePage>> {
    sqlx::query_as!(
        BasePage,
        r#"
        SELECT slug AS "slug: PageSlug", input_hash, (markdown IS NOT NULL AND checked) AS "good!",
               CASE WHEN sources IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text(sources)) END AS sources
          FROM pages WHERE generation_id = $1 ORDER BY position
        "#,
        generation as GenerationId,
    )
    .fetch_all(conn)
    .await
}

/// Copies texts of the run `base`, byte for byte and with what is known of them, into rows that have none yet. `pages` are
/// (slug, slug there). Gives the count.
pub async fn copy_from_base(
    conn: &mut PgConnection,
    generation: GenerationId,
    fence: i64,
    base: GenerationId,
    pages: &[(PageSlug, PageSlug)],
) -> Result<u64, WriteError> {
    let (slugs, old_slugs): (Vec<String>, Vec<String>) =
        pages.iter().map(|(slug, old)| (slug.to_string(), old.to_string())).unzip();
    let rows = sqlx::query!(
        r#"
        WITH held AS (
            SELECT id FROM generations WHERE id = $1 AND fence = $2 AND state = 'running'
        )
        UPDATE pages p
           SET markdown = old.markdown, sources = old.sources, checked = old.checked, updated_at = now()
          FROM held, unnest($4::text[], $5::text[]) AS wanted (slug, old_slug), pages old
         WHERE p.generation_id = held.id AND p.slug = wanted.slug AND p.markdown IS NULL
           AND old.generation_id = $3 AND old.slug = wanted.old_slug AND old.markdown IS NOT NULL
        "#,
        generation as GenerationId,
        fence,
        base as GenerationId,
        &slugs,
        &old_slugs,
    )
    .execute(conn)
    .await?;
    Ok(rows.rows_affected())
}

/// Keeps a page's text: its checkpoint. Deaths count from zero again.
pub async fn save(
    conn: &mut PgConnection,
    generation: GenerationId,
    fence: i64,
    slug: &PageSlug,
    markdown: &str,
) -> Result<(), WriteError> {
    let rows = sqlx::query!(
        r#"
        -- a shared lock: the pages of a run are kept side by side, and none is kept while the run changes hands
        WITH held AS (
            SELECT id FROM generations WHERE id = $1 AND fence = $2 AND state = 'running' FOR SHARE
        )
        UPDATE pages p
           SET markdown = $4, checked = false, attempts = attempts + 1, updated_at = now()
          FROM held
         WHERE p.generation_id = held.id AND p.slug = $3
        "#,
        generation as GenerationId,
        fence,
        slug.as_str(),
        markdown,
    )
    .execute(&mut *conn)
    .await?;
    one_row(rows.rows_affected())?;
    sqlx::query!(
        "UPDATE generations SET crash_count = 0 WHERE id = $1 AND fence = $2 AND crash_count > 0",
        generation as GenerationId,
        fence,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Counts the written pages and shows the count on the variant.
pub async fn show_count(conn: &mut PgConnection, generation: GenerationId) -> Result<i32, WriteError> {
    // first the lock, then the count: a count made before a wait for the lock would be older than what it replaces
    sqlx::query!(
        "SELECT id FROM variants WHERE id = (SELECT variant_id FROM generations WHERE id = $1) FOR UPDATE",
        generation as GenerationId,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let count = sqlx::query_scalar!(
        r#"
        UPDATE variants v
           SET page_count = (SELECT count(*) FROM pages WHERE generation_id = $1 AND markdown IS NOT NULL),
               updated_at = now()
         WHERE v.id = (SELECT variant_id FROM generations WHERE id = $1) AND v.generation_id = $1
        RETURNING page_count
        "#,
        generation as GenerationId,
    )
    .fetch_optional(conn)
    .await?;
    count.ok_or(WriteError::Lost)
}

/// Puts repaired texts in place of those that were written; nothing else of the pages changes.
pub async fn repair(
    conn: &mut PgConnection,
    generation: GenerationId,
    fence: i64,
    texts: &[(PageSlug, String)],
) -> Result<(), WriteError> {
    let (slugs, texts): (Vec<String>, Vec<String>) =
        texts.iter().map(|(slug, text)| (slug.to_string(), text.clone())).unzip();
    let rows = sqlx::query!(
        r#"
        UPDATE pages p SET markdown = new.markdown, updated_at = now()
          FROM generations g, unnest($3::text[], $4::text[]) AS new (slug, markdown)
         WHERE g.id = $1 AND g.fence = $2 AND g.state = 'running' AND p.generation_id = g.id AND p.slug = new.slug
        "#,
        generation as GenerationId,
        fence,
        &slugs,
        &texts,
    )
    .execute(conn)
    .await?;
    if rows.rows_affected() == slugs.len() as u64 { Ok(()) } else { Err(WriteError::Lost) }
}

/// Notes that pages passed validation.
pub async fn mark_checked(
    conn: &mut PgConnection,
    generation: GenerationId,
    fence: i64,
    slugs: &[PageSlug],
) -> Result<(), WriteError> {
    let slugs: Vec<String> = slugs.iter().map(ToString::to_string).collect();
    let rows = sqlx::query!(
        r#"
        UPDATE pages p SET checked = true
          FROM generations g
         WHERE g.id = $1 AND g.fence = $2 AND g.state = 'running' AND p.generation_id = g.id AND p.slug = ANY($3)
        "#,
        generation as GenerationId,
        fence,
        &slugs,
    )
    .execute(conn)
    .await?;
    if rows.rows_affected() == slugs.len() as u64 { Ok(()) } else { Err(WriteError::Lost) }
}
