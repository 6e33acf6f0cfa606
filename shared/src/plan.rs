//! What planning returns: the pages of a site and their order.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::{names::PageSlug, options::LanguageTag};

/// Most pages one plan may have.
pub const MAX_PAGES: usize = 500;

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
