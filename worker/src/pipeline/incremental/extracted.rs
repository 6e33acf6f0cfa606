//! The built-in writer makes every page anew, which costs nothing. What of it is the same as on the site but for line numbers
//! keeps its bytes: a section is taken from the new page only when something that it stands on, or its text, has changed.

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use regex::{Captures, Regex};
use shared::{
    inspection::{ListedSection, Reason},
    names::PageSlug,
    provider::Provider,
    section::{self, Section},
};

use super::{
    super::{StageError, cloning::Pinned, run::Run},
    Anchored,
    base::{self, Base, Compared},
};
use crate::{
    git::Checkout,
    grounding::staleness::{JudgedPage, JudgedSection, OldPage},
    steering::Steering,
    writers::Writer,
};

/// Lines behind a path, in brackets or at the end of the first line of a fence.
static LINES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(\[\[[^\[\]\n]{1,400}?)(?::\d+(?:[-–]\d+)?|#L\d+(?:-L\d+)?)(\]\])|(?m:^(\s*(?:`{3,}|~{3,})[^\n]*?):\d+(?:[-–]\d+)?(\s*)$)")
        .expect("the pattern is a constant")
});

/// The site that stands, section by section.
#[derive(Debug, Default)]
pub(crate) struct OldSite {
    pages: HashMap<PageSlug, (OldPage, JudgedPage)>,
}

/// A page that was put together from old and new sections.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Spliced {
    /// Its text.
    pub(crate) text: String,
    /// The sections of it that are not those of the site, and those of the site that it has no more, and why.
    pub(crate) listed: Vec<ListedSection>,
}

impl OldSite {
    /// The site of a base, held against what changed.
    pub(crate) fn new(base: Base, compared: Compared) -> Self {
        let mut judged: HashMap<PageSlug, JudgedPage> =
            compared.judged.into_iter().map(|page| (page.slug.clone(), page)).collect();
        let pages = base.old.into_iter().filter_map(|old| {
            let judged = judged.remove(&old.slug)?;
            Some((old.slug.clone(), (old, judged)))
        });
        Self { pages: pages.collect() }
    }

    /// Where the citations of the sections lead now that may keep their bytes.
    pub(crate) fn anchored(&self) -> Anchored {
        Anchored::of_all(self.pages.values().map(|(_, judged)| judged))
    }

    /// Whether the site has this page.
    pub(crate) fn has(&self, slug: &PageSlug) -> bool {
        self.pages.contains_key(slug)
    }

    /// The pages of the site.
    pub(crate) fn slugs(&self) -> impl Iterator<Item = &PageSlug> {
        self.pages.keys()
    }

    /// Puts a new text of a page together with the one that stands. One that is not on the site is all new.
    pub(crate) fn splice(&self, slug: &PageSlug, new: &str) -> Spliced {
        match self.pages.get(slug) {
            Some((old, judged)) => splice(old, judged, new),
            None => Spliced { text: new.to_owned(), listed: Vec::new() },
        }
    }
}

/// The site that the built-in writer begins from; nothing when it begins anew.
pub(crate) async fn find_old_site(
    run: &Run,
    pinned: &Pinned,
    checkout: &Checkout,
    writer: &dyn Writer,
    steering: &Steering,
) -> Result<OldSite, StageError> {
    if run.claimed.key.provider != Provider::Builtin {
        return Ok(OldSite::default());
    }
    let Some(base) = base::find_for(run, writer, steering).await? else { return Ok(OldSite::default()) };
    match base::changes_since(run, pinned, checkout, &base, steering).await? {
        Ok(compared) => Ok(OldSite::new(base, compared)),
        Err(reason) => {
            tracing::info!(reason, "everything is written anew");
            Ok(OldSite::default())
        }
    }
}

fn splice(old: &OldPage, judged: &JudgedPage, new: &str) -> Spliced {
    let mut text = String::with_capacity(new.len());
    let mut listed = Vec::new();
    let mut seen: HashMap<Option<&str>, usize> = HashMap::new();
    let mut kept = HashSet::new();
    for section in section::sections(new) {
        let place = seen.entry(section.heading).or_default();
        let found = find(old, &section, *place);
        *place += 1;
        kept.extend(found);
        let judged = found.and_then(|at| judged.sections.get(at));
        let Some((before, judged)) = found.map(|at| old.sections[at].text.as_str()).zip(judged) else {
            listed.push(list(&section, vec![Reason::NewSection]));
            text.push_str(section.text);
            continue;
        };
        match why_anew(before, judged, section.text) {
            None => text.push_str(before),
            Some(reasons) => {
                listed.push(list(&section, reasons));
                text.push_str(section.text);
            }
        }
    }
    let gone = old.sections.iter().zip(&judged.sections).enumerate().filter(|(at, _)| !kept.contains(at));
    listed.extend(gone.map(|(at, (section, judged))| list_gone(at, &section.heading, judged)));
    Spliced { text, listed }
}

