//! As much Markdown as links need: where links to other pages stand. The text between stays as it
//! is, byte for byte, which a parser that prints its tree again would not give.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use shared::{names::PageSlug, plan::Plan, section::lines};

/// An inline code span, or an inline link: `[text](target)` or `[text](target "title")`, images included.
static SPAN_OR_LINK: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?s)(?P<code>`+[^`]*`+)|(?P<image>!?)\[(?P<text>(?:[^\[\]`]|`[^`]*`|\[[^\[\]]*\])*)\]\((?P<target>[^()\s]*)(?P<title>\s+"[^"]*")?\)"#)
        .expect("the pattern is a constant")
});

/// What a link's target means for the site.
enum Target<'a> {
    /// Not a page of this site: an address, an anchor, a file.
    Foreign,
    /// A page of this site under its right name.
    Page(&'a PageSlug),
    /// A page of this site, written otherwise; this is the right target.
    Repaired(String),
    /// No page.
    Broken,
}

/// Reads a target: `slug.html`, `slug.md`, with `./`, an anchor, or in other letters.
fn resolve<'a>(target: &str, plan: &'a Plan) -> Target<'a> {
    let (path, anchor) = target.split_at(target.find('#').unwrap_or(target.len()));
    let file = path.strip_prefix("./").unwrap_or(path);
    let is_address = file.contains(':') || file.starts_with('/') || file.starts_with("..");
    let stem = file.strip_suffix(".html").or_else(|| file.strip_suffix(".md"));
    let Some(stem) = stem.filter(|stem| !is_address && !stem.is_empty()) else { return Target::Foreign };
    if stem == "index" {
        return Target::Foreign;
    }
    let Some(page) = plan.pages().find(|page| page.slug.as_str().eq_ignore_ascii_case(stem)) else {
        // a page that was renamed is linked under its old name by pages that were not touched
        let moved = plan.redirects.iter().find(|(old, _)| old.as_str().eq_ignore_ascii_case(stem));
        return match moved.and_then(|(_, end)| end.as_ref()) {
            Some(end) => Target::Repaired(format!("{end}.html{anchor}")),
            None => Target::Broken,
        };
    };
    if file.strip_suffix(".html") == Some(page.slug.as_str()) && path == file {
        return Target::Page(&page.slug);
    }
    Target::Repaired(format!("{}.html{anchor}", page.slug))
}

/// The pages that a page links to.
pub(crate) fn linked_pages<'a>(text: &str, plan: &'a Plan) -> Vec<&'a PageSlug> {
    let mut linked = Vec::new();
    for_each_link(text, |link| {
        if let Target::Page(slug) = resolve(&link["target"], plan) {
            linked.push(slug);
        }
    });
    linked
}

/// Gives links to pages their right target and turns those that lead nowhere into their text.
pub(crate) fn repair_links(text: &str, plan: &Plan) -> String {
    let mut repaired = String::with_capacity(text.len());
    for (block, in_code) in blocks(text) {
        if in_code {
            repaired.push_str(block);
            continue;
        }
        repaired.push_str(&SPAN_OR_LINK.replace_all(block, |found: &Captures<'_>| {
            if found.name("code").is_some() || &found["image"] == "!" {
                return found[0].to_owned();
            }
            match resolve(&found["target"], plan) {
                Target::Foreign | Target::Page(_) => found[0].to_owned(),
                Target::Repaired(target) => {
                    let title = found.name("title").map_or("", |title| title.as_str());
                    format!("[{}]({target}{title})", &found["text"])
                }
                Target::Broken => found["text"].to_owned(),
            }
        }));
    }
    repaired
}

fn for_each_link(text: &str, mut visit: impl FnMut(&Captures<'_>)) {
    for (block, in_code) in blocks(text) {
        if !in_code {
            SPAN_OR_LINK
                .captures_iter(block)
                .filter(|found| found.name("code").is_none())
                .for_each(|found| visit(&found));
        }
    }
}

/// The text in alternating pieces of prose and fenced code.
pub(crate) fn blocks(text: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut start = 0;
    let mut position = 0;
    let mut kind = false;
    let mut pieces = Vec::new();
    for line in lines(text) {
        if line.in_code != kind {
            if position > start {
                pieces.push((&text[start..position], kind));
            }
            (start, kind) = (position, line.in_code);
        }
        position += line.text.len();
    }
    if position > start {
        pieces.push((&text[start..position], kind));
    }
    pieces.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The targets on a page that look like pages of the site and are none.
    fn broken_links(text: &str, plan: &Plan) -> Vec<String> {
        let mut broken = Vec::new();
        for_each_link(text, |link| {
            let target = &link["target"];
            if &link["image"] != "!" && matches!(resolve(target, plan), Target::Broken) {
                broken.push(target.to_owned());
            }
        });
        broken
    }

    fn plan() -> Plan {
        serde_json::from_str(
            r#"{"project_name":"x","navigation":[{"group":"g","pages":[
                {"slug":"set-up","title":"Set up"},{"slug":"usage","title":"Usage"}]}]}"#,
        )
        .unwrap()
    }

    #[test]
    fn links_are_repaired_or_become_text() {
        let text = "See [a](Set-Up.html#x), [b](./usage.md), [c](gone.html), [d](https://x.y/z.html), ![i](pic.md).";
        let right = "See [a](set-up.html#x), [b](usage.html), c, [d](https://x.y/z.html), ![i](pic.md).";
        assert_eq!(repair_links(text, &plan()), right);
        assert_eq!(broken_links(text, &plan()), ["gone.html"]);
    }

    #[test]
    fn links_to_a_renamed_page_lead_where_it_went_and_those_to_a_removed_one_become_text() {
        let mut plan = plan();
        let slug = |text: &str| text.parse::<PageSlug>().unwrap();
        plan.redirect([(slug("install"), Some(slug("set-up"))), (slug("gone"), None)]);
        let text = "[a](install.html#x), [b](gone.html), [c](gone-too.html)";
        assert_eq!(repair_links(text, &plan), "[a](set-up.html#x), b, c");
        assert_eq!(broken_links(text, &plan), ["gone.html", "gone-too.html"]);
    }

    #[test]
    fn code_is_not_touched() {
        let text = "`[c](gone.html)`\n\n```md\n[c](gone.html)\n```\n\n[c](gone.html \"t\")\n";
        assert_eq!(repair_links(text, &plan()), "`[c](gone.html)`\n\n```md\n[c](gone.html)\n```\n\nc\n");
    }

    #[test]
    fn pieces_make_up_the_whole_text() {
        let text = "a\n```\nb\n```\nc\n~~~\nd";
        assert_eq!(blocks(text).map(|(piece, _)| piece).collect::<String>(), text);
    }
}
