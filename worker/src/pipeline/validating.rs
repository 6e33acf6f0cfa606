//! Stage `validating`: every page is held against the repository without a model. What is wrong goes back to its writer once:
//! the sections with errors, or the whole page when it is none. A page that is still none then ends the run, which names it;
//! a section that is still wrong stays, marked as unverified. What was found out is kept in rows for readers.
//!
//! Links between pages are repaired here, before anything is measured, so that hashes and places are those of the text that is
//! published. In reading order: `examining` (what is found out), `sections` (parts that are written again), `costs` (what each
//! section cost).

mod examining;
mod sections;
mod costs;

use std::collections::HashSet;

use shared::{
    db::{
        self,
        page_jobs::{NewPageJob, PageTask, SectionTask},
    },
    evidence::{Evidence, Finding},
    names::PageSlug,
    plan::Plan,
    provider::Provider,
    stage::Stage,
};

use self::examining::{Examined, ExaminedPage, Examiner};
pub(crate) use self::sections::rewrite_sections;
use super::{Anchored, StageError, cross_linking::markdown::repair_links, fleet, generating::save_page, run::Run};
use crate::{grounding::checks::is_fatal, steering::Steering, writers::Writer};

/// Most findings that a writer is told about one section.
const MAX_TOLD: usize = 20;

/// Checks all pages, has what fails written once more, and keeps what was found out. `anchored` says where citations of an
/// updated site lead that only moved.
pub(crate) async fn check_pages(
    run: &Run,
    writer: &dyn Writer,
    plan: &Plan,
    steering: &Steering,
    anchored: &Anchored,
) -> Result<(), StageError> {
    let examiner = Examiner::open(run, plan, steering, anchored).await?;
    // in an earlier life of the run, too
    let revised = list_revised(run).await?;
    let mut pages = examiner.examine(run).await?;
    let jobs = jobs_for(&pages, &revised);
    if !jobs.is_empty() {
        send_back(run, writer, plan, &jobs).await?;
        pages = examiner.examine(run).await?;
    }
    end_if_no_page(&pages)?;
    if repair_pages(run, plan, &pages).await? {
        pages = examiner.examine(run).await?;
    }
    keep(run, pages).await
}

/// The pages that were written once more, whole or in part.
async fn list_revised(run: &Run) -> Result<HashSet<PageSlug>, StageError> {
    let mut connection = run.worker.config.pool.acquire().await?;
    Ok(db::page_jobs::list_revised(&mut connection, run.claimed.id).await?.into_iter().collect())
}

/// What goes back to its writer: pages of this run that never did.
fn jobs_for(examined: &Examined, revised: &HashSet<PageSlug>) -> Vec<NewPageJob> {
    let pages = examined.pages.iter().filter(|page| !page.is_settled && !revised.contains(&page.slug));
    let jobs = pages.filter_map(|page| {
        let task = task_for(examined, page)?;
        tracing::info!(page = %page.slug, whole = matches!(task, PageTask::Revise { .. }), "back to its writer");
        Some(NewPageJob { slug: page.slug.clone(), task })
    });
    jobs.collect()
}

fn task_for(examined: &Examined, page: &ExaminedPage) -> Option<PageTask> {
    let errors = || examined.errors(&page.slug);
    if errors().any(|finding| is_fatal(finding) || finding.section.is_none()) {
        // what makes it no page first
        let (fatal, others): (Vec<&Finding>, Vec<&Finding>) = errors().partition(|finding| is_fatal(finding));
        let told = fatal.into_iter().chain(others.into_iter().take(MAX_TOLD));
        return Some(PageTask::Revise { findings: told.map(sentence).collect() });
    }
    let mut wishes: Vec<SectionTask> = Vec::new();
    for finding in errors() {
        let Some(section) = finding.section.filter(|section| !page.kept_sections.contains(section)) else { continue };
        let position = section as usize;
        let at = wishes.iter().position(|wish| wish.position == position).unwrap_or_else(|| {
            wishes.push(SectionTask { position, findings: Vec::new() });
            wishes.len() - 1
        });
        if wishes[at].findings.len() < MAX_TOLD {
            wishes[at].findings.push(sentence(finding));
        }
    }
    (!wishes.is_empty()).then_some(PageTask::Sections { wishes })
}

