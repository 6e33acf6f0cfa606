//! Where the citations of a page lead at a commit. What does not resolve as it is written is repaired: by what an earlier run
//! knew of the same words, by the content of the lines, or by the symbol that is named. Whatever is left leads nowhere, and is
//! kept as such.
//!
//! The text is never changed. In reading order: `names` (what a text speaks of), `moved` (lines found again by their hash).

mod names;
mod moved;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, HashSet};

use sha2::{Digest, Sha256};
use shared::{
    citation::{FoundCitation, WrittenCitation, found_citations},
    db::sections::EarlierSection,
    evidence::{Citation, CitationState, SectionEvidence},
    section::{self, Section},
};

pub(crate) use self::{
    moved::{HashBudget, find_lines},
    names::names_in,
};
use super::index::{Definition, FileText, Index, IndexedFile, PathMatch};

/// Most citations of a section that are looked up; more are of no use to a reader.
pub(crate) const MAX_SECTION_CITATIONS: usize = 300;
/// Most citations of a page that are looked up.
pub(crate) const MAX_PAGE_CITATIONS: usize = 2_000;
/// Most names that are kept of a section.
pub(crate) const MAX_IDENTIFIERS: usize = 500;
/// Longest range that is left as it is written.
pub(crate) const MAX_RANGE_LINES: u32 = 60;
/// How far behind the end of a file a range may end to be cut there.
pub(crate) const MAX_OVERSHOOT_LINES: u32 = 5;
/// Most files of the same name that are compared with one that is gone.
const MAX_NAMESAKES: usize = 50;
/// Longest text of a citation that is kept, in bytes; what is longer leads nowhere.
const MAX_WRITTEN_BYTES: usize = 500;

/// Resolves the citations of pages at one commit.
pub(crate) struct Resolver<'a> {
    index: &'a Index,
    /// What an earlier run knew, by the hash of a section's text.
    earlier: &'a HashMap<String, EarlierSection>,
    /// Bounds the search for lines that moved, all pages together.
    budget: HashBudget,
}

/// The sections of a page, resolved, and what was not looked at.
#[derive(Debug, Default)]
pub(crate) struct Resolved {
    /// In order. Nothing is checked yet: counts are zero and everything is verified.
    pub(crate) sections: Vec<SectionEvidence>,
    /// Whether there are more citations than are looked up.
    pub(crate) is_cut: bool,
}

impl<'a> Resolver<'a> {
    /// A resolver for pages of one run.
    pub(crate) fn new(index: &'a Index, earlier: &'a HashMap<String, EarlierSection>) -> Self {
        Self { index, earlier, budget: HashBudget::default() }
    }

    /// Resolves one page.
    pub(crate) fn page(&mut self, markdown: &str) -> Resolved {
        let mut resolved = Resolved::default();
        let mut left = MAX_PAGE_CITATIONS;
        for section in section::sections(markdown) {
            let most = left.min(MAX_SECTION_CITATIONS);
            let found = found_citations(section.text, most + 1);
            resolved.is_cut |= found.len() > most;
            let citations = self.section(&section, &found[..found.len().min(most)]);
            left -= citations.len();
            resolved.sections.push(SectionEvidence {
                position: small(section.position),
                heading: section.heading.unwrap_or_default().to_owned(),
                bytes: (small(section.bytes.start), small(section.bytes.end)),
                content_hash: hash(section.text),
                identifiers: Self::identifiers(section.text),
                citations,
                verified: true,
                ..SectionEvidence::default()
            });
        }
        resolved
    }

    /// The names that a section speaks of. What is a file is none.
    fn identifiers(text: &str) -> Vec<String> {
        let names: BTreeSet<String> = names_in(text).into_iter().collect();
        names.into_iter().take(MAX_IDENTIFIERS).collect()
    }

