//! What a model is told about the repository besides its tree: two lists of names with their places, as files of bounded size.

use std::io;

use super::{folder::CallFolder, shown};
use crate::grounding::index::{Definition, Index, Offer, OfferKind};

/// Most bytes of the list of definitions.
const MAX_SYMBOL_BYTES: usize = 256 << 10;
/// Most bytes of the list of what is offered.
const MAX_OFFER_BYTES: usize = 128 << 10;
/// Longest line, in characters.
const MAX_LINE_CHARS: usize = 300;

/// The lists, as texts.
#[derive(Debug, Default)]
pub(super) struct IndexFiles {
    symbols: String,
    offers: String,
}

impl IndexFiles {
    /// Makes the lists: of many definitions those that others may use, and those outside of tests, come first.
    pub(super) fn of(index: &Index) -> Self {
        let mut definitions: Vec<Definition<'_>> = index.public_definitions().collect();
        definitions.sort_by_key(|found| (is_test(found.path), found.path, found.lines, found.name));
        let symbols = definitions.into_iter().map(|found| {
            let owner = if found.owner.is_empty() { String::new() } else { format!("{}::", found.owner) };
            let (Definition { name, path, .. }, (first, last)) = (found, found.lines);
            let used = match index.count_references(name) {
                0 => String::new(),
                1 => ", used in 1 file".to_owned(),
                files => format!(", used in {files} files"),
            };
            format!("{path}:{first}-{last} {owner}{name}{used}")
        });
        let offers = index.offers().iter().filter(|offer| !is_test(&offer.path)).map(offer_line);
        Self { symbols: listed(symbols, MAX_SYMBOL_BYTES), offers: listed(offers, MAX_OFFER_BYTES) }
    }

    /// Writes the files beside the other data of a call; gives their paths.
    pub(super) fn write(&self, folder: &CallFolder) -> io::Result<[String; 2]> {
        let symbols = folder.add_data("symbols.txt", &self.symbols)?;
        let offers = folder.add_data("offers.txt", &self.offers)?;
        Ok([shown(&symbols), shown(&offers)])
    }
}

fn offer_line(offer: &Offer) -> String {
    let kind = match offer.kind {
        OfferKind::Flag => "flag",
        OfferKind::Command => "command",
        OfferKind::Environment => "environment variable",
        OfferKind::Setting => "setting",
        OfferKind::Route => "route",
        OfferKind::Program => "program",
    };
    let of = if offer.of.is_empty() { String::new() } else { format!(" of {}", offer.of) };
    format!("{kind} {}{of} {}:{}", offer.name, offer.path, offer.line)
}

fn is_test(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "test" | "tests" | "__tests__" | "spec" | "testdata" | "fixtures"))
}

/// One line each, as long as they fit. Names come from a stranger: no line breaks, nothing endless.
fn listed(lines: impl Iterator<Item = String>, max_bytes: usize) -> String {
    let mut list = String::new();
    for line in lines {
        let line = line.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_LINE_CHARS);
        let line: String = line.collect();
        if list.len() + line.len() + 1 > max_bytes {
            list.push_str("[there are more; look them up in the source]\n");
            break;
        }
        list.push_str(&line);
        list.push('\n');
    }
    if list.is_empty() {
        list.push_str("[nothing was found]\n");
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_bounded_and_of_one_line_each() {
        let many = (0..).map(|number| format!("src/a\nb.rs:{number} {}", "x".repeat(1_000)));
        let list = listed(many, 10_000);
        assert!(list.len() < 10_100 && list.ends_with("[there are more; look them up in the source]\n"));
        assert!(list.lines().all(|line| line.chars().count() <= MAX_LINE_CHARS));
        assert_eq!(listed(std::iter::empty(), 10), "[nothing was found]\n");
    }
}
