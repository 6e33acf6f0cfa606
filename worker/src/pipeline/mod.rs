//! The stages of a generation, in order: one function to read from top to bottom.

mod run;
mod cloning;
mod indexing;
mod steering;
mod planning;
mod incremental;
mod generating;
mod sources;
mod fleet;
mod validating;
mod gate;
mod cross_linking;
mod excerpts;
mod rendering;
mod up_to_date;
mod taking_over;

use std::sync::Arc;

use futures_util::FutureExt;
use shared::{
    db::{WriteError, generations::Claimed},
    provider::Provider,
    stage::Stage,
};

use self::run::Run;
pub(crate) use self::{
    cloning::{Pinned, restore_checkout},
    cross_linking::markdown::repair_links,
    gate::served_reaches,
    incremental::{
        Anchored, Assessment, Base, Compared, Decision, Draft, OldSite, Update, compare_all, conclude, draft,
        find_base, is_tree_of_last_good, load_pages, update_page,
    },
    indexing::Ground,
    planning::extracted_plan,
    run::{may_pass, persist},
    sources::find_sources,
    steering::read_steering,
    taking_over::find_other,
    validating::rewrite_sections,
};
use crate::{Worker, held::StopSign, writers::Writer};

/// Why a run does not reach its end.
#[derive(Debug)]
pub(crate) enum StageError {
    /// It cannot succeed as asked: the sentence is shown to people.
    Fail(String),
    /// It was told to stop, or is not ours any more; nothing is written but what the stop sign says.
    Stopped,
    /// A newer version of docmill worked on it and left what this one cannot read: it is left to a newer worker.
    TooNew(String),
    /// This host or the database failed: it is tried again, a few times.
    Internal(anyhow::Error),
}

impl StageError {
    /// A failure of the program itself.
    pub(crate) fn internal(message: &'static str) -> Self {
        Self::Internal(anyhow::anyhow!(message))
    }

    /// For those who can only log it.
    pub(crate) fn into_anyhow(self) -> anyhow::Error {
        match self {
            Self::Fail(message) | Self::TooNew(message) => anyhow::anyhow!(message),
            Self::Stopped => anyhow::anyhow!("told to stop"),
            Self::Internal(error) => error,
        }
    }
}

impl From<WriteError> for StageError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Lost => Self::Stopped,
            WriteError::Database(error) => Self::Internal(error.into()),
        }
    }
}

impl From<sqlx::Error> for StageError {
    fn from(error: sqlx::Error) -> Self {
        Self::Internal(error.into())
    }
}

impl From<anyhow::Error> for StageError {
    fn from(error: anyhow::Error) -> Self {
        Self::Internal(error)
    }
}

/// Makes a claimed generation's site and publishes it. Every stage is skipped when its checkpoint exists.
pub(crate) async fn generate(worker: &Arc<Worker>, claimed: &Claimed, stop: &StopSign) -> Result<(), StageError> {
    let run = Run::begin(worker, claimed, stop).await?;
    if let Some(head) = up_to_date::find_unchanged_head(&run).boxed().await? {
        return up_to_date::finish(&run, &head).await;
    }
    let pinned = run.stage(Stage::Cloning, cloning::pin_commit(&run).boxed()).await?;
    if up_to_date::is_served(&run, &pinned.commit) || incremental::is_same_tree(&run, &pinned).boxed().await? {
        return up_to_date::finish(&run, &pinned.commit).await;
    }
    if let Some((taken, plan)) = taking_over::take_over(&run, &pinned).boxed().await? {
        gate::pass(&run, claimed.request.options.min_grade).boxed().await?;
        let pages = run.unless_stopped(cross_linking::link_pages(&run, &plan).boxed()).await??;
        let checkout = cloning::open_checkout(&run, &pinned).boxed().await?;
        return rendering::publish_site(&run, (&pinned, &checkout), plan, pages, Some(&taken)).await;
    }
    let checkout = cloning::open_checkout(&run, &pinned).boxed().await?;
    let (steering, warnings) = steering::read(&run, &checkout).boxed().await?;
    run.stand_on(&checkout, &steering);
    let writer = run.open_writer(&checkout, &steering).boxed().await?;
    let update = match incremental::decide(&run, &pinned, &checkout, &*writer, &steering).boxed().await? {
        Some(Decision::UpToDate) => return up_to_date::finish(&run, &pinned.commit).await,
        Some(Decision::Update(update)) => Some(update),
        Some(Decision::Full { .. }) | None => None,
    };
    let plan = if let Some(update) = &update {
        incremental::adopt_plan(&run, update, &warnings).await?
    } else {
        let planned = planning::plan_pages(&run, &checkout, &*writer, &steering, &warnings);
        run.stage(Stage::Planning, planned.boxed()).await?
    };
    writer_learns(&run, &writer).boxed().await?;
    let old = incremental::find_old_site(&run, &pinned, &checkout, &*writer, &steering).boxed().await?;
    run.bring_workplace(&plan, &writer, checkout.clone(), update.clone()).await;
    let update = update.as_deref();
    let writing = generating::write_pages(&run, &pinned, &*writer, &plan, update, &old);
    run.stage(Stage::GeneratingPages, writing.boxed()).await?;
    let anchored = update.map_or_else(|| old.anchored(), |update| update.anchored.clone());
    let checking = validating::check_pages(&run, &*writer, &plan, &steering, &anchored);
    run.stage(Stage::Validating, checking.boxed()).await?;
    gate::pass(&run, steering.min_grade).boxed().await?;
    let pages = run.stage(Stage::CrossLinking, cross_linking::link_pages(&run, &plan).boxed()).await?;
    rendering::publish_site(&run, (&pinned, &checkout), plan, pages, None).await
}

/// Tells the writer what there is in the repository, before it is asked for pages.
async fn writer_learns(run: &Run, writer: &Arc<dyn Writer>) -> Result<(), StageError> {
    // the built-in writer reads the repository itself
    if run.claimed.key.provider == Provider::Builtin {
        return Ok(());
    }
    let (index, writer) = (run.unless_stopped(run.index()).await??, Arc::clone(writer));
    Ok(tokio::task::spawn_blocking(move || writer.learn(&index)).await.map_err(anyhow::Error::from)?)
}
