//! Names that were not found by word are searched for in the texts of all files, all of them in one pass.

use std::collections::{BTreeMap, BTreeSet};

use aho_corasick::{AhoCorasick, MatchKind};

use crate::grounding::index::Index;

/// Most names that are searched for; whoever has more of them has worse problems.
const MAX_NEEDLES: usize = 2_000;
/// Most bytes that are searched.
const MAX_BYTES: usize = 256 << 20;

/// Names that may stand in the texts.
#[derive(Default)]
pub(crate) struct Suspects {
    needles: BTreeMap<String, usize>,
}

impl Suspects {
    /// Adds a name; the number says which it is among what was found.
    pub(crate) fn add(&mut self, needle: String) -> usize {
        let next = self.needles.len();
        *self.needles.entry(needle).or_insert(next)
    }

    /// The numbers of those that stand in a file. What is too much to search for counts as found.
    pub(crate) fn search(&self, index: &Index) -> BTreeSet<usize> {
        let mut needles: Vec<(&String, usize)> =
            self.needles.iter().map(|(needle, number)| (needle, *number)).collect();
        needles.sort_by_key(|(_, number)| *number);
        let mut found: BTreeSet<usize> = (MAX_NEEDLES..needles.len()).collect();
        needles.truncate(MAX_NEEDLES);
        if needles.is_empty() {
            return found;
        }
        let texts = needles.iter().map(|(needle, _)| needle.as_bytes());
        let Ok(searcher) = AhoCorasick::builder().match_kind(MatchKind::Standard).build(texts) else {
            return (0..self.needles.len()).collect();
        };
        let mut left = MAX_BYTES;
        for file in index.files() {
            if found.len() == self.needles.len() {
                break;
            }
            if file.lines.is_none() {
                continue;
            }
            let Some(text) = index.text(&file.path) else { continue };
            let Some(rest) = left.checked_sub(text.text.len()) else { break };
            left = rest;
            for hit in searcher.find_overlapping_iter(text.text.as_str()) {
                let (needle, number) = needles[hit.pattern().as_usize()];
                if !found.contains(&number) && stands_alone(&text.text, hit.start(), hit.end(), needle) {
                    found.insert(number);
                }
            }
        }
        found
    }
}

/// Whether the hit is no part of a longer name.
fn stands_alone(text: &str, start: usize, end: usize, needle: &str) -> bool {
    let is_part = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let bytes = text.as_bytes();
    let before = start.checked_sub(1).and_then(|at| bytes.get(at));
    // `_without_index` is how people name an ending
    let begins_as_word = needle.starts_with(|c: char| c.is_ascii_alphanumeric());
    let ends_in_dash = bytes.get(end) == Some(&b'-') && needle.starts_with("--");
    // `MoveTask_` is how the beginning of a name is asked for
    let goes_on = !needle.ends_with('_') && is_part(bytes.get(end));
    let is_longer = begins_as_word && is_part(before) || goes_on || ends_in_dash;
    !is_longer
}
