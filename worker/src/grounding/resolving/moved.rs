//! Finds lines again of which only the number and the hash are known: in the file where they stood, then in others.

use sha2::{Digest, Sha256};

use super::{
    super::index::{Index, IndexedFile},
    Text,
};

/// Most bytes that are hashed in one file.
const MAX_FILE_BYTES: usize = 16 << 20;
/// Most bytes that are hashed in other files for all citations of a run.
const MAX_OTHER_BYTES: usize = 64 << 20;
/// Fewest characters of a text by which it is recognised in another file: a closing brace stands everywhere.
const MIN_TELLING_CHARS: usize = 40;

/// What may still be hashed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HashBudget {
    bytes: usize,
}

impl Default for HashBudget {
    fn default() -> Self {
        Self { bytes: MAX_OTHER_BYTES }
    }
}

/// Where as many lines with this hash stand now; of several places in the file where they stood the nearest one.
pub(crate) fn find_lines(
    index: &Index,
    path: &str,
    lines: (u32, u32),
    content_hash: &str,
    budget: &mut HashBudget,
) -> Option<(String, (u32, u32))> {
    let count = lines.1.checked_sub(lines.0)?.checked_add(1)?;
    if let Some(text) = index.file(path).and_then(|file| index.text(&file.path)) {
        let mut left = MAX_FILE_BYTES;
        let found = windows_like(&text, count, content_hash, &mut left);
        if let Some(first) = found.into_iter().min_by_key(|first| first.abs_diff(lines.0)) {
            return Some((path.to_owned(), (first, first + count - 1)));
        }
    }
    for file in likely_files(index, path) {
        if budget.bytes == 0 {
            return None;
        }
        let Some(text) = index.text(&file.path) else { continue };
        for first in windows_like(&text, count, content_hash, &mut budget.bytes) {
            let found = text.lines(first, first + count - 1).unwrap_or_default();
            if found.chars().filter(|c| !c.is_whitespace()).count() >= MIN_TELLING_CHARS {
                return Some((file.path.clone(), (first, first + count - 1)));
            }
        }
    }
    None
}

/// Files of the same name first, then those of the same kind.
fn likely_files<'a>(index: &'a Index, path: &'a str) -> impl Iterator<Item = &'a IndexedFile> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    let name_of = |file: &'a IndexedFile| file.path.rsplit('/').next().unwrap_or_default();
    let ending_of = move |file| name_of(file).rsplit_once('.').map(|(_, ending): (&str, &str)| ending);
    let others = move || index.files().iter().filter(move |file| file.path != path);
    let named = others().filter(move |file| name_of(file) == name);
    named.chain(others().filter(move |file| name_of(file) != name && ending_of(*file) == ending))
}

/// First lines of the windows of so many lines that have this hash.
fn windows_like(text: &Text, count: u32, content_hash: &str, left: &mut usize) -> Vec<u32> {
    let Some(last) = text.line_count().checked_sub(count).filter(|_| count > 0) else { return Vec::new() };
    let mut found = Vec::new();
    for first in 1..=last + 1 {
        let Some(window) = text.lines(first, first + count - 1) else { break };
        if window.len() > *left {
            *left = 0;
            break;
        }
        *left -= window.len();
        if is_hash(content_hash, &Sha256::digest(window)) {
            found.push(first);
        }
    }
    found
}

fn is_hash(hex_text: &str, digest: &[u8]) -> bool {
    let nibble = |byte: u8| b"0123456789abcdef"[usize::from(byte)];
    hex_text.len() == digest.len() * 2
        && hex_text
            .as_bytes()
            .chunks_exact(2)
            .zip(digest)
            .all(|(pair, byte)| pair == [nibble(byte >> 4), nibble(byte & 15)])
}
