//! Rule (d), second half: shell commands use what there is. Reason: a command is what readers copy first. Only programs,
//! scripts and targets of this project are judged; what other tools accept is not known here.

use shared::evidence::{Rule, Severity};

use super::{
    names::{Suspects, is_flag_of_example},
    project::{one_spelling, spellings},
    scene::{Findings, Says, Scene, short},
    spans::{Named, classify},
};
use crate::grounding::index::PathMatch;

/// Something in a command that was not found.
struct Missed {
    page: usize,
    section: u32,
    what: &'static str,
    name: String,
    command: String,
    needle: Option<usize>,
}

/// Looks at every command of shell blocks and code spans.
pub(super) fn check(scene: &Scene<'_>, findings: &mut Findings) {
    let mut suspects = Suspects::default();
    let mut missed = Vec::new();
    for (page, document) in scene.documents.iter().enumerate() {
        for fence in document.fences.iter().filter(|fence| fence.is_shell()) {
            for command in fence.commands() {
                read(scene, (page, fence.section), &command, &mut suspects, &mut missed);
            }
        }
        for block in &document.blocks {
            for span in &block.spans {
                if let Named::Command(command) = classify(&span.text) {
                    read(scene, (page, block.section), command, &mut suspects, &mut missed);
                }
            }
        }
    }
    let found = suspects.search(scene.index);
    // what an example of the page declares, its own commands take
    let is_of_reader = |missed: &Missed| {
        missed.name.starts_with("--") && is_flag_of_example(&scene.documents[missed.page], &missed.name)
    };
    for missed in missed.iter().filter(|missed| missed.needle.is_none_or(|needle| !found.contains(&needle))) {
        if is_of_reader(missed) {
            continue;
        }
        let message = format!(
            "{} `{}` of the command `{}` does not exist",
            missed.what,
            short(&missed.name),
            short(&missed.command)
        );
        let fix = "use what the program accepts, or leave the command out".to_owned();
        let says = Says { message, evidence: &missed.name, fix };
        findings.add(scene, (missed.page, Some(missed.section)), Rule::Command, Severity::Error, &says);
    }
}

fn read(scene: &Scene<'_>, place: (usize, u32), line: &str, suspects: &mut Suspects, missed: &mut Vec<Missed>) {
    for simple in line.split(['|', ';', '&']) {
        let words: Vec<&str> = simple.split_whitespace().take(60).collect();
        let words = skip_before_program(&words);
        let Some((program, arguments)) = words.split_first() else { continue };
        let mut miss = |what, name: &str, needle: Option<String>| {
            let needle = needle.map(|needle| suspects.add(needle));
            let (page, section) = place;
            missed.push(Missed { page, section, what, name: name.to_owned(), command: line.to_owned(), needle });
        };
        let own = program.rsplit('/').next().unwrap_or_default();
        if scene.project.programs.contains(own) && !program.starts_with("./") {
            judge_arguments(scene, arguments, &mut miss);
        } else if program.starts_with("./") || program.contains('/') && !program.starts_with(['/', '~', '$', '.']) {
            judge_path(scene, program, "the script", &mut miss);
        } else {
            judge_runner(scene, program, arguments, &mut miss);
        }
    }
}

/// Leaves out `sudo`, `env` and variables that are set.
fn skip_before_program<'w, 't>(words: &'w [&'t str]) -> &'w [&'t str] {
    let is_before = |word: &&str| {
        matches!(*word, "sudo" | "env" | "exec" | "time" | "nohup" | "command" | "$" | "%" | "#")
            || word.split_once('=').is_some_and(|(name, _)| {
                !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            })
    };
    let at = words.iter().position(|word| !is_before(word)).unwrap_or(words.len());
    &words[at..]
}

/// Subcommand and flags of a program of this project.
fn judge_arguments(scene: &Scene<'_>, arguments: &[&str], miss: &mut impl FnMut(&'static str, &str, Option<String>)) {
    let project = &scene.project;
    let subcommand = arguments.first().filter(|word| {
        word.len() > 1
            && word.starts_with(|c: char| c.is_ascii_lowercase())
            && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    });
    if let Some(name) = subcommand
        && !project.commands.is_empty()
        && *name != "help"
        && !project.commands.contains(&one_spelling(name))
        && !is_spelled(scene, name)
    {
        miss("the subcommand", name, Some((*name).to_owned()));
    }
    for word in arguments.iter().take_while(|word| **word != "--") {
        let Named::Flag(flag) = classify(word) else { continue };
        let name = flag.trim_start_matches('-');
        let positive = name.strip_prefix("no-").unwrap_or(name);
        let is_known = project.flags.contains(flag)
            || project.flags.contains(&format!("--{positive}"))
            || matches!(name, "help" | "version")
            || (name.contains('-') || project.flags.is_empty())
                && (is_spelled(scene, name) || is_spelled(scene, positive));
        if !is_known {
            miss("the flag", flag, Some(flag.to_owned()));
        }
    }
}

