//! Who watches, and what they are told: `hub` hears what happens and hands it on, `watcher` knows who somebody is and what
//! he sees, `places` limits how many there are, `socket` is a WebSocket, `stream` are server-sent events.

use std::time::Duration;

pub(crate) mod hub;
pub(crate) mod places;
pub(crate) mod watcher;
pub(crate) mod socket;
pub(crate) mod stream;

/// How often something is done while somebody watches. Tests use shorter times.
#[derive(Debug, Clone)]
pub struct WatchTimes {
    /// From one sign of life of a WebSocket to the next question for one.
    pub ping_every: Duration,
    /// How long the answer may take.
    pub pong_within: Duration,
    /// From one comment in a stream of events to the next.
    pub comment_every: Duration,
    /// How often it is looked whether a watcher may still watch, although nothing was heard.
    pub recheck_every: Duration,
    /// The shortest time between two `sync` on one WebSocket.
    pub sync_every: Duration,
}

impl Default for WatchTimes {
    fn default() -> Self {
        Self {
            ping_every: Duration::from_secs(30),
            pong_within: Duration::from_secs(10),
            comment_every: Duration::from_secs(15),
            recheck_every: Duration::from_mins(1),
            sync_every: Duration::from_secs(1),
        }
    }
}
