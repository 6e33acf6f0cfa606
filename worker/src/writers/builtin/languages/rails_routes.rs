//! The routes of a Rails application, from `config/routes.rb`: words of its own language, in blocks that end with `end`.

use std::sync::LazyLock;

use regex::Regex;

use super::other_routes::{code, join, resource, route};
use crate::writers::builtin::symbols::Fact;

static WORD: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"^\s*(\w+)[\s(]+(?:[:'"]([^'",\s)]*)['"]?)?(.*)$"#).expect("the pattern is a constant")
});
static SYMBOL: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^[\s,]*:(\w+)\b").expect("the pattern is a constant"));

/// A block around a route.
struct Block {
    /// The path of what stands in it.
    path: String,
    /// For a resource the paths of all of it and of one of it.
    resource: Option<(String, String)>,
}

/// Every route that the blocks spell out.
pub(super) fn routes(text: &str) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut blocks: Vec<Block> = Vec::new();
    for (line, number) in code(text) {
        let line = line.trim();
        if line == "end" {
            blocks.pop();
            continue;
        }
        let block = read_line(line, number, blocks.last(), &mut facts);
        let opens = line.ends_with(" do") || line.ends_with('|') && line.contains(" do |");
        let ends_too =
            ["if ", "unless ", "case ", "def ", "class ", "module "].iter().any(|word| line.starts_with(word));
        if opens || ends_too {
            blocks.push(block);
        }
    }
    facts
}

/// Adds the routes of a line, and gives the block that it opens if it does.
fn read_line(line: &str, number: u32, outer: Option<&Block>, facts: &mut Vec<Fact>) -> Block {
    let around = outer.map_or("", |block| block.path.as_str());
    let inside = |path: String| Block { path, resource: None };
    let same = inside(around.to_owned());
    if let Some((all, one)) = outer.and_then(|block| block.resource.as_ref()) {
        match line.split_whitespace().next() {
            Some("member") => return inside(one.clone()),
            Some("collection") => return inside(all.clone()),
            _ => {}
        }
    }
    if line == "root" || line.starts_with("root ") {
        facts.extend(route("GET", around, number));
    }
    let Some(found) = WORD.captures(line) else { return same };
    let (word, argument) = (&found[1], found.get(2).map(|argument| argument.as_str()));
    let rest = found.get(3).map_or("", |rest| rest.as_str());
    match (word, argument) {
        ("get" | "post" | "put" | "patch" | "delete", Some(path)) => {
            facts.extend(route(word, &join(around, path), number));
            same
        }
        ("namespace", Some(name)) => inside(join(around, path_option(rest).unwrap_or(name))),
        // `scope module: :x` has no path
        ("scope", argument) => inside(join(around, path_option(line).or(argument).unwrap_or_default())),
        ("resources" | "resource", Some(first)) => resources(word, first, rest, (around, number), facts),
        _ => same,
    }
}

/// `resources :users, :posts, only: [:index]`
fn resources(word: &str, first: &str, rest: &str, (around, number): (&str, u32), facts: &mut Vec<Fact>) -> Block {
    let (mut names, mut more) = (vec![first.to_owned()], rest);
    while let Some(found) = SYMBOL.captures(more) {
        names.push(found[1].to_owned());
        more = &more[found[0].len()..];
    }
    let (only, except) = (actions(rest, "only:"), actions(rest, "except:"));
    let is_wanted = |action: &str| {
        only.as_ref().is_none_or(|only| only.contains(&action))
            && !except.as_ref().is_some_and(|except| except.contains(&action))
            && (word == "resources" || action != "index")
    };
    let mut block = Block { path: around.to_owned(), resource: None };
    for name in names {
        let (all, one) = paths(around, path_option(rest).unwrap_or(&name), word);
        facts.extend(resource((&all, &one), ["create", "new"], number, is_wanted));
        block = Block { path: one.replace("{id}", "{parent_id}"), resource: Some((all, one)) };
    }
    block
}

/// The paths of a resource, and of one of its members.
fn paths(around: &str, name: &str, word: &str) -> (String, String) {
    let all = join(around, name);
    let one = if word == "resources" { format!("{all}/{{id}}") } else { all.clone() };
    (all, one)
}

/// `path: 'name'`
fn path_option(rest: &str) -> Option<&str> {
    rest.split_once("path:")?.1.split(['\'', '"']).nth(1)
}

/// `only: [:index, :show]`, `only: %i[index show]`, `only: :index`
fn actions<'a>(rest: &'a str, word: &str) -> Option<Vec<&'a str>> {
    let (_, rest) = rest.split_once(word)?;
    let rest = rest.trim_start();
    let listed = match rest.split_once('[') {
        Some(("" | "%i" | "%w", rest)) => rest.split(']').next()?,
        _ => rest.split([',', ' ']).next()?,
    };
    Some(listed.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|action| !action.is_empty()).collect())
}
