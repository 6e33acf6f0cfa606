//! Python: public functions and classes of a module with their docstrings.

use tree_sitter::Node;

use super::{
    python_facts,
    syntax::{MAX_NESTING, Source, children, dedent_lines, lines, literal},
};
use crate::writers::builtin::symbols::{Export, Item, ItemKind, ParsedFile, Scope};

/// Takes items, re-exports and facts from a module.
pub(super) fn extract(source: &Source<'_>, root: Node<'_>) -> ParsedFile {
    let mut scope = Scope { doc: docstring(source, root), ..Scope::default() };
    let mut listed = None;
    statements(source, root, 0, &mut scope, &mut listed);
    // a stub's overloads and conditional definitions name one thing several times
    dedup_by_name(&mut scope.items);
    if let Some(listed) = listed {
        scope.items.retain(|item| listed.contains(&item.name));
        scope.exports.retain(|export| export.name.is_empty() || listed.contains(&export.name));
    } else {
        for item in &mut scope.items {
            item.internal = is_private(&item.name);
        }
    }
    ParsedFile { scope, package: String::new(), facts: python_facts::facts(source, root) }
}

fn is_private(name: &str) -> bool {
    name.starts_with('_')
}

fn dedup_by_name(items: &mut Vec<Item>) {
    let mut seen = std::collections::HashSet::new();
    items.reverse();
    items.retain(|item| seen.insert(item.name.clone()));
    items.reverse();
}

fn statements(source: &Source<'_>, body: Node<'_>, depth: usize, scope: &mut Scope, listed: &mut Option<Vec<String>>) {
    if depth > MAX_NESTING {
        return;
    }
    for node in children(body) {
        match node.kind() {
            "function_definition" | "class_definition" => scope.items.extend(definition(source, node, node, depth)),
            "decorated_definition" => {
                if let Some(inner) = node.child_by_field_name("definition") {
                    scope.items.extend(definition(source, node, inner, depth));
                }
            }
            "import_from_statement" => scope.exports.extend(imports(source, node)),
            "expression_statement" => {
                for assignment in children(node).into_iter().filter(|child| is_assignment(child.kind())) {
                    if source.field(assignment, "left") == "__all__" {
                        listed.get_or_insert_default().extend(strings(source, assignment));
                    } else {
                        scope.items.extend(constant(source, assignment));
                    }
                }
            }
            "if_statement" | "try_statement" | "else_clause" | "except_clause" | "block" | "with_statement" => {
                if !source.field(node, "condition").contains("__name__") {
                    statements(source, node, depth + 1, scope, listed);
                }
            }
            _ => {}
        }
    }
}

fn is_assignment(kind: &str) -> bool {
    matches!(kind, "assignment" | "augmented_assignment")
}

fn strings(source: &Source<'_>, assignment: Node<'_>) -> Vec<String> {
    let Some(right) = assignment.child_by_field_name("right") else { return Vec::new() };
    let strings = children(right).into_iter().filter(|child| child.kind() == "string");
    strings.filter_map(|string| literal(source.text(string))).collect()
}

/// A constant: an upper-case name, or a name with a type, at module level.
fn constant(source: &Source<'_>, assignment: Node<'_>) -> Option<Item> {
    let name = source.field(assignment, "left");
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    let is_type = source.field(assignment, "type").contains("TypeAlias");
    let value = source.field(assignment, "right");
    let is_inner =
        ["TypeVar(", "ParamSpec(", "getLogger(", "NewType("].iter().any(|call| value.contains(call)) || name.len() == 1;
    if (!is_name && !is_type) || is_private(name) || is_inner {
        return None;
    }
    let text = source.text(assignment);
    let signature =
        if text.len() <= 200 && text.lines().count() <= 5 { text.to_owned() } else { format!("{name} = ...") };
    let kind = if is_type { ItemKind::Type } else { ItemKind::Constant };
    Some(Item { kind, name: name.to_owned(), signature, lines: lines(assignment), ..Item::default() }.bounded())
}

