//! Finds the citations of a text: `[[...]]` outside of code, and what fences say about the source of their code.

use std::collections::HashMap;

use super::{MAX_CITATION_BYTES, WrittenCitation};
use crate::section::lines;

/// A citation as it stands in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundCitation<'a> {
    /// Letter by letter, without brackets.
    pub written: &'a str,
    /// What it names; nothing when it is meant as a citation and names no place inside of a repository.
    pub citation: Option<WrittenCitation>,
    /// Where `written` begins in the text, in bytes.
    pub at: usize,
    /// Whether a code fence names it.
    pub is_fence: bool,
}

/// The citations of a text in order, at most `most`. A fence whose code is marked as `example` names none, and neither does one
/// that names a file without lines: that may as well be a file that readers are told to write.
pub fn found_citations(text: &str, most: usize) -> Vec<FoundCitation<'_>> {
    let mut found = Vec::new();
    let (mut at, mut paragraph) = (0, 0);
    for line in lines(text) {
        if found.len() >= most {
            break;
        }
        if line.in_code || line.text.trim().is_empty() {
            scan_prose(text, paragraph..at, &mut found);
            paragraph = at + line.text.len();
        }
        if line.opens_code {
            found.extend(fence_citation(text, at, line.text));
        }
        at += line.text.len();
    }
    scan_prose(text, paragraph..at, &mut found);
    found.truncate(most);
    found
}

/// What the words behind the backticks of a fence cite, lines included.
fn fence_citation<'a>(text: &'a str, at: usize, line: &'a str) -> Option<FoundCitation<'a>> {
    let info = line.trim_start().trim_start_matches(['`', '~']);
    if is_example(info) {
        return None;
    }
    info.split_whitespace().find_map(|word| {
        let word = word.trim_start_matches('{').trim_end_matches('}');
        let word = ["title=", "filename="].iter().find_map(|prefix| word.strip_prefix(prefix)).unwrap_or(word);
        let word = word.trim_matches(['"', '\'']);
        let (written, citation) = lines_before_path(word).or_else(|| path_behind_language(word)).or_else(|| {
            let citation = WrittenCitation::parse(word)?;
            citation.lines.is_some().then_some((word, citation))
        })?;
        let at = at + (written.as_ptr() as usize - text[at..].as_ptr() as usize);
        Some(FoundCitation { written, citation: Some(citation), at, is_fence: true })
    })
}

/// Whether the words behind the backticks of a fence mark its code as an example that stands nowhere in the repository.
pub fn is_example(info: &str) -> bool {
    info.split([' ', '\t', ',', '{', '}']).any(|word| word.trim().eq_ignore_ascii_case("example"))
}

/// Reads `10:24:src/x.py`.
fn lines_before_path(word: &str) -> Option<(&str, WrittenCitation)> {
    let (first, rest) = word.split_once(':')?;
    let (last, path) = rest.split_once(':')?;
    let line = |text: &str| text.parse::<u32>().ok().filter(|line| *line > 0);
    let (first, last) = (line(first)?, line(last)?);
    WrittenCitation::new(path, Some((first.min(last), first.max(last)))).map(|citation| (word, citation))
}

/// Reads `rust:src/main.rs:1-9`.
fn path_behind_language(word: &str) -> Option<(&str, WrittenCitation)> {
    let (language, path) = word.split_once(':')?;
    let is_language = !language.is_empty() && language.chars().all(|c| c.is_ascii_alphanumeric() || "+#-_".contains(c));
    let citation = WrittenCitation::parse(path).filter(|_| is_language && path.contains(':'))?;
    citation.lines.is_some().then_some((path, citation))
}

/// The citations of a paragraph. Code spans are stepped over as `CommonMark` 0.31 (6.1) says.
fn scan_prose<'a>(text: &'a str, paragraph: std::ops::Range<usize>, found: &mut Vec<FoundCitation<'a>>) {
    let (start, prose) = (paragraph.start, &text[paragraph]);
    if !prose.contains("[[") {
        return;
    }
    let mut last_of_length: HashMap<usize, usize> = HashMap::new();
    for (at, length) in runs(prose) {
        last_of_length.insert(length, at);
    }
    let mut close = prose.find("]]");
    let mut at = 0;
    while let Some(next) = prose[at..].find(['`', '[', '\\']).map(|next| at + next) {
        let rest = &prose[next..];
        at = next + 1;
        if let Some(escaped) = rest.strip_prefix('\\') {
            // what is escaped begins nothing
            at += escaped.chars().next().map_or(0, char::len_utf8);
        } else if rest.starts_with('`') {
            let length = rest.bytes().take_while(|byte| *byte == b'`').count();
            at = next + length;
            if last_of_length.get(&length).is_some_and(|last| *last >= at) {
                let closing = runs(&prose[at..]).find(|(_, other)| *other == length);
                at += closing.map_or(0, |(offset, _)| offset + length);
            }
        } else if rest.starts_with("[[") {
            if close.is_some_and(|close| close < next + 2) {
                close = prose[next + 2..].find("]]").map(|offset| next + 2 + offset);
            }
            let Some(end) = close else { return };
            let Some(written) = inside_brackets(prose, next + 2, end) else { continue };
            at = next + 2 + written.len() + 2;
            let written = written.split('|').next().unwrap_or_default();
            let citation = WrittenCitation::parse(written);
            if citation.is_some() || is_meant(written) {
                found.push(FoundCitation { written, citation, at: start + next + 2, is_fence: false });
            }
        }
    }
}

