//! What changed between two commits: paths, and as much of the differences as a writer may be told. Neither history nor a
//! work tree is needed. Blocks: call it inside `spawn_blocking`.
//!
//! Everything is bounded, because both trees are a stranger's: the number of files by the limit of a clone, the search for
//! renames by [`MAX_PAIRS`], the texts by [`DiffLimits`].

use std::{
    collections::{HashMap, HashSet, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    time::{Duration, Instant},
};

use git2::{DiffOptions, Oid, Patch, Repository};
use serde::{Deserialize, Serialize};

use super::{
    Checkout, GitError,
    tree::{TreeFile, list_files, open_repository, read_blob},
};

/// Most pairs of a deleted and an added file that are compared for a rename with changes.
const MAX_PAIRS: usize = 40_000;
/// Most deleted or added files among which renames with changes are looked for.
const MAX_CANDIDATES: usize = 1_000;
/// Larger files are neither compared nor shown.
const MAX_COMPARED_BYTES: u64 = 512 << 10;
/// Most bytes of all files among which renames with changes are looked for: their lines are kept in memory.
const MAX_CANDIDATE_BYTES: u64 = 16 << 20;
/// Of a hundred lines, how many two files must share to be one that was renamed (git's own figure).
const MIN_SIMILARITY: usize = 50;
/// What stands for the rest of a text that is cut.
const NOTE: &str = "[the rest is left out]\n";
/// From here on no further text is compared.
const MAX_TIME: Duration = Duration::from_secs(30);

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum ChangeKind {
    /// It is new.
    Added,
    /// It has another content.
    Modified,
    /// It is gone.
    Deleted,
    /// It was called otherwise; its content may have changed as well.
    Renamed {
        /// Its old path.
        from: String,
    },
}

/// A file that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Change {
    /// Its path, the new one after a rename.
    pub(crate) path: String,
    /// What became of it.
    #[serde(flatten)]
    pub(crate) kind: ChangeKind,
    /// The difference as a unified diff, cut to its limit; none for what is not text or too large.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) diff: Option<String>,
}

/// Limits of the texts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DiffLimits {
    /// Most bytes of one file's difference; longer ones are cut.
    pub(crate) file_bytes: usize,
    /// Most bytes of all differences together; the files after that have none.
    pub(crate) total_bytes: usize,
}

/// The changes from `old` to `new` among the files that `counts` lets through, in order of path. A changed mode is none.
pub(crate) fn changes_between(
    old: &Checkout,
    new: &Checkout,
    counts: &dyn Fn(&str) -> bool,
    max_files: usize,
    limits: DiffLimits,
) -> Result<Vec<Change>, GitError> {
    let started = Instant::now();
    let list = |checkout| -> Result<HashMap<String, TreeFile>, GitError> {
        let files = list_files(checkout, max_files)?.files.into_iter();
        Ok(files.filter(|file| counts(&file.path)).map(|file| (file.path.clone(), file)).collect())
    };
    let sides = Sides { old: open_repository(old)?, new: open_repository(new)?, before: list(old)?, after: list(new)? };
    let mut changes = sides.compare(started);
    let mut left = limits.total_bytes;
    for change in &mut changes {
        // not even the note would fit
        if left <= NOTE.len() || started.elapsed() > MAX_TIME {
            break;
        }
        change.diff = sides.diff(change, limits.file_bytes.min(left));
        left = left.saturating_sub(change.diff.as_ref().map_or(0, String::len));
    }
    Ok(changes)
}

/// The two commits.
struct Sides {
    old: Repository,
    new: Repository,
    before: HashMap<String, TreeFile>,
    after: HashMap<String, TreeFile>,
}

impl Sides {
    fn compare(&self, started: Instant) -> Vec<Change> {
        let mut deleted: Vec<&TreeFile> =
            self.before.values().filter(|file| !self.after.contains_key(&file.path)).collect();
        let mut added: Vec<&TreeFile> =
            self.after.values().filter(|file| !self.before.contains_key(&file.path)).collect();
        deleted.sort_by(|a, b| a.path.cmp(&b.path));
        added.sort_by(|a, b| a.path.cmp(&b.path));
        let renames = self.find_renames(&deleted, &added, started);
        let old_names: HashSet<&str> = renames.values().copied().collect();

        let change = |path: &str, kind| Change { path: path.to_owned(), kind, diff: None };
        let mut changes: Vec<Change> = Vec::new();
        let gone = deleted.iter().filter(|file| !old_names.contains(file.path.as_str()));
        changes.extend(gone.map(|file| change(&file.path, ChangeKind::Deleted)));
        for file in &added {
            let from = renames.get(file.path.as_str());
            let kind = from.map_or(ChangeKind::Added, |from| ChangeKind::Renamed { from: (*from).to_owned() });
            changes.push(change(&file.path, kind));
        }
        let other_content =
            |file: &&TreeFile| self.before.get(&file.path).is_some_and(|before| before.blob != file.blob);
        let modified = self.after.values().filter(other_content);
        changes.extend(modified.map(|file| change(&file.path, ChangeKind::Modified)));
        changes.sort_by(|a, b| a.path.cmp(&b.path));
        changes
    }