fn definition(source: &Source<'_>, outer: Node<'_>, node: Node<'_>, depth: usize) -> Option<Item> {
    let name = source.field(node, "name");
    let body = node.child_by_field_name("body")?;
    let decorators = children(outer).into_iter().filter(|child| child.kind() == "decorator");
    let decorators: Vec<&str> = decorators.map(|decorator| source.text(decorator)).collect();
    if decorators
        .iter()
        .any(|text| text.contains("overload") || text.ends_with(".setter") || text.ends_with(".deleter"))
    {
        return None;
    }
    let shown = decorators.iter().filter(|text| is_telling(text)).map(|text| format!("{text}\n"));
    let signature = shown.collect::<String>() + source.signature(node, "body").trim_end_matches(':').trim_end();
    let is_class = node.kind() == "class_definition";
    let members = if is_class && depth <= MAX_NESTING { class_members(source, body, depth) } else { Vec::new() };
    Some(
        Item {
            kind: if is_class { ItemKind::Class } else { ItemKind::Function },
            name: name.to_owned(),
            signature,
            doc: docstring(source, body),
            lines: lines(outer),
            members,
            ..Item::default()
        }
        .bounded(),
    )
}

/// Decorators that change how something is used.
fn is_telling(decorator: &str) -> bool {
    let names =
        ["property", "staticmethod", "classmethod", "abstractmethod", "dataclass", "contextmanager", "deprecated"];
    decorator.lines().count() == 1 && names.iter().any(|name| decorator.contains(name))
}

fn class_members(source: &Source<'_>, body: Node<'_>, depth: usize) -> Vec<Item> {
    let mut scope = Scope::default();
    statements(source, body, depth + 1, &mut scope, &mut None);
    let mut members: Vec<Item> = scope.items;
    members.retain(|member| !is_private(&member.name) || member.name == "__init__" || member.name == "__call__");
    // a constructor without words of its own is already told by the class's text
    members.retain(|member| member.name != "__init__" || !member.signature.ends_with("(self)"));
    dedup_by_name(&mut members);
    for member in &mut members {
        if member.kind == ItemKind::Function {
            member.kind = ItemKind::Method;
        }
    }
    members
}

fn docstring(source: &Source<'_>, body: Node<'_>) -> String {
    let first = children(body).into_iter().find(|child| child.kind() != "comment");
    let string = first.filter(|node| node.kind() == "expression_statement").and_then(|node| node.named_child(0));
    let Some(string) = string.filter(|node| node.kind() == "string") else { return String::new() };
    let text = source.text(string).trim_start_matches(['r', 'R', 'u', 'U', 'b', 'f']);
    let inner = text.trim_start_matches(['"', '\'']).trim_end_matches(['"', '\'']);
    dedent_lines(&inner.lines().map(str::to_owned).collect::<Vec<_>>()).trim().to_owned()
}

/// `from .core import Command as Command`: only names from inside the package are passed on.
fn imports(source: &Source<'_>, node: Node<'_>) -> Vec<Export> {
    let module = source.field(node, "module_name");
    if !module.starts_with('.') {
        return Vec::new();
    }
    let parts: Vec<String> = module.split('.').map(str::to_owned).collect();
    let from = |name: &str| parts.iter().cloned().chain([name.to_owned()]).collect::<Vec<_>>();
    let mut cursor = node.walk();
    let mut exports: Vec<Export> = node
        .children_by_field_name("name", &mut cursor)
        .map(|name| match name.kind() {
            "aliased_import" => {
                Export { from: from(source.field(name, "name")), name: source.field(name, "alias").to_owned() }
            }
            _ => Export { from: from(source.text(name)), name: source.text(name).to_owned() },
        })
        .filter(|export| !is_private(&export.name))
        .collect();
    if children(node).iter().any(|child| child.kind() == "wildcard_import") {
        exports.push(Export { from: from(""), name: String::new() });
    }
    exports
}
