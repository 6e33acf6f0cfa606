//! Stage `validating`: every page is checked without a model; what fails is written once more, and if it fails again the run
//! ends and names the page. A failure is never published.

pub(crate) mod rules;
mod sections;

use shared::{
    db::{
        self,
        page_jobs::{NewPageJob, PageTask},
    },
    names::PageSlug,
    plan::Plan,
    provider::Provider,
    stage::Stage,
};

pub(crate) use self::sections::rewrite_sections;
use self::rules::{Finding, check_page};
use super::{StageError, fleet, generating::save_page, run::Run};
use crate::writers::Writer;

/// Checks all pages and has the failing ones written once more. Links that still lead nowhere then are left to
/// cross-linking, everything else ends the run.
pub(crate) async fn check_pages(run: &Run, writer: &dyn Writer, plan: &Plan) -> Result<(), StageError> {
    let revised = list_revised(run).await?;
    let failing = check_unchecked(run, plan).await?;
    let (twice, failing): (Vec<_>, Vec<_>) = failing.into_iter().partition(|page| revised.contains(&page.slug));
    settle_twice_failed(run, &twice).await?;
    if failing.is_empty() {
        return Ok(());
    }
    if run.claimed.key.provider == Provider::Builtin {
        for page in &failing {
            revise_here(run, writer, plan, page).await?;
        }
    } else {
        let jobs: Vec<NewPageJob> = failing.iter().map(FailingPage::to_job).collect();
        fleet::write(run, &jobs).await?;
    }
    settle_twice_failed(run, &check_unchecked(run, plan).await?).await
}

/// A page that does not pass.
struct FailingPage {
    slug: PageSlug,
    markdown: String,
    findings: Vec<Finding>,
}

impl FailingPage {
    fn sentences(&self) -> Vec<String> {
        self.findings.iter().map(|finding| finding.message.clone()).collect()
    }

    fn to_job(&self) -> NewPageJob {
        tracing::info!(page = %self.slug, findings = self.findings.len(), "page goes back to its writer");
        NewPageJob { slug: self.slug.clone(), task: PageTask::Revise { findings: self.sentences() } }
    }
}

/// The pages that were written once more, in an earlier life of the run too.
async fn list_revised(run: &Run) -> Result<Vec<PageSlug>, StageError> {
    let mut connection = run.worker.config.pool.acquire().await?;
    Ok(db::page_jobs::list_revised(&mut connection, run.claimed.id).await?)
}

/// Checks the pages that have not passed yet, and gives those that do not now.
async fn check_unchecked(run: &Run, plan: &Plan) -> Result<Vec<FailingPage>, StageError> {
    let by_model = run.claimed.key.provider != Provider::Builtin;
    let mut connection = run.worker.config.pool.acquire().await?;
    let rows = db::pages::list(&mut connection, run.claimed.id).await?;
    let mut good = Vec::new();
    let mut failing = Vec::new();
    for row in rows.into_iter().filter(|row| !row.checked) {
        let markdown = row.markdown.ok_or(StageError::internal("a page was not written"))?;
        let findings = check_page(&markdown, plan, by_model);
        if findings.is_empty() {
            good.push(row.slug);
        } else {
            failing.push(FailingPage { slug: row.slug, markdown, findings });
        }
    }
    db::pages::mark_checked(&mut connection, run.claimed.id, run.claimed.fence, &good).await?;
    Ok(failing)
}

/// Pages that do not pass after they were written once more: what cross-linking repairs is let through, nothing else is
/// published.
async fn settle_twice_failed(run: &Run, pages: &[FailingPage]) -> Result<(), StageError> {
    for page in pages {
        if let Some(finding) = page.findings.iter().find(|finding| !finding.repairable) {
            let (slug, message) = (&page.slug, &finding.message);
            return Err(StageError::Fail(format!("page `{slug}` failed its checks twice: {message}")));
        }
    }
    let slugs: Vec<PageSlug> = pages.iter().map(|page| page.slug.clone()).collect();
    let mut connection = run.worker.config.pool.acquire().await?;
    Ok(db::pages::mark_checked(&mut connection, run.claimed.id, run.claimed.fence, &slugs).await?)
}

async fn revise_here(run: &Run, writer: &dyn Writer, plan: &Plan, page: &FailingPage) -> Result<(), StageError> {
    let slug = &page.slug;
    let planned = plan.page(slug).ok_or(StageError::internal("a page is not in the plan"))?;
    let written = writer
        .revise_page(&run.call_context(Stage::Validating), plan, planned, &page.markdown, &page.sentences())
        .await
        .map_err(|error| StageError::Fail(format!("page `{slug}` could not be written again: {error}")))?;
    save_page(run, Stage::Validating, slug, &written, plan.pages().count()).await
}
