//! JavaScript and TypeScript: what a module exports, by ES modules or `CommonJS`, with `JSDoc`.

use std::collections::{BTreeMap, BTreeSet};

use tree_sitter::Node;

use super::{
    javascript_facts,
    syntax::{
        Documented, Source, child_of_kind, children, documented_children, documented_within, lines, literal,
        strip_comment,
    },
};
use crate::writers::builtin::symbols::{Export, Item, ItemKind, ParsedFile, Scope};

/// Takes exported items, re-exports and facts from a module.
pub(super) fn extract(source: &Source<'_>, root: Node<'_>) -> ParsedFile {
    let mut module = Module::default();
    // an empty line between comment and code is a habit of many
    let statements = documented_within(root, 2, |kind| kind == "comment", |_| false);
    for statement in &statements {
        module.statement(source, statement);
    }
    let doc = statements.first().map(|first| file_doc(source, first)).unwrap_or_default();
    let items = module.finish();
    let scope = Scope { doc, items, exports: module.exports, ..Scope::default() };
    ParsedFile { scope, package: String::new(), facts: javascript_facts::facts(source, root) }
}

#[derive(Default)]
struct Module {
    /// Everything declared at the top, by name.
    declared: BTreeMap<String, Item>,
    /// Exported in place.
    exported: Vec<Item>,
    /// Local name and name outside.
    named: Vec<(String, String)>,
    /// Names that hold the module's exports (`var app = module.exports = {}`).
    aliases: BTreeSet<String>,
    exports: Vec<Export>,
}

/// The comment at the top of the file when it is about the file.
fn file_doc(source: &Source<'_>, first: &Documented<'_>) -> String {
    let comments = first.comments.iter().map(|comment| source.text(*comment));
    let told = comments.filter(|text| {
        ["@file", "@module", "@fileoverview", "@packageDocumentation"].iter().any(|tag| text.contains(tag))
    });
    told.map(strip_comment).next().unwrap_or_default()
}

fn doc(source: &Source<'_>, documented: &Documented<'_>) -> String {
    let comment = documented.comments.last().map(|comment| source.text(*comment));
    comment.filter(|text| text.starts_with("/**")).map(strip_comment).unwrap_or_default()
}

impl Module {
    fn statement(&mut self, source: &Source<'_>, statement: &Documented<'_>) {
        let node = statement.node;
        let doc = doc(source, statement);
        match node.kind() {
            "export_statement" => self.export(source, node, &doc),
            "expression_statement" => {
                if let Some(assignment) = child_of_kind(node, "assignment_expression") {
                    self.assignment(source, assignment, &doc);
                }
            }
            _ => {
                for item in declarations(source, node, node, &doc) {
                    self.declared.insert(item.name.clone(), item);
                }
                if matches!(node.kind(), "variable_declaration" | "lexical_declaration") {
                    self.exports_alias(source, node);
                }
            }
        }
    }

    /// `var app = exports = module.exports = {}`.
    fn exports_alias(&mut self, source: &Source<'_>, node: Node<'_>) {
        for declarator in children(node).into_iter().filter(|child| child.kind() == "variable_declarator") {
            let value = source.field(declarator, "value");
            if value.starts_with("module.exports") || value.starts_with("exports =") {
                self.aliases.insert(source.field(declarator, "name").to_owned());
            }
        }
    }

    fn export(&mut self, source: &Source<'_>, node: Node<'_>, doc: &str) {
        let from = node.child_by_field_name("source").and_then(|from| literal(source.text(from)));
        if let Some(declaration) = node.child_by_field_name("declaration") {
            self.exported.extend(declarations(source, node, declaration, doc));
            return;
        }
        if let Some(clause) = child_of_kind(node, "export_clause") {
            for specifier in children(clause) {
                let name = source.field(specifier, "name").to_owned();
                let alias = source.field(specifier, "alias");
                let alias = if alias.is_empty() { name.clone() } else { alias.to_owned() };
                match &from {
                    Some(from) => self.exports.push(Export { from: vec![from.clone(), name], name: alias }),
                    None => self.named.push((name, alias)),
                }
            }
        } else if let Some(from) = from {
            self.exports.push(Export { from: vec![from, String::new()], name: String::new() });
        } else if let Some(value) = node.child_by_field_name("value") {
            match value.kind() {
                "identifier" => self.named.push((source.text(value).to_owned(), "default".to_owned())),
                _ => self.exported.extend(assigned(source, node, value, "default", doc)),
            }
        }
    }

