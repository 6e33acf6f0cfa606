//! HTML and XML, Markdown, and diffs.

use super::{
    lexer,
    painter::{Class, Painter, first_length, length_while, quoted_length},
    stylesheet, tables,
};

/// Paints HTML or XML; scripts and styles inside are painted as what they are.
pub(super) fn paint_html(painter: &mut Painter, code: &str) {
    let mut rest = code;
    while !rest.is_empty() {
        let text = length_while(rest, |c| c != '<' && c != '&');
        painter.plain(&rest[..text]);
        rest = &rest[text..];
        if rest.starts_with("<!--") {
            let length = rest.find("-->").map_or(rest.len(), |at| at + 3);
            painter.paint(Class::Comment, &rest[..length]);
            rest = &rest[length..];
        } else if rest.starts_with('&') {
            let name = 1 + length_while(&rest[1..], |c| c.is_ascii_alphanumeric() || c == '#');
            let length = name + usize::from(rest[name..].starts_with(';'));
            painter.paint(if length > name { Class::Constant } else { Class::Plain }, &rest[..length]);
            rest = &rest[length..];
        } else if rest.starts_with('<') {
            rest = paint_element(painter, rest);
        }
    }
}

/// Paints a tag, and what it holds when that is a script or a style; returns what follows.
fn paint_element<'a>(painter: &mut Painter, text: &'a str) -> &'a str {
    let sign = length_while(text, |c| matches!(c, '<' | '/' | '!' | '?'));
    let name = length_while(&text[sign..], |c| c.is_alphanumeric() || matches!(c, '-' | ':' | '_' | '.'));
    if name == 0 {
        painter.plain(&text[..sign]);
        return &text[sign..];
    }
    painter.paint(Class::Tag, &text[..sign + name]);
    let rest = paint_attributes(painter, &text[sign + name..]);
    let (close, is_script) = match &text[..sign + name] {
        "<script" => ("</script", true),
        "<style" => ("</style", false),
        _ => return rest,
    };
    let inside = rest.find(close).unwrap_or(rest.len());
    if is_script {
        lexer::paint(painter, &tables::JAVASCRIPT, &rest[..inside]);
    } else {
        stylesheet::paint_css(painter, &rest[..inside]);
    }
    &rest[inside..]
}

/// Paints attributes up to and with the `>`.
fn paint_attributes<'a>(painter: &mut Painter, text: &'a str) -> &'a str {
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (class, length) = match c {
            '<' => return rest,
            '>' => {
                painter.paint(Class::Tag, &rest[..1]);
                return &rest[1..];
            }
            '/' | '?' => (Class::Tag, 1),
            '"' => (Class::Text, quoted_length(rest, "\"", "\"", false, true)),
            '\'' => (Class::Text, quoted_length(rest, "'", "'", false, true)),
            '=' => (Class::Plain, 1),
            _ if c.is_whitespace() => (Class::Plain, c.len_utf8()),
            _ => (Class::Attribute, length_while(rest, |c| !c.is_whitespace() && !"=<>/?\"'".contains(c))),
        };
        painter.paint(class, &rest[..length]);
        rest = &rest[length..];
    }
    rest
}

/// Paints Markdown by line: headings, fences, quotes, bullets; code and strong text inside.
pub(super) fn paint_markdown(painter: &mut Painter, code: &str) {
    let mut fence: Option<&str> = None;
    for line in code.split_inclusive('\n') {
        let trimmed = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|mark| trimmed.starts_with(mark));
        if let Some(mark) = mark.filter(|mark| fence.is_none_or(|open| open == *mark)) {
            painter.paint(Class::Meta, line);
            fence = if fence.is_some() { None } else { Some(mark) };
        } else if fence.is_some() {
            painter.paint(Class::Text, line);
        } else if trimmed.starts_with('#') {
            painter.paint(Class::Heading, line);
        } else if trimmed.starts_with('>') {
            painter.paint(Class::Comment, line);
        } else {
            paint_markdown_text(painter, line);
        }
    }
}

fn paint_markdown_text(painter: &mut Painter, line: &str) {
    let mut rest = line;
    let indent = length_while(rest, char::is_whitespace);
    painter.plain(&rest[..indent]);
    rest = &rest[indent..];
    if ["- ", "* ", "+ "].iter().any(|mark| rest.starts_with(mark)) {
        painter.paint(Class::Keyword, &rest[..1]);
        rest = &rest[1..];
    }
    while let Some(c) = rest.chars().next() {
        let (class, length) = match c {
            '`' => (Class::Text, quoted_length(rest, "`", "`", false, false)),
            '*' if rest.starts_with("**") => (Class::Type, quoted_length(rest, "**", "**", false, false)),
            '\\' => (Class::Plain, 1 + first_length(&rest[1..])),
            '(' if rest.starts_with("(http") => (Class::Property, length_while(rest, |c| c != ')' && c != '\n')),
            _ => (Class::Plain, c.len_utf8()),
        };
        painter.paint(class, &rest[..length]);
        rest = &rest[length..];
    }
}

/// Paints a unified diff.
pub(super) fn paint_diff(painter: &mut Painter, code: &str) {
    for line in code.split_inclusive('\n') {
        let class = match line {
            _ if line.starts_with("@@") => Class::Heading,
            _ if ["+++", "---", "diff ", "index ", "new file", "deleted", "rename", "similarity"]
                .iter()
                .any(|head| line.starts_with(head)) =>
            {
                Class::Meta
            }
            _ if line.starts_with('+') => Class::Inserted,
            _ if line.starts_with('-') => Class::Deleted,
            _ => Class::Plain,
        };
        painter.paint(class, line);
    }
}
