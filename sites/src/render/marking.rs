//! Citations in the tree of a page: found in text and on code blocks, in order of the page, and replaced by marks or links.

use comrak::nodes::{Node, NodeValue};
use shared::citation::WrittenCitation;

use super::{
    citations, code_blocks,
    escape::decode,
    markdown_copy::{CitationPlaces, Written},
    site::Site,
    sources::{self, Mark, Sources, Standing},
    text::text_of,
};

/// What becomes of a page's citations.
#[derive(Default)]
pub(crate) struct Cited {
    /// Where they stand in the Markdown.
    pub(crate) places: CitationPlaces,
    /// The mark of each code block that names its source, in order of the page.
    pub(crate) code_marks: Vec<Option<Mark>>,
}

/// Replaces wiki links by citations, or by the text that they were. With `sources` they are numbered marks.
pub(crate) fn convert_citations(site: &Site<'_>, root: Node<'_>, mut sources: Option<&mut Sources<'_>>) -> Cited {
    let is_citing = |node: &Node<'_>| matches!(node.data().value, NodeValue::WikiLink(_) | NodeValue::CodeBlock(_));
    let nodes: Vec<Node<'_>> = root.descendants().filter(is_citing).collect();
    let mut cited = Cited::default();
    for node in nodes {
        let start = node.data().sourcepos.start;
        if let NodeValue::CodeBlock(block) = &node.data().value {
            let mark = sources.as_deref_mut().and_then(|sources| {
                let (raw, file) = code_blocks::source_of(&block.info)?;
                // a file that the repository does not know may be one that readers are told to write
                sources.rows().find(start.line, &raw, Some(&file))?;
                let mark = sources.cite(start.line, &raw, Some(&file))?;
                let is_place = file.lines.is_some() && WrittenCitation::parse(&raw).is_some_and(|raw| raw == file);
                if is_place && mark.standing == Standing::Found && mark.shown != file {
                    cited.places.add(start, Written::Fence(raw), mark.shown.label());
                }
                Some(mark)
            });
            cited.code_marks.push(mark);
            continue;
        }
        match sources.as_deref_mut() {
            Some(sources) => convert_to_marks(site, node, sources, &mut cited.places),
            None => convert_to_links(site, node, &mut cited.places),
        }
    }
    cited
}

/// One citation or several side by side become links to the repository's host.
fn convert_to_links(site: &Site<'_>, node: Node<'_>, places: &mut CitationPlaces) {
    let source = site.info.source.as_ref();
    let group: Vec<WrittenCitation> = take_group(node, |node| {
        let raw = written_in(node)?;
        let citation = WrittenCitation::parse(&raw)?;
        places.add(node.data().sourcepos.start, Written::read(&raw), citations::to_markdown(&citation, source));
        Some(citation)
    });
    if group.is_empty() {
        return become_text(node);
    }
    node.children().for_each(comrak::arena_tree::Node::detach);
    node.data_mut().value = NodeValue::Raw(citations::group_html(&group, source));
}

/// One citation or several side by side become numbered marks right behind the words in front of them.
fn convert_to_marks(site: &Site<'_>, node: Node<'_>, sources: &mut Sources<'_>, places: &mut CitationPlaces) {
    let group: Vec<Mark> = take_group(node, |node| {
        let raw = written_in(node)?;
        let parsed = WrittenCitation::parse(&raw);
        let start = node.data().sourcepos.start;
        let mark = sources.cite(start.line, &raw, parsed.as_ref())?;
        places.add(start, Written::read(&raw), mark.to_markdown(site));
        Some(mark)
    });
    if group.is_empty() {
        return become_text(node);
    }
    node.children().for_each(comrak::arena_tree::Node::detach);
    let html = if is_inside_link(node) {
        // a link in a link is none
        group.iter().map(Mark::label_html).collect::<Vec<_>>().join(" ")
    } else if is_alone(node) && !join_paragraph_above(node) {
        let follows_a_block = node.parent().is_some_and(|parent| parent.previous_sibling().is_some());
        let lead = if !follows_a_block || is_cell(node) { "" } else { "<span class=\"cites-lead\">Source:</span> " };
        let named: Vec<String> = group.iter().map(Mark::named_html).collect();
        format!("{lead}{}", named.join(" "))
    } else if stands_for_a_word(node) {
        let others = group.get(1..).filter(|others| !others.is_empty()).map(sources::group_html);
        group[0].named_html() + &others.unwrap_or_default()
    } else {
        close_up(node);
        sources::group_html(&group)
    };
    node.data_mut().value = NodeValue::Raw(html);
}

