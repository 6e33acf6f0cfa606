//! Calls that were kept: `AI_RECORD` writes each question with its answer into a file named by what was asked, `AI_REPLAY`
//! answers from there, without a process, a program or a key.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use shared::{names::ModelId, provider::Provider, settings::RecordingSettings};

use super::{ask::Purpose, call::CallOk, question::Question, redact};
use crate::writers::{Failure, WriterError};

/// What is done with calls besides, or instead of, making them.
#[derive(Debug, Clone, Default)]
pub(super) enum Exchanges {
    /// Nothing.
    #[default]
    Off,
    /// They are kept in this folder.
    Record(Arc<Path>),
    /// They are not made, but answered from this folder.
    Replay(Arc<Path>),
}

/// What is asked, of whom and about what.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) provider: Provider,
    pub(super) model: ModelId,
    pub(super) purpose: Purpose,
    /// Names the content of the repository's copy.
    pub(super) tree: String,
    pub(super) page: Option<String>,
    pub(super) question: Question,
}

/// A file of the folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Exchange {
    meta: Meta,
    prompt: String,
    files: std::collections::BTreeMap<String, String>,
    /// The model's text, after secrets were masked.
    pub(super) answer: String,
}

/// For people, and for the account of calls.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Meta {
    provider: Provider,
    model: String,
    cli_version: String,
    purpose: String,
    page: Option<String>,
    tree: String,
    input_tokens: u64,
    output_tokens: u64,
    cached_tokens: u64,
    cost_usd: Option<f64>,
    recorded_at: String,
}

impl Exchange {
    /// The version of the command line that answered.
    pub(super) fn cli_version(&self) -> &str {
        &self.meta.cli_version
    }
}

impl Asked {
    /// SHA-256 of everything that the answer depends on.
    pub(super) fn key(&self) -> String {
        self.question.digest(&[self.provider.as_str(), self.model.as_str(), self.purpose.as_str(), &self.tree])
    }
}

impl Exchanges {
    /// The error is one sentence, for a start that must not go on. Blocks.
    pub(super) fn open(settings: &RecordingSettings) -> Result<Self, String> {
        settings.check().map_err(|error| error.0)?;
        if let Some(folder) = settings.record() {
            fs::create_dir_all(folder)
                .map_err(|error| format!("AI_RECORD `{}` cannot be made: {error}", folder.display()))?;
            return Ok(Self::Record(folder.into()));
        }
        match settings.replay() {
            Some(folder) if folder.is_dir() => Ok(Self::Replay(folder.into())),
            Some(folder) => Err(format!("AI_REPLAY `{}` is no folder that can be read", folder.display())),
            None => Ok(Self::Off),
        }
    }

    /// Whether nothing is started.
    pub(super) fn is_replay(&self) -> bool {
        matches!(self, Self::Replay(_))
    }
}

/// Keeps an exchange. A folder that cannot be written to costs the recording, not the answer. Blocks.
pub(super) fn record(folder: &Path, asked: &Asked, cli_version: &str, answer: &CallOk, secrets: &[String]) {
    let usage = answer.usage;
    let mask = |text: &str| redact::mask(text, secrets);
    let files = asked.question.files.iter().map(|(name, text)| (name.clone(), mask(text))).collect();
    let exchange = Exchange {
        meta: Meta {
            provider: asked.provider,
            model: asked.model.to_string(),
            cli_version: cli_version.to_owned(),
            purpose: asked.purpose.as_str().to_owned(),
            page: asked.page.clone(),
            tree: asked.tree.clone(),
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            cached_tokens: usage.cached_tokens,
            cost_usd: usage.cost_usd,
            recorded_at: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        },
        prompt: mask(&asked.question.prompt),
        files,
        answer: answer.text.clone(),
    };
    if let Err(error) = write(folder, &asked.key(), &exchange) {
        tracing::error!(%error, folder = %folder.display(), "an AI call could not be recorded");
    }
}

/// In one step, so that nobody reads half of it.
fn write(folder: &Path, key: &str, exchange: &Exchange) -> io::Result<()> {
    let mut file = tempfile::Builder::new().prefix(".recording-").tempfile_in(folder)?;
    file.write_all(&serde_json::to_vec_pretty(exchange)?)?;
    file.write_all(b"\n")?;
    file.persist(path(folder, key)).map_err(|error| error.error)?;
    Ok(())
}

/// The exchange of a question. Blocks.
pub(super) fn replay(folder: &Path, asked: &Asked) -> Result<Exchange, WriterError> {
    let key = asked.key();
    let read = fs::read(path(folder, &key)).and_then(|bytes| Ok(serde_json::from_slice(&bytes)?));
    read.map_err(|error| {
        let what = match &asked.page {
            Some(page) => format!("page `{page}` ({})", asked.purpose.as_str()),
            None => format!("the call `{}`", asked.purpose.as_str()),
        };
        let (provider, model) = (asked.provider, &asked.model);
        let problem = match error.kind() {
            io::ErrorKind::NotFound => "AI_REPLAY has no".to_owned(),
            _ => format!("{error} in"),
        };
        let message = format!("no recording of {what} by {provider}/{model}: {problem} `{key}.json`");
        WriterError { failure: Failure::NotRecorded, message }
    })
}

fn path(folder: &Path, key: &str) -> PathBuf {
    folder.join(format!("{key}.json"))
}
