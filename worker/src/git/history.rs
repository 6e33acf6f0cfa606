//! How many commits lie between two, and which of them changed certain lines of a file: from commits and folders, from the
//! content of a file only where more than one commit touched it, and only so far back as is cheap. What is not known then is
//! nobody's fault and no error.

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    path::{Path, PathBuf},
    time::Duration,
};

use git2::{DiffOptions, Oid, Patch, Repository};
use shared::names::CommitSha;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    GitError, blocking,
    clone::{CloneRequest, forget_remote},
    command::Bounds,
    fetch::fetch,
    pack::{make_empty, unwritable},
    remote::Remote,
    tree,
};

/// How far back it is looked.
const MAX_DEPTH: u32 = 500;
/// Longest time for it.
const MAX_TIME: Duration = Duration::from_secs(30);
/// Larger files are not compared.
const MAX_COMPARED_BYTES: u64 = 512 << 10;

/// The last commits of a branch.
#[derive(Debug, Clone)]
pub(crate) struct History {
    git_dir: PathBuf,
    head: CommitSha,
}

/// Fetches the commits and folders before `head` into `folder`, which exists.
pub(crate) async fn fetch_history(
    request: &CloneRequest<'_>,
    head: &CommitSha,
    cancel: &CancellationToken,
) -> Result<History, GitError> {
    let git_dir = request.folder.join("history.git");
    let (target, wanted) = (git_dir.clone(), head.clone());
    blocking(move || make_empty(&target, &wanted).map_err(|error| unwritable(&error))).await?;
    fetch_into(request, &git_dir, &[head.to_string()], Some(MAX_DEPTH), cancel).await?;
    Ok(History { git_dir, head: head.clone() })
}

/// Fetches what files held into a history, by its request.
pub(crate) async fn fetch_contents(
    request: &CloneRequest<'_>,
    history: &History,
    contents: &[Oid],
    cancel: &CancellationToken,
) -> Result<(), GitError> {
    let ids: Vec<String> = contents.iter().map(Oid::to_string).collect();
    fetch_into(request, &history.git_dir, &ids, None, cancel).await
}

async fn fetch_into(
    request: &CloneRequest<'_>,
    git_dir: &Path,
    ids: &[String],
    depth: Option<u32>,
    cancel: &CancellationToken,
) -> Result<(), GitError> {
    let fetching = async {
        let mut remote = Remote::resolve(request.source, request.settings).await?;
        remote.hide_folder(request.folder);
        remote.check_reachable().await?;
        let what = format!("fetching the history of `{remote}`");
        let deadline = Instant::now() + request.limits.timeout.min(MAX_TIME);
        let bounds = Bounds { what: &what, limits: request.limits, cancel, deadline, folder: Some(git_dir) };
        // what is asked for by its own id is sent all the same
        fetch(&remote, ids, git_dir, depth, "--filter=blob:none", &bounds).await?;
        let written = git_dir.to_owned();
        blocking(move || forget_remote(&written).map_err(|error| unwritable(&error))).await
    };
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(GitError::cancelled()),
        fetched = fetching => fetched,
    }
}

/// The commits of a branch that came after another commit.
pub(crate) struct Since {
    repository: Repository,
    base: Oid,
    head: Oid,
    /// Each after its parents.
    commits: Vec<Oid>,
    /// What was found between two texts.
    compared: RefCell<HashMap<(Oid, Oid), Compared>>,
}

/// What differs between two texts; `None` when that is not known.
type Compared = Option<Vec<Hunk>>;

/// Lines that are others in the next text.
struct Hunk {
    /// The first of them; without any the one behind which something was added.
    start: u32,
    length: u32,
    /// How much further down stands what comes after them.
    shift: i64,
}

impl Hunk {
    fn is_above(&self, line: u32) -> bool {
        if self.length == 0 { self.start < line } else { self.start + self.length <= line }
    }

    fn is_below(&self, line: u32) -> bool {
        if self.length == 0 { self.start >= line } else { self.start > line }
    }
}

/// A commit that touched a file, and what the file held before and after it, if it was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Touch {
    commit: Oid,
    before: Option<Oid>,
    after: Option<Oid>,
}

