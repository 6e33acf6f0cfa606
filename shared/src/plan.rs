//! What planning returns: the pages of a site and their order.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::{names::PageSlug, options::LanguageTag};

/// Most pages one plan may have.
pub const MAX_PAGES: usize = 500;

/// Most old addresses one plan remembers.
pub const MAX_REDIRECTS: usize = 1_000;

/// A site's table of contents. The JSON shape is docsfy's (docsfy-behaviour 2.3, step 6); unknown keys are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The project's name as a title.
    pub project_name: String,
    /// One sentence under the title; may be empty.
    #[serde(default)]
    pub tagline: String,
    /// What kind of repository this is.
    #[serde(default)]
    pub repo_type: RepoType,
    /// The groups of the sidebar, in order.
    pub navigation: Vec<NavGroup>,
    /// The repository's own version, from its manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The language of the pages, when somebody chose one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<LanguageTag>,
    /// Where pages went that are no more, by their old slug: to another page, or (`null`) nowhere, then to the first page of
    /// the site. Kept in order by [`Plan::redirect`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub redirects: BTreeMap<PageSlug, Option<PageSlug>>,
}

/// A titled group of pages in the sidebar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NavGroup {
    /// The group's title.
    pub group: String,
    /// Its pages, in order.
    pub pages: Vec<PlannedPage>,
}

/// One page that is to be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedPage {
    /// File name without ending, unique in the plan.
    pub slug: PageSlug,
    /// The page's title, also its first heading.
    pub title: String,
    /// What the page is about, in a sentence; may be empty.
    #[serde(default)]
    pub description: String,
    /// How the page is written.
    #[serde(default, rename = "type")]
    pub page_type: PageType,
}

/// How a page is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PageType {
    /// Task by task, example first.
    #[default]
    Guide,
    /// Complete, in tables and signatures.
    Reference,
    /// Something to copy and paste.
    Recipe,
    /// Why and how it works.
    Concept,
}

/// What kind of repository is documented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum RepoType {
    /// Something that is run.
    #[default]
    App,
    /// A suite of tests.
    Tests,
    /// Something that is called by other code.
    Library,
    /// Something that calls other code.
    Framework,
}

impl RepoType {
    /// The name in JSON and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Tests => "tests",
            Self::Library => "library",
            Self::Framework => "framework",
        }
    }
}

/// Why a plan cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPlan {
    /// There is nothing to write.
    #[error("the plan has no pages")]
    Empty,
    /// More pages than [`MAX_PAGES`].
    #[error("the plan has {0} pages, at most {MAX_PAGES} are allowed")]
    TooManyPages(usize),
    /// Two pages would be one file.
    #[error("the plan names the page `{0}` twice")]
    DuplicateSlug(PageSlug),
    /// A title is empty.
    #[error("the page `{0}` has no title")]
    NoTitle(PageSlug),
}

impl Plan {
    /// Every page in reading order.
    pub fn pages(&self) -> impl Iterator<Item = &PlannedPage> {
        self.navigation.iter().flat_map(|group| &group.pages)
    }

    /// The page of this slug.
    pub fn page(&self, slug: &PageSlug) -> Option<&PlannedPage> {
        self.pages().find(|page| page.slug == *slug)
    }

    /// Adds old addresses to those there are. Afterwards each leads to a page of this plan or to the first page of the site,
    /// in one step, and no page has an address that leads elsewhere.
    pub fn redirect(&mut self, added: impl IntoIterator<Item = (PageSlug, Option<PageSlug>)>) {
        self.redirects.extend(added);
        let pages: HashSet<&PageSlug> =
            self.navigation.iter().flat_map(|group| &group.pages).map(|p| &p.slug).collect();
        let all = &self.redirects;
        let end_of = |old: &PageSlug| {
            let mut passed = HashSet::from([old]);
            let mut next = all.get(old)?.as_ref()?;
            while !pages.contains(next) {
                // a loop, or an end that is no page, leads nowhere
                next = all.get(next).filter(|_| passed.insert(next))?.as_ref()?;
            }
            Some(next.clone())
        };
        let old = all.keys().filter(|old| !pages.contains(old));
        let mut ends: Vec<_> = old.map(|old| (old.clone(), end_of(old))).collect();
        // one that leads nowhere is the smaller loss
        ends.sort_by_key(|(_, end)| end.is_none());
        ends.truncate(MAX_REDIRECTS);
        self.redirects = ends.into_iter().collect();
    }

