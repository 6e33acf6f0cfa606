//! Building an index: the files of a commit, what is known of their blobs already, and reading the others. Source is parsed
//! in child processes; words are taken from every text.

use std::{
    collections::{HashMap, HashSet},
    io,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
};

use anyhow::Context;
use git2::Oid;
use tokio_util::sync::CancellationToken;

use super::{
    Index, IndexedFile, Offer,
    definitions::TableBuilder,
    entries::{Entry, Key, Parsing, encode},
    kept::{Keeper, Kept, Record},
    project::{self, IndexedPackage, Project},
    texts::{MAX_TEXT_BYTES, Texts},
    uses::UsesByFile,
    words::{Dictionary, hash_of_name, hashes},
};
use crate::{
    git::{self, Checkout},
    steering::PathFilter,
    writers::builtin::{
        ParserLimits,
        languages::{Language, Outline},
        parsing::parent::{MAX_SOURCE_BYTES, Sources, parse_files},
        sources::{Role, role},
        tree::{FileReader, MAX_FILES, RepositoryFile},
    },
};

/// What an index is built from, and by whom.
pub(crate) struct Build<'a> {
    /// The commit.
    pub(crate) checkout: &'a Checkout,
    /// Which files count.
    pub(crate) filter: &'a PathFilter,
    /// The repository's name.
    pub(crate) name: &'a str,
    /// The program that parses, and what it may cost.
    pub(crate) parser: (&'a Path, ParserLimits),
    /// The kept index of this commit or another one.
    pub(crate) known: Option<&'a Path>,
    /// Where to keep this one.
    pub(crate) keep: Option<&'a Path>,
    /// Ends it early.
    pub(crate) cancel: &'a CancellationToken,
}

/// What building took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Done {
    /// Blobs that were known.
    pub(crate) known: usize,
    /// Blobs that were read.
    pub(crate) read: usize,
    /// Those of them that were parsed.
    pub(crate) parsed: usize,
    /// Whether it was written to where it is kept.
    pub(crate) is_kept: bool,
    /// What was left out, a sentence each.
    pub(crate) findings: Vec<String>,
}

/// A file with what decides how it is read.
struct Listed {
    file: RepositoryFile,
    key: Key,
}

/// A blob to read: the first file that has it.
type Pending = Listed;

impl Index {
    /// The index of a commit. Blocks, for a minute over a hundred thousand files that are new.
    pub(crate) fn of_checkout(build: &Build<'_>) -> anyhow::Result<(Self, Done)> {
        let (listed, files) = list(build).context("the repository cannot be read")?;
        let mut assembly = Assembly::new(build, files, &listed);
        let project = assembly.take_over(build.known);
        let mut done = Done { known: assembly.folded, ..Done::default() };
        let (sources, plain): (Vec<Pending>, Vec<Pending>) = assembly
            .pending(listed.iter())
            .partition(|pending| pending.key.language.is_some() && pending.file.bytes <= MAX_SOURCE_BYTES);
        done.read = sources.len() + plain.len();
        done.parsed = sources.len();

        let shared = Mutex::new(assembly);
        let reading = ReadingSources { pending: sources, read: Mutex::default() };
        let keep = |at: usize, outline: Result<Outline, String>| reading.fold(at, outline, &shared);
        let git_dir = &build.checkout.git_dir;
        let (program, limits) = build.parser;
        done.findings = thread::scope(|scope| {
            // while the parsers start, and while one of them has ended
            let plain = scope.spawn(|| read_plain(build, &plain, &shared));
            let findings = parse_files(program, limits, git_dir, &reading, &keep, build.cancel)?;
            plain.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a reading thread panicked")))?;
            anyhow::Ok(findings)
        })?;
        let reader = FileReader::open(git_dir).context("the repository cannot be opened")?;
        reading.fold_the_rest(&reader, &shared);

        // what the threads used for files is a third of all memory by now, and putting things in order needs some
        shared::os::return_free_memory();
        let mut assembly = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.findings.append(&mut assembly.findings);
        let project = read_project(build, listed, &reader, project);
        let (index, is_kept) = assembly.finish(build, project);
        done.is_kept = is_kept;
        Ok((index, done))
    }
}

