//! Where the citations of sections lead that keep their bytes although cited lines have moved: the stage that checks pages begins
//! from there, and not from what is written in the text.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use shared::{db::sections::EarlierSection, evidence::Citation};

use crate::grounding::staleness::JudgedPage;

/// The citations of such sections at the new commit, by the hash of the section's text.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Anchored(BTreeMap<String, Vec<Citation>>);

impl Anchored {
    /// Of all sections that are not stale and of which something moved.
    pub(crate) fn of<'a>(pages: impl IntoIterator<Item = &'a JudgedPage>) -> Self {
        let sections = pages.into_iter().flat_map(|page| &page.sections);
        let moved = sections.filter(|section| !section.is_stale() && !section.checked.moved.is_empty());
        Self(moved.map(|section| (section.content_hash.clone(), section.citations.clone())).collect())
    }

    /// Of all sections that are not stale: for a writer whose new text says where it is from itself, unless it was not taken.
    pub(crate) fn of_all<'a>(pages: impl IntoIterator<Item = &'a JudgedPage>) -> Self {
        let sections = pages.into_iter().flat_map(|page| &page.sections).filter(|section| !section.is_stale());
        Self(sections.map(|section| (section.content_hash.clone(), section.citations.clone())).collect())
    }

    /// Whether nothing moved.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts them in place of where they led at an earlier commit.
    pub(crate) fn apply(&self, earlier: &mut HashMap<String, EarlierSection>) {
        for (hash, citations) in &self.0 {
            earlier.entry(hash.clone()).or_default().citations.clone_from(citations);
        }
    }
}
