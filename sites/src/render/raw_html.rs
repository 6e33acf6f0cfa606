//! Raw HTML in a page's Markdown: what is made of it before it is put together with the rest.
//!
//! Only tags that carry text are kept for the sanitiser to judge. A tag that is not of that kind, such as `<script>` or
//! a `<placeholder>` that somebody forgot to quote, becomes text that readers see; comments go; an image becomes its
//! alternative text. So nothing here can swallow the page that follows it.

use comrak::nodes::{Node, NodeHtmlBlock, NodeValue};

/// Tags that the sanitiser keeps.
pub(crate) const KEPT: [&str; 50] = [
    "a",
    "abbr",
    "b",
    "blockquote",
    "br",
    "caption",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "del",
    "details",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "figcaption",
    "figure",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "ins",
    "kbd",
    "li",
    "mark",
    "ol",
    "p",
    "pre",
    "q",
    "s",
    "samp",
    "small",
    "span",
    "strong",
    "sub",
    "summary",
    "sup",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
];

/// Tags that the sanitiser takes away and whose content stands by itself.
const TAKEN_AWAY: [&str; 15] = [
    "big", "center", "font", "nobr", "picture", "rp", "rt", "ruby", "section", "source", "strike", "tt", "u", "ul",
    "var",
];

/// Tags that hold nothing or whose end may be left out; they do not count as open.
const UNCOUNTED: [&str; 15] =
    ["br", "hr", "col", "source", "p", "li", "dt", "dd", "tr", "td", "th", "thead", "tbody", "caption", "colgroup"];

/// Most tags that may be open at a time; a tag that goes deeper becomes text. The time that parsers of HTML need grows
/// with the square of the depth.
const MAX_OPEN_TAGS: usize = 64;

/// Prepares every piece of raw HTML; says whether any is left that needs the sanitiser.
pub(crate) fn prepare(root: Node<'_>) -> bool {
    let mut any_left = false;
    let mut open = 0;
    for node in root.descendants() {
        let mut data = node.data_mut();
        let replacement = match &data.value {
            NodeValue::HtmlBlock(block) => {
                let literal = readable(&block.literal, &mut open);
                if literal.contains('<') {
                    any_left = true;
                    NodeValue::HtmlBlock(NodeHtmlBlock { literal, ..block.clone() })
                } else if literal.trim().is_empty() {
                    NodeValue::Raw(String::new())
                } else {
                    NodeValue::Raw(format!("<p>{}</p>\n", literal.trim()))
                }
            }
            NodeValue::HtmlInline(literal) => match readable(literal, &mut open) {
                kept if kept.contains('<') => {
                    any_left = true;
                    NodeValue::HtmlInline(kept)
                }
                text if text.starts_with("&lt;") => NodeValue::Text(literal.clone().into()),
                text => NodeValue::Raw(text),
            },
            _ => continue,
        };
        data.value = replacement;
    }
    any_left
}

/// The literal without comments, with images as text and with every unknown `<` as text; `open` counts open tags.
fn readable(literal: &str, open: &mut usize) -> String {
    let mut out = String::with_capacity(literal.len());
    let mut rest = literal;
    while let Some(at) = rest.find('<') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if rest.starts_with("<!--") {
            rest = rest.find("-->").map_or("", |end| &rest[end + 3..]);
            continue;
        }
        let name_at = if rest.starts_with("</") { 2 } else { 1 };
        let length = rest[name_at..].find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len() - name_at);
        let name = rest[name_at..name_at + length].to_ascii_lowercase();
        if name == "img" {
            let end = tag_length(rest);
            out.push_str(&alternative_text(&rest[..end]));
            rest = &rest[end..];
            continue;
        }
        let known = KEPT.contains(&name.as_str()) || TAKEN_AWAY.contains(&name.as_str());
        let goes_on = rest[name_at + length..].starts_with(['>', '/', ' ', '\n', '\t', '\r']);
        let is_tag = known && goes_on && counted(&name, name_at == 2, open);
        out.push_str(if is_tag { "<" } else { "&lt;" });
        rest = &rest[1..];
        if name == "h1" && is_tag {
            // a page has one title, and that is not here
            out.push_str(if name_at == 2 { "/h2" } else { "h2" });
            rest = &rest[name_at + 1..];
        }
    }
    out.push_str(rest);
    out
}

/// Counts a tag; says no to one that would go too deep.
fn counted(name: &str, closes: bool, open: &mut usize) -> bool {
    if UNCOUNTED.contains(&name) {
        return true;
    }
    if closes {
        *open = open.saturating_sub(1);
    } else if *open >= MAX_OPEN_TAGS {
        return false;
    } else {
        *open += 1;
    }
    true
}

/// Length of the tag that begins here, quoted attributes respected; everything when it has no end.
fn tag_length(text: &str) -> usize {
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return at + 1,
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    text.len()
}

/// The `alt` of an image's tag, still escaped as it was.
fn alternative_text(tag: &str) -> String {
    let lowered = tag.to_ascii_lowercase();
    let Some(at) = lowered.find("alt=") else { return String::new() };
    let value = &tag[at + 4..];
    let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else { return String::new() };
    value[1..].split(quote).next().unwrap_or_default().replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    fn readable(literal: &str) -> String {
        super::readable(literal, &mut 0)
    }

    #[test]
    fn unknown_and_dangerous_tags_become_text_and_comments_go() {
        assert_eq!(readable("<script>x</script >"), "&lt;script>x&lt;/script >");
        assert_eq!(readable("<T>"), "&lt;T>");
        assert_eq!(readable("a<!-- b --><div>c</div><!-- d"), "a<div>c</div>");
        assert_eq!(readable("<svg/onload=alert(1)>"), "&lt;svg/onload=alert(1)>");
        assert_eq!(readable("<div<script>"), "&lt;div&lt;script>");
        assert_eq!(readable("<img src=x alt='the <b> logo' onerror=y>!"), "the &lt;b&gt; logo!");
        assert_eq!(readable("<h1 align=x>T</h1>"), "<h2 align=x>T</h2>");
        assert_eq!(readable("1 < 2 <"), "1 &lt; 2 &lt;");
    }
}