/// Lists the files that count, in order of path.
fn list(build: &Build<'_>) -> Result<(Vec<Listed>, Vec<IndexedFile>), git::GitError> {
    let all = git::list_files(build.checkout, MAX_FILES)?.files;
    let all: Vec<_> = all.into_iter().filter(|file| build.filter.allows(&file.path)).collect();
    let own = |language| {
        let is_own = |path: &str| Language::of_path(path) == Some(language) && role(path) == Role::Own;
        all.iter().filter(|file| is_own(&file.path) && !has_header_ending(&file.path)).count()
    };
    // `.h` belongs to whichever of the two the sources are written in
    let is_cpp = own(Language::Cpp) > own(Language::C);
    let mut listed = Vec::with_capacity(all.len());
    let mut files = Vec::with_capacity(all.len());
    for file in all {
        files.push(IndexedFile {
            path: file.path.clone(),
            blob: file.blob.to_string(),
            bytes: file.size.unwrap_or_default(),
            lines: None,
        });
        let Some(bytes) = file.size.filter(|bytes| *bytes <= MAX_TEXT_BYTES) else { continue };
        let language = match Language::of_path(&file.path) {
            Some(Language::C) if is_cpp && has_header_ending(&file.path) => Some(Language::Cpp),
            language => language,
        };
        let key = Key { blob: file.blob, language };
        listed.push(Listed { file: RepositoryFile::new(file.path, bytes, file.blob), key });
    }
    Ok((listed, files))
}

fn has_header_ending(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, ending)| ending == "h")
}

/// What is known of a text without parsing it.
struct ReadText {
    lines: Option<u32>,
    words: Vec<u64>,
}

/// Lines and words of bytes; none of both when they are binary, as [`super::FileText::read`] says.
#[expect(clippy::naive_bytecount, reason = "the compiler makes vector code of it, and it is asked once per file")]
fn read_text(bytes: &[u8]) -> ReadText {
    if bytes.iter().take(8_000).any(|byte| *byte == 0) {
        return ReadText { lines: None, words: Vec::new() };
    }
    let ends = bytes.iter().filter(|byte| **byte == b'\n').count();
    let lines = ends + usize::from(bytes.last().is_some_and(|last| *last != b'\n'));
    ReadText { lines: u32::try_from(lines).ok(), words: hashes(&String::from_utf8_lossy(bytes)) }
}

/// Reads what is not parsed.
fn read_plain(build: &Build<'_>, pending: &[Pending], shared: &Mutex<Assembly>) -> anyhow::Result<()> {
    if pending.is_empty() {
        return Ok(());
    }
    let reader = FileReader::open(&build.checkout.git_dir).context("the repository cannot be opened")?;
    for pending in pending {
        anyhow::ensure!(!build.cancel.is_cancelled(), "the run was cancelled");
        let bytes = reader.bytes(&pending.file, MAX_TEXT_BYTES);
        let text = bytes.map_or(ReadText { lines: None, words: Vec::new() }, |bytes| read_text(&bytes));
        let entry = Entry { lines: text.lines, words: text.words, ..Entry::default() };
        lock(shared).fold(&pending.key, &entry);
    }
    Ok(())
}

/// The source files, on their way through the parser.
struct ReadingSources {
    pending: Vec<Pending>,
    /// What was read and has no answer yet.
    read: Mutex<HashMap<usize, ReadText>>,
}

impl Sources for ReadingSources {
    fn count(&self) -> usize {
        self.pending.len()
    }

    fn file(&self, index: usize) -> (&str, Language) {
        let pending = &self.pending[index];
        // only files with a language are here
        (&pending.file.path, pending.key.language.unwrap_or(Language::C))
    }

    fn read(&self, reader: &FileReader, index: usize) -> Vec<u8> {
        let bytes = reader.bytes(&self.pending[index].file, MAX_SOURCE_BYTES).unwrap_or_default();
        let text = read_text(&bytes);
        let is_text = text.lines.is_some();
        lock(&self.read).insert(index, text);
        if is_text { bytes } else { Vec::new() }
    }
}

