//! Words that show that a sentence does not claim that a name exists: it is to be made, was removed, is an example, or belongs
//! to something else.

use std::collections::BTreeSet;

use crate::grounding::checks::{
    document::{Block, BlockKind, Document, Heading},
    fences::Fence,
    project::one_spelling,
    scene::Scene,
};

/// Anywhere in the sentence: it says itself that the thing is not there.
const ABSENT: [&str; 39] = [
    "removed",
    "remove ",
    "no longer",
    "used to be",
    "used to ",
    "deprecated",
    "obsolete",
    "superseded",
    "formerly ",
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
    "nicht mehr",
    "entfernt",
    "veraltet",
    "ya no ",
    "obsoleto",
    "supprimé",
    "obsolète",
    "n'existe ",
    "不再",
    "已移除",
    "已删除",
];

/// Right before the name: it is to be made by the reader, or is an example.
const MADE_UP: [&str; 37] = [
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
    "zum beispiel",
    "z. b. ",
    "par exemple",
    "por ejemplo",
    "por exemplo",
    "例如",
    "比如",
    "例えば",
    "创建",
    "新建",
    "你的",
    "您的",
];

/// Words that stand for whatever a reader has, even beside names of the project.
const PLACEHOLDERS: [&str; 7] =
    ["function_name", "method_name", "class_name", "module_name", "func_name", "command_name", "variable_name"];

/// Right before a path: a file that the reader is to make.
const TO_MAKE: [&str; 9] =
    ["create ", "creating ", "new file", "new module", "make a ", "save ", "write a ", "your ", "add a "];

/// The word right before a name that the sentence says is not meant: "the helper is `cn`, not `lib/utils.ts`".
const NEGATIONS: [&str; 9] = ["not", "never", "no", "nor", "nicht", "kein", "keine", "pas", "non"];

/// Anywhere in the sentence: the reader chooses the name.
const FREE: [&str; 4] = ["whatever you", "anything you", "of your choice", "any name"];

/// How the column of a table, or a part of a page, is headed that shows what somebody could write.
const EXAMPLE_COLUMNS: [&str; 8] = ["example", "sample", "e.g.", "beispiel", "ejemplo", "exemple", "exemplo", "示例"];

/// How far before the name the words of [`MADE_UP`] may stand, in characters.
const NEAR_CHARS: usize = 40;

/// How names of examples begin or end.
const EXAMPLES: [&str; 12] =
    ["my_", "your_", "my-", "your-", "foo", "bar", "example", "sample", "custom", "some_", "xxx", "dummy"];

/// Tools that pages speak of beside a project; a name beside them may be theirs.
const OTHERS: [&str; 82] = [
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
    "composer",
    "bundler",
    "rake",
    "nuget",
    "dotnet",
    "brew",
    "homebrew",
    "powershell",
    "zsh",
    "tmux",
    "vim",
    "emacs",
    "vscode",
    "xcode",
    "intellij",
    "roslyn",
    "claude",
    "copilot",
];

/// Whether the sentence around the name does not claim that it exists. Of a name that is of this project for sure only the
/// plain word that it is gone is taken.
pub(super) fn is_no_claim(block: &Block, name: &str, looks_own: bool) -> bool {
    let lower_name = name.to_lowercase();
    let sentence = sentence_around(&block.text, name).to_lowercase();
    if ABSENT.iter().any(|cue| sentence.contains(cue)) {
        return true;
    }
    let last_part = lower_name.trim_end_matches("()").rsplit(['/', '.', ':']).next().unwrap_or_default();
    if is_placeholder(name, last_part) {
        return true;
    }
    let before = sentence.find(&lower_name).map_or("", |at| &sentence[..at]);
    let word = before.trim_end_matches(|c: char| !c.is_alphanumeric()).rsplit(|c: char| !c.is_alphanumeric()).next();
    // "No `statusCode` or `isSuccess` fields"
    if word.is_some_and(|word| NEGATIONS.contains(&word)) || sentence.trim_start().starts_with("no ") {
        return true;
    }
    let skipped = before.chars().count().saturating_sub(NEAR_CHARS);
    let near: String = before.chars().skip(skipped).collect();
    if looks_own {
        return name.contains('/') && !name.starts_with('/') && TO_MAKE.iter().any(|cue| near.contains(cue));
    }
    let is_example = |mark: &&str| lower_name.starts_with(*mark) || last_part.starts_with(*mark);
    if EXAMPLES.iter().any(is_example) || lower_name.split('.').any(|part| part == "example") {
        return true;
    }
    if stands_in_example_column(block, name) || FREE.iter().any(|cue| sentence.contains(cue)) {
        return true;
    }
    MADE_UP.iter().any(|cue| near.contains(cue))
}

