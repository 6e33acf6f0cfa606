//! Where cited lines went in a newer commit, found by their content alone: no model, no history. Pure, and deterministic.
//!
//! Spaces at the ends of lines and the kind of line end do not count. Only files that changed are read. Text is looked for at its
//! old place, then elsewhere in its file (the nearest), then in the file that its file was renamed to, then in the other files
//! that changed, where it must stand exactly once and be more than a bracket.

use std::{
    cell::RefCell,
    collections::{HashMap, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    rc::Rc,
    sync::Arc,
};

use super::index::FileText;
use crate::git::{Change, ChangeKind};

/// Fewer letters and digits than this are not recognised in another file: `}` stands everywhere.
const MIN_TELLING_CHARS: usize = 12;

/// Lines of a file, or the whole of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    /// The file.
    pub(crate) path: String,
    /// First and last line, from 1; none for the whole file.
    pub(crate) lines: Option<(u32, u32)>,
}

/// What became of a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// The same text stands at the same lines.
    Kept,
    /// The same text stands elsewhere.
    Moved(Place),
    /// The file is there, the text is not.
    Changed,
    /// There is neither.
    Gone,
}

/// Reads a file of one of the two commits; nothing for what is not there or no text.
pub(crate) type ReadText<'a> = dyn Fn(&str) -> Option<Arc<FileText>> + 'a;

/// Whether it is of the new commit, and the path.
type FileOf = (bool, String);

/// Two commits, and what differs between them.
pub(crate) struct Anchoring<'a> {
    /// Changes by the path that the file had.
    by_old_path: HashMap<&'a str, &'a Change>,
    /// The files of the new commit that have another content than before or are new, in order of path.
    touched: Vec<&'a str>,
    old: &'a ReadText<'a>,
    new: &'a ReadText<'a>,
    /// What was read.
    read: RefCell<HashMap<FileOf, Option<Rc<Lines>>>>,
}

impl<'a> Anchoring<'a> {
    /// `changes` are those from the old to the new commit, without gaps: what is not among them is taken to be the same.
    pub(crate) fn new(changes: &'a [Change], old: &'a ReadText<'a>, new: &'a ReadText<'a>) -> Self {
        let mut touched: Vec<&str> = changes
            .iter()
            .filter(|change| change.kind != ChangeKind::Deleted)
            .map(|change| change.path.as_str())
            .collect();
        touched.sort_unstable();
        let old_path = |change: &'a Change| match &change.kind {
            ChangeKind::Added => None,
            ChangeKind::Renamed { from } => Some(from.as_str()),
            ChangeKind::Modified | ChangeKind::Deleted => Some(change.path.as_str()),
        };
        let by_old_path = changes.iter().filter_map(|change| Some((old_path(change)?, change))).collect();
        Self { by_old_path, touched, old, new, read: RefCell::default() }
    }

    /// Finds a place of the old commit in the new one. One that the old commit does not have is left as it is.
    pub(crate) fn find(&self, place: &Place) -> Anchor {
        let Some(change) = self.by_old_path.get(place.path.as_str()) else { return Anchor::Kept };
        let here = match change.kind {
            ChangeKind::Deleted => None,
            _ => Some(change.path.as_str()),
        };
        // a file that was renamed may have left another one at its old path
        let unlike = if here.is_some() || self.touched.binary_search(&place.path.as_str()).is_ok() {
            Anchor::Changed
        } else {
            Anchor::Gone
        };
        let Some(old) = self.lines(false, &place.path) else { return unlike };
        let Some(window) = old.window(place.lines) else { return Anchor::Kept };
        let is_whole = place.lines.is_none();
        let first = place.lines.map_or(1, |(first, _)| first);
        let candidates = [Some(place.path.as_str()), here];
        for path in candidates.into_iter().flatten() {
            if let Some(found) = self.find_in(path, window, first, is_whole) {
                let found = Place { path: path.to_owned(), lines: place.lines.map(|_| found) };
                return if found == *place { Anchor::Kept } else { Anchor::Moved(found) };
            }
        }
        self.find_elsewhere(place, window).map_or(unlike, Anchor::Moved)
    }

    /// The lines in this file that are the window, the nearest to `first`; the earlier ones when two are as near.
    fn find_in(&self, path: &str, window: &[Line], first: u32, is_whole: bool) -> Option<(u32, u32)> {
        let lines = self.lines(true, path)?;
        if is_whole {
            return (lines.all == window).then(|| span(1, window.len()));
        }
        let starts = lines.places_of(window);
        let nearest = starts.into_iter().min_by_key(|start| (start.abs_diff(first), *start))?;
        Some(span(nearest, window.len()))
    }

    /// The only place in the other files that changed.
    fn find_elsewhere(&self, place: &Place, window: &[Line]) -> Option<Place> {
        if window.iter().map(|line| line.telling).sum::<usize>() < MIN_TELLING_CHARS {
            return None;
        }
        let mut only = None;
        for path in &self.touched {
            if *path == place.path {
                continue;
            }
            let Some(lines) = self.lines(true, path) else { continue };
            let starts = match place.lines {
                Some(_) => lines.places_of(window),
                None if lines.all == window => vec![1],
                None => Vec::new(),
            };
            for start in starts {
                if only.is_some() {
                    return None;
                }
                only = Some(Place { path: (*path).to_owned(), lines: place.lines.map(|_| span(start, window.len())) });
            }
        }
        only
    }

    fn lines(&self, is_new: bool, path: &str) -> Option<Rc<Lines>> {
        let key = (is_new, path.to_owned());
        if let Some(known) = self.read.borrow().get(&key) {
            return known.clone();
        }
        let text = if is_new { (self.new)(path) } else { (self.old)(path) };
        let lines = text.map(|text| Rc::new(Lines::of(&text)));
        self.read.borrow_mut().insert(key, lines.clone());
        lines
    }
}

