//! JavaScript and TypeScript: environment variables, HTTP routes (Express and its relatives, Nest), commander and yargs.

use tree_sitter::Node;

use super::syntax::{Source, children, line, literal, visit};
use crate::writers::builtin::symbols::Fact;

const METHODS: [&str; 8] = ["get", "post", "put", "delete", "patch", "head", "options", "all"];

/// Everything found in the file.
pub(super) fn facts(source: &Source<'_>, root: Node<'_>) -> Vec<Fact> {
    let mut facts = Vec::new();
    let wanted = ["process.env", "('/", "(\"/", ".option(", ".command(", "import.meta.env"];
    if !wanted.iter().any(|word| source.text.contains(word)) {
        return facts;
    }
    let has_commands = ["commander", "yargs", "cac", "sade"].iter().any(|library| source.text.contains(library));
    visit(root, |node| {
        match node.kind() {
            "member_expression" if matches!(source.field(node, "object"), "process.env" | "import.meta.env") => {
                environment(source.field(node, "property").to_owned(), source, node, &mut facts);
            }
            "subscript_expression" if source.field(node, "object") == "process.env" => {
                if let Some(name) = literal(source.field(node, "index")) {
                    environment(name, source, node, &mut facts);
                }
            }
            "call_expression" => call(source, node, has_commands, &mut facts),
            _ => {}
        }
        true
    });
    facts
}

/// A reading, with the default behind `||` or `??` on the same line.
fn environment(name: String, source: &Source<'_>, node: Node<'_>, facts: &mut Vec<Fact>) {
    let rest = source.text.get(node.end_byte()..).and_then(|rest| rest.lines().next()).unwrap_or_default().trim_start();
    let default = rest.strip_prefix("||").or_else(|| rest.strip_prefix("??")).unwrap_or_default().trim();
    let end = default.find([',', ';', ')', '}']).unwrap_or(default.len());
    let default = default[..end].trim();
    let default = if default.len() <= 60 && !default.contains('(') { default.to_owned() } else { String::new() };
    facts.push(Fact::Environment { name, default, line: line(node) });
}

fn call(source: &Source<'_>, node: Node<'_>, has_commands: bool, facts: &mut Vec<Fact>) {
    let Some(function) = node.child_by_field_name("function").filter(|function| function.kind() == "member_expression")
    else {
        return;
    };
    let arguments = node.child_by_field_name("arguments").map(children).unwrap_or_default();
    let text = |at: usize| arguments.get(at).and_then(|argument| literal(source.text(*argument)));
    let Some(first) = text(0) else { return };
    let method = source.field(function, "property");
    let line = u32::try_from(function.end_position().row + 1).unwrap_or(u32::MAX);
    let object = source.field(function, "object");
    let is_router = ["app", "router", "server", "route", "api", "fastify"]
        .iter()
        .any(|name| object.to_lowercase().ends_with(name) || object.to_lowercase().ends_with(&format!("{name}()")));
    if METHODS.contains(&method) && first.starts_with('/') && arguments.len() >= 2 && is_router {
        let handler = arguments.last().map(|argument| source.text(*argument)).unwrap_or_default();
        let named = handler.len() <= 80 && handler.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '$'));
        let handler = if named { handler.to_owned() } else { String::new() };
        let method = if method == "all" { "ANY".to_owned() } else { method.to_uppercase() };
        facts.push(Fact::Route { method, path: first, handler, line });
    } else if has_commands && method == "option" {
        let described = arguments.get(1).filter(|argument| argument.kind() == "object");
        let property = |name: &str| {
            let pairs = described.map(|object| children(*object)).unwrap_or_default();
            let pair = pairs.into_iter().find(|pair| source.field(*pair, "key") == name)?;
            Some(source.field(pair, "value").to_owned())
        };
        let help = property("describe")
            .or_else(|| property("description"))
            .and_then(|help| literal(&help))
            .or_else(|| text(1));
        let default = property("default").or_else(|| {
            arguments
                .get(2)
                .filter(|argument| described.is_none() && argument.kind() != "arrow_function")
                .map(|argument| source.text(*argument).to_owned())
        });
        let names = if first.starts_with('-') { first } else { format!("--{first}") };
        let default = default.filter(|default| default.len() <= 60).unwrap_or_default();
        facts.push(Fact::Flag { command: String::new(), names, help: help.unwrap_or_default(), default, line });
    } else if has_commands && method == "command" {
        facts.push(Fact::Command { name: first, help: text(1).unwrap_or_default(), line });
    }
}
