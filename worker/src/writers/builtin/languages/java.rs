//! Java: public types with their public and protected members and Javadoc.

use tree_sitter::Node;

use super::{
    java_facts,
    syntax::{Documented, MAX_NESTING, Source, child_of_kind, children, documented_children, lines, strip_comment},
};
use crate::writers::builtin::symbols::{Item, ItemKind, ParsedFile, Scope};

/// Takes types and facts from a compilation unit.
pub(super) fn extract(source: &Source<'_>, root: Node<'_>, path: &str) -> ParsedFile {
    let mut file = ParsedFile { facts: java_facts::facts(source, root), ..ParsedFile::default() };
    let mut scope = Scope::default();
    for documented in documented_children(root, is_comment, |_| false) {
        match documented.node.kind() {
            "package_declaration" => {
                let name = source.text(documented.node).split_whitespace().last().unwrap_or_default();
                file.package = name.trim_end_matches(';').to_owned();
                if path.ends_with("package-info.java") {
                    scope.doc = doc(source, &documented);
                }
            }
            _ => scope.items.extend(type_declaration(source, &documented, false, 0)),
        }
    }
    file.scope = scope;
    file
}

fn is_comment(kind: &str) -> bool {
    matches!(kind, "block_comment" | "line_comment")
}

fn doc(source: &Source<'_>, documented: &Documented<'_>) -> String {
    let comment =
        documented.comments.iter().rev().map(|comment| source.text(*comment)).find(|text| text.starts_with("/**"));
    comment.map(strip_comment).unwrap_or_default()
}

fn modifiers<'a>(source: &Source<'a>, node: Node<'_>) -> &'a str {
    child_of_kind(node, "modifiers").map(|modifiers| source.text(modifiers)).unwrap_or_default()
}

fn is_visible(modifiers: &str, in_interface: bool) -> bool {
    let has = |word: &str| modifiers.split_whitespace().any(|modifier| modifier == word);
    has("public") || has("protected") || (in_interface && !has("private"))
}

fn type_declaration(
    source: &Source<'_>,
    documented: &Documented<'_>,
    in_interface: bool,
    depth: usize,
) -> Option<Item> {
    let node = documented.node;
    let kind = match node.kind() {
        "class_declaration" => ItemKind::Class,
        "interface_declaration" => ItemKind::Interface,
        "enum_declaration" => ItemKind::Enum,
        "record_declaration" => ItemKind::Record,
        "annotation_type_declaration" => ItemKind::Annotation,
        _ => return None,
    };
    if !is_visible(modifiers(source, node), in_interface) || depth > MAX_NESTING {
        return None;
    }
    let inside_interface = matches!(kind, ItemKind::Interface | ItemKind::Annotation);
    let mut members = Vec::new();
    if let Some(body) = node.child_by_field_name("body") {
        class_members(source, body, inside_interface, depth, &mut members);
    }
    let mut signature = source.signature(node, "body");
    let constants: Vec<&str> =
        members.iter().filter(|member| member.kind == ItemKind::Variant).map(|member| member.name.as_str()).collect();
    if !constants.is_empty() {
        signature.push_str(&format!(" {{\n    {}\n}}", constants.join(",\n    ")));
    }
    Some(
        Item {
            kind,
            name: source.field(node, "name").to_owned(),
            signature,
            doc: doc(source, documented),
            lines: lines(node),
            members,
            ..Item::default()
        }
        .bounded(),
    )
}

fn class_members(source: &Source<'_>, body: Node<'_>, in_interface: bool, depth: usize, members: &mut Vec<Item>) {
    for documented in documented_children(body, is_comment, |_| false) {
        let node = documented.node;
        if node.kind() == "enum_body_declarations" {
            class_members(source, node, in_interface, depth, members);
            continue;
        }
        if let Some(inner) = type_declaration(source, &documented, in_interface, depth + 1) {
            members.push(inner);
            continue;
        }
        let visible = is_visible(modifiers(source, node), in_interface);
        let (kind, name, signature) = match node.kind() {
            "enum_constant" => (ItemKind::Variant, source.field(node, "name"), source.field(node, "name").to_owned()),
            "method_declaration" | "constructor_declaration" | "compact_constructor_declaration" if visible => {
                let name = source.field(node, "name");
                (ItemKind::Method, name, source.signature(node, "body").trim_end_matches(';').to_owned())
            }
            "annotation_type_element_declaration" => {
                (ItemKind::Method, source.field(node, "name"), source.dedented(node, node.end_byte()))
            }
            "field_declaration" | "constant_declaration" if visible => {
                let name = node.child_by_field_name("declarator").map(|declarator| source.field(declarator, "name"));
                let text = source.dedented(node, node.end_byte());
                let text = if text.len() > 200 {
                    text.split('=').next().unwrap_or_default().trim_end().to_owned()
                } else {
                    text
                };
                (ItemKind::Constant, name.unwrap_or_default(), text)
            }
            _ => continue,
        };
        let overrides = signature.contains("@Override") && documented.comments.is_empty();
        if overrides || name.is_empty() {
            continue;
        }
        let doc = doc(source, &documented);
        members.push(
            Item { kind, name: name.to_owned(), signature, doc, lines: lines(node), ..Item::default() }.bounded(),
        );
    }
}

/// The annotations among a declaration's modifiers.
pub(super) fn annotations(node: Node<'_>) -> Vec<Node<'_>> {
    let modifiers = child_of_kind(node, "modifiers").map(children).unwrap_or_default();
    modifiers.into_iter().filter(|child| matches!(child.kind(), "annotation" | "marker_annotation")).collect()
}
