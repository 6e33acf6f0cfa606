//! What an AI command line is asked when a repository has changed since its documentation was written: what becomes of the
//! plan, and which passages of a page are to be replaced.

use std::{collections::BTreeMap, fmt::Write};

use serde_json::json;
use shared::section::sections;

use super::{CliWriter, PageData, add_wishes, answers, ask::Purpose, pretty, prompts, shown};
use crate::{
    git::{Change, ChangeKind},
    writers::{CallContext, Failure, PlanQuestion, PlanRevision, SectionWish, WriterError},
};

/// Most bytes of differences that go into one call.
const MAX_DIFF_BYTES: usize = 512 << 10;
/// Most bytes of the list of changed files.
const MAX_LIST_BYTES: usize = 512 << 10;

/// Asks what becomes of a plan; once more when the answer cannot be used.
pub(super) async fn revise_plan(
    writer: &CliWriter,
    context: &CallContext,
    question: &PlanQuestion<'_>,
) -> Result<Result<PlanRevision, String>, WriterError> {
    let pages: Vec<_> = question
        .pages
        .iter()
        .map(|page| json!({"slug": page.slug, "files": page.sources, "known": question.known.contains(&page.slug)}))
        .collect();
    let (plan, pages) = (pretty(question.plan), pretty(&pages));
    let questions = question.questions.join("\n");
    let (list, diff) = (list_of(question.changes.iter()), differences_of(question.changes.iter()));
    let plan_of_answer = plan.clone();
    let [wishes, wishes_again] = [writer.wishes.clone(), writer.wishes.clone()];
    let answer = writer
        .ask(context, Purpose::PlanUpdate, move |folder| {
            let plan = folder.add_data("plan.json", &plan)?;
            let pages = folder.add_data("pages.json", &pages)?;
            let changes = folder.add_data("changes.txt", &list)?;
            let diff = folder.add_data("changes.diff", &diff)?;
            let questions = folder.add_data("questions.txt", &questions)?;
            let [plan, pages, changes, diff, questions] =
                [plan, pages, changes, diff, questions].map(|path| shown(&path));
            let wishes = add_wishes(folder, wishes.as_deref())?;
            let paths = [&plan, &pages, &changes, &diff, &questions].map(String::as_str);
            Ok(prompts::plan_update(paths, wishes.as_deref()))
        })
        .await?;
    let problem = match answers::read_revision(&answer, question.plan) {
        Ok(revision) => return Ok(Ok(revision)),
        Err(problem) => problem,
    };
    tracing::info!(writer.provider = %writer.provider, %problem, "what becomes of the plan is asked again");
    let answer = writer
        .ask(context, Purpose::PlanUpdateRepair, move |folder| {
            let answer = folder.add_data("answer.txt", &answer)?;
            let problem = folder.add_data("problem.txt", &problem)?;
            let plan = folder.add_data("plan.json", &plan_of_answer)?;
            let wishes = add_wishes(folder, wishes_again.as_deref())?;
            let paths = [answer, problem, plan].map(|path| shown(&path));
            Ok(prompts::plan_update_repair(paths.each_ref().map(String::as_str), wishes.as_deref()))
        })
        .await?;
    let revision = answers::read_revision(&answer, question.plan);
    let provider = writer.provider;
    Ok(revision
        .map_err(|problem| format!("{provider} gave no usable revision of the plan, also when asked again: {problem}")))
}

