//! The texts of the files of an index, with where their lines begin.

use std::{collections::BTreeMap, sync::Arc};

use super::IndexedFile;

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

/// Where texts are read from.
#[derive(Debug)]
pub(crate) enum Texts {
    /// All of them are here.
    Memory(BTreeMap<String, Arc<FileText>>),
}

impl Default for Texts {
    fn default() -> Self {
        Self::Memory(BTreeMap::new())
    }
}

impl Texts {
    /// Keeps those that are text.
    pub(crate) fn in_memory(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let texts = files.into_iter().filter_map(|(path, bytes)| Some((path, Arc::new(FileText::read(&bytes)?))));
        Self::Memory(texts.collect())
    }

    /// Those that are here.
    pub(crate) fn iter_memory(&self) -> impl Iterator<Item = (&str, &Arc<FileText>)> {
        let Self::Memory(texts) = self;
        texts.iter().map(|(path, text)| (path.as_str(), text))
    }

    /// A file's text.
    pub(crate) fn get(&self, file: &IndexedFile) -> Option<Arc<FileText>> {
        let Self::Memory(texts) = self;
        texts.get(&file.path).cloned()
    }
}
