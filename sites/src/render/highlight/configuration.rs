//! Configuration and data: JSON, YAML, TOML and INI, where keys matter most.

use super::painter::{Class, Painter, length_while, number_length, quoted_length};

/// Paints JSON, also with comments.
pub(super) fn paint_json(painter: &mut Painter, code: &str) {
    let mut rest = code;
    while let Some(c) = rest.chars().next() {
        let (class, length) = match c {
            '"' => {
                let length = quoted_length(rest, "\"", "\"", true, false);
                let is_key = rest[length..].trim_start_matches([' ', '\t']).starts_with(':');
                (if is_key { Class::Property } else { Class::Text }, length)
            }
            '/' if rest.starts_with("//") => (Class::Comment, length_while(rest, |c| c != '\n')),
            '/' if rest.starts_with("/*") => (Class::Comment, rest.find("*/").map_or(rest.len(), |at| at + 2)),
            '0'..='9' => (Class::Number, number_length(rest)),
            _ if c.is_ascii_alphabetic() => scalar(rest, length_while(rest, |c| c.is_ascii_alphanumeric())),
            _ => (Class::Plain, c.len_utf8()),
        };
        painter.paint(class, &rest[..length]);
        rest = &rest[length..];
    }
}

/// Paints TOML, INI, `.env` and properties.
pub(super) fn paint_toml(painter: &mut Painter, code: &str) {
    let mut rest = code;
    while !rest.is_empty() {
        let indent = length_while(rest, char::is_whitespace);
        painter.plain(&rest[..indent]);
        rest = &rest[indent..];
        let line = length_while(rest, |c| c != '\n');
        let text = &rest[..line];
        if text.starts_with(['#', ';']) {
            painter.paint(Class::Comment, text);
            rest = &rest[line..];
        } else if text.starts_with('[') && text.contains(']') {
            let head = text.rfind(']').map_or(line, |at| at + 1);
            painter.paint(Class::Heading, &text[..head]);
            rest = paint_value(painter, &rest[head..]);
        } else if let Some(equals) = text.find('=') {
            painter.paint(Class::Property, &text[..equals]);
            rest = paint_value(painter, &rest[equals..]);
        } else {
            rest = paint_value(painter, rest);
        }
    }
}

/// Paints a value up to the end of its line, texts over several lines included; returns what follows.
fn paint_value<'a>(painter: &mut Painter, text: &'a str) -> &'a str {
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (class, length) = match c {
            '\n' => return rest,
            '"' | '\'' => {
                let long = ["\"\"\"", "'''"].into_iter().find(|mark| rest.starts_with(mark));
                let mark = long.unwrap_or(&rest[..1]);
                (Class::Text, quoted_length(rest, mark, mark, c == '"', long.is_some()))
            }
            '#' => (Class::Comment, length_while(rest, |c| c != '\n')),
            '0'..='9' => (Class::Number, length_while(rest, |c| c.is_ascii_alphanumeric() || ".:-+_".contains(c))),
            _ if c.is_alphabetic() => {
                let length = length_while(rest, |c| c.is_alphanumeric() || c == '_' || c == '-');
                if rest[length..].trim_start_matches(' ').starts_with('=') {
                    (Class::Property, length)
                } else {
                    scalar(rest, length)
                }
            }
            _ => (Class::Plain, c.len_utf8()),
        };
        painter.paint(class, &rest[..length]);
        rest = &rest[length..];
    }
    rest
}

/// Paints YAML line by line; lines of a block text are those deeper than the line that began it.
pub(super) fn paint_yaml(painter: &mut Painter, code: &str) {
    let mut block: Option<usize> = None;
    for line in code.split_inclusive('\n') {
        let indent = length_while(line, |c| c == ' ');
        let blank = line.trim().is_empty();
        if block.is_some_and(|depth| blank || indent > depth) {
            painter.paint(Class::Text, line);
            continue;
        }
        block = paint_yaml_line(painter, line).then_some(indent);
    }
}

/// Paints one line; says whether a block text begins with the next.
fn paint_yaml_line(painter: &mut Painter, line: &str) -> bool {
    let mut rest = line;
    loop {
        let space = length_while(rest, char::is_whitespace);
        painter.plain(&rest[..space]);
        rest = &rest[space..];
        if !(rest.starts_with("- ") || rest == "-\n" || rest == "-") {
            break;
        }
        painter.plain(&rest[..1]);
        rest = &rest[1..];
    }
    if rest.starts_with('#') {
        painter.paint(Class::Comment, rest);
        return false;
    }
    if rest.trim_end() == "---" || rest.trim_end() == "..." {
        painter.paint(Class::Meta, rest);
        return false;
    }
    let key = yaml_key_length(rest);
    painter.paint(Class::Property, &rest[..key]);
    rest = &rest[key..];
    let begins_block = rest.trim_start_matches([':', ' ']).starts_with(['|', '>']);
    paint_yaml_value(painter, rest);
    begins_block
}

/// Length of a key: what stands before `:` and a space or the end of the line.
fn yaml_key_length(line: &str) -> usize {
    let start = match line.chars().next() {
        Some('"') => quoted_length(line, "\"", "\"", true, false),
        Some('\'') => quoted_length(line, "'", "'", false, false),
        Some('{' | '[' | '|' | '>') | None => return 0,
        Some(_) => 0,
    };
    let mut from = start;
    while let Some(at) = line[from..].find([':', '#']).map(|at| from + at) {
        let after = &line[at + 1..];
        if line[at..].starts_with(':') && (after.is_empty() || after.starts_with([' ', '\n', '\r'])) {
            return at;
        }
        if line[at..].starts_with('#') && line[..at].ends_with(' ') {
            return 0;
        }
        from = at + 1;
    }
    0
}

fn paint_yaml_value(painter: &mut Painter, text: &str) {
    let mut rest = text;
    let mut after_space = true;
    while let Some(c) = rest.chars().next() {
        let (class, length) = match c {
            '"' => (Class::Text, quoted_length(rest, "\"", "\"", true, false)),
            '\'' if after_space => (Class::Text, quoted_length(rest, "'", "'", false, false)),
            '#' if after_space => (Class::Comment, length_while(rest, |c| c != '\n')),
            '&' | '*' | '!' if after_space => (Class::Meta, length_while(rest, |c| !c.is_whitespace())),
            '0'..='9' if after_space => {
                let length = length_while(rest, |c| !c.is_whitespace() && !",]}".contains(c));
                let is_number = rest[..length].bytes().all(|byte| byte.is_ascii_digit() || b".-:_".contains(&byte));
                (if is_number { Class::Number } else { Class::Plain }, length)
            }
            _ if c.is_alphabetic() => {
                let length = length_while(rest, |c| c.is_alphanumeric() || c == '_' || c == '-');
                if rest[length..].starts_with(": ") { (Class::Property, length) } else { scalar(rest, length) }
            }
            _ => (Class::Plain, c.len_utf8()),
        };
        after_space = matches!(c, ' ' | '\t' | '[' | '{' | ',' | ':');
        painter.paint(class, &rest[..length]);
        rest = &rest[length..];
    }
}

/// A bare word of `length` bytes: a constant or plain.
fn scalar(rest: &str, length: usize) -> (Class, usize) {
    let constant = matches!(
        &rest[..length],
        "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "True" | "False" | "nan" | "inf"
    );
    (if constant { Class::Constant } else { Class::Plain }, length)
}
