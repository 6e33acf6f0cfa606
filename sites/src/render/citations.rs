//! Source citations: `[[src/lib.rs:10-24]]` in a page's text becomes a small link to those lines at the commit.

use std::fmt::Write as _;

use shared::source::{LineStyle, SourceLinks};

use super::escape::{encode_path, push_escaped};

/// A file of the repository and maybe lines of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Citation {
    path: String,
    lines: Option<(u32, u32)>,
}

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

impl Citation {
    /// Reads what stands between the brackets; nothing when it is no file of a repository.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (path, lines) = split_lines(text);
        let unsafe_part = |part: &str| part.is_empty() || part == "." || part == "..";
        let refused = path.is_empty()
            || path.len() > 400
            || path.starts_with('-')
            || path.contains("://")
            || path.contains(['\\', '<', '>', '|', '"'])
            || path.chars().any(char::is_control)
            || path.split('/').any(unsafe_part);
        let looks_like_a_file = path.contains(['/', '.']) || lines.is_some() || BARE_FILES.contains(&path);
        (!refused && looks_like_a_file).then(|| Self { path: path.to_owned(), lines })
    }

    /// A file that a code block names.
    pub(crate) fn new(path: &str, lines: Option<(u32, u32)>) -> Option<Self> {
        Self::parse(path).map(|citation| Self { lines: lines.or(citation.lines), ..citation })
    }

    /// Whether it says which lines, as something quoted from the repository does.
    pub(crate) fn has_lines(&self) -> bool {
        self.lines.is_some()
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// `src/lib.rs:10-24`
    pub(crate) fn label(&self) -> String {
        match self.lines {
            Some((first, last)) if first == last => format!("{}:{first}", self.path),
            Some((first, last)) => format!("{}:{first}-{last}", self.path),
            None => self.path.clone(),
        }
    }

    /// The label with its first folders left out when it is long.
    fn short_label(&self) -> String {
        let label = self.label();
        let mut shown = label.as_str();
        while shown.chars().count() > MAX_LABEL_CHARS {
            let Some((_, rest)) = shown.split_once('/') else { break };
            shown = rest;
        }
        if shown.len() == label.len() { label } else { format!("…/{shown}") }
    }

    /// The address of the file, and of the lines, on the repository's host.
    pub(crate) fn url(&self, source: &SourceLinks) -> String {
        let fragment = match (self.lines, source.style) {
            (None, _) => String::new(),
            (Some((first, last)), LineStyle::HashLDashL | LineStyle::HashLDash) if first == last => {
                format!("#L{first}")
            }
            (Some((first, last)), LineStyle::HashLDashL) => format!("#L{first}-L{last}"),
            (Some((first, last)), LineStyle::HashLDash) => format!("#L{first}-{last}"),
            (Some((first, last)), LineStyle::Bitbucket) if first == last => format!("#lines-{first}"),
            (Some((first, last)), LineStyle::Bitbucket) => format!("#lines-{first}:{last}"),
        };
        format!("{}{}{fragment}", source.blob_base, encode_path(&self.path))
    }

    fn to_html(&self, source: Option<&SourceLinks>) -> String {
        let mut out = String::new();
        let (label, short) = (self.label(), self.short_label());
        match source {
            Some(source) => {
                out.push_str("<a class=\"cite\" href=\"");
                push_escaped(&mut out, &self.url(source));
                out.push('"');
            }
            None => out.push_str("<code class=\"cite\""),
        }
        if label != short {
            out.push_str(" title=\"");
            push_escaped(&mut out, &label);
            out.push('"');
        }
        out.push('>');
        push_escaped(&mut out, &short);
        out.push_str(if source.is_some() { "</a>" } else { "</code>" });
        out
    }

    /// The citation in a `.md` copy.
    pub(crate) fn to_markdown(&self, source: Option<&SourceLinks>) -> String {
        match source {
            Some(source) => {
                let label =
                    self.label().replace('[', "\\[").replace(']', "\\]").replace('_', "\\_").replace('*', "\\*");
                let url = self.url(source).replace('(', "%28").replace(')', "%29");
                format!("[{label}]({url})")
            }
            None => format!("`{}`", self.label().replace('`', "'")),
        }
    }
}

/// Citations that stand side by side, as one group.
pub(crate) fn group_html(citations: &[Citation], source: Option<&SourceLinks>) -> String {
    let mut out = String::from("<span class=\"cites\">");
    for (at, citation) in citations.iter().enumerate() {
        let space = if at > 0 { " " } else { "" };
        write!(out, "{space}{}", citation.to_html(source)).expect("writing to a String cannot fail");
    }
    out + "</span>"
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

    fn github(style: LineStyle) -> SourceLinks {
        SourceLinks { blob_base: "https://h/o/r/blob/abc/".into(), repository: "https://h/o/r".into(), style }
    }

    #[test]
    fn a_citation_names_a_file_and_maybe_lines() {
        let lines = |text| Citation::parse(text).map(|citation| (citation.path, citation.lines));
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

    #[test]
    fn each_host_writes_lines_its_own_way() {
        let citation = Citation::parse("src/a b.rs:10-24").unwrap();
        let url = |style| citation.url(&github(style));
        assert_eq!(url(LineStyle::HashLDashL), "https://h/o/r/blob/abc/src/a%20b.rs#L10-L24");
        assert_eq!(url(LineStyle::HashLDash), "https://h/o/r/blob/abc/src/a%20b.rs#L10-24");
        assert_eq!(url(LineStyle::Bitbucket), "https://h/o/r/blob/abc/src/a%20b.rs#lines-10:24");
    }

    #[test]
    fn a_long_path_loses_its_first_folders_only_on_the_label() {
        let citation = Citation::parse("crates/very/deeply/nested/module/with/names/file.rs:1").unwrap();
        let html = citation.to_html(Some(&github(LineStyle::HashLDashL)));
        assert!(html.contains(">…/nested/module/with/names/file.rs:1<"), "{html}");
        assert!(html.contains("title=\"crates/very/deeply/nested/module/with/names/file.rs:1\""), "{html}");
    }
}
