//! What makes a name look like one of this project: its folders, endings, programs, flags, routes and prefixes of variables.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::grounding::index::{Index, OfferKind};

/// Facts of the index in the form in which rules ask for them.
pub(super) struct Project {
    /// Names of all folders, without those above them.
    pub(super) folders: HashSet<String>,
    /// Endings of its files.
    pub(super) endings: HashSet<String>,
    /// Programs that it builds or installs.
    pub(super) programs: BTreeSet<String>,
    /// Commands by the last word of their name, in one spelling.
    pub(super) commands: HashSet<String>,
    /// Flags, as written.
    pub(super) flags: HashSet<String>,
    /// Environment variables.
    pub(super) variables: BTreeSet<String>,
    /// What environment variables of its own begin with: `DOCMILL_`.
    pub(super) prefixes: BTreeSet<String>,
    /// Routes: method (empty when unknown) and parts.
    pub(super) routes: Vec<(String, Vec<String>)>,
    /// First parts of its routes.
    pub(super) route_starts: BTreeSet<String>,
    /// Names of dependencies in one spelling (`_`).
    pub(super) dependencies: HashSet<String>,
    /// Patterns of files that are made and not kept.
    pub(super) ignored: Vec<String>,
}

impl Project {
    pub(super) fn of(index: &Index) -> Self {
        let mut project = Self {
            folders: HashSet::new(),
            endings: HashSet::new(),
            programs: BTreeSet::new(),
            commands: HashSet::new(),
            flags: HashSet::new(),
            variables: BTreeSet::new(),
            prefixes: BTreeSet::new(),
            routes: Vec::new(),
            route_starts: BTreeSet::new(),
            dependencies: index.dependencies().iter().map(|name| one_spelling(name)).collect(),
            ignored: Vec::new(),
        };
        project.read_files(index);
        project.read_offers(index);
        project.read_prefixes();
        project
    }

    fn read_files(&mut self, index: &Index) {
        let mut last_folder = "";
        for file in index.files() {
            let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
            if folder != last_folder {
                self.folders.extend(folder.split('/').filter(|part| !part.is_empty()).map(str::to_owned));
                last_folder = folder;
            }
            if let Some((stem, ending)) = name.rsplit_once('.')
                && !stem.is_empty()
                && !self.endings.contains(ending)
            {
                self.endings.insert(ending.to_owned());
            }
            if name == ".gitignore"
                && let Some(text) = index.text(&file.path)
            {
                let lines =
                    text.text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', '!']));
                self.ignored.extend(lines.take(1_000).map(|line| line.trim_matches('/').to_owned()));
            }
        }
    }

    fn read_offers(&mut self, index: &Index) {
        for offer in index.offers() {
            match offer.kind {
                OfferKind::Program => {
                    self.programs.insert(offer.name.clone());
                }
                OfferKind::Command => {
                    let last = offer.name.split_whitespace().last().unwrap_or_default();
                    self.commands.insert(one_spelling(last));
                }
                OfferKind::Flag => {
                    self.flags.insert(offer.name.split(['=', ' ', ',']).next().unwrap_or_default().to_owned());
                }
                OfferKind::Environment => {
                    self.variables.insert(offer.name.clone());
                }
                OfferKind::Route => {
                    let (method, path) = split_route(&offer.name);
                    let parts = route_parts(path);
                    if let Some(first) = parts.first().filter(|part| !part.starts_with('*')) {
                        self.route_starts.insert(first.clone());
                    }
                    self.routes.push((method.to_owned(), parts));
                }
                OfferKind::Setting => {}
            }
        }
    }

    /// A prefix is its own when three variables share it.
    fn read_prefixes(&mut self) {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for name in &self.variables {
            if let Some(at) = name.find('_') {
                *counts.entry(&name[..=at]).or_default() += 1;
            }
        }
        self.prefixes =
            counts.iter().filter(|(_, count)| **count >= 3).map(|(prefix, _)| (*prefix).to_owned()).collect();
    }

