//! What a repository (`docmill.toml`) or a request may say about the documentation that is made: data that was parsed into
//! types, with limits. None of it can widen a limit, name a host or choose who writes.

mod values;
mod read;

use serde::{Deserialize, Serialize};

use crate::{evidence::Grade, names::PageSlug, plan::PageType};

pub use self::{
    read::{OptionProblem, read_options},
    values::{Instructions, LanguageTag, PageDescription, PathGlob, SiteTitle, Subdirectory},
};

/// Most globs of one list.
pub const MAX_GLOBS: usize = 100;
/// Most pages that may be wished for.
pub const MAX_WISHED_PAGES: usize = 100;

/// Names of the fields, as they stand in requests and files.
pub const FIELDS: [&str; 9] =
    ["title", "language", "instructions", "include", "exclude", "subdirectory", "pages", "pages_only", "min_grade"];

/// What is said about a run; what is missing is not said. Kept as `generations.options`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunOptions {
    /// The project's name as a title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<SiteTitle>,
    /// The language of the pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<LanguageTag>,
    /// What the pages should stress; empty means "nothing", also where somebody else said something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<Instructions>,
    /// Only these files are documented.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include: Option<Vec<PathGlob>>,
    /// These files are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclude: Option<Vec<PathGlob>>,
    /// Only files below this folder are documented.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subdirectory: Option<Subdirectory>,
    /// Pages that the site must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<Vec<WishedPage>>,
    /// Whether these are all pages of the site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages_only: Option<bool>,
    /// The grade that the site must reach to be published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_grade: Option<Grade>,
}

/// A page that somebody asked for by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct WishedPage {
    /// File name without ending; made from the title when missing.
    #[schema(value_type = String, required = false)]
    pub slug: PageSlug,
    /// The page's title, at most 200 characters.
    #[schema(value_type = String)]
    pub title: SiteTitle,
    /// What the page is about, at most 1000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub description: Option<PageDescription>,
    /// How the page is written; `guide` when missing.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub page_type: Option<PageType>,
    /// Title of its group in the sidebar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub group: Option<SiteTitle>,
}

impl RunOptions {
    /// Whether they ask for the same words as `other`. A grade is asked of what was written, and changes none of it.
    pub fn wish_the_same(&self, other: &Self) -> bool {
        let words = |options: &Self| Self { min_grade: None, ..options.clone() };
        words(self) == words(other)
    }

    /// These options, and where they say nothing, what `other` says. A list replaces a list.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            title: self.title.or(other.title),
            language: self.language.or(other.language),
            instructions: self.instructions.or(other.instructions),
            include: self.include.or(other.include),
            exclude: self.exclude.or(other.exclude),
            subdirectory: self.subdirectory.or(other.subdirectory),
            pages: self.pages.or(other.pages),
            pages_only: self.pages_only.or(other.pages_only),
            min_grade: self.min_grade.or(other.min_grade),
        }
    }
}

#[cfg(test)]
mod tests;
