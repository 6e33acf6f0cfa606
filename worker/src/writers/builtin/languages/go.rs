//! Go: exported identifiers of a file with their comments.

use tree_sitter::Node;

use super::{
    go_facts,
    syntax::{Documented, Source, children, documented_children, lines, strip_comment},
};
use crate::writers::builtin::symbols::{Item, ItemKind, ParsedFile, Scope};

/// Takes items and facts from a file.
pub(super) fn extract(source: &Source<'_>, root: Node<'_>) -> ParsedFile {
    let mut file = ParsedFile { facts: go_facts::facts(source, root), ..ParsedFile::default() };
    let mut scope = Scope::default();
    for documented in documented_children(root, |kind| kind == "comment", |_| false) {
        let node = documented.node;
        match node.kind() {
            "package_clause" => {
                file.package = children(node).first().map(|name| source.text(*name).to_owned()).unwrap_or_default();
                scope.doc = doc(source, &documented);
            }
            "function_declaration" => scope.items.extend(function(source, &documented)),
            "method_declaration" => scope.items.extend(method(source, &documented)),
            "type_declaration" | "const_declaration" | "var_declaration" => {
                scope.items.extend(declarations(source, &documented));
            }
            _ => {}
        }
    }
    scope.items = scope.items.into_iter().map(Item::bounded).collect();
    file.scope = scope;
    file
}

fn is_exported(name: &str) -> bool {
    name.chars().next().is_some_and(char::is_uppercase)
}

fn doc(source: &Source<'_>, documented: &Documented<'_>) -> String {
    let lines = documented.comments.iter().map(|comment| source.text(*comment));
    let told = lines
        .filter(|text| !text.starts_with("//go:") && !text.starts_with("// +build") && !text.starts_with("//nolint"));
    let text = told.map(go_comment).collect::<Vec<_>>().join("\n");
    // the licence above a package clause is not its documentation
    if text.starts_with("Copyright") { String::new() } else { text }
}

fn go_comment(comment: &str) -> String {
    match comment.strip_prefix("//") {
        Some(text) => text.strip_prefix(' ').unwrap_or(text).trim_end().to_owned(),
        None => strip_comment(comment),
    }
}

fn function(source: &Source<'_>, documented: &Documented<'_>) -> Option<Item> {
    let node = documented.node;
    let name = source.field(node, "name");
    is_exported(name).then(|| Item {
        kind: ItemKind::Function,
        name: name.to_owned(),
        signature: source.signature(node, "body"),
        doc: doc(source, documented),
        lines: lines(node),
        ..Item::default()
    })
}

fn method(source: &Source<'_>, documented: &Documented<'_>) -> Option<Item> {
    let receiver = source.field(documented.node, "receiver");
    let owner = receiver.trim_matches(['(', ')']).split_whitespace().last()?.trim_start_matches('*');
    let owner = owner.split('[').next()?.to_owned();
    let name = source.field(documented.node, "name");
    (is_exported(&owner) && is_exported(name)).then(|| Item {
        kind: ItemKind::Method,
        name: name.to_owned(),
        owner,
        signature: source.signature(documented.node, "body"),
        doc: doc(source, documented),
        lines: lines(documented.node),
        ..Item::default()
    })
}

/// `type`, `const` and `var`, alone or in parentheses.
fn declarations(source: &Source<'_>, outer: &Documented<'_>) -> Vec<Item> {
    let keyword = match outer.node.kind() {
        "type_declaration" => "type",
        "const_declaration" => "const",
        _ => "var",
    };
    let container =
        children(outer.node).into_iter().find(|child| child.kind() == "var_spec_list").unwrap_or(outer.node);
    let specs = documented_children(container, |kind| kind == "comment", |_| false);
    let alone = specs.len() == 1;
    let mut items: Vec<Item> = Vec::new();
    for spec in &specs {
        let own = doc(source, spec);
        let doc = if own.is_empty() && (alone || items.is_empty()) { doc(source, outer) } else { own };
        let names = names(source, spec.node);
        let Some(name) = names.iter().find(|name| is_exported(name)) else { continue };
        let (kind, signature, members) = match keyword {
            "type" => type_spec(source, spec.node),
            _ => {
                let text = source.dedented(spec.node, spec.node.end_byte());
                let short = text.len() <= 200 && text.lines().count() <= 5;
                let text = if short { text } else { format!("{} = ...", names.join(", ")) };
                (
                    if keyword == "const" { ItemKind::Constant } else { ItemKind::Variable },
                    format!("{keyword} {text}"),
                    Vec::new(),
                )
            }
        };
        items.push(Item {
            kind,
            name: name.clone(),
            signature,
            doc,
            lines: lines(spec.node),
            members,
            ..Item::default()
        });
    }
    if keyword == "const" { grouped(items, outer.node) } else { items }
}

fn names(source: &Source<'_>, spec: Node<'_>) -> Vec<String> {
    let mut cursor = spec.walk();
    spec.children_by_field_name("name", &mut cursor)
        .filter(Node::is_named)
        .map(|name| source.text(name).to_owned())
        .collect()
}

/// The constants of one block are told together: they are mostly the values of one type.
fn grouped(mut items: Vec<Item>, block: Node<'_>) -> Vec<Item> {
    if items.len() < 2 {
        return items;
    }
    let lines_of_block = lines(block);
    let mut first = items.remove(0);
    let strip = |signature: &str| signature.strip_prefix("const ").unwrap_or(signature).replace('\n', "\n    ");
    let mut signature = format!("const (\n    {}\n", strip(&first.signature));
    let mut members = vec![Item { kind: ItemKind::Variant, members: Vec::new(), ..first.clone() }];
    for item in items {
        signature.push_str(&format!("    {}\n", strip(&item.signature)));
        members.push(Item { kind: ItemKind::Variant, ..item });
    }
    first.signature = signature + ")";
    first.lines = lines_of_block;
    first.members = members.into_iter().skip(1).collect();
    vec![first]
}

fn type_spec(source: &Source<'_>, spec: Node<'_>) -> (ItemKind, String, Vec<Item>) {
    let body = spec.child_by_field_name("type");
    let Some(body) = body.filter(|body| body.kind() == "struct_type") else {
        let is_interface = body.is_some_and(|body| body.kind() == "interface_type");
        let kind = if is_interface { ItemKind::Interface } else { ItemKind::Type };
        return (kind, format!("type {}", source.dedented(spec, spec.end_byte())), Vec::new());
    };
    let mut signature = format!("type {} struct {{\n", source.between(spec.start_byte(), body.start_byte()).trim_end());
    let (mut members, mut hidden) = (Vec::new(), false);
    let list = children(body).into_iter().next();
    let fields = list.map(|list| documented_children(list, |kind| kind == "comment", |_| false)).unwrap_or_default();
    for field in fields {
        let names = names(source, field.node);
        let embedded = source.field(field.node, "type");
        let shown = names.iter().find(|name| is_exported(name)).cloned().or_else(|| {
            let base = embedded.trim_start_matches('*').rsplit('.').next().unwrap_or_default();
            (names.is_empty() && is_exported(base)).then(|| base.to_owned())
        });
        let Some(name) = shown else {
            hidden = true;
            continue;
        };
        signature
            .push_str(&format!("    {}\n", source.dedented(field.node, field.node.end_byte()).replace('\n', "\n    ")));
        members.push(
            Item { kind: ItemKind::Field, name, doc: doc(source, &field), lines: lines(field.node), ..Item::default() }
                .bounded(),
        );
    }
    if hidden {
        signature.push_str("    // unexported fields\n");
    }
    (ItemKind::Struct, signature + "}", members)
}
