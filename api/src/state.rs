//! What every request needs: made once per process, cloned cheaply.

use std::sync::Arc;

use shared::{
    db,
    events::{ACCESS_CHANNEL, Heard, INSPECTIONS_CHANNEL, Listening},
    settings::{HostAllowlist, InvalidSetting, Secret, TrustedProxies, WriterSettings},
};
use sites::{read::SiteReader, store::SiteStore};
use sqlx::PgPool;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::{
    sync::CancellationToken,
    task::{AbortOnDropHandle, TaskTracker},
};

use crate::{
    auth::{self, Caller, Proof, keys::KeyBook, pepper::Pepper},
    brief_cache::BriefCache,
    served::{self, ServedSites},
    starts::Starts,
    views::Views,
    watch::{WatchTimes, hub::Hub, places::Places},
};

/// Readers of docs who are remembered.
const REMEMBERED_CALLERS: usize = 10_000;
/// Memory for files of sites, in bytes.
const SITE_MEMORY_BYTES: u64 = 64 << 20;
/// Open sockets of a process, and of one user.
const SOCKETS: (usize, usize) = (2_000, 20);
/// Streams of events of a process, and of one user. Each holds a connection of the server.
const STREAMS: (usize, usize) = (1_000, 20);

/// What a process gives its API.
#[derive(Debug, Clone)]
pub struct ApiParts {
    /// The database.
    pub pool: PgPool,
    /// Where sites are.
    pub sites: SiteStore,
    /// The process's listening connection.
    pub listening: Listening,
    /// Key of the user `admin`.
    pub admin_key: Secret,
    /// Whether cookies carry the `Secure` attribute.
    pub secure_cookies: bool,
    /// Proxies that are believed when they say for whom they forward a request.
    pub trusted_proxies: TrustedProxies,
    /// Defaults of requests.
    pub writer: WriterSettings,
    /// Hosts that may be cloned from although private.
    pub repo_host_allowlist: HostAllowlist,
    /// Lets everybody who addresses this machine as `localhost` read docs without a login (`docmill try`). Only for servers
    /// that listen on loopback.
    pub docs_are_open: bool,
    /// Lets everybody read the grade of a project that they can name, as a badge.
    pub public_badges: bool,
    /// How writers are kept from the rest of this machine, for `/ready`: a note, or what is missing.
    pub sandbox: Option<Result<String, String>>,
    /// How often those who watch are looked after.
    pub watch_times: WatchTimes,
}

/// Readers of docs by what they prove themselves with.
type Callers = BriefCache<[u8; 32], (Caller, Proof)>;

/// Everything a request needs.
#[derive(Clone)]
pub struct ApiState(Arc<Inner>);

struct Inner {
    parts: ApiParts,
    keys: KeyBook,
    reader: SiteReader,
    callers: Arc<Callers>,
    served: Arc<ServedSites>,
    views: Views,
    starts: Starts,
    hub: Hub,
    sockets: Arc<Places>,
    streams: Arc<Places>,
    closing: CancellationToken,
    open_sockets: TaskTracker,
    _forgetting: AbortOnDropHandle<()>,
}

impl ApiState {
    /// Puts the parts together; must be called on a runtime. Fails when the admin key is too short.
    pub fn new(parts: ApiParts, pepper: Pepper) -> Result<Self, InvalidSetting> {
        let served = Arc::new(served::new_cache());
        let callers = Arc::new(BriefCache::new(REMEMBERED_CALLERS, auth::REMEMBERED));
        let forgetting = tokio::spawn(forget_what_changed(parts.listening.clone(), served.clone(), callers.clone()));
        Ok(Self(Arc::new(Inner {
            keys: KeyBook::new(&parts.admin_key, pepper)?,
            reader: SiteReader::new(parts.sites.clone(), SITE_MEMORY_BYTES),
            callers,
            served,
            views: Views::new(parts.pool.clone()),
            starts: Starts::new(parts.pool.clone()),
            hub: Hub::start(parts.pool.clone(), &parts.listening),
            sockets: Places::new(SOCKETS.0, SOCKETS.1),
            streams: Places::new(STREAMS.0, STREAMS.1),
            closing: CancellationToken::new(),
            open_sockets: TaskTracker::new(),
            _forgetting: AbortOnDropHandle::new(forgetting),
            parts,
        })))
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.0.parts.pool
    }

