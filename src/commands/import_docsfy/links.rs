//! Links between the pages of a site, after some of them got another name and others were left out.

use std::collections::HashMap;

use shared::names::PageSlug;

use super::plan::ImportedPlan;

/// Longest text or target of a link that is looked at, in bytes; so a page of nothing but brackets takes no longer than another.
const MAX_PART_BYTES: usize = 2048;

/// Where links lead now.
pub(super) struct Links {
    /// The file of each page that is there, by the name it had; nothing for a page that is left out.
    pages: HashMap<String, Option<String>>,
    /// Whether docsfy copied images of the repository into its site.
    has_images: bool,
}

impl Links {
    /// Links of a plan of which these pages are there.
    pub(super) fn new<'a>(plan: &ImportedPlan, there: impl Iterator<Item = &'a PageSlug>, has_images: bool) -> Self {
        let there: Vec<&PageSlug> = there.collect();
        let mut pages = HashMap::new();
        // `index.html` is the start page of docsfy's sites too, whatever page has that slug
        for (page, docsfy_slug) in plan.pages().filter(|(_, docsfy_slug)| *docsfy_slug != "index") {
            let file = there.contains(&&page.slug).then(|| format!("{}.html", page.slug));
            for ending in ["html", "md"] {
                pages.insert(format!("{docsfy_slug}.{ending}"), file.clone());
            }
        }
        Self { pages, has_images }
    }

    /// The text with links to renamed pages renamed, and those to missing pages as their text; code blocks stay as they are.
    pub(super) fn repair(&self, text: &str) -> String {
        let mut in_code = false;
        let mut repaired = String::with_capacity(text.len());
        for line in text.split_inclusive('\n') {
            let is_fence = line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~");
            in_code ^= is_fence;
            if in_code || is_fence {
                repaired.push_str(line);
            } else {
                repaired.push_str(&self.repair_line(line));
            }
        }
        repaired
    }

    fn repair_line(&self, line: &str) -> String {
        let mut repaired = String::with_capacity(line.len());
        let mut rest = line;
        while let Some((before, after)) = rest.split_once("](") {
            repaired.push_str(before);
            let near = &after[..after.floor_char_boundary(MAX_PART_BYTES)];
            let target = &near[..near.find([')', ' ']).unwrap_or(near.len())];
            let (path, fragment) = target.split_at(target.find('#').unwrap_or(target.len()));
            let after_link = near.find(')').map(|end| &after[end + 1..]);
            let resolved = self.resolve(path);
            let cut_out = match &resolved {
                Resolved::Missing => text_start(&repaired).zip(after_link),
                _ => None,
            };
            rest = match (resolved, cut_out) {
                (_, Some((start, after_link))) => {
                    repaired.remove(start);
                    after_link
                }
                (Resolved::Renamed(file), _) => {
                    repaired.push_str("](");
                    repaired.push_str(&file);
                    repaired.push_str(fragment);
                    &after[target.len()..]
                }
                (Resolved::Same | Resolved::Missing, None) => {
                    repaired.push_str("](");
                    after
                }
            };
        }
        repaired.push_str(rest);
        repaired
    }

    fn resolve(&self, path: &str) -> Resolved {
        let file = path.strip_prefix("./").unwrap_or(path);
        if let Some(image) = file.strip_prefix("images/").filter(|_| self.has_images) {
            // docsfy copies them from this folder of the repository, to which a link can lead
            return Resolved::Renamed(format!("docsfy-images/{image}"));
        }
        match self.pages.get(file) {
            Some(Some(renamed)) => Resolved::Renamed(renamed.clone()),
            Some(None) => Resolved::Missing,
            // a page that was never planned
            None if is_page(file) => Resolved::Missing,
            None => Resolved::Same,
        }
    }
}

/// Whether a target looks like a page of the site, besides its start page.
fn is_page(file: &str) -> bool {
    file.strip_suffix(".html").is_some_and(|slug| slug != "index" && !slug.contains(['/', ':']))
}

enum Resolved {
    Same,
    Renamed(String),
    Missing,
}

/// Where the `[` stands that opens the text of a link whose `]` comes next; nothing for an image.
fn text_start(before: &str) -> Option<usize> {
    let mut open = 0;
    for (at, c) in before.char_indices().rev().take(MAX_PART_BYTES) {
        match c {
            ']' => open += 1,
            '[' if open == 0 => return (!before[..at].ends_with('!')).then_some(at),
            '[' => open -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_follow_renamed_pages_and_end_at_missing_ones() {
        let json = r#"{"navigation": [{"group": "g", "pages": [
            {"slug": "Set_Up", "title": "Set up"}, {"slug": "usage", "title": "Usage"}, {"slug": "lost", "title": "Lost"},
            {"slug": "index", "title": "I"}]}]}"#;
        let plan = super::super::plan::read(json, "demo").unwrap();
        let there: Vec<PageSlug> = ["set-up", "usage"].map(|slug| slug.parse().unwrap()).into();
        let links = Links::new(&plan, there.iter(), true);
        for (text, right) in [
            ("[a](Set_Up.html#x) [b](./Set_Up.md)", "[a](set-up.html#x) [b](set-up.html)"),
            ("[c](usage.html) [d](index.html) [e](#x)", "[c](usage.html) [d](index.html) [e](#x)"),
            ("![e](images/x.png)", "![e](docsfy-images/x.png)"),
            ("[f](x/Set_Up.html) [r](README.md)", "[f](x/Set_Up.html) [r](README.md)"),
            ("[g](Set_Up.html \"t\")", "[g](set-up.html \"t\")"),
            ("see [the [lost] one](lost.html#x), and", "see the [lost] one, and"),
            ("- [a](gone.html) [b](https://x.y/z.html)", "- a [b](https://x.y/z.html)"),
            ("![i](gone.html) a](gone.html) [a](gone.html", "![i](gone.html) a](gone.html) [a](gone.html"),
            ("```\n[a](Set_Up.html)\n```\n", "```\n[a](Set_Up.html)\n```\n"),
        ] {
            assert_eq!(links.repair(text), right);
        }
    }

    #[test]
    fn no_part_of_a_link_is_looked_at_further_than_a_limit() {
        let plan = super::super::plan::of_files(&["a".to_owned()], "demo").unwrap();
        let links = Links::new(&plan, std::iter::empty(), false);
        let [fitting, long] = [MAX_PART_BYTES - 10, MAX_PART_BYTES].map(|length| "ü".repeat(length / 2));
        assert_eq!(links.repair(&format!("[x]({fitting}.html)")), "x");
        let same = [format!("[x]({long}.html)"), format!("[{long}{long}](a.html)"), "](a.html".repeat(1 << 14)];
        for text in same {
            assert_eq!(links.repair(&text), text);
        }
    }
}
