//! The `.md` copy of a page: its Markdown with citations as ordinary links.

use comrak::nodes::LineColumn;
use shared::source::SourceLinks;

use super::citations::Citation;

/// Where the citations of a page stand in its Markdown.
#[derive(Default)]
pub(crate) struct CitationPlaces(Vec<(LineColumn, Citation)>);

impl CitationPlaces {
    pub(crate) fn add(&mut self, start: LineColumn, citation: &Citation) {
        self.0.push((start, citation.clone()));
    }

    /// Replaces each citation where it stands. The parser's columns may be off inside of tables, so the place is the
    /// first `[[…]]` with this content at or after the column, else the first of the line that is not yet replaced.
    pub(crate) fn convert(&self, markdown: &str, source: Option<&SourceLinks>) -> String {
        let mut places: Vec<&(LineColumn, Citation)> = self.0.iter().collect();
        places.sort_by_key(|(start, _)| (start.line, start.column));
        let mut places = places.into_iter().peekable();
        let mut out = String::with_capacity(markdown.len() + self.0.len() * 80);
        for (index, line) in markdown.split_inclusive('\n').enumerate() {
            let mut written = 0;
            while let Some((start, citation)) = places.next_if(|(start, _)| start.line <= index + 1) {
                let column = start.column.saturating_sub(1);
                let Some((from, to)) =
                    find(line, column.max(written), citation).or_else(|| find(line, written, citation))
                else {
                    continue;
                };
                out.push_str(&line[written..from]);
                out.push_str(&citation.to_markdown(source));
                written = to;
            }
            out.push_str(&line[written..]);
        }
        out
    }
}

/// Longest citation, in bytes, that is looked for.
const MAX_CITATION_BYTES: usize = 480;

/// The bytes of the first `[[…]]` at or after `from` that says what the citation says.
fn find(line: &str, from: usize, citation: &Citation) -> Option<(usize, usize)> {
    let mut at = from;
    loop {
        let start = at + line.get(at..)?.find("[[")?;
        let near = &line.as_bytes()[start + 2..line.len().min(start + 2 + MAX_CITATION_BYTES)];
        if let Some(length) = near.windows(2).position(|pair| pair == b"]]") {
            let inner = line[start + 2..start + 2 + length].split('|').next().unwrap_or_default();
            if Citation::parse(inner).as_ref() == Some(citation) {
                return Some((start, start + 2 + length + 2));
            }
        }
        at = start + 1;
    }
}
