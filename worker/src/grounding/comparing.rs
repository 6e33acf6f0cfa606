//! A site's sections compared with a newer commit: opens both commits and lets `staleness` judge. Blocks.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    index::{FileText, words},
    staleness::{Commits, JudgedPage, OldPage, judge},
};
use crate::git::{self, Change, Checkout, DiffLimits, FileReader, GitError};

/// What bounds a comparison.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Most files of a commit.
    pub(crate) max_files: usize,
    /// Larger files have no text.
    pub(crate) max_file_bytes: u64,
    /// Of the differences that are kept.
    pub(crate) diffs: DiffLimits,
}

/// What differs between two commits, and what that means for a site.
pub(crate) struct Comparison {
    /// The changes that count.
    pub(crate) changes: Vec<Change>,
    /// Every section.
    pub(crate) pages: Vec<JudgedPage>,
}

/// Compares the commit that a site was made from with another one, among the files that `counts` lets through.
pub(crate) fn compare(
    old: &Checkout,
    new: &Checkout,
    pages: &[OldPage],
    counts: &dyn Fn(&str) -> bool,
    limits: Limits,
) -> Result<Comparison, GitError> {
    let changes = git::changes_between(old, new, counts, limits.max_files, limits.diffs)?;
    let before = FileReader::open(old, limits.max_file_bytes)?;
    let after = FileReader::open(new, limits.max_file_bytes)?;
    let text = |reader: &FileReader, path: &str| FileText::read(&reader.read(path)?).map(Arc::new);
    let words_elsewhere = |wanted: &BTreeSet<String>| {
        // what cannot be looked up is not said to be gone
        find_words(new, wanted, &changes, limits).unwrap_or_else(|_| wanted.clone())
    };
    let commits = Commits {
        changes: &changes,
        old: &|path| text(&before, path),
        new: &|path| text(&after, path),
        words_elsewhere: &words_elsewhere,
    };
    let pages = judge(pages, &commits);
    Ok(Comparison { changes, pages })
}

/// Which of these words stand in files that did not change.
fn find_words(
    checkout: &Checkout,
    wanted: &BTreeSet<String>,
    changes: &[Change],
    limits: Limits,
) -> Result<BTreeSet<String>, GitError> {
    let touched: BTreeSet<&str> = changes.iter().map(|change| change.path.as_str()).collect();
    let repository = git::open_bare(&checkout.git_dir)?;
    let mut found = BTreeSet::new();
    for file in git::list_files(checkout, limits.max_files)?.files {
        if found.len() == wanted.len() {
            break;
        }
        if touched.contains(file.path.as_str()) {
            continue;
        }
        let content = git::read_blob(&repository, file.blob, limits.max_file_bytes);
        let Some(text) = content.as_deref().and_then(FileText::read) else { continue };
        found.extend(words(&text.text).filter(|word| wanted.contains(*word)).map(str::to_owned));
    }
    Ok(found)
}