/// A finding as its writer reads it, on one line.
fn sentence(finding: &Finding) -> String {
    let mut text = finding.message.clone();
    if !finding.evidence.is_empty() && !text.contains(&finding.evidence) {
        text = format!("{text}: `{}`", finding.evidence);
    }
    if !finding.fix.is_empty() {
        text = format!("{text}; {}", finding.fix);
    }
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Has pages and sections written once more: by the fleet, or right here when no model is needed.
async fn send_back(run: &Run, writer: &dyn Writer, plan: &Plan, jobs: &[NewPageJob]) -> Result<(), StageError> {
    if run.claimed.key.provider != Provider::Builtin {
        return fleet::write(run, jobs).await;
    }
    let rows = db::pages::list(&mut *run.worker.config.pool.acquire().await?, run.claimed.id).await?;
    for job in jobs {
        let slug = &job.slug;
        let planned = plan.page(slug).ok_or(StageError::internal("a page is not in the plan"))?;
        let previous = rows.iter().find(|row| row.slug == *slug).and_then(|row| row.markdown.as_deref());
        let previous = previous.ok_or(StageError::internal("a page was not written"))?;
        let context = run.call_context(Stage::Validating);
        let written = match &job.task {
            PageTask::Sections { wishes } => sections::ask(writer, &context, (plan, planned), previous, wishes).await,
            PageTask::Revise { findings } => writer.revise_page(&context, plan, planned, previous, findings).await,
            PageTask::Write | PageTask::Update => writer.write_page(&context, plan, planned).await,
        };
        let written =
            written.map_err(|error| StageError::Fail(format!("page `{slug}` could not be written again: {error}")))?;
        if written != previous {
            save_page(run, Stage::Validating, slug, &written, plan.pages().count()).await?;
        }
    }
    Ok(())
}

/// What is no page is never published. Links that lead nowhere are repaired.
fn end_if_no_page(examined: &Examined) -> Result<(), StageError> {
    for page in examined.pages.iter().filter(|page| !page.is_settled) {
        if let Some(finding) = examined.errors(&page.slug).find(|finding| is_fatal(finding)) {
            let (slug, message) = (&page.slug, &finding.message);
            return Err(StageError::Fail(format!("page `{slug}` failed its checks twice: {message}")));
        }
    }
    Ok(())
}

/// Puts links right, or their words in their place; says whether a text changed.
async fn repair_pages(run: &Run, plan: &Plan, examined: &Examined) -> Result<bool, StageError> {
    let repaired = examined.pages.iter().filter_map(|page| {
        let text = repair_links(&page.markdown, plan);
        (text != page.markdown).then(|| (page.slug.clone(), text))
    });
    let repaired: Vec<(PageSlug, String)> = repaired.collect();
    if repaired.is_empty() {
        return Ok(false);
    }
    let mut connection = run.worker.config.pool.acquire().await?;
    db::pages::repair(&mut connection, run.claimed.id, run.claimed.fence, &repaired).await?;
    Ok(true)
}

/// Keeps what was found out; from then on the pages count as checked.
async fn keep(run: &Run, examined: Examined) -> Result<(), StageError> {
    let (id, fence) = (run.claimed.id, run.claimed.fence);
    let slugs: Vec<PageSlug> = examined.pages.iter().map(|page| page.slug.clone()).collect();
    let mut transaction = db::begin_progress(&run.worker.config.pool).await?;
    let Evidence { mut pages, findings, score } = examined.evidence;
    let paid = db::sections::list_costs(&mut transaction, id).await?;
    costs::share(&mut pages, &paid, &examined.earlier);
    let unverified = pages.iter().flat_map(|page| &page.sections).filter(|section| !section.verified).count();
    let grade = score.as_ref().map(|card| card.grade.as_str());
    tracing::info!(findings = findings.len(), unverified, grade, "pages were checked");
    db::sections::save(&mut transaction, id, fence, &Evidence { pages, findings, score }).await?;
    db::pages::mark_checked(&mut transaction, id, fence, &slugs).await?;
    Ok(transaction.commit().await?)
}
