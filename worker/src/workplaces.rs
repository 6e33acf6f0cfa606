//! Where pages of a run are written: the tree of its commit, its plan and its writer, ready in this process for as long as
//! pages keep coming. The run's own coordinator brings its own; every other worker takes the pinned commit from the store.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context;
use shared::{
    db::{self, generations::PageWork},
    ids::GenerationId,
    plan::Plan,
    source::RepoSource,
    stage::Stage,
};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use crate::{
    Worker,
    git::Checkout,
    pipeline::{Decision, Pinned, StageError, Update, restore_checkout},
    steering::Steering,
    workdir::WorkDir,
    writers::{self, Writer},
};

/// Workplaces that are kept although nobody writes there at the moment.
const KEPT: usize = 16;

/// Everything that writing a page of a run takes.
pub(crate) struct Workplace {
    pub(crate) work: PageWork,
    pub(crate) plan: Plan,
    pub(crate) writer: Arc<dyn Writer>,
    /// The commit.
    pub(crate) checkout: Checkout,
    /// What changed since the pages there are, when they are brought up to date.
    pub(crate) update: Option<Arc<Update>>,
    /// The folder with the tree; goes when nobody uses it any more.
    #[expect(dead_code, reason = "it is held and never looked at")]
    pub(crate) folder: Arc<WorkDir>,
}

impl Workplace {
    /// Longest one call of an AI command line may take.
    pub(crate) fn call_timeout(&self) -> Duration {
        Duration::from_secs(u64::try_from(self.work.call_timeout_minutes).unwrap_or(1) * 60)
    }
}

type Place = Arc<OnceCell<Arc<Workplace>>>;

/// The workplaces of this process.
#[derive(Default)]
pub(crate) struct Workplaces {
    places: Mutex<HashMap<GenerationId, (Instant, Place)>>,
}

impl Workplaces {
    /// Brings the workplace of a run that this process coordinates.
    pub(crate) fn bring(&self, generation: GenerationId, workplace: Workplace) {
        let place = Arc::new(OnceCell::new_with(Some(Arc::new(workplace))));
        self.lock().insert(generation, (Instant::now(), place));
    }

    /// The workplace of a run; made when this process has none, once however many pages ask.
    pub(crate) async fn open(
        &self,
        worker: &Worker,
        generation: GenerationId,
        cancel: &CancellationToken,
    ) -> Result<Arc<Workplace>, StageError> {
        let place = {
            let mut places = self.lock();
            let (used, place) = places.entry(generation).or_insert_with(|| (Instant::now(), Place::default()));
            *used = Instant::now();
            let place = Arc::clone(place);
            drop_oldest(&mut places);
            place
        };
        let made = place.get_or_try_init(|| async { make(worker, generation, cancel).await.map(Arc::new) }).await;
        made.cloned()
    }

    /// Forgets the workplace of a run that is over.
    pub(crate) fn close(&self, generation: GenerationId) {
        self.lock().remove(&generation);
    }

    /// The runs there are workplaces for.
    pub(crate) fn list(&self) -> Vec<GenerationId> {
        self.lock().keys().copied().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<GenerationId, (Instant, Place)>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets those that were not used for the longest time; their folders go when the last page there is done.
fn drop_oldest(places: &mut HashMap<GenerationId, (Instant, Place)>) {
    while places.len() > KEPT {
        let Some(oldest) = places.iter().min_by_key(|(_, (used, _))| *used).map(|(id, _)| *id) else { return };
        places.remove(&oldest);
    }
}

async fn make(worker: &Worker, generation: GenerationId, cancel: &CancellationToken) -> Result<Workplace, StageError> {
    let mut conn = worker.config.pool.acquire().await?;
    let work = db::generations::find_page_work(&mut conn, generation).await?.ok_or(StageError::Stopped)?;
    let pinned = db::generations::find_checkpoint(&mut conn, generation, Stage::Cloning).await?;
    let plan = db::generations::find_checkpoint(&mut conn, generation, Stage::Planning).await?;
    let decision = db::generations::find_checkpoint(&mut conn, generation, Stage::IncrementalPlanning).await?;
    drop(conn);
    let (pinned, plan) = pinned.zip(plan).ok_or(StageError::internal("a page is asked for before there is a plan"))?;
    let pinned: Pinned = serde_json::from_value(pinned).context("the pinned commit cannot be read")?;
    let plan: Plan = serde_json::from_value(plan).context("the plan cannot be read")?;
    let source = RepoSource::from_stored(&work.repo_url).map_err(|error| StageError::Fail(error.to_string()))?;
    let base = worker.config.work_dir.clone();
    let folder = tokio::task::spawn_blocking(move || WorkDir::create_for_pages(&base, generation));
    let folder = folder.await.map_err(anyhow::Error::from)?.context("cannot make a temporary folder")?;
    let checkout = restore_checkout(worker, generation, &work.key.branch, &pinned, folder.path(), cancel).await?;
    let (read_from, options) = (checkout.clone(), work.options.clone());
    let steering = tokio::task::spawn_blocking(move || Steering::read(&read_from, &options));
    let (steering, _) =
        steering.await.map_err(anyhow::Error::from)?.map_err(|error| StageError::Fail(error.message))?;
    let repo_url = source.web_links(&checkout.commit).map(|links| links.repository);
    let writer = writers::open(worker, &work.key, &checkout, repo_url, &steering, folder.path())
        .await
        .map_err(|error| StageError::Fail(error.message))?;
    let update = match decision.and_then(|value| serde_json::from_value(value).ok()) {
        Some(Decision::Update(update)) => Some(update),
        _ => None,
    };
    Ok(Workplace { work, plan, writer: writer.into(), checkout, update, folder: Arc::new(folder) })
}
