//! The folder of one call: its home, its temporary files, the files that its prompt names. Made before the call, deleted
//! after it, whatever happened.
//!
//! File systems make and forget files slowly (ext4 without a journal most of all), so a call makes few of its own: what
//! others get as well is linked, and what goes through its standard streams stands in memory.

use std::{
    ffi::CStr,
    fs::{self, File},
    io::{self, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use rustix::fs::{MemfdFlags, OFlags, fcntl_setfl, memfd_create};
use sha2::{Digest, Sha256};
use tempfile::{NamedTempFile, TempDir};

use super::call::{CallDirs, Launch};

/// Where [`Handouts`] lie in a folder of work.
const HANDOUTS: &str = "handouts";

/// Texts that many calls of a writer are given, each kept once on disk, by content. For calls whose sandbox lets them read
/// their data and not change it: what one changes, all get.
#[derive(Debug, Clone)]
pub(super) struct Handouts {
    folder: PathBuf,
}

impl Handouts {
    /// Keeps them below `work_dir`, from the first one on.
    pub(super) fn new(work_dir: &Path) -> Self {
        Self { folder: work_dir.join(HANDOUTS) }
    }

    /// Makes `target` a file with this content. Where nothing can be linked it is written.
    fn link(&self, content: &str, target: &Path) -> io::Result<()> {
        let kept = self.folder.join(hex::encode(&Sha256::digest(content)[..16]));
        let linked = fs::hard_link(&kept, target).or_else(|_| {
            self.keep(content, &kept)?;
            fs::hard_link(&kept, target)
        });
        linked.or_else(|_| fs::write(target, content))
    }

    /// Whole or not at all: another call may look for it.
    fn keep(&self, content: &str, kept: &Path) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let mut file = NamedTempFile::new_in(&self.folder)?;
        file.write_all(content.as_bytes())?;
        file.persist(kept)?;
        Ok(())
    }
}

/// A folder on disk; dropping it deletes it. Making, filling and dropping block.
#[derive(Debug)]
pub(super) struct CallFolder {
    _root: TempDir,
    dirs: CallDirs,
    handouts: Option<Handouts>,
}

impl CallFolder {
    /// Makes the folder below `work_dir`, readable by nobody else, with the system prompt in it.
    pub(super) fn create(
        work_dir: &Path,
        tree: &Path,
        system_prompt: &str,
        handouts: Option<Handouts>,
    ) -> io::Result<Self> {
        let root = tempfile::Builder::new().prefix("call-").tempdir_in(work_dir)?;
        // the sandbox compares real paths
        let path = root.path().canonicalize()?;
        let dirs = CallDirs {
            tree: tree.canonicalize()?,
            data: path.join("data"),
            home: path.join("home"),
            temporary: path.join("tmp"),
            system_prompt: path.join("data/system.md"),
        };
        for folder in [&dirs.data, &dirs.home, &dirs.temporary] {
            fs::create_dir(folder)?;
        }
        let folder = Self { _root: root, dirs, handouts };
        folder.put(&folder.dirs.system_prompt, system_prompt)?;
        Ok(folder)
    }

    fn put(&self, path: &Path, content: &str) -> io::Result<()> {
        match &self.handouts {
            Some(handouts) => handouts.link(content, path),
            None => fs::write(path, content),
        }
    }

    /// Its folders.
    pub(super) fn dirs(&self) -> &CallDirs {
        &self.dirs
    }

    /// Writes a file that the prompt will name; returns its absolute path.
    pub(super) fn add_data(&self, name: &str, content: &str) -> io::Result<PathBuf> {
        let path = self.dirs.data.join(name);
        fs::write(&path, content)?;
        Ok(path)
    }

    /// The same for a file that other calls are given, too.
    pub(super) fn add_shared(&self, name: &str, content: &str) -> io::Result<PathBuf> {
        let path = self.dirs.data.join(name);
        self.put(&path, content)?;
        Ok(path)
    }

    /// Writes what a launch wants in its home, and opens the three files that the command gets as its standard streams.
    /// Files and not pipes: some commands lose what does not fit into a pipe, and a file's size can be watched.
    pub(super) fn prepare(&self, launch: &Launch) -> io::Result<Streams> {
        for (name, content) in &launch.home_files {
            let path = self.dirs.home.join(name);
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(path, content)?;
        }
        let mut stdin = in_memory(c"stdin")?;
        stdin.write_all(launch.stdin.as_bytes())?;
        stdin.seek(SeekFrom::Start(0))?;
        Ok(Streams { stdin, stdout: in_memory(c"stdout")?, stderr: in_memory(c"stderr")? })
    }
}

/// A file without a name, for which limits of a file's size hold as well. Whoever writes appends: what is read meanwhile
/// moves the place where others stand.
fn in_memory(name: &CStr) -> io::Result<File> {
    // kernels before 6.3 do not know that it is no program
    let file = memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::NOEXEC_SEAL)
        .or_else(|_| memfd_create(name, MemfdFlags::CLOEXEC))?;
    fcntl_setfl(&file, OFlags::APPEND)?;
    Ok(file.into())
}

/// The standard streams of a call.
#[derive(Debug)]
pub(super) struct Streams {
    /// The prompt.
    pub(super) stdin: File,
    /// What the command prints.
    pub(super) stdout: File,
    /// What it complains about.
    pub(super) stderr: File,
}

/// Whether there is more than handouts.
#[cfg(test)]
pub(super) fn is_left_in(work_dir: &Path) -> bool {
    fs::read_dir(work_dir).unwrap().any(|entry| entry.unwrap().file_name() != HANDOUTS)
}
