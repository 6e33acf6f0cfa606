//! The texts of the files of an index, with where their lines begin.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use git2::{Oid, Repository};

use super::IndexedFile;
use crate::git;

/// A text and its lines.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct FileText {
    /// Without byte order mark, with `\n` as line end; what is not UTF-8 is replaced.
    pub(crate) text: String,
    /// Where each line begins.
    starts: Vec<u32>,
}

impl FileText {
    /// Reads bytes as text; nothing when they are binary (a NUL among the first 8,000).
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.iter().take(8_000).any(|byte| *byte == 0) || u32::try_from(bytes.len()).is_err() {
            return None;
        }
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
        let ends = text.bytes().zip(1_u32..).filter(|(byte, _)| *byte == b'\n').map(|(_, end)| end);
        let mut starts: Vec<u32> = std::iter::once(0).chain(ends).collect();
        if starts.last().is_some_and(|start| *start as usize == text.len()) {
            starts.pop();
        }
        Some(Self { text, starts })
    }

    /// How many lines it has; a last line without an end counts.
    pub(crate) fn line_count(&self) -> u32 {
        u32::try_from(self.starts.len()).unwrap_or(u32::MAX)
    }

    /// The lines from `first` to `last`, both from 1 and included, with their ends. Nothing when they are not all there.
    pub(crate) fn lines(&self, first: u32, last: u32) -> Option<&str> {
        let start = *self.starts.get(usize::try_from(first.checked_sub(1)?).ok()?)? as usize;
        if last < first || last > self.line_count() {
            return None;
        }
        let end = self.starts.get(last as usize).map_or(self.text.len(), |start| *start as usize);
        self.text.get(start..end)
    }
}

/// Largest file whose text is read, in bytes: what is larger was made by a tool, and nobody cites it.
pub(crate) const MAX_TEXT_BYTES: u64 = 4 << 20;
/// Most bytes of texts that are kept in memory between two calls.
const MAX_KEPT_BYTES: usize = 32 << 20;

/// Where texts are read from.
pub(super) enum Texts {
    /// All of them are here.
    Memory(BTreeMap<String, Arc<FileText>>),
    /// They are blobs of a repository.
    Repository { git_dir: PathBuf, reading: Mutex<Reading> },
}

/// What is open and what was read.
#[derive(Default)]
pub(super) struct Reading {
    repository: Option<Repository>,
    /// By blob; `None` for what is not text.
    read: HashMap<String, Option<Arc<FileText>>>,
    bytes: usize,
}

impl Default for Texts {
    fn default() -> Self {
        Self::Memory(BTreeMap::new())
    }
}

impl std::fmt::Debug for Texts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Memory(texts) => write!(f, "{} texts", texts.len()),
            Self::Repository { git_dir, .. } => write!(f, "texts of {}", git_dir.display()),
        }
    }
}

impl Texts {
    /// Keeps those that are text.
    #[cfg(test)]
    pub(super) fn in_memory(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let texts = files.into_iter().filter_map(|(path, bytes)| Some((path, Arc::new(FileText::read(&bytes)?))));
        Self::Memory(texts.collect())
    }

    /// Reads them from a bare repository when they are asked for.
    pub(super) fn of_repository(git_dir: &Path) -> Self {
        Self::Repository { git_dir: git_dir.to_owned(), reading: Mutex::default() }
    }

    /// Those that are here.
    #[cfg(test)]
    pub(super) fn iter_memory(&self) -> impl Iterator<Item = (&str, &Arc<FileText>)> {
        let texts = match self {
            Self::Memory(texts) => Some(texts),
            Self::Repository { .. } => None,
        };
        texts.into_iter().flatten().map(|(path, text)| (path.as_str(), text))
    }

    /// A file's text.
    pub(super) fn get(&self, file: &IndexedFile) -> Option<Arc<FileText>> {
        match self {
            Self::Memory(texts) => texts.get(&file.path).cloned(),
            Self::Repository { git_dir, reading } => {
                file.lines?;
                let mut reading = reading.lock().unwrap_or_else(PoisonError::into_inner);
                reading.get(git_dir, &file.blob)
            }
        }
    }
}

impl Reading {
    fn get(&mut self, git_dir: &Path, blob: &str) -> Option<Arc<FileText>> {
        if let Some(known) = self.read.get(blob) {
            return known.clone();
        }
        if self.repository.is_none() {
            self.repository = Some(git::open_bare(git_dir).ok()?);
        }
        let bytes = git::read_blob(self.repository.as_ref()?, Oid::from_str(blob).ok()?, MAX_TEXT_BYTES);
        let text = bytes.and_then(|bytes| FileText::read(&bytes)).map(Arc::new);
        let length = text.as_ref().map_or(0, |text| text.text.len());
        if self.bytes + length > MAX_KEPT_BYTES {
            self.read.clear();
            self.bytes = 0;
        }
        self.bytes += length;
        self.read.insert(blob.to_owned(), text.clone());
        text
    }
}