/// Whether some spelling of the name that has a mark in it stands in the code.
fn is_spelled(scene: &Scene<'_>, name: &str) -> bool {
    spellings(name).iter().any(|other| (other != name || !name.contains('-')) && scene.index.has_word(other))
}

fn judge_path(
    scene: &Scene<'_>,
    program: &str,
    what: &'static str,
    miss: &mut impl FnMut(&'static str, &str, Option<String>),
) {
    let path = program.trim_start_matches("./");
    let first = path.split('/').next().unwrap_or_default();
    let is_own = path.contains('/') && scene.index.has_folder(first)
        || path.rsplit_once('.').is_some_and(|(_, ending)| ending == "sh");
    // a folder is none that somebody runs: a path that was written over two lines
    let is_name =
        !path.ends_with('/') && path.chars().all(|c| c.is_alphanumeric() || "._-/".contains(c)) && !path.contains("..");
    if is_own && is_name && matches!(scene.index.find_path(path), PathMatch::Missing) && !scene.project.is_ignored(path)
    {
        miss(what, program, Some(path.to_owned()));
    }
}

/// `make`, `npm run`, `cargo run --bin`, `python` and shells, where they run something of the repository.
fn judge_runner(
    scene: &Scene<'_>,
    program: &str,
    arguments: &[&str],
    miss: &mut impl FnMut(&'static str, &str, Option<String>),
) {
    let is_plain = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_alphabetic())
            && word.chars().all(|c| c.is_alphanumeric() || "-_:.".contains(c))
            // `make build-...` speaks of several
            && !word.contains("..")
    };
    match (program, arguments) {
        ("make", [target, ..]) if is_plain(target) => {
            let Some(makefile) =
                ["Makefile", "makefile", "GNUmakefile"].into_iter().find(|name| scene.index.file(name).is_some())
            else {
                return;
            };
            let Some(text) = scene.text(makefile) else { return };
            let is_target = |line: &str| {
                line.split(':').next().is_some_and(|names| names.split_whitespace().any(|name| name == *target))
            };
            let is_open = text.text.contains("include ") || text.text.lines().any(|line| line.starts_with('%'));
            if !is_open && !text.text.lines().any(|line| line.contains(':') && is_target(line)) {
                miss("the target", target, None);
            }
        }
        ("npm" | "pnpm" | "yarn" | "bun", ["run", script, ..]) if is_plain(script) => {
            let manifests = scene
                .index
                .files()
                .iter()
                .filter(|file| file.path == "package.json" || file.path.ends_with("/package.json"));
            let texts: Vec<_> = manifests.take(50).filter_map(|file| scene.text(&file.path)).collect();
            let key = format!("\"{script}\"");
            if !texts.is_empty() && !texts.iter().any(|text| text.text.contains(&key)) {
                miss("the script", script, None);
            }
        }
        ("cargo", ["run" | "build" | "test" | "bench", ..]) => {
            for pair in arguments.windows(2).filter(|pair| matches!(pair[0], "--bin" | "--example" | "--bench")) {
                let name = pair[1];
                let stem = format!("{name}.rs");
                let is_there = scene.project.programs.contains(name)
                    || !matches!(scene.index.find_path(&stem), PathMatch::Missing)
                    || scene.project.folders.contains(name);
                if !is_there && !scene.index.files().is_empty() {
                    miss("the program", name, Some(format!("\"{name}\"")));
                }
            }
            if let Some(at) = arguments.iter().position(|word| *word == "--")
                && arguments.first() == Some(&"run")
                && scene.project.programs.len() == 1
            {
                judge_arguments(scene, &arguments[at + 1..], miss);
            }
        }
        ("python" | "python3" | "bash" | "sh" | "node" | "ruby", [file, ..])
            if file.contains('/') && !file.starts_with(['/', '~', '$', '-']) =>
        {
            judge_path(scene, file, "the script", miss);
        }
        _ => {}
    }
}
