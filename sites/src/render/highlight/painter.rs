//! The classes of coloured code and the writer that lexers paint with.

use super::super::escape::push_escaped;

/// What a piece of code is; the theme gives each class its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Plain,
    Keyword,
    Type,
    Text,
    Comment,
    Number,
    Function,
    Meta,
    Variable,
    Property,
    Constant,
    Tag,
    Attribute,
    Inserted,
    Deleted,
    Heading,
    Prompt,
}

impl Class {
    /// The class in HTML; short, because it is written once per token.
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Keyword => "k",
            Self::Type => "t",
            Self::Text => "s",
            Self::Comment => "c",
            Self::Number => "n",
            Self::Function => "f",
            Self::Meta => "m",
            Self::Variable => "v",
            Self::Property => "p",
            Self::Constant => "b",
            Self::Tag => "g",
            Self::Attribute => "a",
            Self::Inserted => "i",
            Self::Deleted => "d",
            Self::Heading => "h",
            Self::Prompt => "r",
        }
    }
}

/// Writes coloured code: everything painted in order is the whole output.
pub(super) struct Painter {
    html: String,
    open: Class,
}

impl Painter {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { html: String::with_capacity(bytes), open: Class::Plain }
    }

    /// Appends a piece of the code; neighbours of the same class share one span.
    pub(super) fn paint(&mut self, class: Class, text: &str) {
        if text.is_empty() {
            return;
        }
        if class != self.open {
            self.close();
            if class != Class::Plain {
                self.html.push_str("<span class=\"");
                self.html.push_str(class.name());
                self.html.push_str("\">");
            }
            self.open = class;
        }
        push_escaped(&mut self.html, text);
    }

    pub(super) fn plain(&mut self, text: &str) {
        self.paint(Class::Plain, text);
    }

    fn close(&mut self) {
        if self.open != Class::Plain {
            self.html.push_str("</span>");
            self.open = Class::Plain;
        }
    }

    pub(super) fn finish(mut self) -> String {
        self.close();
        self.html
    }
}

/// Length in bytes of the beginning of `text` whose characters all fit.
pub(super) fn length_while(text: &str, fits: impl Fn(char) -> bool) -> usize {
    text.find(|c: char| !fits(c)).unwrap_or(text.len())
}

/// Length in bytes of the first character; 0 for an empty text.
pub(super) fn first_length(text: &str) -> usize {
    text.chars().next().map_or(0, char::len_utf8)
}

/// Length of a quoted text that begins with `open` and ends with `close`; `\` may escape, `lines` may cross lines.
/// Without an end it is everything up to the end of the line, or of the code when it may cross lines.
pub(super) fn quoted_length(text: &str, open: &str, close: &str, escapes: bool, lines: bool) -> usize {
    let bytes = text.as_bytes();
    let close = close.as_bytes();
    let mut at = open.len();
    while at < bytes.len() {
        if bytes[at..].starts_with(close) {
            return at + close.len();
        }
        match bytes[at] {
            b'\\' if escapes => at += 1 + first_length(&text[at + 1..]),
            b'\n' if !lines => return at,
            _ => at += 1,
        }
    }
    text.len()
}

/// A word of a programming language begins with this.
pub(super) fn starts_word(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}

/// A word of a programming language goes on with this.
pub(super) fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// Length of a number that begins here: digits, base prefixes, separators, fractions, exponents and suffixes.
pub(super) fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let fits = match bytes[at] {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'_' => true,
            b'.' => bytes.get(at + 1).is_some_and(u8::is_ascii_digit),
            b'+' | b'-' => {
                matches!(bytes[at - 1], b'e' | b'E')
                    && !text.starts_with("0x")
                    && bytes.get(at + 1).is_some_and(u8::is_ascii_digit)
            }
            _ => false,
        };
        if !fits {
            break;
        }
        at += 1;
    }
    at
}
