//! A page that was written.

use serde::{Deserialize, Serialize};

use crate::names::PageSlug;

/// The text of one page as its writer gave it, after cleaning: Markdown that begins with `# Title`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Which page of the plan this is.
    pub slug: PageSlug,
    /// The page's Markdown.
    pub markdown: String,
    /// Slugs of related pages, at most five, filled by cross-linking.
    #[serde(default)]
    pub related: Vec<PageSlug>,
}
