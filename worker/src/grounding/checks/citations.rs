//! Rule (a): citations resolve. Reason: a reader who opens a citation and finds nothing trusts nothing else; and a writer that
//! invents places invents what stands there, too.

use shared::{
    citation::WrittenCitation,
    evidence::{CitationState, Rule, Severity},
};

use super::scene::{Findings, Says, Scene, short};
use crate::grounding::index::{Index, PathMatch};

/// Counts citations and tells of those that lead nowhere.
pub(super) fn check(scene: &Scene<'_>, findings: &mut Findings) {
    for (page, document) in scene.documents.iter().enumerate() {
        for (place, section) in (0_u32..).zip(&document.sections) {
            for citation in &section.citations {
                let counts = findings.counts(page, place);
                counts.citations += 1;
                if citation.state != CitationState::Unresolved {
                    counts.resolved += 1;
                    continue;
                }
                let (reason, fix) = why(scene.index, &citation.written);
                let message = format!("the citation `{}` leads nowhere: {reason}", short(&citation.written));
                let says = Says { message, evidence: &citation.written, fix };
                findings.add(scene, (page, Some(place)), Rule::Citation, Severity::Error, &says);
            }
        }
        for (section, text) in &document.not_citations {
            if !is_meant_as_citation(text) {
                continue;
            }
            let message = format!("`[[{}]]` is no citation of a file of the repository", short(text));
            let fix =
                "cite a path from the root of the repository with its lines, as in `[[src/main.rs:10-24]]`".to_owned();
            let known = document.sections.get(*section as usize).map(|section| &section.citations);
            if !known.is_some_and(|known| known.iter().any(|known| known.written == *text)) {
                findings.counts(page, *section).citations += 1;
            }
            let says = Says { message, evidence: text, fix };
            findings.add(scene, (page, Some(*section)), Rule::Citation, Severity::Error, &says);
        }
    }
}

/// `[[nodiscard]]` and wiki links of words are text; what has a path or lines in it was to be a citation.
fn is_meant_as_citation(text: &str) -> bool {
    let has_lines = text.rsplit_once(':').is_some_and(|(_, lines)| lines.starts_with(|c: char| c.is_ascii_digit()));
    !text.contains(char::is_whitespace) && (text.contains('/') || has_lines)
}

/// Why a citation leads nowhere, and what to do.
fn why(index: &Index, written: &str) -> (String, String) {
    let Some(citation) = WrittenCitation::parse(written) else {
        return (
            "it names no file inside of the repository".to_owned(),
            "cite a path from the root of the repository".to_owned(),
        );
    };
    let file = match index.find_path(&citation.path) {
        PathMatch::Exact(file) | PathMatch::Suffix(file) => file,
        PathMatch::Ambiguous(files) => {
            let some: Vec<String> = files.iter().take(3).map(|file| format!("`{}`", short(&file.path))).collect();
            return (format!("{} files end so", files.len()), format!("write the whole path: {}", some.join(", ")));
        }
        PathMatch::Missing => {
            if let Some((path, lines)) = citation.path.rsplit_once([':', '#'])
                && let PathMatch::Exact(file) | PathMatch::Suffix(file) = index.find_path(path)
            {
                let last = file.lines.map_or_else(String::new, |count| format!(" to {count}"));
                return (
                    format!("`{}` names no lines of `{}`", short(lines), short(&file.path)),
                    format!("cite lines as `10` or `10-24`, from 1{last}"),
                );
            }
            let name = citation.path.rsplit('/').next().unwrap_or_default();
            let fix = match index.find_path(name) {
                PathMatch::Exact(file) | PathMatch::Suffix(file) => format!("maybe `{}` is meant", short(&file.path)),
                _ => "cite a file that exists, or leave out what nothing supports".to_owned(),
            };
            return ("there is no such file at this commit".to_owned(), fix);
        }
    };
    match (file.lines, citation.lines) {
        (Some(count), Some((first, last))) if first.max(last) > count => (
            format!("`{}` has {count} lines", short(&file.path)),
            format!("cite lines from 1 to {count} that say what the text says"),
        ),
        (None, _) => ("the file was not read: it is binary or too large".to_owned(), "cite a text file".to_owned()),
        _ => ("the cited lines do not stand there".to_owned(), "cite the lines that say what the text says".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_citation_that_leads_nowhere_is_told_what_is_wrong_with_it() {
        let index = Index::of_files([("src/lib.rs".to_owned(), b"a\nb\nc\n".to_vec())]);
        for (written, reason) in [
            ("src/lib.rs:0", "`0` names no lines of `src/lib.rs`"),
            ("lib.rs:-1", "`-1` names no lines of `src/lib.rs`"),
            ("src/lib.rs#L1-L999999999999", "`L1-L999999999999` names no lines of `src/lib.rs`"),
            ("src/lib.rs:9", "`src/lib.rs` has 3 lines"),
            ("src/gone.rs:1", "there is no such file at this commit"),
            ("../x:1", "it names no file inside of the repository"),
        ] {
            assert_eq!(why(&index, written).0, reason, "{written}");
        }
        assert_eq!(why(&index, "src/lib.rs:0").1, "cite lines as `10` or `10-24`, from 1 to 3");
    }
}
