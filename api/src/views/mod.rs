//! What a caller sees of everything, as ready-made bytes: one view for admins, one for each other reader.
//!
//! A view is never stale. Each use is validated by one cheap query, a digest of the rows in scope ([`shared::db::views`]),
//! that began after the use did; uses that come together share it (`asking`). When the digest is another one, the view is
//! made anew from one snapshot of the database (`view`), once for all who wait. Views are kept up to a limit in bytes, the
//! least recently used go first; larger ones are made for each use and shared only while somebody still sends them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Instant,
};

use shared::db::{self, variants::Scope, views::Digest};
use sqlx::PgPool;
use tokio::sync::Semaphore;

use crate::auth::Caller;

mod asking;
mod view;
mod answer;

pub(crate) use answer::answer;
pub(crate) use view::View;

use asking::Asking;

/// Memory for all views, in bytes, their compressed forms included.
const KEPT_BYTES: usize = 64 << 20;
/// Readers whose views are kept.
const KEPT_VIEWS: usize = 1_000;
/// Views that are made at the same time; each holds a connection.
const BUILDS: usize = 2;

/// Why there is no view; shared by all who asked together.
pub(crate) type Failure = Arc<sqlx::Error>;

/// Whose view it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Seen {
    /// Everything.
    All,
    /// What one user may read.
    By(Arc<str>),
}

impl Seen {
    /// What a caller sees.
    pub(crate) fn of(caller: &Caller) -> Self {
        if caller.is_admin() { Self::All } else { Self::By(caller.username.clone()) }
    }

    fn scope(&self) -> Scope<'_> {
        match self {
            Self::All => Scope::All,
            Self::By(user) => Scope::Reader(user),
        }
    }
}

/// Every view of this process.
pub(crate) struct Views {
    pool: PgPool,
    entries: Mutex<Entries>,
    builds: Semaphore,
    models: Arc<Asking<Arc<[String]>>>,
}

#[derive(Default)]
struct Entries {
    of_readers: HashMap<Seen, Arc<Entry>>,
    uses: u64,
}

/// The view of one reader, and how it is made.
#[derive(Default)]
struct Entry {
    digests: Arc<Asking<Digest>>,
    building: tokio::sync::Mutex<()>,
    latest: Mutex<Latest>,
}

#[derive(Default)]
struct Latest {
    held: Held,
    read_at: Option<Instant>,
    last_use: u64,
}

#[derive(Default)]
enum Held {
    #[default]
    Nothing,
    Kept(Arc<View>),
    /// As long as somebody else uses it.
    Passing(Weak<View>),
}

impl Latest {
    fn view(&self) -> Option<Arc<View>> {
        match &self.held {
            Held::Nothing => None,
            Held::Kept(view) => Some(view.clone()),
            Held::Passing(view) => view.upgrade(),
        }
    }

    fn kept_bytes(&self) -> usize {
        if let Held::Kept(view) = &self.held { view.weight() } else { 0 }
    }

    fn let_go(&mut self) {
        if let Held::Kept(view) = &self.held {
            self.held = Held::Passing(Arc::downgrade(view));
        }
    }
}

impl Views {
    pub(crate) fn new(pool: PgPool) -> Self {
        Self { pool, entries: Mutex::default(), builds: Semaphore::new(BUILDS), models: Arc::default() }
    }

    /// The view as it is now.
    pub(crate) async fn current(&self, seen: &Seen) -> Result<Arc<View>, Failure> {
        let (arrived, entry) = (Instant::now(), self.entry(seen));
        let digest = self.digest(seen, &entry).await?;
        self.fitting(seen, &entry, &digest, arrived).await
    }

    /// The view as it is now, unless its digest is the one that is known.
    pub(crate) async fn changed(&self, seen: &Seen, known: Option<&Digest>) -> Result<Option<Arc<View>>, Failure> {
        let (arrived, entry) = (Instant::now(), self.entry(seen));
        let digest = self.digest(seen, &entry).await?;
        if known == Some(&digest) {
            return Ok(None);
        }
        self.fitting(seen, &entry, &digest, arrived).await.map(Some)
    }