    pub(crate) fn sites(&self) -> &SiteStore {
        &self.0.parts.sites
    }

    pub(crate) fn reader(&self) -> &SiteReader {
        &self.0.reader
    }

    pub(crate) fn listening(&self) -> &Listening {
        &self.0.parts.listening
    }

    pub(crate) fn writer(&self) -> &WriterSettings {
        &self.0.parts.writer
    }

    pub(crate) fn repo_host_allowlist(&self) -> &HostAllowlist {
        &self.0.parts.repo_host_allowlist
    }

    pub(crate) fn secure_cookies(&self) -> bool {
        self.0.parts.secure_cookies
    }

    pub(crate) fn trusted_proxies(&self) -> &TrustedProxies {
        &self.0.parts.trusted_proxies
    }

    pub(crate) fn badges_are_public(&self) -> bool {
        self.0.parts.public_badges
    }

    pub(crate) fn docs_are_open(&self) -> bool {
        self.0.parts.docs_are_open
    }

    pub(crate) fn sandbox(&self) -> Option<&Result<String, String>> {
        self.0.parts.sandbox.as_ref()
    }

    pub(crate) fn keys(&self) -> &KeyBook {
        &self.0.keys
    }

    pub(crate) fn callers(&self) -> &Callers {
        &self.0.callers
    }

    /// What callers see of everything.
    pub(crate) fn views(&self) -> &Views {
        &self.0.views
    }

    /// Starts generations.
    pub(crate) fn starts(&self) -> &Starts {
        &self.0.starts
    }

    /// Hands out what happens.
    pub(crate) fn hub(&self) -> &Hub {
        &self.0.hub
    }

    pub(crate) fn watch_times(&self) -> &WatchTimes {
        &self.0.parts.watch_times
    }

    /// Places for sockets.
    pub(crate) fn sockets(&self) -> &Arc<Places> {
        &self.0.sockets
    }

    /// Places for streams of events.
    pub(crate) fn streams(&self) -> &Arc<Places> {
        &self.0.streams
    }

    /// Cancelled when the server ends: whoever watches is let go at once.
    pub(crate) fn closing(&self) -> &CancellationToken {
        &self.0.closing
    }

    /// The tasks behind sockets, which outlive the connections of the server.
    pub(crate) fn open_sockets(&self) -> &TaskTracker {
        &self.0.open_sockets
    }

    pub(crate) fn served(&self) -> &ServedSites {
        &self.0.served
    }
}

/// Forgets which site is served and who may read whenever a generation ends, users or their rights change, and whenever
/// something may have been missed.
async fn forget_what_changed(listening: Listening, served: Arc<ServedSites>, callers: Arc<Callers>) {
    let mut heard = listening.subscribe();
    drop(listening);
    loop {
        let (moved, changed) = match heard.recv().await {
            Ok(Heard::Notification { channel, payload }) => {
                let ended = &*channel == db::events::CHANNEL
                    && serde_json::from_str::<db::events::Announcement>(&payload)
                        .is_ok_and(|announcement| announcement.kind == "status_change");
                let changed = &*channel == ACCESS_CHANNEL;
                // how far a site is behind may be known now
                let checked = &*channel == INSPECTIONS_CHANNEL;
                (ended || changed || checked, changed)
            }
            Ok(Heard::Reconnected) | Err(RecvError::Lagged(_)) => (true, true),
            Err(RecvError::Closed) => return,
        };
        if moved {
            served.clear();
        }
        if changed {
            callers.clear();
        }
    }
}
