//! Reading the files of a commit as blobs, and writing them to a folder. Blocks: call it inside `spawn_blocking`.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use git2::{ErrorCode, ObjectType, Oid, Repository};

use super::{
    Checkout,
    error::{GitError, GitFailure},
};

/// Longest path, in bytes; what lies deeper is skipped.
const MAX_PATH_BYTES: usize = 1024;

/// Largest single folder object, in bytes; about 300,000 entries.
const MAX_TREE_BYTES: usize = 16 << 20;

/// A regular file of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TreeFile {
    /// Path from the root of the repository, with `/`, safe to join to a folder.
    pub(crate) path: String,
    /// Its content.
    pub(crate) blob: Oid,
    /// Bytes; `None` when the content was left out of the clone for its size.
    pub(crate) size: Option<u64>,
    /// Whether it is marked executable.
    pub(crate) is_executable: bool,
}

/// The files of a commit, sorted by path.
#[derive(Debug, Clone, Default)]
pub(crate) struct FileList {
    /// Regular files.
    pub(crate) files: Vec<TreeFile>,
    /// Symbolic links and submodules, which are left out.
    pub(crate) links: usize,
    /// Entries whose name is not UTF-8, too long or unsafe, which are left out with all below them.
    pub(crate) skipped_names: usize,
}

/// Limits of an export.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_field_names, reason = "all are upper limits, of different things")]
pub(crate) struct ExportLimits {
    /// Most files and folders of the commit.
    pub(crate) max_files: usize,
    /// Larger files are skipped.
    pub(crate) max_file_bytes: u64,
    /// Most bytes of all files together; above, the export fails.
    pub(crate) max_total_bytes: u64,
}

/// What an export wrote.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Exported {
    /// Files written.
    pub(crate) files: usize,
    /// Bytes written.
    pub(crate) bytes: u64,
    /// Files that were wanted but missing, too large or impossible to write.
    pub(crate) skipped: usize,
}

/// Opens a checkout for reading; a repository handle belongs to one thread.
pub(crate) fn open_repository(checkout: &Checkout) -> Result<Repository, GitError> {
    open_bare(&checkout.git_dir)
}

/// Lists the regular files of the commit. Fails above `max_files` files and folders, before reading the rest.
pub(crate) fn list_files(checkout: &Checkout, max_files: usize) -> Result<FileList, GitError> {
    let repository = open_repository(checkout)?;
    let odb = repository.odb().map_err(|error| unreadable(&error))?;
    let mut list = FileList::default();
    walk(&repository, &checkout.commit, max_files, &mut |entry| {
        match entry {
            Entry::File { path, blob, is_executable } => {
                let size = match odb.read_header(blob) {
                    Ok((size, ObjectType::Blob)) => Some(size as u64),
                    Err(error) if error.code() == ErrorCode::NotFound => None,
                    Ok(_) => {
                        list.skipped_names += 1;
                        return Ok(());
                    }
                    Err(error) => return Err(unreadable(&error)),
                };
                list.files.push(TreeFile { path, blob, size, is_executable });
            }
            Entry::Link => list.links += 1,
            Entry::UnusableName => list.skipped_names += 1,
        }
        Ok(())
    })?;
    list.files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(list)
}

