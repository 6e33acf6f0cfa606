//! CSS, SCSS and Less.

use super::painter::{Class, Painter, length_while, number_length, quoted_length};

/// Paints a style sheet: selectors outside of braces, properties and values inside.
pub(super) fn paint_css(painter: &mut Painter, code: &str) {
    let mut rest = code;
    let mut in_value = false;
    while let Some(c) = rest.chars().next() {
        let (class, length) = match c {
            '/' if rest.starts_with("/*") => (Class::Comment, rest.find("*/").map_or(rest.len(), |at| at + 2)),
            '/' if rest.starts_with("//") => (Class::Comment, length_while(rest, |c| c != '\n')),
            '"' => (Class::Text, quoted_length(rest, "\"", "\"", true, false)),
            '\'' => (Class::Text, quoted_length(rest, "'", "'", true, false)),
            '@' => (Class::Keyword, 1 + length_while(&rest[1..], is_name)),
            '$' => (Class::Variable, 1 + length_while(&rest[1..], is_name)),
            '#' if in_value => (Class::Number, 1 + length_while(&rest[1..], |c| c.is_ascii_hexdigit())),
            '.' | '#' if !in_value => (Class::Type, 1 + length_while(&rest[1..], is_name)),
            '{' | '}' | ';' => {
                in_value = false;
                (Class::Plain, 1)
            }
            ':' => {
                in_value = !is_selector(rest);
                (Class::Plain, 1)
            }
            '0'..='9' => {
                (Class::Number, number_length(rest) + usize::from(rest[number_length(rest)..].starts_with('%')))
            }
            _ if is_name(c) => name(rest, in_value),
            _ => (Class::Plain, c.len_utf8()),
        };
        painter.paint(class, &rest[..length]);
        rest = &rest[length..];
    }
}

/// A name goes on with this; names longer than the window below are still read once.
fn is_name(c: char) -> bool {
    c == '-' || c == '_' || c.is_alphanumeric()
}

/// Whether the text after a colon runs to a brace before it runs to the end of a declaration.
fn is_selector(rest: &str) -> bool {
    let near = rest.char_indices().take(200).find(|(_, c)| matches!(c, '{' | ';' | '}' | '\n'));
    near.is_some_and(|(_, c)| c == '{')
}

fn name(rest: &str, in_value: bool) -> (Class, usize) {
    let length = length_while(rest, is_name);
    let after = &rest[length..];
    let class = if rest.starts_with("--") {
        Class::Variable
    } else if after.starts_with('(') {
        Class::Function
    } else if in_value {
        Class::Plain
    } else if after.trim_start_matches(' ').starts_with(':') && !is_selector(after) {
        Class::Property
    } else {
        Class::Tag
    };
    (class, length)
}
