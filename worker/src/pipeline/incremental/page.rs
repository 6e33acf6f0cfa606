//! One page that is brought up to date: its last text with replacements in it, or written anew when those cannot be had.

use shared::{db, plan::PlannedPage};

use super::super::StageError;
use crate::{
    Worker,
    workplaces::Workplace,
    writers::{CallContext, WriterError},
};

/// Asks for the edits of a page, and for the whole page when they are of no use or there is no text to edit.
pub(crate) async fn update_page(
    worker: &Worker,
    place: &Workplace,
    context: &CallContext,
    page: &PlannedPage,
) -> Result<Result<String, WriterError>, StageError> {
    if let Some(update) = &place.update
        && let Some(step) = update.step(&page.slug)
        && let Some(from) = &step.from
    {
        let mut conn = worker.config.pool.acquire().await?;
        let previous = db::pages::find_markdown(&mut conn, update.base, from).await?;
        drop(conn);
        if let Some(previous) = previous {
            let changes = update.changes_of(step);
            match place.writer.edit_page(context, &place.plan, page, &previous, &changes).await {
                Ok(Some(text)) => return Ok(Ok(text)),
                Ok(None) => tracing::info!("the edits are of no use, the page is written anew"),
                Err(error) => return Ok(Err(error)),
            }
        }
    }
    Ok(place.writer.write_page(context, &place.plan, page).await)
}
