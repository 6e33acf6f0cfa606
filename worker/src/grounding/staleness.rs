//! What a newer commit means for the sections of a site: which stay, of which citations only moved, which have to be written
//! again, and why. Pure: the same for a check, for a dry run and for the run itself.
//!
//! A section that cites stands on the lines that it cites. One that cites nothing stands on the files that it names in
//! backticks; one that names none stands by itself and stays. Whatever a section cites, a file or a name that it speaks of must
//! not be gone.

use std::{collections::BTreeSet, sync::LazyLock};

use regex::Regex;
use shared::{
    evidence::{Citation, CitationState},
    inspection::{CheckTotals, CheckedPage, CheckedSection, CitedPlace, MovedCitation, Reason, SectionState},
    names::PageSlug,
    section,
};

use super::{
    anchoring::{Anchor, Anchoring, Place, ReadText},
    index::words,
};
use crate::git::{Change, ChangeKind};

/// Most reasons that are kept of one section.
const MAX_REASONS: usize = 20;
/// Names that are shorter are not missed.
const MIN_NAME_CHARS: usize = 4;

static IN_BACKTICKS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"`([^`\n]{1,400})`").expect("the pattern is a constant"));

/// A section as it is on the site.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OldSection {
    /// Its place in the page.
    pub(crate) position: u32,
    /// Its heading, or nothing.
    pub(crate) heading: String,
    /// SHA-256 of its text, in hex.
    pub(crate) content_hash: String,
    /// Its text.
    pub(crate) text: String,
    /// Its citations, and where they led at the site's commit.
    pub(crate) citations: Vec<Citation>,
    /// The identifiers that it speaks of.
    pub(crate) identifiers: Vec<String>,
}

/// A page as it is on the site.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OldPage {
    /// The page.
    pub(crate) slug: PageSlug,
    /// Its sections, in order.
    pub(crate) sections: Vec<OldSection>,
}

/// A section, what became of it, and where its citations lead now.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JudgedSection {
    /// What became of it.
    pub(crate) checked: CheckedSection,
    /// SHA-256 of its text, in hex.
    pub(crate) content_hash: String,
    /// Its citations at the new commit; those whose text is gone as they were.
    pub(crate) citations: Vec<Citation>,
    /// Citations whose text is there no more.
    pub(crate) changed_citations: u32,
}

impl JudgedSection {
    /// Whether it has to be written again.
    pub(crate) fn is_stale(&self) -> bool {
        matches!(self.checked.state, SectionState::Changed | SectionState::Lost)
    }
}

/// A page, and what became of its sections.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JudgedPage {
    /// The page.
    pub(crate) slug: PageSlug,
    /// Its sections, in order.
    pub(crate) sections: Vec<JudgedSection>,
}

/// Two commits.
pub(crate) struct Commits<'a> {
    /// What differs.
    pub(crate) changes: &'a [Change],
    /// Reads the old one.
    pub(crate) old: &'a ReadText<'a>,
    /// Reads the new one.
    pub(crate) new: &'a ReadText<'a>,
    /// Which of these words stand in files of the new commit that did not change.
    pub(crate) words_elsewhere: &'a dyn Fn(&BTreeSet<String>) -> BTreeSet<String>,
}

/// Says what became of every section.
pub(crate) fn judge(pages: &[OldPage], commits: &Commits<'_>) -> Vec<JudgedPage> {
    let anchoring = Anchoring::new(commits.changes, commits.old, commits.new);
    let files = FileChanges::of(commits.changes);
    let lost_names = lost_names(pages, commits);
    let judge_section = |section: &OldSection| judge_section(section, &anchoring, &files, &lost_names);
    let judge_page = |page: &OldPage| JudgedPage {
        slug: page.slug.clone(),
        sections: page.sections.iter().map(judge_section).collect(),
    };
    pages.iter().map(judge_page).collect()
}

/// The sums, and the pages as they are told.
pub(crate) fn sum_up(pages: &[JudgedPage]) -> (CheckTotals, Vec<CheckedPage>) {
    let mut totals = CheckTotals::default();
    for section in pages.iter().flat_map(|page| &page.sections) {
        totals.sections += 1;
        match section.checked.state {
            SectionState::Unchanged => totals.unchanged += 1,
            SectionState::Moved => totals.moved += 1,
            SectionState::Changed => totals.changed += 1,
            SectionState::Lost => totals.lost += 1,
        }
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        totals.citations += count(section.citations.len());
        totals.moved_citations += count(section.checked.moved.len());
        totals.changed_citations += section.changed_citations;
    }
    let told = |page: &JudgedPage| CheckedPage {
        slug: page.slug.clone(),
        sections: page.sections.iter().map(|section| section.checked.clone()).collect(),
    };
    (totals, pages.iter().map(told).collect())
}

