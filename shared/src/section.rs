//! The sections of a page: what stands below each heading of level 2. The unit of citations, checks, re-writing and accounts.

use std::ops::Range;

/// A part of a page. The parts of a page, one after the other, are the page, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section<'a> {
    /// 0 is what stands before the first heading of level 2: the title and the beginning. It is always there.
    pub position: usize,
    /// The words of its heading; none for the first part.
    pub heading: Option<&'a str>,
    /// Its bytes in the page.
    pub bytes: Range<usize>,
    /// Its text, heading included.
    pub text: &'a str,
}

/// A line of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// The line with its end.
    pub text: &'a str,
    /// Whether it belongs to a fenced code block, fences included.
    pub in_code: bool,
    /// Whether it is the fence that opens a block.
    pub opens_code: bool,
}

/// The lines of a page.
pub fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut fence = None;
    text.split_inclusive('\n').map(move |line| {
        let inside_before = fence.is_some();
        step(&mut fence, line);
        Line { text: line, in_code: inside_before || fence.is_some(), opens_code: !inside_before && fence.is_some() }
    })
}

/// Whether the text ends inside a fenced code block.
pub fn ends_in_code(text: &str) -> bool {
    let mut fence = None;
    text.lines().for_each(|line| step(&mut fence, line));
    fence.is_some()
}

/// Splits a page at its headings `## …` outside of code.
pub fn sections(page: &str) -> Vec<Section<'_>> {
    let mut starts = vec![(0, None)];
    let mut at = 0;
    for line in lines(page) {
        if let Some(heading) = heading_of(line) {
            starts.push((at, Some(heading)));
        }
        at += line.text.len();
    }
    let ends = starts.iter().skip(1).map(|(start, _)| *start).chain([page.len()]);
    let parts = starts.iter().zip(ends).enumerate();
    parts
        .map(|(position, ((start, heading), end))| Section {
            position,
            heading: *heading,
            bytes: *start..end,
            text: &page[*start..end],
        })
        .collect()
}

/// The page with other texts of some of its sections (by position, each once); all others keep their bytes.
pub fn with_sections(page: &str, texts: &[(usize, String)]) -> String {
    let text_of = |section: &Section<'_>| texts.iter().find(|(position, _)| *position == section.position);
    let parts = sections(page).into_iter().map(|section| match text_of(&section) {
        Some((_, text)) => text.as_str().to_owned(),
        None => section.text.to_owned(),
    });
    parts.collect()
}

/// The words of a heading of level 2 (`CommonMark` 0.31, 4.2).
fn heading_of(line: Line<'_>) -> Option<&str> {
    let trimmed = line.text.trim_start_matches(' ');
    if line.in_code || line.text.len() - trimmed.len() > 3 {
        return None;
    }
    let words = trimmed.strip_prefix("##")?;
    if !words.is_empty() && !words.starts_with([' ', '\t', '\r', '\n']) {
        return None;
    }
    let words = words.trim();
    let without_closing = words.trim_end_matches('#');
    Some(if without_closing.is_empty() || without_closing.ends_with(' ') { without_closing.trim() } else { words })
}

/// Opens or closes a fence: three or more backticks or tildes, indented by at most three spaces; closed by the same
/// character, at least as many of them, and nothing after (`CommonMark` 0.31, 4.5).
fn step(fence: &mut Option<(char, usize)>, line: &str) {
    let trimmed = line.trim_start_matches(' ');
    if line.len() - trimmed.len() > 3 && fence.is_none() {
        return;
    }
    let Some(mark) = trimmed.chars().next().filter(|c| matches!(c, '`' | '~')) else { return };
    let length = trimmed.chars().take_while(|c| *c == mark).count();
    let rest = trimmed[length..].trim();
    match *fence {
        None if length >= 3 && !(mark == '`' && rest.contains('`')) => *fence = Some((mark, length)),
        Some((open, least)) if open == mark && length >= least && rest.is_empty() => *fence = None,
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_split_at_its_headings_and_nothing_is_lost() {
        let page =
            "# T\n\nHi.\n\n## A ##\na\n\n### deeper\n```sh\n## no\n```\n\n ## B#\r\n##\n#### x\n    ## code\n##no";
        let found = sections(page);
        let headings: Vec<_> = found.iter().map(|section| section.heading).collect();
        assert_eq!(headings, [None, Some("A"), Some("B#"), Some("")]);
        assert_eq!(found.iter().map(|section| section.text).collect::<String>(), page);
        assert!(found.iter().enumerate().all(|(at, section)| section.position == at));
        assert!(found.iter().all(|section| &page[section.bytes.clone()] == section.text));
    }

    #[test]
    fn only_the_sections_that_are_named_change() {
        let page = "# T\r\n\n## A\na\n## B\nb";
        assert_eq!(with_sections(page, &[]), page);
        assert_eq!(with_sections(page, &[(1, "## A\nnew\n".into()), (9, "x".into())]), "# T\r\n\n## A\nnew\n## B\nb");
        assert_eq!(with_sections(page, &[(1, String::new())]), "# T\r\n\n## B\nb");
    }

    #[test]
    fn fences_follow_commonmark() {
        assert!(ends_in_code("````\n```\n"));
        assert!(!ends_in_code("````\n```\n````\n"));
        assert!(!ends_in_code("``` a`b\n"));
        assert!(ends_in_code("~~~ x\n```\n"));
    }

    #[test]
    fn a_page_without_headings_is_one_section() {
        for page in ["", "# T", "text\n"] {
            assert_eq!(sections(page).len(), 1, "{page:?}");
        }
    }
}