/// Asks for the edits of a page. `None` when they cannot be used, or when the question was too much for the model.
pub(super) async fn edit_page(
    writer: &CliWriter,
    context: &CallContext,
    data: PageData,
    previous: &str,
    changes: &[&Change],
) -> Result<Option<String>, WriterError> {
    let told = format!("{}\n{}", list_of(changes.iter().copied()), differences_of(changes.iter().copied()));
    let text = previous.to_owned();
    let answer = writer
        .ask(context, Purpose::Edit, move |folder| {
            let paths = data.write(folder)?;
            let previous = folder.add_data("previous.md", &text)?;
            let changes = folder.add_data("changes.diff", &told)?;
            let [previous, changes] = [previous, changes].map(|path| shown(&path));
            Ok(prompts::edit(&data.slug, &paths, [&previous, &changes]))
        })
        .await;
    match answer {
        Ok(answer) => Ok(answers::apply_edits(&answer, previous)),
        Err(error) if is_too_much(&error) => {
            tracing::info!(%error, "the edits of a page could not be had");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Asks for the new texts of some sections. `None` when they cannot be used, or when the question was too much for the model.
pub(super) async fn rewrite_sections(
    writer: &CliWriter,
    context: &CallContext,
    data: PageData,
    previous: &str,
    wishes: &[SectionWish<'_>],
) -> Result<Option<Vec<(usize, String)>>, WriterError> {
    let sections = sections(previous);
    let told: Vec<_> = wishes
        .iter()
        .map(|wish| {
            let heading = sections.get(wish.position).and_then(|section| section.heading);
            let changed: Vec<String> = wish.changes.iter().map(|change| one_line(&change.path)).collect();
            json!({"position": wish.position, "heading": heading, "findings": wish.findings, "changed_files": changed})
        })
        .collect();
    let told = pretty(&told);
    let changes: BTreeMap<&str, &Change> =
        wishes.iter().flat_map(|wish| &wish.changes).map(|change| (change.path.as_str(), *change)).collect();
    let told_changes = format!("{}\n{}", list_of(changes.values().copied()), differences_of(changes.values().copied()));
    let text = previous.to_owned();
    let answer = writer
        .ask(context, Purpose::Sections, move |folder| {
            let paths = data.write(folder)?;
            let previous = folder.add_data("previous.md", &text)?;
            let sections = folder.add_data("sections.json", &told)?;
            let changes = folder.add_data("changes.diff", &told_changes)?;
            let [previous, sections, changes] = [previous, sections, changes].map(|path| shown(&path));
            Ok(prompts::sections(&data.slug, &paths, [&previous, &sections, &changes]))
        })
        .await;
    match answer {
        Ok(answer) => {
            let positions: Vec<usize> = wishes.iter().map(|wish| wish.position).collect();
            let read = answers::read_sections(&answer, previous, &positions);
            Ok(read.inspect_err(|problem| tracing::info!(%problem, "the sections are of no use")).ok())
        }
        Err(error) if is_too_much(&error) => {
            tracing::info!(%error, "the sections of a page could not be had");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Whether a question is given up, where there is a way on without its answer.
fn is_too_much(error: &WriterError) -> bool {
    let too_much = [Failure::Protocol, Failure::Empty, Failure::PromptTooLong, Failure::TurnLimit, Failure::Refused];
    too_much.contains(&error.failure)
}

/// A line for each changed file, as long as they fit.
fn list_of<'a>(changes: impl Iterator<Item = &'a Change>) -> String {
    let mut list = String::new();
    for change in changes {
        let path = one_line(&change.path);
        let line = match &change.kind {
            ChangeKind::Added => format!("added {path}\n"),
            ChangeKind::Modified => format!("modified {path}\n"),
            ChangeKind::Deleted => format!("deleted {path}\n"),
            ChangeKind::Renamed { from } => format!("renamed {} to {path}\n", one_line(from)),
        };
        if list.len() + line.len() > MAX_LIST_BYTES {
            list.push_str("[more files changed; their names are left out]\n");
            break;
        }
        list.push_str(&line);
    }
    list
}

/// The differences, as long as they fit.
fn differences_of<'a>(changes: impl Iterator<Item = &'a Change>) -> String {
    let mut differences = String::new();
    for change in changes {
        match &change.diff {
            Some(diff) if differences.len() + diff.len() <= MAX_DIFF_BYTES => differences.push_str(diff),
            _ => writeln!(differences, "[the difference of {} is left out]", one_line(&change.path))
                .expect("a string takes any text"),
        }
        if differences.len() > MAX_DIFF_BYTES + (64 << 10) {
            break;
        }
    }
    differences
}

fn one_line(path: &str) -> String {
    path.chars().filter(|c| !c.is_control()).collect()
}