/// Those of the paths that are regular files of the commit, letter by letter. Quick when they come in order of path: the
/// folders of one stay open for the next, because reading a folder of 100,000 files anew for each of them takes minutes.
pub(crate) fn existing_files<'a>(
    checkout: &Checkout,
    paths: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<&'a str>, GitError> {
    let repository = open_repository(checkout)?;
    let root = root_tree(&repository, &checkout.commit)?;
    let mut open: Vec<(&str, Option<git2::Tree<'_>>)> = Vec::new();
    let mut is_file = |path: &&'a str| {
        let (folders, name) = path.rsplit_once('/').map_or((None, *path), |(folders, name)| (Some(folders), name));
        let parts: Vec<&'a str> = folders.into_iter().flat_map(|folders| folders.split('/')).collect();
        let shared = open.iter().zip(&parts).take_while(|((name, _), part)| name == *part).count();
        open.truncate(shared);
        for part in &parts[shared..] {
            // below what is no folder there is nothing
            let within = open.last().map_or(Some(&root), |(_, tree)| tree.as_ref());
            let tree = within.and_then(|tree| {
                let entry = tree.get_name(part).filter(|entry| entry.filemode_raw() == 0o040_000)?;
                repository.find_tree(entry.id()).ok()
            });
            open.push((part, tree));
        }
        let within = open.last().map_or(Some(&root), |(_, tree)| tree.as_ref());
        let found = within.and_then(|tree| tree.get_name(name));
        found.is_some_and(|entry| !matches!(entry.filemode_raw(), 0o040_000 | 0o120_000 | 0o160_000))
    };
    // git2 panics over a NUL, which no name holds
    Ok(paths.into_iter().filter(|path| !path.contains('\0') && is_file(path)).collect())
}

/// The id of the commit's tree: equal ids mean equal files.
pub(crate) fn tree_id(checkout: &Checkout) -> Result<String, GitError> {
    let repository = open_repository(checkout)?;
    Ok(root_tree(&repository, &checkout.commit)?.id().to_string())
}

fn root_tree<'a>(repository: &'a Repository, commit: &shared::names::CommitSha) -> Result<git2::Tree<'a>, GitError> {
    let commit = Oid::from_str(commit.as_str()).map_err(|error| unreadable(&error))?;
    let commit = repository.find_commit(commit).map_err(|error| unreadable(&error))?;
    commit.tree().map_err(|error| unreadable(&error))
}

/// The content of a file; `None` when it was left out of the clone or is larger than `max_bytes`. Never fetches.
pub(crate) fn read_blob(repository: &Repository, blob: Oid, max_bytes: u64) -> Option<Vec<u8>> {
    // the header first: a small pack can hold a blob of gigabytes
    let (size, kind) = repository.odb().ok()?.read_header(blob).ok()?;
    if kind != ObjectType::Blob || size as u64 > max_bytes {
        return None;
    }
    Some(repository.find_blob(blob).ok()?.content().to_vec())
}

/// Reads single files of a commit by their paths. Belongs to one thread.
pub(crate) struct FileReader {
    repository: Repository,
    tree: Oid,
    max_bytes: u64,
}

impl FileReader {
    /// Opens a checkout; files above `max_bytes` are none.
    pub(crate) fn open(checkout: &Checkout, max_bytes: u64) -> Result<Self, GitError> {
        let repository = open_repository(checkout)?;
        let tree = root_tree(&repository, &checkout.commit)?.id();
        Ok(Self { repository, tree, max_bytes })
    }

    /// The content of a regular file, if it is there and not too large.
    pub(crate) fn read(&self, path: &str) -> Option<Vec<u8>> {
        // git2 panics over a NUL, which no name holds
        if path.contains('\0') || path.is_empty() {
            return None;
        }
        let entry = self.repository.find_tree(self.tree).ok()?.get_path(Path::new(path)).ok()?;
        let is_file = !matches!(entry.filemode_raw(), 0o040_000 | 0o120_000 | 0o160_000);
        if is_file { read_blob(&self.repository, entry.id(), self.max_bytes) } else { None }
    }
}

/// Writes the files for which `keep` says so below `folder`, which is made and must not exist. Only regular files and
/// folders are made, so no path can leave it.
pub(crate) fn export_tree(
    checkout: &Checkout,
    folder: &Path,
    keep: &dyn Fn(&str) -> bool,
    limits: ExportLimits,
) -> Result<Exported, GitError> {
    let list = list_files(checkout, limits.max_files)?;
    let repository = open_repository(checkout)?;
    fs::create_dir(folder).map_err(|error| export_failed(&error))?;
    let mut exported = Exported::default();
    for file in list.files.iter().filter(|file| keep(&file.path)) {
        let Some(content) = read_blob(&repository, file.blob, limits.max_file_bytes) else {
            exported.skipped += 1;
            continue;
        };
        exported.bytes += content.len() as u64;
        if exported.bytes > limits.max_total_bytes {
            let limit = limits.max_total_bytes;
            let message = format!("the files of the repository take more than {limit} bytes, the limit of one copy");
            return Err(GitError::new(GitFailure::OverLimit, message));
        }
        match write_new(&folder.join(&file.path), &content) {
            Ok(()) => exported.files += 1,
            Err(error) if is_fault_of_the_name(&error) => {
                exported.bytes -= content.len() as u64;
                exported.skipped += 1;
            }
            Err(error) => return Err(export_failed(&error)),
        }
    }
    Ok(exported)
}

