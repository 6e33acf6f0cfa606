//! Rust: items that other crates (or, for programs, other modules) can use, with their rustdoc.

use tree_sitter::Node;

use super::{
    rust_facts,
    syntax::{self, Documented, MAX_NESTING, Source, children, documented_children, lines},
};
use crate::writers::builtin::symbols::{Export, Item, ItemKind, Module, ParsedFile, Scope};

/// Takes items, modules, re-exports and facts from a file.
pub(super) fn extract(source: &Source<'_>, root: Node<'_>) -> ParsedFile {
    ParsedFile { scope: scope(source, root, 0), package: String::new(), facts: rust_facts::facts(source, root) }
}

/// Whether a node is a comment.
pub(super) fn is_comment(kind: &str) -> bool {
    matches!(kind, "line_comment" | "block_comment")
}

/// Whether a node is an attribute on what follows.
pub(super) fn is_attribute(kind: &str) -> bool {
    kind == "attribute_item"
}

/// Whether the attributes keep an item out of what is documented: tests and what its author hides.
pub(super) fn is_left_out(source: &Source<'_>, attributes: &[Node<'_>]) -> bool {
    attributes.iter().any(|attribute| {
        let text = source.text(*attribute);
        text.contains("cfg(test") || text == "#[test]" || text.contains("doc(hidden)") || text.contains("::test]")
    })
}

/// The rustdoc above an item.
pub(super) fn doc(source: &Source<'_>, comments: &[Node<'_>]) -> String {
    let parts = comments.iter().map(|comment| source.text(*comment)).filter(|text| {
        (text.starts_with("///") && !text.starts_with("////")) || (text.starts_with("/**") && text.len() > 5)
    });
    parts.map(doc_line).collect::<Vec<_>>().join("\n").trim().to_owned()
}

fn doc_line(comment: &str) -> String {
    if comment.starts_with("/*") {
        return syntax::strip_comment(comment);
    }
    let text = comment.get(3..).unwrap_or_default();
    text.strip_prefix(' ').unwrap_or(text).trim_end().to_owned()
}

fn scope(source: &Source<'_>, container: Node<'_>, depth: usize) -> Scope {
    let mut found = Scope { doc: inner_doc(source, container), ..Scope::default() };
    if depth > MAX_NESTING {
        return found;
    }
    for documented in documented_children(container, is_comment, is_attribute) {
        if is_left_out(source, &documented.attributes) {
            continue;
        }
        match documented.node.kind() {
            "mod_item" => found.modules.push(module(source, &documented, depth)),
            "use_declaration" => found.exports.extend(exports(source, documented.node)),
            _ => found.items.extend(item(source, &documented).map(Item::bounded)),
        }
    }
    found
}

fn inner_doc(source: &Source<'_>, container: Node<'_>) -> String {
    let mut parts = Vec::new();
    for node in children(container) {
        match source.text(node) {
            text if text.starts_with("//!") => parts.push(doc_line(text)),
            text if text.starts_with("/*!") => parts.push(syntax::strip_comment(text)),
            _ if is_comment(node.kind()) || node.kind() == "inner_attribute_item" || node.kind() == "shebang" => {}
            _ => break,
        }
    }
    parts.join("\n").trim().to_owned()
}

fn module(source: &Source<'_>, documented: &Documented<'_>, depth: usize) -> Module {
    let node = documented.node;
    let file = documented.attributes.iter().find_map(|attribute| {
        let text = source.text(*attribute);
        text.strip_prefix("#[path").and_then(|rest| rest.split('"').nth(1)).map(str::to_owned)
    });
    Module {
        name: source.field(node, "name").to_owned(),
        public: visibility(source, node) == Visibility::Public,
        file,
        doc: doc(source, &documented.comments),
        inline: node.child_by_field_name("body").map(|body| Box::new(scope(source, body, depth + 1))),
    }
}

#[derive(PartialEq, Clone, Copy)]
enum Visibility {
    Public,
    Package,
    Private,
}

fn visibility(source: &Source<'_>, node: Node<'_>) -> Visibility {
    match syntax::child_of_kind(node, "visibility_modifier").map(|modifier| source.text(modifier)) {
        Some("pub") => Visibility::Public,
        Some(text) if text.starts_with("pub(crate") || text.starts_with("pub(super") || text == "crate" => {
            Visibility::Package
        }
        _ => Visibility::Private,
    }
}