/// Whether it stands for whatever a reader has: `function_name`, `MethodName_Should_Do`, `createXConfig`.
fn is_placeholder(name: &str, last_part: &str) -> bool {
    let squeezed = |text: &str| text.replace('_', "").to_lowercase();
    let is_one = |text: &str| PLACEHOLDERS.iter().any(|known| squeezed(known) == squeezed(text));
    // the first word of `MethodName_Should_Do`, but not the `method` of `method_name`
    let first = name.split('_').next().filter(|first| first.len() < name.len());
    if is_one(last_part) || first.is_some_and(is_one) {
        return true;
    }
    let chars: Vec<char> = name.chars().collect();
    let is_x = |at: usize| {
        let before = at.checked_sub(1).and_then(|at| chars.get(at));
        chars[at] == 'X'
            && before.is_none_or(|before| !before.is_ascii_uppercase())
            && chars.get(at + 1).is_some_and(char::is_ascii_uppercase)
            && chars.get(at + 2).is_some_and(char::is_ascii_lowercase)
    };
    name.contains("Xxx") || (0..chars.len()).any(is_x)
}

/// Whether the name stands only in columns that show examples.
fn stands_in_example_column(block: &Block, name: &str) -> bool {
    let mut spans = block.spans.iter().filter(|span| span.text == name).peekable();
    let is_of_examples = |cell: usize| {
        block.header.get(cell).is_some_and(|header| EXAMPLE_COLUMNS.iter().any(|word| header.contains(word)))
    };
    spans.peek().is_some() && spans.all(|span| is_of_examples(span.cell))
}

/// Languages of files that other programs read.
const OTHER_FILES: [&str; 9] =
    ["ini", "nginx", "cron", "crontab", "dockerfile", "systemd", "apache", "hcl", "caddyfile"];

/// Whether the block, or the heading above it, names a tool that is none of this project or a package that it links to, or the
/// page shows a file of such a tool with the name in it.
pub(super) fn names_another(scene: &Scene<'_>, document: &Document<'_>, block: &Block, name: &str) -> bool {
    let heading = document.sections.get(block.section as usize).map_or("", |section| section.heading.as_str());
    let is_shown = |fence: &Fence| OTHER_FILES.contains(&fence.language.as_str()) && fence.code.contains(name);
    let is_package = |label: &String| {
        let is_last = |package: &String| package.rsplit('/').next() == Some(one_spelling(label).as_str());
        block.text.contains(label.as_str()) && scene.project.dependencies.iter().any(is_last)
    };
    names_tool(scene, &block.text)
        || names_tool(scene, heading)
        || document.fences.iter().any(is_shown)
        || document.external.iter().any(is_package)
}

/// Whether an example of the page, code that names no source, has the name, or what it belongs to as a name of its own:
/// tutorials speak of what they make. A flag is there by its word, as programs declare it.
pub(super) fn is_of_example(scene: &Scene<'_>, document: &Document<'_>, name: &str) -> bool {
    let word = name.split(['(', '<', '=']).next().unwrap_or_default();
    if word.starts_with("--") {
        let is_used = |fence: &Fence| fence.source.is_none() && stands_in(&fence.code, word);
        return is_flag_of_example(document, word) || document.fences.iter().any(is_used);
    }
    let (owner, last) = word.rsplit_once([':', '.', '/']).unwrap_or(("", word));
    let owner = owner.trim_end_matches(':').rsplit([':', '.', '/']).next().unwrap_or_default();
    let owner = Some(owner).filter(|owner| owner.len() > 1 && scene.index.definitions(owner).is_empty());
    let is_there =
        |code: &str| last.len() > 1 && stands_in(code, last) || owner.is_some_and(|owner| is_made_in(code, owner));
    document.fences.iter().filter(|fence| fence.source.is_none()).any(|fence| is_there(&fence.code))
}

/// Whether an example of the page declares the flag: `flags.String("file", …)`, `[arg('file', long)]`.
pub(in crate::grounding::checks) fn is_flag_of_example(document: &Document<'_>, flag: &str) -> bool {
    let word = flag.trim_start_matches('-');
    let forms = [format!("\"{word}\""), format!("'{word}'")];
    let examples = document.fences.iter().filter(|fence| fence.source.is_none() && !fence.is_shell());
    examples.into_iter().any(|fence| forms.iter().any(|form| fence.code.contains(form.as_str())))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether the word stands in the code, and not as a part of a longer one.
fn stands_in(code: &str, word: &str) -> bool {
    code.match_indices(word)
        .any(|(at, _)| !code[..at].ends_with(is_word) && !code[at + word.len()..].starts_with(is_word))
}

/// Whether the code gives the name a value: `out = …`, `let out = …`, `out := …`.
fn is_made_in(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let behind = code[at + name.len()..].trim_start();
        let is_given = behind.starts_with(":=") || behind.starts_with('=') && !behind.starts_with("==");
        is_given && !code[..at].ends_with(|c: char| is_word(c) || c == '.')
    })
}

