//! Python: environment variables, HTTP routes (Flask, `FastAPI`, Django) and command lines (argparse, click, typer).

use tree_sitter::Node;

use super::syntax::{Source, children, line, literal, visit};
use crate::writers::builtin::symbols::Fact;

const METHODS: [&str; 8] = ["get", "post", "put", "delete", "patch", "head", "options", "websocket"];

/// Everything found in the file.
pub(super) fn facts(source: &Source<'_>, root: Node<'_>) -> Vec<Fact> {
    let mut facts = Vec::new();
    let wanted =
        ["environ", "getenv", "add_argument", "option(", "argument(", "command(", ".route(", "path(", "(\"/", "('/"];
    if !wanted.iter().any(|word| source.text.contains(word)) {
        return facts;
    }
    visit(root, |node| {
        match node.kind() {
            "call" => call(source, node, &mut facts),
            "subscript" => subscript(source, node, &mut facts),
            "decorated_definition" => decorated(source, node, &mut facts),
            _ => {}
        }
        true
    });
    facts
}

/// The positional arguments and the keyword arguments of a call.
struct Arguments<'t> {
    positional: Vec<Node<'t>>,
    keywords: Vec<Node<'t>>,
}

fn arguments(call: Node<'_>) -> Arguments<'_> {
    let all = call.child_by_field_name("arguments").map(children).unwrap_or_default();
    let (keywords, positional) = all.into_iter().partition(|argument| argument.kind() == "keyword_argument");
    Arguments { positional, keywords }
}

fn keyword<'a>(source: &Source<'a>, arguments: &Arguments<'_>, name: &str) -> Option<&'a str> {
    let found = arguments.keywords.iter().find(|keyword| source.field(**keyword, "name") == name)?;
    Some(source.field(*found, "value"))
}

fn call(source: &Source<'_>, node: Node<'_>, facts: &mut Vec<Fact>) {
    let function = source.field(node, "function");
    let line = line(node);
    let arguments = arguments(node);
    let text = |at: usize| arguments.positional.get(at).and_then(|argument| literal(source.text(*argument)));
    if matches!(function, "os.getenv" | "getenv" | "os.environ.get" | "environ.get" | "os.environ.setdefault") {
        if let Some(name) = text(0) {
            let default = arguments.positional.get(1).map(|argument| source.text(*argument)).unwrap_or_default();
            facts.push(Fact::Environment { name, default: short(default), line });
        }
    } else if function.ends_with(".add_argument") {
        let names: Vec<String> = (0..arguments.positional.len()).filter_map(text).collect();
        if !names.is_empty() {
            facts.push(flag(source, &arguments, String::new(), &names, line));
        }
    } else if function.ends_with(".add_parser") {
        if let Some(name) = text(0) {
            let help = keyword(source, &arguments, "help").and_then(string).unwrap_or_default();
            facts.push(Fact::Command { name, help, line });
        }
    } else if matches!(function, "path" | "re_path" | "url")
        && source.text.contains("urlpatterns")
        && let Some(path) = text(0)
    {
        let handler = arguments.positional.get(1).map(|argument| source.text(*argument)).unwrap_or_default();
        let path = if function == "path" { Some(path) } else { plain(&path) };
        facts.extend(path.map(|path| Fact::Route {
            method: "ANY".into(),
            path: format!("/{path}"),
            handler: short(handler),
            line,
        }));
    }
}

/// The path of a pattern, `^users/(?P<id>\d+)/$`, as others are written, `users/<id>/`; nothing when it is more than that.
fn plain(pattern: &str) -> Option<String> {
    let mut rest = pattern.trim_start_matches('^').trim_end_matches('$');
    let mut path = String::new();
    while let Some((before, group)) = rest.split_once("(?P<") {
        let (name, behind) = group.split_once('>')?;
        let (_, behind) = behind.split_once(')')?;
        path = format!("{path}{before}<{name}>");
        rest = behind;
    }
    path.push_str(rest);
    (!path.contains(['(', ')', '\\', '[', '^', '$', '*', '+', '|', '?'])).then_some(path)
}

fn subscript(source: &Source<'_>, node: Node<'_>, facts: &mut Vec<Fact>) {
    if matches!(source.field(node, "value"), "os.environ" | "environ")
        && let Some(name) = literal(source.field(node, "subscript"))
    {
        facts.push(Fact::Environment { name, default: String::new(), line: line(node) });
    }
}

/// A string that may be put together from several literals.
fn string(text: &str) -> Option<String> {
    let inner = text.trim().trim_start_matches('(').trim_end_matches(')');
    let inner = inner.strip_prefix("_(").unwrap_or(inner);
    let parts: Vec<String> = inner.lines().filter_map(|line| literal(line.trim())).collect();
    if parts.is_empty() { literal(inner) } else { Some(parts.concat().trim().to_owned()) }
}

fn short(text: &str) -> String {
    if text.len() <= 80 && !text.contains('\n') { text.to_owned() } else { String::new() }
}

fn flag(source: &Source<'_>, arguments: &Arguments<'_>, command: String, names: &[String], line: u32) -> Fact {
    let help = keyword(source, arguments, "help").and_then(string).unwrap_or_default();
    let default = keyword(source, arguments, "default").map(short).filter(|default| default != "None");
    let options: Vec<&String> = names.iter().filter(|name| name.starts_with('-')).collect();
    let names = if options.is_empty() {
        format!("<{}>", names.first().map(|name| name.to_uppercase()).unwrap_or_default())
    } else {
        options.into_iter().cloned().collect::<Vec<_>>().join(", ")
    };
    Fact::Flag { command, names, help, default: default.unwrap_or_default(), line }
}

/// A function under decorators of a web framework, of click or of typer.
fn decorated(source: &Source<'_>, node: Node<'_>, facts: &mut Vec<Fact>) {
    let Some(function) = node.child_by_field_name("definition") else { return };
    let handler = source.field(function, "name");
    let calls: Vec<Node<'_>> = children(node)
        .into_iter()
        .filter(|child| child.kind() == "decorator")
        .filter_map(|decorator| decorator.named_child(0))
        .filter(|call| call.kind() == "call")
        .collect();
    let command = calls.iter().find_map(|call| {
        let name = source.field(*call, "function").rsplit('.').next().unwrap_or_default();
        let given = arguments(*call).positional.first().and_then(|argument| literal(source.text(*argument)));
        matches!(name, "command" | "group").then(|| given.unwrap_or_else(|| handler.replace('_', "-")))
    });
    if let Some(name) = &command {
        let help = function_doc(source, function);
        facts.push(Fact::Command { name: name.clone(), help, line: line(function) });
    }
    for call in calls {
        let arguments = arguments(call);
        let name = source.field(call, "function").rsplit('.').next().unwrap_or_default();
        let strings: Vec<String> =
            arguments.positional.iter().filter_map(|argument| literal(source.text(*argument))).collect();
        let path = strings.first().filter(|path| path.starts_with('/'));
        match (name, path) {
            ("option" | "argument", _) if !strings.is_empty() && source.text.contains("click") => {
                facts.push(flag(source, &arguments, command.clone().unwrap_or_default(), &strings, line(call)));
                if let Some(variable) = keyword(source, &arguments, "envvar").and_then(literal) {
                    facts.push(Fact::Environment { name: variable, default: String::new(), line: line(call) });
                }
            }
            ("route", Some(path)) => {
                let methods = keyword(source, &arguments, "methods").unwrap_or("GET");
                let words = methods.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
                let method = words.collect::<Vec<_>>().join(", ");
                facts.push(Fact::Route { method, path: path.clone(), handler: handler.into(), line: line(function) });
            }
            (method, Some(path)) if METHODS.contains(&method) => facts.push(Fact::Route {
                method: method.to_uppercase(),
                path: path.clone(),
                handler: handler.into(),
                line: line(function),
            }),
            _ => {}
        }
    }
}

fn function_doc(source: &Source<'_>, function: Node<'_>) -> String {
    let body = function.child_by_field_name("body").and_then(|body| body.named_child(0));
    let text = body.and_then(|statement| literal(source.text(statement))).unwrap_or_default();
    text.trim().lines().next().unwrap_or_default().trim().to_owned()
}
