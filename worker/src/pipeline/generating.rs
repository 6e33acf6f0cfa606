//! Stage `generating_pages`: every page is written, several at a time; each is its own checkpoint.

use std::collections::HashMap;

use futures_util::{FutureExt, StreamExt, stream};
use sha2::{Digest, Sha256};
use shared::{
    db::{
        self,
        page_jobs::{NewPageJob, PageTask},
        pages::NewPage,
    },
    events::{self, PageProgress},
    names::PageSlug,
    plan::{Plan, PlannedPage},
    provider::Provider,
    stage::Stage,
    variant::VariantKey,
};

use sqlx::PgConnection;

use super::{OldSite, StageError, Update, cloning::Pinned, cross_linking::markdown::repair_links, fleet, run::Run};
use crate::writers::Writer;

/// Has the pages written that neither an earlier life of this run nor an earlier run at the same inputs has written, and that
/// do not stay as they are: by any worker of the fleet, or right here when no model is needed.
pub(crate) async fn write_pages(
    run: &Run,
    pinned: &Pinned,
    writer: &dyn Writer,
    plan: &Plan,
    update: Option<&Update>,
    old: &OldSite,
) -> Result<(), StageError> {
    let missing = prepare_rows(run, pinned, writer, plan, update).await?;
    if run.claimed.key.provider == Provider::Builtin {
        return write_here(run, writer, plan, old, missing).await;
    }
    let task_of = |slug: &PageSlug| match update {
        Some(update) if update.is_update(slug) => PageTask::Update,
        _ => PageTask::Write,
    };
    let jobs: Vec<NewPageJob> =
        missing.into_iter().map(|page| NewPageJob { task: task_of(&page.slug), slug: page.slug }).collect();
    fleet::write(run, &jobs).await
}

/// A page takes milliseconds; sending it around would take longer.
async fn write_here(
    run: &Run,
    writer: &dyn Writer,
    plan: &Plan,
    old: &OldSite,
    pages: Vec<PlannedPage>,
) -> Result<(), StageError> {
    let mut writing = stream::iter(pages)
        .map(|page| write_page(run, writer, plan, old, page).boxed())
        .buffer_unordered(run.concurrent_pages);
    while let Some(result) = writing.next().await {
        result?;
    }
    Ok(())
}

/// Keeps a page's text and says so.
pub(crate) async fn save_page(
    run: &Run,
    stage: Stage,
    slug: &PageSlug,
    markdown: &str,
    pages_total: usize,
) -> Result<(), StageError> {
    run.persist(|| try_save_page(run, stage, slug, markdown, pages_total).boxed()).await
}

async fn try_save_page(
    run: &Run,
    stage: Stage,
    slug: &PageSlug,
    markdown: &str,
    pages_total: usize,
) -> Result<(), StageError> {
    let (id, fence) = (run.claimed.id, run.claimed.fence);
    let pool = &run.worker.config.pool;
    db::pages::save(&mut *pool.acquire().await?, id, fence, slug, markdown).await?;
    let mut transaction = db::begin_progress(pool).await?;
    show_progress(run, &mut transaction, stage, pages_total, Some(slug)).await?;
    Ok(transaction.commit().await?)
}

/// Counts the pages, shows the count and says so.
async fn show_progress(
    run: &Run,
    connection: &mut PgConnection,
    stage: Stage,
    pages_total: usize,
    page: Option<&PageSlug>,
) -> Result<(), StageError> {
    let page_count = db::pages::show_count(connection, run.claimed.id).await?;
    let progress = PageProgress { page_count, pages_total, page: page.map(PageSlug::as_str) };
    events::emit_page(connection, run.claimed.variant_id, run.claimed.id, stage, progress).await?;
    Ok(())
}

/// Makes the rows, takes over what is paid for already, and gives the pages that are left.
async fn prepare_rows(
    run: &Run,
    pinned: &Pinned,
    writer: &dyn Writer,
    plan: &Plan,
    update: Option<&Update>,
) -> Result<Vec<PlannedPage>, StageError> {
    let (id, fence) = (run.claimed.id, run.claimed.fence);
    let hashes = input_hashes(&run.claimed.key, writer, plan);
    let mut transaction = db::begin_progress(&run.worker.config.pool).await?;
    db::pages::create_all(&mut transaction, id, fence, &hashes).await?;
    if let Some(update) = update {
        db::pages::copy_from_base(&mut transaction, id, fence, update.base, &update.kept()).await?;
    }
    let commit = pinned.commit.as_str();
    let reused = db::pages::reuse(&mut transaction, id, fence, commit, run.claimed.starts_anew()).await?;
    show_progress(run, &mut transaction, Stage::GeneratingPages, hashes.len(), None).await?;
    let rows = db::pages::list(&mut transaction, id).await?;
    transaction.commit().await?;
    if reused > 0 {
        tracing::info!(pages = reused, "took over pages of an earlier run");
    }
    let written: HashMap<_, _> = rows.iter().map(|row| (&row.slug, row.markdown.is_some())).collect();
    Ok(plan.pages().filter(|page| !written.get(&page.slug).copied().unwrap_or_default()).cloned().collect())
}

/// Everything a page's text depends on besides the commit: the whole plan is told to writers, so it counts as well.
pub(crate) fn input_hashes(key: &VariantKey, writer: &dyn Writer, plan: &Plan) -> Vec<NewPage> {
    let mut common = Sha256::new();
    for part in [key.provider.as_str(), key.model.as_str(), &writer.version(), &format!("{plan:?}")] {
        common.update((part.len() as u64).to_le_bytes());
        common.update(part);
    }
    plan.pages()
        .map(|page| {
            let digest = common.clone().chain_update(page.slug.as_str()).finalize();
            NewPage { slug: page.slug.clone(), input_hash: hex::encode(digest) }
        })
        .collect()
}

async fn write_page(
    run: &Run,
    writer: &dyn Writer,
    plan: &Plan,
    old: &OldSite,
    page: PlannedPage,
) -> Result<(), StageError> {
    let written = writer.write_page(&run.call_context(Stage::GeneratingPages), plan, &page).await;
    let written =
        written.map_err(|error| StageError::Fail(format!("page `{}` could not be written: {error}", page.slug)))?;
    // what stands on the site has its links repaired: so it is compared with
    let written = old.splice(&page.slug, &repair_links(&written, plan)).text;
    save_page(run, Stage::GeneratingPages, &page.slug, &written, plan.pages().count()).await
}
