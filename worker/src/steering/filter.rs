//! Which files of a repository are documented. Globs count from the root of the repository, also when only a folder of it is
//! documented, as citations do.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use globset::{GlobSet, GlobSetBuilder};
use serde_json::{Value, json};
use shared::options::{PathGlob, Subdirectory};

use super::file::is_steering_file;
use crate::git::{Checkout, GitError, GitFailure, list_files};

/// Longest time for matching all paths of a repository.
const MAX_MATCHING: Duration = Duration::from_secs(30);

/// Decides by path. The default lets everything through but the file that steers.
#[derive(Debug, Clone, Default)]
pub(crate) struct PathFilter {
    subdirectory: Option<String>,
    include: GlobList,
    exclude: GlobList,
    /// Left out whatever the globs say.
    left_out: BTreeSet<String>,
}

/// Globs of which the last that matches decides.
#[derive(Debug, Clone, Default)]
struct GlobList {
    set: GlobSet,
    /// For each pattern of the set: whether its glob takes something back.
    negated: Vec<bool>,
    written: Vec<PathGlob>,
}

impl GlobList {
    fn new(written: Vec<PathGlob>) -> Result<Self, GitError> {
        let mut set = GlobSetBuilder::new();
        let mut negated = Vec::new();
        for glob in &written {
            for pattern in glob.patterns() {
                set.add(pattern);
                negated.push(glob.is_negated());
            }
        }
        let set = set.build().map_err(|_| {
            GitError::new(GitFailure::OverLimit, "the globs of `include` or `exclude` are too large; simplify them")
        })?;
        Ok(Self { set, negated, written })
    }

    fn matches(&self, path: &str) -> bool {
        let last = self.set.matches(path).into_iter().max();
        last.is_some_and(|index| !self.negated[index])
    }
}

impl PathFilter {
    /// A filter; it fails only when the globs together are too large.
    pub(super) fn new(
        subdirectory: Option<Subdirectory>,
        include: Vec<PathGlob>,
        exclude: Vec<PathGlob>,
    ) -> Result<Self, GitError> {
        let subdirectory = subdirectory.map(|folder| folder.as_str().to_owned()).filter(|folder| !folder.is_empty());
        Ok(Self {
            subdirectory,
            include: GlobList::new(include)?,
            exclude: GlobList::new(exclude)?,
            left_out: BTreeSet::new(),
        })
    }

    /// Lets everything through but these paths.
    pub(crate) fn without(left_out: BTreeSet<String>) -> Self {
        Self { left_out, ..Self::default() }
    }

    /// Whether nobody asked for less than everything.
    pub(crate) fn is_open(&self) -> bool {
        self.subdirectory.is_none() && self.include.written.is_empty() && self.exclude.written.is_empty()
    }

    /// The folder that alone is documented, without `/` at its ends.
    pub(crate) fn subdirectory(&self) -> Option<&str> {
        self.subdirectory.as_deref()
    }

    /// Whether the file at a path, from the root of the repository, is documented.
    pub(crate) fn allows(&self, path: &str) -> bool {
        let is_asked_for = self.is_below(path) && self.is_included(path) && !self.exclude.matches(path);
        is_asked_for && !is_steering_file(path) && !self.left_out.contains(path)
    }

    /// A path as it is seen from the subdirectory.
    pub(crate) fn seen<'a>(&self, path: &'a str) -> &'a str {
        let below = self.subdirectory().and_then(|folder| path.strip_prefix(folder)?.strip_prefix('/'));
        below.unwrap_or(path)
    }

    /// Says it as data, for a digest.
    pub(super) fn describe(&self) -> Value {
        json!([self.subdirectory, self.include.written, self.exclude.written])
    }

    /// Says which of the filters leave nothing of a repository, if they do. Fails when that takes too long: the same globs
    /// would cost every host as much. Blocks.
    pub(crate) fn find_what_excludes_all(
        &self,
        checkout: &Checkout,
        max_files: usize,
    ) -> Result<Option<String>, GitError> {
        if self.is_open() {
            return Ok(None);
        }
        let started = Instant::now();
        let (mut all, mut below, mut included, mut left) = (0, 0, 0, 0);
        for file in list_files(checkout, max_files)?.files.iter().filter(|file| !is_steering_file(&file.path)) {
            if started.elapsed() > MAX_MATCHING {
                let message = "matching `include` and `exclude` takes more than 30 s; use fewer and simpler globs";
                return Err(GitError::new(GitFailure::OverLimit, message));
            }
            let is_below = self.is_below(&file.path);
            let is_included = is_below && self.is_included(&file.path);
            all += 1;
            below += usize::from(is_below);
            included += usize::from(is_included);
            left += usize::from(is_included && !self.exclude.matches(&file.path));
        }
        let folder = self.subdirectory().unwrap_or_default();
        Ok(match (below, included, left) {
            _ if left > 0 => None,
            (0, ..) => Some(format!("none of its {all} files is in the `subdirectory` `{folder}`")),
            (_, 0, _) => Some(format!("`include` matches none of {below} files")),
            _ => Some(format!("`exclude` leaves out all of {included} files")),
        })
    }

    fn is_below(&self, path: &str) -> bool {
        let Some(folder) = self.subdirectory() else { return true };
        path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
    }

    fn is_included(&self, path: &str) -> bool {
        self.include.written.is_empty() || self.include.matches(path)
    }
}
