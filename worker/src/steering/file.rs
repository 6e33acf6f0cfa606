//! The file: `docmill.toml` at the root of the repository, or else `.docmill/config.toml`. Read as a blob of the pinned
//! commit; a link is not followed, and whatever cannot be used becomes a sentence instead of a failure.

use git2::{ObjectType, Oid, Repository, Tree};
use serde_json::{Map, Value};
use shared::{
    options::{FIELDS, RunOptions, read_options},
    plan::RepoType,
};

use crate::git::{self, Checkout, GitError};

/// Where the file may stand; the first wins.
const PATHS: [&str; 2] = ["docmill.toml", ".docmill/config.toml"];
/// Largest file.
const MAX_BYTES: u64 = 64 << 10;
/// Most things of a kind that are told one by one.
const MAX_TOLD: usize = 10;

/// What the file says.
#[derive(Debug, Default)]
pub(super) struct SteeringFile {
    pub(super) options: RunOptions,
    pub(super) repo_type: Option<RepoType>,
    pub(super) refusal: Option<String>,
}

/// Whether a path is that of the file, which no writer gets to see.
pub(super) fn is_steering_file(path: &str) -> bool {
    PATHS.contains(&path)
}

/// Reads the file, if there is one.
pub(super) fn read(checkout: &Checkout) -> Result<(SteeringFile, Vec<String>), GitError> {
    let repository = git::open_bare(&checkout.git_dir)?;
    let mut warnings = Vec::new();
    let mut chosen = None;
    for path in PATHS {
        let blob = match find(&repository, checkout, path)? {
            Found::Nothing => continue,
            Found::Link => {
                warnings.push(format!("`{path}` is ignored: it is a link or a folder; make it a regular file"));
                continue;
            }
            Found::File(blob) => blob,
        };
        match chosen {
            None => chosen = Some((path, blob)),
            Some((first, _)) => warnings.push(format!("`{path}` is ignored: there is a `{first}` as well; keep one")),
        }
    }
    let Some((path, blob)) = chosen else { return Ok((SteeringFile::default(), warnings)) };
    let (file, told) = match git::read_blob(&repository, blob, MAX_BYTES) {
        Some(bytes) => parse(path, &bytes),
        None => (SteeringFile::default(), vec![format!("`{path}` is ignored: it is larger than 64 KiB; shorten it")]),
    };
    warnings.extend(told);
    Ok((file, warnings))
}

enum Found {
    Nothing,
    Link,
    File(Oid),
}

/// Looks a path up in the tree of the commit.
fn find(repository: &Repository, checkout: &Checkout, path: &str) -> Result<Found, GitError> {
    let unreadable = |error: git2::Error| GitError::unreadable("the repository cannot be read", &error);
    let commit = Oid::from_str(checkout.commit.as_str()).map_err(unreadable)?;
    let mut tree: Tree<'_> = repository.find_commit(commit).and_then(|commit| commit.tree()).map_err(unreadable)?;
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    for folder in folders.split('/').filter(|folder| !folder.is_empty()) {
        let Some(entry) = tree.get_name(folder).map(|entry| (entry.kind(), entry.id())) else {
            return Ok(Found::Nothing);
        };
        let (Some(ObjectType::Tree), id) = entry else { return Ok(Found::Nothing) };
        tree = repository.find_tree(id).map_err(unreadable)?;
    }
    Ok(match tree.get_name(name) {
        None => Found::Nothing,
        Some(entry) if matches!(entry.filemode(), 0o100_644 | 0o100_755 | 0o100_664) => Found::File(entry.id()),
        Some(_) => Found::Link,
    })
}

