//! Words that show that a sentence does not claim that a name exists: it is to be made, was removed, is an example, or belongs
//! to something else.

use crate::grounding::checks::{
    document::{Block, Document},
    fences::Fence,
    scene::Scene,
};

/// Anywhere in the sentence: it says itself that the thing is not there.
const ABSENT: [&str; 25] = [
    "removed",
    "remove ",
    "no longer",
    "used to be",
    "used to ",
    "deprecated",
    "there is no ",
    "there are no ",
    "there's no ",
    "does not exist",
    "do not exist",
    "doesn't exist",
    "not exist",
    "does not have",
    "has no ",
    "have no ",
    "without ",
    "instead of ",
    "unlike ",
    "renamed",
    "not yet",
    "not provided",
    "planned",
    "hypothetical",
    "imagine ",
];

/// Right before the name: it is to be made by the reader, or is an example.
const MADE_UP: [&str; 25] = [
    "your own",
    "your ",
    "you write",
    "for example",
    "for instance",
    "e.g.",
    "such as",
    "example",
    "create ",
    "creating ",
    "new file",
    "new module",
    "save ",
    "saved as",
    "write ",
    "call it ",
    "called ",
    "named ",
    "similar to ",
    "compared ",
    "like ",
    "custom ",
    "suppose",
    "replace ",
    "placeholder",
];

/// Right before a path: a file that the reader is to make.
const TO_MAKE: [&str; 9] =
    ["create ", "creating ", "new file", "new module", "make a ", "save ", "write a ", "your ", "add a "];

/// How far before the name the words of [`MADE_UP`] may stand, in characters.
const NEAR_CHARS: usize = 40;

/// How names of examples begin or end.
const EXAMPLES: [&str; 12] =
    ["my_", "your_", "my-", "your-", "foo", "bar", "example", "sample", "custom", "some_", "xxx", "dummy"];

/// Tools that pages speak of beside a project; a name beside them may be theirs.
const OTHERS: [&str; 64] = [
    "docker",
    "podman",
    "kubernetes",
    "kubectl",
    "helm",
    "git",
    "github",
    "gitlab",
    "npm",
    "pnpm",
    "yarn",
    "cargo",
    "rustup",
    "pip",
    "uv",
    "poetry",
    "pytest",
    "tox",
    "ruff",
    "mypy",
    "eslint",
    "prettier",
    "webpack",
    "vite",
    "nginx",
    "caddy",
    "apache",
    "systemd",
    "systemctl",
    "journalctl",
    "ssh",
    "curl",
    "wget",
    "jq",
    "make",
    "cmake",
    "bazel",
    "gradle",
    "maven",
    "terraform",
    "ansible",
    "postgres",
    "postgresql",
    "psql",
    "mysql",
    "sqlite",
    "redis",
    "kafka",
    "rabbitmq",
    "prometheus",
    "grafana",
    "linux",
    "macos",
    "windows",
    "bash",
    "node",
    "python",
    "java",
    "go",
    "aws",
    "gcp",
    "azure",
    "openssl",
    "browser",
];

/// Whether the sentence around the name does not claim that it exists. Of a name that is of this project for sure only the
/// plain word that it is gone is taken.
pub(super) fn is_no_claim(block: &Block, name: &str, looks_own: bool) -> bool {
    let lower_name = name.to_lowercase();
    let sentence = sentence_around(&block.text, name).to_lowercase();
    if ABSENT.iter().any(|cue| sentence.contains(cue)) {
        return true;
    }
    let before = sentence.find(&lower_name).map_or("", |at| &sentence[..at]);
    let skipped = before.chars().count().saturating_sub(NEAR_CHARS);
    let near: String = before.chars().skip(skipped).collect();
    if looks_own {
        return name.contains('/') && !name.starts_with('/') && TO_MAKE.iter().any(|cue| near.contains(cue));
    }
    let last_part = lower_name.rsplit(['/', '.', ':']).next().unwrap_or_default();
    if EXAMPLES.iter().any(|mark| lower_name.starts_with(mark) || last_part.starts_with(mark)) {
        return true;
    }
    MADE_UP.iter().any(|cue| near.contains(cue))
}

/// Languages of files that other programs read.
const OTHER_FILES: [&str; 9] =
    ["ini", "nginx", "cron", "crontab", "dockerfile", "systemd", "apache", "hcl", "caddyfile"];

/// Whether the block, or the heading above it, names a tool that is none of this project, or the page shows a file of such a
/// tool with the name in it.
pub(super) fn names_another(scene: &Scene<'_>, document: &Document<'_>, block: &Block, name: &str) -> bool {
    let heading = document.sections.get(block.section as usize).map_or("", |section| section.heading.as_str());
    let is_shown = |fence: &Fence| OTHER_FILES.contains(&fence.language.as_str()) && fence.code.contains(name);
    names_tool(scene, &block.text) || names_tool(scene, heading) || document.fences.iter().any(is_shown)
}

/// Whether an example of the page, code that names no source, has the name: tutorials speak of what they make.
pub(super) fn is_of_example(document: &Document<'_>, name: &str) -> bool {
    let word = name.split(['(', '<']).next().unwrap_or_default();
    let word = word.rsplit([':', '.', '/']).next().unwrap_or_default();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let stands_in = |code: &str| {
        code.match_indices(word)
            .any(|(at, _)| !code[..at].ends_with(is_word) && !code[at + word.len()..].starts_with(is_word))
    };
    let examples = document.fences.iter().filter(|fence| fence.source.is_none());
    word.len() > 1 && examples.into_iter().any(|fence| stands_in(&fence.code))
}

fn names_tool(scene: &Scene<'_>, text: &str) -> bool {
    let lower = text.to_lowercase();
    let mut words = lower.split(|c: char| !c.is_alphanumeric());
    words.any(|word| OTHERS.contains(&word) && !scene.project.programs.contains(word))
}

/// The sentence in which the name stands first.
pub(super) fn sentence_around<'t>(text: &'t str, name: &str) -> &'t str {
    let at = text.find(name).unwrap_or_default();
    let is_end = |pair: (usize, &str)| pair.1.chars().next().is_some_and(char::is_whitespace);
    let start = text[..at]
        .rmatch_indices(['.', '!', '?'])
        .find(|(end, _)| is_end((*end, &text[end + 1..])))
        .map_or(0, |(end, _)| end + 1);
    let behind = at + name.len().min(text.len() - at);
    let behind = (behind..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    let end = text[behind..]
        .match_indices(['.', '!', '?'])
        .find(|(end, _)| {
            let rest = &text[behind + end + 1..];
            rest.is_empty() || is_end((*end, rest))
        })
        .map_or(text.len(), |(end, _)| behind + end + 1);
    &text[start..end]
}
