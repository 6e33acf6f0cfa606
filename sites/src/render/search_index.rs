//! The search of a site: an inverted index over sections, made here, asked by the script of the theme.
//!
//! The index is a script, because a page opened from a folder may load scripts but no data.

use std::collections::BTreeMap;

use comrak::{
    arena_tree::NodeEdge,
    nodes::{Node, NodeValue},
};
use serde::Serialize;

use super::{headings::Heading, markdown::RenderedPage, site::Site};

/// Characters of a section that a hit shows.
const SNIPPET_CHARS: usize = 160;
/// Longest word, in bytes, that is indexed; longer ones are digests and the like.
const MAX_TERM_BYTES: usize = 40;
/// What a word counts for in a title and in a heading; in text and code it counts once.
const TITLE_WEIGHT: u32 = 8;
const HEADING_WEIGHT: u32 = 4;
/// Most that one word counts for in one section.
const MAX_WEIGHT: u32 = 64;
/// Words that nearly every section has.
const STOP_WORDS: [&str; 41] = [
    "a", "an", "and", "are", "as", "at", "be", "by", "can", "do", "does", "for", "from", "has", "have", "how", "if",
    "in", "is", "it", "its", "not", "of", "on", "or", "so", "that", "the", "then", "this", "to", "was", "what", "when",
    "where", "which", "why", "will", "with", "you", "your",
];

/// The text of a page from one heading to the next.
pub(crate) struct Section {
    /// Which heading of the page it stands under.
    pub(crate) heading: usize,
    pub(crate) body: String,
    pub(crate) code: String,
}

/// The sections of a page whose headings are numbered.
pub(crate) fn sections_of(root: Node<'_>, headings: &[Heading]) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::with_capacity(headings.len());
    let mut in_heading = false;
    for edge in root.traverse() {
        let (node, entering) = match edge {
            NodeEdge::Start(node) => (node, true),
            NodeEdge::End(node) => (node, false),
        };
        let value = &node.data().value;
        if matches!(value, NodeValue::Heading(_)) {
            in_heading = entering;
            if entering {
                sections.push(Section { heading: sections.len(), body: String::new(), code: String::new() });
            }
            continue;
        }
        let Some(section) = sections.last_mut().filter(|_| entering && !in_heading) else { continue };
        match value {
            NodeValue::Text(text) => section.body.push_str(text),
            NodeValue::Code(code) => section.body.push_str(&code.literal),
            NodeValue::CodeBlock(block) => {
                section.code.push_str(&block.literal);
                section.code.push('\n');
            }
            NodeValue::Emph | NodeValue::Strong | NodeValue::Link(_) | NodeValue::Strikethrough | NodeValue::Raw(_) => {
            }
            _ if !section.body.is_empty() && !section.body.ends_with(' ') => section.body.push(' '),
            _ => {}
        }
    }
    sections
}

/// What the script gets; names are short because they are read by one place only.
#[derive(Serialize)]
struct Index<'a> {
    /// Stop words.
    s: &'a [&'a str],
    /// Pages: slug, title, group.
    p: Vec<(&'a str, String, &'a str)>,
    /// Sections: page, id (empty for the beginning), heading, snippet, length in words.
    d: Vec<(usize, &'a str, String, String, u32)>,
    /// All words, sorted, with spaces between.
    t: String,
    /// For each word: steps from section to section, and what it counts for there.
    i: Vec<Vec<u32>>,
}

/// The script with the index of the whole site.
pub(crate) fn search_script(site: &Site<'_>, rendered: &[RenderedPage]) -> String {
    let mut index = Index { s: &STOP_WORDS, p: Vec::new(), d: Vec::new(), t: String::new(), i: Vec::new() };
    let mut terms: BTreeMap<String, Vec<(u32, u32)>> = BTreeMap::new();
    for (number, (page, result)) in site.pages.iter().zip(rendered).enumerate() {
        let title = page.title();
        index.p.push((page.slug(), title.clone(), site.groups[page.group].title));
        for section in &result.sections {
            let Some(heading) = result.headings.get(section.heading) else { continue };
            let section_number = u32::try_from(index.d.len()).unwrap_or(u32::MAX);
            let mut weights: BTreeMap<String, u32> = BTreeMap::new();
            let is_first = section.heading == 0;
            count_words(&title, if is_first { TITLE_WEIGHT } else { 1 }, &mut weights);
            count_words(&heading.text, HEADING_WEIGHT, &mut weights);
            let length = count_words(&section.body, 1, &mut weights) + count_words(&section.code, 1, &mut weights);
            for (term, weight) in weights {
                terms.entry(term).or_default().push((section_number, weight.min(MAX_WEIGHT)));
            }
            let id = if is_first { "" } else { heading.id.as_str() };
            let shown = if is_first { title.clone() } else { heading.text.clone() };
            index.d.push((number, id, shown, snippet(&section.body), length));
        }
    }
    for (term, places) in &terms {
        if !index.t.is_empty() {
            index.t.push(' ');
        }
        index.t.push_str(term);
        let mut before = 0;
        index.i.push(
            places
                .iter()
                .flat_map(|(section, weight)| [section - std::mem::replace(&mut before, *section), *weight])
                .collect(),
        );
    }
    let json = serde_json::to_string(&index).expect("texts and numbers are always JSON");
    // JSON.parse of a text is read faster than the same as source, but needs a second escaping; the file stays readable
    format!("docmillSearch({json});\n")
}

/// Adds the words of `text` to `weights`; returns how many there were.
fn count_words(text: &str, weight: u32, weights: &mut BTreeMap<String, u32>) -> u32 {
    let mut count = 0;
    for_each_word(text, |word| {
        if STOP_WORDS.contains(&word) || word.len() > MAX_TERM_BYTES {
            return;
        }
        count += 1;
        match weights.get_mut(word) {
            Some(sum) => *sum = sum.saturating_add(weight),
            None => {
                weights.insert(word.to_owned(), weight);
            }
        }
    });
    count
}

/// Words in lower case; of `someName` also `some` and `name`; each ideograph is a word.
fn for_each_word(text: &str, mut found: impl FnMut(&str)) {
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        if word.chars().any(is_ideograph) {
            for c in word.chars() {
                found(c.encode_utf8(&mut [0; 4]));
            }
            continue;
        }
        found(&word.to_lowercase());
        let mut start = 0;
        let mut previous_lower = false;
        for (at, c) in word.char_indices() {
            if c.is_uppercase() && previous_lower {
                found(&word[start..at].to_lowercase());
                start = at;
            }
            previous_lower = c.is_lowercase();
        }
        if start > 0 {
            found(&word[start..].to_lowercase());
        }
    }
}

/// Chinese and Japanese are written without spaces.
fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}')
}

/// The beginning of a section, cut at a word.
fn snippet(body: &str) -> String {
    let mut out = String::new();
    let mut left = SNIPPET_CHARS;
    for word in body.split_whitespace() {
        let length = word.chars().count() + 1;
        if length > left {
            out.push('…');
            break;
        }
        left -= length;
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_whole_and_in_parts() {
        let mut words = Vec::new();
        for_each_word("renderSite(snake_case) HTTPServer 日本", |word| words.push(word.to_owned()));
        assert_eq!(words, ["rendersite", "render", "site", "snake", "case", "httpserver", "日", "本"]);
    }

    #[test]
    fn a_snippet_ends_at_a_word() {
        let text = "word ".repeat(60);
        assert!(snippet(&text).chars().count() <= SNIPPET_CHARS + 1);
        assert!(snippet(&text).ends_with("word…"));
    }
}
