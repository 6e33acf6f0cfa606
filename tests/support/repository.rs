//! Git repositories made on the fly.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

/// A repository in a folder of its own; gone with this value.
pub(crate) struct Repository {
    folder: TempDir,
    name: String,
}

impl Repository {
    /// A small Rust library on branch `main`.
    pub(crate) fn library(name: &str) -> Self {
        let repository = Self::empty(name);
        repository.write(
            "README.md",
            &format!("# {name}\n\n{name} adds numbers, and it does so with care.\n\n## Usage\n\nCall `add`.\n"),
        );
        repository
            .write("Cargo.toml", &format!("[package]\nname = \"{name}\"\nversion = \"1.2.3\"\nedition = \"2024\"\n"));
        repository.write(
            "src/lib.rs",
            "//! Adding numbers.\n\n/// Adds two numbers.\npub fn add(a: i64, b: i64) -> i64 {\n    a + b\n}\n\n/// A sum that grows.\npub struct Sum {\n    /// So far.\n    pub total: i64,\n}\n",
        );
        repository.commit("first");
        repository
    }

    /// A repository without commits.
    pub(crate) fn empty(name: &str) -> Self {
        let repository = Self { folder: TempDir::new().unwrap(), name: name.to_owned() };
        std::fs::create_dir(repository.path()).unwrap();
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository
    }

    /// Its folder; the last part is its name.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join(&self.name)
    }

    /// Writes a file of the work tree.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let file = self.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }

    /// Commits everything; gives the commit.
    pub(crate) fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Runs git in it.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        git_in(&self.path(), arguments)
    }
}

fn git_in(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(folder)
        .args(["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_AUTHOR_DATE", "2026-01-02T03:04:05Z")
        .env("GIT_COMMITTER_DATE", "2026-01-02T03:04:05Z")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
