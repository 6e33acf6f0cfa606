//! A banner on a page of a finished site, added when the page is served: the files of a site never change, but how far the
//! repository has moved on since does.

use crate::render::escaped;

/// The place of the banner in every page of a site: once, in front of the content. A page cannot write it: comments in
/// its text are left out, and `<` is escaped everywhere else.
pub const PLACE: &str = "<!--docmill:banner-->";

/// The page with a banner that says this sentence. A page without the place, as older sites have them, and what is no page
/// of ours, stays as it is.
pub fn insert(page: Vec<u8>, sentence: &str) -> Vec<u8> {
    let Some(at) = find_place(&page) else { return page };
    let banner =
        format!("<aside class=\"banner\" aria-label=\"Age of this page\"><p>{}</p></aside>", escaped(sentence));
    let mut out = Vec::with_capacity(page.len() + banner.len());
    out.extend_from_slice(&page[..at]);
    out.extend_from_slice(banner.as_bytes());
    out.extend_from_slice(&page[at + PLACE.len()..]);
    out
}

/// The first byte of the place.
pub fn find_place(page: &[u8]) -> Option<usize> {
    page.windows(PLACE.len()).position(|window| window == PLACE.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_banner_stands_in_its_place_and_is_only_text() {
        let page = format!("<header></header>\n{PLACE}\n<main></main>").into_bytes();
        let shown = String::from_utf8(insert(page, "3 commits <behind>")).unwrap();
        assert!(shown.contains("<p>3 commits &lt;behind&gt;</p></aside>\n<main>"), "{shown}");
        assert_eq!(insert(b"{}".to_vec(), "x"), b"{}");
    }
}
