//! The survey of a repository: its files, its packages and everything parsed from its sources. Taken once per run.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Mutex, PoisonError},
};

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use super::{
    languages::Language,
    manifests::{Ecosystem, Package, read_packages},
    parsing::parent::{MAX_SOURCE_BYTES, ParserLimits, Sources, parse_files},
    sources::{Role, role},
    symbols::ParsedFile,
    tree::{FileReader, RepositoryFile, list_files},
};
use crate::{git::Checkout, steering::PathFilter};

/// Most source files that are parsed.
const MAX_PARSED_FILES: usize = 20_000;
/// Most bytes of source that are parsed, all files together.
const MAX_PARSED_BYTES: u64 = 256 << 20;
/// Largest text file that becomes a page or is quoted, in bytes.
pub(crate) const MAX_TEXT_BYTES: u64 = 512 << 10;

/// One file to parse.
struct SourceFile {
    file: RepositoryFile,
    language: Language,
    /// Parsed only when its text contains this.
    only_with: Option<&'static str>,
}

impl Sources for Vec<SourceFile> {
    fn count(&self) -> usize {
        self.len()
    }

    fn file(&self, index: usize) -> (&str, Language) {
        (&self[index].file.path, self[index].language)
    }

    fn read(&self, reader: &FileReader, index: usize) -> Vec<u8> {
        let source = &self[index];
        let text = reader.bytes(&source.file, MAX_SOURCE_BYTES).unwrap_or_default();
        let is_wanted =
            source.only_with.is_none_or(|word| text.windows(word.len()).any(|window| window == word.as_bytes()));
        if is_wanted { text } else { Vec::new() }
    }
}

/// What is known about a repository.
pub(crate) struct Survey {
    /// Every regular file in order of its path.
    pub(crate) files: Vec<RepositoryFile>,
    /// Packages, the main one first.
    pub(crate) packages: Vec<Package>,
    /// Parsed files by path.
    pub(crate) parsed: BTreeMap<String, (Language, ParsedFile)>,
    /// What was left out, one sentence each.
    pub(crate) findings: Vec<String>,
    reader: FileReader,
}

impl Survey {
    /// Reads and parses what the filter lets through of the repository of `project`, with the program and limits of `parser`;
    /// paths are as they are seen from the filter's subdirectory. Blocks for seconds on a large one.
    pub(crate) fn take(
        (checkout, filter): (&Checkout, &PathFilter),
        project: &str,
        parser: (&Path, ParserLimits),
        cancel: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let list = list_files(checkout, filter).context("the repository cannot be read")?;
        let reader = FileReader::open(&checkout.git_dir).context("the repository cannot be opened")?;
        let mut findings = Vec::new();
        if list.missing > 0 {
            findings.push(format!("{} files were too large to be fetched and were not read", list.missing));
        }
        let mut packages = read_packages(&list.files, &reader, project);
        for package in packages.iter_mut().filter(|package| package.version.is_none()) {
            package.version = python_version(package, &list.files, &reader);
        }
        let sources = choose_sources(&list.files, &mut findings);
        let answers = Mutex::new(BTreeMap::new());
        let keep = |index, answer: Result<ParsedFile, String>| {
            answers.lock().unwrap_or_else(PoisonError::into_inner).insert(index, answer);
        };
        let unparsed = parse_files(parser.0, parser.1, &checkout.git_dir, &sources, &keep, cancel)?;
        let mut parsed = BTreeMap::new();
        for (index, answer) in answers.into_inner().unwrap_or_else(PoisonError::into_inner) {
            let Some(source) = sources.get(index) else { continue };
            match answer {
                Ok(file) => drop(parsed.insert(source.file.path.clone(), (source.language, file))),
                Err(reason) => findings.push(format!("`{}` was not parsed: {reason}", source.file.path)),
            }
        }
        findings.extend(unparsed);
        Ok(Self { files: list.files, packages, parsed, findings, reader })
    }

    /// A file by its path.
    pub(crate) fn file(&self, path: &str) -> Option<&RepositoryFile> {
        let at = self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok()?;
        self.files.get(at)
    }

