//! One page: its Markdown is parsed once, its tree is put in order, and HTML, contents and search text come out.
//!
//! Order of things: raw HTML, title, citations, callouts, links, headings, search text, code, HTML, sanitiser, sources.

use std::collections::BTreeMap;

use comrak::{
    Arena, Options,
    nodes::{Node, NodeLink, NodeValue},
    parse_document,
};

use super::{
    callouts,
    code_blocks::code_block_html,
    evidence::Rows,
    headings::{self, Heading},
    html, links, marking, raw_html,
    sanitize::HeldOut,
    search_index::{self, Section},
    site::{Site, SitePage},
    sources::{Mark, Sources},
    unverified::Unverified,
};

/// What rendering makes of one page's Markdown.
pub(crate) struct RenderedPage {
    /// The article, the title included.
    pub(crate) html: String,
    /// The title and every heading below it, in order.
    pub(crate) headings: Vec<Heading>,
    /// The text of each section for the search.
    pub(crate) sections: Vec<Section>,
    /// The id of the heading of each section that was checked.
    pub(crate) section_ids: BTreeMap<u32, String>,
    /// The Markdown copy.
    pub(crate) markdown: String,
}

/// The Markdown that pages are written in.
pub fn markdown_options() -> Options<'static> {
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
    let root = parse_document(&arena, markdown, &markdown_options());
    let has_raw_html = raw_html::prepare(root);
    headings::ensure_title(&arena, root, &page.planned.title);
    let rows = page.evidence.map(|evidence| Rows::new(evidence, markdown));
    let unverified = rows.as_ref().map(|rows| Unverified::of(site, page.slug(), rows)).unwrap_or_default();
    let mut sources = rows.map(Sources::new);
    let cited = marking::convert_citations(site, root, sources.as_mut());
    callouts::convert_quotations(root);
    convert_links(site, root);
    let mut headings = headings::number_headings(root);
    unverified.mark(&arena, root, &mut headings);
    let sections = search_index::sections_of(root, &headings);
    convert_code(site, root, &cited.code_marks);
    let held = has_raw_html.then(|| HeldOut::new(markdown));
    let mut html = html::page_html(site, root, &headings, held);
    if let Some(sources) = &sources {
        html.push_str(&sources.list_html(site));
    }
    let section_ids = sources.as_ref().map(|sources| section_ids(sources.rows(), &headings)).unwrap_or_default();
    let markdown = cited.places.convert(markdown, &unverified.notes());
    RenderedPage { html, headings, sections, section_ids, markdown }
}

/// The id of the heading of each section that has one.
fn section_ids(rows: &Rows<'_>, headings: &[Heading]) -> BTreeMap<u32, String> {
    let of_line: BTreeMap<usize, &str> = headings.iter().map(|heading| (heading.line, heading.id.as_str())).collect();
    let positions = rows.sections().iter().map(|section| section.position);
    positions
        .filter_map(|position| Some((position, (*of_line.get(&rows.start_of(position)?)?).to_owned())))
        .filter(|(position, _)| *position > 0)
        .collect()
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
fn convert_code(site: &Site<'_>, root: Node<'_>, marks: &[Option<Mark>]) {
    let mut number = 0;
    for node in root.descendants() {
        let html = match &node.data().value {
            NodeValue::CodeBlock(block) => {
                number += 1;
                let mark = marks.get(number - 1).and_then(Option::as_ref);
                code_block_html(site, &block.info, &block.literal, number, mark)
            }
            _ => continue,
        };
        node.data_mut().value = NodeValue::Raw(html);
    }
}
