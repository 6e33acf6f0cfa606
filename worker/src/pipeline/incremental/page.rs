//! One page that is brought up to date: its last text with the listed sections written again, or with replacements in it, or
//! written anew when those cannot be had. Sections that are not listed keep their bytes, whatever comes back.

use shared::{
    db,
    inspection::{ListedSection, Reason},
    plan::PlannedPage,
    section::{sections, with_sections},
};

use super::{super::StageError, Update, merging::PageStep};
use crate::{
    Worker,
    workplaces::Workplace,
    writers::{CallContext, SectionWish, WriterError},
};

/// Times that the listed sections are asked for before the whole page is.
const TRIES: usize = 2;

/// Asks for the sections or the edits of a page, and for the whole page when they are of no use or there is no text to edit.
pub(crate) async fn update_page(
    worker: &Worker,
    place: &Workplace,
    context: &CallContext,
    page: &PlannedPage,
) -> Result<Result<String, WriterError>, StageError> {
    if let Some(update) = &place.update
        && let Some(step) = update.step(&page.slug)
        && let Some(from) = &step.from
    {
        let mut conn = worker.config.pool.acquire().await?;
        let previous = db::pages::find_markdown(&mut conn, update.base, from).await?;
        drop(conn);
        if let Some(previous) = previous {
            if let Some(listed) = &step.sections {
                return Ok(rewrite(place, context, page, &previous, (update, step, listed)).await);
            }
            let changes = update.changes_of(step);
            match place.writer.edit_page(context, &place.plan, page, &previous, &changes).await {
                Ok(Some(text)) => return Ok(Ok(text)),
                Ok(None) => tracing::info!("the edits are of no use, the page is written anew"),
                Err(error) => return Ok(Err(error)),
            }
        }
    }
    Ok(place.writer.write_page(context, &place.plan, page).await)
}

/// Has the listed sections written again.
async fn rewrite(
    place: &Workplace,
    context: &CallContext,
    page: &PlannedPage,
    previous: &str,
    (update, step, listed): (&Update, &PageStep, &[ListedSection]),
) -> Result<String, WriterError> {
    let changes = update.changes_of(step);
    let wishes: Vec<SectionWish<'_>> = listed
        .iter()
        .map(|section| SectionWish {
            position: section.position as usize,
            findings: section.reasons.iter().map(sentence).collect(),
            changes: changes.clone(),
        })
        .collect();
    for _ in 0..TRIES {
        if let Some(texts) = place.writer.rewrite_sections(context, &place.plan, page, previous, &wishes).await? {
            return Ok(with_sections(previous, &texts));
        }
    }
    tracing::info!("the sections are of no use, they are taken from the page written anew");
    let anew = place.writer.write_page(context, &place.plan, page).await?;
    Ok(take_sections(previous, &anew, listed))
}

/// The old page with the listed sections from another text of it. One that the other text does not have stays.
fn take_sections(previous: &str, anew: &str, listed: &[ListedSection]) -> String {
    let (old, new) = (sections(previous), sections(anew));
    let text_of = |position: usize| {
        let section = old.get(position)?;
        let is_same = |other: &&shared::section::Section<'_>| {
            (other.position == 0) == (position == 0) && other.heading == section.heading
        };
        let place = old[..position].iter().filter(is_same).count();
        let text = new.iter().filter(is_same).nth(place)?.text.trim_end();
        // with the space behind it that the old one had
        Some((position, format!("{text}{}", &section.text[section.text.trim_end().len()..])))
    };
    let texts: Vec<(usize, String)> = listed.iter().filter_map(|section| text_of(section.position as usize)).collect();
    with_sections(previous, &texts)
}

/// Why a section is to be written again, as its writer reads it, on one line.
fn sentence(reason: &Reason) -> String {
    let text = match reason {
        Reason::CitedLinesChanged { place, .. } => match place.lines() {
            Some((first, last)) => format!("lines {first}-{last} of `{}`, which it cites, have changed", place.path),
            None => format!("`{}`, which it cites, has changed", place.path),
        },
        Reason::SourceGone { place, .. } => format!("`{}`, which it cites, is gone", place.path),
        Reason::NamedFileChanged { path } => format!("`{path}`, which it speaks of, has changed"),
        Reason::NamedFileGone { path } => format!("`{path}`, which it speaks of, is gone"),
        Reason::NameGone { name } => format!("`{name}`, which it speaks of, stands nowhere in the repository any more"),
        Reason::TextDiffers | Reason::NewSection | Reason::SectionGone => {
            "it is not what the repository says now".to_owned()
        }
    };
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_page_written_anew_only_the_listed_sections_are_taken() {
        let old = "# T\n\nHi.\n\n## A\n\na\n\n## A\n\nb\n\n## C\n\nc";
        let new = "# T\n\nNew.\n\n## A\n\nx\n\n## A\n\ny\n\n## D\n\nd\n";
        let listed = |position| ListedSection { position, heading: String::new(), reasons: Vec::new() };
        let taken =
            |positions: &[u32]| take_sections(old, new, &positions.iter().copied().map(listed).collect::<Vec<_>>());
        assert_eq!(taken(&[2]), "# T\n\nHi.\n\n## A\n\na\n\n## A\n\ny\n\n## C\n\nc");
        assert_eq!(taken(&[0, 3]), "# T\n\nNew.\n\n## A\n\na\n\n## A\n\nb\n\n## C\n\nc");
        assert_eq!(taken(&[9]), old);
    }
}
