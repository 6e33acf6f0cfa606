//! Rust: environment variables, HTTP routes (axum, actix, rocket) and command lines (clap) in the code.

use tree_sitter::Node;

use super::{
    rust::{doc, is_attribute, is_comment, is_left_out},
    syntax::{Source, children, documented_children, line, literal, visit},
};
use crate::writers::builtin::symbols::Fact;

const METHODS: [&str; 9] = ["get", "post", "put", "delete", "patch", "head", "options", "trace", "any"];

/// Everything found in the file, tests left out.
pub(super) fn facts(source: &Source<'_>, root: Node<'_>) -> Vec<Fact> {
    let mut facts = Vec::new();
    let wanted = ["env::var", ".route(", "#[arg", "#[clap", "Parser", "Arg::new", "(\"/"];
    if !wanted.iter().any(|word| source.text.contains(word)) {
        return facts;
    }
    let mut tests = Vec::new();
    let mut attributes = Vec::new();
    visit(root, |node| {
        if is_attribute(node.kind()) {
            attributes.push(node);
            return false;
        }
        if is_comment(node.kind()) {
            return false;
        }
        let before = std::mem::take(&mut attributes);
        if is_left_out(source, &before) {
            tests.push(node);
            return false;
        }
        match node.kind() {
            "call_expression" => call(source, node, &mut facts),
            "function_item" => {
                facts.extend(before.iter().filter_map(|attribute| attribute_route(source, *attribute, node)));
            }
            "struct_item" if derives(source, &before, &["Parser", "Args"]) => clap_struct(source, node, &mut facts),
            "enum_item" if derives(source, &before, &["Subcommand"]) => clap_commands(source, node, &mut facts),
            _ => {}
        }
        true
    });
    facts
}

fn derives(source: &Source<'_>, attributes: &[Node<'_>], names: &[&str]) -> bool {
    attributes.iter().map(|attribute| source.text(*attribute)).any(|text| {
        let words = || text.split(|c: char| !c.is_alphanumeric() && c != '_');
        text.starts_with("#[derive") && words().any(|word| names.contains(&word))
    })
}

fn arguments(node: Node<'_>) -> Vec<Node<'_>> {
    node.child_by_field_name("arguments").map(children).unwrap_or_default()
}

fn call(source: &Source<'_>, node: Node<'_>, facts: &mut Vec<Fact>) {
    let function = source.field(node, "function");
    let method = function.rsplit_once('.').map(|(_, method)| method);
    if matches!(function, "env::var" | "std::env::var" | "env::var_os" | "std::env::var_os") {
        let name = arguments(node).first().and_then(|argument| literal(source.text(*argument)));
        if let Some(name) = name {
            facts.push(Fact::Environment { name, default: String::new(), line: line(node) });
        }
    } else if method == Some("route") {
        let arguments = arguments(node);
        let [path, service, ..] = arguments.as_slice() else { return };
        let Some(path) = literal(source.text(*path)) else { return };
        method_router(source, *service, &path, facts);
    } else if matches!(method, Some("arg" | "args")) {
        for argument in arguments(node) {
            builder_argument(source, argument, facts);
        }
    }
}

/// `get(list).post(create)` of axum, `web::get().to(list)` of actix.
fn method_router(source: &Source<'_>, service: Node<'_>, path: &str, facts: &mut Vec<Fact>) {
    let mut found = Vec::new();
    visit(service, |node| {
        if node.kind() != "call_expression" {
            return matches!(node.kind(), "field_expression" | "arguments") || node == service;
        }
        let function = source.field(node, "function");
        let name = function.rsplit(['.', ':']).next().unwrap_or_default();
        if METHODS.contains(&name) {
            let handler = arguments(node).first().map(|argument| source.text(*argument)).unwrap_or_default();
            found.push(Fact::Route {
                method: name.to_uppercase(),
                path: path.to_owned(),
                handler: short(handler),
                line: line(node),
            });
        }
        true
    });
    facts.extend(found);
}

fn short(handler: &str) -> String {
    let named = handler.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | ':' | '.' | '<' | '>' | '$'));
    if named && handler.len() <= 80 { handler.to_owned() } else { String::new() }
}

/// `#[get("/path")]` of actix and rocket.
fn attribute_route(source: &Source<'_>, attribute: Node<'_>, function: Node<'_>) -> Option<Fact> {
    let text = source.text(attribute).strip_prefix("#[")?;
    let (name, rest) = text.split_once('(')?;
    let method = name.rsplit("::").next()?;
    if !METHODS.contains(&method) {
        return None;
    }
    let path = rest.split('"').nth(1).filter(|path| path.starts_with('/'))?;
    Some(Fact::Route {
        method: method.to_uppercase(),
        path: path.to_owned(),
        handler: source.field(function, "name").to_owned(),
        line: line(function),
    })
}

fn kebab(name: &str) -> String {
    let mut kebab = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.extend(c.to_lowercase());
    }
    kebab.replace('_', "-").trim_start_matches("r#").to_owned()
}

