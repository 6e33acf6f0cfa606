//! Rule (h): what the project offers is mentioned. Reason: what no page mentions does not exist for a reader. Notes only: not
//! every symbol deserves a sentence, but the share tells how much of the whole was looked at.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashSet},
};

use shared::evidence::{Rule, Severity};

use super::scene::{Findings, Says, Scene, short};
use crate::grounding::index::{OfferKind, words};

/// Most findings of this rule.
const MAX_FINDINGS: usize = 30;
/// Names that one finding lists.
const LISTED: usize = 12;
/// Fewest files that make a folder a module.
const MIN_FILES: usize = 3;
/// The place of public symbols among the kinds of what is told: the last one.
const SYMBOLS: u8 = 7;

/// Asks for everything that is offered, and gives the share that is mentioned, in percent.
pub(super) fn check(scene: &Scene<'_>, findings: &mut Findings) -> Option<f64> {
    if scene.index.files().is_empty() {
        return None;
    }
    let said = Said::of(scene);
    let mut all = 0_usize;
    let mut mentioned = 0_usize;
    // by what it is and where
    let mut silent: BTreeMap<(u8, String), BTreeSet<&str>> = BTreeMap::new();
    let mut seen = HashSet::new();
    for offer in scene.index.offers() {
        if is_aside(&offer.path) || !seen.insert((offer.kind, offer.name.as_str())) {
            continue;
        }
        all += 1;
        if said.mentions(offer.kind, &offer.name) {
            mentioned += 1;
        } else {
            silent.entry((order_of(offer.kind), name_of(offer.kind).to_owned())).or_default().insert(&offer.name);
        }
    }
    for folder in modules(scene) {
        all += 1;
        if said.text.contains(folder) || said.words.contains(folder) {
            mentioned += 1;
        } else {
            silent.entry((6, "modules".to_owned())).or_default().insert(folder);
        }
    }
    let mut symbols = HashSet::new();
    for definition in scene.index.public_definitions() {
        let is_inner = !definition.owner.is_empty() || definition.name.starts_with('_');
        if is_inner || is_aside(definition.path) || !symbols.insert((definition.name, definition.path)) {
            continue;
        }
        all += 1;
        if said.words.contains(definition.name) {
            mentioned += 1;
        } else {
            silent
                .entry((SYMBOLS, format!("public symbols of `{}`", short(definition.path))))
                .or_default()
                .insert(definition.name);
        }
    }
    tell(scene, findings, &silent);
    let share = |part: usize, whole: usize| {
        f64::from(u32::try_from(part).unwrap_or(u32::MAX)) / f64::from(u32::try_from(whole).unwrap_or(u32::MAX))
    };
    (all > 0).then(|| share(mentioned, all) * 100.0)
}

fn tell(scene: &Scene<'_>, findings: &mut Findings, silent: &BTreeMap<(u8, String), BTreeSet<&str>>) {
    let mut told: Vec<Silent<'_>> = silent.iter().map(|(what, names)| Silent::of(scene, what, names)).collect();
    // of symbols the files with what is used most, then those with most of them
    told.sort_by_key(|silent| (silent.kind, Reverse((silent.uses, silent.names.len())), silent.what));
    for Silent { what, names, .. } in told.iter().take(MAX_FINDINGS) {
        let listed: Vec<String> = names.iter().take(LISTED).map(|name| format!("`{}`", short(name))).collect();
        let rest = names.len().saturating_sub(LISTED);
        let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        let message = format!("no page mentions these {what}: {}{more}", listed.join(", "));
        let evidence = names.iter().take(LISTED).copied().collect::<Vec<_>>().join(" ");
        let fix = "mention them where a reader looks for them, if they are meant for readers".to_owned();
        findings.add_site(Rule::Coverage, Severity::Note, &Says { message, evidence: &evidence, fix });
    }
}

/// What no page mentions, of one kind and place.
struct Silent<'a> {
    kind: u8,
    what: &'a str,
    /// Symbols in order of how many files use them, what is used most first; all else by name.
    names: Vec<&'a str>,
    /// How many files use these symbols, all together.
    uses: usize,
}

