//! The folder of one call: its home, its temporary files, the files that its prompt names, and its output. Made before
//! the call, deleted after it, whatever happened.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::call::{CallDirs, Launch};

/// A folder on disk; dropping it deletes it. Making, filling and dropping block.
#[derive(Debug)]
pub(super) struct CallFolder {
    root: TempDir,
    dirs: CallDirs,
}

impl CallFolder {
    /// Makes the folder below `work_dir`, readable by nobody else, with the system prompt in it.
    pub(super) fn create(work_dir: &Path, tree: &Path, system_prompt: &str) -> io::Result<Self> {
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
        fs::write(&dirs.system_prompt, system_prompt)?;
        Ok(Self { root, dirs })
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
        let path = |name: &str| self.root.path().join(name);
        fs::write(path("stdin"), &launch.stdin)?;
        let create = |name: &str| File::options().read(true).append(true).create_new(true).open(path(name));
        Ok(Streams { stdin: File::open(path("stdin"))?, stdout: create("stdout")?, stderr: create("stderr")? })
    }
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
