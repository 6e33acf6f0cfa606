//! Which version of a command line answers: read from the package that it came in, else asked for, once for each program
//! file as it is.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use serde_json::Value;
use tokio::sync::Mutex;

use super::{
    CliSettings,
    call::{Exit, Launch, Program, text_at},
    environment::base_variables,
    folder::CallFolder,
    no_folder, process,
};
use crate::writers::CallContext;

/// What is said when nobody knows.
const UNKNOWN: &str = "unknown";
/// Longest time that a command may take to say its version.
const PATIENCE: Duration = Duration::from_secs(15);
/// Most characters of a version.
const MAX_CHARS: usize = 40;

/// The versions that are known.
#[derive(Debug, Default)]
pub(super) struct Versions {
    /// By the file and the time of its last change: an update is noticed.
    known: Mutex<HashMap<(PathBuf, Option<SystemTime>), String>>,
}

/// The version of a program. Whoever asks while it is found out waits.
pub(super) async fn version_of(
    settings: &CliSettings,
    program: &Program,
    work_dir: &Path,
    tree: &Path,
    context: &CallContext,
) -> String {
    let script = program.first_arguments.first().map(PathBuf::from);
    let file = script.unwrap_or_else(|| program.executable.clone());
    let changed = fs::metadata(&file).and_then(|metadata| metadata.modified()).ok();
    let mut known = settings.versions.known.lock().await;
    if let Some(version) = known.get(&(file.clone(), changed)) {
        return version.clone();
    }
    let version = match of_package(&file) {
        Some(version) => Some(version),
        None => ask(settings, program, work_dir, tree, context).await,
    };
    if context.cancel.is_cancelled() {
        return UNKNOWN.to_owned();
    }
    let version = version.unwrap_or_else(|| UNKNOWN.to_owned());
    tracing::info!(program = %file.display(), version, "an AI command line is used for the first time");
    known.insert((file, changed), version.clone());
    version
}

/// What the package of a program from npm says.
fn of_package(file: &Path) -> Option<String> {
    let packages = file.ancestors().skip(1).take_while(|folder| !folder.ends_with("node_modules"));
    let manifests = packages.take(6).filter_map(|folder| fs::read(folder.join("package.json")).ok());
    let in_modules = file.components().any(|part| part.as_os_str() == "node_modules");
    let manifest = manifests.into_iter().next().filter(|_| in_modules)?;
    clean(text_at(&serde_json::from_slice::<Value>(&manifest).ok()?, "/version"))
}

async fn ask(
    settings: &CliSettings,
    program: &Program,
    work_dir: &Path,
    tree: &Path,
    context: &CallContext,
) -> Option<String> {
    let (work_dir, tree, program) = (work_dir.to_owned(), tree.to_owned(), program.clone());
    let folder = tokio::task::spawn_blocking(move || CallFolder::create(&work_dir, &tree, "", None).map_err(no_folder));
    let folder = folder.await.ok()?.ok()?;
    let launch = Launch {
        environment: base_variables(&folder.dirs().home, &folder.dirs().temporary, &program),
        program,
        arguments: vec!["--version".into()],
        home_files: Vec::new(),
        stdin: String::new(),
        is_complete: None,
    };
    let context = CallContext { cancel: context.cancel.clone(), call_timeout: PATIENCE, account: None };
    let output = process::run(launch, folder, &settings.isolation, Vec::new(), &context).await.ok()?;
    if output.exit != Exit::Code(0) {
        return None;
    }
    String::from_utf8_lossy(&output.stdout).split_whitespace().find_map(clean)
}

/// The version in a word: it has a digit, and characters that versions have.
fn clean(word: &str) -> Option<String> {
    let is_part = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+' | '_');
    let version: String = word.chars().filter(is_part).take(MAX_CHARS).collect();
    version.chars().any(|c| c.is_ascii_digit()).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_of_the_nearest_package() {
        let folder = tempfile::tempdir().unwrap();
        let package = folder.path().join("node_modules/@anthropic-ai/claude-code");
        fs::create_dir_all(package.join("bin")).unwrap();
        fs::write(folder.path().join("package.json"), r#"{"version":"9.9.9"}"#).unwrap();
        assert_eq!(of_package(&package.join("bin/claude")), None);
        fs::write(package.join("package.json"), r#"{"version":"2.1.329"}"#).unwrap();
        assert_eq!(of_package(&package.join("bin/claude")).as_deref(), Some("2.1.329"));
        assert_eq!(of_package(&folder.path().join("claude")), None, "no package from npm");
    }

    #[test]
    fn a_version_has_a_digit_and_no_strange_characters() {
        assert_eq!(clean("2.1.329").as_deref(), Some("2.1.329"));
        assert_eq!(clean("\u{1b}v1.0-beta+2\0").as_deref(), Some("v1.0-beta+2"));
        assert_eq!(clean("Claude"), None);
    }
}
