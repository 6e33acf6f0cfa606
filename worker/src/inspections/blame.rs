//! Which commit changed what a section stands on, as far as that is cheaply known.

use std::{
    collections::{BTreeSet, HashMap},
    path::PathBuf,
    time::{Duration, Instant},
};

use shared::{
    inspection::{CheckedPage, Reason},
    names::CommitSha,
};

use super::place::Place;
use crate::git::{self, Since, Touch};

/// From here on no further file is looked at.
const MAX_TIME: Duration = Duration::from_secs(10);
/// Most texts that are fetched to tell apart several commits that touched the same file.
const MAX_CONTENTS: usize = 400;

/// How many commits a branch went on since `base`, and what they touched. Nothing when the server does not tell, or it lies too
/// far back.
pub(super) struct Blame {
    history: Option<(git::History, PathBuf)>,
    base: CommitSha,
}

impl Blame {
    /// Fetches the history, without the content of files.
    pub(super) async fn fetch(place: &Place<'_>, head: &CommitSha, base: &CommitSha) -> Self {
        let fetched = async {
            let folder = place.make_folder("history").await.ok()?;
            let fetched = git::fetch_history(&place.request(&folder), head, place.cancel).await;
            let history = fetched.map_err(|error| tracing::debug!(%error, "the history is not known")).ok()?;
            Some((history, folder))
        };
        Self { history: fetched.await, base: base.clone() }
    }

    /// Counts the commits and puts into every reason the commit that is to blame.
    pub(super) async fn explain(self, place: &Place<'_>, pages: Vec<CheckedPage>) -> (Option<u32>, Vec<CheckedPage>) {
        let Self { history: Some((history, folder)), base } = self else { return (None, pages) };
        let (read, paths) = (history.clone(), paths_of(&pages));
        let looked = tokio::task::spawn_blocking(move || Some(Looked::at(paths, read.since(&base)?)));
        let Ok(Some(looked)) = looked.await else { return (None, pages) };
        let missing = &looked.missing;
        if !missing.is_empty() && missing.len() <= MAX_CONTENTS {
            let fetched = git::fetch_contents(&place.request(&folder), &history, missing, place.cancel).await;
            if let Err(error) = fetched {
                tracing::debug!(%error, "which of several commits changed some lines is not known");
            }
        }
        let unexplained = pages.clone();
        let explained = tokio::task::spawn_blocking(move || {
            let count = looked.since.count();
            (Some(count), looked.explain(pages))
        });
        explained.await.unwrap_or((None, unexplained))
    }
}

/// The files that changed lines are cited from.
fn paths_of(pages: &[CheckedPage]) -> BTreeSet<String> {
    let reasons = pages.iter().flat_map(|page| &page.sections).flat_map(|section| &section.reasons);
    let paths = reasons.filter_map(|reason| match reason {
        Reason::CitedLinesChanged { place, .. } | Reason::SourceGone { place, .. } => Some(place.path.clone()),
        _ => None,
    });
    paths.collect()
}

/// What is known of the files that reasons are about.
struct Looked {
    since: Since,
    touches: HashMap<String, Vec<Touch>>,
    missing: Vec<git2::Oid>,
}

impl Looked {
    fn at(paths: BTreeSet<String>, since: Since) -> Self {
        let started = Instant::now();
        let looked_at = paths.into_iter().take_while(|_| started.elapsed() < MAX_TIME);
        let touches: HashMap<String, Vec<Touch>> =
            looked_at.map(|path| (path.clone(), since.touches(&path).unwrap_or_default())).collect();
        let missing = since.missing_contents(touches.values().map(Vec::as_slice));
        Self { since, touches, missing }
    }

    fn explain(&self, mut pages: Vec<CheckedPage>) -> Vec<CheckedPage> {
        let started = Instant::now();
        let sections = pages.iter_mut().flat_map(|page| &mut page.sections);
        for reason in sections.flat_map(|section| &mut section.reasons) {
            if started.elapsed() > MAX_TIME {
                break;
            }
            let touches = |path: &str| self.touches.get(path).map(Vec::as_slice).unwrap_or_default();
            match reason {
                Reason::CitedLinesChanged { place, commit } => {
                    *commit = self.since.first_to_change(touches(&place.path), place.lines());
                }
                Reason::SourceGone { place, commit } => *commit = Since::removed_by(touches(&place.path)),
                _ => {}
            }
        }
        pages
    }
}