fn item(source: &Source<'_>, documented: &Documented<'_>) -> Option<Item> {
    let node = documented.node;
    let seen = visibility(source, node);
    let exported_macro =
        || documented.attributes.iter().any(|attribute| source.text(*attribute).contains("macro_export"));
    let kind = match node.kind() {
        "impl_item" => return implementation(source, node),
        "macro_definition" if exported_macro() => ItemKind::Macro,
        _ if seen == Visibility::Private => return None,
        "function_item" | "function_signature_item" => ItemKind::Function,
        "struct_item" => ItemKind::Struct,
        "union_item" => ItemKind::Union,
        "enum_item" => ItemKind::Enum,
        "trait_item" => ItemKind::Trait,
        "const_item" => ItemKind::Constant,
        "static_item" => ItemKind::Variable,
        "type_item" => ItemKind::Type,
        _ => return None,
    };
    let (signature, members) = declaration(source, node, kind);
    let derives = derives(source, &documented.attributes);
    Some(Item {
        kind,
        name: source.field(node, "name").to_owned(),
        signature: derives + &signature,
        doc: doc(source, &documented.comments),
        lines: lines(node),
        internal: seen == Visibility::Package,
        members,
        ..Item::default()
    })
}

/// The derive attributes, each on its own line: they say what a type can do.
fn derives(source: &Source<'_>, attributes: &[Node<'_>]) -> String {
    let texts = attributes.iter().map(|attribute| source.text(*attribute));
    texts
        .filter(|text| {
            text.starts_with("#[derive(") || text.starts_with("#[non_exhaustive") || text.starts_with("#[must")
        })
        .map(|text| text.split_whitespace().collect::<Vec<_>>().join(" ") + "\n")
        .collect()
}

fn declaration(source: &Source<'_>, node: Node<'_>, kind: ItemKind) -> (String, Vec<Item>) {
    let body = node.child_by_field_name("body");
    match (kind, body) {
        (ItemKind::Struct | ItemKind::Union, Some(body)) if body.kind() == "field_declaration_list" => {
            fields(source, node, body)
        }
        (ItemKind::Struct, Some(body)) => (tuple_struct(source, node, body), Vec::new()),
        (ItemKind::Enum, Some(body)) => variants(source, node, body),
        (ItemKind::Trait, Some(body)) => (source.signature(node, "body"), methods(source, body, true)),
        (ItemKind::Macro, _) => (macro_patterns(source, node), Vec::new()),
        (ItemKind::Constant | ItemKind::Variable, _) => {
            let text = source.dedented(node, node.end_byte());
            // a table of a hundred lines says no more than its type
            let short = text.len() <= 300 && text.lines().count() <= 6;
            (
                if short { text } else { source.signature(node, "value").trim_end_matches(['=', ' ']).to_owned() },
                Vec::new(),
            )
        }
        (ItemKind::Function, _) => (source.signature(node, "body"), Vec::new()),
        _ => (source.dedented(node, node.end_byte()), Vec::new()),
    }
}

fn fields(source: &Source<'_>, node: Node<'_>, body: Node<'_>) -> (String, Vec<Item>) {
    let mut signature = source.signature(node, "body") + " {\n";
    let (mut members, mut hidden) = (Vec::new(), 0);
    for documented in documented_children(body, is_comment, is_attribute) {
        let field = documented.node;
        if field.kind() != "field_declaration" {
            continue;
        }
        if visibility(source, field) == Visibility::Private {
            hidden += 1;
            continue;
        }
        let text = source.dedented(field, field.end_byte());
        put!(signature, "    {},\n", text.replace('\n', "\n    "));
        members.push(member(source, &documented, ItemKind::Field, text));
    }
    if hidden > 0 {
        signature.push_str("    /* private fields */\n");
    }
    signature.push('}');
    (signature, members)
}

fn tuple_struct(source: &Source<'_>, node: Node<'_>, body: Node<'_>) -> String {
    let mut seen = Visibility::Private;
    let mut types = Vec::new();
    for child in children(body) {
        match child.kind() {
            "visibility_modifier" => seen = Visibility::Public,
            kind if is_comment(kind) || is_attribute(kind) => {}
            _ if seen == Visibility::Private => types.push("_".to_owned()),
            _ => {
                types.push(format!("pub {}", source.text(child)));
                seen = Visibility::Private;
            }
        }
    }
    let header = source.signature(node, "body");
    let rest = source.between(body.end_byte(), node.end_byte()).trim_end();
    format!("{header}({}){rest}", types.join(", "))
}

fn variants(source: &Source<'_>, node: Node<'_>, body: Node<'_>) -> (String, Vec<Item>) {
    let mut signature = source.signature(node, "body") + " {\n";
    let mut members = Vec::new();
    for documented in documented_children(body, is_comment, is_attribute) {
        if documented.node.kind() != "enum_variant" || is_left_out(source, &documented.attributes) {
            continue;
        }
        let text = without_comments(&source.dedented(documented.node, documented.node.end_byte()));
        put!(signature, "    {},\n", text.replace('\n', "\n    "));
        members.push(member(source, &documented, ItemKind::Variant, text));
    }
    signature.push('}');
    (signature, members)
}