/// Runs of backticks: where, and how many.
fn runs(text: &str) -> impl Iterator<Item = (usize, usize)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text[at..].find('`')?;
        let length = text[start..].bytes().take_while(|byte| *byte == b'`').count();
        at = start + length;
        Some((start, length))
    })
}

/// What stands between the brackets, if that is short.
fn inside_brackets(prose: &str, start: usize, end: usize) -> Option<&str> {
    if end - start > MAX_CITATION_BYTES + 100 {
        return None;
    }
    // a path may end in a bracket itself
    let is_longer = prose[end + 2..].starts_with(']') && prose[start..end].contains('[');
    Some(&prose[start..end + usize::from(is_longer)]).filter(|inside| !inside.contains("[["))
}

/// Whether something that is no file of a repository was meant as one: `/etc/passwd`, `../x`, an address.
fn is_meant(written: &str) -> bool {
    let written = written.trim();
    let is_spaced = written.contains([' ', '\t']);
    let begins_an_option = written.starts_with(['-', '!', '$', '"']);
    !is_spaced && !begins_an_option && written.contains(['/', '\\'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Vec<&str> {
        found_citations(text, 100).into_iter().map(|found| found.written).collect()
    }

    #[test]
    fn citations_stand_in_prose_and_behind_fences() {
        let text = "# T [[a.rs:1]]\n\n- x [[b.rs:2-3]] [[c.rs]]\n\n```rust d.rs:4-5\n[[no.rs]]\n```\n```sh\n[[no.rs]]\n```\n\
                    ~~~ {title=\"e.rs:6\"}\n~~~\nend [[app/[id]/page.tsx:1]] [[app/[id]]] [[g.rs|G]]";
        let expected = ["a.rs:1", "b.rs:2-3", "c.rs", "d.rs:4-5", "e.rs:6", "app/[id]/page.tsx:1", "app/[id]", "g.rs"];
        assert_eq!(written(text), expected);
        let found = found_citations(text, 100);
        assert!(found.iter().all(|found| text[found.at..].starts_with(found.written)));
        assert_eq!(found.iter().filter(|found| found.is_fence).count(), 2);
    }

    #[test]
    fn code_is_no_citation() {
        let text = "`[[a.rs]]` ``x ` [[b.rs]]`` \\[[c.rs]] \\`[[d.rs]] `open [[e.rs]] [[ x [[f.rs]]\n\n[[ -f f/f ]] [[nodiscard]]\n";
        assert_eq!(written(text), ["d.rs", "e.rs", "f.rs"]);
    }

    #[test]
    fn fences_that_name_no_source_are_no_citation() {
        for fence in
            ["rust", "toml Cargo.toml", "rust src/lib.rs:1-9 example", "rust,example src/lib.rs:1-9", "js {1,3-5}"]
        {
            assert_eq!(written(&format!("```{fence}\nx\n```\n")), [""; 0], "{fence}");
        }
        for (fence, expected) in [("10:24:src/x.py", "10:24:src/x.py"), ("rust:src/main.rs:1-9", "src/main.rs:1-9")] {
            assert_eq!(written(&format!("```{fence}\nx\n```\n")), [expected], "{fence}");
        }
    }

    #[test]
    fn what_is_meant_as_a_citation_and_is_none_is_told() {
        for text in ["/etc/passwd", "../x", "https://e.org/a", "a/./b.rs:1", "src\\x.rs:1", "a/b\nc.rs"] {
            let text = format!("[[{text}]]");
            let found = found_citations(&text, 10);
            assert_eq!(found.len(), 1, "{text}");
            assert_eq!(found[0].citation, None, "{text}");
        }
    }

    #[test]
    fn ten_megabytes_of_brackets_and_backticks_end_in_linear_time() {
        for piece in ["[[a.rs:1]] ", "[[", "`", "`` ` ", "[[a/", "\\", "```` ``` `` ` "] {
            let text = piece.repeat((10 << 20) / piece.len());
            assert!(found_citations(&text, 2_000).len() <= 2_000);
        }
        let lengths: Vec<String> = (1..1500).map(|length| "`".repeat(length)).collect();
        found_citations(&format!("[[x.rs]]{}", lengths.join("a")), 10);
    }
}
