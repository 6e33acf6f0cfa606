//! Python packages and modules; what a package passes on from its private modules is shown on the package.

use std::collections::BTreeMap;

use super::{DocItem, ModuleDoc};
use crate::writers::builtin::{
    languages::Language,
    manifests::Ecosystem,
    survey::Survey,
    symbols::{ItemKind, ParsedFile},
};

/// Files that serve tools, not callers.
const TOOL_FILES: [&str; 8] =
    ["setup.py", "conftest.py", "noxfile.py", "tasks.py", "conf.py", "manage.py", "fabfile.py", "__main__.py"];

struct PythonModule<'a> {
    path: &'a str,
    file: &'a ParsedFile,
}

/// The modules of the repository by dotted name.
pub(super) fn modules(survey: &Survey) -> Vec<ModuleDoc> {
    let mut known: BTreeMap<String, PythonModule<'_>> = BTreeMap::new();
    let has_packages = survey.parsed.keys().any(|path| path.ends_with("/__init__.py"));
    for (path, (language, file)) in &survey.parsed {
        let base = path.rsplit('/').next().unwrap_or_default();
        if *language != Language::Python || TOOL_FILES.contains(&base) || path.starts_with("docs/") {
            continue;
        }
        if let Some(name) = module_name(survey, path, has_packages) {
            // a stub says more about types, the source says more about everything else
            known.entry(name).or_insert(PythonModule { path, file });
        }
    }
    known
        .iter()
        .filter(|(name, _)| !is_private(name))
        .map(|(name, module)| document(survey, &known, name, module))
        .collect()
}

fn is_private(name: &str) -> bool {
    name.split('.').any(|part| part.starts_with('_'))
}

/// `package.module` for a file of a package, a file below `src/` or a single module beside its manifest.
fn module_name(survey: &Survey, path: &str, has_packages: bool) -> Option<String> {
    let has_manifest = survey.packages.iter().any(|package| package.ecosystem == Ecosystem::Python);
    let is_tool = ["tools/", "scripts/", "script/", "ci/", "hack/", ".github/", "contrib/"]
        .iter()
        .any(|folder| path.starts_with(folder));
    if is_tool && !has_manifest {
        return None;
    }
    let stem = path.strip_suffix(".py").or_else(|| path.strip_suffix(".pyi"))?;
    let parts: Vec<&str> = stem.split('/').collect();
    let folder = |count: usize| parts[..count].join("/");
    let is_package = |count: usize| {
        survey.file(&format!("{}/__init__.py", folder(count))).is_some()
            || survey.file(&format!("{}/__init__.pyi", folder(count))).is_some()
    };
    let mut first = parts.len() - 1;
    while first > 0 && is_package(first) {
        first -= 1;
    }
    if first == parts.len() - 1 {
        let manifest_folders = survey.packages.iter().filter(|package| package.ecosystem == Ecosystem::Python);
        let beside_manifest = manifest_folders.into_iter().any(|package| package.folder == folder(first));
        let below_src = parts.iter().position(|part| *part == "src");
        match below_src {
            Some(src) => first = src + 1,
            None if beside_manifest => {}
            None if has_packages => return None,
            None => first = 0,
        }
    }
    let mut name = parts.get(first..)?.to_vec();
    if name.last() == Some(&"__init__") {
        name.pop();
    }
    let fits = !name.is_empty() && name.iter().all(|part| part.chars().all(|c| c.is_alphanumeric() || c == '_'));
    fits.then(|| name.join("."))
}

fn document(
    survey: &Survey,
    known: &BTreeMap<String, PythonModule<'_>>,
    name: &str,
    module: &PythonModule<'_>,
) -> ModuleDoc {
    let top = name.split('.').next().unwrap_or(name);
    let named =
        survey.packages.iter().filter(|package| package.ecosystem == Ecosystem::Python && !package.name.is_empty());
    let same = |package: &&crate::writers::builtin::manifests::Package| {
        package.name.replace('-', "_").eq_ignore_ascii_case(top)
    };
    let package = named.clone().find(same).map_or(top, |package| package.name.as_str());
    let mut doc = ModuleDoc::new(package, name, Language::Python, &module.file.scope.doc, module.path);
    for item in module.file.scope.items.iter().filter(|item| !item.internal) {
        doc.items.push(DocItem::new(Language::Python, item, module.path));
    }
    let is_package = module.path.ends_with("__init__.py") || module.path.ends_with("__init__.pyi");
    if !is_package {
        return doc;
    }
    for export in &module.file.scope.exports {
        let Some(origin) = absolute(name, &export.from) else { continue };
        let Some((target, wanted)) = origin.rsplit_once('.') else { continue };
        let Some(found) = known.get(target) else { continue };
        let items = found
            .file
            .scope
            .items
            .iter()
            .filter(|item| (wanted.is_empty() && !item.name.starts_with('_')) || item.name == wanted);
        for item in items {
            let shown_as = if export.name.is_empty() { &item.name } else { &export.name };
            if is_private(target) {
                let mut shown = DocItem::new(Language::Python, item, found.path);
                shown.name.clone_from(shown_as);
                doc.items.push(shown);
            } else if item.kind != ItemKind::Constant {
                doc.passed_on.push((shown_as.clone(), format!("{target}.{}", item.name)));
            }
        }
    }
    doc.passed_on.sort();
    doc.passed_on.dedup();
    doc
}

/// The absolute dotted name of `["", "core", "Command"]` (from `.core`) seen from the package `name`.
fn absolute(package: &str, from: &[String]) -> Option<String> {
    let dots = from.iter().take_while(|part| part.is_empty()).count();
    let mut parts: Vec<&str> = package.split('.').collect();
    // `.core` splits into one empty part, `..core` into two, and a lone `.` into two as well
    let only_dots = from[..from.len() - 1].iter().all(String::is_empty);
    let up = if only_dots { dots.saturating_sub(2) } else { dots.saturating_sub(1) };
    if up >= parts.len() {
        return None;
    }
    parts.truncate(parts.len() - up);
    parts.extend(from.iter().skip(dots).map(String::as_str));
    if from.last().is_some_and(String::is_empty) && !only_dots && from.len() > dots {
        return Some(parts.join("."));
    }
    Some(parts.join("."))
}
