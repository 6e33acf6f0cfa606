//! The top `CMakeLists.txt`: project, version, required packages, targets.

use super::{Ecosystem, Package};

/// Reads the literal parts of the file.
pub(super) fn read(path: &str, text: &str) -> Option<Package> {
    let mut package = Package::new(Ecosystem::CMake, path);
    for (command, arguments) in commands(text) {
        let first = arguments.first().cloned().unwrap_or_default();
        let after = |word: &str| {
            let at = arguments.iter().position(|argument| argument.eq_ignore_ascii_case(word))?;
            arguments.get(at + 1).cloned()
        };
        match command.to_ascii_lowercase().as_str() {
            "cmake_minimum_required" => package.requires = after("VERSION").map(|version| format!("CMake {version}")),
            "project" if package.name.is_empty() && !first.contains("${") => {
                package.version = after("VERSION").filter(|version| !version.contains("${"));
                package.description = after("DESCRIPTION");
                package.name = first;
            }
            "find_package" => {
                let version = arguments.get(1).filter(|version| version.starts_with(|c: char| c.is_ascii_digit()));
                package.depend("Build", &first, version.map(String::as_str).unwrap_or_default());
            }
            "option" if package.features.len() < 100 => {
                package.features.push((first, arguments.get(1).cloned().unwrap_or_default()));
            }
            _ => {}
        }
    }
    (!package.name.is_empty()).then_some(package)
}

/// The commands of the file with their arguments; nested parentheses are kept as text.
fn commands(text: &str) -> Vec<(String, Vec<String>)> {
    let text: String = text.lines().map(|line| line.split('#').next().unwrap_or_default().to_owned() + "\n").collect();
    let mut found = Vec::new();
    let mut rest = text.as_str();
    while let Some((name, after)) = rest.split_once('(') {
        let Some((inner, after)) = after.split_once(')') else { break };
        let name = name.split_whitespace().last().unwrap_or_default();
        found.push((name.to_owned(), arguments(inner)));
        rest = after;
    }
    found
}

fn arguments(text: &str) -> Vec<String> {
    let mut arguments = Vec::new();
    for (number, part) in text.split('"').enumerate() {
        if number % 2 == 1 {
            arguments.push(part.to_owned());
        } else {
            arguments.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    arguments
}