impl History {
    /// The commits that came after `base`; nothing when it lies too far back or on another line. Blocks.
    pub(crate) fn since(&self, base: &CommitSha) -> Option<Since> {
        let repository = tree::open_bare(&self.git_dir).ok()?;
        let cut = cut_off(&self.git_dir);
        let (head, base) = (Oid::from_str(self.head.as_str()).ok()?, Oid::from_str(base.as_str()).ok()?);
        let (older, _) = ancestors(&repository, base, &cut, &HashSet::new())?;
        let (newer, is_whole) = ancestors(&repository, head, &cut, &older)?;
        // without a way from one to the other they are not of one line, and behind a cut there may be more
        let is_of_one_line = newer.is_empty() == (head == base) && is_whole && reaches(&repository, head, base, &newer);
        let commits = is_of_one_line.then(|| in_order(&repository, &newer))?;
        Some(Since { repository, base, head, commits, compared: RefCell::default() })
    }
}

impl Since {
    /// How many there are.
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.commits.len()).unwrap_or(u32::MAX)
    }

    /// The commits that made of a file what it is, oldest first; `None` when it is not clear which.
    pub(crate) fn touches(&self, path: &str) -> Option<Vec<Touch>> {
        // a commit is asked once for itself and once as a parent
        let mut known: HashMap<Oid, Option<Oid>> = HashMap::new();
        let mut blob = |commit: Oid| *known.entry(commit).or_insert_with(|| self.blob(commit, path));
        let mut touches = Vec::new();
        let mut now = blob(self.base);
        for commit in &self.commits {
            let after = blob(*commit);
            let parents = self.repository.find_commit(*commit).ok()?;
            // a merge that takes a file over from one side touches nothing
            let before: Vec<Option<Oid>> = parents.parent_ids().map(&mut blob).collect();
            if before.contains(&now) && !before.contains(&after) {
                touches.push(Touch { commit: *commit, before: now, after });
                now = after;
            }
        }
        (now == blob(self.head)).then_some(touches)
    }

    /// What has to be fetched before [`Self::first_to_change`] knows these files.
    pub(crate) fn missing_contents<'t>(&self, files: impl IntoIterator<Item = &'t [Touch]>) -> Vec<Oid> {
        let compared = files.into_iter().filter(|touches| touches.len() > 1).flatten();
        let contents: HashSet<Oid> = compared.flat_map(|touch| [touch.before, touch.after]).flatten().collect();
        let database = self.repository.odb();
        let is_missing = |id: &Oid| database.as_ref().is_ok_and(|database| !database.exists(*id));
        let mut missing: Vec<Oid> = contents.into_iter().filter(is_missing).collect();
        missing.sort_unstable();
        missing
    }

    /// The first commit that changed some lines of a file (first and last, from 1, as they stood at the base); the whole file
    /// without lines. `None` when the content is not here.
    pub(crate) fn first_to_change(&self, touches: &[Touch], lines: Option<(u32, u32)>) -> Option<String> {
        let ([first, .., _], Some(mut lines)) = (touches, lines) else {
            return touches.first().map(|only| only.commit.to_string());
        };
        first.before?;
        for touch in touches {
            let (Some(before), Some(after)) = (touch.before, touch.after) else {
                return Some(touch.commit.to_string());
            };
            match self.follow(before, after, lines)? {
                Some(followed) => lines = followed,
                None => return Some(touch.commit.to_string()),
            }
        }
        // they were taken back
        None
    }

    /// The commit that removed a file last.
    pub(crate) fn removed_by(touches: &[Touch]) -> Option<String> {
        let removed = touches.iter().rev().find(|touch| touch.after.is_none());
        removed.map(|touch| touch.commit.to_string())
    }

    /// Where lines stand in the next text: `Some(None)` when they are not the same, `None` when a text is not here or too large.
    #[expect(clippy::option_option, reason = "not known, changed, or moved")]
    fn follow(&self, before: Oid, after: Oid, (first, last): (u32, u32)) -> Option<Option<(u32, u32)>> {
        let mut compared = self.compared.borrow_mut();
        let hunks = compared.entry((before, after)).or_insert_with(|| self.compare(before, after)).as_ref()?;
        let mut shift = 0;
        for hunk in hunks {
            if hunk.is_above(first) {
                shift += hunk.shift;
            } else if !hunk.is_below(last) {
                return Some(None);
            }
        }
        let moved = |line: u32| u32::try_from(i64::from(line) + shift).ok();
        Some(moved(first).zip(moved(last)))
    }

    fn compare(&self, before: Oid, after: Oid) -> Compared {
        let text = |blob| tree::read_blob(&self.repository, blob, MAX_COMPARED_BYTES);
        let (before, after) = (text(before)?, text(after)?);
        let mut options = DiffOptions::new();
        options.context_lines(0).force_text(true);
        let patch = Patch::from_buffers(&before, None, &after, None, Some(&mut options)).ok()?;
        let hunk = |at| {
            let (hunk, _) = patch.hunk(at).ok()?;
            let shift = i64::from(hunk.new_lines()) - i64::from(hunk.old_lines());
            Some(Hunk { start: hunk.old_start(), length: hunk.old_lines(), shift })
        };
        (0..patch.num_hunks()).map(hunk).collect()
    }

    fn blob(&self, commit: Oid, path: &str) -> Option<Oid> {
        if path.is_empty() || path.contains('\0') {
            return None;
        }
        let tree = self.repository.find_commit(commit).ok()?.tree().ok()?;
        Some(tree.get_path(Path::new(path)).ok()?.id())
    }
}

