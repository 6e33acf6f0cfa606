//! The words of a repository: which there are, as hashes, because a hundred thousand files use millions of them.

use std::hash::{BuildHasher, RandomState};

/// The words of a text: letters, digits, `_` and `$`, beginning with no digit, of two bytes at least.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c| !is_part(c)).filter(|word| word.len() > 1 && !word.starts_with(|c: char| c.is_ascii_digit()))
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// The hash of a name as a word; signs around it (`@name`, `empty?`) are no part of words.
pub(crate) fn hash_of_name(name: &str) -> u64 {
    hash(name.trim_matches(|c| !is_part(c)))
}

/// FNV-1a
const START: u64 = 0xcbf2_9ce4_8422_2325;

fn mix(state: u64, byte: u8) -> u64 {
    (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
}

fn finish(state: u64) -> u64 {
    // its last bits alone are weak
    (state ^ (state >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// What stands for a word; the same in every version of docmill that writes the same version of the kept index.
pub(super) fn hash(word: &str) -> u64 {
    finish(word.bytes().fold(START, mix))
}

/// The hashes of a text's words, in order, each once.
pub(super) fn hashes(text: &str) -> Vec<u64> {
    let mut hashes = if text.is_ascii() { hashes_of_ascii(text) } else { words(text).map(hash).collect() };
    hashes.sort_unstable();
    hashes.dedup();
    hashes.shrink_to_fit();
    hashes
}

/// The same as `words(text).map(hash)`, in one go over the bytes.
fn hashes_of_ascii(text: &str) -> Vec<u64> {
    let mut hashes = Vec::with_capacity(text.len() / 8);
    let (mut state, mut length, mut is_number) = (START, 0_u32, false);
    for byte in text.bytes().chain([b' ']) {
        if byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' {
            is_number |= length == 0 && byte.is_ascii_digit();
            state = mix(state, byte);
            length += 1;
        } else if length > 0 {
            if length > 1 && !is_number {
                hashes.push(finish(state));
            }
            (state, length, is_number) = (START, 0, false);
        }
    }
    hashes
}

/// Numbers for words, in the order in which they are met. A table of places in the list of hashes: half the memory of a map, and
/// it grows without a copy of itself.
#[derive(Debug)]
pub(super) struct Dictionary {
    hashes: Vec<u64>,
    /// Numbers of words, each at the place that its hash leads to or behind. A power of two of them.
    places: Vec<u32>,
    /// A byte of the hash of each, which spares most looks at the hash itself: those are far apart. [`FREE`] where no word is.
    marks: Vec<u8>,
    /// Nobody outside can choose words that meet at one place.
    secret: u64,
}

const FREE: u8 = 0;

/// Where a word that is not in the table belongs.
struct Place {
    at: usize,
    mark: u8,
}

impl Default for Dictionary {
    fn default() -> Self {
        let secret = RandomState::new().hash_one(0) | 1;
        Self { hashes: Vec::new(), places: vec![0; 1 << 10], marks: vec![FREE; 1 << 10], secret }
    }
}

impl Dictionary {
    /// The number of a word, and whether it is new.
    pub(super) fn number(&mut self, hash: u64) -> (u32, bool) {
        let place = match self.find(hash) {
            Ok(number) => return (number, false),
            Err(place) => place,
        };
        // a repository of more words than that is larger than any that is read
        let number = u32::try_from(self.hashes.len()).unwrap_or(u32::MAX);
        self.hashes.push(hash);
        self.put(&place, number);
        if self.hashes.len() > self.places.len() / 4 * 3 {
            self.grow();
        }
        (number, true)
    }

    /// The number of a word that is known.
    pub(super) fn known(&self, hash: u64) -> Option<u32> {
        self.find(hash).ok()
    }

    /// How many words there are.
    pub(super) fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Its number, or where it belongs.
    fn find(&self, hash: u64) -> Result<u32, Place> {
        let last = self.places.len() - 1;
        let product = u128::from(hash ^ self.secret.rotate_left(32)) * u128::from(self.secret);
        let folded = product ^ (product >> 64);
        #[expect(clippy::cast_possible_truncation, reason = "any of its bits do")]
        let (mut at, mark) = (folded as usize & last, ((folded >> 56) as u8).max(FREE + 1));
        loop {
            match self.marks[at] {
                FREE => return Err(Place { at, mark }),
                other if other == mark && self.hashes.get(self.places[at] as usize) == Some(&hash) => {
                    return Ok(self.places[at]);
                }
                _ => at = (at + 1) & last,
            }
        }
    }

    fn put(&mut self, place: &Place, number: u32) {
        self.places[place.at] = number;
        self.marks[place.at] = place.mark;
    }

    fn grow(&mut self) {
        let doubled = self.places.len() * 2;
        // first gives the memory back
        (self.places, self.marks) = (Vec::new(), Vec::new());
        (self.places, self.marks) = (vec![0; doubled], vec![FREE; doubled]);
        for at in 0..self.hashes.len() {
            // none of them is there twice
            if let (Err(place), Ok(number)) = (self.find(self.hashes[at]), u32::try_from(at)) {
                self.put(&place, number);
            }
        }
    }

    /// All of them.
    pub(super) fn into_set(self) -> WordSet {
        drop(self.places);
        let mut hashes = self.hashes;
        hashes.sort_unstable();
        hashes.shrink_to_fit();
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
    #[cfg(test)]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_same_whichever_way_they_are_read() {
        for text in ["", "a", "ab", "7up up7 _x $y a.b::cd-ef\nx", "end of it", "0x10 __init__ $ _ $$"] {
            let mut slow: Vec<u64> = words(text).map(hash).collect();
            slow.sort_unstable();
            slow.dedup();
            assert_eq!(hashes(text), slow, "{text}");
        }
        assert!(hashes("größe ab").contains(&hash("größe")));
        assert_eq!((hash_of_name("empty?"), hash_of_name("@name")), (hash("empty"), hash("name")));
    }

    #[test]
    fn a_dictionary_numbers_words_in_the_order_in_which_they_come() {
        let mut dictionary = Dictionary::default();
        for number in 0..10_000_u32 {
            assert_eq!(dictionary.number(hash(&format!("w{number}"))), (number, true));
        }
        for number in 0..10_000_u32 {
            assert_eq!(dictionary.number(hash(&format!("w{number}"))), (number, false));
            assert_eq!(dictionary.known(hash(&format!("w{number}"))), Some(number));
        }
        assert_eq!((dictionary.known(hash("other")), dictionary.len()), (None, 10_000));
        assert!(dictionary.into_set().contains("w9999"));
    }
}
