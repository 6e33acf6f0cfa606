//! Where a name is looked up, by what kind of name it is.

use super::is_well_known;
use crate::grounding::{
    checks::{
        document::{Block, BlockKind, Span},
        project::{ANYTHING, one_spelling, route_parts, spellings},
        scene::Scene,
        spans::{Identifier, Named, classify},
    },
    index::PathMatch,
};

/// What looking up came to.
pub(super) enum Verdict {
    /// It is no name, or one of something else.
    NotJudged,
    /// It exists.
    Known,
    /// It was not found.
    Missing(Missed),
}

/// A name that was not found.
pub(super) struct Missed {
    /// What it was taken for: `the flag`.
    pub(super) what: &'static str,
    /// What to do.
    pub(super) fix: String,
    /// Whether it can only be meant as one of this project.
    pub(super) looks_own: bool,
    /// The texts that are searched for in all files before it is said to be missing; one of them is enough.
    pub(super) needles: Vec<String>,
}

/// Looks names up.
pub(super) struct Lookup<'s, 'a> {
    scene: &'s Scene<'a>,
}

/// Endings that say what kind of thing a name is, and that its language or its readers leave out.
const KINDS: [&str; 9] =
    ["Attribute", "Async", "Controller", "Middleware", "Job", "Event", "DomainEvent", "IntegrationEvent", "Exception"];

/// Fewest characters of a text that names are made of, its `_` counted.
const MIN_START: usize = 4;

/// Fewest characters of what a test is named after.
const MIN_SUBJECT: usize = 10;

const LEAVE_OUT: &str = "use the name that the code has, or leave it out";

impl<'s, 'a> Lookup<'s, 'a> {
    pub(super) fn new(scene: &'s Scene<'a>) -> Self {
        Self { scene }
    }

    pub(super) fn find(&self, block: &Block, span: &Span) -> Verdict {
        if is_well_known(&span.text) {
            return Verdict::NotJudged;
        }
        match classify(&span.text) {
            Named::Path(path) => self.path(path),
            Named::File(name) => self.file(name),
            Named::Flag(name) => self.flag(name, block),
            Named::Variable(name) => self.variable(name),
            Named::Route(method, path) => self.route(method, path),
            Named::Identifier(identifier) => self.identifier(&identifier),
            Named::Command(_) | Named::Other => Verdict::NotJudged,
        }
    }

    fn path(&self, path: &str) -> Verdict {
        let index = self.scene.index;
        let exists =
            !matches!(index.find_path(path), PathMatch::Missing) || index.has_folder(path) || self.ends_folder(path);
        if exists || self.is_documentation(path) {
            return Verdict::Known;
        }
        let project = &self.scene.project;
        let first = path.split('/').next().unwrap_or_default();
        let name = path.rsplit('/').next().unwrap_or_default();
        let ending = name.rsplit_once('.').map(|(_, ending)| ending);
        let is_file = ending.is_some_and(|ending| project.endings.contains(ending));
        let looks_own = is_file && project.folders.contains(first);
        if !looks_own || project.is_ignored(path) || is_well_known(first) && !index.has_folder(first) {
            return Verdict::NotJudged;
        }
        let same_name = match index.find_path(name) {
            PathMatch::Exact(file) | PathMatch::Suffix(file) => format!("maybe `{}` is meant", file.path),
            _ => LEAVE_OUT.to_owned(),
        };
        Verdict::Missing(Missed { what: "the file", fix: same_name, looks_own, needles: vec![path.to_owned()] })
    }

    fn is_documentation(&self, path: &str) -> bool {
        self.scene.options.folder.as_ref().is_some_and(|folder| folder.is_of_repository(path))
    }

    /// Whether a folder's path ends so.
    fn ends_folder(&self, path: &str) -> bool {
        let last = path.rsplit('/').next().unwrap_or_default();
        if !self.scene.project.folders.contains(last) {
            return false;
        }
        let inside = format!("/{path}/");
        self.scene.index.files().iter().any(|file| file.path.contains(&inside))
    }

