//! One page that is brought up to date: its last text with replacements in it, or written anew when those cannot be had.

use shared::{db, plan::PlannedPage};

use super::super::StageError;
use crate::{
    Worker,
    workplaces::Workplace,
    writers::{CallContext, Usage, WriterError, Written},
};

/// Asks for the edits of a page, and for the whole page when they are of no use or there is no text to edit.
pub(crate) async fn update_page(
    worker: &Worker,
    place: &Workplace,
    context: &CallContext,
    page: &PlannedPage,
) -> Result<Result<Written<String>, WriterError>, StageError> {
    let mut usage = Usage::default();
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
                Ok(Written { value: Some(value), usage }) => return Ok(Ok(Written { value, usage })),
                Ok(Written { value: None, usage: paid }) => usage.add(paid),
                Err(error) => return Ok(Err(error)),
            }
            tracing::info!("the edits are of no use, the page is written anew");
        }
    }
    let written = place.writer.write_page(context, &place.plan, page).await;
    Ok(written.map(|written| {
        usage.add(written.usage);
        Written { value: written.value, usage }
    }))
}
