//! Where a link of a page may lead: other pages, the web, the repository's host; everything else is no link.

use std::collections::HashSet;

use super::escape::{decode, encode_path, encode_url};

/// What there is to link to.
pub(crate) struct LinkTargets {
    /// The slugs of the site's pages.
    pub(crate) slugs: HashSet<String>,
    /// Where the repository's host shows files, when it has a public one; ends in `/`.
    pub(crate) blob_base: Option<String>,
}

/// Schemes that a reader may follow.
const SCHEMES: [&str; 3] = ["http", "https", "mailto"];

/// The address to write for a link of a page, or nothing when it must not be one.
/// An address that came out of here goes through unchanged.
pub(crate) fn resolve_link(targets: &LinkTargets, url: &str) -> Option<String> {
    let url = url.trim();
    if url.is_empty() || url.contains('\\') || url.chars().any(char::is_control) {
        return None;
    }
    if url.starts_with('#') {
        return Some(encode_url(url));
    }
    if let Some(host) = url.strip_prefix("//") {
        return Some(format!("https://{}", encode_url(host)));
    }
    if let Some(scheme) = scheme_of(url) {
        let allowed = SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known));
        return allowed.then(|| encode_url(url));
    }
    let (path, fragment) = split(url);
    page_link(targets, path, fragment).or_else(|| source_link(targets, path, fragment))
}

/// The scheme in front of the first colon, when there is one before any `/`, `?` or `#`.
fn scheme_of(url: &str) -> Option<&str> {
    let end = url.find([':', '/', '?', '#'])?;
    url[end..].starts_with(':').then_some(&url[..end])
}

/// Path and fragment; a query means nothing in a folder of files and is dropped.
fn split(url: &str) -> (&str, Option<&str>) {
    let (rest, fragment) = url.split_once('#').map_or((url, None), |(rest, fragment)| (rest, Some(fragment)));
    (rest.split('?').next().unwrap_or_default(), fragment.filter(|fragment| !fragment.is_empty()))
}

/// A link to another page of the site: `slug`, `slug.md`, `slug.html`, in this folder.
fn page_link(targets: &LinkTargets, path: &str, fragment: Option<&str>) -> Option<String> {
    let name = path.trim_start_matches("./").trim_start_matches('/');
    let slug = [".md", ".html", ".markdown", "/"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    let file = if matches!(name, "index.html" | "index") {
        "index.html".to_owned()
    } else {
        targets.slugs.get(slug)?;
        format!("{slug}.html")
    };
    Some(match fragment {
        Some(fragment) => format!("{file}#{}", encode_url(fragment)),
        None => file,
    })
}

/// A link to a file of the repository on its host.
fn source_link(targets: &LinkTargets, path: &str, fragment: Option<&str>) -> Option<String> {
    let blob_base = targets.blob_base.as_ref()?;
    let mut parts: Vec<String> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(decode(part)),
        }
    }
    if parts.is_empty() {
        return None;
    }
    let fragment = fragment.map(|fragment| format!("#{}", encode_url(fragment))).unwrap_or_default();
    Some(format!("{blob_base}{}{fragment}", encode_path(&parts.join("/"))))
}