/// Whether a variable is put together of what stands in backticks beside it: prefix `WEB` and option `reload` are `WEB_RELOAD`.
pub(super) fn is_composed(block: &Block, name: &str) -> bool {
    let is_variable = name.contains('_') && !name.contains(|c: char| c.is_ascii_lowercase());
    let others: Vec<String> = block
        .spans
        .iter()
        .filter(|span| span.text != name)
        .map(|span| span.text.trim_start_matches('-').replace('-', "_").to_uppercase())
        .collect();
    let mut rest = name;
    let mut count = 0;
    while let Some(next) =
        others.iter().filter_map(|other| rest.strip_prefix(other.trim_end_matches('_'))).min_by_key(|rest| rest.len())
        && next.len() < rest.len()
        && (next.is_empty() || next.starts_with('_'))
    {
        rest = next.trim_start_matches('_');
        count += 1;
    }
    is_variable && rest.is_empty() && count >= 2
}

/// Titles of pages that tell what was when.
const HISTORIES: [&str; 9] = [
    "changelog",
    "change log",
    "changes",
    "release notes",
    "releases",
    "release history",
    "history",
    "version history",
    "what's new",
];

/// Words of titles and headings below which stands what is to be made.
const PLANS: [&str; 8] = [
    "roadmap",
    "proposal",
    "future work",
    "future improvements",
    "future enhancements",
    "planned features",
    "planned improvements",
    "open questions",
];

/// The sections that do not speak of what is there: those of a list of changes, those headed by a version, and plans.
pub(super) fn sections_of_other_times(document: &Document<'_>) -> BTreeSet<u32> {
    let is_history = |heading: &Heading| HISTORIES.contains(&heading.text.trim().to_lowercase().as_str());
    let is_plan = |heading: &Heading| {
        let text = heading.text.to_lowercase();
        PLANS.iter().any(|word| text.contains(word))
    };
    let is_other = |heading: &Heading| is_history(heading) || is_plan(heading);
    let is_all = document.headings.first().is_some_and(is_other);
    let mut of_other_times = BTreeSet::new();
    let mut is_past = false;
    for (place, _) in (0_u32..).zip(&document.sections) {
        let mut headings = document.headings.iter().filter(|heading| heading.section == place && heading.level <= 2);
        is_past = headings.next().map_or(is_past, |heading| is_other(heading) || is_version(&heading.text));
        if is_all || is_past {
            of_other_times.insert(place);
        }
    }
    of_other_times
}

/// Whether the heading above the block, of whatever level, says that examples follow.
pub(super) fn stands_among_examples(document: &Document<'_>, block: &Block) -> bool {
    let above = document.blocks.iter().take_while(|other| !std::ptr::eq(*other, block));
    let heading = above.filter(|other| other.kind == BlockKind::Heading).last();
    heading.is_some_and(|heading| EXAMPLE_COLUMNS.iter().any(|word| heading.text.to_lowercase().contains(word)))
}

/// `0.6.0 (25. November, 2022)`, `v1.2`, `[1.2.3] - 2024-05-06`, `Version 8.1.0`.
fn is_version(heading: &str) -> bool {
    let lower = heading.trim().to_lowercase();
    let text = ["version ", "release "].iter().find_map(|word| lower.strip_prefix(word)).unwrap_or(&lower);
    let first = text.trim_start_matches('[').split([' ', ']', ',']).next().unwrap_or_default();
    let first = first.strip_prefix('v').unwrap_or(first);
    let parts: Vec<&str> = first.split('.').collect();
    let is_number = |part: &&str| part.starts_with(|c: char| c.is_ascii_digit());
    parts.len() >= 2 && parts.iter().take(2).all(is_number)
}

fn names_tool(scene: &Scene<'_>, text: &str) -> bool {
    let lower = text.to_lowercase();
    let mut words = lower.split(|c: char| !c.is_alphanumeric());
    words.any(|word| OTHERS.contains(&word) && !scene.project.programs.contains(word))
}

/// Ends of sentences.
const ENDS: [char; 6] = ['.', '!', '?', '。', '！', '？'];

/// The sentence in which the name stands first.
pub(super) fn sentence_around<'t>(text: &'t str, name: &str) -> &'t str {
    let at = text.find(name).unwrap_or_default();
    let is_end = |(mark, rest): (&str, &str)| {
        matches!(mark, "。" | "！" | "？") || rest.chars().next().is_some_and(char::is_whitespace)
    };
    let start = text[..at]
        .rmatch_indices(ENDS)
        .find(|(end, mark)| is_end((mark, &text[end + mark.len()..])))
        .map_or(0, |(end, mark)| end + mark.len());
    let behind = at + name.len().min(text.len() - at);
    let behind = (behind..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    let end = text[behind..]
        .match_indices(ENDS)
        .find(|(end, mark)| {
            let rest = &text[behind + end + mark.len()..];
            rest.is_empty() || is_end((mark, rest))
        })
        .map_or(text.len(), |(end, mark)| behind + end + mark.len());
    &text[start..end]
}