    /// Whether files of this path are made and not kept.
    pub(super) fn is_ignored(&self, path: &str) -> bool {
        const MADE: [&str; 14] = [
            "target",
            "dist",
            "build",
            "out",
            "node_modules",
            "vendor",
            ".venv",
            "venv",
            "__pycache__",
            "coverage",
            "tmp",
            ".git",
            "generated",
            "bin",
        ];
        let parts: Vec<&str> = path.split('/').collect();
        let is_made = |part: &&str| MADE.contains(part) && !self.folders.contains(*part);
        parts.iter().any(is_made)
            || self.ignored.iter().any(|pattern| {
                let (start, end) = pattern.split_once('*').unwrap_or((pattern, ""));
                if pattern.contains('*') {
                    let fits = |text: &str| {
                        text.len() >= start.len() + end.len() && text.starts_with(start) && text.ends_with(end)
                    };
                    fits(path) || parts.iter().any(|part| fits(part))
                } else {
                    path == pattern || path.starts_with(&format!("{pattern}/")) || parts.contains(&pattern.as_str())
                }
            })
    }
}

/// A name in one spelling: lower case, `_` for `-`.
pub(super) fn one_spelling(name: &str) -> String {
    name.chars().map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect()
}

/// The spellings in which the same name stands in code: `max-pages`, `max_pages`, `maxPages`, `MaxPages`, `MAX_PAGES`.
pub(super) fn spellings(name: &str) -> Vec<String> {
    let parts: Vec<String> =
        name.split(['-', '_', '.']).filter(|part| !part.is_empty()).map(str::to_ascii_lowercase).collect();
    let pascal: String = parts.iter().map(|part| capitalised(part)).collect();
    let camel = parts.first().map(|first| {
        let rest: String = parts.iter().skip(1).map(|part| capitalised(part)).collect();
        format!("{first}{rest}")
    });
    let snake = parts.join("_");
    let mut all = vec![name.to_owned(), snake.to_ascii_uppercase(), snake, pascal];
    all.extend(camel);
    all.push(parts.concat());
    all
}

fn capitalised(part: &str) -> String {
    let mut chars = part.chars();
    chars.next().map(|first| first.to_ascii_uppercase().to_string() + chars.as_str()).unwrap_or_default()
}

/// `GET /a/b` is a method and a path.
pub(super) fn split_route(text: &str) -> (&str, &str) {
    match text.split_once(char::is_whitespace) {
        Some((method, path)) if !method.starts_with('/') => (method, path.trim()),
        _ => ("", text),
    }
}

/// The parts of a route; what stands for any value is `*`, what stands for everything behind it [`ANYTHING`].
pub(super) fn route_parts(path: &str) -> Vec<String> {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let is_any = |part: &str| {
        part == "..." || part.starts_with([':', '{', '<', '*', '[', '$']) || part.chars().all(|c| c.is_ascii_digit())
    };
    let part_of = |part: &str| match part {
        part if !is_any(part) => part.to_owned(),
        part if takes_anything(part) => ANYTHING.to_owned(),
        _ => "*".to_owned(),
    };
    path.split('/').filter(|part| !part.is_empty()).map(part_of).collect()
}

/// What stands for everything behind it in a route.
pub(super) const ANYTHING: &str = "**";

/// `*`, `*path`, `**`, `{*path}`, `{path...}`, `{proxy+}`, `{path:path}`, `<path:name>`, `[...slug]`, `:path*`, `{any}`.
fn takes_anything(part: &str) -> bool {
    let inner = part.trim_matches(['{', '}', '<', '>', '[', ']', '(', ')', ':', '?']).to_lowercase();
    part.starts_with('*')
        || inner.starts_with(['*', '.'])
        || inner.ends_with(['*', '+'])
        || inner.ends_with("...")
        || inner.ends_with(":path")
        || inner.starts_with("path:")
        || inner.contains(".*")
        || matches!(inner.as_str(), "any" | "all" | "path" | "catchall" | "wildcard" | "rest")
}
