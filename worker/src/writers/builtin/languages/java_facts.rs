//! Java: environment variables and HTTP routes (Spring, JAX-RS).

use tree_sitter::Node;

use super::{
    java::annotations,
    syntax::{Source, children, line, literal, visit},
};
use crate::writers::builtin::symbols::Fact;

/// Everything found in the file.
pub(super) fn facts(source: &Source<'_>, root: Node<'_>) -> Vec<Fact> {
    let mut facts = Vec::new();
    if !["getenv", "Mapping", "@Path"].iter().any(|word| source.text.contains(word)) {
        return facts;
    }
    // the mapping of the class that a method stands in
    let mut classes: Vec<(usize, String)> = Vec::new();
    visit(root, |node| {
        match node.kind() {
            "method_invocation" if source.field(node, "name") == "getenv" => {
                let arguments = node.child_by_field_name("arguments").map(children).unwrap_or_default();
                if let Some(name) = arguments.first().and_then(|argument| literal(source.text(*argument))) {
                    facts.push(Fact::Environment { name, default: String::new(), line: line(node) });
                }
            }
            "class_declaration" | "interface_declaration" => {
                let mapping = annotations(node).into_iter().find_map(|annotation| {
                    matches!(source.field(annotation, "name"), "RequestMapping" | "Path")
                        .then(|| path(source, annotation))
                });
                classes.push((node.end_byte(), mapping.unwrap_or_default()));
            }
            "method_declaration" => {
                classes.retain(|(end, _)| *end > node.start_byte());
                let base = classes.last().map(|(_, base)| base.clone()).unwrap_or_default();
                facts.extend(route(source, node, &base));
            }
            _ => {}
        }
        true
    });
    facts
}

fn path(source: &Source<'_>, annotation: Node<'_>) -> String {
    let arguments = source.field(annotation, "arguments");
    arguments.split('"').nth(1).unwrap_or_default().to_owned()
}

fn route(source: &Source<'_>, method: Node<'_>, base: &str) -> Option<Fact> {
    let annotations = annotations(method);
    let named = |name: &str| annotations.iter().find(|annotation| source.field(**annotation, "name") == name);
    let spring = ["GetMapping", "PostMapping", "PutMapping", "DeleteMapping", "PatchMapping", "RequestMapping"];
    let (verb, own) = if let Some((name, annotation)) = spring.iter().find_map(|name| Some((*name, *named(name)?))) {
        let verb = name.trim_end_matches("Mapping").to_uppercase();
        let told = source.field(annotation, "arguments").split("RequestMethod.").nth(1);
        let told = told.map(|rest| rest.chars().take_while(char::is_ascii_uppercase).collect::<String>());
        (if verb == "REQUEST" { told.unwrap_or_else(|| "ANY".into()) } else { verb }, path(source, annotation))
    } else {
        let verb = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"].into_iter().find(|verb| named(verb).is_some())?;
        (verb.to_owned(), named("Path").map(|annotation| path(source, *annotation)).unwrap_or_default())
    };
    let joined = [base, &own]
        .iter()
        .map(|part| part.trim_matches('/'))
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("/");
    Some(Fact::Route {
        method: verb,
        path: format!("/{joined}"),
        handler: source.field(method, "name").to_owned(),
        line: line(method),
    })
}
