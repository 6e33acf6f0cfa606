//! How a citation is written: `[[src/lib.rs:10-24]]` in a text, `src/lib.rs:10-24` behind the language of a code fence. The one
//! parser for everybody. A path that is read here names a place inside of a repository; whether it exists is another question.

mod scan;

pub use self::scan::{FoundCitation, found_citations, is_example};

/// Longest text between the brackets that is read, in bytes.
pub const MAX_CITATION_BYTES: usize = 400;
/// Longest label, in characters, before its first folders are left out.
const MAX_LABEL_CHARS: usize = 36;

/// Files without an ending that are citations nevertheless.
const BARE_FILES: [&str; 12] = [
    "Makefile",
    "Dockerfile",
    "LICENSE",
    "README",
    "Justfile",
    "justfile",
    "Gemfile",
    "Rakefile",
    "Procfile",
    "Jenkinsfile",
    "BUILD",
    "CODEOWNERS",
];

/// A file of the repository and maybe lines of it, as a writer names them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WrittenCitation {
    /// From the root of the repository, or the end of such a path.
    pub path: String,
    /// First and last line, from 1, in this order; the whole file without.
    pub lines: Option<(u32, u32)>,
}

impl WrittenCitation {
    /// Reads what stands between the brackets; nothing when it is no file of a repository (`/etc/passwd`, `../x`, an address).
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (path, lines) = split_lines(text);
        let path = path.strip_prefix("./").unwrap_or(path);
        let unsafe_part = |part: &str| part.is_empty() || part == "." || part == "..";
        let refused = path.is_empty()
            || path.len() > MAX_CITATION_BYTES
            || path.starts_with('-')
            || path.contains("://")
            || path.contains(['\\', '<', '>', '|', '"'])
            || path.chars().any(char::is_control)
            || path.split('/').any(unsafe_part);
        let looks_like_a_file = path.contains(['/', '.']) || lines.is_some() || BARE_FILES.contains(&path);
        (!refused && looks_like_a_file).then(|| Self { path: path.to_owned(), lines })
    }

    /// A file that a code block names.
    pub fn new(path: &str, lines: Option<(u32, u32)>) -> Option<Self> {
        Self::parse(path).map(|citation| Self { lines: lines.or(citation.lines), ..citation })
    }

    /// `src/lib.rs:10-24`
    pub fn label(&self) -> String {
        match self.lines {
            Some((first, last)) if first == last => format!("{}:{first}", self.path),
            Some((first, last)) => format!("{}:{first}-{last}", self.path),
            None => self.path.clone(),
        }
    }

    /// The label with its first folders left out when it is long.
    pub fn short_label(&self) -> String {
        let label = self.label();
        let mut shown = label.as_str();
        while shown.chars().count() > MAX_LABEL_CHARS {
            let Some((_, rest)) = shown.split_once('/') else { break };
            shown = rest;
        }
        if shown.len() == label.len() { label } else { format!("…/{shown}") }
    }
}

/// Splits `path:10-24`, `path#L10-L24` and what people write like them.
fn split_lines(text: &str) -> (&str, Option<(u32, u32)>) {
    let Some(at) = text.rfind([':', '#']) else { return (text, None) };
    let line = |text: &str| text.trim_start_matches(['L', 'l']).parse::<u32>().ok().filter(|line| *line > 0);
    let range = &text[at + 1..];
    let lines = match range.split_once(['-', '–']) {
        Some((first, last)) => line(first).zip(line(last)),
        None => line(range).map(|line| (line, line)),
    };
    match lines {
        Some((first, last)) => (&text[..at], Some((first.min(last), first.max(last)))),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_citation_names_a_file_and_maybe_lines() {
        let lines = |text| WrittenCitation::parse(text).map(|citation| (citation.path, citation.lines));
        assert_eq!(lines("src/lib.rs"), Some(("src/lib.rs".into(), None)));
        assert_eq!(lines("src/__init__.py:7"), Some(("src/__init__.py".into(), Some((7, 7)))));
        assert_eq!(lines("a b.rs:24-10"), Some(("a b.rs".into(), Some((10, 24)))));
        assert_eq!(lines("x.rs#L3-L9"), Some(("x.rs".into(), Some((3, 9)))));
        assert_eq!(lines("Makefile"), Some(("Makefile".into(), None)));
        for no in ["nodiscard", "-f x", "../etc/passwd", "/etc/passwd", "https://e.org/a.js", "a/../b.rs", "", "a<b.rs"]
        {
            assert_eq!(lines(no), None, "{no}");
        }
    }
}
