//! An outline as few bytes: on the pipe between the parsing child and its parent, and in the kept index.

use super::outline::{DefinitionKind, Outline, Outlined};
use crate::writers::builtin::symbols::Fact;

/// Longest part that is read back, in bytes.
const MAX_PART_BYTES: u64 = 64 << 20;
/// In the byte of a kind: other packages may use it.
const IS_PUBLIC: u8 = 0x80;

/// Writes a whole outline.
pub(crate) fn pack(outline: &Outline) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + outline.definitions.len() * 24 + outline.uses.len() * 8);
    pack_definitions(&outline.definitions, &mut out);
    pack_facts(&outline.facts, &mut out);
    put(&mut out, outline.uses.len() as u64);
    for word in &outline.uses {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out
}

/// Reads what [`pack`] wrote; nothing when the bytes make no sense.
pub(crate) fn unpack(bytes: &[u8]) -> Option<Outline> {
    let mut input = Input::of(bytes);
    let definitions = unpack_definitions(&mut input)?;
    let facts = unpack_facts(&mut input)?;
    let count = input.length()?;
    let uses = (0..count).map(|_| input.word()).collect::<Option<Vec<u64>>>()?;
    input.is_empty().then_some(Outline { definitions, facts, uses })
}

/// Writes definitions. An owner that is that of the definition before is not written again.
pub(crate) fn pack_definitions(definitions: &[Outlined], out: &mut Vec<u8>) {
    put(out, definitions.len() as u64);
    let mut owner = "";
    for definition in definitions {
        let kind = DefinitionKind::ALL.iter().position(|kind| *kind == definition.kind).unwrap_or_default();
        let public = if definition.is_public { IS_PUBLIC } else { 0 };
        out.push(u8::try_from(kind).unwrap_or_default() | public);
        put_text(out, &definition.name);
        if definition.owner == owner {
            put(out, 0);
        } else {
            put(out, definition.owner.len() as u64 + 1);
            out.extend_from_slice(definition.owner.as_bytes());
            owner = &definition.owner;
        }
        let (first, last) = definition.lines;
        put(out, u64::from(first));
        put(out, u64::from(last.saturating_sub(first)));
    }
}

/// Reads what [`pack_definitions`] wrote.
pub(crate) fn unpack_definitions(input: &mut Input<'_>) -> Option<Vec<Outlined>> {
    let count = input.length()?;
    let mut definitions = Vec::new();
    let mut owner = "";
    for _ in 0..count {
        let kind = *input.take(1)?.first()?;
        let name = input.text()?.to_owned();
        match input.length()? {
            0 => {}
            length => owner = std::str::from_utf8(input.take(length - 1)?).ok()?,
        }
        let first = u32::try_from(input.number()?).ok()?;
        let last = first.checked_add(u32::try_from(input.number()?).ok()?)?;
        definitions.push(Outlined {
            kind: *DefinitionKind::ALL.get(usize::from(kind & !IS_PUBLIC))?,
            name,
            owner: owner.to_owned(),
            lines: (first, last),
            is_public: kind & IS_PUBLIC != 0,
        });
    }
    Some(definitions)
}

/// Writes facts, of which most files have none.
pub(crate) fn pack_facts(facts: &[Fact], out: &mut Vec<u8>) {
    let json = if facts.is_empty() {
        Vec::new()
    } else {
        serde_json::to_vec(facts).expect("strings and numbers can be written as JSON")
    };
    put(out, json.len() as u64);
    out.extend_from_slice(&json);
}

/// Reads what [`pack_facts`] wrote.
pub(crate) fn unpack_facts(input: &mut Input<'_>) -> Option<Vec<Fact>> {
    let length = input.length()?;
    let json = input.take(length)?;
    if json.is_empty() { Some(Vec::new()) } else { serde_json::from_slice(json).ok() }
}

/// Writes a number: seven bits a byte, the lowest first.
pub(crate) fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(u8::try_from(number & 0x7f).unwrap_or_default() | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).unwrap_or_default());
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// Bytes that are read from the front.
pub(crate) struct Input<'a> {
    bytes: &'a [u8],
}

impl<'a> Input<'a> {
    /// All of these.
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Whether all were read.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// So many bytes.
    pub(crate) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        Some(taken)
    }

    /// What [`put`] wrote.
    pub(crate) fn number(&mut self) -> Option<u64> {
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

    /// A number that says how much follows.
    pub(crate) fn length(&mut self) -> Option<usize> {
        let length = self.number().filter(|length| *length <= MAX_PART_BYTES)?;
        usize::try_from(length).ok()
    }

    /// The hash of a word.
    pub(crate) fn word(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = self.length()?;
        std::str::from_utf8(self.take(length)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outline_survives_packing_and_a_cut_one_is_none() {
        let definition = |kind, name: &str, owner: &str, lines, is_public| Outlined {
            kind,
            name: name.to_owned(),
            owner: owner.to_owned(),
            lines,
            is_public,
        };
        let outline = Outline {
            definitions: vec![
                definition(DefinitionKind::Type, "Shape", "", (1, 400), true),
                definition(DefinitionKind::Function, "größe", "Shape", (2, 2), false),
                definition(DefinitionKind::Member, "own", "Shape", (300, 300), true),
                definition(DefinitionKind::Macro, "m", "", (70_000, 70_001), false),
            ],
            facts: vec![Fact::Command { name: "serve".into(), help: "serves".into(), line: 7 }],
            uses: vec![1, u64::MAX],
        };
        let bytes = pack(&outline);
        assert_eq!(unpack(&bytes), Some(outline));
        assert!((0..bytes.len()).all(|length| unpack(&bytes[..length]).is_none()));
        assert_eq!(unpack(&pack(&Outline::default())), Some(Outline::default()));
    }
}
