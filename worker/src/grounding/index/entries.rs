//! What the index keeps of one blob, whatever paths it has, and how that is written down.

use git2::Oid;
use serde::{Deserialize, Serialize};

use super::words::Dictionary;
use crate::writers::builtin::{
    languages::{Language, Outlined},
    symbols::Fact,
};

/// Longest entry that is read back, in bytes; a file of the largest size that is read stays below.
const MAX_ENTRY_BYTES: u64 = 64 << 20;

/// What is read: a content, and the language as which it is parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub(super) blob: Oid,
    pub(super) language: Option<Language>,
}

/// What is kept of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    /// How many lines it has; none for what is not text.
    pub(super) lines: Option<u32>,
    /// What parsing found.
    pub(super) parsed: Parsed,
    /// Hashes of its words, in order.
    pub(super) words: Vec<u64>,
}

/// What parsing found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Parsed {
    /// Definitions in source order.
    #[serde(rename = "d", skip_serializing_if = "Vec::is_empty")]
    pub(super) definitions: Vec<Outlined>,
    /// What it reads from its surroundings or offers.
    #[serde(rename = "f", skip_serializing_if = "Vec::is_empty")]
    pub(super) facts: Vec<Fact>,
    /// The parser gave it up or did not come to it: the next commit tries again.
    #[serde(rename = "g", skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_given_up: bool,
}

/// Writes an entry. Words that were met before in this file are written as their numbers.
pub(super) fn encode(key: &Key, entry: &Entry, dictionary: &mut Dictionary) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + entry.words.len() * 4);
    out.extend_from_slice(key.blob.as_bytes());
    let language = key.language.and_then(|language| Language::ALL.iter().position(|known| *known == language));
    out.push(language.and_then(|number| u8::try_from(number).ok()).unwrap_or(u8::MAX));
    put(&mut out, entry.lines.map_or(0, |lines| u64::from(lines) + 1));
    let parsed = if entry.parsed == Parsed::default() {
        Vec::new()
    } else {
        serde_json::to_vec(&entry.parsed).expect("strings and numbers can be written as JSON")
    };
    put(&mut out, parsed.len() as u64);
    out.extend_from_slice(&parsed);

    let (mut new, mut known) = (Vec::new(), Vec::new());
    for word in &entry.words {
        match dictionary.number(*word) {
            (_, true) => new.push(*word),
            (number, false) => known.push(number),
        }
    }
    known.sort_unstable();
    put(&mut out, new.len() as u64);
    for word in new {
        out.extend_from_slice(&word.to_le_bytes());
    }
    put(&mut out, known.len() as u64);
    let mut last = 0;
    for number in known {
        put(&mut out, u64::from(number - last));
        last = number;
    }
    out
}

/// Reads what [`encode`] wrote. `words` are those of the entries before, and those of this one are added. Nothing when the
/// bytes make no sense.
pub(super) fn decode(bytes: &[u8], words: &mut Vec<u64>) -> Option<(Key, Entry)> {
    let mut input = Input { bytes };
    let blob = Oid::from_bytes(input.take(20)?).ok()?;
    let language = Language::ALL.get(usize::from(*input.take(1)?.first()?)).copied();
    let lines = match input.number()? {
        0 => None,
        lines => Some(u32::try_from(lines - 1).ok()?),
    };
    let length = input.length()?;
    let json = input.take(length)?;
    let parsed = if json.is_empty() { Parsed::default() } else { serde_json::from_slice(json).ok()? };

    let before = words.len();
    for _ in 0..input.length()? {
        words.push(u64::from_le_bytes(input.take(8)?.try_into().ok()?));
    }
    let mut own: Vec<u64> = words.get(before..)?.to_vec();
    let mut number = 0_usize;
    for _ in 0..input.length()? {
        number = number.checked_add(usize::try_from(input.number()?).ok()?)?;
        own.push(*words.get(..before)?.get(number)?);
    }
    own.sort_unstable();
    input.bytes.is_empty().then_some((Key { blob, language }, Entry { lines, parsed, words: own }))
}

/// Bytes that are read from the front.
struct Input<'a> {
    bytes: &'a [u8],
}

impl<'a> Input<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.take(1)?.first()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn length(&mut self) -> Option<usize> {
        let length = self.number().filter(|length| *length <= MAX_ENTRY_BYTES)?;
        usize::try_from(length).ok()
    }
}

/// Seven bits a byte, the lowest first.
fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(u8::try_from(number & 0x7f).unwrap_or_default() | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).unwrap_or_default());
}
