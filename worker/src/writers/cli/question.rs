//! What a call asks, without the temporary paths that differ from call to call: the prompt and every file that it may read
//! besides the repository. Two calls that ask the same have the same digest.

use std::{collections::BTreeMap, fs, io};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{call::CallDirs, shown};

/// What stands for the folder of the call.
const CALL: &str = "/docmill/call";
/// What stands for the copy of the repository.
const TREE: &str = "/docmill/tree";

/// Everything that is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Question {
    /// The prompt.
    pub(super) prompt: String,
    /// The files that the prompt names, and the system prompt, by name.
    pub(super) files: BTreeMap<String, String>,
}

impl Question {
    /// Reads the files of a call that was prepared. Blocks.
    pub(super) fn read(prompt: &str, dirs: &CallDirs) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(&dirs.data)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            files.insert(name, without_paths(&fs::read_to_string(entry.path())?, dirs));
        }
        Ok(Self { prompt: without_paths(prompt, dirs), files })
    }

    /// SHA-256 in hexadecimal, together with what else makes a call what it is.
    pub(super) fn digest(&self, also: &[&str]) -> String {
        let mut hash = Sha256::new();
        let mut add = |text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        };
        for text in also {
            add(text);
        }
        add(&self.prompt);
        for (name, text) in &self.files {
            add(name);
            add(text);
        }
        hex::encode(hash.finalize())
    }
}

/// A text in which the folders of a call have names that are always the same.
pub(super) fn without_paths(text: &str, dirs: &CallDirs) -> String {
    let call = dirs.data.parent().unwrap_or(&dirs.data);
    text.replace(&shown(call), CALL).replace(&shown(&dirs.tree), TREE)
}
