//! Rule (c): names in backticks exist. Reason: an invented function, flag or route is what a reader tries first. A name is
//! accused only when it stands nowhere in the repository in any spelling, and only when it looks like one of this project.

mod cues;
mod known;
mod lookup;
mod suspects;

use std::collections::BTreeSet;

use shared::evidence::{CitationState, Rule, Severity};

use self::lookup::{Lookup, Verdict};
use super::{
    document::{Block, Document},
    project::one_spelling,
    scene::{Findings, Says, Scene, short},
};

pub(super) use self::{cues::is_flag_of_example, known::is_well_known, suspects::Suspects};

/// Looks up every code span; what is not found is searched for in the texts once more, all at once.
pub(super) fn check(scene: &Scene<'_>, findings: &mut Findings) {
    let lookup = Lookup::new(scene);
    let mut suspects = Suspects::default();
    let mut missing = Vec::new();
    for (page, document) in scene.documents.iter().enumerate() {
        let mut seen: BTreeSet<(u32, &str)> = BTreeSet::new();
        let of_other_times = cues::sections_of_other_times(document);
        for block in document.blocks.iter().filter(|block| !of_other_times.contains(&block.section)) {
            for span in &block.spans {
                if !seen.insert((block.section, &span.text)) || is_external(scene, document, &span.text) {
                    continue;
                }
                match lookup.find(block, span) {
                    Verdict::NotJudged => {}
                    Verdict::Known => {
                        let counts = findings.counts(page, block.section);
                        counts.names += 1;
                        counts.known_names += 1;
                    }
                    Verdict::Missing(missed) => {
                        let needles: Vec<usize> =
                            missed.needles.iter().map(|needle| suspects.add(needle.clone())).collect();
                        missing.push((page, block, span.text.as_str(), missed, needles));
                    }
                }
            }
        }
    }
    let found = suspects.search(scene.index);
    for (page, block, text, missed, needles) in missing {
        if needles.iter().any(|needle| found.contains(needle)) {
            let counts = findings.counts(page, block.section);
            counts.names += 1;
            counts.known_names += 1;
            continue;
        }
        if cues::is_no_claim(block, text, missed.looks_own) || is_from_elsewhere(scene, page, &missed, block, text) {
            continue;
        }
        findings.counts(page, block.section).names += 1;
        let severity = severity_of(scene, page, block, &missed);
        let message = format!("{} `{}` does not exist in the repository", missed.what, short(text));
        let says = Says { message, evidence: text, fix: missed.fix };
        findings.add(scene, (page, Some(block.section)), Rule::Name, severity, &says);
    }
}

/// Whether the page says that it is not of this project.
fn is_external(scene: &Scene<'_>, document: &Document<'_>, text: &str) -> bool {
    let is_other =
        |package: &str| scene.project.dependencies.contains(&one_spelling(package)) || is_well_known(package);
    document.external.contains(text)
        || document.of_packages.iter().any(|(label, package)| label == text && is_other(package))
        || document.external.iter().any(|name| name.trim_end_matches("()") == text.trim_end_matches("()"))
}

/// A name without a sign that it is one of this project, beside the name of something else, or in an example.
fn is_from_elsewhere(scene: &Scene<'_>, page: usize, missed: &lookup::Missed, block: &Block, name: &str) -> bool {
    let document = scene.documents.get(page);
    !missed.looks_own
        && document.is_some_and(|document| {
            cues::names_another(scene, document, block, name)
                || cues::is_of_example(scene, document, name)
                || cues::is_composed(block, name)
                || cues::stands_among_examples(document, block)
        })
}

/// An error when the name looks like one of this project for sure, or when its section says where it is from.
fn severity_of(scene: &Scene<'_>, page: usize, block: &Block, missed: &lookup::Missed) -> Severity {
    if missed.looks_own {
        return Severity::Error;
    }
    let section = scene.documents.get(page).and_then(|document| document.sections.get(block.section as usize));
    let is_cited = section
        .is_some_and(|section| section.citations.iter().any(|citation| citation.state != CitationState::Unresolved));
    if is_cited { Severity::Error } else { Severity::Warning }
}
