//! The words of a repository: which there are, as hashes, because a hundred thousand files use millions of them.

use std::collections::HashMap;

/// The words of a text: letters, digits, `_` and `$`, beginning with no digit, of two bytes at least.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    text.split(move |c| !is_part(c)).filter(|word| word.len() > 1 && !word.starts_with(|c: char| c.is_ascii_digit()))
}

/// What stands for a word; the same in every version of docmill that writes the same version of the kept index.
pub(super) fn hash(word: &str) -> u64 {
    // FNV-1a
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in word.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    // its last bits alone are weak
    (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The hashes of a text's words, in order, each once.
pub(super) fn hashes(text: &str) -> Vec<u64> {
    let mut hashes: Vec<u64> = words(text).map(hash).collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes.shrink_to_fit();
    hashes
}

/// Numbers for words, in the order in which they are met.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    numbers: HashMap<u64, u32>,
}

impl Dictionary {
    /// The number of a word, and whether it is new.
    pub(super) fn number(&mut self, hash: u64) -> (u32, bool) {
        let next = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        match self.numbers.entry(hash) {
            std::collections::hash_map::Entry::Occupied(known) => (*known.get(), false),
            std::collections::hash_map::Entry::Vacant(place) => (*place.insert(next), true),
        }
    }

    /// All of them.
    pub(super) fn into_set(self) -> WordSet {
        let mut hashes: Vec<u64> = self.numbers.into_keys().collect();
        hashes.sort_unstable();
        WordSet { hashes }
    }
}

/// Which words there are.
#[derive(Debug, Default)]
pub(super) struct WordSet {
    /// In order.
    hashes: Vec<u64>,
}

impl WordSet {
    /// The words of these texts.
    pub(super) fn of_texts<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let mut all: Vec<u64> = texts.flat_map(hashes).collect();
        all.sort_unstable();
        all.dedup();
        Self { hashes: all }
    }

    /// Whether a word is among them.
    pub(super) fn contains(&self, word: &str) -> bool {
        self.hashes.binary_search(&hash(word)).is_ok()
    }
}
