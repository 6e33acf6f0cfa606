//! The texts of a variant: what docsfy kept of each page, cleaned of what only docsfy means.

use shared::{names::PageSlug, page::Page, plan::PlannedPage};

use super::{
    folder::{Found, Projects},
    links::Links,
    plan::ImportedPlan,
};

/// What docsfy published in place of a page that it could not write.
const STUB: &str = "*Documentation generation failed. Please re-run.*";

/// The heading under which docsfy lists related pages at the end of a page; ours are listed by the renderer.
const RELATED: &str = "\n## Related Pages\n";

/// Most related pages that are shown.
const MAX_RELATED: usize = 5;

/// Most bytes of all pages of a site.
const MAX_SITE_BYTES: usize = 64 << 20;

/// What was found of a plan's pages.
#[derive(Debug, Default)]
pub(super) struct ImportedPages {
    /// The final texts, for the site.
    pub(super) site: Vec<Page>,
    /// The texts before links were put into them, for the table `pages`.
    pub(super) cached: Vec<(PageSlug, String)>,
    pub(super) repairs: Vec<String>,
    /// Pages that are left out, with the reason.
    pub(super) left_out: Vec<(String, String)>,
}

/// Reads the pages of a variant, whose folder is `variant`.
pub(super) fn read(projects: &Projects, variant: &[&str], plan: &ImportedPlan) -> ImportedPages {
    let mut pages = ImportedPages::default();
    let mut bytes = 0;
    for (planned, docsfy_slug) in plan.pages() {
        let file = format!("{docsfy_slug}.md");
        let place = |parts: &[&str]| projects.read(&[variant, parts, &[file.as_str()]].concat());
        let (published, cached) = (place(&["site"]), place(&["cache", "pages"]));
        let published = pages.usable(docsfy_slug, published);
        let cached = pages.usable(docsfy_slug, cached);
        let (text, unlinked) = match (published, cached) {
            (Ok(published), Ok(cached)) => (published, cached),
            (Ok(text), Err(_)) | (Err(_), Ok(text)) => (text.clone(), text),
            (Err(reason), Err(_)) => {
                pages.left_out.push((docsfy_slug.to_owned(), reason));
                continue;
            }
        };
        bytes += text.len();
        if bytes > MAX_SITE_BYTES {
            let reason = format!("the pages before it have {} MiB, as much as a site may have", MAX_SITE_BYTES >> 20);
            pages.left_out.push((docsfy_slug.to_owned(), reason));
            continue;
        }
        pages.cached.push((planned.slug.clone(), with_title(planned, &unlinked)));
        let (text, related) = split_related(&text, plan);
        let markdown = with_title(planned, &text);
        pages.site.push(Page { slug: planned.slug.clone(), markdown, related });
    }
    // only now it is known which pages there are
    let has_images = projects.has_folder(&[variant, &["site", "images"]].concat());
    let links = Links::new(plan, pages.site.iter().map(|page| &page.slug), has_images);
    pages.site.iter_mut().for_each(|page| page.markdown = links.repair(&page.markdown));
    pages
}

impl ImportedPages {
    /// The text, if it is one that a reader should see; else why not.
    fn usable(&mut self, name: &str, found: Found) -> Result<String, String> {
        match found {
            Found::Missing => Err("docsfy kept no text of it".into()),
            Found::Refused(reason) => Err(reason),
            Found::Text { text, .. } if text.trim().is_empty() => Err("its text is empty".into()),
            Found::Text { text, .. } if is_stub(&text) => Err("docsfy had failed to write it".into()),
            Found::Text { text, replaced } => {
                if replaced {
                    let name = super::report::shown(name);
                    self.repairs.push(format!("page {name} had bytes that are not UTF-8; they are shown as �"));
                }
                Ok(text.replace("\r\n", "\n"))
            }
        }
    }
}

fn is_stub(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("# "));
    lines.next() == Some(STUB) && lines.next().is_none()
}

/// The text with a heading at its top, as the renderer expects it.
fn with_title(planned: &PlannedPage, text: &str) -> String {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if text.starts_with("# ") { text.to_owned() } else { format!("# {}\n\n{text}", planned.title) }
}

/// Takes docsfy's list of related pages off the end of a page, when nothing but links to pages stands there.
fn split_related(text: &str, plan: &ImportedPlan) -> (String, Vec<PageSlug>) {
    let whole = || (text.to_owned(), Vec::new());
    let Some((body, list)) = text.rsplit_once(RELATED) else { return whole() };
    let mut related = Vec::new();
    for line in list.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let target = line.strip_prefix("- [").and_then(|line| line.strip_suffix(".html)")?.rsplit_once("]("));
        let Some((_, slug)) = target else { return whole() };
        related.extend(plan.pages().find(|(_, docsfy_slug)| *docsfy_slug == slug).map(|(page, _)| page.slug.clone()));
    }
    related.truncate(MAX_RELATED);
    (format!("{}\n", body.trim_end()), related)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> ImportedPlan {
        let json = r#"{"navigation": [{"group": "g", "pages": [
            {"slug": "Set_Up", "title": "Set up"}, {"slug": "usage", "title": "Usage"}, {"slug": "index", "title": "I"}]}]}"#;
        super::super::plan::read(json, "demo").unwrap()
    }

    #[test]
    fn docsfys_list_of_related_pages_becomes_ours_and_other_lists_stay() {
        let (text, related) =
            split_related("# T\n\nx\n\n## Related Pages\n\n- [U](usage.html)\n- [S](Set_Up.html)", &plan());
        assert_eq!(text, "# T\n\nx\n");
        assert_eq!(related.iter().map(PageSlug::as_str).collect::<Vec<_>>(), ["usage", "set-up"]);
        let kept = "# T\n\n## Related Pages\n\nSee [U](usage.html).";
        assert_eq!(split_related(kept, &plan()), (kept.to_owned(), Vec::new()));
    }

    #[test]
    fn only_a_page_that_is_nothing_but_the_stub_is_one() {
        assert!(is_stub(&format!("# T\n\n{STUB}")));
        assert!(!is_stub(&format!("# T\n\n{STUB}\n\nMore.")));
        assert!(!is_stub("# T"));
    }
}
