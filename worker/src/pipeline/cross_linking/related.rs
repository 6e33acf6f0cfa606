//! Which pages belong together: those that link to each other, cite the same files, or speak of the same names.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::LazyLock,
};

use regex::Regex;
use shared::{names::PageSlug, page::Page, plan::Plan};

use super::markdown;

/// Most related pages that are shown.
const MAX_RELATED: usize = 5;
/// A name or file that more pages than this speak of says nothing.
const MAX_SPREAD: usize = 12;
/// Below this two pages are not related.
const MIN_SCORE: f64 = 1.0;

static NAME: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"`([A-Za-z_][\w:.\-/]{2,60})`").expect("a constant"));
static FILE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\[\[([^\]:\s]+)(?::[\d-]+)?\]\]").expect("the pattern is a constant"));

/// Fills in the related pages of every page: at most five, the nearest first, ties in the order of the plan.
pub(super) fn relate(pages: &mut [Page], plan: &Plan) {
    let place: HashMap<&PageSlug, usize> = pages.iter().enumerate().map(|(at, page)| (&page.slug, at)).collect();
    let mut scores: BTreeMap<(usize, usize), f64> = BTreeMap::new();
    for (at, page) in pages.iter().enumerate() {
        for slug in markdown::linked_pages(&page.markdown, plan) {
            if let Some(&other) = place.get(slug).filter(|other| **other != at) {
                *scores.entry((at, other)).or_default() += 3.0;
                *scores.entry((other, at)).or_default() += 2.0;
            }
        }
    }
    for (pattern, weight) in [(&NAME, 1.0), (&FILE, 2.0)] {
        for sharing in sharing_pages(pages, pattern).into_values().filter(|sharing| sharing.len() <= MAX_SPREAD) {
            for &one in &sharing {
                for &other in sharing.iter().filter(|other| **other != one) {
                    #[expect(clippy::cast_precision_loss, reason = "at most MAX_SPREAD")]
                    let share = weight / sharing.len() as f64;
                    *scores.entry((one, other)).or_default() += share;
                }
            }
        }
    }
    let related: Vec<Vec<PageSlug>> = (0..pages.len())
        .map(|at| {
            let mut near: Vec<(usize, f64)> = scores
                .range((at, 0)..(at + 1, 0))
                .map(|(&(_, other), &score)| (other, score))
                .filter(|(_, score)| *score >= MIN_SCORE)
                .collect();
            near.sort_by(|(a, score_a), (b, score_b)| score_b.total_cmp(score_a).then(a.cmp(b)));
            near.into_iter().take(MAX_RELATED).map(|(other, _)| pages[other].slug.clone()).collect()
        })
        .collect();
    for (page, related) in pages.iter_mut().zip(related) {
        page.related = related;
    }
}

/// For everything a pattern finds: the pages that have it.
fn sharing_pages(pages: &[Page], pattern: &Regex) -> BTreeMap<String, BTreeSet<usize>> {
    let mut sharing: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for (at, page) in pages.iter().enumerate() {
        for found in pattern.captures_iter(&page.markdown) {
            sharing.entry(found[1].to_owned()).or_default().insert(at);
        }
    }
    sharing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_that_share_links_files_and_names_are_related() {
        let plan: Plan = serde_json::from_str(
            r#"{"project_name":"x","navigation":[{"group":"g","pages":[
                {"slug":"a","title":"A"},{"slug":"b","title":"B"},{"slug":"c","title":"C"}]}]}"#,
        )
        .unwrap();
        let page = |slug: &str, markdown: &str| Page {
            slug: slug.parse().unwrap(),
            markdown: markdown.to_owned(),
            related: Vec::new(),
        };
        let mut pages = [
            page("a", "[b](b.html) `parse_all` [[src/x.rs:1-2]]"),
            page("b", "nothing of its own"),
            page("c", "`parse_all` [[src/x.rs]]"),
        ];
        relate(&mut pages, &plan);
        let related = |at: usize| pages[at].related.iter().map(PageSlug::as_str).collect::<Vec<_>>();
        assert_eq!(related(0), ["b", "c"]);
        assert_eq!(related(1), ["a"]);
        assert_eq!(related(2), ["a"]);
    }
}
