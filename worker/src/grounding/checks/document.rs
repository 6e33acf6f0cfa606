//! A page as the rules see it: parsed once into blocks of prose with their code spans and citations, fenced code, headings
//! and links, each with the section that it stands in.

use std::collections::{BTreeSet, HashSet};

use comrak::{
    Arena,
    nodes::{Node, NodeValue},
    parse_document,
};
use shared::{
    citation::WrittenCitation,
    evidence::{Citation, SectionEvidence},
    names::PageSlug,
};
use sites::render::{UniqueIds, markdown_options};

use super::{PageText, fences::Fence};

/// A parsed page.
pub(super) struct Document<'a> {
    pub(super) slug: &'a PageSlug,
    pub(super) markdown: &'a str,
    pub(super) sections: Vec<SectionEvidence>,
    pub(super) blocks: Vec<Block>,
    pub(super) fences: Vec<Fence>,
    pub(super) headings: Vec<Heading>,
    pub(super) links: Vec<Link>,
    /// What stands between double brackets and is no citation, with its section.
    pub(super) not_citations: Vec<(u32, String)>,
    /// The ids of its headings, and those that its HTML gives.
    pub(super) anchors: HashSet<String>,
    /// Names that the page marks as not of this project: `<!-- external: name, name -->`, or as text of a link elsewhere.
    pub(super) external: BTreeSet<String>,
    /// Names that are links into a package, as Rust's documentation writes them: the text, and the package of `tower::Layer`.
    pub(super) of_packages: BTreeSet<(String, String)>,
}

/// What a block of prose is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BlockKind {
    Heading,
    Paragraph,
    Item,
    Row,
}

/// A paragraph, the text of a list item, a heading or a row of a table.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) section: u32,
    pub(super) kind: BlockKind,
    /// Its words, code spans included, citations left out; cells are separated by ` | `.
    pub(super) text: String,
    pub(super) spans: Vec<Span>,
    /// Those at its end, or in the paragraph of nothing but citations behind it.
    pub(super) citations: Vec<WrittenCitation>,
    /// For a row the texts of the header's cells, in lower case.
    pub(super) header: Vec<String>,
    /// Which list or table it is part of.
    group: usize,
}

/// A code span.
#[derive(Debug)]
pub(super) struct Span {
    pub(super) text: String,
    /// Where it begins in the text of its block.
    pub(super) at: usize,
    /// For a row which cell it stands in, from 0.
    pub(super) cell: usize,
}

/// A heading.
pub(super) struct Heading {
    pub(super) section: u32,
    pub(super) level: u8,
    pub(super) text: String,
}

/// A link or an image.
pub(super) struct Link {
    pub(super) section: u32,
    pub(super) target: String,
    pub(super) is_image: bool,
}

impl<'a> Document<'a> {
    /// Parses a page.
    pub(super) fn parse(page: PageText<'a>) -> Self {
        let PageText { slug, markdown, sections } = page;
        let mut starts = vec![0];
        starts.extend(markdown.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1));
        let mut document = Self {
            slug,
            markdown,
            sections,
            blocks: Vec::new(),
            fences: Vec::new(),
            headings: Vec::new(),
            links: Vec::new(),
            not_citations: Vec::new(),
            anchors: HashSet::new(),
            external: BTreeSet::new(),
            of_packages: BTreeSet::new(),
        };
        let arena = Arena::new();
        let root = parse_document(&arena, markdown, &markdown_options());
        let mut walk = Walk { starts: &starts, header: Vec::new(), group: 0, ids: UniqueIds::default() };
        for node in root.descendants() {
            walk.visit(&mut document, node);
        }
        document
    }

    /// The citation of a section that is written so.
    pub(super) fn citation(&self, section: u32, written: &WrittenCitation) -> Option<&Citation> {
        let section = self.sections.get(section as usize)?;
        section.citations.iter().find(|known| WrittenCitation::parse(&known.written).as_ref() == Some(written))
    }

    /// The section of a byte of the page.
    pub(super) fn section_at(&self, byte: usize) -> u32 {
        let behind = self.sections.partition_point(|section| section.bytes.0 as usize <= byte);
        u32::try_from(behind.saturating_sub(1)).unwrap_or(u32::MAX)
    }
}

/// What is remembered from node to node.
struct Walk<'s> {
    starts: &'s [usize],
    header: Vec<String>,
    group: usize,
    ids: UniqueIds,
}

