//! The numbers of a block that claim something.

use crate::grounding::checks::{
    document::{Block, BlockKind},
    spans::{Named, classify},
};

/// A number and what it counts.
#[derive(Debug, PartialEq)]
pub(super) struct Claim {
    /// As it stands in the text, with its unit.
    pub(super) written: String,
    pub(super) value: f64,
    pub(super) unit: Unit,
}

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Unit {
    /// Seconds of one.
    Time(f64),
    /// Bytes of one, decimal and binary.
    Size(f64, f64),
    Percent,
    Port,
    Plain,
}

/// Words before a number that make it a claim, within [`BEFORE_CHARS`].
const BEFORE: [&str; 26] = [
    "port",
    "default",
    "limit",
    "at most",
    "up to",
    "maximum",
    "max ",
    "minimum",
    "min ",
    "at least",
    "every",
    "after",
    "timeout",
    "exceed",
    "more than",
    "larger than",
    "longer than",
    "fewer than",
    "less than",
    "capped at",
    "cap of",
    "set to",
    "batches of",
    "size of",
    "interval",
    "only ",
];
/// Words that say that a number is not exact, or made up.
const LOOSE: [&str; 15] = [
    "about",
    "around",
    "roughly",
    "approximately",
    "~",
    "for example",
    "for instance",
    "e.g.",
    "say,",
    "such as",
    "suppose",
    "example",
    "nearly",
    "almost",
    "typically",
];
/// Names of months: the numbers behind are a date. Two of them are other words as often.
const MONTHS: [&str; 10] =
    ["january", "february", "april", "june", "july", "august", "september", "october", "november", "december"];
/// Things that are counted.
const COUNTED: [&str; 36] = [
    "retries",
    "retry",
    "attempts",
    "tries",
    "times",
    "workers",
    "threads",
    "connections",
    "characters",
    "chars",
    "lines",
    "items",
    "entries",
    "requests",
    "files",
    "pages",
    "rows",
    "jobs",
    "tasks",
    "events",
    "messages",
    "records",
    "results",
    "levels",
    "bytes",
    "columns",
    "digits",
    "slots",
    "processes",
    "keys",
    "elements",
    "users",
    "words",
    "tokens",
    "failures",
    "errors",
];
/// Columns of numbers that are claims.
const COLUMNS: [&str; 9] = ["default", "port", "limit", "value", "max", "min", "timeout", "size", "interval"];
/// How far before a number a word may stand, in bytes.
const BEFORE_BYTES: usize = 34;
/// Most claims of one block that are looked at.
const MAX_CLAIMS: usize = 60;

/// The claims of a block in order.
pub(super) fn claims(block: &Block) -> Vec<Claim> {
    let text = block.text.as_str();
    if block.kind == BlockKind::Heading {
        return Vec::new();
    }
    let mut claims = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() && claims.len() < MAX_CLAIMS {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let start = at;
        let mut is_version = false;
        let mut dots = 0;
        while at < bytes.len() {
            let next_is_digit = bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
            match bytes[at] {
                b'0'..=b'9' => {}
                b',' | b'_' if next_is_digit && is_grouped(&bytes[at + 1..]) => {}
                b'.' if next_is_digit => {
                    dots += 1;
                    is_version = dots > 1;
                }
                _ => break,
            }
            at += 1;
        }
        let is_inside = text[..start].chars().next_back().is_some_and(|c| {
            c.is_alphanumeric() || matches!(c, '_' | '-' | '#' | '.' | '/' | '+' | '^' | '$' | '=' | 'v')
        });
        if is_version || is_inside && !is_range(text, start) || is_part_of_id(text, start, at) {
            continue;
        }
        claims.extend(read(block, start, at));
    }
    claims
}

/// `5,000` is one number and `5,6` are two.
fn is_grouped(rest: &[u8]) -> bool {
    rest.iter().take_while(|byte| byte.is_ascii_digit()).count() == 3
}

/// `2026-01-15`, `438ec0f8-35e0-5581-9b0d-07597214d73c`: three numbers and more that hang together are a name.
fn is_part_of_id(text: &str, start: usize, end: usize) -> bool {
    let is_free = |c: char| !c.is_ascii_alphanumeric() && c != '-';
    let from = text[..start].rfind(is_free).map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    let to = text[end..].find(is_free).map_or(text.len(), |at| end + at);
    text[from..to].split('-').filter(|part| part.contains(|c: char| c.is_ascii_digit())).count() >= 3
}

/// `3-5` and `3–5`: the second number stands for itself.
fn is_range(text: &str, start: usize) -> bool {
    let before = text[..start].trim_end_matches(['-', '–']);
    before.len() < start && before.ends_with(|c: char| c.is_ascii_digit()) && text[before.len()..start].len() <= 3
}