    fn file(&self, name: &str) -> Verdict {
        let index = self.scene.index;
        if !matches!(index.find_path(name), PathMatch::Missing) || self.is_documentation(name) {
            return Verdict::Known;
        }
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        // data and settings are made by those who run it
        let is_code = matches!(
            ending,
            "rs" | "py"
                | "js"
                | "jsx"
                | "ts"
                | "tsx"
                | "go"
                | "java"
                | "kt"
                | "swift"
                | "c"
                | "cc"
                | "cpp"
                | "h"
                | "hpp"
                | "cs"
                | "rb"
                | "php"
        );
        if !is_code || !self.scene.project.endings.contains(ending) || self.scene.project.is_ignored(name) {
            return Verdict::NotJudged;
        }
        Verdict::Missing(Missed {
            what: "the file",
            fix: LEAVE_OUT.to_owned(),
            looks_own: false,
            needles: vec![name.to_owned()],
        })
    }

    fn flag(&self, name: &str, block: &Block) -> Verdict {
        let project = &self.scene.project;
        let word = name.trim_start_matches('-');
        let positive = word.strip_prefix("no-").unwrap_or(word);
        if project.flags.contains(name) || project.flags.contains(&format!("--{positive}")) {
            return Verdict::Known;
        }
        if matches!(word, "help" | "version" | "verbose" | "quiet" | "flag" | "option") {
            return Verdict::NotJudged;
        }
        let has_spelling = |word: &str| {
            let several = word.contains(['-', '_']);
            spellings(word).iter().any(|other| self.scene.index.has_word(other) && (several || other != word))
                || !several && self.scene.index.has_word(word) && project.flags.is_empty()
        };
        if has_spelling(word) || has_spelling(positive) {
            return Verdict::Known;
        }
        let speaks_of_own = block.spans.iter().any(|span| match classify(&span.text) {
            Named::Flag(other) => other != name && project.flags.contains(other),
            Named::Command(text) => text.split_whitespace().next().is_some_and(|word| project.programs.contains(word)),
            _ => project.programs.contains(&span.text),
        });
        let is_listed = block.kind == BlockKind::Row
            && block.header.iter().any(|cell| cell.contains("flag") || cell.contains("option"));
        let looks_own = speaks_of_own || is_listed && !project.flags.is_empty();
        Verdict::Missing(Missed {
            what: "the flag",
            fix: LEAVE_OUT.to_owned(),
            looks_own,
            needles: vec![name.to_owned()],
        })
    }

    fn variable(&self, name: &str) -> Verdict {
        let (index, project) = (self.scene.index, &self.scene.project);
        if project.variables.contains(name) || index.has_word(name) {
            return Verdict::Known;
        }
        // settings libraries make names of a prefix and a field
        let parts: Vec<&str> = name.split('_').filter(|part| !part.is_empty()).collect();
        let is_composed = (1..parts.len()).any(|at| {
            let (prefix, rest) = (parts[..at].join("_"), parts[at..].join("_"));
            let has_prefix = index.has_word(&format!("{prefix}_")) || index.has_word(&format!("{prefix}__"));
            has_prefix && spellings(&rest).iter().any(|other| index.has_word(other))
        });
        let as_setting = spellings(name).iter().any(|other| index.has_word(other));
        // several are meant at once: `MAX_COST` of `MAX_COST_PER_MONTH`
        let begins = project.variables.range(format!("{name}_")..).next().is_some_and(|other| other.starts_with(name));
        if is_composed || as_setting || begins || self.is_nested_setting(name) {
            return Verdict::Known;
        }
        if is_well_known(parts.first().copied().unwrap_or_default()) {
            return Verdict::NotJudged;
        }
        let looks_own = project.prefixes.iter().any(|prefix| name.starts_with(prefix.as_str()));
        Verdict::Missing(Missed {
            what: "the variable",
            fix: LEAVE_OUT.to_owned(),
            looks_own,
            needles: vec![name.to_owned()],
        })
    }

