//! `render_site`: a plan and its pages become the files of a site. Pure: the same input gives the same bytes.

use std::collections::BTreeMap;

use shared::{names::{BranchName, CommitSha, ModelId}, plan::Plan, page::Page, provider::Provider, source::SourceLinks};

/// Raises when the same pages would be rendered to other bytes.
pub const RENDERER_VERSION: &str = "1";

/// What the pages say about where they come from.
#[derive(Debug, Clone)]
pub struct SiteInfo {
    /// Branch or tag.
    pub branch: BranchName,
    /// The commit everything was written from.
    pub commit: CommitSha,
    /// Date of the commit, `YYYY-MM-DD`.
    pub commit_date: String,
    /// Date of the generation, `YYYY-MM-DD`.
    pub generated_date: String,
    /// Who wrote.
    pub provider: Provider,
    /// With which model.
    pub model: ModelId,
    /// Links into the repository's host, when it has a public one.
    pub source: Option<SourceLinks>,
}

/// The files of a site by path, such as `index.html` or `assets/site.1a2b3c4d.css`, in order of path.
pub type SiteFiles = BTreeMap<String, Vec<u8>>;

/// Renders the whole site.
pub fn render_site(plan: &Plan, pages: &[Page], info: &SiteInfo) -> SiteFiles {
    let _ = (plan, pages, info);
    SiteFiles::new()
}