    fn assignment(&mut self, source: &Source<'_>, node: Node<'_>, doc: &str) {
        let left = source.field(node, "left");
        let Some(mut right) = node.child_by_field_name("right") else { return };
        while right.kind() == "assignment_expression" {
            let Some(inner) = right.child_by_field_name("right") else { return };
            right = inner;
        }
        if matches!(left, "module.exports" | "exports") {
            match right.kind() {
                "identifier" => {
                    let name = source.text(right).to_owned();
                    self.aliases.insert(name.clone());
                    self.named.push((name.clone(), name));
                }
                "object" => self.exported_object(source, right),
                _ => self.exported.extend(assigned(source, node, right, "module.exports", doc)),
            }
            return;
        }
        let Some((object, name)) = left.rsplit_once('.') else { return };
        let own = matches!(object, "exports" | "module.exports");
        if own && right.kind() == "identifier" {
            self.named.push((source.text(right).to_owned(), name.to_owned()));
            return;
        }
        let is_private = doc.contains("@private") || doc.contains("@api private") || name.starts_with('_');
        let known = own || self.aliases.contains(object) || object.ends_with(".prototype");
        // without an export in sight, a documented public function on an object is what there is
        if is_private || !(known || (!doc.is_empty() && !object.contains('.'))) {
            return;
        }
        let shown = if own { name.to_owned() } else { format!("{}.{name}", object.trim_end_matches(".prototype")) };
        self.exported.extend(assigned(source, node, right, &shown, doc));
    }

    /// `module.exports = { a, b: c, d() {} }`.
    fn exported_object(&mut self, source: &Source<'_>, object: Node<'_>) {
        for property in documented_children(object, |kind| kind == "comment", |_| false) {
            let node = property.node;
            match node.kind() {
                "shorthand_property_identifier" => {
                    let name = source.text(node).to_owned();
                    self.named.push((name.clone(), name));
                }
                "pair" => {
                    let name = source.field(node, "key").trim_matches(['"', '\'']).to_owned();
                    let Some(value) = node.child_by_field_name("value") else { continue };
                    match value.kind() {
                        "identifier" => self.named.push((source.text(value).to_owned(), name)),
                        "function_expression" | "arrow_function" | "class" => {
                            self.exported.extend(assigned(source, node, value, &name, &doc(source, &property)));
                        }
                        _ => {}
                    }
                }
                "method_definition" => {
                    let name = source.field(node, "name");
                    self.exported.extend(assigned(source, node, node, name, &doc(source, &property)));
                }
                _ => {}
            }
        }
    }

    fn finish(&mut self) -> Vec<Item> {
        let mut items = std::mem::take(&mut self.exported);
        for (local, name) in std::mem::take(&mut self.named) {
            if let Some(item) = self.declared.get(&local) {
                let mut item = item.clone();
                item.name = if name == "default" { local } else { name };
                items.push(item);
            }
        }
        items.sort_by_key(|item| item.lines);
        items.dedup_by(|a, b| a.name == b.name && a.lines == b.lines);
        items.retain(|item| {
            !item.doc.contains("@private") && !item.doc.contains("@internal") && !item.doc.contains("@api private")
        });
        items.into_iter().map(Item::bounded).collect()
    }
}

/// The items that a declaration makes; `outer` is the whole statement.
fn declarations(source: &Source<'_>, outer: Node<'_>, node: Node<'_>, doc: &str) -> Vec<Item> {
    let whole = |kind, signature, members| {
        let name = source.field(node, "name").trim_matches(['"', '\'']).to_owned();
        vec![Item { kind, name, signature, doc: doc.to_owned(), lines: lines(outer), members, ..Item::default() }]
    };
    let text = || source.dedented(node, node.end_byte());
    match node.kind() {
        "function_declaration" | "generator_function_declaration" | "function_signature" => {
            whole(ItemKind::Function, source.signature(node, "body").trim_end_matches(';').to_owned(), Vec::new())
        }
        "class_declaration" | "abstract_class_declaration" => {
            whole(ItemKind::Class, source.signature(node, "body"), class_members(source, node))
        }
        "interface_declaration" => whole(ItemKind::Interface, without_block_comments(&text()), fields(source, node)),
        "type_alias_declaration" => whole(ItemKind::Type, text(), Vec::new()),
        "enum_declaration" => whole(ItemKind::Enum, text(), Vec::new()),
        "ambient_declaration" => {
            children(node).into_iter().flat_map(|inner| declarations(source, outer, inner, doc)).collect()
        }
        "lexical_declaration" | "variable_declaration" => {
            let declarators = children(node).into_iter().filter(|child| child.kind() == "variable_declarator");
            declarators
                .filter(|declarator| {
                    declarator.child_by_field_name("name").is_some_and(|name| name.kind() == "identifier")
                })
                .filter_map(|declarator| {
                    let name = source.field(declarator, "name");
                    match declarator.child_by_field_name("value") {
                        Some(value) if is_code(value.kind()) => assigned(source, outer, value, name, doc),
                        _ => Some(constant(source, outer, declarator, name, doc)),
                    }
                })
                .collect()
        }
        _ => Vec::new(),
    }
}

