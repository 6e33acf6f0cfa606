//! Go packages, Java packages, JavaScript modules and C headers: modules that follow from files and folders.

use std::collections::BTreeMap;

use super::{DocItem, ModuleDoc};
use crate::writers::builtin::{
    languages::Language,
    manifests::{Ecosystem, Package},
    sources::{Role, role},
    survey::Survey,
    symbols::{Item, ItemKind, ParsedFile},
};

/// The package whose folder is nearest above a path.
fn nearest<'a>(survey: &'a Survey, ecosystems: &[Ecosystem], path: &str) -> Option<&'a Package> {
    let above = survey.packages.iter().filter(|package| {
        ecosystems.contains(&package.ecosystem)
            && !package.name.is_empty()
            && (package.folder.is_empty() || path.starts_with(&format!("{}/", package.folder)))
    });
    above.max_by_key(|package| package.folder.len())
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map(|(folder, _)| folder).unwrap_or_default()
}

fn sources<'a>(
    survey: &'a Survey,
    languages: &'a [Language],
) -> impl Iterator<Item = (&'a str, Language, &'a ParsedFile)> {
    let wanted = survey.parsed.iter().filter(|(_, (language, _))| languages.contains(language));
    wanted.map(|(path, (language, file))| (path.as_str(), *language, file))
}

/// Go: one module per folder; methods move to their types.
pub(super) fn go(survey: &Survey) -> Vec<ModuleDoc> {
    let mut folders: BTreeMap<(bool, &str), Vec<(&str, &ParsedFile)>> = BTreeMap::new();
    for (path, _, file) in sources(survey, &[Language::Go]) {
        let folder = folder_of(path);
        let internal = folder.split('/').any(|part| part == "internal");
        folders.entry((internal, folder)).or_default().push((path, file));
    }
    let documented = folders.iter().map(|((internal, folder), files)| {
        let package = nearest(survey, &[Ecosystem::Go], files[0].0);
        let inside = package
            .map_or(*folder, |package| folder.strip_prefix(&package.folder).unwrap_or(folder).trim_start_matches('/'));
        let own = files[0].1.package.as_str();
        let name = if inside.is_empty() { own.to_owned() } else { inside.to_owned() };
        // the last of equals, so that without a doc the name decides
        let (path, file) = files.iter().max_by_key(|(_, file)| file.scope.doc.len()).unwrap_or(&files[0]);
        let doc = file.scope.doc.as_str();
        let title = package.map_or(own, |package| package.name.rsplit('/').next().unwrap_or(own));
        let mut module = ModuleDoc::new(title, &name, Language::Go, doc, path);
        module.internal = *internal;
        let mut methods: BTreeMap<&str, Vec<DocItem>> = BTreeMap::new();
        for (path, item) in files.iter().flat_map(|(path, file)| file.scope.items.iter().map(move |item| (*path, item)))
        {
            let doc = DocItem::new(Language::Go, item, path);
            if item.kind == ItemKind::Method {
                methods.entry(&item.owner).or_default().push(doc)
            } else {
                module.items.push(doc)
            }
        }
        for item in &mut module.items {
            item.members.extend(methods.remove(item.name.as_str()).unwrap_or_default());
        }
        module
    });
    documented.collect()
}

/// Java: one module per package.
pub(super) fn java(survey: &Survey) -> Vec<ModuleDoc> {
    let ecosystems = [Ecosystem::Maven, Ecosystem::Gradle];
    let mut packages: BTreeMap<(&str, &str), Vec<(&str, &ParsedFile)>> = BTreeMap::new();
    for (path, _, file) in sources(survey, &[Language::Java]) {
        let artifact = nearest(survey, &ecosystems, path).map(|package| package.name.as_str()).unwrap_or_default();
        packages.entry((artifact, &file.package)).or_default().push((path, file));
    }
    let documented = packages.iter().map(|((artifact, name), files)| {
        let info = files.iter().find(|(path, _)| path.ends_with("package-info.java"));
        let doc = info.map(|(_, file)| file.scope.doc.as_str()).unwrap_or_default();
        let path = info.map_or(files[0].0, |(path, _)| path);
        let name = if name.is_empty() { "(default package)" } else { name };
        let mut module =
            ModuleDoc::new(if artifact.is_empty() { name } else { artifact }, name, Language::Java, doc, path);
        for (path, file) in files {
            module.items.extend(file.scope.items.iter().map(|item| DocItem::new(Language::Java, item, path)));
        }
        // names that say where internals begin
        module.internal = name.split('.').any(|part| part == "internal");
        module
    });
    let mut modules: Vec<ModuleDoc> = documented.collect();
    if modules.iter().any(|module| !module.internal) {
        modules.retain(|module| !module.internal);
    }
    modules
}