fn judge_section(
    section: &OldSection,
    anchoring: &Anchoring<'_>,
    files: &FileChanges<'_>,
    lost_names: &BTreeSet<String>,
) -> JudgedSection {
    let mut citations = Vec::with_capacity(section.citations.len());
    let (mut moved, mut reasons) = (Vec::new(), BTreeSet::new());
    let mut changed_citations = 0;
    for citation in &section.citations {
        let (anchored, reason) = anchor(citation, anchoring);
        if let Some(reason) = reason {
            changed_citations += 1;
            reasons.insert(reason);
        } else if (&anchored.path, anchored.lines) != (&citation.path, citation.lines) {
            moved.push(MovedCitation { from: place(citation), to: place(&anchored) });
        }
        citations.push(anchored);
    }
    let cites = section.citations.iter().any(|citation| citation.state != CitationState::Unresolved);
    for path in named_files(&section.text) {
        if files.gone.contains(path.as_str()) {
            reasons.insert(Reason::NamedFileGone { path });
        } else if !cites && files.modified.contains(path.as_str()) {
            reasons.insert(Reason::NamedFileChanged { path });
        }
    }
    let is_lost = |name: &&String| words(name).any(|word| lost_names.contains(word));
    for name in section.identifiers.iter().filter(is_lost) {
        reasons.insert(Reason::NameGone { name: name.clone() });
    }
    let state = if reasons.iter().any(Reason::is_loss) {
        SectionState::Lost
    } else if !reasons.is_empty() {
        SectionState::Changed
    } else if !moved.is_empty() {
        SectionState::Moved
    } else {
        SectionState::Unchanged
    };
    let reasons = reasons.into_iter().take(MAX_REASONS).collect();
    let checked =
        CheckedSection { position: section.position, heading: section.heading.clone(), state, reasons, moved };
    JudgedSection { checked, content_hash: section.content_hash.clone(), citations, changed_citations }
}

/// Where a citation leads now, and why it does not lead to its text any more.
fn anchor(citation: &Citation, anchoring: &Anchoring<'_>) -> (Citation, Option<Reason>) {
    if citation.state == CitationState::Unresolved {
        return (citation.clone(), None);
    }
    let old = Place { path: citation.path.clone(), lines: citation.lines };
    match anchoring.find(&old) {
        Anchor::Kept => (citation.clone(), None),
        Anchor::Moved(new) => {
            let moved = Citation { path: new.path, lines: new.lines, state: CitationState::Moved, ..citation.clone() };
            (moved, None)
        }
        Anchor::Changed => (citation.clone(), Some(Reason::CitedLinesChanged { place: place(citation), commit: None })),
        Anchor::Gone => (citation.clone(), Some(Reason::SourceGone { place: place(citation), commit: None })),
    }
}

fn place(citation: &Citation) -> CitedPlace {
    CitedPlace::new(citation.path.clone(), citation.lines)
}

/// What became of files, by their old paths.
struct FileChanges<'a> {
    modified: BTreeSet<&'a str>,
    gone: BTreeSet<&'a str>,
}

impl<'a> FileChanges<'a> {
    fn of(changes: &'a [Change]) -> Self {
        let mut files = Self { modified: BTreeSet::new(), gone: BTreeSet::new() };
        let there: BTreeSet<&str> = changes
            .iter()
            .filter(|change| change.kind != ChangeKind::Deleted)
            .map(|change| change.path.as_str())
            .collect();
        for change in changes {
            match &change.kind {
                ChangeKind::Added => {}
                ChangeKind::Modified => drop(files.modified.insert(change.path.as_str())),
                ChangeKind::Deleted => drop(files.gone.insert(change.path.as_str())),
                // another file may have taken its place
                ChangeKind::Renamed { from } if there.contains(from.as_str()) => drop(files.modified.insert(from)),
                ChangeKind::Renamed { from } => drop(files.gone.insert(from)),
            }
        }
        files
    }
}

/// What stands in backticks in the prose of a section and may be a path, without lines behind it.
fn named_files(text: &str) -> BTreeSet<String> {
    let prose: String = section::lines(text).filter(|line| !line.in_code).map(|line| line.text).collect();
    let named = IN_BACKTICKS.captures_iter(&prose).filter_map(|found| found.get(1));
    let path =
        |text: &str| text.trim().trim_start_matches("./").split([':', '#']).next().unwrap_or_default().to_owned();
    named.map(|text| path(text.as_str())).filter(|path| !path.is_empty()).collect()
}

/// The names that sections speak of, that stood in files that changed, and that stand nowhere any more.
fn lost_names(pages: &[OldPage], commits: &Commits<'_>) -> BTreeSet<String> {
    let spoken_of: BTreeSet<&str> = pages
        .iter()
        .flat_map(|page| &page.sections)
        .flat_map(|section| &section.identifiers)
        .flat_map(|name| words(name))
        .filter(|word| word.chars().count() >= MIN_NAME_CHARS)
        .collect();
    if spoken_of.is_empty() {
        return BTreeSet::new();
    }
    let (mut before, mut after) = (BTreeSet::new(), BTreeSet::new());
    for change in commits.changes {
        let old_path = match &change.kind {
            ChangeKind::Added => None,
            ChangeKind::Renamed { from } => Some(from.as_str()),
            ChangeKind::Modified | ChangeKind::Deleted => Some(change.path.as_str()),
        };
        if let Some(text) = old_path.and_then(|path| (commits.old)(path)) {
            before.extend(words(&text.text).filter(|word| spoken_of.contains(word)).map(str::to_owned));
        }
        if change.kind != ChangeKind::Deleted
            && let Some(text) = (commits.new)(&change.path)
        {
            after.extend(words(&text.text).filter(|word| spoken_of.contains(word)).map(str::to_owned));
        }
    }
    let gone: BTreeSet<String> = before.difference(&after).cloned().collect();
    if gone.is_empty() {
        return gone;
    }
    let elsewhere = (commits.words_elsewhere)(&gone);
    gone.difference(&elsewhere).cloned().collect()
}

/// What becomes of the sections when nothing changed.
pub(crate) fn unchanged(pages: &[OldPage]) -> Vec<JudgedPage> {
    let nothing = |_: &str| None;
    let commits = Commits { changes: &[], old: &nothing, new: &nothing, words_elsewhere: &BTreeSet::clone };
    judge(pages, &commits)
}

#[cfg(test)]
mod tests;
