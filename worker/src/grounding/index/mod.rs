//! The index of a repository at one commit: its files and their lines, what they define, the words they use, and what the
//! project offers (flags, environment variables, routes, settings, commands, packages).
//!
//! In reading order: `building` (who reads what), `entries` (what is kept of one blob), `kept` (the file of all of them, in
//! the store), `definitions`, `uses` (which files use which of them), `project` and `samples` (what manifests and sample
//! configurations say), `words`, `texts`.

mod building;
mod entries;
mod kept;
mod definitions;
mod uses;
mod project;
mod samples;
mod words;
mod texts;
#[cfg(test)]
pub(crate) mod tests;

use std::{collections::BTreeSet, sync::Arc};

use serde::{Deserialize, Serialize};

pub(crate) use self::words::{hash_of_name, words};
pub(crate) use self::{
    building::{Build, Done},
    definitions::{Definition, Definitions},
    project::IndexedPackage,
    texts::FileText,
};
use self::{project::Project, texts::Texts, uses::Uses, words::WordSet};
pub(crate) use crate::writers::builtin::languages::DefinitionKind;
use crate::writers::builtin::sources::language_name;

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

impl IndexedFile {
    /// The name of its programming language, by its path.
    pub(crate) fn language(&self) -> Option<&'static str> {
        language_name(&self.path)
    }

    fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

/// Something that the project offers to those who run or call it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
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
    /// Positions of files in order of the last parts of their paths.
    by_name: Vec<u32>,
    definitions: definitions::Table,
    uses: Uses,
    words: WordSet,
    offers: Vec<Offer>,
    project: Project,
    texts: Texts,
}

impl Index {
    /// The index of files that are in memory: path and bytes.
    #[cfg(test)]
    pub(crate) fn of_files(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let texts = Texts::in_memory(files);
        let indexed = texts.iter_memory().map(|(path, text)| IndexedFile {
            path: path.to_owned(),
            blob: String::new(),
            bytes: text.text.len() as u64,
            lines: Some(text.line_count()),
        });
        let mut index = Self { files: indexed.collect(), ..Self::default() };
        index.words = WordSet::of_texts(texts.iter_memory().map(|(_, text)| text.text.as_str()));
        index.texts = texts;
        index.order();
        index
    }

    /// Brings everything into the order in which it is looked up.
    fn order(&mut self) {
        self.by_name = (0..).take(self.files.len()).collect();
        let name = |at: &u32| self.files.get(*at as usize).map(IndexedFile::name);
        self.by_name.sort_by(|a, b| name(a).cmp(&name(b)).then(a.cmp(b)));
        self.offers.sort_unstable();
        self.offers.dedup_by(|a, b| (a.kind, &a.name, &a.of, &a.path) == (b.kind, &b.name, &b.of, &b.path));
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
        let name = written.rsplit('/').next().unwrap_or_default();
        let at = |at: &u32| self.files.get(*at as usize);
        let from = self.by_name.partition_point(|place| at(place).is_some_and(|file| file.name() < name));
        let same_name = self.by_name.iter().skip(from).map_while(at).take_while(|file| file.name() == name);
        let mut found: Vec<&IndexedFile> = same_name.filter(|file| file.path.ends_with(&end)).collect();
        match found.len() {
            0 => PathMatch::Missing,
            1 => PathMatch::Suffix(found.remove(0)),
            _ => PathMatch::Ambiguous(found),
        }
    }

    /// What is defined by this name, all files together.
    pub(crate) fn definitions(&self, name: &str) -> Definitions<'_> {
        self.definitions.named(name, &self.files)
    }

    /// Every definition that other packages may use, in order of name.
    pub(crate) fn public_definitions(&self) -> impl Iterator<Item = Definition<'_>> {
        self.definitions.all(&self.files).iter().filter(|definition| definition.is_public)
    }

    /// The files whose code uses a name that the repository defines, in order of path: by the name alone, outside of comments and
    /// strings. Where a file does nothing but define it, it does not use it.
    pub(crate) fn references(&self, name: &str) -> impl Iterator<Item = &IndexedFile> {
        self.uses.files(name).filter_map(|at| self.files.get(at))
    }

    /// How many files [`Self::references`] gives.
    pub(crate) fn count_references(&self, name: &str) -> usize {
        self.uses.count(name)
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
        &self.project.dependencies
    }

    /// The packages of the repository, the main one first.
    pub(crate) fn packages(&self) -> &[IndexedPackage] {
        &self.project.packages
    }

    /// The text of a file, if it is text and not too large. Blocks: it may be read from the repository.
    pub(crate) fn text(&self, path: &str) -> Option<Arc<FileText>> {
        self.texts.get(self.file(path)?)
    }
}