    fn route(&self, method: &str, path: &str) -> Verdict {
        let project = &self.scene.project;
        let written = path.trim_end_matches('/').strip_suffix("...");
        let is_beginning = method.is_empty() || written.is_some();
        let parts = route_parts(written.unwrap_or(path));
        let Some(first) = parts.first() else { return Verdict::NotJudged };
        let is_own = project.route_starts.contains(first);
        if project.routes.is_empty() || !is_own && method.is_empty() {
            return Verdict::NotJudged;
        }
        let fits = |known: &[String]| fits_route(known, &parts) || ends_route(known, &parts);
        if project.routes.iter().any(|(known_method, known)| {
            let same = known_method.is_empty()
                || method.is_empty()
                || known_method.eq_ignore_ascii_case(method)
                || known_method == "ANY";
            same && fits(known)
        }) {
            return Verdict::Known;
        }
        // without a method it may be the beginning of routes, with `...` it is
        if is_beginning
            && project.routes.iter().any(|(_, known)| known.len() > parts.len() && fits(&known[..parts.len()]))
        {
            return Verdict::Known;
        }
        // routers are put together of pieces: only a part that stands nowhere shows that a route is invented
        let unknown = parts.iter().filter(|part| !is_any(part)).find(|part| {
            let word: Vec<&str> = part.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
            word.iter().any(|word| word.len() > 1 && !self.scene.index.has_word(word))
        });
        let other_method =
            project.routes.iter().find(|(_, known)| is_same_route(known, &parts)).map(|(known, _)| known.clone());
        match (unknown, other_method) {
            (Some(_), _) => Verdict::Missing(Missed {
                what: "the route",
                fix: LEAVE_OUT.to_owned(),
                looks_own: is_own || !method.is_empty(),
                needles: Vec::new(),
            }),
            (None, Some(known)) => Verdict::Missing(Missed {
                what: "the route",
                fix: format!("the code answers `{known}` at this path"),
                looks_own: true,
                needles: vec![format!("{method} {path}")],
            }),
            (None, None) if is_own => Verdict::Missing(Missed {
                what: "the route",
                fix: LEAVE_OUT.to_owned(),
                looks_own: true,
                needles: vec![
                    parts
                        .iter()
                        .rev()
                        .take_while(|part| !is_any(part))
                        .collect::<Vec<_>>()
                        .iter()
                        .rev()
                        .fold(String::new(), |all, part| all + "/" + part),
                ],
            }),
            (None, None) => Verdict::NotJudged,
        }
    }

    fn identifier(&self, identifier: &Identifier<'_>) -> Verdict {
        let (index, project) = (self.scene.index, &self.scene.project);
        let Some(last) = identifier.parts.last() else { return Verdict::NotJudged };
        let is_foreign = |part: &str| is_well_known(part) || project.dependencies.contains(&one_spelling(part));
        let root = identifier.parts[0];
        if identifier.parts.len() > 1 && is_foreign(root) && !self.is_own(root)
            || is_well_known(last) && identifier.parts.len() == 1
        {
            return Verdict::NotJudged;
        }
        let unknown: Vec<&&str> =
            identifier.parts.iter().filter(|part| part.len() > 1 && !index.has_word(part)).collect();
        let Some(first_unknown) = unknown.first() else {
            return self.member(identifier);
        };
        if identifier.parts.iter().any(|part| is_foreign(part) && !self.is_own(part)) || is_well_known(first_unknown) {
            return Verdict::NotJudged;
        }
        // a setting is written with dots here and in another spelling there
        if !identifier.is_surely_code
            && unknown.iter().all(|part| spellings(part).iter().any(|other| index.has_word(other)))
        {
            return Verdict::Known;
        }
        if identifier.parts.len() == 1
            && (self.is_nested_setting(last) || self.is_shortened(last) || self.is_made(last))
        {
            return Verdict::Known;
        }
        let owner_is_own = identifier.parts.len() > 1
            && identifier.parts[..identifier.parts.len() - 1].iter().any(|part| self.is_own(part));
        let needles = match identifier.parts.as_slice() {
            [name] if name.starts_with('_') => vec![(*name).to_owned()],
            // tests are named by what they test: `MoveTask` is `MoveTask_ShouldKeepItsState`
            [name] if name.len() >= MIN_SUBJECT && name.starts_with(|c: char| c.is_ascii_uppercase()) => {
                vec![format!("{name}_")]
            }
            _ => Vec::new(),
        };
        Verdict::Missing(Missed { what: "the name", fix: self.near(last), looks_own: owner_is_own, needles })
    }

