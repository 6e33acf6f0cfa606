//! What the index keeps of one blob, whatever paths it has, and how that is written down.

use git2::Oid;

use super::words::Dictionary;
use crate::writers::builtin::{
    languages::{
        Language, Outlined,
        packing::{Input, pack_definitions, pack_facts, put, unpack_definitions, unpack_facts},
    },
    symbols::Fact,
};

/// What is read: a content, and the language as which it is parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub(super) blob: Oid,
    pub(super) language: Option<Language>,
}

/// What is kept of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Entry {
    /// How many lines it has; none for what is not text.
    pub(super) lines: Option<u32>,
    /// Definitions in source order.
    pub(super) definitions: Vec<Outlined>,
    /// What it reads from its surroundings or offers.
    pub(super) facts: Vec<Fact>,
    /// Hashes of its words, in order.
    pub(super) words: Vec<u64>,
    /// Hashes of those of them that its code uses as names, in order.
    pub(super) uses: Vec<u64>,
    /// How parsing it went.
    pub(super) parsing: Parsing,
}

/// How parsing went. What a newer parser would do better is in kept files of an older version, which are as good as none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Parsing {
    /// It was parsed, or is nothing to parse.
    #[default]
    Done,
    /// The parser failed at it so many times.
    Failed(u8),
    /// The parser did not come to it.
    NotReached,
}

impl Parsing {
    /// Failures after which a content is not parsed any more. One may be the fault of a busy machine.
    const MOST_FAILURES: u8 = 2;
    const NOT_REACHED: u8 = u8::MAX;

    /// After one more failure.
    pub(super) fn failed_again(self) -> Self {
        match self {
            Self::Failed(times) => Self::Failed(times.saturating_add(1).min(Self::MOST_FAILURES)),
            Self::Done | Self::NotReached => Self::Failed(1),
        }
    }

    /// Whether the next commit leaves it at that.
    pub(super) fn is_settled(self) -> bool {
        match self {
            Self::Done => true,
            Self::Failed(times) => times >= Self::MOST_FAILURES,
            Self::NotReached => false,
        }
    }

    fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed(times) => times,
            Self::NotReached => Self::NOT_REACHED,
        }
    }

    fn of_number(number: u8) -> Self {
        match number {
            0 => Self::Done,
            Self::NOT_REACHED => Self::NotReached,
            times => Self::Failed(times),
        }
    }
}

/// A word of an entry with its number.
#[derive(Debug, Clone, Copy)]
pub(super) struct NumberedWord {
    pub(super) number: u32,
    pub(super) is_used: bool,
    /// What it stands for, if it was met for the first time.
    new: Option<u64>,
}

impl Entry {
    /// Gives numbers to the words.
    pub(super) fn numbered(&self, dictionary: &mut Dictionary) -> Vec<NumberedWord> {
        let mut uses = self.uses.iter().peekable();
        let words = self.words.iter().map(|word| {
            while uses.next_if(|used| *used < word).is_some() {}
            let is_used = uses.next_if(|used| *used == word).is_some();
            let (number, is_new) = dictionary.number(*word);
            NumberedWord { number, is_used, new: is_new.then_some(*word) }
        });
        words.collect()
    }
}

/// Writes an entry. Words that were met before in this file are written as their numbers.
pub(super) fn encode(key: &Key, entry: &Entry, words: &[NumberedWord]) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + entry.definitions.len() * 24 + words.len() * 4);
    out.extend_from_slice(key.blob.as_bytes());
    let language = key.language.and_then(|language| Language::ALL.iter().position(|known| *known == language));
    out.push(language.and_then(|number| u8::try_from(number).ok()).unwrap_or(u8::MAX));
    put(&mut out, entry.lines.map_or(0, |lines| u64::from(lines) + 1));
    out.push(entry.parsing.number());
    pack_definitions(&entry.definitions, &mut out);
    pack_facts(&entry.facts, &mut out);

    let is_new = |word: &&NumberedWord| word.new.is_some();
    put(&mut out, words.iter().filter(is_new).count() as u64);
    for word in words.iter().filter(is_new) {
        out.extend_from_slice(&word.new.unwrap_or_default().to_le_bytes());
        out.push(u8::from(word.is_used));
    }
    let known = words.iter().filter(|word| word.new.is_none());
    let mut known: Vec<(u32, bool)> = known.map(|word| (word.number, word.is_used)).collect();
    known.sort_unstable();
    put(&mut out, known.len() as u64);
    let mut last = 0;
    for (number, is_used) in known {
        // the lowest bit says whether it is used
        put(&mut out, u64::from(number - last) << 1 | u64::from(is_used));
        last = number;
    }
    out
}

/// Reads what [`encode`] wrote. `words` are those of the entries before, and those of this one are added. Nothing when the
/// bytes make no sense.
pub(super) fn decode(bytes: &[u8], words: &mut Vec<u64>) -> Option<(Key, Entry)> {
    let mut input = Input::of(bytes);
    let blob = Oid::from_bytes(input.take(20)?).ok()?;
    let language = Language::ALL.get(usize::from(*input.take(1)?.first()?)).copied();
    let lines = match input.number()? {
        0 => None,
        lines => Some(u32::try_from(lines - 1).ok()?),
    };
    let parsing = Parsing::of_number(*input.take(1)?.first()?);
    let definitions = unpack_definitions(&mut input)?;
    let facts = unpack_facts(&mut input)?;

    let before = words.len();
    let mut own = Vec::new();
    for _ in 0..input.length()? {
        let word = input.word()?;
        words.push(word);
        own.push((word, *input.take(1)?.first()? != 0));
    }
    let mut number = 0_usize;
    for _ in 0..input.length()? {
        let step = input.number()?;
        number = number.checked_add(usize::try_from(step >> 1).ok()?)?;
        own.push((*words.get(..before)?.get(number)?, step & 1 != 0));
    }
    own.sort_unstable();
    let uses = own.iter().filter(|(_, is_used)| *is_used).map(|(word, _)| *word).collect();
    let words = own.iter().map(|(word, _)| *word).collect();
    let entry = Entry { lines, definitions, facts, words, uses, parsing };
    input.is_empty().then_some((Key { blob, language }, entry))
}