/// Opens a folder of Git whoever owns it: nothing that its configuration names is ever run.
pub(crate) fn open_bare(git_dir: &Path) -> Result<Repository, GitError> {
    Repository::open_bare(git_dir).map_err(|error| GitError::unreadable("the clone cannot be opened", &error))
}

/// Fails when the commit has more files and folders than allowed; stops counting there.
pub(super) fn count_entries(checkout: &Checkout, max_files: usize) -> Result<(), GitError> {
    let repository = open_repository(checkout)?;
    walk(&repository, &checkout.commit, max_files, &mut |_| Ok(()))
}

/// What a walk meets, folders aside.
enum Entry {
    File { path: String, blob: Oid, is_executable: bool },
    Link,
    UnusableName,
}

/// Visits every entry below a commit. The work is bounded by `max_entries` and not by the tree: a few hundred kilobytes
/// of folders that name each other can stand for ten million paths.
fn walk(
    repository: &Repository,
    commit: &shared::names::CommitSha,
    max_entries: usize,
    visit: &mut dyn FnMut(Entry) -> Result<(), GitError>,
) -> Result<(), GitError> {
    let commit = Oid::from_str(commit.as_str()).map_err(|error| unreadable(&error))?;
    let root = repository.find_commit(commit).map_err(|error| unreadable(&error))?.tree_id();
    let odb = repository.odb().map_err(|error| unreadable(&error))?;
    let mut left = max_entries;
    let mut folders = vec![(root, String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        let (bytes, _) = odb.read_header(folder).map_err(|error| unreadable(&error))?;
        if bytes > MAX_TREE_BYTES {
            return Err(GitError::too_many_files(max_entries));
        }
        let tree = repository.find_tree(folder).map_err(|error| unreadable(&error))?;
        for entry in &tree {
            left = left.checked_sub(1).ok_or_else(|| GitError::too_many_files(max_entries))?;
            let Some(name) = entry.name().ok().filter(|name| is_usable(name, prefix.len())) else {
                visit(Entry::UnusableName)?;
                continue;
            };
            match entry.filemode_raw() {
                0o040_000 => folders.push((entry.id(), format!("{prefix}{name}/"))),
                0o120_000 | 0o160_000 => visit(Entry::Link)?,
                mode => visit(Entry::File {
                    path: format!("{prefix}{name}"),
                    blob: entry.id(),
                    is_executable: mode & 0o100 != 0,
                })?,
            }
        }
    }
    Ok(())
}

/// Whether a name can be one part of a path: a crafted tree can hold `..`, `a/b` or `.git`.
fn is_usable(name: &str, prefix_bytes: usize) -> bool {
    let is_special = matches!(name, "" | "." | "..") || name.eq_ignore_ascii_case(".git");
    !is_special && !name.contains(['/', '\0']) && prefix_bytes + name.len() <= MAX_PATH_BYTES
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    File::create_new(path)?.write_all(content)
}

/// A crafted tree can name a file twice, or a file and a folder alike.
fn is_fault_of_the_name(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::AlreadyExists
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::IsADirectory
            | io::ErrorKind::InvalidFilename
    )
}

fn export_failed(error: &io::Error) -> GitError {
    GitError::of_file("the copy of the repository cannot be written", error)
}

fn unreadable(error: &git2::Error) -> GitError {
    GitError::unreadable("the repository cannot be read", error)
}
