//! Puts a citation behind every paragraph, list item, table and code block of a text that was taken from a file: the lines of
//! that file in which its words stand. Code that stands there letter by letter says so at its fence; other code is an example.

use std::collections::HashSet;

use super::markdown::{Fences, heading, place};

/// How many words at the beginning and the end of a block are looked for.
const ENDS: usize = 6;
/// How much of a block has to stand in the lines that are cited for it.
const LEAST_FOUND_PERCENT: usize = 70;
/// Most places that are looked at for one text.
const MAX_STEPS: usize = 20_000_000;
/// Longest block whose lines are looked for word by word, in bytes.
const MAX_BLOCK_BYTES: usize = 20_000;

/// A file that texts are taken from.
#[derive(Debug)]
pub(crate) struct Source {
    path: String,
    lines: Vec<String>,
    /// Every word in lower case, and the line it stands in, from 1.
    words: Vec<(Box<str>, u32)>,
}

impl Source {
    /// Reads a text.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let lines: Vec<String> = text.trim_start_matches('\u{feff}').lines().map(str::to_owned).collect();
        let words = (1..).zip(&lines).flat_map(|(number, line)| words(line).map(move |word| (word.into(), number)));
        Self { path: path.to_owned(), words: words.collect(), lines }
    }

    /// The first line of the comment, attributes included, that stands right above a line.
    pub(crate) fn comment_above(&self, line: u32) -> u32 {
        let is_comment = |at: u32| {
            let text = self.lines.get(at as usize - 1).map_or("", |line| line.trim());
            ["//", "/*", "*", "#", "@", "--", ";", "\"\"\""].iter().any(|mark| text.starts_with(mark))
        };
        (1..line).rev().take_while(|at| is_comment(*at)).last().unwrap_or(line)
    }

    /// The first word that stands in or behind this line.
    fn word_of_line(&self, line: u32) -> usize {
        self.words.partition_point(|(_, number)| *number < line)
    }
}

/// Cites `text` from `source`; looks for its beginning from this line on. What is not found is cited as `otherwise`: these lines,
/// behind which nothing is looked for, or the whole file.
pub(crate) fn cited(text: &str, source: &Source, from: u32, otherwise: Option<(u32, u32)>) -> String {
    let at = source.word_of_line(from);
    let (first, end) = match otherwise {
        Some((_, last)) => (at, source.word_of_line(last.saturating_add(1))),
        None => (0, source.words.len()),
    };
    let mut citing = Citing { source, at, first, end, steps: MAX_STEPS, otherwise, written: String::new() };
    let mut fences = Fences::default();
    let mut block: Vec<&str> = Vec::new();
    let mut code: Option<(&str, Vec<&str>)> = None;
    for line in text.lines() {
        let was_code = fences.is_open();
        let is_code = fences.is_code(line);
        match (&mut code, is_code) {
            (None, true) => {
                citing.end_block(&mut block);
                code = Some((line, Vec::new()));
            }
            (Some((_, lines)), true) if was_code && fences.is_open() => lines.push(line),
            (Some(_), _) => {
                if let Some((opening, lines)) = code.take() {
                    citing.code(opening, &lines, Some(line));
                }
            }
            (None, false) if line.trim().is_empty() => {
                citing.end_block(&mut block);
                citing.line(line);
            }
            (None, false) => {
                if begins_block(line, block.last().copied()) {
                    citing.end_block(&mut block);
                }
                block.push(line);
                if heading(line).is_some() {
                    citing.end_block(&mut block);
                }
            }
        }
    }
    citing.end_block(&mut block);
    if let Some((opening, lines)) = code {
        citing.code(opening, &lines, None);
    }
    if !text.ends_with('\n') && citing.written.ends_with('\n') {
        citing.written.pop();
    }
    citing.written
}

/// Whether a line begins something of its own without an empty line before it.
fn begins_block(line: &str, before: Option<&str>) -> bool {
    let is_row = |line: &str| line.trim_start().starts_with('|');
    is_item(line) || heading(line).is_some() || before.is_some_and(|before| is_row(before) != is_row(line))
}

fn is_item(line: &str) -> bool {
    let line = line.trim_start();
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let numbered = (1..=9).contains(&digits) && (line[digits..].starts_with(". ") || line[digits..].starts_with(") "));
    numbered || ["- ", "* ", "+ "].iter().any(|mark| line.starts_with(mark))
}

struct Citing<'a> {
    source: &'a Source,
    /// The word behind the last block that was found.
    at: usize,
    /// Where words are looked for: from the first one to the one before the end.
    first: usize,
    end: usize,
    /// How many more places are looked at.
    steps: usize,
    otherwise: Option<(u32, u32)>,
    written: String,
}

