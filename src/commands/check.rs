//! `docmill check`: any folder of documentation held against its repository, without a model.

use std::{fmt::Write as _, path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::Args;
use shared::evidence::{Grade, ScoreCard, Severity};
use worker::{DocsCheck, DocsFinding, DocsReport, check_docs};

/// Settings of `docmill check`.
#[derive(Debug, Args)]
pub(crate) struct CheckSettings {
    /// The folder of documentation: Markdown or HTML, docmill's or anybody's
    #[arg(value_name = "DIR")]
    docs: PathBuf,

    /// The repository that is documented [default: the one that DIR lies in]
    #[arg(long, value_name = "PATH")]
    repo: Option<PathBuf>,

    /// The commit to hold the pages against [default: HEAD]
    #[arg(long, value_name = "SHA")]
    commit: Option<String>,

    /// Print everything as JSON
    #[arg(long)]
    json: bool,

    /// End with code 1 when the grade is worse: A, B, C, D or F
    #[arg(long, value_name = "GRADE")]
    min_grade: Option<Grade>,
}

/// Code of the process when the grade is worse than what was asked for.
const BELOW: u8 = 1;
/// Code of the process when nothing could be checked.
const FAILED: u8 = 2;
/// Most notes that are printed for people; `--json` has all.
const MAX_NOTES: usize = 15;

/// Checks, prints, and says by its code whether the grade is good enough.
pub(crate) fn check(settings: CheckSettings) -> ExitCode {
    match try_check(settings) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("docmill: {error:#}");
            ExitCode::from(FAILED)
        }
    }
}

fn try_check(settings: CheckSettings) -> anyhow::Result<ExitCode> {
    let program = std::env::current_exe().context("this program does not know its own path")?;
    let check = DocsCheck { docs: settings.docs, repository: settings.repo, commit: settings.commit, program };
    let report = check_docs(&check)?;
    if settings.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", describe(&report));
    }
    let is_below = settings.min_grade.is_some_and(|least| !report.score.grade.reaches(least));
    if let Some(least) = settings.min_grade.filter(|_| is_below) {
        eprintln!("docmill: the grade {} is below {}", report.score.grade.as_str(), least.as_str());
    }
    Ok(if is_below { ExitCode::from(BELOW) } else { ExitCode::SUCCESS })
}

/// The report for people: the score card, then what is wrong by page.
fn describe(report: &DocsReport) -> String {
    let mut out = String::new();
    describe_score(&mut out, &report.score, report);
    let mut page = None;
    let (notes, findings): (Vec<_>, Vec<_>) =
        report.findings.iter().partition(|finding| finding.finding.severity == Severity::Note);
    for finding in findings {
        if page != Some(&finding.path) {
            page = Some(&finding.path);
            line(&mut out, format_args!("\n{}", shown(finding.path.as_deref().unwrap_or("the whole"))));
        }
        describe_finding(&mut out, finding, report);
    }
    if !notes.is_empty() {
        line(&mut out, format_args!("\nNotes"));
    }
    for note in notes.iter().take(MAX_NOTES) {
        let path = note.path.as_deref().map(|path| format!("{}: ", shown(path))).unwrap_or_default();
        line(&mut out, format_args!("  {path}{}", note.finding.message));
    }
    if notes.len() > MAX_NOTES {
        line(&mut out, format_args!("  and {} more (`--json` has all)", notes.len() - MAX_NOTES));
    }
    for remark in &report.remarks {
        line(&mut out, format_args!("\n{}", shown(remark)));
    }
    out
}

fn describe_score(out: &mut String, score: &ScoreCard, report: &DocsReport) {
    let counts = &score.counts;
    let share = |percent: Option<f64>| {
        percent.map_or_else(|| "nothing to count".to_owned(), |percent| format!("{percent:.1} %"))
    };
    line(out, format_args!("Grade {} ({:.1} of 100 points)", score.grade.as_str(), score.points));
    if let Some(commit) = &report.commit {
        line(out, format_args!("{} pages, {} sections, held against {commit}\n", report.pages.len(), score.sections));
    } else {
        line(
            out,
            format_args!("{} pages, {} sections, held against no repository\n", report.pages.len(), score.sections),
        );
    }
    let width = score.median_width.map_or_else(|| "none with lines".to_owned(), |width| format!("{width} lines"));
    let rows = [
        (
            "Citations per 1,000 words",
            format!("{:.1} ({} in {} words)", score.citations_per_1000_words, counts.citations, counts.words),
        ),
        ("Median width of a citation", width),
        ("Citations that resolve", share(score.valid_percent)),
        ("Names found in cited lines", share(score.support_percent)),
        ("Names that exist", format!("{} ({} of {})", share(score.names_percent), counts.known_names, counts.names)),
        ("Quoted code that is verbatim", share(score.verbatim_percent)),
        ("Offers that a page mentions", share(score.coverage_percent)),
        ("Links that lead nowhere", format!("{} of {}", score.broken_links, counts.links)),
        ("Sections with an error", format!("{} of {}", score.unverified_sections, score.sections)),
    ];
    for (name, value) in rows {
        line(out, format_args!("  {name:<30}{value}"));
    }
}

fn describe_finding(out: &mut String, finding: &DocsFinding, report: &DocsReport) {
    let found = &finding.finding;
    let page = report.pages.iter().find(|page| Some(&page.path) == finding.path.as_ref());
    let section = found.section.and_then(|at| page?.evidence.sections.get(at as usize));
    let heading = section.map(|section| section.heading.as_str()).filter(|heading| !heading.is_empty());
    let place = heading.map(|heading| format!(" in `{}`", shown(heading))).unwrap_or_default();
    line(out, format_args!("  {:<8}{:<11}{}{place}", found.severity.as_str(), found.rule.as_str(), found.message));
    if !found.fix.is_empty() {
        line(out, format_args!("  {:<19}{}", "", found.fix));
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("writing to a String cannot fail");
}

/// Names of files and headings go to a terminal: no control characters.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || *c == '\n').take(300).collect()
}
