//! Which files of the repository a page speaks of, read off its text: citations, and paths in backticks that exist. Kept
//! with the page, so that a later run knows which pages a change concerns.

use std::{collections::BTreeSet, sync::LazyLock};

use regex::Regex;

use super::StageError;
use crate::git::{self, Checkout};

/// Most files that are kept of one page.
const MAX_SOURCES: usize = 500;
/// Most different texts of one page that are looked up in the tree.
const MAX_CANDIDATES: usize = 5_000;

/// `[[path:10-24]]`, `[[path]]`, and anything in single backticks or behind the backticks of a fence.
static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\[\[([^\[\]\n]{1,480})\]\]|(?m:^\s*`{3,}[^`\n]*?([^\s`]{1,400})\s*$)|`([^`\n]{1,400})`")
        .expect("the pattern is a constant")
});

/// The files of the commit that a page names. Blocks no thread of the runtime.
pub(crate) async fn find_sources(checkout: &Checkout, markdown: &str) -> Result<Vec<String>, StageError> {
    let (checkout, candidates) = (checkout.clone(), candidates(markdown));
    let found = tokio::task::spawn_blocking(move || {
        let paths = candidates.iter().map(String::as_str);
        let found = git::existing_files(&checkout, paths);
        found.map(|found| found.into_iter().take(MAX_SOURCES).map(str::to_owned).collect())
    });
    found.await.map_err(anyhow::Error::from)?.map_err(|error| StageError::Fail(error.message))
}

/// What may be a path, without the lines behind it; each once, in order of name.
fn candidates(markdown: &str) -> BTreeSet<String> {
    let named = NAMED.captures_iter(markdown).filter_map(|found| found.iter().skip(1).flatten().next());
    let texts = named.flat_map(|text| {
        let text = text.as_str().split('|').next().unwrap_or_default().trim();
        [text, without_lines(text)]
    });
    let paths = texts.map(|text| text.trim_start_matches("./"));
    let usable = paths.filter(|path| !path.is_empty() && !path.starts_with('/') && !path.contains("//"));
    usable.take(2 * MAX_CANDIDATES).map(str::to_owned).collect()
}

/// `path:10-24`, `path:10`, `path#L10-L24` without the lines.
fn without_lines(text: &str) -> &str {
    let Some(at) = text.rfind([':', '#']) else { return text };
    let is_line = |c: char| c.is_ascii_digit() || matches!(c, 'L' | 'l' | '-' | '–');
    let lines = &text[at + 1..];
    if !lines.is_empty() && lines.chars().all(is_line) { &text[..at] } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn citations_and_paths_in_backticks_are_candidates_without_their_lines() {
        let text = "# A\n\nSee `src/lib.rs` and `./a b.md`. [[src/x.rs:10-24]] [[y.py#L3-L9]] [[Makefile]]\n\n\
                    ```toml Cargo.toml\nname = \"`not/this`\"\n```\n\n`/etc/passwd` `https://e.org/a` [[odd:name]]\n";
        let found = candidates(text);
        for path in ["src/lib.rs", "a b.md", "src/x.rs", "y.py", "Makefile", "Cargo.toml", "odd:name"] {
            assert!(found.contains(path), "{path}: {found:?}");
        }
        assert!(!found.iter().any(|path| path.starts_with('/') || path.contains("//")), "{found:?}");
    }

    #[test]
    fn a_page_of_backticks_ends_in_a_bounded_search() {
        let text: String = (0..50_000).map(|number| format!("`a{number}` ")).collect();
        assert!(candidates(&text).len() <= 2 * MAX_CANDIDATES);
    }
}