    /// The citations of a section, each text once.
    fn section(&mut self, section: &Section<'_>, found: &[FoundCitation<'_>]) -> Vec<Citation> {
        let earlier = self.earlier.get(&hash(section.text));
        let mut seen = HashSet::new();
        let mut citations = Vec::with_capacity(found.len());
        for one in found.iter().filter(|one| seen.insert(one.written)) {
            let known = earlier.and_then(|earlier| {
                let same = earlier.citations.iter().find(|known| known.written == one.written);
                same.filter(|known| !known.content_hash.is_empty())
            });
            citations.push(self.citation(section.text, one, known));
        }
        citations
    }

    fn citation(&mut self, text: &str, found: &FoundCitation<'_>, known: Option<&Citation>) -> Citation {
        let place = found.citation.as_ref().filter(|_| found.written.len() <= MAX_WRITTEN_BYTES).and_then(|written| {
            let context = Context { text, found, written };
            match known {
                Some(known) => self.follow(&context, known),
                None => self.resolve(&context),
            }
        });
        let written = shortened(found.written);
        match place {
            Some(place) => place.into_citation(written),
            None => Citation {
                path: found.citation.as_ref().map_or_else(|| written.clone(), |citation| citation.path.clone()),
                written,
                lines: found.citation.as_ref().and_then(|citation| citation.lines),
                content_hash: String::new(),
                state: CitationState::Unresolved,
            },
        }
    }

    /// Where the lines went that an earlier run knew under the same words.
    fn follow(&mut self, context: &Context<'_>, known: &Citation) -> Option<Place> {
        let here = self.index.file(&known.path).and_then(|file| self.place(file, known.lines, known.state));
        if let Some(here) = here.as_ref().filter(|here| here.content_hash == known.content_hash) {
            return Some(Place { state: context.state_of(here, known.state), ..here.clone() });
        }
        let moved = match known.lines {
            Some(lines) => find_lines(self.index, &known.path, lines, &known.content_hash, &mut self.budget)
                .map(|(path, lines)| (path, Some(lines))),
            None => self.find_whole_file(known).map(|path| (path, None)),
        };
        if let Some((path, lines)) = moved {
            let place = self.place(self.index.file(&path)?, lines, CitationState::Moved)?;
            return Some(Place { state: context.state_of(&place, CitationState::Moved), ..place });
        }
        // what stands there was changed: the symbol may have gone elsewhere
        match (here, self.by_symbol(context, Some(&known.path))) {
            (Some(here), Some(symbol)) if here.overlaps(&symbol) => Some(here),
            (_, Some(symbol)) => Some(symbol),
            (Some(here), None) => Some(here),
            (None, None) => self.resolve(context),
        }
    }

    /// As it is written, or repaired.
    fn resolve(&mut self, context: &Context<'_>) -> Option<Place> {
        let written = context.written;
        let (candidates, state) = match self.index.find_path(&written.path) {
            PathMatch::Exact(file) => (vec![file], CitationState::Exact),
            PathMatch::Suffix(file) => (vec![file], CitationState::Adjusted),
            PathMatch::Ambiguous(files) => (files, CitationState::Adjusted),
            PathMatch::Missing => (Vec::new(), CitationState::Adjusted),
        };
        match candidates.as_slice() {
            [file] => match self.place(file, written.lines, state) {
                Some(place) => Some(self.narrowed(context, place)),
                None => self.by_symbol(context, Some(&file.path)),
            },
            [] => self.by_symbol(context, None),
            // only a symbol tells which one is meant
            several => {
                let mut places = several.iter().filter_map(|file| self.by_symbol(context, Some(&file.path)));
                places.next().filter(|_| places.next().is_none())
            }
        }
    }

    /// The lines of a file, cut at its end when they end a little behind it.
    fn place(&self, file: &IndexedFile, lines: Option<(u32, u32)>, state: CitationState) -> Option<Place> {
        let path = file.path.clone();
        let Some((first, last)) = lines else {
            // what is not text is known by its id
            let text = self.index.text(&file.path);
            let content_hash = text.map_or_else(|| hash(&file.blob), |text| hash(&text.text));
            return Some(Place { path, lines: None, content_hash, state });
        };
        let text = self.index.text(&file.path)?;
        let count = text.line_count();
        let is_near = first <= count.saturating_add(1) && last <= count.saturating_add(MAX_OVERSHOOT_LINES);
        if count == 0 || first == 0 || !(last <= count || is_near) {
            return None;
        }
        let cut = (first.min(count), last.min(count));
        let state = if cut == (first, last) { state } else { CitationState::Adjusted };
        Some(Place { path, lines: Some(cut), content_hash: hash(text.lines(cut.0, cut.1)?), state })
    }

    /// A long range becomes the definitions in it that the text names, first those named close to the citation. A fence says
    /// by its code what is meant.
    fn narrowed(&self, context: &Context<'_>, place: Place) -> Place {
        let Some((first, last)) = place.lines.filter(|(first, last)| last - first >= MAX_RANGE_LINES) else {
            return place;
        };
        if context.found.is_fence {
            return place;
        }
        let is_whole = |name: &String| {
            let definitions = self.index.definitions(name).iter();
            definitions.filter(|found| found.path == place.path).any(|found| found.lines == (first, last))
        };
        // a long definition is cited whole for what is said of the whole
        if names_in(context.text).iter().any(is_whole) {
            return place;
        }
        for names in [names_in(context.near()), names_in(context.text)] {
            let inside = names.iter().flat_map(|name| self.index.definitions(name).iter()).filter(|definition| {
                definition.path == place.path && definition.lines.0 >= first && definition.lines.1 <= last
            });
            let range = inside.map(|definition| definition.lines).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
            if let Some((start, end)) = range.filter(|range| *range != (first, last))
                && let Some(file) = self.index.file(&place.path)
                && let Some(narrow) = self.place(file, Some((start, end)), CitationState::Adjusted)
            {
                return narrow;
            }
        }
        place
    }

    /// The one definition of something that is named close to the citation: in this file, or in any whose name is the same.
    fn by_symbol(&self, context: &Context<'_>, path: Option<&str>) -> Option<Place> {
        context.written.lines?;
        let file_name = |path: &str| path.rsplit('/').next().map(str::to_owned);
        let is_here = |definition: &Definition<'_>| match path {
            Some(path) => definition.path == path,
            None => file_name(definition.path) == file_name(&context.written.path),
        };
        let names = names_in(context.near());
        let found = names.iter().find_map(|name| {
            let mut here = self.index.definitions(name).iter().filter(is_here);
            here.next().filter(|_| here.next().is_none())
        })?;
        self.place(self.index.file(found.path)?, Some(found.lines), CitationState::Moved)
    }

    /// A file that went into another folder: one of the same name and content.
    fn find_whole_file(&self, known: &Citation) -> Option<String> {
        let name = known.path.rsplit('/').next().unwrap_or_default();
        let is_named = |file: &&IndexedFile| file.path.rsplit('/').next() == Some(name);
        let named = self.index.files().iter().filter(is_named).take(MAX_NAMESAKES);
        let mut places = named.filter_map(|file| self.place(file, None, CitationState::Moved));
        places.find(|place| place.content_hash == known.content_hash).map(|place| place.path)
    }
}

