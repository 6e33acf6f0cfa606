//! Links to places inside of pages: one that leads nowhere is made to lead to the page.

use std::collections::{HashMap, HashSet};

use super::{escape::decode, markdown::RenderedPage, site::Site};

/// The id of the main part of every page.
const TOP: &str = "#_dm-content";

/// Repairs every link with a `#` whose place does not exist.
pub(crate) fn repair(site: &Site<'_>, rendered: &mut [RenderedPage]) {
    let ids: HashMap<&str, HashSet<String>> =
        site.pages.iter().zip(rendered.iter()).map(|(page, result)| (page.slug(), ids_of(&result.html))).collect();
    let repaired: Vec<Option<String>> = site
        .pages
        .iter()
        .zip(rendered.iter())
        .map(|(page, result)| repaired_html(&result.html, page.slug(), &ids))
        .collect();
    for (result, html) in rendered.iter_mut().zip(repaired) {
        if let Some(html) = html {
            result.html = html;
        }
    }
}

/// The page's HTML with its broken anchors repaired, when there are any.
///
/// A quote inside of text or attributes is always written `&quot;` in our HTML, so that ` href="` begins an attribute
/// wherever it stands.
fn repaired_html(html: &str, slug: &str, ids: &HashMap<&str, HashSet<String>>) -> Option<String> {
    let mut out = String::new();
    let mut kept = 0;
    let mut at = 0;
    while let Some(start) = html[at..].find(" href=\"").map(|found| at + found + 7) {
        let end = html[start..].find('"').map_or(html.len(), |found| start + found);
        at = end;
        let Some((file, fragment)) = html[start..end].split_once('#') else { continue };
        let target = match file {
            "" => slug,
            _ => file.strip_suffix(".html").unwrap_or_default(),
        };
        let Some(known) = ids.get(target) else { continue };
        if known.contains(&decode(&fragment.replace("&amp;", "&"))) || fragment == &TOP[1..] {
            continue;
        }
        out.push_str(&html[kept..start]);
        out.push_str(if file.is_empty() { TOP } else { file });
        kept = end;
    }
    (kept > 0).then(|| out + &html[kept..])
}

fn ids_of(html: &str) -> HashSet<String> {
    let mut ids = HashSet::new();
    let mut rest = html;
    while let Some(at) = rest.find(" id=\"") {
        rest = &rest[at + 5..];
        let end = rest.find('"').unwrap_or(rest.len());
        ids.insert(rest[..end].replace("&amp;", "&"));
        rest = &rest[end..];
    }
    ids
}
