//! The texts of options, each parsed once: what has one of these types is within its limits and safe to show.

use std::{fmt, str::FromStr};

use globset::{Glob, GlobBuilder};
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::names::InvalidName;

/// Most characters of a title.
const MAX_TITLE_CHARS: usize = 200;
/// Most characters of a page's description.
const MAX_DESCRIPTION_CHARS: usize = 1000;
/// Most bytes of instructions.
const MAX_INSTRUCTION_BYTES: usize = 8 << 10;
/// Most characters of a glob and of a subdirectory.
const MAX_PATH_CHARS: usize = 256;
/// Most wildcards of one glob; each more multiplies the ways in which a path can match.
const MAX_WILDCARDS: usize = 16;

/// Declares a newtype over `String` whose only way in is a function that checks and normalises.
macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $parse:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                $parse(text).map(Self).map_err(InvalidName)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    };
}

text_type!(
    /// A title in one line: 1 to 200 characters.
    SiteTitle,
    parse_title
);

text_type!(
    /// What a page is about, in one line: at most 1000 characters.
    PageDescription,
    parse_description
);

text_type!(
    /// A language as BCP 47 writes it, such as `en`, `pt-BR` or `zh-Hant`.
    LanguageTag,
    parse_language
);

text_type!(
    /// What documentation should stress: at most 8 KiB, may be empty. Whoever wrote it is not trusted with more than style.
    Instructions,
    parse_instructions
);

text_type!(
    /// A folder below the root of a repository, without `/` at its ends; empty for the root itself.
    Subdirectory,
    parse_subdirectory
);

text_type!(
    /// A pattern for paths, in the manner of `.gitignore`: without a `/` in front of its end it holds at any depth, else from
    /// the root; what it says of a folder holds for all below; `!` in front of it turns it round.
    PathGlob,
    parse_glob
);

impl PathGlob {
    /// Whether it takes back what an earlier glob of its list said.
    pub fn is_negated(&self) -> bool {
        self.0.starts_with('!')
    }

    /// What a path must match: one of these.
    pub fn patterns(&self) -> Vec<Glob> {
        // they were built once before: parsing checked them
        compile(&self.0).unwrap_or_default()
    }
}

fn parse_title(text: &str) -> Result<String, String> {
    parse_line(text, "title", MAX_TITLE_CHARS)
}

fn parse_description(text: &str) -> Result<String, String> {
    parse_line(text, "description", MAX_DESCRIPTION_CHARS)
}

fn parse_line(text: &str, what: &str, max_chars: usize) -> Result<String, String> {
    let text = text.trim();
    let chars = text.chars().count();
    if chars == 0 || chars > max_chars {
        return Err(format!("a {what} has 1 to {max_chars} characters, not {chars}; shorten it or leave it out"));
    }
    if text.chars().any(|c| c.is_control() || turns_direction(c)) {
        return Err(format!("a {what} must not hold control characters or line breaks; write it in one line"));
    }
    Ok(text.to_owned())
}

/// Characters that make text look different from what it is.
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn parse_language(text: &str) -> Result<String, String> {
    let text = text.trim();
    let mut parts = text.split('-');
    let first = parts.next().unwrap_or_default();
    let is_language = (2..=8).contains(&first.len()) && first.bytes().all(|byte| byte.is_ascii_alphabetic());
    let fits = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !is_language || text.len() > 35 || !parts.clone().all(fits) || text.ends_with("-x") {
        return Err("a language is a BCP 47 tag of at most 35 characters, such as `en`, `de` or `pt-BR`".to_owned());
    }
    let mut tag = first.to_ascii_lowercase();
    for part in parts {
        tag.push('-');
        match part.len() {
            2 => tag.push_str(&part.to_ascii_uppercase()),
            4 if part.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
                tag.push_str(&part[..1].to_ascii_uppercase());
                tag.push_str(&part[1..].to_ascii_lowercase());
            }
            _ => tag.push_str(&part.to_ascii_lowercase()),
        }
    }
    Ok(tag)
}

fn parse_instructions(text: &str) -> Result<String, String> {
    let text = text.replace("\r\n", "\n");
    let text = text.trim();
    if text.len() > MAX_INSTRUCTION_BYTES {
        let bytes = text.len();
        return Err(format!("instructions have at most {MAX_INSTRUCTION_BYTES} bytes, not {bytes}; shorten them"));
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        return Err("instructions must not hold control characters other than tabs and line breaks".to_owned());
    }
    Ok(text.to_owned())
}

fn parse_subdirectory(text: &str) -> Result<String, String> {
    let refused = |why: &str| {
        Err(format!(
            "a subdirectory {why}; write a folder's path from the root of the repository, such as `packages/a`"
        ))
    };
    let mut path = text.trim();
    if path.chars().count() > MAX_PATH_CHARS {
        return refused("has at most 256 characters");
    }
    if path.chars().any(char::is_control) {
        return refused("must not hold control characters");
    }
    if path.starts_with('/') || path.contains('\\') {
        return refused("is a relative path with `/` between its parts");
    }
    while let Some(rest) = path.strip_prefix("./") {
        path = rest;
    }
    let path = path.trim_end_matches('/');
    if matches!(path, "" | ".") {
        return Ok(String::new());
    }
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return refused("must not hold `..`, `.` or empty parts");
    }
    Ok(path.to_owned())
}

fn parse_glob(text: &str) -> Result<String, String> {
    let chars = text.chars().count();
    if chars == 0 || chars > MAX_PATH_CHARS {
        return Err(format!("a glob has 1 to {MAX_PATH_CHARS} characters, not {chars}"));
    }
    if text.chars().any(char::is_control) {
        return Err("a glob must not hold control characters".to_owned());
    }
    if text.trim_start_matches('!').split('/').any(|part| matches!(part, "." | "..")) {
        return Err(
            "a glob must not hold `.` or `..` as a part of its path; it begins at the repository's root".to_owned()
        );
    }
    let wildcards = text.bytes().filter(|byte| matches!(byte, b'*' | b'?' | b'[' | b'{')).count();
    if wildcards > MAX_WILDCARDS {
        return Err(format!(
            "a glob has at most {MAX_WILDCARDS} of `*`, `?`, `[` and `{{`, not {wildcards}; simplify it"
        ));
    }
    compile(text)?;
    Ok(text.to_owned())
}

fn compile(text: &str) -> Result<Vec<Glob>, String> {
    let pattern = text.strip_prefix('!').unwrap_or(text);
    let path = pattern.trim_end_matches('/');
    let only_folders = path.len() < pattern.len();
    let from_root = path.contains('/');
    let path = path.trim_start_matches('/');
    if path.is_empty() {
        return Err("a glob must name something; to leave out everything write `**`".to_owned());
    }
    let whole = if from_root { path.to_owned() } else { format!("**/{path}") };
    let below = format!("{whole}/**");
    let wanted = if only_folders { vec![below] } else { vec![whole, below] };
    let build = |glob: String| {
        let built = GlobBuilder::new(&glob).literal_separator(true).backslash_escape(true).build();
        built.map_err(|error| format!("the glob cannot be read: {}", error.kind()))
    };
    wanted.into_iter().map(build).collect()
}