impl Citing<'_> {
    fn line(&mut self, line: &str) {
        self.written.push_str(line);
        self.written.push('\n');
    }

    /// Writes a paragraph, an item or a table with its citation.
    fn end_block(&mut self, block: &mut Vec<&str>) {
        let lines = std::mem::take(block);
        let Some((last, before)) = lines.split_last() else { return };
        for line in before {
            self.line(line);
        }
        if !says_something(&lines) {
            self.line(last);
            return;
        }
        let cite = self.find(&lines);
        let cite = place(&self.source.path, cite.or(self.otherwise));
        if last.trim_start().starts_with('|') {
            self.line(last);
            self.written.push('\n');
            self.line(&cite);
        } else {
            self.line(&format!("{} {cite}", last.trim_end().trim_end_matches('\\')));
        }
    }

    /// The lines in which the words of a block stand.
    fn find(&mut self, block: &[&str]) -> Option<(u32, u32)> {
        let text = block.join("\n");
        if text.len() > MAX_BLOCK_BYTES {
            return None;
        }
        let looked_for: Vec<String> = words(&without_targets(&text)).collect();
        let start = self.find_words(&looked_for[..looked_for.len().min(ENDS)], self.at);
        let start = start.or_else(|| self.find_words(&looked_for[..looked_for.len().min(ENDS)], self.first))?;
        let end_words = &looked_for[looked_for.len().saturating_sub(ENDS)..];
        let near = (start + 2 * looked_for.len() + 60).min(self.end);
        let end = (start..near).filter(|at| self.stands_at(end_words, *at)).map(|at| at + end_words.len() - 1);
        let likely = start + looked_for.len() - 1;
        let end = end.min_by_key(|end| end.abs_diff(likely)).unwrap_or(likely).min(self.source.words.len() - 1);
        let there: HashSet<&str> = self.source.words[start..=end].iter().map(|(word, _)| &**word).collect();
        let found = looked_for.iter().filter(|word| there.contains(word.as_str())).count();
        if found * 100 < looked_for.len() * LEAST_FOUND_PERCENT {
            return None;
        }
        self.at = end + 1;
        Some((self.source.words[start].1, self.source.words[end].1))
    }

    fn find_words(&mut self, looked_for: &[String], from: usize) -> Option<usize> {
        // a link or a sign of another markup may stand between the words: fewer of them are as good, as long as they are some
        for count in [looked_for.len(), 3, 2].into_iter().filter(|count| (1..=looked_for.len()).contains(count)) {
            let most = from.saturating_add(self.steps).min(self.end);
            let found = (from..most).find(|at| self.stands_at(&looked_for[..count], *at));
            self.steps -= (found.unwrap_or(most).max(from) - from).min(self.steps);
            if found.is_some() {
                return found;
            }
        }
        None
    }

    fn stands_at(&self, looked_for: &[String], at: usize) -> bool {
        let there = self.source.words.get(at..at + looked_for.len());
        there.is_some_and(|there| there.iter().zip(looked_for).all(|((word, _), wanted)| **word == **wanted))
    }

    /// Writes a code block; the fence says where its code stands, or that it is an example.
    fn code(&mut self, opening: &str, code: &[&str], closing: Option<&str>) {
        let info = opening.trim_start().trim_start_matches(['`', '~']).trim();
        let fence = &opening[..opening.len() - opening.trim_start().trim_start_matches(['`', '~']).len()];
        let indent = opening.len() - opening.trim_start().len();
        let stripped: Vec<&str> = code.iter().map(|line| without_indent(line, indent)).collect();
        let said = info.contains("[[") || info.contains(':') || info.split(' ').any(|word| word == "example");
        let language = if info.is_empty() { "text" } else { info };
        match self.find_code(&stripped) {
            _ if said => self.line(opening),
            Some((first, last)) if is_plain(&self.source.path) => {
                self.line(&format!("{fence}{language} {}:{first}-{last}", self.source.path));
            }
            _ => self.line(&format!("{fence}{language} example")),
        }
        code.iter().chain(&closing).for_each(|line| self.line(line));
    }

    /// The lines that are the same, indented or behind the signs of a comment the same way.
    fn find_code(&mut self, code: &[&str]) -> Option<(u32, u32)> {
        let first = code.iter().position(|line| !line.trim().is_empty())?;
        let last = code.iter().rposition(|line| !line.trim().is_empty())?;
        let wanted = &code[first..=last];
        let is_here = |at: usize| {
            let there = self.source.lines.get(at..at + wanted.len())?;
            let before = there[0].strip_suffix(wanted[0])?;
            let is_same = |(line, wanted): (&String, &&str)| {
                line.strip_prefix(before).is_some_and(|rest| rest == *wanted)
                    || (wanted.trim().is_empty() && line.trim() == before.trim())
            };
            (before.trim().is_empty() && there.iter().zip(wanted).all(is_same)).then_some(at)
        };
        let from = self.source.words.get(self.at).map_or(0, |(_, line)| (*line as usize).saturating_sub(2));
        let count = self.source.lines.len();
        let at = (from..count).find_map(is_here).or_else(|| (0..from.min(count)).find_map(is_here))?;
        let number = |line: usize| u32::try_from(line).ok();
        let (first, last) = (number(at + 1)?, number(at + wanted.len())?);
        self.at = self.source.word_of_line(last + 1);
        Some((first, last))
    }
}

