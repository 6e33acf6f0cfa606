//! C and C++: what headers declare, with Doxygen or plain comments, and the environment variables that sources read.

use tree_sitter::Node;

use super::syntax::{
    Documented, MAX_NESTING, Source, children, documented_children, line, lines, literal, strip_comment, visit,
};
use crate::writers::builtin::symbols::{Fact, Item, ItemKind, ParsedFile, Scope};

/// Takes items of a header, or facts of a source.
pub(super) fn extract(source: &Source<'_>, root: Node<'_>, path: &str) -> ParsedFile {
    let mut file = ParsedFile { facts: facts(source, root), ..ParsedFile::default() };
    let ending = path.rsplit('.').next().unwrap_or_default();
    if ending.starts_with('h') || ending == "ipp" {
        let mut scope = Scope { doc: file_doc(source, root), ..Scope::default() };
        let mut walk = Walk { source, namespace: Vec::new(), items: Vec::new() };
        walk.container(root, 0);
        scope.items = walk.items.into_iter().map(Item::bounded).collect();
        file.scope = scope;
    }
    file
}

fn is_comment(kind: &str) -> bool {
    kind == "comment"
}

/// The first comment when it says `@file` or `\file`.
fn file_doc(source: &Source<'_>, root: Node<'_>) -> String {
    let first = children(root).into_iter().filter(|child| is_comment(child.kind())).take(4);
    let told = first.map(|comment| source.text(comment)).find(|text| text.contains("@file") || text.contains("\\file"));
    told.map(strip_comment).unwrap_or_default()
}

fn doc(source: &Source<'_>, documented: &Documented<'_>) -> String {
    let comments: Vec<&str> = documented.comments.iter().map(|comment| source.text(*comment)).collect();
    // a block stands alone; single lines belong together
    let from = comments.iter().rposition(|text| text.starts_with("/*"));
    let wanted = from
        .map_or(comments.as_slice(), |at| if at + 1 == comments.len() { &comments[at..] } else { &comments[at + 1..] });
    let text = wanted.iter().map(|comment| strip_comment(comment)).collect::<Vec<_>>().join("\n");
    let is_licence = text.contains("Copyright") || text.contains("SPDX-License");
    // a rule or a heading inside of a file
    let says_something = text.chars().any(char::is_alphabetic);
    if is_licence || !says_something { String::new() } else { text }
}

struct Walk<'s, 'a> {
    source: &'s Source<'a>,
    namespace: Vec<String>,
    items: Vec<Item>,
}

impl Walk<'_, '_> {
    fn container(&mut self, container: Node<'_>, depth: usize) {
        if depth > MAX_NESTING {
            return;
        }
        for documented in documented_children(container, is_comment, |_| false) {
            let node = documented.node;
            match node.kind() {
                "namespace_definition" => {
                    let name = self.source.field(node, "name");
                    // what lies in these is nobody's to call
                    if matches!(name, "detail" | "internal" | "impl" | "details" | "") {
                        continue;
                    }
                    self.namespace.push(name.to_owned());
                    if let Some(body) = node.child_by_field_name("body") {
                        self.container(body, depth + 1);
                    }
                    self.namespace.pop();
                }
                "linkage_specification" => {
                    if let Some(body) = node.child_by_field_name("body") {
                        self.container(body, depth + 1);
                    }
                }
                "preproc_ifdef" | "preproc_if" | "preproc_else" | "preproc_elif" | "declaration_list" => {
                    self.container(node, depth + 1);
                }
                _ => self.declaration(&documented),
            }
        }
    }