/// The fields of a struct that derives `Parser` or `Args`.
fn clap_struct(source: &Source<'_>, node: Node<'_>, facts: &mut Vec<Fact>) {
    let Some(body) = node.child_by_field_name("body") else { return };
    for field in documented_children(body, is_comment, is_attribute) {
        if field.node.kind() != "field_declaration" {
            continue;
        }
        let attribute: String = field.attributes.iter().map(|attribute| source.text(*attribute)).collect();
        if ["flatten", "subcommand", "(skip"].iter().any(|word| attribute.contains(word)) {
            continue;
        }
        let names = flag_names(&attribute, source.field(field.node, "name"));
        let help = doc(source, &field.comments).split("\n\n").next().unwrap_or_default().replace('\n', " ");
        let default = option_value(&attribute, "default_value_t").or_else(|| option_value(&attribute, "default_value"));
        if let Some(variable) = option_value(&attribute, "env") {
            let name = literal(&variable).unwrap_or_else(|| source.field(field.node, "name").to_uppercase());
            let default = default.clone().unwrap_or_default();
            facts.push(Fact::Environment { name, default, line: line(field.node) });
        }
        facts.push(Fact::Flag {
            command: String::new(),
            names,
            help: if help.is_empty() {
                option_value(&attribute, "help").and_then(|h| literal(&h)).unwrap_or_default()
            } else {
                help
            },
            default: default.unwrap_or_default(),
            line: line(field.node),
        });
    }
}

fn flag_names(attribute: &str, field: &str) -> String {
    let mut names = Vec::new();
    if let Some(short) = option_value(attribute, "short") {
        let letter = literal(&short).or_else(|| field.chars().next().map(String::from)).unwrap_or_default();
        names.push(format!("-{letter}"));
    }
    if let Some(long) = option_value(attribute, "long") {
        names.push(format!("--{}", literal(&long).unwrap_or_else(|| kebab(field))));
    }
    if names.is_empty() { format!("<{}>", field.to_uppercase()) } else { names.join(", ") }
}

/// The value of `key = value` or of a bare `key` (then empty) among an attribute's options.
fn option_value(attribute: &str, key: &str) -> Option<String> {
    let mut rest = attribute;
    while let Some(at) = rest.find(key) {
        let before = rest[..at].chars().next_back();
        let after = &rest[at + key.len()..];
        rest = after;
        let whole = before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '"' && c != '-')
            && after.chars().next().is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '"' && c != '-');
        if !whole {
            continue;
        }
        let Some(value) = after.trim_start().strip_prefix('=') else { return Some(String::new()) };
        return Some(until_comma(value.trim_start()).to_owned());
    }
    None
}

fn until_comma(value: &str) -> &str {
    let (mut depth, mut quoted, mut escaped) = (0_i32, false, false);
    for (at, c) in value.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' | ',' if depth == 0 => return value[..at].trim_end(),
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
    }
    value
}

/// The variants of an enum that derives `Subcommand`.
fn clap_commands(source: &Source<'_>, node: Node<'_>, facts: &mut Vec<Fact>) {
    let Some(body) = node.child_by_field_name("body") else { return };
    for variant in documented_children(body, is_comment, is_attribute) {
        if variant.node.kind() != "enum_variant" {
            continue;
        }
        let name = kebab(source.field(variant.node, "name"));
        let help = doc(source, &variant.comments).split("\n\n").next().unwrap_or_default().replace('\n', " ");
        if variant.node.child_by_field_name("body").is_some_and(|body| body.kind() == "field_declaration_list") {
            let before = facts.len();
            clap_struct(source, variant.node, facts);
            for fact in &mut facts[before..] {
                if let Fact::Flag { command, .. } = fact {
                    command.clone_from(&name);
                }
            }
        }
        facts.push(Fact::Command { name, help, line: line(variant.node) });
    }
}

/// `Arg::new("name").long("name").short('n').help("...")`.
fn builder_argument(source: &Source<'_>, node: Node<'_>, facts: &mut Vec<Fact>) {
    let (mut names, mut help, mut default, mut is_argument) = (Vec::new(), String::new(), String::new(), None);
    let mut variable = None;
    let mut current = Some(node);
    while let Some(call) = current.filter(|node| node.kind() == "call_expression") {
        let Some(function) = call.child_by_field_name("function") else { break };
        let value = arguments(call).first().and_then(|argument| literal(source.text(*argument))).unwrap_or_default();
        let method = source.text(function).rsplit(['.', ':']).next().unwrap_or_default();
        match method {
            "long" => names.push(format!("--{value}")),
            "short" => names.push(format!("-{value}")),
            "help" | "about" => help = value,
            "default_value" => default = value,
            "env" => variable = Some(value),
            "new" | "with_name" if source.text(function).contains("Arg::") => is_argument = Some(value),
            _ => {}
        }
        current = function.child_by_field_name("value");
    }
    let Some(name) = is_argument else { return };
    if let Some(name) = variable {
        facts.push(Fact::Environment { name, default: default.clone(), line: line(node) });
    }
    names.sort_by_key(String::len);
    let names = if names.is_empty() { format!("<{}>", name.to_uppercase()) } else { names.join(", ") };
    facts.push(Fact::Flag { command: String::new(), names, help, default, line: line(node) });
}