/// The old section with the same heading; of several with the same words the one in the same place.
fn find(old: &OldPage, section: &Section<'_>, place: usize) -> Option<usize> {
    let heading = section.heading.unwrap_or_default();
    let is_first = section.position == 0;
    let is_same = |(at, old): &(usize, &crate::grounding::staleness::OldSection)| {
        (*at == 0) == is_first && old.heading == heading
    };
    old.sections.iter().enumerate().filter(is_same).nth(place).map(|(at, _)| at)
}

/// Why a section is not left as it is; nothing when it is. The empty line behind it counts: without it the last section of a
/// page would run into the one that comes behind it now.
fn why_anew(before: &str, judged: &JudgedSection, after: &str) -> Option<Vec<Reason>> {
    let is_text_same = without_lines(before) == without_lines(after);
    if before == after || (is_text_same && !judged.is_stale()) {
        return None;
    }
    let mut reasons = judged.checked.reasons.clone();
    if !is_text_same {
        reasons.push(Reason::TextDiffers);
    }
    Some(reasons)
}

fn list(section: &Section<'_>, reasons: Vec<Reason>) -> ListedSection {
    ListedSection {
        position: u32::try_from(section.position).unwrap_or(u32::MAX),
        heading: section.heading.unwrap_or_default().to_owned(),
        reasons,
    }
}

fn list_gone(position: usize, heading: &str, judged: &JudgedSection) -> ListedSection {
    let mut reasons = judged.checked.reasons.clone();
    reasons.push(Reason::SectionGone);
    ListedSection { position: u32::try_from(position).unwrap_or(u32::MAX), heading: heading.to_owned(), reasons }
}

/// A text with its citations, but not with their lines.
fn without_lines(text: &str) -> String {
    LINES
        .replace_all(text, |found: &Captures<'_>| {
            found.iter().skip(1).flatten().map(|part| part.as_str()).collect::<String>()
        })
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        grounding::staleness::{Commits, judge},
        pipeline::incremental::site::read_page,
    };

    const OLD: &str =
        "# T\n\nIntro. [[a.rs:1-2]]\n\n## A\n\nOne. [[a.rs:3-4]]\n\n## B\n\n```rust b.rs:1-2\nfn b() {}\n```\n";

    fn spliced(stale: &[usize], new: &str) -> (String, Vec<(u32, usize)>) {
        let old = read_page("p".parse().unwrap(), OLD, None);
        let nothing = |_: &str| None;
        let commits = Commits { changes: &[], old: &nothing, new: &nothing, words_elsewhere: &Clone::clone };
        let mut judged = judge(std::slice::from_ref(&old), &commits).remove(0);
        for at in stale {
            judged.sections[*at].checked.state = shared::inspection::SectionState::Changed;
            judged.sections[*at].checked.reasons = vec![Reason::NamedFileChanged { path: "x".into() }];
        }
        let Spliced { text, listed } = splice(&old, &judged, new);
        (text, listed.into_iter().map(|section| (section.position, section.reasons.len())).collect())
    }

    #[test]
    fn sections_that_differ_in_line_numbers_only_keep_their_bytes() {
        let new = OLD.replace("a.rs:1-2", "a.rs:5-6").replace("b.rs:1-2", "b.rs:9");
        assert_eq!(spliced(&[], &new), (OLD.to_owned(), vec![]));
        assert_eq!(spliced(&[0], &new), (OLD.replace("a.rs:1-2", "a.rs:5-6"), vec![(0, 1)]));
        // nothing is written again that would be the same
        assert_eq!(spliced(&[1], &new), (OLD.to_owned(), vec![]));
    }

    #[test]
    fn other_words_new_sections_and_removed_ones_are_taken_from_the_new_page() {
        let new = OLD.replace("One.", "Two.").replace("## B", "## New\n\nn\n\n## B");
        assert_eq!(spliced(&[], &new), (new.clone(), vec![(1, 1), (2, 1)]));
        let (gone, _) = OLD.split_once("## B").unwrap();
        assert_eq!(spliced(&[], gone), (gone.to_owned(), vec![(2, 1)]), "what is taken away is told");
        assert_eq!(spliced(&[], &format!("{OLD}\n## C\n")).1, [(2, 1), (3, 1)], "an empty line came between");
        assert_eq!(spliced(&[], &OLD.replace("a.rs:3-4", "c.rs:3-4")).1, [(1, 1)], "another file is another text");
    }

    #[test]
    fn of_sections_with_the_same_heading_each_has_its_own() {
        let twice = format!("{OLD}\n## A\n\nAnother. [[a.rs:9]]\n");
        let (text, listed) = spliced(&[], &twice);
        assert_eq!((text, listed), (twice, vec![(2, 1), (3, 1)]));
    }
}
