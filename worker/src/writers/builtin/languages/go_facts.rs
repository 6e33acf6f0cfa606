//! Go: environment variables, HTTP routes (net/http, gin, chi, echo, gorilla), command lines (cobra, flag).

use tree_sitter::Node;

use super::syntax::{Source, children, line, literal, visit};
use crate::writers::builtin::symbols::Fact;

const METHODS: [&str; 16] = [
    "Get", "Post", "Put", "Delete", "Patch", "Head", "Options", "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD",
    "OPTIONS", "Any", "ANY",
];

/// Everything found in the file.
pub(super) fn facts(source: &Source<'_>, root: Node<'_>) -> Vec<Fact> {
    let mut facts = Vec::new();
    let wanted = ["Getenv", "LookupEnv", "Handle", "(\"/", "cobra.Command", "flag."];
    let wanted_flags = ["Flags()", ".StringVar", ".String("];
    if !wanted.iter().chain(&wanted_flags).any(|word| source.text.contains(word)) {
        return facts;
    }
    visit(root, |node| {
        match node.kind() {
            "call_expression" => call(source, node, &mut facts),
            "composite_literal" if source.field(node, "type") == "cobra.Command" => facts.extend(command(source, node)),
            _ => {}
        }
        true
    });
    facts
}

fn call(source: &Source<'_>, node: Node<'_>, facts: &mut Vec<Fact>) {
    let function = source.field(node, "function");
    let method = function.rsplit('.').next().unwrap_or_default();
    let receiver = function.strip_suffix(method).unwrap_or_default().trim_end_matches('.');
    let arguments = node.child_by_field_name("arguments").map(children).unwrap_or_default();
    let text = |at: usize| arguments.get(at).and_then(|argument| literal(source.text(*argument)));
    let line = line(node);
    if matches!(function, "os.Getenv" | "os.LookupEnv" | "syscall.Getenv") {
        if let Some(name) = text(0) {
            facts.push(Fact::Environment { name, default: String::new(), line });
        }
        return;
    }
    let is_handle = matches!(method, "Handle" | "HandleFunc");
    if let Some(path) =
        text(0).filter(|_| (is_handle || METHODS.contains(&method)) && arguments.len() >= 2 && !receiver.is_empty())
    {
        let handler = arguments
            .last()
            .map(|argument| source.text(*argument))
            .filter(|text| text.len() <= 80 && !text.contains('\n'));
        // `GET /path` since Go 1.22
        let (method, path) = match path.split_once(' ') {
            Some((method, path)) if is_handle => (method.to_owned(), path.to_owned()),
            _ if is_handle => ("ANY".to_owned(), path),
            _ => (method.to_uppercase(), path),
        };
        if path.contains('/') && !path.contains("://") {
            facts.push(Fact::Route { method, path, handler: handler.unwrap_or_default().to_owned(), line });
        }
        return;
    }
    let is_flag_set =
        receiver == "flag" || receiver == "pflag" || receiver.ends_with("Flags()") || receiver.ends_with("flags");
    if is_flag_set {
        facts.extend(flag(source, method, &arguments, line));
    }
}

/// `StringVarP(&target, "name", "n", default, "usage")` and its relatives.
fn flag(source: &Source<'_>, method: &str, arguments: &[Node<'_>], line: u32) -> Option<Fact> {
    let types = ["String", "Bool", "Int", "Uint", "Float", "Duration", "Count", "Var", "IP", "Func", "TextVar"];
    if !types.iter().any(|kind| method.starts_with(kind)) {
        return None;
    }
    let has_target = method.contains("Var");
    let has_short = method.ends_with('P');
    let mut rest = arguments.iter().skip(usize::from(has_target)).map(|argument| source.text(*argument));
    let name = literal(rest.next()?)?;
    let dashes = "--";
    let mut names = format!("{dashes}{name}");
    if has_short {
        let short = literal(rest.next()?).filter(|short| !short.is_empty());
        if let Some(short) = short {
            names = format!("-{short}, {names}");
        }
    }
    let rest: Vec<&str> = rest.collect();
    let help = rest.last().and_then(|text| literal(text)).unwrap_or_default();
    let default = if rest.len() >= 2 { rest[0] } else { "" };
    let default = if default.len() <= 60 { default } else { "" };
    Some(Fact::Flag { command: String::new(), names, help, default: default.to_owned(), line })
}

/// `cobra.Command{Use: "name", Short: "what"}`.
fn command(source: &Source<'_>, node: Node<'_>) -> Option<Fact> {
    let body = node.child_by_field_name("body")?;
    let (mut name, mut help) = (None, String::new());
    for element in children(body) {
        let parts = children(element);
        let [key, value] = parts.as_slice() else { continue };
        match source.text(*key) {
            "Use" => name = literal(source.text(*value)),
            "Short" => help = literal(source.text(*value)).unwrap_or_default(),
            _ => {}
        }
    }
    Some(Fact::Command { name: name?, help, line: line(node) })
}
