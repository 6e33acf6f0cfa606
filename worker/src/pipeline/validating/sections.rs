//! Sections that go back to their writer.

use shared::{
    db::{self, page_jobs::SectionTask},
    evidence::SectionEvidence,
    ids::GenerationId,
    plan::{Plan, PlannedPage},
    section::{sections, with_sections},
};

use super::super::StageError;
use crate::{
    Worker,
    grounding::{
        checks::{CheckOptions, PageText, check_site, is_fatal},
        index::Index,
    },
    workplaces::Workplace,
    writers::{CallContext, SectionWish, Writer, WriterError},
};

/// Has sections of a page written again, in one call, and gives the whole page. It stays as it is when the answer is of no
/// use, or would make the page none.
pub(crate) async fn rewrite_sections(
    worker: &Worker,
    place: &Workplace,
    context: &CallContext,
    page: &PlannedPage,
    (generation, wishes): (GenerationId, Vec<SectionTask>),
) -> Result<Result<String, WriterError>, StageError> {
    let mut conn = worker.config.pool.acquire().await?;
    let previous = db::pages::find_markdown(&mut conn, generation, &page.slug).await?;
    drop(conn);
    let previous = previous.ok_or(StageError::internal("a page was not written"))?;
    Ok(ask(&*place.writer, context, (&place.plan, page), &previous, &wishes).await)
}

/// The page with those sections written again.
pub(super) async fn ask(
    writer: &dyn Writer,
    context: &CallContext,
    (plan, page): (&Plan, &PlannedPage),
    previous: &str,
    wishes: &[SectionTask],
) -> Result<String, WriterError> {
    let wishes: Vec<SectionWish<'_>> = wishes
        .iter()
        .map(|wish| SectionWish { position: wish.position, findings: wish.findings.clone(), changes: Vec::new() })
        .collect();
    let texts = writer.rewrite_sections(context, plan, page, previous, &wishes).await?;
    let rewritten = texts.map(|texts| with_sections(previous, &texts));
    let good = rewritten.filter(|text| is_page(text, page));
    Ok(good.unwrap_or_else(|| previous.to_owned()))
}

/// Whether a text could be published, whatever it says.
fn is_page(text: &str, page: &PlannedPage) -> bool {
    let options = CheckOptions { by_model: true, ..CheckOptions::default() };
    let sections = sections(text).into_iter().map(|_| SectionEvidence::default()).collect();
    let page = PageText { slug: &page.slug, markdown: text, sections };
    !check_site(&Index::default(), None, vec![page], &options).findings.iter().any(is_fatal)
}
