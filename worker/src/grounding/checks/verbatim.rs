//! Rule (d), first half: code that names its source is verbatim. Reason: readers copy it, and a quotation that was touched up
//! is an invention with a source. Ends of lines, a common indentation and marked omissions (`…`, `...`) are free.

use shared::{
    citation::WrittenCitation,
    evidence::{CitationState, Rule, Severity},
};

use super::{
    document::Document,
    fences::Fence,
    scene::{Findings, Says, Scene, short},
};

/// Holds every code block with a source against it.
pub(super) fn check(scene: &Scene<'_>, findings: &mut Findings) {
    for (page, document) in scene.documents.iter().enumerate() {
        for fence in document.fences.iter().filter(|fence| !fence.is_example) {
            if let Some(source) = &fence.source {
                check_fence(scene, findings, (page, document), fence, source);
            }
        }
    }
}

fn check_fence(
    scene: &Scene<'_>,
    findings: &mut Findings,
    (page, document): (usize, &Document<'_>),
    fence: &Fence,
    source: &WrittenCitation,
) {
    let Some(citation) = document.citation(fence.section, source) else { return };
    // where it leads nowhere rule (a) says so
    if citation.state == CitationState::Unresolved {
        return;
    }
    let Some(cited) = scene.cited(citation) else { return };
    let written: Vec<&str> = fence.code.lines().map(str::trim_end).filter(|line| !line.trim().is_empty()).collect();
    let written: Vec<&str> = written.into_iter().filter(|line| !is_omission(line)).collect();
    let there: Vec<&str> = cited.text().lines().map(str::trim_end).collect();
    let wrong = first_wrong(&written, &there);
    let verbatim = wrong.as_ref().map_or(written.len(), |wrong| wrong.verbatim);
    let counts = findings.counts(page, fence.section);
    counts.code_lines += u32::try_from(written.len()).unwrap_or(u32::MAX);
    counts.verbatim_lines += u32::try_from(verbatim).unwrap_or(u32::MAX);
    let Some(wrong) = wrong else { return };
    let label = source.label();
    let whole: Vec<&str> = cited.file.text.lines().map(str::trim_end).collect();
    let place = (page, Some(fence.section));
    if first_wrong(&written, &whole).is_none() {
        let at = whole.iter().position(|line| line.trim() == wrong.line.trim()).map_or(1, |at| at + 1);
        let message = format!(
            "the code block shows more than `{}`: `{}` stands in line {at}",
            short(&label),
            short(wrong.line.trim())
        );
        let fix = "name all lines that are shown".to_owned();
        findings.add(scene, place, Rule::Verbatim, Severity::Warning, &Says { message, evidence: wrong.line, fix });
        return;
    }
    let message = format!(
        "the code block is not what stands in `{}`: `{}` is not there",
        short(&label),
        short(wrong.line.trim())
    );
    let fix = match nearest(wrong.line, &whole) {
        Some(line) => {
            format!("the source has `{}`; quote it letter by letter or mark the block `example`", short(line.trim()))
        }
        None => "quote the source letter by letter, leave lines out with `…`, or mark the block `example`".to_owned(),
    };
    findings.add(scene, place, Rule::Verbatim, Severity::Error, &Says { message, evidence: wrong.line, fix });
}

/// A line that stands for lines that were left out: `…`, `// ...`, `# …`, `/* ... */`.
fn is_omission(line: &str) -> bool {
    let core = line.trim().trim_start_matches(['/', '#', '*', '-', ';', '<', '!', ' ', '(', '[', '{', '%']);
    let core = core.trim_end_matches(['/', '*', '-', '>', ' ', ')', ']', '}', ',']);
    let dots = core.starts_with('…') || core.starts_with("...");
    dots && core.trim_start_matches(['…', '.', ' ']).split_whitespace().count() <= 6
}

struct Wrong<'t> {
    line: &'t str,
    /// How many lines are right all the same.
    verbatim: usize,
}

/// The first line that does not stand in the source behind those before it.
fn first_wrong<'t>(written: &[&'t str], there: &[&str]) -> Option<Wrong<'t>> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    // a method may be quoted without the indentation of its type, but by the same amount in every line
    let moved = written.iter().find_map(|line| {
        let same = there.iter().find(|known| known.trim() == line.trim())?;
        Some(i64::try_from(indent(same)).unwrap_or(0) - i64::try_from(indent(line)).unwrap_or(0))
    });
    let moved = moved.filter(|moved| *moved > 0).unwrap_or(0);
    let equal = |line: &str, known: &str| {
        line.trim() == known.trim()
            && (line == known
                || i64::try_from(indent(line)).unwrap_or(0) + moved == i64::try_from(indent(known)).unwrap_or(0))
    };
    let mut at = 0;
    let mut verbatim = 0;
    let mut wrong = None;
    for line in written {
        match there[at..].iter().position(|known| equal(line, known)) {
            Some(found) => {
                at += found + 1;
                verbatim += 1;
            }
            None => wrong = wrong.or(Some(*line)),
        }
    }
    wrong.map(|line| Wrong { line, verbatim })
}

/// The line of the source that shares most words with a wrong one.
fn nearest<'t>(line: &str, there: &[&'t str]) -> Option<&'t str> {
    let words: Vec<&str> =
        line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| word.len() > 1).collect();
    let shared = |known: &str| words.iter().filter(|word| known.contains(**word)).count();
    let best = there.iter().take(20_000).max_by_key(|known| shared(known))?;
    (!words.is_empty() && shared(best) * 2 >= words.len()).then_some(*best)
}
