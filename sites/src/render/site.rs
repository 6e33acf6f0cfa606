//! The pages that a site really has, in reading order, and how they find each other.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use shared::{
    citation::WrittenCitation,
    evidence::PageEvidence,
    page::Page,
    plan::{Plan, PlannedPage},
};

use super::{SiteInfo, evidence::SiteEvidence, links::LinkTargets};

/// What every part of rendering asks: pages, groups, names.
pub(crate) struct Site<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) info: &'a SiteInfo,
    pub(crate) evidence: Option<&'a SiteEvidence>,
    /// Groups with at least one page.
    pub(crate) groups: Vec<Group<'a>>,
    /// Every page in reading order.
    pub(crate) pages: Vec<SitePage<'a>>,
    /// Shared, because the sanitiser keeps what it is given.
    pub(crate) link_targets: Arc<LinkTargets>,
    by_slug: HashMap<&'a str, usize>,
}

/// A group of the sidebar; its pages are `first..first + count` of [`Site::pages`].
pub(crate) struct Group<'a> {
    pub(crate) title: &'a str,
    pub(crate) first: usize,
    pub(crate) count: usize,
}

/// A page that was planned and written.
pub(crate) struct SitePage<'a> {
    pub(crate) planned: &'a PlannedPage,
    pub(crate) written: &'a Page,
    pub(crate) group: usize,
    /// What was found out about it.
    pub(crate) evidence: Option<&'a PageEvidence>,
}

impl SitePage<'_> {
    pub(crate) fn slug(&self) -> &str {
        self.planned.slug.as_str()
    }

    /// The title as plain text; planners like to put names of code into backticks.
    pub(crate) fn title(&self) -> String {
        plain(&self.planned.title)
    }

    /// The description as plain text.
    pub(crate) fn description(&self) -> String {
        plain(&self.planned.description)
    }
}

/// One line without citations and the backticks of Markdown.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("[[") {
        let citation = after.split_once("]]").filter(|(inner, _)| WrittenCitation::parse(inner).is_some());
        out.push_str(before);
        rest = citation.map_or(after, |(_, after)| after);
        out.push_str(if citation.is_some() { "" } else { "[[" });
    }
    out.push_str(rest);
    out.split_whitespace().collect::<Vec<_>>().join(" ").replace('`', "")
}

impl<'a> Site<'a> {
    /// Keeps what is both planned and written; a slug that comes twice counts once.
    pub(crate) fn new(
        plan: &'a Plan,
        pages: &'a [Page],
        info: &'a SiteInfo,
        evidence: Option<&'a SiteEvidence>,
    ) -> Self {
        let known = evidence.map_or(&[][..], |evidence| &evidence.found.pages);
        let known: HashMap<&str, &PageEvidence> = known.iter().map(|page| (page.slug.as_str(), page)).collect();
        let written: HashMap<&str, &Page> = pages.iter().rev().map(|page| (page.slug.as_str(), page)).collect();
        let mut groups = Vec::new();
        let mut site_pages = Vec::new();
        let mut by_slug = HashMap::new();
        for group in &plan.navigation {
            let first = site_pages.len();
            for planned in &group.pages {
                let slug = planned.slug.as_str();
                let Some(&page) = written.get(slug).filter(|_| !by_slug.contains_key(slug)) else { continue };
                by_slug.insert(slug, site_pages.len());
                let evidence = known.get(slug).copied();
                site_pages.push(SitePage { planned, written: page, group: groups.len(), evidence });
            }
            let count = site_pages.len() - first;
            if count > 0 {
                groups.push(Group { title: &group.group, first, count });
            }
        }
        let link_targets = Arc::new(LinkTargets {
            slugs: by_slug.keys().map(|slug| (*slug).to_owned()).collect::<HashSet<_>>(),
            blob_base: info.source.as_ref().map(|source| source.blob_base.clone()),
        });
        Self { plan, info, evidence, groups, pages: site_pages, link_targets, by_slug }
    }

    /// The place of a page in reading order.
    pub(crate) fn position(&self, slug: &str) -> Option<usize> {
        self.by_slug.get(slug).copied()
    }

    pub(crate) fn pages_of(&self, group: &Group<'_>) -> &[SitePage<'a>] {
        &self.pages[group.first..group.first + group.count]
    }
}
