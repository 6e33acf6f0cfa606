//! The sanitiser for pages that hold raw HTML. Our own HTML (code, citations) is held out and put back afterwards.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};

use ammonia::Builder;
use sha2::{Digest, Sha256};

use super::{
    headings::LAYOUT_PREFIX,
    links::{LinkTargets, resolve_link},
    raw_html,
    site::Site,
};

/// Pieces of our own HTML that wait outside while a page is sanitised.
///
/// A piece is written as a word that begins with a digest of the page itself, so that no page can hold its own. It comes
/// back only where it stands as text: a page can put it into an attribute (by leaving a quote open in front of a code
/// block), and there it is left out.
pub(crate) struct HeldOut {
    mark: String,
    pieces: Vec<String>,
}

impl HeldOut {
    pub(crate) fn new(page: &str) -> Self {
        let digest = Sha256::digest(page.as_bytes());
        let mark = format!("docmill{}", hex::encode(&digest[..12]));
        Self { mark, pieces: Vec::new() }
    }

    /// Takes a piece in; what is returned stands in its place.
    pub(crate) fn hold(&mut self, html: &str) -> String {
        self.pieces.push(html.to_owned());
        format!("{}x{}x", self.mark, self.pieces.len() - 1)
    }

    /// Puts the pieces back into the text of sanitised HTML.
    fn put_back(&self, html: &str) -> String {
        let mut out = String::with_capacity(html.len() + self.pieces.iter().map(String::len).sum::<usize>());
        let mut rest = html;
        while !rest.is_empty() {
            let text_end = rest.find('<').unwrap_or(rest.len());
            self.replace_words(&rest[..text_end], true, &mut out);
            rest = &rest[text_end..];
            let tag = tag_end(rest);
            self.replace_words(&rest[..tag], false, &mut out);
            rest = &rest[tag..];
        }
        out
    }

    /// Writes `text` with each word replaced by its piece, or left out where pieces must not stand.
    fn replace_words(&self, text: &str, with_pieces: bool, out: &mut String) {
        let mut rest = text;
        while let Some(at) = rest.find(&self.mark) {
            let after = &rest[at + self.mark.len()..];
            let piece = after.strip_prefix('x').and_then(|after| after.split_once('x')).and_then(|(number, after)| {
                number.parse::<usize>().ok().and_then(|number| self.pieces.get(number)).map(|piece| (piece, after))
            });
            out.push_str(&rest[..at]);
            match piece {
                Some((piece, after)) => {
                    out.push_str(if with_pieces { piece } else { "" });
                    rest = after;
                }
                None => rest = after,
            }
        }
        out.push_str(rest);
    }
}

/// Length of the tag at the beginning of serialised HTML, whose attributes are always in double quotes.
fn tag_end(html: &str) -> usize {
    let mut quoted = false;
    for (at, byte) in html.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'>' if !quoted => return at + 1,
            _ => {}
        }
    }
    html.len()
}

/// Sanitises the HTML of one page.
pub(crate) fn sanitize(site: &Site<'_>, html: &str, held: &HeldOut) -> String {
    let ids = Mutex::new(HashSet::new());
    let targets = Arc::clone(&site.link_targets);
    let mut builder = Builder::default();
    builder
        .tags(raw_html::KEPT.into_iter().chain(["ul", "section"]).collect())
        .tag_attributes(HashMap::from([
            ("a", HashSet::from(["href"])),
            ("ol", HashSet::from(["start", "reversed", "type"])),
            ("td", HashSet::from(["colspan", "rowspan"])),
            ("th", HashSet::from(["colspan", "rowspan", "scope"])),
            ("details", HashSet::from(["open"])),
            ("div", HashSet::from(["role", "tabindex"])),
            ("span", HashSet::from(["role"])),
        ]))
        .generic_attributes(HashSet::from(["id", "title", "lang", "dir", "aria-label"]))
        .allowed_classes(HashMap::from([
            (
                "div",
                HashSet::from(["heading", "table-scroll", "callout", "note", "tip", "important", "warning", "danger"]),
            ),
            ("a", HashSet::from(["permalink", "footnote-back"])),
            ("p", HashSet::from(["callout-title"])),
            ("th", HashSet::from(["center", "right"])),
            ("td", HashSet::from(["center", "right"])),
            ("li", HashSet::from(["task"])),
            ("span", HashSet::from(["box", "done"])),
            ("sup", HashSet::from(["footnote-ref"])),
            ("section", HashSet::from(["footnotes"])),
        ]))
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .link_rel(None)
        .attribute_filter(move |_, attribute, value| keep_attribute(&targets, &ids, attribute, value));
    held.put_back(&builder.clean(html).to_string())
}

/// What becomes of an attribute that is allowed in general.
fn keep_attribute<'v>(
    targets: &LinkTargets,
    ids: &Mutex<HashSet<String>>,
    attribute: &str,
    value: &'v str,
) -> Option<Cow<'v, str>> {
    let kept = match attribute {
        "href" => return resolve_link(targets, value).map(Cow::Owned),
        "id" => {
            !value.is_empty()
                && value.len() <= 200
                && !value.starts_with(LAYOUT_PREFIX)
                && !value.contains(char::is_whitespace)
                && ids.lock().is_ok_and(|mut ids| ids.insert(value.to_owned()))
        }
        "tabindex" => value == "0",
        "role" => matches!(value, "region" | "note" | "img"),
        _ => true,
    };
    kept.then_some(Cow::Borrowed(value))
}