impl Walk<'_> {
    fn visit(&mut self, document: &mut Document<'_>, node: Node<'_>) {
        let line = node.data().sourcepos.start.line;
        let byte = self.starts.get(line.saturating_sub(1)).copied().unwrap_or_default();
        let section = document.section_at(byte);
        match &node.data().value {
            NodeValue::List(_) | NodeValue::Table(_) => self.group += 1,
            NodeValue::Paragraph => {
                let in_item = node
                    .parent()
                    .is_some_and(|parent| matches!(parent.data().value, NodeValue::Item(_) | NodeValue::TaskItem(_)));
                let kind = if in_item { BlockKind::Item } else { BlockKind::Paragraph };
                self.block(document, node, section, kind);
            }
            NodeValue::Heading(heading) => {
                self.block(document, node, section, BlockKind::Heading);
                let text = document.blocks.last().map(|block| block.text.clone()).unwrap_or_default();
                document.anchors.insert(self.ids.id_of(&text));
                document.headings.push(Heading { section, level: heading.level, text });
            }
            NodeValue::TableRow(is_header) => {
                if *is_header {
                    let cells = node.children().map(|cell| inlines(cell).text.trim().to_lowercase());
                    self.header = cells.collect();
                }
                self.block(document, node, section, BlockKind::Row);
            }
            NodeValue::CodeBlock(code) => {
                let fence = Fence::read(section, &code.info, &code.literal, code.fenced);
                document.fences.push(fence);
            }
            NodeValue::HtmlBlock(html) => read_html(document, &html.literal),
            NodeValue::HtmlInline(html) => read_html(document, html),
            _ => {}
        }
    }

    fn block(&mut self, document: &mut Document<'_>, node: Node<'_>, section: u32, kind: BlockKind) {
        let found = inlines(node);
        document.links.extend(found.links.into_iter().map(|(target, is_image)| Link { section, target, is_image }));
        document.external.extend(found.external);
        document.of_packages.extend(found.of_packages);
        document.not_citations.extend(found.not_citations.into_iter().map(|text| (section, text)));
        let group = if matches!(kind, BlockKind::Item | BlockKind::Row) { self.group } else { 0 };
        if found.text.trim().is_empty() && !found.citations.is_empty() {
            cite_before(document, section, &found.citations);
            return;
        }
        let header = if kind == BlockKind::Row { self.header.clone() } else { Vec::new() };
        let Inlines { text, spans, citations, .. } = found;
        document.blocks.push(Block { section, kind, text, spans, citations, header, group });
    }
}

/// Gives a paragraph of nothing but citations to what stands before it: the whole list or table, else the block.
fn cite_before(document: &mut Document<'_>, section: u32, citations: &[WrittenCitation]) {
    let Some(last) = document.blocks.last().filter(|block| block.section == section) else { return };
    let group = last.group;
    for block in document.blocks.iter_mut().rev() {
        if block.section != section || block.group != group {
            break;
        }
        if block.kind != BlockKind::Heading {
            block.citations.extend_from_slice(citations);
        }
        if group == 0 {
            break;
        }
    }
}

/// The words of a piece of prose and what stands in it.
#[derive(Default)]
struct Inlines {
    text: String,
    spans: Vec<Span>,
    citations: Vec<WrittenCitation>,
    links: Vec<(String, bool)>,
    not_citations: Vec<String>,
    external: Vec<String>,
    of_packages: Vec<(String, String)>,
}

fn inlines(node: Node<'_>) -> Inlines {
    let mut found = Inlines::default();
    let mut cell = 0;
    let mut quoted: HashSet<usize> = HashSet::new();
    for inner in node.descendants() {
        // a node below a wiki link is its label, which is the citation once more
        let parent = inner.parent().map(|parent| std::ptr::from_ref(parent) as usize);
        if parent.is_some_and(|parent| quoted.contains(&parent)) {
            quoted.insert(std::ptr::from_ref(inner) as usize);
            continue;
        }
        match &inner.data().value {
            NodeValue::Text(text) => found.text.push_str(text),
            NodeValue::Code(code) => {
                let at = found.text.len();
                found.text.push_str(&code.literal);
                found.spans.push(Span { text: code.literal.trim().to_owned(), at, cell });
            }
            NodeValue::SoftBreak | NodeValue::LineBreak => found.text.push(' '),
            NodeValue::TableCell if inner.previous_sibling().is_some() => {
                cell += 1;
                found.text.push_str(" | ");
            }
            NodeValue::Link(link) => {
                if link.url.contains("://") {
                    found.external.push(label_of(inner));
                } else if let Some((package, _)) = link.url.split_once("::") {
                    found.of_packages.push((label_of(inner), package.to_owned()));
                }
                found.links.push((link.url.clone(), false));
            }
            NodeValue::Image(link) => found.links.push((link.url.clone(), true)),
            NodeValue::WikiLink(link) => {
                quoted.insert(std::ptr::from_ref(inner) as usize);
                match WrittenCitation::parse(&link.url) {
                    Some(citation) => found.citations.push(citation),
                    None => found.not_citations.push(link.url.clone()),
                }
            }
            _ => {}
        }
    }
    found
}

fn label_of(node: Node<'_>) -> String {
    let mut label = String::new();
    for inner in node.descendants() {
        match &inner.data().value {
            NodeValue::Text(text) => label.push_str(text),
            NodeValue::Code(code) => label.push_str(&code.literal),
            _ => {}
        }
    }
    label.trim().to_owned()
}

/// Ids that can be linked to, and the names that a comment calls external.
fn read_html(document: &mut Document<'_>, html: &str) {
    for mark in [" id=\"", " name=\"", " id='", " name='"] {
        for piece in html.split(mark).skip(1) {
            document.anchors.insert(piece.split(['"', '\'']).next().unwrap_or_default().to_owned());
        }
    }
    for piece in html.split("<!--").skip(1) {
        let comment = piece.split("-->").next().unwrap_or_default().trim();
        if let Some(names) = comment.strip_prefix("external:") {
            document.external.extend(names.split(',').map(|name| name.trim().trim_matches('`').to_owned()));
        }
    }
}