/// Reads the text of a file. One that is no TOML is ignored, but not its owner's "no".
pub(super) fn parse(path: &str, bytes: &[u8]) -> (SteeringFile, Vec<String>) {
    let ignored = |why: &str| {
        let file = SteeringFile { refusal: says_no(bytes).then(|| refusal(path)), ..SteeringFile::default() };
        (file, vec![format!("`{path}` is ignored: {why}")])
    };
    if bytes.starts_with(b"version https://git-lfs.github.com/spec/") {
        return ignored("Git LFS keeps it elsewhere; add it to the repository itself");
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return ignored("it is not UTF-8; save it as UTF-8") };
    let table = match text.trim_start_matches('\u{feff}').parse::<toml::Table>() {
        Ok(table) => table,
        Err(error) => {
            let line =
                error.span().map_or(1, |span| text.get(..span.start).map_or(1, |text| text.lines().count().max(1)));
            return ignored(&format!("it is no TOML, line {line}: {}", shown(error.message())));
        }
    };
    read_table(path, table)
}

fn read_table(path: &str, table: toml::Table) -> (SteeringFile, Vec<String>) {
    let mut object: Map<String, Value> = table.into_iter().map(|(key, value)| (key, to_json(value))).collect();
    let mut warnings = Vec::new();
    let mut refuses = false;
    match object.remove("generate") {
        None | Some(Value::Bool(true)) => {}
        Some(Value::Bool(false)) => refuses = true,
        // a "no" in quotes is a "no"
        Some(Value::String(text)) if text.trim().eq_ignore_ascii_case("false") => refuses = true,
        Some(_) => warnings.push(format!("`{path}`: `generate` is ignored: it is `true` or `false`")),
    }
    let repo_type = object.remove("repo_type").and_then(|value| {
        let read = serde_json::from_value(value).ok();
        if read.is_none() {
            let words = "`app`, `tests`, `library` or `framework`";
            warnings.push(format!("`{path}`: `repo_type` is ignored: it is one of {words}"));
        }
        read
    });
    let (options, problems) = read_options(&object);
    for problem in problems.iter().take(MAX_TOLD) {
        let message = problem.message.strip_prefix("Value error, ").unwrap_or(&problem.message);
        warnings.push(format!("`{path}`: `{}` is ignored: {}", problem.path(), shown(message)));
    }
    if problems.len() > MAX_TOLD {
        warnings.push(format!("`{path}`: {} more values are ignored", problems.len() - MAX_TOLD));
    }
    let unknown: Vec<&String> = object.keys().filter(|key| !FIELDS.contains(&key.as_str())).collect();
    if !unknown.is_empty() {
        let told: Vec<String> = unknown.iter().take(MAX_TOLD).map(|key| format!("`{}`", shown(key))).collect();
        let more = match unknown.len() - told.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        warnings.push(format!("`{path}`: unknown keys are ignored: {}{more}", told.join(", ")));
    }
    let refusal = refuses.then(|| refusal(path));
    (SteeringFile { options, repo_type, refusal }, warnings)
}

fn refusal(path: &str) -> String {
    format!("the repository opted out of documentation: its `{path}` says `generate = false`")
}

/// Whether a line of a file that cannot be read says `generate = false`.
fn says_no(bytes: &[u8]) -> bool {
    String::from_utf8_lossy(bytes).lines().any(|line| {
        let said: String = line.split('#').next().unwrap_or_default().split_whitespace().collect();
        matches!(said.as_str(), "generate=false" | "generate=\"false\"" | "generate='false'")
    })
}

/// TOML as JSON. What JSON does not have (dates, infinities) becomes an empty object: no key takes one.
fn to_json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => Value::from(number),
        toml::Value::Float(number) => Value::from(number),
        toml::Value::Boolean(flag) => Value::Bool(flag),
        toml::Value::Datetime(_) => Value::Object(Map::new()),
        toml::Value::Array(entries) => Value::Array(entries.into_iter().map(to_json).collect()),
        toml::Value::Table(table) => {
            Value::Object(table.into_iter().map(|(key, value)| (key, to_json(value))).collect())
        }
    }
}

/// What a warning repeats of the file: at most 200 characters of one line.
fn shown(text: &str) -> String {
    text.chars().take(200).map(|c| if c.is_control() || c == '`' { '?' } else { c }).collect()
}
