//! Random numbers from a seed, the same on every host, and random edits of a text.

/// A generator (xorshift64*).
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// Begins at a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(number).unwrap() % end.max(1)
    }
}

/// Changes a text in one of many ways: lines inserted, deleted, moved, changed, written twice, other line ends.
pub(crate) fn edit(random: &mut Random, text: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let at = random.below(lines.len());
    let new = format!("// note {}", random.below(1_000_000));
    match random.below(7) {
        0 => lines.insert(at, new),
        1 if lines.len() > 3 => drop(lines.remove(at)),
        2 if !lines.is_empty() => {
            let end = (at + 1 + random.below(4)).min(lines.len());
            let moved: Vec<String> = lines.drain(at..end).collect();
            let to = random.below(lines.len() + 1);
            lines.splice(to..to, moved);
        }
        3 if !lines.is_empty() => lines[at].extend([" // ".to_owned(), random.below(1_000).to_string()]),
        4 if !lines.is_empty() => {
            let end = (at + 1 + random.below(6)).min(lines.len());
            let twice = lines[at..end].to_vec();
            let to = random.below(lines.len() + 1);
            lines.splice(to..to, twice);
        }
        5 => return lines.iter().flat_map(|line| [line.trim_end(), "\r\n"]).collect(),
        _ => lines.insert(0, new),
    }
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}
