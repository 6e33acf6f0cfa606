//! Reading syntax trees: text of nodes, lines, the comments before a node, and a walk that cannot overflow the stack.

use tree_sitter::Node;

/// Deepest nesting that extraction follows by recursion; real code stays far below.
pub(crate) const MAX_NESTING: usize = 24;

/// The text that a tree was parsed from.
pub(crate) struct Source<'a> {
    /// The whole file.
    pub(crate) text: &'a str,
}

/// A node with what stands directly before it.
pub(crate) struct Documented<'t> {
    /// The node.
    pub(crate) node: Node<'t>,
    /// Comments above it, from the top.
    pub(crate) comments: Vec<Node<'t>>,
    /// Attributes above it, from the top.
    pub(crate) attributes: Vec<Node<'t>>,
}

impl<'a> Source<'a> {
    /// The text of a node.
    pub(crate) fn text(&self, node: Node<'_>) -> &'a str {
        self.between(node.start_byte(), node.end_byte())
    }

    /// The text between two places.
    pub(crate) fn between(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or_default()
    }

    /// The text of a node's field; empty when it has none.
    pub(crate) fn field(&self, node: Node<'_>, field: &str) -> &'a str {
        node.child_by_field_name(field).map(|child| self.text(child)).unwrap_or_default()
    }

    /// The declaration up to its body, with the indentation of its first line taken from the others.
    pub(crate) fn signature(&self, node: Node<'_>, body_field: &str) -> String {
        let end = node.child_by_field_name(body_field).map_or(node.end_byte(), |body| body.start_byte());
        self.dedented(node, end)
    }

    /// The text from a node's start to `end`, with the indentation of its first line taken from the others.
    pub(crate) fn dedented(&self, node: Node<'_>, end: usize) -> String {
        let text = self.between(node.start_byte(), end).trim_end();
        let line_start = self.text[..node.start_byte()].rfind('\n').map_or(0, |at| at + 1);
        let before = self.between(line_start, node.start_byte());
        let column = before.len() - before.trim_start().len();
        let mut lines = text.lines();
        let mut dedented = lines.next().unwrap_or_default().trim_end().to_owned();
        for line in lines {
            let blank = line.len() - line.trim_start().len();
            dedented.push('\n');
            dedented.push_str(line.get(blank.min(column)..).unwrap_or_default().trim_end());
        }
        dedented
    }
}

/// First and last line of a node, from 1.
pub(crate) fn lines(node: Node<'_>) -> (u32, u32) {
    let end = node.end_position();
    // a node that ends with its line break ends at column 0 of the next line
    let last = if end.column == 0 && end.row > node.start_position().row { end.row } else { end.row + 1 };
    (line(node), u32::try_from(last).unwrap_or(u32::MAX))
}

/// The first line of a node, from 1.
pub(crate) fn line(node: Node<'_>) -> u32 {
    u32::try_from(node.start_position().row + 1).unwrap_or(u32::MAX)
}

/// The named children of a node.
pub(crate) fn children(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).collect()
}

/// The first named child of this kind.
pub(crate) fn child_of_kind<'t>(node: Node<'t>, kind: &str) -> Option<Node<'t>> {
    children(node).into_iter().find(|child| child.kind() == kind)
}

/// The children of a container, each with the comments and attributes directly above it. A comment that begins on the
/// line where the child before ends belongs to that child and is dropped; one that is followed by an empty line belongs
/// to nothing.
pub(crate) fn documented_children<'t>(
    container: Node<'t>,
    is_comment: fn(&str) -> bool,
    is_attribute: fn(&str) -> bool,
) -> Vec<Documented<'t>> {
    documented_within(container, 1, is_comment, is_attribute)
}

/// [`documented_children`] for languages in which a comment may stand `rows` rows above what it documents.
pub(crate) fn documented_within<'t>(
    container: Node<'t>,
    rows: usize,
    is_comment: fn(&str) -> bool,
    is_attribute: fn(&str) -> bool,
) -> Vec<Documented<'t>> {
    let mut documented = Vec::new();
    let (mut comments, mut attributes) = (Vec::<Node<'t>>::new(), Vec::new());
    let mut last_item_row = None;
    let mut last_row = container.start_position().row;
    for node in children(container) {
        let row = node.start_position().row;
        if row > last_row + rows {
            comments.clear();
        }
        last_row = lines(node).1 as usize - 1;
        if is_comment(node.kind()) {
            if last_item_row != Some(row) {
                comments.push(node);
            }
        } else if is_attribute(node.kind()) {
            attributes.push(node);
        } else {
            last_item_row = Some(last_row);
            documented.push(Documented {
                node,
                comments: std::mem::take(&mut comments),
                attributes: std::mem::take(&mut attributes),
            });
        }
    }
    documented
}

/// Visits every named node below `root`, parents first, without recursion; `visit` says whether to go into the node.
pub(crate) fn visit<'t>(root: Node<'t>, mut visit: impl FnMut(Node<'t>) -> bool) {
    let mut cursor = root.walk();
    loop {
        let node = cursor.node();
        let enter = !node.is_named() || visit(node);
        if enter && cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return;
            }
        }
    }
}

/// Removes the signs of a block comment (`/** … */`, with or without leading stars) or of line comments.
pub(crate) fn strip_comment(comment: &str) -> String {
    let comment = comment.trim();
    if let Some(inner) = comment.strip_prefix("/*") {
        let inner = inner.strip_suffix("*/").unwrap_or(inner).trim_start_matches(['*', '!']);
        let lines = inner.lines().map(|line| {
            let trimmed = line.trim_start();
            match trimmed.strip_prefix('*') {
                Some(rest) => rest.strip_prefix(' ').unwrap_or(rest).trim_end().to_owned(),
                None => line.trim_end().to_owned(),
            }
        });
        return dedent_lines(&lines.collect::<Vec<_>>());
    }
    let lines = comment.lines().map(|line| {
        let line = line.trim_start().trim_start_matches('/').trim_start_matches(['!', '<']);
        line.strip_prefix(' ').unwrap_or(line).trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// Joins lines after removing the indentation that all but the first share.
pub(crate) fn dedent_lines(lines: &[String]) -> String {
    let indentation = |line: &String| line.len() - line.trim_start().len();
    let shared = lines.iter().skip(1).filter(|line| !line.trim().is_empty()).map(indentation).min().unwrap_or(0);
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        let kept = if number == 0 { line.trim_start() } else { line.get(shared..).unwrap_or_default() };
        text.push_str(kept.trim_end());
        text.push('\n');
    }
    text.trim_matches('\n').trim_end().to_owned()
}

/// The value of a string literal: quotes and prefixes removed, simple escapes resolved.
pub(crate) fn literal(text: &str) -> Option<String> {
    let text = text.trim().trim_start_matches(['r', 'b', 'f', 'u', 'R', 'B', 'F', 'U', '@']).trim_matches('#');
    for quote in ["\"\"\"", "'''", "\"", "'", "`"] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return Some(inner.replace("\\n", " ").replace("\\\"", "\"").replace("\\'", "'"));
        }
    }
    None
}
