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
    git::{self, Checkout},
    grounding::index::Index,
    pipeline::{Decision, Ground, Pinned, StageError, Update, restore_checkout},
    steering::Steering,
    workdir::WorkDir,
    writers::{self, Writer},
};

/// Everything that writing a page of a run takes.
pub(crate) struct Workplace {
    pub(crate) work: PageWork,
    pub(crate) plan: Plan,
    pub(crate) writer: Arc<dyn Writer>,
    /// The commit.
    pub(crate) checkout: Checkout,
    /// What changed since the pages there are, when they are brought up to date.
    pub(crate) update: Option<Arc<Update>>,
    /// The commit's index, when somebody asks for it.
    ground: Option<Arc<Ground>>,
    /// The folder with the tree; goes when nobody uses it any more.
    _folder: Arc<WorkDir>,
    /// What the folder takes on disk.
    bytes: u64,
}

impl Workplace {
    /// Puts a workplace together and looks how large its folder is.
    pub(crate) async fn measure(
        work: PageWork,
        plan: Plan,
        writer: Arc<dyn Writer>,
        checkout: Checkout,
        update: Option<Arc<Update>>,
        folder: Arc<WorkDir>,
        ground: Option<Arc<Ground>>,
    ) -> Self {
        let path = folder.path().to_owned();
        let bytes = tokio::task::spawn_blocking(move || git::folder_bytes(path)).await.unwrap_or_default();
        Self { work, plan, writer, checkout, update, ground, _folder: folder, bytes }
    }

    #[expect(dead_code, reason = "issue 5 is being built: page jobs come to check what was written")]
    /// The index of the commit: that of the run when it is coordinated here, else from the store, or built now.
    pub(crate) async fn index(&self, worker: &Worker, cancel: &CancellationToken) -> Result<Arc<Index>, StageError> {
        let ground = self.ground.as_ref().ok_or(StageError::internal("a page is written before there is a commit"))?;
        ground.index(worker, cancel).await
    }

    /// Longest one call of an AI command line may take.
    pub(crate) fn call_timeout(&self) -> Duration {
        Duration::from_secs(u64::try_from(self.work.call_timeout_minutes).unwrap_or(1) * 60)
    }
}

type Place = Arc<OnceCell<Arc<Workplace>>>;

/// The workplaces of this process.
pub(crate) struct Workplaces {
    places: Mutex<HashMap<GenerationId, Entry>>,
    /// Most bytes of folders that are kept although nobody writes there at the moment.
    max_bytes: u64,
}

struct Entry {
    used: Instant,
    place: Place,
    /// The run's own folder, which stays as long as the run.
    is_brought: bool,
}

impl Entry {
    fn bytes(&self) -> u64 {
        self.place.get().map_or(0, |place| place.bytes)
    }

    /// Whether nobody makes it or writes there.
    fn is_idle(&self) -> bool {
        !self.is_brought && self.place.get().is_some_and(|place| Arc::strong_count(place) == 1)
    }
}

impl Workplaces {
    /// Keeps folders of so many bytes for pages to come.
    pub(crate) fn new(max_bytes: u64) -> Self {
        Self { places: Mutex::default(), max_bytes }
    }

    /// Brings the workplace of a run that this process coordinates.
    pub(crate) fn bring(&self, generation: GenerationId, workplace: Workplace) {
        let place = Arc::new(OnceCell::new_with(Some(Arc::new(workplace))));
        let mut places = self.lock();
        places.insert(generation, Entry { used: Instant::now(), place, is_brought: true });
        drop_oldest(&mut places, self.max_bytes);
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
            let entry = places.entry(generation).or_insert_with(|| Entry {
                used: Instant::now(),
                place: Place::default(),
                is_brought: false,
            });
            entry.used = Instant::now();
            Arc::clone(&entry.place)
        };
        let made = place.get_or_try_init(|| async { make(worker, generation, cancel).await.map(Arc::new) }).await;
        let made = made.cloned();
        // this one is in use by now
        drop_oldest(&mut self.lock(), self.max_bytes);
        made
    }

    /// Forgets the workplace of a run that is over.
    pub(crate) fn close(&self, generation: GenerationId) {
        self.lock().remove(&generation);
    }

    /// The runs there are workplaces for.
    pub(crate) fn list(&self) -> Vec<GenerationId> {
        self.lock().keys().copied().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<GenerationId, Entry>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets those that were not used for the longest time, with their folders, until the others fit. Those that are in use
/// stay, whatever they take.
fn drop_oldest(places: &mut HashMap<GenerationId, Entry>, max_bytes: u64) {
    while places.values().map(Entry::bytes).sum::<u64>() > max_bytes {
        let idle = places.iter().filter(|(_, entry)| entry.is_idle());
        let Some(oldest) = idle.min_by_key(|(_, entry)| entry.used).map(|(id, _)| *id) else { return };
        tracing::debug!(generation.id = %oldest, "its tree is not kept any longer");
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
    let too_new = |what: &str, error: serde_json::Error| StageError::TooNew(format!("{what} cannot be read: {error}"));
    let pinned: Pinned = serde_json::from_value(pinned).map_err(|error| too_new("the pinned commit", error))?;
    let plan: Plan = serde_json::from_value(plan).map_err(|error| too_new("the plan", error))?;
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
    let folder = Arc::new(folder);
    // what earlier runs left is the coordinator's business, which was here before
    let ground = Ground::new(generation, None, &work.key.name, &checkout, &steering.filter, &folder);
    let writer: Arc<dyn Writer> = writer.into();
    learn(worker, &ground, &writer, cancel).await?;
    let ground = Some(Arc::new(ground));
    Ok(Workplace::measure(work, plan, writer, checkout, update, folder, ground).await)
}

/// Tells a writer what there is in the repository. Without it pages are written all the same.
async fn learn(
    worker: &Worker,
    ground: &Ground,
    writer: &Arc<dyn Writer>,
    cancel: &CancellationToken,
) -> Result<(), StageError> {
    let index = match ground.index(worker, cancel).await {
        Ok(index) => index,
        Err(StageError::Stopped) => return Err(StageError::Stopped),
        Err(error) => {
            tracing::warn!(error = format!("{:#}", error.into_anyhow()), "the writer works without the index");
            return Ok(());
        }
    };
    let writer = Arc::clone(writer);
    Ok(tokio::task::spawn_blocking(move || writer.learn(&index)).await.map_err(anyhow::Error::from)?)
}
