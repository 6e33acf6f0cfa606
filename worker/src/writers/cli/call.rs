//! One call of an AI command line: what it is asked, where it runs, what is started for it and what came of it.

use std::{ffi::OsString, path::PathBuf};

use serde_json::Value;
use shared::names::ModelId;

use crate::writers::{Usage, WriterError};

/// What a call is asked.
#[derive(Debug, Clone)]
pub(super) struct CallSpec {
    /// The model, pinned.
    pub(super) model: ModelId,
    /// The prompt. Handed over as a file on stdin, never as an argument.
    pub(super) prompt: String,
    /// US dollars that it may cost, for a command that can be told so.
    pub(super) left_usd: Option<f64>,
}

/// The folders of one call. All but `tree` are its own and are deleted after it.
#[derive(Debug, Clone)]
pub(super) struct CallDirs {
    /// The copy of the repository, read only; the current folder of the command.
    pub(super) tree: PathBuf,
    /// Files that the prompt names, read only.
    pub(super) data: PathBuf,
    /// `HOME` and every folder for configuration.
    pub(super) home: PathBuf,
    /// `TMPDIR`.
    pub(super) temporary: PathBuf,
    /// The system prompt's file, in `data`.
    pub(super) system_prompt: PathBuf,
}

/// The program of a command line, found on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    /// What is executed: the command itself, or `node` for a script of it.
    pub(super) executable: PathBuf,
    /// Arguments before those of the call: the script's path.
    pub(super) first_arguments: Vec<OsString>,
    /// Folders and files that the program needs to read, for the sandbox: itself, and certificates.
    pub(super) readable: Vec<PathBuf>,
}

/// What is to be started. Pure data: made by `launch()` of a command line, used by `process::run`.
#[derive(Debug, Clone)]
pub(super) struct Launch {
    /// The program.
    pub(super) program: Program,
    /// Its arguments; no secret among them.
    pub(super) arguments: Vec<OsString>,
    /// The whole environment, nothing is inherited.
    pub(super) environment: Vec<(String, OsString)>,
    /// Files to write below `home` before the start.
    pub(super) home_files: Vec<(&'static str, String)>,
    /// The prompt.
    pub(super) stdin: String,
    /// Tells whether stdout already holds the whole answer, for a command that may forget to end.
    pub(super) is_complete: Option<fn(&[u8]) -> bool>,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// By itself, with this code. Not a signal in disguise: `gemini` ends with an HTTP status cut to eight bits.
    Code(i32),
    /// By this signal, sent by somebody else.
    Signal(i32),
    /// We ended it, because [`Launch::is_complete`] said that all is there.
    Complete,
}

/// An answer that was read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CallOk {
    /// The model's text; not empty.
    pub(super) text: String,
    /// What it cost.
    pub(super) usage: Usage,
    /// How often the model asked for a tool that it was not given.
    pub(super) denied_tools: usize,
}

/// A call without an answer, and what it cost all the same.
#[derive(Debug)]
pub(super) struct CallFailed {
    /// Why.
    pub(super) error: WriterError,
    /// What it cost, as far as the command says.
    pub(super) usage: Usage,
}

impl From<WriterError> for CallFailed {
    fn from(error: WriterError) -> Self {
        Self { error, usage: Usage::default() }
    }
}

/// The number at a JSON pointer, zero when there is none.
pub(super) fn count_at(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or_default()
}

/// The text at a JSON pointer, empty when there is none.
pub(super) fn text_at<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