    fn declaration(&mut self, documented: &Documented<'_>) {
        let node = documented.node;
        let found = match node.kind() {
            "preproc_def" => self.constant(node),
            "preproc_function_def" => {
                let name = self.source.field(node, "name");
                let parameters = self.source.field(node, "parameters");
                Some((ItemKind::Macro, name.to_owned(), format!("#define {name}{parameters}"), Vec::new()))
            }
            "template_declaration" => {
                children(node).last().and_then(|inner| self.typed(*inner)).map(|(kind, name, signature, members)| {
                    let head = self.source.field(node, "parameters");
                    (kind, name, format!("template {head}\n{signature}"), members)
                })
            }
            _ => self.typed(node),
        };
        let Some((kind, name, signature, members)) = found else { return };
        let is_keyword = matches!(name.as_str(), "if" | "else" | "for" | "while" | "switch" | "return" | "operator");
        if is_keyword || name.is_empty() || name.starts_with('_') || name.contains("operator\"\"") {
            return;
        }
        let name = self.namespace.iter().map(String::as_str).chain([name.as_str()]).collect::<Vec<_>>().join("::");
        self.items.push(Item {
            kind,
            name,
            signature,
            doc: doc(self.source, documented),
            lines: lines(node),
            members,
            ..Item::default()
        });
    }

    /// A macro with a value; include guards and switches without one are left out.
    fn constant(&self, node: Node<'_>) -> Option<(ItemKind, String, String, Vec<Item>)> {
        let name = self.source.field(node, "name");
        let value = self.source.field(node, "value").trim();
        let value = value.split("/*").next().unwrap_or_default().trim();
        (!value.is_empty())
            .then(|| (ItemKind::Constant, name.to_owned(), format!("#define {name} {value}"), Vec::new()))
    }

    fn typed(&self, node: Node<'_>) -> Option<(ItemKind, String, String, Vec<Item>)> {
        let source = self.source;
        match node.kind() {
            "function_definition" => {
                let name = declared_name(source, node)?;
                // inline functions and those that a macro made look alike
                let is_static = source.between(node.start_byte(), node.end_byte()).starts_with("static")
                    && !source.text(node).contains("inline");
                (!is_static).then(|| (ItemKind::Function, name, source.signature(node, "body"), Vec::new()))
            }
            "declaration" => {
                let name = declared_name(source, node)?;
                let is_function = has_function_declarator(node);
                let kind = if is_function { ItemKind::Function } else { ItemKind::Variable };
                Some((kind, name, source.dedented(node, node.end_byte()), Vec::new()))
            }
            "type_definition" => {
                let name =
                    node.child_by_field_name("declarator").map(|declarator| innermost_name(source, declarator))?;
                let of = node.child_by_field_name("type")?;
                let kind = record_kind(of.kind())
                    .filter(|_| of.child_by_field_name("body").is_some())
                    .unwrap_or(ItemKind::Type);
                let members =
                    of.child_by_field_name("body").map(|body| members(source, body, true)).unwrap_or_default();
                Some((kind, name, source.dedented(node, node.end_byte()), members))
            }
            "struct_specifier" | "union_specifier" | "enum_specifier" | "class_specifier" => {
                let body = node.child_by_field_name("body")?;
                let kind = record_kind(node.kind())?;
                let members = members(source, body, kind != ItemKind::Class);
                let methods = members.iter().any(|member| member.kind == ItemKind::Method);
                let signature =
                    if methods { source.signature(node, "body") } else { source.dedented(node, node.end_byte()) };
                Some((kind, source.field(node, "name").to_owned(), signature, members))
            }
            "alias_declaration" => Some((
                ItemKind::Type,
                source.field(node, "name").to_owned(),
                source.dedented(node, node.end_byte()),
                Vec::new(),
            )),
            _ => None,
        }
    }
}

fn record_kind(kind: &str) -> Option<ItemKind> {
    Some(match kind {
        "struct_specifier" => ItemKind::Struct,
        "union_specifier" => ItemKind::Union,
        "enum_specifier" => ItemKind::Enum,
        "class_specifier" => ItemKind::Class,
        _ => return None,
    })
}

