//! HTTP routes of the languages without a reader of their own, found line by line: C# (ASP.NET Core), Ruby (Rails, Sinatra), PHP
//! (Laravel, Lumen, Slim), Kotlin (Ktor, Spring), Swift (Vapor). What a framework mounts elsewhere is not known here; who
//! compares routes takes the end of one for the whole.

use std::{collections::HashMap, sync::LazyLock};

use regex::Regex;

use super::{Language, rails_routes};
use crate::writers::builtin::symbols::Fact;

macro_rules! pattern {
    ($name:ident, $pattern:expr) => {
        static $name: LazyLock<Regex> = LazyLock::new(|| Regex::new($pattern).expect("the pattern is a constant"));
    };
}

pattern!(CSHARP_MAP, r#"(\w+)\s*\.Map(Get|Post|Put|Delete|Patch)\(\s*"([^"]*)""#);
pattern!(CSHARP_GROUP, r#"(\w+)\s*=\s*(\w+)\s*\.MapGroup\(\s*"([^"]*)""#);
pattern!(
    CSHARP_VERB,
    r#"\[(?:\w+\s*,\s*)*Http(Get|Post|Put|Delete|Patch|Head|Options)\b(?:\(\s*(?:template:\s*)?"([^"]*)")?"#
);
pattern!(CSHARP_ROUTE, r#"\[(?:\w+\s*,\s*)*Route\(\s*"([^"]*)""#);
pattern!(SPRING, r#"@(Get|Post|Put|Delete|Patch|Request)Mapping\b(?:[^"\n]*"([^"]*)")?"#);
pattern!(CLASS, r"\b(?:class|interface)\s+(\w+)");
pattern!(METHOD_NAME, r"(\w+)\s*(?:<[^>]*>)?\(");
pattern!(SINATRA, r#"^\s*(get|post|put|patch|delete|head|options)\s*\(?\s*['"](/[^'"]*)['"].*\bdo\b"#);
pattern!(LARAVEL, r#"Route::(?:\w+\([^)]*\)\s*->\s*)*(get|post|put|patch|delete|options|any)\(\s*['"]([^'"]*)['"]"#);
pattern!(LARAVEL_RESOURCE, r#"Route::(?:\w+\([^)]*\)\s*->\s*)*(apiResource|resource)\(\s*['"]([^'"]+)['"](.*)"#);
pattern!(
    SLIM,
    r#"\$(?:app|router|routes?|group|r|g)\s*->\s*(get|post|put|patch|delete|options|any)\(\s*['"]([^'"]*)['"]\s*,"#
);
pattern!(PHP_GROUP, r#"(?:->|::)\s*group\(\s*(?:['"]([^'"]*)['"])?"#);
pattern!(PHP_PREFIX, r#"(?:\bprefix\(\s*|['"]prefix['"]\s*=>\s*)['"]([^'"]*)['"]"#);
pattern!(KTOR, r#"\b(get|post|put|delete|patch|head|options|route)\s*(?:<[^>]*>)?\(\s*"([^"]*)"[^{]*\)\s*\{"#);
pattern!(KTOR_BARE, r"^\s*(get|post|put|delete|patch|head|options)\s*(?:<[^>]*>\s*)?\{");
pattern!(VAPOR, r#"(\w+)\s*\.(get|post|put|delete|patch)\(\s*((?:"[^"]*"\s*,?\s*)*)(?:use:|\)\s*(?:async\s*)?\{)"#);
pattern!(VAPOR_GROUP, r#"(\w+)\s*=\s*(\w+)\s*\.grouped\(\s*((?:"[^"]*"\s*,?\s*)+)\)"#);
pattern!(VAPOR_BLOCK, r#"(\w+)\s*\.group\(\s*((?:"[^"]*"\s*,?\s*)+)\)\s*\{\s*(\w+)\s+in"#);

/// Every route of a file.
pub(super) fn routes(language: Language, text: &str) -> Vec<Fact> {
    match language {
        Language::CSharp => csharp(text),
        Language::Ruby if text.contains("routes.draw") => rails_routes::routes(text),
        Language::Ruby => {
            each(text, |line| SINATRA.captures(line).map(|found| (found[1].to_owned(), found[2].to_owned())))
        }
        Language::Php => php(text),
        Language::Kotlin if text.contains("io.ktor") => ktor(text),
        Language::Kotlin => annotated(text, &SPRING_WORDS),
        Language::Swift if text.contains("import Vapor") => vapor(text),
        _ => Vec::new(),
    }
}

/// Lines of code with their numbers; comments and data left out.
pub(super) fn code(text: &str) -> impl Iterator<Item = (&str, u32)> {
    let is_code = |line: &str| {
        let line = line.trim_start();
        line.len() < 1_000 && !line.starts_with("//") && !line.starts_with('*') && !line.starts_with("# ")
    };
    text.lines().zip(1_u32..).filter(move |(line, _)| is_code(line))
}

/// A route; nothing for addresses elsewhere.
pub(super) fn route(method: &str, path: &str, line: u32) -> Option<Fact> {
    let method = method.to_uppercase();
    let fact = Fact::Route { method, path: join("", path), handler: String::new(), line };
    (!path.contains("://")).then_some(fact)
}

/// Two parts of a path as one that begins with `/`.
pub(super) fn join(base: &str, path: &str) -> String {
    let parts = [base, path].map(|part| part.trim().trim_start_matches('~').trim_matches('/'));
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    format!("/{}", parts.join("/"))
}

fn each(text: &str, find: impl Fn(&str) -> Option<(String, String)>) -> Vec<Fact> {
    code(text)
        .filter_map(|(line, number)| {
            let (method, path) = find(line)?;
            route(&method, &path, number)
        })
        .collect()
}

fn csharp(text: &str) -> Vec<Fact> {
    let mut groups: HashMap<String, String> = HashMap::new();
    let mut facts = Vec::new();
    for (line, number) in code(text) {
        let base = |groups: &HashMap<String, String>, name: &str| groups.get(name).cloned().unwrap_or_default();
        if let Some(found) = CSHARP_GROUP.captures(line) {
            let path = join(&base(&groups, &found[2]), &found[3]);
            groups.insert(found[1].to_owned(), path);
        }
        if let Some(found) = CSHARP_MAP.captures(line) {
            facts.extend(route(&found[2], &join(&base(&groups, &found[1]), &found[3]), number));
        }
    }
    facts.extend(annotated(text, &CSHARP_WORDS));
    facts
}

/// How routes are written above classes and methods.
struct Words {
    /// Method and path.
    verb: fn(&str) -> Option<(String, String)>,
    /// A path alone.
    path: fn(&str) -> Option<String>,
    /// With what such a line begins.
    mark: char,
}

const CSHARP_WORDS: Words = Words {
    verb: |line| {
        let found = CSHARP_VERB.captures(line)?;
        Some((found[1].to_owned(), found.get(2).map_or("", |path| path.as_str()).to_owned()))
    },
    path: |line| Some(CSHARP_ROUTE.captures(line)?[1].to_owned()),
    mark: '[',
};
const SPRING_WORDS: Words = Words {
    verb: |line| {
        let found = SPRING.captures(line)?;
        let told = line.split("RequestMethod.").nth(1);
        let told = told.map(|rest| rest.chars().take_while(char::is_ascii_uppercase).collect::<String>());
        let method = if &found[1] == "Request" { told.unwrap_or_else(|| "ANY".into()) } else { found[1].to_owned() };
        Some((method, found.get(2).map_or("", |path| path.as_str()).to_owned()))
    },
    path: |_| None,
    mark: '@',
};

/// Routes above methods, below the one above their class.
fn annotated(text: &str, words: &Words) -> Vec<Fact> {
    let (mut base, mut path) = (String::new(), None::<String>);
    let mut verbs: Vec<(String, String, u32)> = Vec::new();
    let mut facts = Vec::new();
    for (line, number) in code(text).filter(|(line, _)| !line.trim().is_empty()) {
        verbs.extend((words.verb)(line).map(|(method, path)| (method, path, number)));
        path = (words.path)(line).or(path);
        let is_alone = line.trim_start().starts_with(words.mark) && line.trim_end().ends_with([')', ']', ',', '(']);
        if is_alone {
            continue;
        }
        if let Some(class) = CLASS.captures(line) {
            let above = path.take().or_else(|| verbs.pop().map(|(_, path, _)| path)).unwrap_or_default();
            base = above.replace("[controller]", class[1].trim_end_matches("Controller"));
            verbs.clear();
            continue;
        }
        let own = path.take();
        for (method, path, number) in verbs.drain(..) {
            let path = if path.is_empty() { own.clone().unwrap_or_default() } else { path };
            let is_whole = words.mark == '[' && path.starts_with(['/', '~']);
            let whole = if is_whole { join("", &path) } else { join(&base, &path) };
            let name = METHOD_NAME.captures(line).map_or_else(String::new, |found| found[1].to_owned());
            facts.extend(route(&method, &whole.replace("[action]", &name), number));
        }
    }
    facts
}

/// The groups around a line of PHP, by counting braces: `$app->group('/a', function () {`,
/// `Route::prefix('a')->group(function () {`, `Route::group(['prefix' => 'a'], function () {`.
#[derive(Default)]
struct PhpGroups {
    /// Their paths, each with the depth outside of it.
    around: Vec<(usize, String)>,
    depth: usize,
    /// What was said of a group whose body has not begun.
    prefix: Option<String>,
    is_group: bool,
}

impl PhpGroups {
    /// The path of what stands in the line.
    fn base(&mut self, line: &str) -> String {
        if let Some(found) = PHP_PREFIX.captures(line) {
            self.prefix = Some(found[1].to_owned());
        }
        if let Some(found) = PHP_GROUP.captures(line) {
            self.is_group = true;
            self.prefix = found.get(1).map(|path| path.as_str().to_owned()).or(self.prefix.take());
        }
        let base = self.around.last().map_or("", |(_, path)| path.as_str());
        join(base, self.prefix.as_deref().unwrap_or_default())
    }

    fn end_line(&mut self, line: &str, base: String) {
        let after = (self.depth + line.matches('{').count()).saturating_sub(line.matches('}').count());
        if self.is_group && after > self.depth {
            self.around.push((self.depth, base));
            (self.prefix, self.is_group) = (None, false);
        } else if line.trim_end().ends_with(';') {
            (self.prefix, self.is_group) = (None, false);
        }
        self.depth = after;
        self.around.retain(|(outside, _)| *outside < after);
    }
}

fn php(text: &str) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut groups = PhpGroups::default();
    for (line, number) in code(text) {
        let base = groups.base(line);
        let found = LARAVEL.captures(line).or_else(|| SLIM.captures(line));
        if let Some(found) = found {
            facts.extend(route(&found[1], &join(&base, &found[2]), number));
        }
        if let Some(found) = LARAVEL_RESOURCE.captures(line) {
            let path = join(&base, &found[2].split('.').collect::<Vec<_>>().join("/{id}/"));
            let forms = &found[1] == "resource";
            let (only, except) = (list(&found[3], "only("), list(&found[3], "except("));
            let is_wanted = |action: &str| {
                only.as_ref().is_none_or(|only| only.contains(&action))
                    && !except.as_ref().is_some_and(|except| except.contains(&action))
                    && (forms || !matches!(action, "create" | "edit"))
            };
            let paths = (path.as_str(), &*format!("{path}/{{id}}"));
            facts.extend(resource(paths, ["store", "create"], number, is_wanted));
        }
        groups.end_line(line, base);
    }
    facts
}

/// The strings behind a word: `only(['index', 'show'])`.
fn list<'a>(rest: &'a str, word: &str) -> Option<Vec<&'a str>> {
    let (_, rest) = rest.split_once(word)?;
    Some(rest.split(')').next()?.split(['\'', '"']).skip(1).step_by(2).collect())
}

/// The routes of a resource by the conventions of Rails: the paths of all of it and of one of it, and what creating one and the
/// form for that are called.
pub(super) fn resource(
    (all, one): (&str, &str),
    [create, form]: [&str; 2],
    line: u32,
    is_wanted: impl Fn(&str) -> bool,
) -> Vec<Fact> {
    let routes = [
        ("index", "GET", all.to_owned()),
        (create, "POST", all.to_owned()),
        (form, "GET", format!("{all}/{form}")),
        ("show", "GET", one.to_owned()),
        ("edit", "GET", format!("{one}/edit")),
        ("update", "PUT", one.to_owned()),
        ("update", "PATCH", one.to_owned()),
        ("destroy", "DELETE", one.to_owned()),
    ];
    let wanted = routes.iter().filter(|(action, ..)| is_wanted(action));
    wanted.filter_map(|(_, method, path)| route(method, path, line)).collect()
}

/// `route("/a") { get("/b") { } }`, by counting braces.
fn ktor(text: &str) -> Vec<Fact> {
    let mut facts = Vec::new();
    // the paths around, each with the depth outside of it
    let mut around: Vec<(usize, String)> = Vec::new();
    let mut depth = 0_usize;
    for (line, number) in code(text) {
        let base = around.last().map_or("", |(_, path)| path.as_str());
        if let Some(found) = KTOR.captures(line) {
            let path = join(base, &found[2]);
            if &found[1] == "route" {
                around.push((depth, path));
            } else {
                facts.extend(route(&found[1], &path, number));
            }
        } else if let Some(found) = KTOR_BARE.captures(line).filter(|_| !around.is_empty()) {
            facts.extend(route(&found[1], base, number));
        }
        depth = (depth + line.matches('{').count()).saturating_sub(line.matches('}').count());
        around.retain(|(outside, _)| *outside < depth);
    }
    facts
}

fn vapor(text: &str) -> Vec<Fact> {
    let path = |strings: &str| strings.split('"').skip(1).step_by(2).collect::<Vec<_>>().join("/");
    let mut groups: HashMap<String, String> = HashMap::new();
    let mut facts = Vec::new();
    for (line, number) in code(text) {
        let base = |groups: &HashMap<String, String>, name: &str| groups.get(name).cloned().unwrap_or_default();
        if let Some(found) = VAPOR_GROUP.captures(line) {
            let path = join(&base(&groups, &found[2]), &path(&found[3]));
            groups.insert(found[1].to_owned(), path);
        } else if let Some(found) = VAPOR_BLOCK.captures(line) {
            let path = join(&base(&groups, &found[1]), &path(&found[2]));
            groups.insert(found[3].to_owned(), path);
        } else if let Some(found) = VAPOR.captures(line) {
            facts.extend(route(&found[2], &join(&base(&groups, &found[1]), &path(&found[3])), number));
        }
    }
    facts
}