fn without_comments(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn member(source: &Source<'_>, documented: &Documented<'_>, kind: ItemKind, signature: String) -> Item {
    Item {
        kind,
        name: source.field(documented.node, "name").to_owned(),
        signature,
        doc: doc(source, &documented.comments),
        lines: lines(documented.node),
        ..Item::default()
    }
    .bounded()
}

/// The functions, constants and types of a trait or of an impl block.
fn methods(source: &Source<'_>, body: Node<'_>, all: bool) -> Vec<Item> {
    let mut methods = Vec::new();
    for documented in documented_children(body, is_comment, is_attribute) {
        let node = documented.node;
        let seen = visibility(source, node);
        if is_left_out(source, &documented.attributes) || (!all && seen == Visibility::Private) {
            continue;
        }
        let (kind, signature) = match node.kind() {
            "function_item" | "function_signature_item" => (ItemKind::Method, source.signature(node, "body")),
            "const_item" => (ItemKind::Constant, source.dedented(node, node.end_byte())),
            "associated_type" | "type_item" => (ItemKind::Type, source.dedented(node, node.end_byte())),
            _ => continue,
        };
        let mut method = member(source, &documented, kind, signature);
        method.internal = seen == Visibility::Package;
        methods.push(method);
    }
    methods
}

fn implementation(source: &Source<'_>, node: Node<'_>) -> Option<Item> {
    let owner = base_type(source.field(node, "type"));
    let implemented = source.field(node, "trait");
    let members = match node.child_by_field_name("body") {
        Some(body) if implemented.is_empty() => methods(source, body, false),
        _ => Vec::new(),
    };
    if owner.is_empty() || (implemented.is_empty() && members.is_empty()) {
        return None;
    }
    Some(Item {
        kind: ItemKind::Impl,
        name: implemented.split_whitespace().collect::<Vec<_>>().join(" "),
        owner: owner.to_owned(),
        lines: lines(node),
        members,
        ..Item::default()
    })
}

/// `Foo` of `&'a path::Foo<T>`.
fn base_type(text: &str) -> &str {
    let path = text.split('<').next().unwrap_or_default().trim();
    let name = path.rsplit("::").next().unwrap_or_default().trim();
    let fits = name.chars().all(|c| c.is_alphanumeric() || c == '_');
    if fits { name } else { "" }
}

/// What a macro may be called with: the left sides of its rules.
fn macro_patterns(source: &Source<'_>, node: Node<'_>) -> String {
    let mut text = format!("macro_rules! {} {{\n", source.field(node, "name"));
    for rule in children(node).into_iter().filter(|child| child.kind() == "macro_rule").take(12) {
        let pattern = source.field(rule, "left").lines().map(str::trim).collect::<Vec<_>>().join(" ");
        // rules that begin with `@` are the macro's own affair
        if !pattern.starts_with("(@") {
            put!(text, "    {pattern} => {{ ... }};\n");
        }
    }
    text + "}"
}

/// The names that a `pub use` passes on.
fn exports(source: &Source<'_>, node: Node<'_>) -> Vec<Export> {
    if visibility(source, node) != Visibility::Public {
        return Vec::new();
    }
    let mut exports = Vec::new();
    if let Some(argument) = node.child_by_field_name("argument") {
        use_tree(source, argument, &[], 0, &mut exports);
    }
    exports
}

fn use_tree(source: &Source<'_>, node: Node<'_>, prefix: &[String], depth: usize, exports: &mut Vec<Export>) {
    if depth > MAX_NESTING || exports.len() > 500 {
        return;
    }
    let path = |text: &str| -> Vec<String> {
        let parts = text.split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty());
        prefix.iter().cloned().chain(parts).collect()
    };
    match node.kind() {
        "use_list" => {
            for child in children(node) {
                use_tree(source, child, prefix, depth + 1, exports);
            }
        }
        "scoped_use_list" => {
            let prefix = path(source.field(node, "path"));
            if let Some(list) = node.child_by_field_name("list") {
                use_tree(source, list, &prefix, depth + 1, exports);
            }
        }
        "use_wildcard" => {
            let mut from = path(source.text(node).trim_end_matches('*').trim_end_matches(':'));
            from.push(String::new());
            exports.push(Export { from, name: String::new() });
        }
        "use_as_clause" => {
            let from = path(source.field(node, "path"));
            exports.push(Export { from, name: source.field(node, "alias").to_owned() });
        }
        "self" => exports.push(Export { name: prefix.last().cloned().unwrap_or_default(), from: prefix.to_vec() }),
        _ if is_comment(node.kind()) => {}
        _ => {
            let from = path(source.text(node));
            exports.push(Export { name: from.last().cloned().unwrap_or_default(), from });
        }
    }
}
