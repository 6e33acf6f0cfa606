//! The numbers of a piece of source, small products (`64 * 1024`, `1 << 20`) worked out.

use super::claims::{Claim, Unit};

/// Numbers of texts.
#[derive(Default)]
pub(super) struct Values {
    all: Vec<f64>,
    /// Each with the units of time that its line names, in seconds; none when it names none.
    timed: Vec<(f64, Vec<f64>)>,
    /// Those one beside a bound that is not included: `< 100`, `0..100`.
    near_bounds: Vec<f64>,
    /// The digits as they stand there.
    raw: String,
}

/// Units in which code counts time, in seconds.
const TIMES: [f64; 8] = [1e-9, 1e-6, 0.001, 1.0, 60.0, 3_600.0, 86_400.0, 604_800.0];
/// Units in which code counts bytes.
const SIZES: [f64; 7] = [1.0, 1e3, 1_024.0, 1e6, 1_048_576.0, 1e9, 1_073_741_824.0];

impl Values {
    pub(super) fn of<'t>(texts: impl Iterator<Item = &'t str>) -> Self {
        let mut values = Self::default();
        for text in texts {
            for line in text.lines() {
                let before = values.all.len();
                values.read(line);
                let units = units_of(line);
                values.timed.extend(values.all[before..].iter().map(|value| (*value, units.clone())));
            }
            values.raw.push_str(text);
            values.raw.push('\n');
        }
        values
    }

    /// Whether the number of a claim is among them, in its unit or in another one.
    pub(super) fn hold(&self, claim: &Claim) -> bool {
        let is = |wanted: f64| self.all.iter().any(|value| same(*value, wanted));
        let plain = is(claim.value);
        match claim.unit {
            Unit::Port => plain,
            Unit::Plain => {
                plain || self.near_bounds.iter().any(|value| same(*value, claim.value)) || self.is_word(claim.value)
            }
            Unit::Percent => plain || is(claim.value / 100.0) || is(1.0 - claim.value / 100.0),
            Unit::Time(seconds) => {
                // where the line names a unit the number is one of that unit
                let fits = |(value, units): &(f64, Vec<f64>)| {
                    let units = if units.is_empty() { &TIMES[..] } else { units };
                    units.iter().any(|unit| same(value * unit, claim.value * seconds))
                };
                self.timed.iter().any(fits) || self.is_single(claim.value, seconds)
            }
            Unit::Size(decimal, binary) => {
                plain || SIZES.iter().any(|unit| is(claim.value * decimal / unit) || is(claim.value * binary / unit))
            }
        }
    }

    /// Small numbers are written as words in comments and texts.
    fn is_word(&self, value: f64) -> bool {
        const WORDS: [&str; 13] =
            ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
        let word =
            WORDS.iter().enumerate().find(|(number, _)| same(f64::from(u32::try_from(*number).unwrap_or(99)), value));
        word.is_some_and(|(_, word)| self.raw.to_lowercase().contains(word))
    }

    /// `1 day` is `DAY` or `daily` in code.
    fn is_single(&self, value: f64, seconds: f64) -> bool {
        let name = match seconds {
            60.0 => "minute",
            3_600.0 => "hour",
            86_400.0 => "da",
            604_800.0 => "week",
            _ => return false,
        };
        same(value, 1.0) && self.raw.to_lowercase().contains(name)
    }

    fn read(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut at = 0;
        // the product that the numbers so far make, while only `*` and `<<` stand between them
        let mut product: Option<f64> = None;
        let mut last_end = 0;
        while at < bytes.len() {
            if !bytes[at].is_ascii_digit() || at > 0 && (bytes[at - 1].is_ascii_alphabetic() || bytes[at - 1] == b'_') {
                at += 1;
                continue;
            }
            let start = at;
            while at < bytes.len()
                && (bytes[at].is_ascii_digit()
                    || matches!(bytes[at], b'_' | b',' | b'.') && bytes.get(at + 1).is_some_and(u8::is_ascii_digit))
            {
                at += 1;
            }
            let written = &text[start..at];
            let Some(value) = self.push(written) else { continue };
            let between = text.get(last_end..start).unwrap_or_default().trim();
            product = match (product, between) {
                (Some(before), "*") => Some(before * value),
                (Some(before), "<<") if value < 64.0 => Some(before * 2_f64.powf(value)),
                _ => Some(value),
            };
            self.all.extend(product);
            let before = text[..start].trim_end();
            let is_bound = before.ends_with(['<', '>'])
                || before.ends_with("..")
                || text[at..].trim_start().starts_with(['<', '>']);
            if is_bound {
                self.near_bounds.extend([value - 1.0, value + 1.0]);
            }
            // suffixes of types: `64_u64 * 1024`
            while at < bytes.len() && (bytes[at].is_ascii_alphanumeric() || bytes[at] == b'_') {
                at += 1;
            }
            last_end = at;
        }
    }

    /// Adds a literal in each way in which it can be read.
    fn push(&mut self, written: &str) -> Option<f64> {
        let joined: String = written.chars().filter(|c| *c != '_' && *c != ',').collect();
        for part in written.split([',', '_']) {
            self.all.extend(part.parse::<f64>().ok());
        }
        for part in joined.split('.') {
            self.all.extend(part.parse::<f64>().ok());
        }
        let value = joined.parse::<f64>().ok();
        self.all.extend(value);
        value
    }
}

/// The units of time that a line names: `from_secs`, `timeout_ms`, `15s`, `# days`.
fn units_of(line: &str) -> Vec<f64> {
    let mut units = Vec::new();
    for word in line.split(|c: char| !c.is_alphanumeric() && c != '_') {
        let lower = word.to_lowercase();
        let ends_number =
            |unit: &str| word.strip_suffix(unit).is_some_and(|rest| rest.ends_with(|c: char| c.is_ascii_digit()));
        let part = |name: &str| lower.split('_').any(|part| part == name);
        let has = [
            (1e-9, lower.contains("nano")),
            (1e-6, lower.contains("micro")),
            (0.001, lower.contains("milli") || part("ms") || word.ends_with("Ms") || ends_number("ms")),
            (
                1.0,
                lower.contains("second") && !lower.contains("milli")
                    || part("secs")
                    || part("sec")
                    || word.ends_with("Secs")
                    || ends_number("s"),
            ),
            (60.0, lower.contains("minute") || part("mins") || part("min") && lower.contains('_') || ends_number("m")),
            (3_600.0, lower.contains("hour") || ends_number("h")),
            (86_400.0, part("days") || part("day") || lower.contains("days") || lower == "daily" || ends_number("d")),
            (604_800.0, lower.contains("week")),
        ];
        units.extend(has.iter().filter(|(_, has)| *has).map(|(unit, _)| *unit));
    }
    units
}

fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= f64::EPSILON * 16.0 * a.abs().max(b.abs()).max(1.0)
}