/// JavaScript and TypeScript: one module per file.
pub(super) fn javascript(survey: &Survey) -> Vec<ModuleDoc> {
    let languages = [Language::JavaScript, Language::TypeScript, Language::Tsx];
    let mut modules = Vec::new();
    for (path, language, file) in sources(survey, &languages) {
        let base = path.rsplit('/').next().unwrap_or_default();
        let is_tool =
            base.contains(".config.") || base.starts_with('.') || base.contains(".stories.") || path.starts_with('.');
        if is_tool || ["docs/", "website/", "scripts/", "doc/", "site/"].iter().any(|folder| path.starts_with(folder)) {
            continue;
        }
        let package = nearest(survey, &[Ecosystem::Npm], path);
        let folder = package.map(|package| package.folder.as_str()).unwrap_or_default();
        let inside = path.strip_prefix(folder).unwrap_or(path).trim_start_matches('/');
        let title = package.map_or("JavaScript", |package| package.name.as_str());
        let mut module = ModuleDoc::new(title, inside, language, &file.scope.doc, path);
        module.items = file.scope.items.iter().map(|item| DocItem::new(language, item, path)).collect();
        for export in &file.scope.exports {
            let [from, name] = export.from.as_slice() else { continue };
            let shown = if name.is_empty() { "*" } else { export.name.as_str() };
            module.passed_on.push((shown.to_owned(), from.clone()));
        }
        modules.push(module);
    }
    modules.sort_by(|a, b| {
        (&a.package, a.path.matches('/').count(), &a.path).cmp(&(&b.package, b.path.matches('/').count(), &b.path))
    });
    modules
}

/// C and C++: one module per header; headers in `include/` first.
pub(super) fn headers(survey: &Survey, project: &str) -> Vec<ModuleDoc> {
    let languages = [Language::C, Language::Cpp];
    let all: Vec<_> = sources(survey, &languages).filter(|(_, _, file)| !file.scope.items.is_empty()).collect();
    let is_public = |path: &str| path.split('/').any(|part| part == "include");
    let has_include = all.iter().any(|(path, ..)| is_public(path));
    let mut modules = Vec::new();
    for (path, language, file) in all {
        // a private header is what no caller includes
        let hidden =
            path.contains("private") || path.contains("internal") || path.contains("detail") || path.contains("/impl/");
        if role(path) != Role::Own || (has_include && !is_public(path)) || hidden {
            continue;
        }
        let name = if has_include { path.split_once("include/").map_or(path, |(_, inside)| inside) } else { path };
        let title = nearest(survey, &[Ecosystem::CMake], path).map_or(project, |package| package.name.as_str());
        let mut module = ModuleDoc::new(title, name, language, &file.scope.doc, path);
        module.items = merged(language, &file.scope.items, path);
        modules.push(module);
    }
    modules
}

/// Overloads share one entry; a forward declaration yields to the definition.
fn merged(language: Language, items: &[Item], path: &str) -> Vec<DocItem> {
    let mut merged: Vec<DocItem> = Vec::new();
    for item in items {
        let doc = DocItem::new(language, item, path);
        match merged.iter_mut().find(|known| known.name == doc.name && known.kind == doc.kind) {
            Some(known) if item.kind == ItemKind::Function && known.signature.len() < 2_000 => {
                if known.signature != doc.signature {
                    known.signature = format!("{}\n\n{}", known.signature, doc.signature);
                }
                if known.doc.is_empty() {
                    known.doc = doc.doc;
                }
            }
            Some(_) => {}
            None => merged.push(doc),
        }
    }
    merged
}