fn is_code(kind: &str) -> bool {
    matches!(kind, "arrow_function" | "function_expression" | "generator_function" | "class")
}

fn constant(source: &Source<'_>, outer: Node<'_>, declarator: Node<'_>, name: &str, doc: &str) -> Item {
    let text = source.text(declarator);
    let kind = source.field(declarator, "type");
    let short = text.len() <= 160 && text.lines().count() <= 4;
    let signature = if short { format!("const {text}") } else { format!("const {name}{kind}") };
    Item {
        kind: ItemKind::Constant,
        name: name.to_owned(),
        signature,
        doc: doc.to_owned(),
        lines: lines(outer),
        ..Item::default()
    }
}

/// A function or class that is given a name by assignment; `None` for other values.
fn assigned(source: &Source<'_>, outer: Node<'_>, value: Node<'_>, name: &str, doc: &str) -> Option<Item> {
    let (kind, signature, members) = match value.kind() {
        "class" => (ItemKind::Class, format!("class {name}"), class_members(source, value)),
        "arrow_function" | "function_expression" | "generator_function" | "method_definition" => {
            let parameters = source.field(value, "parameters");
            let parameters = if parameters.is_empty() {
                format!("({})", source.field(value, "parameter"))
            } else {
                parameters.to_owned()
            };
            let is_async = if source.text(value).starts_with("async") { "async " } else { "" };
            let types = source.field(value, "type_parameters");
            let result = source.field(value, "return_type");
            (ItemKind::Function, format!("{is_async}function {name}{types}{parameters}{result}"), Vec::new())
        }
        _ => return None,
    };
    Some(Item {
        kind,
        name: name.to_owned(),
        signature,
        doc: doc.to_owned(),
        lines: lines(outer),
        members,
        ..Item::default()
    })
}

fn class_members(source: &Source<'_>, class: Node<'_>) -> Vec<Item> {
    let Some(body) = class.child_by_field_name("body") else { return Vec::new() };
    let mut members: Vec<Item> = Vec::new();
    for member in documented_children(body, |kind| kind == "comment", |kind| kind == "decorator") {
        let node = member.node;
        let name = source.field(node, "name");
        let name = if name.is_empty() { source.field(node, "property") } else { name };
        let private = name.starts_with(['#', '_']) || source.text(node).starts_with("private ");
        let doc = doc(source, &member);
        let told_private = doc.contains("@private") || doc.contains("@internal");
        if name.is_empty() || private || told_private {
            continue;
        }
        let (kind, signature) = match node.kind() {
            "method_definition" | "method_signature" | "abstract_method_signature" => {
                (ItemKind::Method, source.signature(node, "body"))
            }
            "public_field_definition" | "field_definition" => {
                (ItemKind::Constant, source.signature(node, "value").trim_end_matches(['=', ' ']).to_owned())
            }
            _ => continue,
        };
        members.push(
            Item { kind, name: name.to_owned(), signature, doc, lines: lines(node), ..Item::default() }.bounded(),
        );
    }
    members
}

/// The documented properties of an interface.
fn fields(source: &Source<'_>, node: Node<'_>) -> Vec<Item> {
    let Some(body) = node.child_by_field_name("body") else { return Vec::new() };
    let properties = documented_children(body, |kind| kind == "comment", |_| false).into_iter();
    properties
        .filter(|property| matches!(property.node.kind(), "property_signature" | "method_signature"))
        .map(|property| Item {
            kind: ItemKind::Field,
            name: source.field(property.node, "name").to_owned(),
            doc: doc(source, &property),
            lines: lines(property.node),
            ..Item::default()
        })
        .map(Item::bounded)
        .collect()
}

/// The text without lines of `/** … */`: those are told below the signature.
fn without_block_comments(text: &str) -> String {
    let mut kept = String::new();
    let mut inside = false;
    for line in text.lines() {
        let trimmed = line.trim_start();
        inside |= trimmed.starts_with("/*");
        if !inside {
            kept.push_str(line);
            kept.push('\n');
        }
        if trimmed.ends_with("*/") {
            inside = false;
        }
    }
    kept.trim_end().to_owned()
}
