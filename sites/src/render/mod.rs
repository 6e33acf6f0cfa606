//! `render_site`: a plan and its pages become the files of a site. Pure: the same input gives the same bytes.
//!
//! Order of things: which pages there are (`site`), one page from Markdown to HTML (`markdown` and what it calls), links
//! between pages (`anchors`), what pages share (`search_index`, `assets`), and the files (`page`, `llms_txt`).

use std::collections::BTreeMap;

use shared::{
    names::{BranchName, CommitSha, ModelId},
    page::Page,
    plan::Plan,
    provider::Provider,
    source::SourceLinks,
};

mod site;
mod markdown;
mod raw_html;
mod headings;
mod evidence;
mod citations;
mod sources;
mod marking;
mod unverified;
mod markdown_copy;
mod callouts;
mod links;
mod code_blocks;
mod highlight;
mod html;
mod sanitize;
mod text;
mod escape;
mod anchors;
mod search_index;
mod assets;
mod page;
mod quality;
mod llms_txt;
#[cfg(test)]
mod tests;

pub(crate) use assets::is_shared_asset;
pub use escape::escaped;
pub use evidence::{
    Excerpt, Excerpts, MAX_EXCERPT_LINES, MAX_LINE_CHARS, MAX_SITE_BYTES, MAX_WHOLE_FILE_LINES, Place, SiteEvidence,
};
pub use headings::UniqueIds;
pub use markdown::markdown_options;

/// Raises when the same pages would be rendered to other bytes.
pub const RENDERER_VERSION: &str = "2";

/// What the pages say about where they come from.
#[derive(Debug, Clone)]
pub struct SiteInfo {
    /// Branch or tag.
    pub branch: BranchName,
    /// The commit everything was written from.
    pub commit: CommitSha,
    /// Date of the commit, `YYYY-MM-DD`; empty when it is not known.
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

/// Renders the whole site. A page that is planned but not written, or the other way round, is left out. Without evidence
/// (nobody checked the pages) citations are links to the repository's host and nothing is said about quality.
pub fn render_site(plan: &Plan, pages: &[Page], info: &SiteInfo, evidence: Option<&SiteEvidence>) -> SiteFiles {
    let site = site::Site::new(plan, pages, info, evidence);
    let mut rendered: Vec<_> = site.pages.iter().map(|page| markdown::render_page(&site, page)).collect();
    anchors::repair(&site, &mut rendered);

    let mut files = SiteFiles::new();
    let assets = assets::Assets::add(&mut files, &plan.project_name, search_index::search_script(&site, &rendered));
    for (position, result) in rendered.iter().enumerate() {
        let slug = site.pages[position].slug();
        files.insert(format!("{slug}.html"), page::page_html(&site, &assets, position, result).into_bytes());
        files.insert(format!("{slug}.md"), result.markdown.clone().into_bytes());
    }
    files.insert("index.html".into(), page::index_html(&site, &assets).into_bytes());
    files.insert("404.html".into(), page::not_found_html(&site, &assets).into_bytes());
    if let Some(html) = quality::quality_html(&site, &assets, &rendered) {
        files.insert(quality::FILE.into(), html.into_bytes());
    }
    for (old, end) in &plan.redirects {
        // a page of this name goes first, whatever the plan says
        let html = || page::moved_html(&site, &assets, end.as_ref()).into_bytes();
        files.entry(format!("{old}.html")).or_insert_with(html);
    }
    files.insert("llms.txt".into(), llms_txt::llms_txt(&site).into_bytes());
    files.insert("llms-full.txt".into(), llms_txt::llms_full_txt(&site, &rendered).into_bytes());
    files.insert("search-index.json".into(), llms_txt::search_index_json(&site, &rendered).into_bytes());
    files.insert(".nojekyll".into(), Vec::new());
    files
}
