//! Stage `cross_linking`: links between pages are repaired or unlinked, and related pages found.

pub(crate) mod markdown;
mod related;

use shared::{db, page::Page, plan::Plan};

use super::{StageError, run::Run};

/// Reads the checked pages, repairs their links and relates them to each other.
pub(crate) async fn link_pages(run: &Run, plan: &Plan) -> Result<Vec<Page>, StageError> {
    let mut connection = run.worker.config.pool.acquire().await?;
    let rows = db::pages::list(&mut connection, run.claimed.id).await?;
    drop(connection);
    let mut pages = Vec::with_capacity(rows.len());
    for row in rows {
        let markdown = row.markdown.ok_or(StageError::internal("a page was not written"))?;
        pages.push(Page { slug: row.slug, markdown, related: Vec::new() });
    }
    let plan = plan.clone();
    let linked = tokio::task::spawn_blocking(move || {
        for page in &mut pages {
            page.markdown = markdown::repair_links(&page.markdown, &plan);
        }
        related::relate(&mut pages, &plan);
        pages
    });
    Ok(linked.await.map_err(anyhow::Error::from)?)
}
