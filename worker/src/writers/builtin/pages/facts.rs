//! Configuration, command line and HTTP routes: what the code reads from its surroundings and offers to them.

use std::collections::BTreeMap;

use crate::writers::builtin::{
    markdown::{cell, code, escape, place, table},
    survey::Survey,
    symbols::Fact,
};

/// Most rows of one page.
const MAX_ROWS: usize = 600;
/// Most places named for one variable.
const MAX_PLACES: usize = 5;

/// A sentence for rows that were left out.
fn left_out(all: usize, what: &str) -> String {
    if all > MAX_ROWS { format!("{} more {what} are not listed.\n\n", all - MAX_ROWS) } else { String::new() }
}

fn at(path: &str, line: u32) -> String {
    place(path, Some((line, line)))
}

/// The environment variables that the code reads.
pub(crate) fn configuration(survey: &Survey) -> Option<String> {
    let mut variables: BTreeMap<&str, (Vec<String>, &str)> = BTreeMap::new();
    for (path, (_, file)) in &survey.parsed {
        for fact in &file.facts {
            let Fact::Environment { name, default, line } = fact else { continue };
            if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') || name.is_empty() {
                continue;
            }
            let entry = variables.entry(name).or_default();
            entry.0.push(at(path, *line));
            if entry.1.is_empty() {
                entry.1 = default;
            }
        }
    }
    let rows: Vec<Vec<String>> = variables
        .iter()
        .take(MAX_ROWS)
        .map(|(name, (places, default))| {
            let more = places.len().saturating_sub(MAX_PLACES);
            let mut read = places.iter().take(MAX_PLACES).cloned().collect::<Vec<_>>().join(", ");
            if more > 0 {
                put!(read, " and {more} more");
            }
            vec![cell(&code(name)), cell(&code(default)), read]
        })
        .collect();
    let table = table(&["Variable", "Default", "Read in"], &rows)?;
    let more = left_out(variables.len(), "variables");
    Some(format!(
        "# Configuration\n\n## Environment variables\n\nThe code reads these variables from its environment. A default is shown where it stands beside the reading.\n\n{table}\n{more}"
    ))
}

/// Commands, options and arguments that the program takes.
pub(crate) fn command_line(survey: &Survey) -> Option<String> {
    let mut text = String::new();
    let mut flags = 0;
    for (path, (_, file)) in &survey.parsed {
        let mut commands = Vec::new();
        let mut options: BTreeMap<&str, Vec<Vec<String>>> = BTreeMap::new();
        let mut facts: Vec<&Fact> = file.facts.iter().collect();
        facts.sort_by_key(|fact| match fact {
            Fact::Command { line, .. }
            | Fact::Flag { line, .. }
            | Fact::Environment { line, .. }
            | Fact::Route { line, .. } => *line,
        });
        for fact in facts {
            match fact {
                Fact::Command { name, help, line } => {
                    commands.push(vec![cell(&code(name)), cell(&escape(help)), at(path, *line)]);
                }
                Fact::Flag { command, names, help, default, line } if flags < MAX_ROWS => {
                    flags += 1;
                    let row = vec![cell(&code(names)), cell(&escape(help)), cell(&code(default)), at(path, *line)];
                    options.entry(command).or_default().push(row);
                }
                _ => {}
            }
        }
        if commands.is_empty() && options.is_empty() {
            continue;
        }
        put!(text, "## Defined in {}\n\n", path.rsplit('/').next().unwrap_or(path));
        put!(text, "{}\n\n", place(path, None));
        if let Some(table) = table(&["Command", "What it does", "Defined in"], &commands) {
            put!(text, "{table}\n");
        }
        for (command, rows) in &options {
            if !command.is_empty() {
                put!(text, "### {}\n\n", code(command));
            }
            let table = table(&["Option", "What it does", "Default", "Defined in"], rows).unwrap_or_default();
            put!(text, "{table}\n");
        }
    }
    if text.is_empty() {
        return None;
    }
    Some(format!("# Command line\n\nCommands and options as the code defines them.\n\n{text}"))
}

/// The addresses that the program answers.
pub(crate) fn routes(survey: &Survey) -> Option<String> {
    let mut routes = Vec::new();
    for (path, (_, file)) in &survey.parsed {
        for fact in &file.facts {
            if let Fact::Route { method, path: route, handler, line } = fact {
                routes.push((route.as_str(), method.as_str(), handler.as_str(), at(path, *line)));
            }
        }
    }
    routes.sort();
    let rows: Vec<Vec<String>> = routes
        .iter()
        .take(MAX_ROWS)
        .map(|(route, method, handler, place)| {
            vec![method.to_string(), cell(&code(route)), cell(&code(handler)), place.clone()]
        })
        .collect();
    let table = table(&["Method", "Path", "Answered by", "Declared in"], &rows)?;
    let more = left_out(routes.len(), "routes");
    Some(format!(
        "# HTTP routes\n\nRoutes as the code declares them. A router that is mounted under a prefix shows the path without it.\n\n{table}\n{more}"
    ))
}