    /// Old paths by new paths: first those of equal content, then the nearest of those that share enough lines.
    fn find_renames<'a>(
        &self,
        deleted: &[&'a TreeFile],
        added: &[&'a TreeFile],
        started: Instant,
    ) -> HashMap<&'a str, &'a str> {
        let mut by_content: HashMap<Oid, Vec<&'a str>> = HashMap::new();
        // an empty file is like any other empty file
        for file in deleted.iter().rev().filter(|file| file.size != Some(0)) {
            by_content.entry(file.blob).or_default().push(&file.path);
        }
        let mut renames = HashMap::new();
        for file in added {
            if let Some(from) = by_content.get_mut(&file.blob).and_then(Vec::pop) {
                renames.insert(file.path.as_str(), from);
            }
        }
        let taken: HashSet<&str> = renames.values().copied().collect();
        let deleted: Vec<_> = deleted.iter().filter(|file| !taken.contains(file.path.as_str())).collect();
        let added: Vec<_> = added.iter().filter(|file| !renames.contains_key(file.path.as_str())).collect();
        let bytes: u64 = deleted.iter().map(|file| file.size.unwrap_or(0).min(MAX_COMPARED_BYTES)).sum();
        let count = deleted.len().max(added.len());
        if count > MAX_CANDIDATES || deleted.len() * added.len() > MAX_PAIRS || bytes > MAX_CANDIDATE_BYTES {
            return renames;
        }
        let old: Vec<_> = deleted.iter().map(|file| (file, lines_of(&self.old, file))).collect();
        let mut pairs = Vec::new();
        for new in &added {
            if started.elapsed() > MAX_TIME {
                break;
            }
            let Some(lines) = lines_of(&self.new, new) else { continue };
            for (old, old_lines) in &old {
                let similarity = old_lines.as_ref().map_or(0, |old_lines| similarity(old_lines, &lines));
                if similarity >= MIN_SIMILARITY {
                    pairs.push((similarity, new.path.as_str(), old.path.as_str()));
                }
            }
        }
        pairs.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)).then(a.2.cmp(b.2)));
        let mut taken = HashSet::new();
        for (_, new, old) in pairs {
            if !renames.contains_key(new) && taken.insert(old) {
                renames.insert(new, old);
            }
        }
        renames
    }

    fn diff(&self, change: &Change, max_bytes: usize) -> Option<String> {
        let old_path = match &change.kind {
            ChangeKind::Added => None,
            ChangeKind::Renamed { from } => Some(from),
            ChangeKind::Modified | ChangeKind::Deleted => Some(&change.path),
        };
        let before = match old_path {
            Some(path) => text_of(&self.old, self.before.get(path)?)?,
            None => Vec::new(),
        };
        let after = match change.kind {
            ChangeKind::Deleted => Vec::new(),
            _ => text_of(&self.new, self.after.get(&change.path)?)?,
        };
        let old_name = old_path.unwrap_or(&change.path);
        let mut options = DiffOptions::new();
        let mut patch = Patch::from_buffers(
            &before,
            Some(old_name.as_ref()),
            &after,
            Some(change.path.as_ref()),
            Some(&mut options),
        )
        .ok()?;
        let text = patch.to_buf().ok()?;
        Some(cut(std::str::from_utf8(&text).ok()?, max_bytes))
    }
}

/// The text with whole lines only, and a word about it when some are missing.
fn cut(text: &str, max_bytes: usize) -> String {
    if text.len() <= max_bytes {
        return text.to_owned();
    }
    let room = text.floor_char_boundary(max_bytes.saturating_sub(NOTE.len()));
    let end = text[..room].rfind('\n').map_or(0, |at| at + 1);
    format!("{}{NOTE}", &text[..end])
}

/// The content of a file that is text and not too large.
fn text_of(repository: &Repository, file: &TreeFile) -> Option<Vec<u8>> {
    let content = read_blob(repository, file.blob, MAX_COMPARED_BYTES)?;
    (!content.contains(&0) && std::str::from_utf8(&content).is_ok()).then_some(content)
}

/// How often each line stands in a file, by the line's hash, empty ones not counted; nothing for what is not text.
fn lines_of(repository: &Repository, file: &TreeFile) -> Option<HashMap<u64, usize>> {
    let text = text_of(repository, file).filter(|text| !text.is_empty())?;
    let mut lines = HashMap::new();
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let mut hasher = DefaultHasher::new();
        line.hash(&mut hasher);
        *lines.entry(hasher.finish()).or_default() += 1;
    }
    Some(lines)
}

/// Lines that both have, of a hundred of the longer one.
fn similarity(one: &HashMap<u64, usize>, other: &HashMap<u64, usize>) -> usize {
    let shared: usize = one.iter().filter_map(|(line, count)| other.get(line).map(|more| (*count).min(*more))).sum();
    let longest = one.values().sum::<usize>().max(other.values().sum());
    (shared * 100).checked_div(longest).unwrap_or(0)
}
