//! The table-driven lexer: one pass over the code with what a [`Grammar`] says about the language.

use super::painter::{Class, Painter, first_length, is_word, length_while, number_length, quoted_length, starts_word};

/// What the lexer needs to know of a language.
pub(super) struct Grammar {
    pub(super) keywords: &'static [&'static str],
    pub(super) types: &'static [&'static str],
    pub(super) constants: &'static [&'static str],
    pub(super) line_comments: &'static [&'static str],
    pub(super) block_comment: Option<(&'static str, &'static str)>,
    /// In order: a longer opening stands before a shorter one.
    pub(super) strings: &'static [Quote],
    /// Letters that may stand directly before a quote, as in `b"…"`.
    pub(super) string_prefixes: &'static str,
    pub(super) features: &'static [Feature],
}

/// A grammar with nothing in it, to begin others with.
pub(super) const NOTHING: Grammar = Grammar {
    keywords: &[],
    types: &[],
    constants: &[],
    line_comments: &[],
    block_comment: None,
    strings: &[],
    string_prefixes: "",
    features: &[],
};

/// One kind of quoted text.
pub(super) struct Quote {
    pub(super) open: &'static str,
    pub(super) close: &'static str,
    pub(super) escapes: bool,
    pub(super) lines: bool,
}

/// What only some languages have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Feature {
    /// Words with a capital are types, words of capitals only are constants.
    CapitalTypes,
    /// A word before `(` is a function.
    Calls,
    /// Keywords in any case.
    AnyCase,
    /// `$name` is a variable.
    DollarVariables,
    /// `@name` is a decorator or annotation.
    AtDecorators,
    /// `@name` is a variable, `:name` a symbol.
    Ruby,
    /// `'a` is a lifetime, `name!` a macro, `#[…]` an attribute, `r#"…"#` a text.
    Rust,
    /// `#name` at the beginning of a line is a directive.
    Preprocessor,
    /// Words may hold `$`.
    DollarWords,
}

/// Paints code of a language that a table describes.
pub(super) fn paint(painter: &mut Painter, grammar: &Grammar, code: &str) {
    let mut rest = code;
    let mut line_start = true;
    while let Some(c) = rest.chars().next() {
        let (class, length) = token(grammar, rest, c, line_start);
        line_start = if c == '\n' { true } else { line_start && c.is_whitespace() };
        painter.paint(class, &rest[..length]);
        rest = &rest[length..];
    }
}

impl Grammar {
    fn has(&self, feature: Feature) -> bool {
        self.features.contains(&feature)
    }
}

/// The class and length, at least one character, of the token that begins here.
fn token(grammar: &Grammar, rest: &str, c: char, line_start: bool) -> (Class, usize) {
    if c.is_whitespace() {
        return (Class::Plain, c.len_utf8());
    }
    if grammar.line_comments.iter().any(|mark| rest.starts_with(mark)) {
        return (Class::Comment, length_while(rest, |c| c != '\n'));
    }
    if let Some((open, close)) = grammar.block_comment.filter(|(open, _)| rest.starts_with(open)) {
        return (Class::Comment, rest[open.len()..].find(close).map_or(rest.len(), |at| open.len() + at + close.len()));
    }
    if let Some(found) = special(grammar, rest, c, line_start) {
        return found;
    }
    if let Some(length) = quoted(grammar, rest) {
        return (Class::Text, length);
    }
    if c.is_ascii_digit() {
        return (Class::Number, number_length(rest));
    }
    if starts_word(c) || (c == '$' && grammar.has(Feature::DollarWords)) {
        return word(grammar, rest);
    }
    (Class::Plain, c.len_utf8())
}

fn quoted(grammar: &Grammar, rest: &str) -> Option<usize> {
    let quote = grammar.strings.iter().find(|quote| rest.starts_with(quote.open))?;
    Some(quoted_length(rest, quote.open, quote.close, quote.escapes, quote.lines))
}

