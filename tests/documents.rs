//! The documents say what is true: every setting, route, file and test that they name exists, and none is forgotten.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use regex::Regex;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// All files below a folder with this ending.
fn files_below(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut folders = vec![folder.to_owned()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == ending) {
                files.push(path);
            }
        }
    }
    files
}

/// Every document by its path, blocks of code left out.
fn documents() -> BTreeMap<PathBuf, String> {
    let block = Regex::new(r"(?ms)^ *```.*?^ *```$").unwrap();
    let top = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "migrations/README.md"].map(|name| root().join(name));
    let all = files_below(&root().join("docs"), "md").into_iter().chain(top);
    let documents: BTreeMap<_, _> = all
        .map(|path| (path.clone(), block.replace_all(&fs::read_to_string(path).unwrap(), "").into_owned()))
        .collect();
    assert!(documents.len() > 10, "the search for documents is broken");
    documents
}

/// What stands between backticks.
fn inline_code(text: &str) -> Vec<String> {
    Regex::new("`([^`\n]+)`").unwrap().captures_iter(text).map(|found| found[1].to_owned()).collect()
}

/// What a command says about one setting.
struct Setting {
    flag: String,
    default: Option<String>,
}

/// The settings that commands declare, by their variable.
fn declared_settings() -> BTreeMap<String, Setting> {
    let folder = tempfile::tempdir().unwrap();
    let [name, default] =
        [r"\[env: ([A-Z_]+)", r#"\[default: ([^\] "]+)\]"#].map(|pattern| Regex::new(pattern).unwrap());
    let mut settings = BTreeMap::new();
    for command in [
        &["--help"][..],
        &["serve", "--help"],
        &["api", "--help"],
        &["worker", "--help"],
        &["try", "--help"],
        &["import-docsfy", "--help"],
    ] {
        let mut program = Command::new(env!("CARGO_BIN_EXE_docmill"));
        let output = program.args(command).env_clear().current_dir(&folder).output().unwrap();
        assert!(output.status.success());
        let help = String::from_utf8(output.stdout).unwrap();
        for option in help.split("\n      --").skip(1) {
            let flag = option.split_whitespace().next().unwrap();
            let line = option.split_whitespace().collect::<Vec<_>>().join(" ");
            if let Some(found) = name.captures(&line) {
                let default = default.captures(&line).map(|found| found[1].trim_matches('`').to_owned());
                settings.insert(found[1].to_owned(), Setting { flag: format!("--{flag}"), default });
            }
        }
    }
    assert!(settings.len() > 15, "the search for settings is broken");
    settings
}

#[test]
fn every_setting_is_documented_with_its_flag_and_default() {
    let declared = declared_settings();
    let text = read("docs/settings.md");
    let row = Regex::new(r"(?m)^\| `([A-Z_]+)` \| `(--[a-z-]+)`([^\n]*)$").unwrap();
    let mut documented = BTreeSet::new();
    for found in row.captures_iter(&text) {
        let (name, flag, rest) = (&found[1], &found[2], &found[3]);
        let setting = declared.get(name).unwrap_or_else(|| panic!("no command declares `{name}`"));
        assert_eq!(flag, setting.flag, "of `{name}`");
        if let Some(default) = &setting.default {
            assert!(rest.contains(&format!("`{default}`")), "the default of `{name}` is `{default}`");
        }
        assert!(documented.insert(name.to_owned()), "docs/settings.md has two rows for `{name}`");
    }
    let missing: Vec<_> = declared.keys().filter(|name| !documented.contains(*name)).collect();
    assert!(missing.is_empty(), "docs/settings.md has no row for {missing:?}");
}

#[test]
fn every_hidden_setting_and_every_variable_of_a_writer_is_documented() {
    let text = read("docs/settings.md");
    let declared = Regex::new(r#"env = "([A-Z_]+)""#).unwrap();
    let mut names: BTreeSet<String> = BTreeSet::new();
    for folder in ["src", "shared/src"] {
        for file in files_below(&root().join(folder), "rs") {
            let source = fs::read_to_string(file).unwrap();
            names.extend(declared.captures_iter(&source).map(|found| found[1].to_owned()));
        }
    }
    let quoted = Regex::new(r#""((?:DOCMILL|ANTHROPIC|GEMINI|GOOGLE|CURSOR)_[A-Z_]*(?:BIN|KEY|TOKEN|URL))""#).unwrap();
    for file in ["src/postgres/binaries.rs", "worker/src/writers/cli/environment.rs"] {
        names.extend(quoted.captures_iter(&read(file)).map(|found| found[1].to_owned()));
    }
    assert!(names.contains("DOCMILL_LEASE_MS") && names.contains("CURSOR_API_KEY"), "the search is broken");
    let missing: Vec<_> = names.iter().filter(|name| !text.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "docs/settings.md does not name {missing:?}");
}

/// How a heading is named in an address.
fn anchor(heading: &str) -> String {
    let plain = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
    plain.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let mut broken = Vec::new();
    for (path, text) in documents() {
        for found in link.captures_iter(&text).map(|found| found[1].to_owned()) {
            if found.contains("://") {
                continue;
            }
            let (file, fragment) = found.split_once('#').unwrap_or((&found, ""));
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            let has_heading = || {
                let text = fs::read_to_string(&target).unwrap();
                text.lines().any(|line| line.starts_with('#') && anchor(line) == fragment)
            };
            if !target.exists() || (!fragment.is_empty() && !has_heading()) {
                broken.push(format!("`{found}` in {}", path.strip_prefix(root()).unwrap().display()));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere: {broken:#?}");
}

#[test]
fn every_file_that_a_document_names_exists() {
    let file = Regex::new(r"^[\w.-]+(/[\w.-]+)*/([\w-]+)\.(rs|md|sql|toml|sh|yaml|json|png)$").unwrap();
    let script = Regex::new(r"^(script|\.ci)/\w+$").unwrap();
    let mut missing = Vec::new();
    let mut seen = 0;
    for (path, text) in documents() {
        for code in inline_code(&text) {
            let word = code.split_whitespace().next().unwrap_or_default();
            // `RESOURCE.rs` stands for a name to be chosen
            let stands_for_another = |name: &str| name != "README" && !name.chars().any(|c| c.is_ascii_lowercase());
            let is_file = file.captures(word).is_some_and(|found| !stands_for_another(&found[2]));
            if is_file || script.is_match(word) {
                seen += 1;
                if !root().join(word).exists() {
                    missing.push(format!("`{word}` in {}", path.strip_prefix(root()).unwrap().display()));
                }
            }
        }
    }
    assert!(seen > 50, "the search for names of files is broken");
    assert!(missing.is_empty(), "files that do not exist: {missing:#?}");
}

#[test]
fn every_test_that_the_architecture_names_exists() {
    let mut source = String::new();
    for folder in ["src", "shared", "sites", "worker", "api", "tests"] {
        for file in files_below(&root().join(folder), "rs") {
            source.push_str(&fs::read_to_string(file).unwrap());
        }
    }
    let text = &documents()[&root().join("ARCHITECTURE.md")];
    let is_test =
        |word: &String| word.matches('_').count() > 2 && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let named: Vec<String> = inline_code(text).into_iter().filter(is_test).collect();
    assert!(named.len() > 10, "the search for names of tests is broken");
    let missing: Vec<_> = named.iter().filter(|name| !source.contains(&format!("fn {name}("))).collect();
    assert!(missing.is_empty(), "tests that do not exist: {missing:?}");
}

#[test]
fn every_route_is_documented() {
    let text = read("docs/http-api.md");
    let document = api::document();
    let missing: Vec<_> = document.paths.paths.keys().filter(|path| !text.contains(&format!("{path}`"))).collect();
    assert!(document.paths.paths.len() > 15, "the description of the API is broken");
    assert!(missing.is_empty(), "docs/http-api.md does not name {missing:?}");
}

#[test]
fn every_example_of_a_generation_says_what_it_sends() {
    let text = read("docs/http-api.md").replace("\\\n", " ");
    let examples: Vec<&str> =
        text.lines().filter(|line| line.starts_with("curl") && line.contains("/api/generate\"")).collect();
    assert!(examples.len() > 1, "the search for examples is broken");
    // unlike the other routes, as docsfy does, this one takes JSON only when it is called that
    let silent: Vec<_> = examples.iter().filter(|line| !line.contains("Content-Type: application/json")).collect();
    assert!(silent.is_empty(), "{silent:?}");
}

#[test]
fn the_readme_fits_on_a_screen() {
    let lines = read("README.md").lines().count();
    assert!(lines <= 70, "README.md has {lines} lines, at most 70 are allowed");
}
