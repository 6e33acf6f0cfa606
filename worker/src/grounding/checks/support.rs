//! Rule (b): what a section names stands in the lines that it cites. Reason: a citation that has nothing to do with its text
//! is worse than none. On published pages 68 % of a section's identifiers stand in its cited lines, in random lines of the same
//! file 39 % and in other files 1 %: so a section is an error only when it names several and none of them is there.

use std::collections::BTreeSet;

use shared::evidence::{CitationState, Rule, Severity};

use super::{
    document::{Block, Document},
    scene::{Cited, Findings, Says, Scene, short},
    spans,
};
use crate::grounding::index::words;

/// From so many identifiers on none of them in the cited lines is an error.
const LEAST: usize = 3;
/// From so many on a small share is a warning.
const MANY: usize = 6;
/// A share below it is a warning, in percent.
const SMALL_PERCENT: usize = 20;

/// Compares each cited section with the lines that it cites.
pub(super) fn check(scene: &Scene<'_>, findings: &mut Findings) {
    for (page, document) in scene.documents.iter().enumerate() {
        for (place, section) in (0_u32..).zip(&document.sections) {
            let cited: Vec<Cited> =
                section.citations.iter().filter_map(|citation| scene.cited_as_written(citation)).collect();
            if cited.is_empty() {
                continue;
            }
            let named: BTreeSet<&str> = document
                .blocks
                .iter()
                .filter(|block| block.section == place)
                .flat_map(|block| named(scene, block))
                .collect();
            let evidence = Evidence::of(scene, &cited);
            let found = named.iter().filter(|name| evidence.has(scene, name)).count();
            let counts = findings.counts(page, place);
            counts.supportable += count(named.len());
            counts.supported += count(found);
            // what leads nowhere is told by rule (a), and might have held them
            if section.citations.iter().any(|citation| citation.state == CitationState::Unresolved) {
                continue;
            }
            let some: Vec<&str> = named.iter().filter(|name| !evidence.has(scene, name)).copied().take(5).collect();
            let listed = some.iter().map(|name| format!("`{}`", short(name))).collect::<Vec<_>>().join(", ");
            let fix = fix_for(scene, &some);
            // a whole file is cited as a pointer as often as a source
            let names_lines = section.citations.iter().any(|citation| citation.lines.is_some());
            let weight = |severity| if names_lines { severity } else { Severity::Note };
            if named.len() >= LEAST && found == 0 {
                let message = format!("the cited lines hold none of the names that the section speaks of: {listed}");
                let says = Says { message, evidence: &some.join(" "), fix };
                findings.add(scene, (page, Some(place)), Rule::Support, weight(Severity::Error), &says);
            } else if named.len() >= MANY && found * 100 < named.len() * SMALL_PERCENT {
                let message = format!(
                    "the cited lines hold {found} of {} names that the section speaks of; not {listed}",
                    named.len()
                );
                let says = Says { message, evidence: &some.join(" "), fix };
                findings.add(scene, (page, Some(place)), Rule::Support, weight(Severity::Warning), &says);
            } else {
                check_blocks(scene, findings, (page, document), place, &evidence);
            }
        }
    }
}

/// A single block whose own citation, and whose section's, has nothing of it: a statement slipped in among true ones.
fn check_blocks(
    scene: &Scene<'_>,
    findings: &mut Findings,
    (page, document): (usize, &Document<'_>),
    place: u32,
    of_section: &Evidence,
) {
    for block in document.blocks.iter().filter(|block| block.section == place && !block.citations.is_empty()) {
        let resolved = block.citations.iter().filter_map(|written| document.citation(place, written));
        if !resolved.into_iter().any(|citation| citation.state != CitationState::Unresolved) {
            continue;
        }
        let named: BTreeSet<&str> = named(scene, block).into_iter().collect();
        if named.len() < LEAST || named.iter().any(|name| of_section.has(scene, name)) {
            continue;
        }
        let some: Vec<&str> = named.iter().copied().take(5).collect();
        let listed = some.iter().map(|name| format!("`{}`", short(name))).collect::<Vec<_>>().join(", ");
        let message = format!("the cited lines hold none of the names that stand beside them: {listed}");
        let says = Says { message, evidence: &some.join(" "), fix: fix_for(scene, &some) };
        findings.add(scene, (page, Some(place)), Rule::Support, Severity::Warning, &says);
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Where the first of the names is defined.
fn fix_for(scene: &Scene<'_>, names: &[&str]) -> String {
    let defined = names.iter().find_map(|name| scene.index.definitions(name).first());
    match defined {
        Some(at) => format!(
            "`{}` is defined in `{}:{}`; cite the lines that the text is about",
            short(at.name),
            short(at.path),
            at.lines.0
        ),
        None => "cite the lines that the text is about".to_owned(),
    }
}

/// The identifiers of a block that exist in the repository at all; the others are a matter of rule (c).
fn named<'b>(scene: &Scene<'_>, block: &'b Block) -> Vec<&'b str> {
    let last_words = block.spans.iter().filter_map(|span| spans::identifier(&span.text));
    last_words.filter(|word| scene.index.has_word(word)).collect()
}

/// The words of cited lines, and of what stands around them.
struct Evidence {
    words: BTreeSet<String>,
    places: Vec<(String, (u32, u32))>,
}

impl Evidence {
    fn of(_scene: &Scene<'_>, cited: &[Cited]) -> Self {
        let mut all = BTreeSet::new();
        for lines in cited {
            all.extend(words(lines.text_with_comments()).map(str::to_owned));
            all.extend(words(&lines.path).map(str::to_owned));
        }
        let places = cited.iter().map(|lines| (lines.path.clone(), lines.lines)).collect();
        Self { words: all, places }
    }

    /// Whether a name stands in the lines, or is that of the definition which they are part of.
    fn has(&self, scene: &Scene<'_>, name: &str) -> bool {
        self.words.contains(name)
            || scene.index.definitions(name).iter().any(|definition| {
                let (first, last) = definition.lines;
                let is_around = |(path, lines): &(String, (u32, u32))| {
                    *path == definition.path && first <= lines.1 && lines.0 <= last
                };
                self.places.iter().any(is_around)
            })
            || scene.index.definitions(name).is_empty()
                && super::project::spellings(name).iter().any(|other| self.words.contains(other))
    }
}
