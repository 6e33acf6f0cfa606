//! Reads a repository at one commit straight from git's objects: the list of its regular files, and their bytes.

use std::path::{Path, PathBuf};

use git2::{ObjectType, Oid, Repository};

use crate::git::Checkout;

/// Most files that are listed; a tree of 216 KB can name ten million.
pub(crate) const MAX_FILES: usize = 200_000;
/// Deepest folder that is looked into.
const MAX_DEPTH: usize = 64;
/// git's modes of a regular file, without and with the executable bit.
const REGULAR_FILE: i32 = 0o100_644;
const GROUP_WRITABLE_FILE: i32 = 0o100_664;
const EXECUTABLE_FILE: i32 = 0o100_755;

/// A regular file whose bytes are present.
#[derive(Debug, Clone)]
pub(crate) struct RepositoryFile {
    /// Path from the repository's root, separated by `/`.
    pub(crate) path: String,
    /// Size in bytes.
    pub(crate) bytes: u64,
    blob: Oid,
}

/// The regular files of a commit in order of their paths.
#[derive(Debug, Default)]
pub(crate) struct FileList {
    /// The files.
    pub(crate) files: Vec<RepositoryFile>,
    /// How many files are named by the commit but left out of the clone because of their size.
    pub(crate) missing: usize,
    /// Whether the list ended at [`MAX_FILES`].
    pub(crate) truncated: bool,
}

/// Lists the regular files of the checkout's commit. Links, submodules and names that are no plain UTF-8 path are left
/// out; so are blobs that a size filter left out of the clone, which are only counted.
pub(crate) fn list_files(checkout: &Checkout) -> Result<FileList, git2::Error> {
    let repository = Repository::open_bare(&checkout.git_dir)?;
    let objects = repository.odb()?;
    let commit = repository.find_commit(Oid::from_str(checkout.commit.as_str())?)?;
    let mut list = FileList::default();
    let mut folders = vec![(String::new(), commit.tree_id(), 0)];
    let mut seen_folders = 0;
    while let Some((prefix, id, depth)) = folders.pop() {
        // folders without files would otherwise multiply without ever reaching the limit of files
        seen_folders += 1;
        if seen_folders > MAX_FILES {
            list.truncated = true;
            break;
        }
        let Ok(tree) = repository.find_tree(id) else { continue };
        for entry in &tree {
            let Ok(name) = entry.name() else { continue };
            if !is_plain_name(name) {
                continue;
            }
            let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
            match (entry.kind(), entry.filemode()) {
                (Some(ObjectType::Tree), _) if depth < MAX_DEPTH => folders.push((path, entry.id(), depth + 1)),
                (Some(ObjectType::Blob), REGULAR_FILE | GROUP_WRITABLE_FILE | EXECUTABLE_FILE) => {
                    if list.files.len() >= MAX_FILES {
                        list.truncated = true;
                        break;
                    }
                    match objects.read_header(entry.id()) {
                        Ok((bytes, _)) => {
                            list.files.push(RepositoryFile { path, bytes: bytes as u64, blob: entry.id() });
                        }
                        Err(_) => list.missing += 1,
                    }
                }
                _ => {}
            }
        }
        if list.truncated {
            break;
        }
    }
    list.files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(list)
}

/// Reads files of one checkout. Each thread opens its own: git2 repositories are not shared.
pub(crate) struct FileReader {
    repository: Repository,
}

impl FileReader {
    /// Opens the bare folder of a checkout.
    pub(crate) fn open(git_dir: &Path) -> Result<Self, git2::Error> {
        Ok(Self { repository: Repository::open_bare(PathBuf::from(git_dir))? })
    }

    /// A file's bytes; `None` when it is larger than `max_bytes` or its blob cannot be read.
    pub(crate) fn bytes(&self, file: &RepositoryFile, max_bytes: u64) -> Option<Vec<u8>> {
        if file.bytes > max_bytes {
            return None;
        }
        let blob = self.repository.find_blob(file.blob).ok()?;
        Some(blob.content().to_vec())
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

/// Whether a name can be part of a path in a link: no separators, no control characters, not `.` or `..`.
fn is_plain_name(name: &str) -> bool {
    !matches!(name, "" | "." | ".." | ".git") && !name.chars().any(|c| matches!(c, '/' | '\\') || c.is_control())
}