    /// All words exist: of `Type::name` it is asked whether the type has it, when the index knows the type's other members.
    fn member(&self, identifier: &Identifier<'_>) -> Verdict {
        let [.., owner, last] = identifier.parts.as_slice() else { return Verdict::Known };
        let index = self.scene.index;
        let definitions = index.definitions(last);
        let is_type = owner.starts_with(|c: char| c.is_ascii_uppercase()) && !index.definitions(owner).is_empty();
        let Some(first) = definitions.first().filter(|_| identifier.is_surely_code && is_type) else {
            return Verdict::Known;
        };
        if definitions.iter().any(|definition| definition.owner.is_empty() || definition.owner.contains(*owner)) {
            return Verdict::Known;
        }
        // inherited, derived or written by a macro: the file of the type would name it
        let stands_beside = index
            .definitions(owner)
            .iter()
            .any(|definition| self.scene.text(definition.path).is_none_or(|text| text.text.contains(*last)));
        if stands_beside {
            return Verdict::Known;
        }
        let fix = format!("`{last}` belongs to `{}`", first.owner);
        let needles = vec![format!("{owner}::{last}"), format!("{owner}.{last}")];
        Verdict::Missing(Missed { what: "the name", fix, looks_own: true, needles })
    }

    /// Whether it is the way to a nested setting: `Security__PrivateKey` sets `PrivateKey` in `Security`.
    fn is_nested_setting(&self, name: &str) -> bool {
        let has_part = |part: &str| spellings(part).iter().any(|other| self.scene.index.has_word(other));
        name.contains("__") && !name.starts_with('_') && name.split("__").all(has_part)
    }

    /// Whether the code puts such names together: `open_task7` begins with its text `open_`.
    fn is_made(&self, name: &str) -> bool {
        let ends = name.match_indices('_').map(|(at, _)| &name[..=at]);
        ends.filter(|start| start.len() >= MIN_START).any(|start| self.scene.index.has_word(start))
    }

    /// Whether it is a name without the ending that people leave out when they speak of it: `Authorize` for `AuthorizeAttribute`.
    fn is_shortened(&self, name: &str) -> bool {
        name.starts_with(|c: char| c.is_ascii_uppercase())
            && KINDS.iter().any(|kind| self.scene.index.has_word(&format!("{name}{kind}")))
    }

    fn is_own(&self, name: &str) -> bool {
        !self.scene.index.definitions(name).is_empty() || self.scene.project.folders.contains(name)
    }

    /// A name of the repository that differs only in its spelling.
    fn near(&self, name: &str) -> String {
        match spellings(name).into_iter().find(|other| other != name && self.scene.index.has_word(other)) {
            Some(other) => format!("the repository has `{other}`"),
            None => LEAVE_OUT.to_owned(),
        }
    }
}

/// Whether a written route ends in a known one: routers are mounted below a prefix that stands elsewhere. One part at least must
/// be the same in both; what stands for any value says nothing.
fn ends_route(known: &[String], written: &[String]) -> bool {
    let tail = written.len().checked_sub(known.len()).and_then(|start| written.get(start..));
    known.iter().any(|part| !is_any(part))
        && tail.is_some_and(|tail| fits_route(known, tail) && share_part(known, tail))
}

/// Whether two routes have the same parts; one that answers everything is the same as none.
fn is_same_route(known: &[String], written: &[String]) -> bool {
    known == written && known.iter().any(|part| !is_any(part))
}

/// Whether a written route is a known one; what stands for any value fits everything. It may do so in the code or on the page,
/// but not in both: `/books/{id}/pages` is not `/books/latest/{page}`.
fn fits_route(known: &[String], written: &[String]) -> bool {
    let ends_open = known.last().is_some_and(|last| last == ANYTHING);
    let pairs = || known.iter().zip(written);
    let is_apart = pairs().any(|(known, written)| known != written && !is_any(known) && !is_any(written));
    let is_filled = pairs().any(|(known, written)| is_any(known) && !is_any(written));
    let is_open = pairs().any(|(known, written)| is_any(written) && !is_any(known));
    let has_names = |parts: &[String]| parts.iter().any(|part| !is_any(part));
    (known.len() == written.len() || ends_open && written.len() > known.len())
        && !is_apart
        && !(is_filled && is_open)
        && (share_part(known, written) || !has_names(known) || !has_names(written))
}

/// Whether a part that is no value is the same in both.
fn share_part(known: &[String], written: &[String]) -> bool {
    known.iter().zip(written).any(|(known, written)| known == written && !is_any(known))
}

/// Whether a part of a route stands for any value.
fn is_any(part: &str) -> bool {
    part.starts_with('*')
}