/// Each commit after its parents; of several that may come next the one with the smallest id.
fn in_order(repository: &Repository, commits: &HashSet<Oid>) -> Vec<Oid> {
    let mut children: HashMap<Oid, Vec<Oid>> = HashMap::new();
    let mut waits_for: HashMap<Oid, usize> = HashMap::new();
    for id in commits {
        let parents: Vec<Oid> =
            repository.find_commit(*id).map(|commit| commit.parent_ids().collect()).unwrap_or_default();
        let parents: Vec<Oid> = parents.into_iter().filter(|parent| commits.contains(parent)).collect();
        waits_for.insert(*id, parents.len());
        for parent in parents {
            children.entry(parent).or_default().push(*id);
        }
    }
    let ready = waits_for.iter().filter(|(_, parents)| **parents == 0);
    let mut ready: BTreeSet<Oid> = ready.map(|(id, _)| *id).collect();
    let mut ordered = Vec::with_capacity(commits.len());
    while let Some(next) = ready.pop_first() {
        ordered.push(next);
        for child in children.remove(&next).unwrap_or_default() {
            let Some(parents) = waits_for.get_mut(&child) else { continue };
            *parents -= 1;
            if *parents == 0 {
                ready.insert(child);
            }
        }
    }
    ordered
}

/// Commits whose parents were not fetched.
fn cut_off(git_dir: &Path) -> HashSet<Oid> {
    let list = std::fs::read_to_string(git_dir.join("shallow")).unwrap_or_default();
    list.lines().filter_map(|line| Oid::from_str(line).ok()).collect()
}

/// A commit and what came before it, `known` left out; and whether nothing of it is cut off.
fn ancestors(
    repository: &Repository,
    from: Oid,
    cut: &HashSet<Oid>,
    known: &HashSet<Oid>,
) -> Option<(HashSet<Oid>, bool)> {
    let mut found = HashSet::new();
    let mut is_whole = true;
    let mut open = VecDeque::from([from]);
    while let Some(id) = open.pop_front() {
        if known.contains(&id) || !found.insert(id) {
            continue;
        }
        let commit = repository.find_commit(id).ok()?;
        if cut.contains(&id) {
            is_whole = false;
        } else {
            open.extend(commit.parent_ids());
        }
    }
    Some((found, is_whole))
}

/// Whether a way leads from `head` to `base` through these commits.
fn reaches(repository: &Repository, head: Oid, base: Oid, newer: &HashSet<Oid>) -> bool {
    head == base
        || newer
            .iter()
            .any(|id| repository.find_commit(*id).is_ok_and(|commit| commit.parent_ids().any(|parent| parent == base)))
}
