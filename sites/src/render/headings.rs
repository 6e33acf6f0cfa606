//! Headings: one `h1`, no skipped level, ids that are unique and never an id of the layout.

use std::collections::HashSet;

use comrak::nodes::{AstNode, Node, NodeHeading, NodeValue};

use super::text::text_of;

/// Ids of the layout begin with this; ids of content never do.
pub(crate) const LAYOUT_PREFIX: &str = "_dm-";

/// A heading below the title.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heading {
    pub(crate) level: u8,
    pub(crate) id: String,
    pub(crate) text: String,
    /// The line of the Markdown on which it stands; 0 when it stands in none.
    pub(crate) line: usize,
    /// What is shown beside it.
    pub(crate) mark: Option<String>,
}

/// Lets every page begin with its title: the heading of level 1 it begins with, or `title` when there is none.
pub(crate) fn ensure_title<'a>(arena: &'a comrak::Arena<'a>, root: Node<'a>, title: &str) {
    let is_title = |node: Node<'_>| matches!(node.data().value, NodeValue::Heading(NodeHeading { level: 1, .. }));
    let first = root.children().find(|node| {
        !matches!(node.data().value, NodeValue::HtmlBlock(_) | NodeValue::Raw(_) | NodeValue::FrontMatter(_))
    });
    if let Some(title) = first.filter(|node| is_title(node)) {
        // HTML in front of it, such as a row of badges, follows it from now on
        root.prepend(title);
        return;
    }
    let heading =
        arena.alloc(AstNode::from(NodeValue::Heading(NodeHeading { level: 1, setext: false, closed: false })));
    heading.append(arena.alloc(AstNode::from(NodeValue::Text(title.to_owned().into()))));
    root.prepend(heading);
}

/// Levels without gaps and ids for all headings in order of the page; the title comes first.
pub(crate) fn number_headings(root: Node<'_>) -> Vec<Heading> {
    let mut headings: Vec<Heading> = Vec::new();
    let mut ids = UniqueIds::default();
    let mut open: Vec<u8> = Vec::new();
    for node in root.descendants() {
        let NodeValue::Heading(NodeHeading { level: written, .. }) = node.data().value else { continue };
        let text = text_of(node);
        let level = if headings.is_empty() {
            1
        } else {
            while open.last().is_some_and(|above| *above >= written) {
                open.pop();
            }
            open.push(written);
            u8::try_from(open.len() + 1).unwrap_or(6).min(6)
        };
        if let NodeValue::Heading(heading) = &mut node.data_mut().value {
            heading.level = level;
        }
        let line = node.data().sourcepos.start.line;
        headings.push(Heading { level, id: ids.id_of(&text), text, line, mark: None });
    }
    headings
}

/// Ids as GitHub makes them: lower case, spaces as `-`, `-1` and so on when taken.
#[derive(Debug, Default)]
pub struct UniqueIds {
    taken: HashSet<String>,
    next: std::collections::HashMap<String, usize>,
}

impl UniqueIds {
    /// The id of the next heading with these words.
    pub fn id_of(&mut self, text: &str) -> String {
        let mut base: String = text
            .chars()
            .flat_map(char::to_lowercase)
            .filter_map(|c| match c {
                ' ' => Some('-'),
                _ if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
                _ => None,
            })
            .take(120)
            .collect();
        if base.starts_with(LAYOUT_PREFIX) || base.starts_with(super::html::FOOTNOTE_PREFIX) {
            base = base.trim_start_matches('_').to_owned();
        }
        if base.is_empty() {
            base.push_str("section");
        }
        let next = self.next.entry(base.clone()).or_insert(0);
        let mut id = if *next == 0 { base.clone() } else { format!("{base}-{next}") };
        while !self.taken.insert(id.clone()) {
            *next += 1;
            id = format!("{base}-{next}");
        }
        *next += 1;
        id
    }
}
