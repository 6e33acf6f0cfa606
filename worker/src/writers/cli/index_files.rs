//! What a model is told about the repository besides its tree: two lists of names with their places, as files of bounded size.

use std::{collections::BTreeMap, io};

use super::{folder::CallFolder, shown};
use crate::grounding::index::{Definition, Index, Offer, OfferKind};

/// Most bytes of the list of definitions.
const MAX_SYMBOL_BYTES: usize = 256 << 10;
/// Most bytes of the list of what is offered.
const MAX_OFFER_BYTES: usize = 128 << 10;
/// Most files that are looked at for an example of a use.
const MAX_EXAMPLES: usize = 20;
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
            // an example for who wants to see how
            let elsewhere = index.references(name).map(|file| file.path.as_str());
            let example = elsewhere.take(MAX_EXAMPLES).find(|file| *file != path && !is_test(file));
            let used = used + &example.map_or_else(String::new, |file| format!(", as {file}"));
            format!("{path}:{first}-{last} {owner}{name}{used}")
        });
        let offers = index.offers().iter().filter(|offer| !is_test(&offer.path)).map(offer_line);
        let offers = language_lines(index).into_iter().chain(package_lines(index)).chain(offers);
        Self { symbols: listed(symbols, MAX_SYMBOL_BYTES), offers: listed(offers, MAX_OFFER_BYTES) }
    }

    /// Writes the files beside the other data of a call; gives their paths.
    pub(super) fn write(&self, folder: &CallFolder) -> io::Result<[String; 2]> {
        let symbols = folder.add_shared("symbols.txt", &self.symbols)?;
        let offers = folder.add_shared("offers.txt", &self.offers)?;
        Ok([shown(&symbols), shown(&offers)])
    }
}

/// How much there is of each language.
fn language_lines(index: &Index) -> Vec<String> {
    let mut counts: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    for file in index.files() {
        if let Some((language, lines)) = file.language().zip(file.lines) {
            let count = counts.entry(language).or_default();
            *count = (count.0 + 1, count.1.saturating_add(lines));
        }
    }
    counts
        .iter()
        .map(|(language, (files, lines))| format!("language {language}: {files} files, {lines} lines"))
        .collect()
}

fn package_lines(index: &Index) -> impl Iterator<Item = String> {
    index.packages().iter().filter(|package| !package.name.is_empty()).map(|package| {
        let version = package.version.as_ref().map_or_else(String::new, |version| format!(" {version}"));
        let library = if package.is_library { " (library)" } else { "" };
        format!("package {}{version}{library} {}", package.name, package.manifest)
    })
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
    use crate::grounding::index::tests::index_of_commit;

    #[test]
    fn lists_say_what_there_is_and_what_is_used() {
        let index = index_of_commit(&[
            ("Cargo.toml", b"[package]\nname = \"demo\"\nversion = \"1.2.3\"\n"),
            ("src/lib.rs", b"pub fn add() {}\npub fn alone() {}\n"),
            ("src/other.rs", b"fn f() { add(); }\n"),
            ("tests/add.rs", b"fn f() { add(); }\n"),
        ]);
        let lists = IndexFiles::of(&index);
        let symbols = "src/lib.rs:1-1 add, used in 2 files, as src/other.rs\nsrc/lib.rs:2-2 alone\n";
        assert_eq!(lists.symbols, symbols);
        assert_eq!(lists.offers, "language Rust: 3 files, 4 lines\npackage demo 1.2.3 (library) Cargo.toml\n");
    }

    #[test]
    fn lists_are_bounded_and_of_one_line_each() {
        let many = (0..).map(|number| format!("src/a\nb.rs:{number} {}", "x".repeat(1_000)));
        let list = listed(many, 10_000);
        assert!(list.len() < 10_100 && list.ends_with("[there are more; look them up in the source]\n"));
        assert!(list.lines().all(|line| line.chars().count() <= MAX_LINE_CHARS));
        assert_eq!(listed(std::iter::empty(), 10), "[nothing was found]\n");
    }
}
