//! What is known about the words of a site when it is rendered: the findings of the validating stage, and the lines that
//! citations show, kept in the site so that readers need no repository.

use std::collections::{BTreeMap, HashMap};

use shared::{
    citation::WrittenCitation,
    evidence::{Citation, CitationState, Counts, Evidence, PageEvidence, SectionEvidence},
};

use super::escape::is_turn;

/// Most lines of a file that one citation shows; the rest is behind the link to the repository's host.
pub const MAX_EXCERPT_LINES: u32 = 60;
/// Most lines that a citation of a whole file shows.
pub const MAX_WHOLE_FILE_LINES: u32 = 20;
/// Longest line, in characters, that is shown whole.
pub const MAX_LINE_CHARS: usize = 300;
/// Most text, in bytes, that a site keeps for its citations.
pub const MAX_SITE_BYTES: usize = 6 * 1024 * 1024;

/// What a site shows of what was found out about it.
#[derive(Debug, Clone, Default)]
pub struct SiteEvidence {
    /// Sections, citations, findings and figures.
    pub found: Evidence,
    /// The lines that citations show.
    pub excerpts: Excerpts,
}

/// A file of the repository and maybe lines of it, at the commit.
pub type Place = (String, Option<(u32, u32)>);

/// The lines that citations lead to.
#[derive(Debug, Clone, Default)]
pub struct Excerpts(BTreeMap<Place, Excerpt>);

/// Lines of a file, cut to what a page shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// The number of its first line.
    pub first: u32,
    /// The lines, with `\n` between them.
    pub text: String,
    /// How many cited lines are left out at the end.
    pub left_out: u32,
}

impl Excerpts {
    /// Takes the lines of every citation that resolves. `read` gives the text of a file, once for each file, in order of
    /// path; nothing for what is no text. When the site's limit is reached, the citations of later paths show no lines.
    pub fn collect(pages: &[PageEvidence], mut read: impl FnMut(&str) -> Option<String>) -> Self {
        let mut wanted: BTreeMap<&str, Vec<Option<(u32, u32)>>> = BTreeMap::new();
        let sections = pages.iter().flat_map(|page| &page.sections);
        for citation in sections.flat_map(|section| &section.citations).filter(|citation| resolves(citation)) {
            wanted.entry(&citation.path).or_default().push(citation.lines);
        }
        let mut kept = BTreeMap::new();
        let mut bytes_left = MAX_SITE_BYTES;
        for (path, mut ranges) in wanted {
            let Some(text) = read(path) else { continue };
            let file: Vec<&str> = text.lines().collect();
            ranges.sort_unstable();
            ranges.dedup();
            for lines in ranges {
                let Some(excerpt) = Excerpt::cut(&file, lines) else { continue };
                let Some(left) = bytes_left.checked_sub(excerpt.text.len()) else { return Self(kept) };
                bytes_left = left;
                kept.insert((path.to_owned(), lines), excerpt);
            }
        }
        Self(kept)
    }

    pub(crate) fn get(&self, place: &Place) -> Option<&Excerpt> {
        self.0.get(place)
    }
}

impl Excerpt {
    /// Cuts lines out of the lines of a file; nothing when it has none of them.
    fn cut(file: &[&str], lines: Option<(u32, u32)>) -> Option<Self> {
        let (first, last) = lines.unwrap_or((1, u32::MAX));
        let most = if lines.is_some() { MAX_EXCERPT_LINES } else { MAX_WHOLE_FILE_LINES };
        let start = usize::try_from(first.checked_sub(1)?).ok()?;
        let end = usize::try_from(last).unwrap_or(usize::MAX).min(file.len());
        let cited = file.get(start..end).filter(|cited| !cited.is_empty())?;
        let shown = &cited[..cited.len().min(usize::try_from(most).unwrap_or(usize::MAX))];
        let mut text = String::with_capacity(shown.iter().map(|line| line.len() + 1).sum());
        for (at, line) in shown.iter().enumerate() {
            if at > 0 {
                text.push('\n');
            }
            push_line(&mut text, line);
        }
        let left_out = u32::try_from(cited.len() - shown.len()).unwrap_or(u32::MAX);
        Some(Self { first, text, left_out })
    }
}

/// A line without what only machines see: control characters, and those that turn the direction of what follows.
fn push_line(out: &mut String, line: &str) {
    let unseen = |c: char| (c.is_control() && c != '\t') || is_turn(c);
    out.extend(line.chars().take(MAX_LINE_CHARS).map(|c| if unseen(c) { '\u{FFFD}' } else { c }));
    if line.chars().nth(MAX_LINE_CHARS).is_some() {
        out.push_str(" …");
    }
}

pub(crate) fn resolves(citation: &Citation) -> bool {
    citation.state != CitationState::Unresolved
}

/// The citations and the lines of a page that are counted.
pub(crate) fn counts_of(page: &PageEvidence) -> Counts {
    let mut sum = Counts::default();
    page.sections.iter().for_each(|section| sum += section.counts);
    sum
}