impl ReadingSources {
    fn fold(&self, at: usize, outline: Result<Outline, String>, shared: &Mutex<Assembly>) {
        let Some(pending) = self.pending.get(at) else { return };
        let text = lock(&self.read).remove(&at).unwrap_or(ReadText { lines: None, words: Vec::new() });
        let read = Entry { lines: text.lines, words: text.words, ..Entry::default() };
        match outline {
            Ok(Outline { definitions, facts, uses }) => {
                lock(shared).fold(&pending.key, &Entry { definitions, facts, uses, ..read });
            }
            Err(reason) => {
                let mut assembly = lock(shared);
                let parsing = assembly.failed.get(&pending.key).copied().unwrap_or_default().failed_again();
                assembly.fold(&pending.key, &Entry { parsing, ..read });
                assembly.findings.push(format!("`{}` was not parsed: {reason}", pending.file.path));
            }
        }
    }

    /// What the parser did not come to is known by its words at least.
    fn fold_the_rest(&self, reader: &FileReader, shared: &Mutex<Assembly>) {
        for pending in &self.pending {
            if !lock(shared).is_wanted(&pending.key) {
                continue;
            }
            let bytes = reader.bytes(&pending.file, MAX_SOURCE_BYTES).unwrap_or_default();
            let text = read_text(&bytes);
            let parsing = Parsing::NotReached;
            lock(shared)
                .fold(&pending.key, &Entry { lines: text.lines, words: text.words, parsing, ..Entry::default() });
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What manifests say: as it is known, or read anew.
fn read_project(build: &Build<'_>, listed: Vec<Listed>, reader: &FileReader, known: Option<Project>) -> Project {
    let (files, blobs): (Vec<RepositoryFile>, Vec<Oid>) =
        listed.into_iter().map(|listed| (listed.file, listed.key.blob)).unzip();
    let key = project::key(&files, &|at| blobs.get(at).copied().unwrap_or(Oid::ZERO_SHA1));
    match known {
        Some(known) if known.key == key => known,
        _ => project::read(&files, reader, build.name, key),
    }
}

/// An index on its way.
struct Assembly {
    files: Vec<IndexedFile>,
    /// Blobs that are still to be read, with the positions of their files.
    wanted: HashMap<Key, Vec<usize>>,
    /// For each file whether it is the project's own.
    is_own: Vec<bool>,
    definitions: TableBuilder,
    offers: Vec<Offer>,
    dictionary: Dictionary,
    uses: UsesByFile,
    /// What the parser failed at before, and may try again.
    failed: HashMap<Key, Parsing>,
    /// The file in which it is kept, as long as that can be written.
    keeper: Option<Keeper>,
    findings: Vec<String>,
    folded: usize,
}

impl Assembly {
    fn new(build: &Build<'_>, files: Vec<IndexedFile>, listed: &[Listed]) -> Self {
        let mut wanted: HashMap<Key, Vec<usize>> = HashMap::new();
        for listed in listed {
            if let Ok(at) = files.binary_search_by(|file| file.path.as_str().cmp(&listed.file.path)) {
                wanted.entry(listed.key).or_default().push(at);
            }
        }
        let is_own = files.iter().map(|file| role(build.filter.seen(&file.path)) == Role::Own).collect();
        Self {
            files,
            wanted,
            is_own,
            definitions: TableBuilder::default(),
            offers: Vec::new(),
            dictionary: Dictionary::default(),
            uses: UsesByFile::default(),
            failed: HashMap::new(),
            keeper: build.keep.and_then(|path| written(Keeper::create(path))),
            findings: Vec::new(),
            folded: 0,
        }
    }

    fn is_wanted(&self, key: &Key) -> bool {
        self.wanted.contains_key(key)
    }

    /// Each blob that is still to be read, once.
    fn pending<'a>(&self, listed: impl Iterator<Item = &'a Listed>) -> impl Iterator<Item = Pending> {
        let mut seen = HashSet::new();
        listed
            .filter(move |listed| self.is_wanted(&listed.key) && seen.insert(listed.key))
            .map(|listed| Pending { file: listed.file.clone(), key: listed.key })
    }

    /// Takes over what a kept index knows.
    fn take_over(&mut self, known: Option<&Path>) -> Option<Project> {
        let mut kept = match known.map(Kept::open)?.and_then(|kept| kept.ok_or(io::ErrorKind::InvalidData.into())) {
            Ok(kept) => kept,
            Err(error) => {
                tracing::warn!(%error, "the kept index cannot be used, it is built anew");
                return None;
            }
        };
        let mut project = None;
        loop {
            match kept.next() {
                Ok(Some(Record::Entry(key, entry))) if entry.parsing.is_settled() => self.fold(&key, &entry),
                Ok(Some(Record::Entry(key, entry))) => drop(self.failed.insert(key, entry.parsing)),
                Ok(Some(Record::Project(json))) => project = serde_json::from_slice(&json).ok(),
                Ok(None) => return project,
                Err(error) => {
                    tracing::warn!(%error, "a part of the kept index cannot be read");
                    return project;
                }
            }
        }
    }

    /// Adds what is known of a blob, for each file that has it.
    fn fold(&mut self, key: &Key, entry: &Entry) {
        let Some(places) = self.wanted.remove(key) else { return };
        self.folded += 1;
        let words = entry.numbered(&mut self.dictionary);
        if let Some(mut keeper) = self.keeper.take() {
            let put = written(keeper.put(&encode(key, entry, &words)));
            self.keeper = put.map(|()| keeper);
        }
        let used = words.iter().filter(|word| word.is_used).map(|word| word.number);
        self.uses.add(&places, used.collect());
        for at in places {
            let Some(file) = self.files.get_mut(at) else { continue };
            file.lines = entry.lines;
            let is_own = self.is_own.get(at).copied().unwrap_or_default();
            self.definitions.add(u32::try_from(at).unwrap_or(u32::MAX), &entry.definitions, is_own);
            if is_own {
                self.offers.extend(entry.facts.iter().flat_map(|fact| project::offers(fact, &file.path)));
            }
        }
    }

    /// `pub` in a Rust program is seen by that program alone, unless its package has a library, too.
    fn hide_parts_of_programs(&mut self, packages: &[IndexedPackage]) {
        let folders: Vec<(&str, bool)> = packages
            .iter()
            .filter_map(|package| Some((package.manifest.strip_suffix("Cargo.toml")?, package.is_library)))
            .collect();
        let is_seen = |path: &str| {
            let around = folders.iter().filter(|(folder, _)| path.starts_with(folder));
            let package = around.max_by_key(|(folder, _)| folder.len());
            let is_program = path.ends_with("src/main.rs") || path.contains("src/bin/");
            !is_program && package.is_none_or(|(_, is_library)| *is_library)
        };
        let mut last = (u32::MAX, true);
        self.definitions.hide(|file| {
            // those of one file stand side by side
            if last.0 != file {
                let path = self.files.get(file as usize).map_or("", |file| file.path.as_str());
                last = (file, Language::of_path(path) != Some(Language::Rust) || is_seen(path));
            }
            last.1
        });
    }

    /// The index, and whether it was kept.
    fn finish(mut self, build: &Build<'_>, project: Project) -> (Index, bool) {
        let is_kept = self.keeper.take().is_some_and(|mut keeper| {
            let json = serde_json::to_vec(&project).unwrap_or_default();
            written(keeper.put_project(&json).and_then(|()| keeper.finish())).is_some()
        });
        self.hide_parts_of_programs(&project.packages);
        let uses = self.uses.by_name(&self.definitions.name_hashes(hash_of_name), &self.dictionary);
        let mut index = Index {
            files: self.files,
            definitions: self.definitions.finish(),
            uses,
            words: self.dictionary.into_set(),
            offers: self.offers,
            texts: Texts::of_repository(&build.checkout.git_dir),
            ..Index::default()
        };
        index.offers.extend(project.offers.iter().cloned());
        index.project = project;
        index.order();
        (index, is_kept)
    }
}

/// What could be written; an index that is not kept is built again, nothing else.
fn written<T>(result: io::Result<T>) -> Option<T> {
    result.inspect_err(|error| tracing::warn!(%error, "the index cannot be kept")).ok()
}