/// The declarator inside of pointers, arrays, parentheses and functions.
fn innermost_name(source: &Source<'_>, declarator: Node<'_>) -> String {
    let mut node = declarator;
    for _ in 0..MAX_NESTING {
        let inner = node.child_by_field_name("declarator").or_else(|| {
            matches!(node.kind(), "parenthesized_declarator" | "reference_declarator" | "attributed_declarator")
                .then(|| node.named_child(0))
                .flatten()
        });
        match inner {
            Some(inner) => node = inner,
            None => break,
        }
    }
    source.text(node).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn declared_name(source: &Source<'_>, node: Node<'_>) -> Option<String> {
    let name = innermost_name(source, node.child_by_field_name("declarator")?);
    let fits = !name.is_empty() && name.len() < 200 && !name.contains(['(', ';', '{', '"']);
    fits.then_some(name)
}

fn has_function_declarator(node: Node<'_>) -> bool {
    let mut current = node.child_by_field_name("declarator");
    for _ in 0..MAX_NESTING {
        match current {
            // `(*name)(...)` is a pointer, not a function
            Some(node) if node.kind() == "function_declarator" => {
                let inner = node.child_by_field_name("declarator");
                return inner.is_none_or(|inner| inner.kind() != "parenthesized_declarator");
            }
            Some(node) => current = node.child_by_field_name("declarator"),
            None => return false,
        }
    }
    false
}

/// The fields, values and (public) methods in a body.
fn members(source: &Source<'_>, body: Node<'_>, mut public: bool) -> Vec<Item> {
    let mut members = Vec::new();
    for documented in documented_children(body, is_comment, |_| false) {
        let node = documented.node;
        let inner = if node.kind() == "template_declaration" { children(node).pop().unwrap_or(node) } else { node };
        let (kind, name) = match inner.kind() {
            "access_specifier" => {
                public = source.text(inner).trim_end_matches(':').trim() == "public";
                continue;
            }
            "enumerator" => (ItemKind::Variant, source.field(inner, "name").to_owned()),
            _ if !public => continue,
            "field_declaration" if !has_function_declarator(inner) => {
                let Some(declarator) = inner.child_by_field_name("declarator") else { continue };
                (ItemKind::Field, innermost_name(source, declarator))
            }
            "field_declaration" | "declaration" | "function_definition" => {
                let Some(name) = declared_name(source, inner) else { continue };
                (ItemKind::Method, name)
            }
            _ => continue,
        };
        let text = source.text(node);
        if text.contains("= delete") || name.is_empty() {
            continue;
        }
        let end = inner.child_by_field_name("body").map_or(node.end_byte(), |body| body.start_byte());
        let signature = if kind == ItemKind::Method { source.dedented(node, end) } else { String::new() };
        let signature = signature.split("\n    :").next().unwrap_or_default().to_owned();
        let mut doc = doc(source, &documented);
        if doc.is_empty() {
            doc = trailing_comment(source, node);
        }
        members.push(Item { kind, name, signature, doc, lines: lines(node), ..Item::default() }.bounded());
    }
    members
}

/// The comment behind a member on its own line.
fn trailing_comment(source: &Source<'_>, node: Node<'_>) -> String {
    let rest = source.text.get(node.end_byte()..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let rest = rest.trim_start_matches([',', ';']).trim();
    if rest.starts_with("/*") && rest.ends_with("*/") || rest.starts_with("//") {
        strip_comment(rest)
    } else {
        String::new()
    }
}

/// The environment variables that a file reads.
pub(super) fn facts(source: &Source<'_>, root: Node<'_>) -> Vec<Fact> {
    let mut facts = Vec::new();
    if !source.text.contains("getenv") {
        return facts;
    }
    visit(root, |node| {
        let function = source.field(node, "function");
        if node.kind() == "call_expression" && matches!(function, "getenv" | "secure_getenv" | "std::getenv") {
            let arguments = node.child_by_field_name("arguments").map(children).unwrap_or_default();
            if let Some(name) = arguments.first().and_then(|argument| literal(source.text(*argument))) {
                facts.push(Fact::Environment { name, default: String::new(), line: line(node) });
            }
        }
        true
    });
    facts
}
