//! Shell scripts, terminal sessions, Dockerfiles and Makefiles: languages whose lines are commands.

use super::painter::{Class, Painter, first_length, is_word, length_while, quoted_length};

const KEYWORDS: &[&str] = &[
    "if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac", "in", "function",
    "select", "time", "return", "exit", "export", "local", "readonly", "declare", "set", "unset", "source", "alias",
];

/// Paints a script.
pub(super) fn paint_script(painter: &mut Painter, code: &str) {
    let mut command = true;
    let mut rest = code;
    while let Some(c) = rest.chars().next() {
        command |= c == '\n';
        let (class, length) = token(rest, c, &mut command, ends_with_space(code, rest));
        painter.paint(class, &rest[..length]);
        rest = &rest[length..];
    }
}

/// Paints a terminal session: lines after a prompt are commands, the others what they printed.
pub(super) fn paint_session(painter: &mut Painter, code: &str) {
    let has_prompts = code.lines().any(|line| prompt_length(line) > 0);
    let mut continued = false;
    for line in code.split_inclusive('\n') {
        let prompt = prompt_length(line);
        painter.paint(Class::Prompt, &line[..prompt]);
        if prompt > 0 || continued || !has_prompts {
            paint_script(painter, &line[prompt..]);
            continued = line.trim_end().ends_with('\\');
        } else {
            painter.plain(line);
        }
    }
}

/// Paints a Dockerfile: an instruction, then a command.
pub(super) fn paint_dockerfile(painter: &mut Painter, code: &str) {
    let mut continued = false;
    for line in code.split_inclusive('\n') {
        let trimmed = line.trim_start();
        let indent = line.len() - trimmed.len();
        if trimmed.starts_with('#') {
            painter.paint(Class::Comment, line);
            continue;
        }
        let word = length_while(trimmed, |c| c.is_ascii_alphabetic());
        if !continued && word > 0 {
            painter.plain(&line[..indent]);
            painter.paint(Class::Keyword, &trimmed[..word]);
            paint_arguments(painter, &trimmed[word..]);
        } else {
            paint_arguments(painter, line);
        }
        continued = line.trim_end().ends_with('\\');
    }
}

/// Paints a Makefile: targets, assignments, and recipes that begin with a tab.
pub(super) fn paint_makefile(painter: &mut Painter, code: &str) {
    for line in code.split_inclusive('\n') {
        if line.starts_with('\t') {
            paint_script(painter, line);
            continue;
        }
        let comment = line.find('#').unwrap_or(line.len());
        let (text, remark) = line.split_at(comment);
        match text.find([':', '=']) {
            Some(at) => {
                let assigns = text[at..].starts_with('=') || text[at..].starts_with(":=");
                paint_arguments_as(painter, &text[..at], if assigns { Class::Property } else { Class::Function });
                paint_arguments(painter, &text[at..]);
            }
            None => paint_arguments(painter, text),
        }
        painter.paint(Class::Comment, remark);
    }
}

/// Length of `$ `, `# `, `% `, `> `, `>>> ` or `PS …> ` at the beginning of a line.
fn prompt_length(line: &str) -> usize {
    let line = line.trim_end_matches('\n');
    if let Some(prompt) = ["$ ", "# ", "% ", ">>> ", "... ", "> "].iter().find(|prompt| line.starts_with(**prompt)) {
        return prompt.len();
    }
    if line.starts_with("PS ") {
        return line.find("> ").map_or(0, |at| at + 2);
    }
    usize::from(line == "$")
}

fn ends_with_space(code: &str, rest: &str) -> bool {
    let before = &code.as_bytes()[..code.len() - rest.len()];
    before.last().is_none_or(|byte| byte.is_ascii_whitespace() || matches!(byte, b';' | b'(' | b'|' | b'&'))
}

/// The token that begins here; `command` says whether a command's name is expected and is kept up to date.
fn token(rest: &str, c: char, command: &mut bool, after_space: bool) -> (Class, usize) {
    match c {
        '#' if after_space => (Class::Comment, length_while(rest, |c| c != '\n')),
        '"' | '\'' => {
            *command = false;
            let mark = &rest[..1];
            (Class::Text, quoted_length(rest, mark, mark, c == '"', true))
        }
        '$' => {
            let length = variable_length(rest);
            if rest.starts_with("$(") {
                *command = true;
            }
            (if length > 1 { Class::Variable } else { Class::Plain }, length)
        }
        '|' | ';' | '&' | '(' | '`' | '{' => {
            *command = true;
            (Class::Plain, 1)
        }
        '\\' => (Class::Plain, 1 + first_length(&rest[1..])),
        '-' if after_space => {
            let length = length_while(rest, |c| is_word(c) || c == '-');
            (Class::Attribute, length)
        }
        _ if c.is_whitespace() => (Class::Plain, c.len_utf8()),
        _ if is_argument(c) => word(rest, command),
        _ => (Class::Plain, c.len_utf8()),
    }
}

fn is_argument(c: char) -> bool {
    !c.is_whitespace()
        && !matches!(c, '"' | '\'' | '$' | '|' | ';' | '&' | '(' | ')' | '`' | '\\' | '<' | '>' | '{' | '}')
}

fn word(rest: &str, command: &mut bool) -> (Class, usize) {
    let length = length_while(rest, |c| is_argument(c) && c != '=').max(first_length(rest));
    let word = &rest[..length];
    if *command && rest[length..].starts_with('=') {
        return (Class::Variable, length);
    }
    if KEYWORDS.contains(&word) && *command {
        *command = !matches!(word, "for" | "in" | "case" | "function" | "select" | "return" | "exit" | "export");
        return (Class::Keyword, length);
    }
    let class = match word {
        _ if *command => Class::Function,
        "in" | "do" | "then" => Class::Keyword,
        _ if word.bytes().all(|byte| byte.is_ascii_digit()) => Class::Number,
        _ => Class::Plain,
    };
    *command = false;
    (class, length)
}

/// Length of `$NAME`, `${…}`, `$1`, `$(` at the beginning; 1 for a lone dollar.
fn variable_length(rest: &str) -> usize {
    let after = &rest[1..];
    if after.starts_with('{') {
        let line = length_while(after, |c| c != '\n' && c != '}');
        return 1 + line + usize::from(after[line..].starts_with('}'));
    }
    let name = length_while(after, is_word);
    if name > 0 {
        return 1 + name;
    }
    if after.starts_with(['?', '@', '*', '#', '$', '!', '(']) { 2 } else { 1 }
}

fn paint_arguments(painter: &mut Painter, text: &str) {
    paint_arguments_as(painter, text, Class::Plain);
}

/// Arguments without a command: texts, variables, flags; everything else in `class`.
fn paint_arguments_as(painter: &mut Painter, text: &str, class: Class) {
    let mut rest = text;
    let mut command = false;
    while let Some(c) = rest.chars().next() {
        let (found, length) = match c {
            '$' if rest.starts_with("$(") => (Class::Variable, length_while(rest, |c| c != ')' && c != '\n').max(2)),
            '$' | '"' | '\'' | '-' => token(rest, c, &mut command, ends_with_space(text, rest)),
            _ if c.is_whitespace() => (Class::Plain, c.len_utf8()),
            _ => (class, c.len_utf8()),
        };
        painter.paint(found, &rest[..length]);
        rest = &rest[length..];
    }
}
