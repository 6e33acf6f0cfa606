//! Stage `validating`: every page is checked without a model; what fails is written once more, and if it fails again the run
//! ends and names the page. A failure is never published.

pub(crate) mod rules;

use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use shared::{db, names::PageSlug, plan::Plan, provider::Provider, stage::Stage};

use self::rules::{Finding, check_page};
use super::{StageError, generating::save_page, run::Run};
use crate::writers::{Writer, retrying};

/// Checks all pages and has the failing ones written once more.
pub(crate) async fn check_pages(run: &Run, writer: &dyn Writer, plan: &Plan) -> Result<(), StageError> {
    let by_model = run.claimed.key.provider != Provider::Builtin;
    let mut connection = run.worker.config.pool.acquire().await?;
    let rows = db::pages::list(&mut connection, run.claimed.id).await?;
    drop(connection);
    let mut good = Vec::new();
    let mut failing = Vec::new();
    for row in rows.into_iter().filter(|row| !row.checked) {
        let markdown = row.markdown.ok_or(StageError::internal("a page was not written"))?;
        let findings = check_page(&markdown, plan, by_model);
        if findings.is_empty() { good.push(row.slug) } else { failing.push((row.slug, markdown, findings)) }
    }
    mark_checked(run, &good).await?;
    let revised: Vec<PageSlug> = stream::iter(failing)
        .map(|(slug, markdown, findings)| revise(run, writer, plan, slug, markdown, findings).boxed())
        .buffer_unordered(run.concurrent_pages)
        .try_collect()
        .await?;
    mark_checked(run, &revised).await
}

async fn mark_checked(run: &Run, slugs: &[PageSlug]) -> Result<(), StageError> {
    let mut connection = run.worker.config.pool.acquire().await?;
    Ok(db::pages::mark_checked(&mut connection, run.claimed.id, run.claimed.fence, slugs).await?)
}

/// Has a page written once more. Links that still lead nowhere are left to cross-linking, everything else ends the run.
async fn revise(
    run: &Run,
    writer: &dyn Writer,
    plan: &Plan,
    slug: PageSlug,
    markdown: String,
    findings: Vec<Finding>,
) -> Result<PageSlug, StageError> {
    let page = plan.page(&slug).ok_or(StageError::internal("a page is not in the plan"))?;
    let sentences: Vec<String> = findings.iter().map(|finding| finding.message.clone()).collect();
    tracing::info!(page = %slug, findings = sentences.len(), "page goes back to its writer");
    let context = run.call_context();
    let written = retrying(&context, || run.call(writer.revise_page(&context, plan, page, &markdown, &sentences)))
        .await
        .map_err(|error| StageError::Fail(format!("page `{slug}` could not be written again: {error}")))?;
    run.settle(written.usage).await?;
    let by_model = run.claimed.key.provider != Provider::Builtin;
    let left = check_page(&written.value, plan, by_model);
    save_page(run, Stage::Validating, &slug, &written.value, plan.pages().count()).await?;
    match left.iter().find(|finding| !finding.repairable) {
        Some(finding) => Err(StageError::Fail(format!("page `{slug}` failed its checks twice: {}", finding.message))),
        None => Ok(slug),
    }
}
