//! What other programs read: `llms.txt`, `llms-full.txt` and docsfy's `search-index.json`.

use std::fmt::Write as _;

use serde::Serialize;

use super::{markdown::RenderedPage, site::Site};

/// Characters of each page in `search-index.json`, as docsfy has it.
const INDEXED_CHARS: usize = 2000;

/// The list of pages with their descriptions.
pub(crate) fn llms_txt(site: &Site<'_>) -> String {
    let mut out = head(site);
    for group in &site.groups {
        write!(out, "\n## {}\n\n", one_line(group.title)).expect("writing to a String cannot fail");
        for page in site.pages_of(group) {
            let (title, slug) = (one_line(&page.planned.title), page.slug());
            write!(out, "- [{title}]({slug}.md)").expect("writing to a String cannot fail");
            if !page.planned.description.trim().is_empty() {
                write!(out, ": {}", one_line(&page.planned.description)).expect("writing to a String cannot fail");
            }
            out.push('\n');
        }
    }
    out
}

/// All pages in one file.
pub(crate) fn llms_full_txt(site: &Site<'_>, rendered: &[RenderedPage]) -> String {
    let mut out = head(site);
    out.push_str("\n---\n\n");
    for (page, result) in site.pages.iter().zip(rendered) {
        write!(out, "Source: {}.md\n\n{}\n\n---\n\n", page.slug(), result.markdown.trim_end())
            .expect("writing to a String cannot fail");
    }
    out
}

#[derive(Serialize)]
struct IndexedPage<'a> {
    slug: &'a str,
    title: &'a str,
    content: String,
}

/// The beginning of each page for clients that search by themselves.
pub(crate) fn search_index_json(site: &Site<'_>, rendered: &[RenderedPage]) -> String {
    let pages: Vec<IndexedPage<'_>> = site
        .pages
        .iter()
        .zip(rendered)
        .map(|(page, result)| IndexedPage {
            slug: page.slug(),
            title: &page.planned.title,
            content: result.markdown.chars().take(INDEXED_CHARS).collect(),
        })
        .collect();
    serde_json::to_string(&pages).expect("texts are always JSON")
}

fn head(site: &Site<'_>) -> String {
    let mut out = format!("# {}\n", one_line(&site.plan.project_name));
    if !site.plan.tagline.trim().is_empty() {
        write!(out, "\n> {}\n", one_line(&site.plan.tagline)).expect("writing to a String cannot fail");
    }
    out
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
