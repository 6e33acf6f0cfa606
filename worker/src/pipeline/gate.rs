//! The gate between `validating` and everything that readers see: a site below the grade that is asked for is not published.
//! The old one stays, and what was found stays in the rows of the run.

use std::fmt::Write as _;

use shared::{
    db,
    evidence::{Evidence, Finding, Grade, Severity},
};
use sqlx::PgConnection;

use super::{StageError, run::Run};
use crate::Worker;

/// Most findings that the sentence names, and the longest part of each, in characters.
const MAX_NAMED: usize = 3;
const MAX_NAMED_CHARS: usize = 200;

/// Ends the run when its site is below the grade. `wished` is what the request asks for, else the repository; `MIN_GRADE` is
/// a floor under both.
pub(crate) async fn pass(run: &Run, wished: Option<Grade>) -> Result<(), StageError> {
    let Some(asked) = asked(&run.worker, wished) else { return Ok(()) };
    let mut connection = run.worker.config.pool.acquire().await?;
    let id = run.claimed.id;
    if db::sections::find_grade(&mut connection, id).await?.is_some_and(|grade| grade.reaches(asked)) {
        return Ok(());
    }
    let sentence = match db::sections::find_evidence(&mut connection, id).await? {
        Some(found) => refusal(&found, asked),
        None => format!("grade {asked} is asked for and nobody checked these pages; use retry-from/validating"),
    };
    Err(StageError::Fail(sentence))
}

/// Whether the site that a variant shows reaches the grade that a request asks for. One that nobody checked reaches none.
pub(crate) async fn served_reaches(
    conn: &mut PgConnection,
    variant: i64,
    wished: Option<Grade>,
) -> Result<bool, StageError> {
    let Some(wished) = wished else { return Ok(true) };
    let Some((maker, _)) = db::generations::find_served(conn, variant).await? else { return Ok(false) };
    Ok(db::sections::find_grade(conn, maker).await?.is_some_and(|grade| grade.reaches(wished)))
}

/// The grade that the site must reach.
pub(super) fn asked(worker: &Worker, wished: Option<Grade>) -> Option<Grade> {
    // the best one is the least
    [wished, worker.config.min_grade].into_iter().flatten().min()
}

fn refusal(found: &Evidence, asked: Grade) -> String {
    let (grade, points) = found.score.as_ref().map_or((Grade::F, 0.0), |score| (score.grade, score.points));
    let count = |severity| found.findings.iter().filter(|finding| finding.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let mut out = format!(
        "the documentation has grade {grade} ({points:.1} of 100 points) and {asked} is asked for: {errors} errors, \
         {warnings} warnings"
    );
    let mut gravest: Vec<&Finding> =
        found.findings.iter().filter(|finding| finding.severity != Severity::Note).collect();
    gravest.sort_by_key(|finding| finding.severity);
    let mut named: Vec<String> = Vec::new();
    for told in gravest.iter().map(|finding| told(finding)) {
        // sections of a page may have the same to say
        if !named.contains(&told) {
            named.push(told);
        }
        if named.len() == MAX_NAMED {
            break;
        }
    }
    if !named.is_empty() {
        write!(out, "; the gravest: {}", named.join("; ")).expect("writing to a String cannot fail");
    }
    out + ". `force` writes the pages anew"
}

/// A finding as a part of a sentence.
fn told(finding: &Finding) -> String {
    let place = finding.page.as_ref().map_or_else(String::new, |page| format!("page `{page}`: "));
    let message = finding.message.chars().map(|c| if c.is_control() { ' ' } else { c });
    place.chars().chain(message.take(MAX_NAMED_CHARS)).collect()
}

#[cfg(test)]
mod tests {
    use shared::evidence::Rule;

    use super::*;

    #[test]
    fn a_refusal_names_both_grades_and_the_gravest_findings_and_has_an_end() {
        let finding = |severity, message: &str| Finding {
            page: Some("intro".parse().unwrap()),
            section: Some(1),
            rule: Rule::Citation,
            severity,
            message: message.to_owned(),
            evidence: String::new(),
            fix: String::new(),
        };
        let mut findings = vec![finding(Severity::Warning, "a warning"), finding(Severity::Error, "an\nerror")];
        findings.extend((0..499).map(|_| finding(Severity::Error, &"x".repeat(500))));
        findings.push(finding(Severity::Error, "another"));
        let sentence = refusal(&Evidence { findings, ..Evidence::default() }, Grade::B);
        assert!(
            sentence.starts_with("the documentation has grade F (0.0 of 100 points) and B is asked for: 501 errors")
        );
        assert!(sentence.contains("the gravest: page `intro`: an error; page `intro`: xx"), "{sentence}");
        assert!(sentence.chars().count() < 900 && !sentence.contains("a warning"), "{sentence}");
        assert_eq!(sentence.matches("page `intro`").count(), 3, "what is said twice is told once: {sentence}");
    }
}