/// A citation and the words around it.
struct Context<'a> {
    text: &'a str,
    found: &'a FoundCitation<'a>,
    written: &'a WrittenCitation,
}

impl<'a> Context<'a> {
    /// The state of a place, which may be the one that is written, after it was elsewhere for a while.
    fn state_of(&self, place: &Place, otherwise: CitationState) -> CitationState {
        let is_as_written = self.written.lines == place.lines && self.written.path == place.path;
        if is_as_written { CitationState::Exact } else { otherwise }
    }

    /// The paragraph or list item that the citation ends, up to it.
    fn near(&self) -> &'a str {
        let before = &self.text[..self.found.at];
        let start = before.rfind("\n\n").map_or(0, |at| at + 2);
        let item = ["\n- ", "\n* ", "\n| "].iter().filter_map(|mark| before.rfind(mark)).max().map_or(0, |at| at + 1);
        &before[start.max(item)..]
    }
}

/// Where a citation leads.
#[derive(Debug, Clone)]
struct Place {
    path: String,
    lines: Option<(u32, u32)>,
    content_hash: String,
    state: CitationState,
}

impl Place {
    fn overlaps(&self, other: &Self) -> bool {
        let is_common = |a: (u32, u32), b: (u32, u32)| a.0 <= b.1 && b.0 <= a.1;
        self.path == other.path && self.lines.zip(other.lines).is_none_or(|(a, b)| is_common(a, b))
    }

    fn into_citation(self, written: String) -> Citation {
        let Self { path, lines, content_hash, state } = self;
        Citation { written, path, lines, content_hash, state }
    }
}

/// SHA-256 of a text, in hex.
pub(crate) fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

fn shortened(text: &str) -> String {
    let mut end = text.len().min(MAX_WRITTEN_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The text of a file, for `moved`.
type Text = std::sync::Arc<FileText>;