/// Tokens that only some languages have.
fn special(grammar: &Grammar, rest: &str, c: char, line_start: bool) -> Option<(Class, usize)> {
    let name_after = |skip: usize| length_while(&rest[skip..], |c| is_word(c) || c == '.');
    match c {
        '$' if grammar.has(Feature::DollarVariables) => Some((Class::Variable, 1 + length_while(&rest[1..], is_word))),
        '@' if grammar.has(Feature::AtDecorators) && name_after(1) > 0 => Some((Class::Meta, 1 + name_after(1))),
        '@' if grammar.has(Feature::Ruby) => {
            let signs = length_while(rest, |c| c == '@');
            Some((Class::Variable, signs + length_while(&rest[signs..], is_word)))
        }
        ':' if grammar.has(Feature::Ruby) && rest[1..].starts_with(starts_word) => {
            Some((Class::Constant, 1 + length_while(&rest[1..], is_word)))
        }
        '#' if line_start && grammar.has(Feature::Preprocessor) => {
            let space = length_while(&rest[1..], |c| c == ' ');
            Some((Class::Meta, 1 + space + length_while(&rest[1 + space..], is_word)))
        }
        '#' | '\'' | 'r' | 'b' if grammar.has(Feature::Rust) => rust(rest),
        _ => None,
    }
}

/// Attributes, lifetimes, characters and raw texts of Rust.
fn rust(rest: &str) -> Option<(Class, usize)> {
    if rest.starts_with("#[") || rest.starts_with("#![") {
        // an attribute ends at its bracket or at the end of its line, so that broken code stays cheap and readable
        let line = length_while(rest, |c| c != '\n');
        let mut depth = 0_usize;
        for (at, byte) in rest[..line].bytes().enumerate() {
            match byte {
                b'[' => depth += 1,
                b']' if depth == 1 => return Some((Class::Meta, at + 1)),
                b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        return Some((Class::Meta, line));
    }
    if let Some(after) = rest.strip_prefix('\'') {
        let first = first_length(after);
        if after.starts_with('\\') || after[first..].starts_with('\'') {
            return Some((Class::Text, quoted_length(rest, "'", "'", true, false)));
        }
        return Some((Class::Variable, 1 + length_while(after, is_word)));
    }
    let prefix = if rest.starts_with("br") { 2 } else { 1 };
    if !rest[prefix - 1..].starts_with('r') {
        return None;
    }
    let hashes = length_while(&rest[prefix..], |c| c == '#');
    if !rest[prefix + hashes..].starts_with('"') {
        return None;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    let body = prefix + hashes + 1;
    Some((Class::Text, rest[body..].find(&close).map_or(rest.len(), |at| body + at + close.len())))
}

fn word(grammar: &Grammar, rest: &str) -> (Class, usize) {
    let dollars = grammar.has(Feature::DollarWords);
    let length = length_while(rest, |c| is_word(c) || (dollars && c == '$'));
    let (word, after) = rest.split_at(length);
    let is_prefix = word.len() <= 2 && word.chars().all(|c| grammar.string_prefixes.contains(c));
    if let Some(quote) = quoted(grammar, after).filter(|_| is_prefix) {
        return (Class::Text, length + quote);
    }
    (class_of(grammar, word, after), length)
}

fn class_of(grammar: &Grammar, word: &str, after: &str) -> Class {
    let lowered;
    let wanted = if grammar.has(Feature::AnyCase) {
        lowered = word.to_ascii_lowercase();
        &lowered
    } else {
        word
    };
    if grammar.keywords.contains(&wanted) {
        return Class::Keyword;
    }
    if grammar.constants.contains(&wanted) {
        return Class::Constant;
    }
    if grammar.types.contains(&wanted) {
        return Class::Type;
    }
    if grammar.has(Feature::Rust) && after.starts_with('!') && !after.starts_with("!=") {
        return Class::Meta;
    }
    if grammar.has(Feature::CapitalTypes) && word.starts_with(char::is_uppercase) {
        let shouted = word.len() > 1 && !word.contains(char::is_lowercase);
        return if shouted { Class::Constant } else { Class::Type };
    }
    if grammar.has(Feature::Calls) && after.starts_with('(') {
        return Class::Function;
    }
    Class::Plain
}