    /// Checks what the types alone cannot: pages exist, are not too many, have titles and unique slugs.
    pub fn validate(&self) -> Result<(), InvalidPlan> {
        let count = self.pages().count();
        if count == 0 {
            return Err(InvalidPlan::Empty);
        }
        if count > MAX_PAGES {
            return Err(InvalidPlan::TooManyPages(count));
        }
        let mut seen = HashSet::new();
        for page in self.pages() {
            if !seen.insert(&page.slug) {
                return Err(InvalidPlan::DuplicateSlug(page.slug.clone()));
            }
            if page.title.trim().is_empty() {
                return Err(InvalidPlan::NoTitle(page.slug.clone()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slug(number: usize) -> PageSlug {
        format!("p{number}").parse().unwrap()
    }

    fn plan(pages: impl IntoIterator<Item = usize>) -> Plan {
        let page = |number| PlannedPage {
            slug: slug(number),
            title: format!("Page {number}"),
            description: String::new(),
            page_type: PageType::Guide,
        };
        let pages = pages.into_iter().map(page).collect();
        Plan {
            project_name: "x".into(),
            tagline: String::new(),
            repo_type: RepoType::App,
            navigation: vec![NavGroup { group: "G".into(), pages }],
            version: None,
            language: None,
            redirects: BTreeMap::new(),
        }
    }

    /// Numbers that look random and are always the same.
    fn numbers() -> impl FnMut(usize) -> usize {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        move |below| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state >> 33).unwrap() % below
        }
    }

    #[test]
    fn redirects_never_form_chains_or_loops_whatever_happens_to_pages() {
        let mut random = numbers();
        for _ in 0..300 {
            let mut last = plan(0..8);
            for _ in 0..10 {
                // some pages stay, some come, some come back, some go to one another or nowhere
                let mut next = plan((0..12).filter(|_| random(3) > 0).chain([20]));
                next.redirects = last.redirects.clone();
                let target = |random: &mut dyn FnMut(usize) -> usize| (random(4) > 0).then(|| slug(random(14)));
                let gone: Vec<_> = last.pages().map(|page| (page.slug.clone(), target(&mut random))).collect();
                next.redirect(gone);
                for (old, end) in &next.redirects {
                    assert!(next.page(old).is_none(), "{old} is a page");
                    assert!(end.as_ref().is_none_or(|end| next.page(end).is_some()), "{old} leads to no page");
                }
                for page in last.pages().filter(|page| next.page(&page.slug).is_none()) {
                    assert!(next.redirects.contains_key(&page.slug), "{} is forgotten", page.slug);
                }
                last = next;
            }
        }
    }

    #[test]
    fn a_page_that_moved_twice_is_found_in_one_step_and_one_that_is_back_is_itself() {
        let mut moved = plan([3]);
        moved.redirect([(slug(1), Some(slug(2))), (slug(2), Some(slug(3)))]);
        assert_eq!(moved.redirects[&slug(1)], Some(slug(3)));
        let mut back = plan([1]);
        back.redirects = moved.redirects;
        back.redirect([(slug(3), None)]);
        assert_eq!(back.redirects, BTreeMap::from([(slug(2), None), (slug(3), None)]));
    }

    #[test]
    fn a_plan_without_redirects_is_written_as_ever_and_has_a_bounded_number_of_them() {
        let mut plan = plan([1]);
        assert!(!serde_json::to_string(&plan).unwrap().contains("redirects"));
        plan.redirect((10..2 * MAX_REDIRECTS).map(|number| (slug(number), None)));
        plan.redirect([(slug(5), Some(slug(1)))]);
        assert_eq!(plan.redirects.len(), MAX_REDIRECTS);
        assert_eq!(plan.redirects[&slug(5)], Some(slug(1)));
        let read: Plan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
        assert_eq!(read, plan);
    }
}