    /// Whether the path is a file or a folder.
    pub(crate) fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        let at = self.files.partition_point(|file| file.path.as_str() < path);
        let folder = format!("{path}/");
        let from_folder = self.files.partition_point(|file| file.path < folder);
        self.files.get(at).is_some_and(|file| file.path == path)
            || self.files.get(from_folder).is_some_and(|file| file.path.starts_with(&folder))
    }

    /// The project's main package.
    pub(crate) fn main_package(&self) -> Option<&Package> {
        self.packages.first().filter(|package| !package.name.is_empty())
    }

    /// The text of a file of at most [`MAX_TEXT_BYTES`].
    pub(crate) fn text(&self, path: &str) -> Option<String> {
        self.reader.text(self.file(path)?, MAX_TEXT_BYTES)
    }

    /// The first file among `names` in a folder, compared without case.
    pub(crate) fn first_of(&self, folder: &str, names: &[&str]) -> Option<&RepositoryFile> {
        names.iter().find_map(|name| {
            self.files.iter().find(|file| {
                let (parent, base) = file.path.rsplit_once('/').unwrap_or(("", file.path.as_str()));
                parent == folder && base.eq_ignore_ascii_case(name)
            })
        })
    }
}

/// The `__version__` of a Python package whose manifest leaves the version to the source.
fn python_version(package: &Package, files: &[RepositoryFile], reader: &FileReader) -> Option<String> {
    if package.ecosystem != Ecosystem::Python || package.name.is_empty() {
        return None;
    }
    let module = package.name.replace('-', "_").to_lowercase();
    let places = ["__version__.py", "_version.py", "version.py", "__init__.py"];
    let candidates = ["", "src/"].iter().flat_map(|folder| {
        places.iter().map(|place| package.path(&format!("{folder}{module}/{place}"))).collect::<Vec<_>>()
    });
    candidates.into_iter().find_map(|path| {
        let at = files.binary_search_by(|file| file.path.cmp(&path)).ok()?;
        let text = reader.text(files.get(at)?, MAX_TEXT_BYTES)?;
        let line = text.lines().find_map(|line| line.strip_prefix("__version__"))?;
        let value = line.split(['"', '\'']).nth(1)?;
        value.starts_with(|c: char| c.is_ascii_digit()).then(|| value.to_owned())
    })
}

/// The files that are parsed: the project's own sources within the limits.
fn choose_sources(files: &[RepositoryFile], findings: &mut Vec<String>) -> Vec<SourceFile> {
    let own = |language| {
        files
            .iter()
            .filter(|file| {
                Language::of_path(&file.path) == Some(language)
                    && role(&file.path) == Role::Own
                    && file.path.rsplit('.').next() != Some("h")
            })
            .count()
    };
    // `.h` belongs to whichever of the two the sources are written in
    let is_cpp = own(Language::Cpp) > own(Language::C);
    let mut chosen = Vec::new();
    let (mut bytes, mut left) = (0, 0);
    for file in files.iter().filter(|file| role(&file.path) == Role::Own) {
        let Some(mut language) = Language::of_path(&file.path).filter(|language| language.has_reference()) else {
            continue;
        };
        if file.bytes > MAX_SOURCE_BYTES {
            let limit = MAX_SOURCE_BYTES >> 10;
            findings.push(format!("`{}` was not parsed: it is larger than {limit} KiB", file.path));
            continue;
        }
        if chosen.len() >= MAX_PARSED_FILES || bytes + file.bytes > MAX_PARSED_BYTES {
            left += 1;
            continue;
        }
        let is_header = file.path.rsplit('.').next().is_some_and(|ending| ending.starts_with('h'));
        if language == Language::C && is_header && is_cpp {
            language = Language::Cpp;
        }
        let is_source = matches!(language, Language::C | Language::Cpp) && !is_header;
        bytes += file.bytes;
        // of C sources only the variables they read are wanted; what they offer stands in headers
        chosen.push(SourceFile { file: file.clone(), language, only_with: is_source.then_some("getenv") });
    }
    if left > 0 {
        findings.push(format!("{left} source files were not parsed: a run parses at most {MAX_PARSED_FILES} files"));
    }
    chosen
}
