//! The `.md` copy of a page: its Markdown with citations as ordinary links.

use comrak::nodes::LineColumn;
use shared::citation::WrittenCitation;

/// What stands between the brackets: a place as it is read, else the letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Written {
    Parsed(WrittenCitation),
    Raw(String),
    /// The letters behind the backticks of a code block.
    Fence(String),
}

impl Written {
    pub(crate) fn read(raw: &str) -> Self {
        WrittenCitation::parse(raw).map_or_else(|| Self::Raw(raw.trim().to_owned()), Self::Parsed)
    }
}

/// Where the citations of a page stand in its Markdown, what is written there, and what the copy says instead.
#[derive(Default)]
pub(crate) struct CitationPlaces(Vec<(LineColumn, Written, String)>);

impl CitationPlaces {
    pub(crate) fn add(&mut self, start: LineColumn, written: Written, replacement: String) {
        self.0.push((start, written, replacement));
    }

    /// Replaces each citation where it stands, and puts each of `notes` behind its line. The parser's columns may be off
    /// inside of tables, so the place is the first `[[…]]` with this content at or after the column, else the first of
    /// the line that is not yet replaced.
    pub(crate) fn convert(&self, markdown: &str, notes: &[(usize, String)]) -> String {
        let mut places: Vec<&(LineColumn, Written, String)> = self.0.iter().collect();
        places.sort_by_key(|(start, ..)| (start.line, start.column));
        let mut places = places.into_iter().peekable();
        let mut notes = notes.iter().peekable();
        let mut out = String::with_capacity(markdown.len() + self.0.len() * 80);
        while let Some((_, note)) = notes.next_if(|(line, _)| *line == 0) {
            out.extend([note, "\n\n"]);
        }
        for (index, line) in markdown.split_inclusive('\n').enumerate() {
            let mut written = 0;
            while let Some((start, citation, replacement)) = places.next_if(|(start, ..)| start.line <= index + 1) {
                let column = start.column.saturating_sub(1);
                let Some((from, to)) =
                    find(line, column.max(written), citation).or_else(|| find(line, written, citation))
                else {
                    continue;
                };
                out.push_str(&line[written..from]);
                out.push_str(replacement);
                written = to;
            }
            out.push_str(&line[written..]);
            while let Some((_, note)) = notes.next_if(|(line, _)| *line <= index + 1) {
                let end = if out.ends_with('\n') { "" } else { "\n" };
                out.extend([end, "\n", note, "\n\n"]);
            }
        }
        out
    }
}

/// Longest citation, in bytes, that is looked for.
const MAX_CITATION_BYTES: usize = 480;

/// The bytes of the first `[[…]]` at or after `from` that says what the citation says.
fn find(line: &str, from: usize, citation: &Written) -> Option<(usize, usize)> {
    if let Written::Fence(letters) = citation {
        let start = from + line.get(from..)?.find(letters)?;
        return Some((start, start + letters.len()));
    }
    let mut at = from;
    loop {
        let start = at + line.get(at..)?.find("[[")?;
        let near = &line.as_bytes()[start + 2..line.len().min(start + 2 + MAX_CITATION_BYTES)];
        if let Some(length) = near.windows(2).position(|pair| pair == b"]]") {
            let inner = line[start + 2..start + 2 + length].split('|').next().unwrap_or_default();
            if Written::read(inner) == *citation {
                return Some((start, start + 2 + length + 2));
            }
        }
        at = start + 1;
    }
}
