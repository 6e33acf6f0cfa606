//! Environment variables and options that scripts and programs in the languages without a reader of their own read, and what
//! `other_routes` finds, line by line.

use std::sync::LazyLock;

use regex::Regex;

use super::{Language, other_routes::routes, syntax::Source};
use crate::writers::builtin::symbols::Fact;

/// Lines that are longer are data.
const MAX_LINE_BYTES: usize = 2_000;

static ENVIRONMENT: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r#"(?x)
        (?: ENV(?:\.fetch)?\s*[\[(] | getenv\s*\( | GetEnvironmentVariable\s*\( | \$_ENV\s*\[ | \$_SERVER\s*\[ | env\s*\(
          | processInfo\.environment\s*\[ )
        \s*["']([A-Z][A-Z0-9_]+)["']"#;
    Regex::new(pattern).expect("the pattern is a constant")
});
static SHELL_VARIABLE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\$\{([A-Z][A-Z0-9_]+)(?::?[-=?+]([^}]*))?\}|\$([A-Z][A-Z0-9_]+)").expect("the pattern is a constant")
});
static SHELL_ASSIGNMENT: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"(?:^|[\s;])(?:export\s+|local\s+|readonly\s+|declare\s+(?:-\w+\s+)*)?([A-Z][A-Z0-9_]*)=|\bfor\s+([A-Z][A-Z0-9_]*)\s+in|\bread\s+(?:-\w+\s+)*([A-Z][A-Z0-9_]*)";
    Regex::new(pattern).expect("the pattern is a constant")
});
static SHELL_OPTION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\s*\(?((?:--?[A-Za-z][A-Za-z0-9-]*(?:=\*)?\s*\|?\s*)+)\)").expect("the pattern is a constant")
});

/// What shells set themselves.
const SHELL_OWN: [&str; 22] = [
    "HOME",
    "PATH",
    "PWD",
    "OLDPWD",
    "USER",
    "SHELL",
    "IFS",
    "PS1",
    "PS2",
    "LINENO",
    "SECONDS",
    "RANDOM",
    "BASHPID",
    "BASH",
    "FUNCNAME",
    "OPTARG",
    "OPTIND",
    "REPLY",
    "UID",
    "EUID",
    "HOSTNAME",
    "PIPESTATUS",
];

/// Everything found in the file.
pub(super) fn facts(language: Language, source: &Source<'_>) -> Vec<Fact> {
    let lines = || source.text.lines().zip(1_u32..).filter(|(line, _)| line.len() <= MAX_LINE_BYTES);
    if language == Language::Shell {
        return shell(lines);
    }
    let mut facts = routes(language, source.text);
    for (text, line) in lines() {
        for found in ENVIRONMENT.captures_iter(text) {
            facts.push(Fact::Environment { name: found[1].to_owned(), default: String::new(), line });
        }
    }
    facts
}

fn shell<'a, I: Iterator<Item = (&'a str, u32)>>(lines: impl Fn() -> I) -> Vec<Fact> {
    let code = || lines().filter(|(text, _)| !text.trim_start().starts_with('#'));
    let mut own: Vec<&str> = SHELL_OWN.to_vec();
    for (text, _) in code() {
        for found in SHELL_ASSIGNMENT.captures_iter(text) {
            own.extend((1..=3).find_map(|group| found.get(group)).map(|name| name.as_str()));
        }
    }
    own.sort_unstable();
    own.dedup();
    let mut facts = Vec::new();
    for (text, line) in code() {
        for found in SHELL_VARIABLE.captures_iter(text) {
            let Some(name) = found.get(1).or_else(|| found.get(3)) else { continue };
            let default = found.get(2).map(|default| default.as_str());
            // `X="${X:-y}"` reads it although the script sets it
            if (default.is_some() && !SHELL_OWN.contains(&name.as_str())) || own.binary_search(&name.as_str()).is_err()
            {
                let default = default.unwrap_or_default().to_owned();
                facts.push(Fact::Environment { name: name.as_str().to_owned(), default, line });
            }
        }
        if let Some(found) = SHELL_OPTION.captures(text) {
            let names: Vec<&str> = found[1]
                .split('|')
                .map(|name| name.trim().trim_end_matches("=*"))
                .filter(|name| name.len() > 1)
                .collect();
            let none = String::new;
            facts.push(Fact::Flag { command: none(), names: names.join(", "), help: none(), default: none(), line });
        }
    }
    facts
}