impl<'a> Silent<'a> {
    fn of(scene: &Scene<'_>, (kind, what): &'a (u8, String), names: &BTreeSet<&'a str>) -> Self {
        let mut counted: Vec<(usize, &str)> = names.iter().map(|name| (0, *name)).collect();
        if *kind == SYMBOLS {
            for (uses, name) in &mut counted {
                *uses = scene.index.count_references(name);
            }
            counted.sort_by_key(|(uses, name)| (Reverse(*uses), *name));
        }
        let uses = counted.iter().map(|(uses, _)| uses).sum();
        Self { kind: *kind, what, names: counted.into_iter().map(|(_, name)| name).collect(), uses }
    }
}

/// Everything that the pages say.
struct Said<'a> {
    text: String,
    words: HashSet<&'a str>,
}

impl<'a> Said<'a> {
    fn of(scene: &Scene<'a>) -> Self {
        let text = scene.documents.iter().map(|document| document.markdown).collect::<Vec<_>>().join("\n");
        let words = scene.documents.iter().flat_map(|document| words(document.markdown)).collect();
        Self { text, words }
    }

    fn mentions(&self, kind: OfferKind, name: &str) -> bool {
        match kind {
            OfferKind::Route => {
                let (_, path) = super::project::split_route(name);
                let parts = super::project::route_parts(path);
                let start = path.split(['{', ':', '<', '*']).next().unwrap_or_default();
                parts.is_empty() || self.text.contains(path) || start.len() > 1 && self.text.contains(start)
            }
            OfferKind::Command => {
                let last = name.split_whitespace().last().unwrap_or(name);
                self.words.contains(last) || self.text.contains(last)
            }
            OfferKind::Setting => {
                let last = name.rsplit('.').next().unwrap_or(name);
                self.words.contains(last) || self.text.contains(name)
            }
            OfferKind::Environment => self.words.contains(name),
            OfferKind::Flag | OfferKind::Program => self.text.contains(name),
        }
    }
}

fn name_of(kind: OfferKind) -> &'static str {
    match kind {
        OfferKind::Program => "programs",
        OfferKind::Command => "commands",
        OfferKind::Flag => "flags",
        OfferKind::Environment => "environment variables",
        OfferKind::Route => "routes",
        OfferKind::Setting => "settings",
    }
}

fn order_of(kind: OfferKind) -> u8 {
    match kind {
        OfferKind::Program => 0,
        OfferKind::Command => 1,
        OfferKind::Flag => 2,
        OfferKind::Environment => 3,
        OfferKind::Route => 4,
        OfferKind::Setting => 5,
    }
}

/// What is no part of the product: tests, examples, what is taken over from others.
fn is_aside(path: &str) -> bool {
    const ASIDE: [&str; 18] = [
        "test",
        "tests",
        "testing",
        "testdata",
        "__tests__",
        "spec",
        "specs",
        "example",
        "examples",
        "bench",
        "benches",
        "benchmarks",
        "fixtures",
        "vendor",
        "third_party",
        "node_modules",
        "docs",
        "doc",
    ];
    let name = path.rsplit('/').next().unwrap_or_default();
    path.split('/').any(|part| ASIDE.contains(&part))
        || name.starts_with("test_")
        || ["_test.", ".test.", ".spec.", "_spec."].iter().any(|mark| name.contains(mark))
}

/// Folders right below the root, or below `src` and the like, with several files.
fn modules<'a>(scene: &Scene<'a>) -> BTreeSet<&'a str> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for file in scene.index.files().iter().filter(|file| !is_aside(&file.path)) {
        let mut parts = file.path.split('/');
        let Some(first) = parts.next().filter(|first| !first.starts_with('.') && first.len() < file.path.len()) else {
            continue;
        };
        let is_shelf = matches!(first, "src" | "lib" | "packages" | "crates" | "apps" | "internal" | "pkg" | "cmd");
        let module = if is_shelf { parts.next().filter(|_| parts.clone().next().is_some()) } else { Some(first) };
        if let Some(module) = module {
            *counts.entry(module).or_default() += 1;
        }
    }
    counts.into_iter().filter(|(_, count)| *count >= MIN_FILES).map(|(module, _)| module).collect()
}
