//! The index of a repository at one commit: its files and their lines, what they define, the words they use, and what the
//! project offers (flags, environment variables, routes, settings, commands, packages).

mod texts;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

pub(crate) use self::texts::FileText;
use self::texts::Texts;

/// A file of the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IndexedFile {
    /// From the root of the repository, separated by `/`.
    pub(crate) path: String,
    /// The id of its content.
    pub(crate) blob: String,
    /// Size in bytes.
    pub(crate) bytes: u64,
    /// How many lines it has; none when it was not read (binary, too large, left out of the clone).
    pub(crate) lines: Option<u32>,
}

/// Something that a file defines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Definition {
    /// Its name, without what it belongs to.
    pub(crate) name: String,
    /// What it belongs to, if to anything: a type, a module.
    pub(crate) owner: String,
    /// The file.
    pub(crate) path: String,
    /// First and last line, from 1.
    pub(crate) lines: (u32, u32),
    /// Whether other packages may use it.
    pub(crate) is_public: bool,
}

/// Something that the project offers to those who run or call it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Offer {
    /// What it is.
    pub(crate) kind: OfferKind,
    /// `--verbose`, `DATABASE_URL`, `GET /api/status`, `server.port`, `serve`.
    pub(crate) name: String,
    /// For a flag the command it belongs to, when known; else empty.
    pub(crate) of: String,
    /// The file, and the line, from 1.
    pub(crate) path: String,
    /// Where.
    pub(crate) line: u32,
}

/// Kinds of what a project offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum OfferKind {
    /// A flag of a command line.
    Flag,
    /// A command or subcommand.
    Command,
    /// An environment variable that is read.
    Environment,
    /// A key of a configuration file.
    Setting,
    /// An address that is answered over HTTP.
    Route,
    /// A program that the project builds or installs.
    Program,
}

/// How a written path leads to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PathMatch<'a> {
    /// It is the path of a file.
    Exact(&'a IndexedFile),
    /// It is the end of one path, and of one only.
    Suffix(&'a IndexedFile),
    /// It is the end of several paths.
    Ambiguous(Vec<&'a IndexedFile>),
    /// There is no such file.
    Missing,
}

/// What there is in a repository at a commit. Cheap to clone is not needed: it is shared by `Arc`.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// In order of path.
    files: Vec<IndexedFile>,
    definitions: BTreeMap<String, Vec<Definition>>,
    words: HashSet<String>,
    offers: Vec<Offer>,
    dependencies: BTreeSet<String>,
    texts: Texts,
}

impl Index {
    /// The index of files that are in memory: path and bytes. For tests, and for what is small.
    pub(crate) fn of_files(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let texts = Texts::in_memory(files);
        let mut index = Self::default();
        for (path, text) in texts.iter_memory() {
            index.words.extend(words(&text.text).map(str::to_owned));
            index.files.push(IndexedFile {
                path: path.to_owned(),
                blob: String::new(),
                bytes: text.text.len() as u64,
                lines: Some(text.line_count()),
            });
        }
        index.texts = texts;
        index
    }

    /// Every file, in order of path.
    pub(crate) fn files(&self) -> &[IndexedFile] {
        &self.files
    }

    /// A file by its whole path.
    pub(crate) fn file(&self, path: &str) -> Option<&IndexedFile> {
        let at = self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok()?;
        self.files.get(at)
    }

    /// Whether files lie below this folder.
    pub(crate) fn has_folder(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        let at = self.files.partition_point(|file| file.path < folder);
        self.files.get(at).is_some_and(|file| file.path.starts_with(&folder))
    }

    /// The file that a written path means: the whole path first, then the end of a path when only one ends so.
    pub(crate) fn find_path(&self, written: &str) -> PathMatch<'_> {
        if let Some(file) = self.file(written) {
            return PathMatch::Exact(file);
        }
        let end = format!("/{written}");
        let mut found: Vec<&IndexedFile> = self.files.iter().filter(|file| file.path.ends_with(&end)).collect();
        match found.len() {
            0 => PathMatch::Missing,
            1 => PathMatch::Suffix(found.remove(0)),
            _ => PathMatch::Ambiguous(found),
        }
    }

    /// What is defined by this name, all files together.
    pub(crate) fn definitions(&self, name: &str) -> &[Definition] {
        self.definitions.get(name).map_or(&[], Vec::as_slice)
    }

    /// Every definition that other packages may use, in order of name.
    pub(crate) fn public_definitions(&self) -> impl Iterator<Item = &Definition> {
        self.definitions.values().flatten().filter(|definition| definition.is_public)
    }

    /// Whether a word (letters, digits, `_`, `$`) stands in any file that was read.
    pub(crate) fn has_word(&self, word: &str) -> bool {
        self.words.contains(word)
    }

    /// What the project offers, in order of kind and name.
    pub(crate) fn offers(&self) -> &[Offer] {
        &self.offers
    }

    /// Names of packages that manifests declare as needed.
    pub(crate) fn dependencies(&self) -> &BTreeSet<String> {
        &self.dependencies
    }

    /// The text of a file, if it is text and not too large. Blocks: it may be read from the repository.
    pub(crate) fn text(&self, path: &str) -> Option<Arc<FileText>> {
        self.texts.get(self.file(path)?)
    }
}

/// The words of a text: letters, digits, `_` and `$`, beginning with no digit, of two characters at least.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    text.split(move |c| !is_part(c)).filter(|word| word.len() > 1 && !word.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> Index {
        let files = [("src/a/mod.rs", "pub fn run() {}\n"), ("src/b/mod.rs", "x"), ("src/main.rs", "fn main() {}")];
        Index::of_files(files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec())))
    }

    #[test]
    fn a_path_is_found_whole_or_by_its_only_end() {
        let index = index();
        assert!(matches!(index.find_path("src/main.rs"), PathMatch::Exact(_)));
        assert!(matches!(index.find_path("main.rs"), PathMatch::Suffix(file) if file.path == "src/main.rs"));
        assert!(matches!(index.find_path("mod.rs"), PathMatch::Ambiguous(files) if files.len() == 2));
        assert!(matches!(index.find_path("ain.rs"), PathMatch::Missing));
        assert!(index.has_folder("src/a") && index.has_folder("src/") && !index.has_folder("sr"));
    }

    #[test]
    fn words_and_lines_are_known() {
        let index = index();
        assert!(index.has_word("run") && !index.has_word("walk"));
        let text = index.text("src/a/mod.rs").unwrap();
        assert_eq!((text.line_count(), text.lines(1, 1)), (1, Some("pub fn run() {}\n")));
        assert_eq!(text.lines(1, 2), None);
    }
}