    /// `provider/model` of everybody's ready variants, sorted: what changes in the views of those who see nothing else of it.
    pub(crate) async fn known_models(&self) -> Result<Arc<[String]>, Failure> {
        let pool = self.pool.clone();
        let question = async move {
            let mut conn = pool.acquire().await?;
            let known = db::variants::list_known_models(&mut conn).await?;
            Ok(known.iter().map(|(provider, model)| format!("{provider}/{model}")).collect())
        };
        self.models.ask(question).await
    }

    async fn digest(&self, seen: &Seen, entry: &Entry) -> Result<Digest, Failure> {
        let (pool, seen) = (self.pool.clone(), seen.clone());
        let question = async move {
            let mut conn = pool.acquire().await?;
            db::views::digest(&mut conn, seen.scope()).await
        };
        entry.digests.ask(question).await
    }

    /// The view of a digest, or one that was read after `arrived` and so is newer.
    async fn fitting(
        &self,
        seen: &Seen,
        entry: &Entry,
        digest: &Digest,
        arrived: Instant,
    ) -> Result<Arc<View>, Failure> {
        let is_fitting = |latest: &Latest, view: &View| {
            view.digest == *digest || latest.read_at.is_some_and(|read_at| read_at >= arrived)
        };
        let find = || {
            let latest = lock(&entry.latest);
            latest.view().filter(|view| is_fitting(&latest, view))
        };
        if let Some(view) = find() {
            return Ok(view);
        }
        let _only_one = entry.building.lock().await;
        if let Some(view) = find() {
            return Ok(view);
        }
        let _turn = self.builds.acquire().await.map_err(|_| Arc::new(sqlx::Error::PoolClosed))?;
        let expected_bytes = lock(&entry.latest).view().map_or(0, |view| view.frame().len());
        let read_at = Instant::now();
        let view = Arc::new(view::build(&self.pool, seen, expected_bytes).await?);
        self.keep(entry, &view, read_at);
        Ok(view)
    }

    fn keep(&self, entry: &Entry, view: &Arc<View>, read_at: Instant) {
        let mut latest = lock(&entry.latest);
        latest.read_at = Some(read_at);
        if view.weight() > KEPT_BYTES / 2 {
            latest.held = Held::Passing(Arc::downgrade(view));
            return;
        }
        latest.held = Held::Kept(view.clone());
        drop(latest);
        lock(&self.entries).shrink();
    }

    fn entry(&self, seen: &Seen) -> Arc<Entry> {
        let mut entries = lock(&self.entries);
        entries.uses += 1;
        let uses = entries.uses;
        let entry = entries.of_readers.entry(seen.clone()).or_default().clone();
        lock(&entry.latest).last_use = uses;
        if entries.of_readers.len() > KEPT_VIEWS {
            entries.forget_oldest();
        }
        entry
    }
}

impl Entries {
    /// Lets go of the views that were not used for the longest time until the others fit.
    fn shrink(&mut self) {
        let mut kept: Vec<(u64, usize, &Arc<Entry>)> = Vec::new();
        for entry in self.of_readers.values() {
            let latest = lock(&entry.latest);
            kept.push((latest.last_use, latest.kept_bytes(), entry));
        }
        kept.sort_unstable_by_key(|(last_use, ..)| *last_use);
        let mut total: usize = kept.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, bytes, entry) in kept {
            if total <= KEPT_BYTES {
                return;
            }
            lock(&entry.latest).let_go();
            total -= bytes;
        }
    }

    fn forget_oldest(&mut self) {
        let oldest = self.of_readers.iter().min_by_key(|(_, entry)| lock(&entry.latest).last_use);
        if let Some(seen) = oldest.map(|(seen, _)| seen.clone()) {
            self.of_readers.remove(&seen);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // nothing that can panic happens while one of these is held
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
