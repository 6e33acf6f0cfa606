//! The files of a checkout as the built-in writer takes them: those that are present, and their bytes or text.

use std::path::Path;

use git2::{Oid, Repository};

use crate::{
    git::{self, Checkout, GitError},
    steering::PathFilter,
};

/// Most files and folders that are listed; the clone has refused larger ones before.
pub(crate) const MAX_FILES: usize = 200_000;

/// A regular file whose bytes are present.
#[derive(Debug, Clone)]
pub(crate) struct RepositoryFile {
    /// Path from the folder that is documented, the repository's root as a rule, separated by `/`.
    pub(crate) path: String,
    /// Size in bytes.
    pub(crate) bytes: u64,
    blob: Oid,
}

impl RepositoryFile {
    /// A file of which the three are known.
    pub(crate) fn new(path: String, bytes: u64, blob: Oid) -> Self {
        Self { path, bytes, blob }
    }
}

/// The regular files of a commit in order of their paths.
#[derive(Debug, Default)]
pub(crate) struct FileList {
    /// The files.
    pub(crate) files: Vec<RepositoryFile>,
    /// How many files are named by the commit but left out of the clone because of their size.
    pub(crate) missing: usize,
}

/// Lists the regular files of the checkout's commit that the filter lets through, by their paths as seen from its
/// subdirectory; those left out of the clone are only counted.
pub(crate) fn list_files(checkout: &Checkout, filter: &PathFilter) -> Result<FileList, GitError> {
    let mut list = FileList::default();
    for file in git::list_files(checkout, MAX_FILES)?.files.into_iter().filter(|file| filter.allows(&file.path)) {
        let path = filter.seen(&file.path).to_owned();
        match file.size {
            Some(bytes) => list.files.push(RepositoryFile { path, bytes, blob: file.blob }),
            None => list.missing += 1,
        }
    }
    Ok(list)
}

/// Reads files of one checkout. Each thread opens its own: git2 repositories are not shared.
pub(crate) struct FileReader {
    repository: Repository,
}

impl FileReader {
    /// Opens the bare folder of a checkout.
    pub(crate) fn open(git_dir: &Path) -> Result<Self, GitError> {
        Ok(Self { repository: git::open_bare(git_dir)? })
    }

    /// A file's bytes; `None` when it is larger than `max_bytes` or its blob cannot be read.
    pub(crate) fn bytes(&self, file: &RepositoryFile, max_bytes: u64) -> Option<Vec<u8>> {
        git::read_blob(&self.repository, file.blob, max_bytes)
    }

    /// A file's text without byte order mark, with `\n` line ends; `None` when too large, unreadable or binary.
    pub(crate) fn text(&self, file: &RepositoryFile, max_bytes: u64) -> Option<String> {
        let bytes = self.bytes(file, max_bytes)?;
        if bytes.iter().take(8_000).any(|byte| *byte == 0) {
            return None;
        }
        let text = String::from_utf8_lossy(&bytes);
        Some(text.trim_start_matches('\u{feff}').replace("\r\n", "\n"))
    }
}