/// What is known about a page, found by line and by what is written there.
pub(crate) struct Rows<'a> {
    page: &'a PageEvidence,
    /// The line, from 1, on which each section of the text begins.
    starts: Vec<usize>,
    /// The line on which the page has its title; 0 when it has none.
    title_line: usize,
    /// The rows with their sections: by the letters, by what these mean, and by the file's name and the lines they lead to.
    by_letters: HashMap<&'a str, Vec<Row<'a>>>,
    by_meaning: HashMap<WrittenCitation, Vec<Row<'a>>>,
    by_place: HashMap<NamedLines<'a>, Vec<Row<'a>>>,
}

type Row<'a> = (u32, &'a Citation);
/// The name of a file, and the lines.
type NamedLines<'a> = (&'a str, Option<(u32, u32)>);

impl<'a> Rows<'a> {
    pub(crate) fn new(page: &'a PageEvidence, markdown: &str) -> Self {
        let mut line = 1;
        let starts = shared::section::sections(markdown).into_iter().map(|section| {
            let start = line;
            line += section.text.matches('\n').count();
            start
        });
        let starts = starts.collect();
        let title = markdown.lines().position(|line| !line.trim().is_empty());
        let title_line = title.filter(|at| markdown.lines().nth(*at).is_some_and(|line| line.starts_with("# ")));
        let mut rows = Self {
            page,
            starts,
            title_line: title_line.map_or(0, |at| at + 1),
            by_letters: HashMap::new(),
            by_meaning: HashMap::new(),
            by_place: HashMap::new(),
        };
        for section in &page.sections {
            for citation in &section.citations {
                let row = (section.position, citation);
                rows.by_letters.entry(citation.written.trim()).or_default().push(row);
                rows.by_place.entry((file_name(&citation.path), citation.lines)).or_default().push(row);
                if let Some(meaning) = WrittenCitation::parse(&citation.written) {
                    rows.by_meaning.entry(meaning).or_default().push(row);
                }
            }
        }
        rows
    }

    /// The position of the section that a line belongs to.
    pub(crate) fn section_at(&self, line: usize) -> u32 {
        let position = self.starts.partition_point(|start| *start <= line).saturating_sub(1);
        u32::try_from(position).unwrap_or(u32::MAX)
    }

    /// The line on which a section begins.
    pub(crate) fn start_of(&self, position: u32) -> Option<usize> {
        self.starts.get(usize::try_from(position).ok()?).copied()
    }

    pub(crate) fn title_line(&self) -> usize {
        self.title_line
    }

    pub(crate) fn sections(&self) -> &'a [SectionEvidence] {
        &self.page.sections
    }

    /// The row of a citation: by its letters, by what they mean, or by where they lead; in its section, else anywhere on
    /// the page.
    pub(crate) fn find(&self, line: usize, raw: &str, parsed: Option<&WrittenCitation>) -> Option<&'a Citation> {
        let position = self.section_at(line);
        let by_letters = self.by_letters.get(raw.trim());
        let by_meaning = parsed.and_then(|parsed| self.by_meaning.get(parsed));
        let by_place = parsed.and_then(|parsed| self.by_place.get(&(file_name(&parsed.path), parsed.lines)));
        let leads_there = |row: &&Row<'a>| parsed.is_some_and(|parsed| ends_with_path(&row.1.path, &parsed.path));
        let found = || {
            let written = by_letters.into_iter().chain(by_meaning).flatten();
            written.chain(by_place.into_iter().flatten().filter(leads_there))
        };
        let here = found().find(|(section, _)| *section == position);
        here.or_else(|| found().next()).map(|(_, row)| *row)
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether `end` is the path or its last parts.
fn ends_with_path(path: &str, end: &str) -> bool {
    path.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_shows_the_cited_lines_and_says_what_it_leaves_out() {
        let file: Vec<String> = (1..=100).map(|number| format!("line {number}")).collect();
        let file: Vec<&str> = file.iter().map(String::as_str).collect();
        let cut = |lines| Excerpt::cut(&file, lines);
        let shown = cut(Some((3, 4))).unwrap();
        assert_eq!((shown.first, shown.text.as_str(), shown.left_out), (3, "line 3\nline 4", 0));
        let long = cut(Some((11, 90))).unwrap();
        assert_eq!((long.text.lines().count(), long.left_out), (60, 20));
        assert_eq!(cut(None).unwrap().left_out, 80);
        assert_eq!(cut(Some((99, 200))).unwrap().text, "line 99\nline 100");
        for nothing in [Some((101, 102)), Some((0, 1)), Some((5, 4))] {
            assert_eq!(cut(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn a_line_is_cut_and_hides_nothing() {
        let line = ["é".repeat(5000).as_str(), ""].concat();
        assert_eq!(Excerpt::cut(&[&line], None).unwrap().text.chars().count(), MAX_LINE_CHARS + 2);
        assert_eq!(Excerpt::cut(&["a\0\tb\u{202E}c\rd"], None).unwrap().text, "a\u{FFFD}\tb\u{FFFD}c\u{FFFD}d");
    }
}
