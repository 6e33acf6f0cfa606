//! Which commit changed what a section stands on, as far as that is cheaply known.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use shared::{
    inspection::{CheckedPage, Reason},
    names::CommitSha,
};

use super::place::Place;
use crate::git;

/// From here on no further file is looked at.
const MAX_TIME: Duration = Duration::from_secs(10);

/// How many commits a branch went on since `base`, and what they touched. Nothing when the server does not tell, or it lies too
/// far back.
pub(super) struct Blame {
    history: Option<git::History>,
    base: CommitSha,
}

impl Blame {
    /// Fetches the history, without the content of files.
    pub(super) async fn fetch(place: &Place<'_>, head: &CommitSha, base: &CommitSha) -> Self {
        let fetched = async {
            let folder = place.make_folder("history").await.ok()?;
            let fetched = git::fetch_history(&place.request(&folder), head, place.cancel).await;
            fetched.map_err(|error| tracing::debug!(%error, "the history is not known")).ok()
        };
        Self { history: fetched.await, base: base.clone() }
    }

    /// Counts the commits and puts into every reason the commit that is to blame.
    pub(super) async fn explain(self, mut pages: Vec<CheckedPage>) -> (Option<u32>, Vec<CheckedPage>) {
        let Self { history: Some(history), base } = self else { return (None, pages) };
        let explained = tokio::task::spawn_blocking(move || {
            let Some(since) = history.since(&base) else { return (None, pages) };
            let started = Instant::now();
            let mut known: HashMap<String, Option<String>> = HashMap::new();
            let reasons = pages.iter_mut().flat_map(|page| &mut page.sections).flat_map(|section| &mut section.reasons);
            for reason in reasons {
                if let Reason::CitedLinesChanged { place, commit } | Reason::SourceGone { place, commit } = reason {
                    if !known.contains_key(&place.path) && started.elapsed() < MAX_TIME {
                        known.insert(place.path.clone(), since.only_commit_touching(&place.path));
                    }
                    *commit = known.get(&place.path).cloned().flatten();
                }
            }
            (Some(since.count()), pages)
        });
        explained.await.unwrap_or_else(|_| (None, Vec::new()))
    }
}
