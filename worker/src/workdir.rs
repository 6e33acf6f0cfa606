//! Temporary trees of runs; leftovers of dead processes are swept at start.
//!
//! The name of a folder says whose it is: `<generation>-<fence>`. Its owner holds a lock on it, which the kernel gives
//! back however the owner ends, so a sweep never takes a folder from a process that lives.

use std::{
    fs::{self, DirBuilder, File, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use shared::ids::GenerationId;

/// The folder of one claim of one run, for its owner's eyes only. Removed when dropped, on a thread of its own.
#[derive(Debug)]
pub(crate) struct WorkDir {
    path: PathBuf,
    /// Open for as long as the folder is ours: it holds the lock.
    lock: Option<File>,
}

impl WorkDir {
    /// Makes `<base>/<generation>-<fence>/`, and `base` too. What an earlier process left under the same name goes
    /// first; that one is still at work there is an error. Blocks.
    pub(crate) fn create(base: &Path, generation: GenerationId, fence: i64) -> io::Result<Self> {
        Self::create_named(base, &format!("{generation}-{fence}"))
    }

    fn create_named(base: &Path, name: &str) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(base)?;
        let path = base.join(name);
        let make = || DirBuilder::new().mode(0o700).create(&path);
        match make() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                lock(&path)?.ok_or(io::ErrorKind::ResourceBusy)?;
                remove_tree(&path)?;
                make()?;
            }
            result => result?,
        }
        let lock = lock(&path)?.ok_or(io::ErrorKind::ResourceBusy)?;
        Ok(Self { path, lock: Some(lock) })
    }

    /// Makes a folder for writing pages of a run that another process may coordinate: `<base>/<generation>-p<process>`.
    pub(crate) fn create_for_pages(base: &Path, generation: GenerationId) -> io::Result<Self> {
        Self::create_named(base, &format!("{generation}-p{}", std::process::id()))
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        let Some(lock) = self.lock.take() else {
            return;
        };
        let path = std::mem::take(&mut self.path);
        // a large tree takes seconds, and this may be an async thread; what the end of the process cuts short is swept
        // at the next start
        std::thread::spawn(move || {
            if let Err(error) = remove_tree(&path) {
                tracing::warn!(workdir.path = %path.display(), %error, "a temporary folder could not be removed");
            }
            drop(lock);
        });
    }
}

/// Removes folders that no process of this host has locked. Returns how many. Anything with another name stays. Blocks.
pub(crate) fn sweep(base: &Path) -> io::Result<usize> {
    let entries = match fs::read_dir(base) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let mut removed = 0;
    for entry in entries {
        let entry = entry?;
        if !entry.file_name().to_str().is_some_and(is_of_a_run) || !entry.file_type()?.is_dir() {
            continue;
        }
        // the lock is kept until the folder is gone
        let result = lock(&entry.path()).and_then(|lock| match lock {
            Some(_lock) => remove_tree(&entry.path()).map(|()| 1),
            None => Ok(0),
        });
        match result {
            Ok(count) => removed += count,
            // another process may be sweeping, too
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(workdir.path = %entry.path().display(), %error, "a leftover could not be removed");
            }
        }
    }
    Ok(removed)
}

/// Whether a name is `<generation>-<fence>` or `<generation>-p<process>`.
fn is_of_a_run(name: &str) -> bool {
    name.rsplit_once('-').is_some_and(|(generation, owner)| {
        generation.parse::<GenerationId>().is_ok() && owner.strip_prefix('p').unwrap_or(owner).parse::<i64>().is_ok()
    })
}

/// The lock on a folder; `None` when somebody else has it.
fn lock(path: &Path) -> io::Result<Option<File>> {
    let folder = File::open(path)?;
    match folder.try_lock() {
        Ok(()) => Ok(Some(folder)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Removes a tree, also one in which a child has made folders that may not be written (module caches are).
fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            make_writable(path);
            fs::remove_dir_all(path)
        }
        result => result,
    }
}

/// Opens every folder of a tree to its owner. Links are not followed; what fails shows when the tree is removed.
fn make_writable(path: &Path) {
    let mut folders = vec![path.to_path_buf()];
    while let Some(folder) = folders.pop() {
        drop(fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)));
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        folders.extend(entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|e| e.path()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_private_and_goes_with_its_owner() {
        let base = tempfile::tempdir().unwrap();
        let generation = GenerationId::new();
        let workdir = WorkDir::create(&base.path().join("work"), generation, 3).unwrap();
        let path = workdir.path().to_path_buf();
        assert_eq!(path, base.path().join(format!("work/{generation}-3")));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        fs::create_dir(path.join("read-only")).unwrap();
        fs::write(path.join("read-only/file"), "x").unwrap();
        fs::set_permissions(path.join("read-only"), fs::Permissions::from_mode(0o500)).unwrap();
        let path = workdir.path().to_owned();
        drop(workdir);
        while path.exists() {
            std::thread::yield_now();
        }
        assert!(!path.exists());
    }

    #[test]
    fn a_dropped_folder_is_removed_in_the_background() {
        let base = tempfile::tempdir().unwrap();
        let workdir = WorkDir::create(base.path(), GenerationId::new(), 1).unwrap();
        let path = workdir.path().to_path_buf();
        drop(workdir);
        for _ in 0..500 {
            if !path.exists() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("still there");
    }

    #[test]
    fn leftovers_are_swept_and_nothing_else() {
        let base = tempfile::tempdir().unwrap();
        let (dead, ours) = (GenerationId::new(), GenerationId::new());
        let locked = WorkDir::create(base.path(), ours, 1).unwrap();
        let for_pages = WorkDir::create_for_pages(base.path(), ours).unwrap();
        // what a killed process leaves: folders without a lock
        for name in [format!("{dead}-1"), format!("{dead}-p2"), "other".into(), "other-7".into()] {
            fs::create_dir(base.path().join(&name)).unwrap();
            fs::write(base.path().join(name).join("file"), "x").unwrap();
        }
        let removed = sweep(base.path()).unwrap();
        assert_eq!(removed, 2);
        let mut left: Vec<_> =
            fs::read_dir(base.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        left.sort();
        let process = std::process::id();
        let mut expected = vec![format!("{ours}-p{process}"), format!("{ours}-1"), "other".into(), "other-7".into()];
        expected.sort();
        assert_eq!(left, expected);
        assert!(locked.path().exists() && for_pages.path().exists());
        assert_eq!(sweep(&base.path().join("nothing")).unwrap(), 0);
    }

    #[test]
    fn a_leftover_of_the_same_claim_is_replaced_but_not_one_in_use() {
        let base = tempfile::tempdir().unwrap();
        let generation = GenerationId::new();
        fs::create_dir(base.path().join(format!("{generation}-1"))).unwrap();
        fs::write(base.path().join(format!("{generation}-1/old")), "x").unwrap();
        let workdir = WorkDir::create(base.path(), generation, 1).unwrap();
        assert_eq!(fs::read_dir(workdir.path()).unwrap().count(), 0);
        assert!(WorkDir::create(base.path(), generation, 1).is_err());
        assert!(workdir.path().exists());
    }
}