/// Applies `take` to a node and to those that follow it with nothing but space, comma or semicolon between, as long as it
/// finds something; what was taken is joined with the first one.
fn take_group<'a, T>(node: Node<'a>, mut take: impl FnMut(Node<'a>) -> Option<T>) -> Vec<T> {
    let Some(first) = take(node) else { return Vec::new() };
    let mut group = vec![first];
    while let Some((between, next)) = next_in_group(node) {
        let Some(taken) = take(next) else { break };
        group.push(taken);
        for joined in between.into_iter().chain([next]) {
            joined.data_mut().value = NodeValue::Text("".into());
            joined.detach();
        }
    }
    group
}

/// The next wiki link, and what divides it from the one before.
fn next_in_group(node: Node<'_>) -> Option<(Option<Node<'_>>, Node<'_>)> {
    let is_link = |node: &Node<'_>| matches!(node.data().value, NodeValue::WikiLink(_));
    let next = node.next_sibling()?;
    if is_link(&next) {
        return Some((None, next));
    }
    let divides = match &next.data().value {
        NodeValue::Text(text) => text.trim_matches([' ', ',', ';']).is_empty(),
        NodeValue::SoftBreak => true,
        _ => false,
    };
    let after = next.next_sibling().filter(|_| divides)?;
    is_link(&after).then_some((Some(next), after))
}

/// What stands between the brackets; nothing for a node that has joined the group before it.
fn written_in(node: Node<'_>) -> Option<String> {
    match &node.data().value {
        NodeValue::WikiLink(link) => {
            // the address has lost which of its signs were written so; the words have not, unless they are others
            let (url, words) = (decode(&link.url), text_of(node));
            Some(if decode(&words) == url { words } else { url })
        }
        _ => None,
    }
}

/// A wiki link that is no citation is the text that it was.
fn become_text(node: Node<'_>) {
    let text = text_of(node);
    if matches!(node.data().value, NodeValue::WikiLink(_)) {
        node.children().for_each(comrak::arena_tree::Node::detach);
        node.data_mut().value = NodeValue::Text(format!("[[{text}]]").into());
    }
}

fn is_inside_link(node: Node<'_>) -> bool {
    let inline = node.ancestors().skip(1).take_while(|above| !above.data().value.block());
    inline.into_iter().any(|above| matches!(above.data().value, NodeValue::Link(_)))
}

fn is_cell(node: Node<'_>) -> bool {
    node.parent().is_some_and(|parent| matches!(parent.data().value, NodeValue::TableCell))
}

/// Whether nothing else stands in its paragraph or cell.
fn is_alone(node: Node<'_>) -> bool {
    let of_block =
        node.parent().is_some_and(|parent| matches!(parent.data().value, NodeValue::Paragraph | NodeValue::TableCell));
    of_block && node.previous_sibling().is_none() && node.next_sibling().is_none()
}

/// Moves a citation that has a paragraph of its own to the end of the paragraph above it.
fn join_paragraph_above(node: Node<'_>) -> bool {
    let Some(own) = node.parent() else { return false };
    let is_paragraph = |node: &Node<'_>| matches!(node.data().value, NodeValue::Paragraph);
    let Some(above) = own.previous_sibling().filter(|above| is_paragraph(above) && is_paragraph(&own)) else {
        return false;
    };
    node.detach();
    above.append(node);
    own.detach();
    true
}

/// Words in front of what a sentence speaks of.
const LEADING_WORDS: [&str; 16] =
    ["see", "in", "from", "at", "of", "to", "by", "the", "file", "and", "with", "into", "or", "module", "than", "like"];

/// Whether a sentence would lack a word if the citation were only a number: it begins with it, or says "see" before it.
fn stands_for_a_word(node: Node<'_>) -> bool {
    let Some(before) = node.previous_sibling() else {
        return node.parent().is_some_and(|above| above.data().value.block());
    };
    let NodeValue::Text(text) = &before.data().value else { return false };
    let last = text.split_whitespace().next_back().unwrap_or_default();
    text.ends_with(' ') && LEADING_WORDS.iter().any(|word| word.eq_ignore_ascii_case(last))
}

/// Takes the space away that divides a mark from its words.
fn close_up(node: Node<'_>) {
    let Some(before) = node.previous_sibling() else { return };
    let is_break = matches!(before.data().value, NodeValue::SoftBreak);
    if is_break {
        before.detach();
    } else if let NodeValue::Text(text) = &mut before.data_mut().value {
        *text = text.trim_end_matches([' ', '\u{a0}']).to_owned().into();
    }
}