fn span(first: u32, lines: usize) -> (u32, u32) {
    (first, first + u32::try_from(lines).unwrap_or(u32::MAX).saturating_sub(1))
}

/// A line without the spaces at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Line {
    hash: u64,
    /// Its letters and digits.
    telling: usize,
}

/// The lines of a file, and where each stands.
struct Lines {
    all: Vec<Line>,
    /// Line numbers from 0 by hash, in order.
    places: HashMap<u64, Vec<u32>>,
}

impl Lines {
    fn of(text: &FileText) -> Self {
        let line = |line: &str| {
            let line = line.trim_end();
            // with fixed keys: the same on every host
            let mut hasher = DefaultHasher::new();
            line.hash(&mut hasher);
            Line { hash: hasher.finish(), telling: line.chars().filter(|c| c.is_alphanumeric()).count() }
        };
        let all: Vec<Line> = text.text.lines().map(line).collect();
        let mut places: HashMap<u64, Vec<u32>> = HashMap::new();
        for (line, at) in all.iter().zip(0..) {
            places.entry(line.hash).or_default().push(at);
        }
        Self { all, places }
    }

    /// These lines; nothing when they are not all there.
    fn window(&self, lines: Option<(u32, u32)>) -> Option<&[Line]> {
        let Some((first, last)) = lines else { return Some(&self.all) };
        self.all.get(usize::try_from(first.checked_sub(1)?).ok()?..usize::try_from(last).ok()?)
    }

    /// Where the window stands, as numbers of its first line from 1, in order. Its rarest line is looked up, so that blank lines
    /// and brackets cost nothing.
    fn places_of(&self, window: &[Line]) -> Vec<u32> {
        let occurrences = |line: &Line| self.places.get(&line.hash).map_or(0, Vec::len);
        let Some((offset, rarest)) = window.iter().enumerate().min_by_key(|(at, line)| (occurrences(line), *at)) else {
            return Vec::new();
        };
        let starts = self.places.get(&rarest.hash).into_iter().flatten().filter_map(|at| {
            let start = usize::try_from(*at).ok()?.checked_sub(offset)?;
            let is_window = self.all.get(start..start + window.len()) == Some(window);
            is_window.then(|| u32::try_from(start).unwrap_or(u32::MAX).saturating_add(1))
        });
        starts.collect()
    }
}

#[cfg(test)]
mod tests;