/// Whether a path can stand behind a fence.
fn is_plain(path: &str) -> bool {
    !path.contains(|c: char| c.is_whitespace() || c.is_control() || "`{}\"'=".contains(c))
}

fn without_indent(line: &str, most: usize) -> &str {
    let indent = line.len() - line.trim_start_matches(' ').len();
    &line[indent.min(most)..]
}

/// Whether a block is more than a heading, a rule, a picture, or what is cited already.
fn says_something(lines: &[&str]) -> bool {
    let first = lines[0].trim();
    let is_heading = heading(lines[0]).is_some() || (lines.len() > 1 && is_underline(lines[lines.len() - 1]));
    let is_cited = lines[lines.len() - 1].trim_end().ends_with("]]");
    let is_html = first.starts_with('<') && lines[lines.len() - 1].trim().ends_with('>');
    let is_definition = first.starts_with('[') && first.contains("]: ");
    let is_picture = first.starts_with("![") && lines.len() == 1;
    let is_callout = lines.len() == 1 && first.starts_with("> [!");
    let has_words = lines.iter().any(|line| words(line).next().is_some());
    has_words && !is_heading && !is_cited && !is_html && !is_definition && !is_picture && !is_callout
}

fn is_underline(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && (line.bytes().all(|byte| byte == b'=') || line.bytes().all(|byte| byte == b'-'))
}

/// The text without the targets of its links, which were written anew.
fn without_targets(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("](") {
        kept.push_str(before);
        kept.push(' ');
        rest = behind.split_once(')').map_or("", |(_, rest)| rest);
    }
    kept + rest
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    const README: &str = "# Thing\n\nIt does *one* thing,\nand does it [well](docs/well.md).\n\n- First of all\n  this.\n- Then that.\n\n\
                          ```sh\nmake all\nmake install\n```\n\n| A | B |\n|---|---|\n| 1 | 2 |\n\nThe end.\n";

    #[test]
    fn every_block_gets_the_lines_that_it_stands_in() {
        let text = README.replace("docs/well.md", "well.html");
        let expected = "# Thing\n\nIt does *one* thing,\nand does it [well](well.html). [[README.md:3-4]]\n\n- First of all\n  this. \
                        [[README.md:6-7]]\n- Then that. [[README.md:8]]\n\n```sh README.md:11-12\nmake all\nmake install\n```\n\n\
                        | A | B |\n|---|---|\n| 1 | 2 |\n\n[[README.md:15-17]]\n\nThe end. [[README.md:19]]\n";
        assert_eq!(cited(&text, &Source::new("README.md", README), 1, None), expected);
    }

    #[test]
    fn what_stands_nowhere_is_cited_as_the_whole_and_is_an_example() {
        let source = Source::new("a b.md", README);
        assert_eq!(cited("Quite other words.", &source, 1, None), "Quite other words. [[a b.md]]");
        assert_eq!(cited("Quite other words.\n", &source, 1, Some((3, 4))), "Quite other words. [[a b.md:3-4]]\n");
        assert_eq!(cited("```\nmake all\n```\n", &source, 1, None), "```text example\nmake all\n```\n");
        let source = Source::new("README.md", README);
        assert_eq!(cited("```sh\nmake none\n```\n", &source, 1, None), "```sh example\nmake none\n```\n");
        for kept in
            ["## Heading\n", "Title\n===\n", "---\n", "![x](y.png)\n", "Cited. [[x.rs:1]]\n", "> [!NOTE]\n", "", "\n\n"]
        {
            assert_eq!(cited(kept, &source, 1, None), kept);
        }
    }

    #[test]
    fn comments_are_cited_where_they_stand() {
        let code = "use x;\n\n/// Adds two numbers.\n///\n/// Carefully, that is.\npub fn add() {}\n";
        let text = cited("Adds two numbers.\n\nCarefully, that is.\n", &Source::new("src/a.rs", code), 1, Some((6, 6)));
        assert_eq!(text, "Adds two numbers. [[src/a.rs:3]]\n\nCarefully, that is. [[src/a.rs:5]]\n");
    }

    #[test]
    fn endless_texts_end() {
        let source = Source::new("a.md", &"word ".repeat(20_000));
        let text = "word word word word word other\n\n".repeat(20);
        assert!(cited(&text, &source, 1, None).contains("[[a.md"));
        cited(&"`".repeat(100_000), &source, 1, None);
        cited("- - - 1. | ``` |", &source, 9_999, None);
    }
}
