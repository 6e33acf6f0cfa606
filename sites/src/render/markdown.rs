//! One page: its Markdown is parsed once, its tree is put in order, and HTML, contents and search text come out.
//!
//! Order of things: raw HTML, title, citations, callouts, links, headings, search text, code, HTML, sanitiser.

use comrak::{
    Arena, Options,
    nodes::{Node, NodeLink, NodeValue},
    parse_document,
};

use super::{
    callouts, citations,
    citations::Citation,
    code_blocks::code_block_html,
    escape::decode,
    headings::{self, Heading},
    html, links,
    markdown_copy::CitationPlaces,
    raw_html,
    sanitize::HeldOut,
    search_index::{self, Section},
    site::{Site, SitePage},
    text::text_of,
};

/// What rendering makes of one page's Markdown.
pub(crate) struct RenderedPage {
    /// The article, the title included.
    pub(crate) html: String,
    /// The title and every heading below it, in order.
    pub(crate) headings: Vec<Heading>,
    /// The text of each section for the search.
    pub(crate) sections: Vec<Section>,
    /// The Markdown copy.
    pub(crate) markdown: String,
}

/// The Markdown that pages are written in.
pub(crate) fn options() -> Options<'static> {
    let mut options = Options::default();
    let extension = &mut options.extension;
    extension.strikethrough = true;
    extension.table = true;
    extension.autolink = true;
    extension.tasklist = true;
    extension.footnotes = true;
    extension.alerts = true;
    extension.cjk_friendly_emphasis = true;
    // files taken over from other documentation tools begin with it; it is no text
    extension.front_matter_delimiter = Some("---".to_owned());
    // `[[…]]` of a citation is read like a wiki link, so that `__init__` in a path is no emphasis
    extension.wikilinks_title_after_pipe = true;
    options
}

/// Renders one page.
pub(crate) fn render_page(site: &Site<'_>, page: &SitePage<'_>) -> RenderedPage {
    let markdown = page.written.markdown.as_str();
    let arena = Arena::new();
    let root = parse_document(&arena, markdown, &options());
    let has_raw_html = raw_html::prepare(root);
    headings::ensure_title(&arena, root, &page.planned.title);
    let mut places = CitationPlaces::default();
    convert_citations(site, root, &mut places);
    callouts::convert_quotations(root);
    convert_links(site, root);
    let headings = headings::number_headings(root);
    let sections = search_index::sections_of(root, &headings);
    convert_code(site, root);
    let held = has_raw_html.then(|| HeldOut::new(markdown));
    RenderedPage {
        html: html::page_html(site, root, &headings, held),
        headings,
        sections,
        markdown: places.convert(markdown, site.info.source.as_ref()),
    }
}

/// Wiki links become groups of citations, or the text that they were.
fn convert_citations(site: &Site<'_>, root: Node<'_>, places: &mut CitationPlaces) {
    let nodes: Vec<Node<'_>> =
        root.descendants().filter(|node| matches!(node.data().value, NodeValue::WikiLink(_))).collect();
    for node in nodes {
        // a node that joined the group before it is no wiki link any more
        let Some(first) = citation_of(node) else {
            let text = text_of(node);
            if matches!(node.data().value, NodeValue::WikiLink(_)) {
                node.children().for_each(comrak::arena_tree::Node::detach);
                node.data_mut().value = NodeValue::Text(format!("[[{text}]]").into());
            }
            continue;
        };
        places.add(node.data().sourcepos.start, &first);
        let mut group = vec![first];
        while let Some((between, next, citation)) = next_in_group(node) {
            places.add(next.data().sourcepos.start, &citation);
            group.push(citation);
            for joined in between.into_iter().chain([next]) {
                joined.data_mut().value = NodeValue::Text("".into());
                joined.detach();
            }
        }
        node.children().for_each(comrak::arena_tree::Node::detach);
        node.data_mut().value = NodeValue::Raw(citations::group_html(&group, site.info.source.as_ref()));
    }
}

fn citation_of(node: Node<'_>) -> Option<Citation> {
    match &node.data().value {
        NodeValue::WikiLink(link) => Citation::parse(&decode(&link.url)),
        _ => None,
    }
}

/// The citation that follows with nothing but space, comma or semicolon between.
fn next_in_group(node: Node<'_>) -> Option<(Option<Node<'_>>, Node<'_>, Citation)> {
    let next = node.next_sibling()?;
    if let Some(citation) = citation_of(next) {
        return Some((None, next, citation));
    }
    let divides = match &next.data().value {
        NodeValue::Text(text) => text.trim_matches([' ', ',', ';']).is_empty(),
        NodeValue::SoftBreak => true,
        _ => false,
    };
    let after = next.next_sibling().filter(|_| divides)?;
    citation_of(after).map(|citation| (Some(next), after, citation))
}

/// Links get the address that a reader may follow or become their text; images become links or their text, because a
/// site loads nothing from elsewhere.
fn convert_links(site: &Site<'_>, root: Node<'_>) {
    let nodes: Vec<Node<'_>> = root
        .descendants()
        .filter(|node| matches!(node.data().value, NodeValue::Link(_) | NodeValue::Image(_)))
        .collect();
    for node in nodes {
        let (url, is_image) = match &node.data().value {
            NodeValue::Link(link) => (link.url.clone(), false),
            NodeValue::Image(link) => (link.url.clone(), true),
            _ => continue,
        };
        let target = links::resolve_link(&site.link_targets, &url);
        if is_image {
            replace_image(node, target);
            continue;
        }
        match target {
            Some(url) => set_url(node, url),
            None => unwrap_node(node),
        }
    }
}

fn set_url(node: Node<'_>, url: String) {
    if let NodeValue::Link(link) = &mut node.data_mut().value {
        link.url = url;
    }
}

fn replace_image(node: Node<'_>, target: Option<String>) {
    let inside_link = node.ancestors().skip(1).any(|above| matches!(above.data().value, NodeValue::Link(_)));
    if node.first_child().is_none() {
        node.data_mut().value = NodeValue::Text("image".into());
        return;
    }
    match target.filter(|_| !inside_link) {
        Some(url) => node.data_mut().value = NodeValue::Link(Box::new(NodeLink { url, title: String::new() })),
        None => unwrap_node(node),
    }
}

/// Leaves a node's children in its place.
fn unwrap_node(node: Node<'_>) {
    while let Some(child) = node.first_child() {
        node.insert_before(child);
    }
    node.detach();
}

/// Code blocks become finished HTML.
fn convert_code(site: &Site<'_>, root: Node<'_>) {
    let mut number = 0;
    for node in root.descendants() {
        let html = match &node.data().value {
            NodeValue::CodeBlock(block) => {
                number += 1;
                code_block_html(site, &block.info, &block.literal, number)
            }
            _ => continue,
        };
        node.data_mut().value = NodeValue::Raw(html);
    }
}