fn read(block: &Block, start: usize, end: usize) -> Option<Claim> {
    let text = block.text.as_str();
    let span = block.spans.iter().find(|span| span.at <= start && end <= span.at + span.text.len() + 2);
    if let Some(span) = span
        && (matches!(classify(&span.text), Named::Command(_) | Named::Path(_) | Named::File(_) | Named::Flag(_))
            || span.text.contains(['=', '{', '<', '[', '"', '(']))
    {
        return None;
    }
    let digits: String = text[start..end].chars().filter(|c| *c != ',' && *c != '_').collect();
    let value: f64 = digits.parse().ok()?;
    let (unit, length, is_counted) = unit_behind(&text[end..])?;
    let from = (0..=start.saturating_sub(BEFORE_BYTES)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let before = text[from..start].to_lowercase();
    let before = before.rsplit(['.', ';', '|', '!', '?']).next().unwrap_or_default();
    let is_date = MONTHS.iter().any(|month| has_words(before, month));
    if is_date || LOOSE.iter().any(|word| before.contains(word)) || is_ordinal(before) {
        return None;
    }
    let is_port = has_words(before, "port")
        || before.ends_with("localhost:")
        || before.ends_with("0.0.0.0:")
        || before.ends_with("127.0.0.1:");
    let column = span.map_or_else(|| text[..start].matches(" | ").count(), |span| span.cell);
    let in_column = block.kind == BlockKind::Row
        && block.header.get(column).is_some_and(|cell| COLUMNS.iter().any(|name| cell.contains(name)));
    let has_word = BEFORE.iter().any(|word| has_words(before, word));
    // a share alone is as often worked out as it is set
    let is_measure = matches!(unit, Unit::Time(_) | Unit::Size(..));
    let is_strong = is_measure || is_counted || is_port || has_word || in_column;
    let is_small = value <= 1.0 && !in_column && !matches!(unit, Unit::Time(_) | Unit::Size(..));
    if !is_strong || is_small || is_status(text, value, unit, is_port) {
        return None;
    }
    let unit = if is_port && unit == Unit::Plain { Unit::Port } else { unit };
    Some(Claim { written: text[start..end + length].trim().to_owned(), value, unit })
}

/// Whether the words stand there as words: `every` and not `everybody`.
fn has_words(text: &str, words: &str) -> bool {
    let words = words.trim();
    text.match_indices(words).any(|(at, _)| {
        let ends = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
        let rest = &text[at + words.len()..];
        let behind = rest.strip_prefix('s').unwrap_or(rest);
        ends(text[..at].chars().next_back()) && (ends(rest.chars().next()) || ends(behind.chars().next()))
    })
}

/// `step 3`, `rule 4`, `section 2`, `version 3`, `RFC 9110`.
fn is_ordinal(before: &str) -> bool {
    const WORDS: [&str; 26] = [
        "step",
        "rule",
        "section",
        "version",
        "rfc",
        "chapter",
        "figure",
        "table",
        "level",
        "phase",
        "part",
        "issue",
        "python",
        "node",
        "java",
        "rust",
        "edition",
        "line",
        "lines",
        "exit code",
        "code",
        "status",
        "http",
        "pep",
        "go",
        "item",
    ];
    let before = before.trim_end();
    WORDS
        .iter()
        .any(|word| before.strip_suffix(word).is_some_and(|rest| !rest.ends_with(|c: char| c.is_alphanumeric())))
}

/// Codes of HTTP stand in code by their names.
fn is_status(text: &str, value: f64, unit: Unit, is_port: bool) -> bool {
    let lower = text.to_lowercase();
    let speaks = ["http", "status", "respon", "answer", "return", "reject", "error", "refus", "redirect"]
        .iter()
        .any(|word| lower.contains(word));
    (100.0..600.0).contains(&value) && value.fract() == 0.0 && unit == Unit::Plain && !is_port && speaks
}

/// The unit behind a number, how long it is, and whether it is a thing that is counted. Nothing when letters that are no unit
/// follow at once (`2x`, `3rd`).
fn unit_behind(rest: &str) -> Option<(Unit, usize, bool)> {
    let gap = rest.len() - rest.trim_start_matches([' ', '\u{a0}', '-']).len();
    if gap > 1 && rest.as_bytes().first() != Some(&0xc2) {
        return Some((Unit::Plain, 0, false));
    }
    let behind = &rest[gap..];
    if behind.starts_with('%') {
        return Some((Unit::Percent, gap + 1, false));
    }
    let word: &str = &behind[..behind.find(|c: char| !c.is_alphabetic() && c != 'µ').unwrap_or(behind.len())];
    if word.is_empty() {
        return Some((Unit::Plain, 0, false));
    }
    if let Some(unit) = unit_of(word, gap == 0) {
        return Some((unit, gap + word.len(), false));
    }
    let is_counted = COUNTED.contains(&word.to_lowercase().as_str());
    (gap > 0).then_some((Unit::Plain, if is_counted { gap + word.len() } else { 0 }, is_counted))
}

fn unit_of(word: &str, is_attached: bool) -> Option<Unit> {
    let size = |power: i32| Unit::Size(1_000_f64.powi(power), 1_024_f64.powi(power));
    let known = match word {
        "ms" | "milliseconds" | "millisecond" => Unit::Time(0.001),
        "s" | "sec" | "secs" | "seconds" | "second" => Unit::Time(1.0),
        "min" | "mins" | "minutes" | "minute" => Unit::Time(60.0),
        "h" | "hours" | "hour" | "hrs" => Unit::Time(3_600.0),
        "days" | "day" => Unit::Time(86_400.0),
        "weeks" | "week" => Unit::Time(604_800.0),
        "B" | "bytes" | "byte" => size(0),
        "kB" | "KB" | "KiB" | "kilobytes" | "kibibytes" => size(1),
        "MB" | "MiB" | "megabytes" | "mebibytes" => size(2),
        "GB" | "GiB" | "gigabytes" | "gibibytes" => size(3),
        "percent" => Unit::Percent,
        "m" | "d" | "k" | "M" | "K" if is_attached => return None,
        _ => return None,
    };
    Some(known)
}
