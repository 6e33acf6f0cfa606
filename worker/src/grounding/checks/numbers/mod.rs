//! Rule (e): numbers, ports and defaults beside a citation occur in the cited lines. Reason: a wrong port or limit costs a
//! reader an hour, and nobody notices it while reading. Only numbers that claim something are judged: with a unit, behind a
//! word such as `port` or `default`, or in such a column.

mod claims;
mod values;

use shared::{
    citation::WrittenCitation,
    evidence::{Rule, Severity},
};

use self::{
    claims::{Claim, claims},
    values::Values,
};
use super::{
    document::{Block, Document},
    scene::{Cited, Findings, Says, Scene, short},
};
use crate::grounding::index::words;

/// Longest definition, in lines, whose numbers count for the name that stands in cited lines.
const SHORT_DEFINITION: u32 = 6;

/// Looks for the numbers of every cited block in its cited lines.
pub(super) fn check(scene: &Scene<'_>, findings: &mut Findings) {
    for (page, document) in scene.documents.iter().enumerate() {
        for block in document.blocks.iter().filter(|block| !block.citations.is_empty()) {
            let claims = claims(block);
            if !claims.is_empty() {
                check_block(scene, findings, (page, document), block, &claims);
            }
        }
    }
}

fn check_block(
    scene: &Scene<'_>,
    findings: &mut Findings,
    (page, document): (usize, &Document<'_>),
    block: &Block,
    claims: &[Claim],
) {
    let own = block.citations.iter().filter_map(|written| document.citation(block.section, written));
    let own: Vec<Cited> = own.filter_map(|citation| scene.cited(citation)).collect();
    if own.is_empty() {
        return;
    }
    let beside = Values::of(own.iter().map(Cited::text_with_comments));
    let missing: Vec<&Claim> = claims.iter().filter(|claim| !beside.hold(claim)).collect();
    if missing.is_empty() {
        return;
    }
    let section = document.sections.get(block.section as usize);
    let cited = section.map_or(&[][..], |section| &section.citations).iter();
    let all: Vec<Cited> = cited.filter_map(|citation| scene.cited(citation)).collect();
    let mut texts: Vec<String> = all.iter().map(|cited| cited.text_with_comments().to_owned()).collect();
    texts.extend(texts_of_names(scene, &own));
    let around = Values::of(texts.iter().map(String::as_str));
    let missing: Vec<&&Claim> = missing.iter().filter(|claim| !around.hold(claim)).collect();
    if missing.is_empty() {
        return;
    }
    let files = Values::of(own.iter().map(|cited| cited.file.text.as_str()));
    for claim in missing {
        let place = (page, Some(block.section));
        let label = own.first().map(|cited| WrittenCitation { path: cited.path.clone(), lines: Some(cited.lines) });
        let label = label.map(|label| label.label()).unwrap_or_default();
        let message = format!("`{}` does not occur in the cited lines (`{}`)", short(&claim.written), short(&label));
        let (severity, fix) = if files.hold(claim) {
            (Severity::Warning, "it stands elsewhere in the cited file: cite those lines, or correct the number")
        } else {
            (Severity::Error, "correct the number, or cite the lines that set it")
        };
        let says = Says { message, evidence: &claim.written, fix: fix.to_owned() };
        findings.add(scene, place, Rule::Number, severity, &says);
    }
}

/// The short definitions of what cited lines name: `DEFAULT_PORT` stands for its value.
fn texts_of_names(scene: &Scene<'_>, cited: &[Cited]) -> Vec<String> {
    let mut names: Vec<&str> = cited.iter().flat_map(|cited| words(cited.text()).take(2_000)).collect();
    names.sort_unstable();
    names.dedup();
    let mut texts = Vec::new();
    for name in names {
        let definitions = scene.index.definitions(name);
        if definitions.len() > 4 {
            continue;
        }
        for definition in definitions.iter() {
            let (first, last) = definition.lines;
            if last.saturating_sub(first) < SHORT_DEFINITION
                && let Some(text) = scene.text(definition.path)
                && let Some(lines) = text.lines(first, last)
            {
                texts.push(lines.to_owned());
            }
        }
    }
    texts
}
