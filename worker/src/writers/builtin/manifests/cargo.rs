//! `Cargo.toml`, with what a package inherits from its workspace.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::{Ecosystem, Package};

/// The `[workspace]` tables by the folder of their manifest.
pub(super) fn workspaces(texts: &[(&str, String)]) -> BTreeMap<String, Table> {
    let mut workspaces = BTreeMap::new();
    for (path, text) in texts.iter().filter(|(path, _)| path.ends_with("Cargo.toml")) {
        let table = text.parse::<Table>().ok().and_then(|mut table| table.remove("workspace"));
        if let Some(Value::Table(workspace)) = table {
            let folder = path.rsplit_once('/').map(|(folder, _)| folder).unwrap_or_default();
            workspaces.insert(folder.to_owned(), workspace);
        }
    }
    workspaces
}

/// Reads one manifest; `None` when it is unreadable or only ties others together.
pub(super) fn read(
    path: &str,
    text: &str,
    workspaces: &BTreeMap<String, Table>,
    exists: &dyn Fn(&str) -> bool,
) -> Option<Package> {
    let manifest = text.parse::<Table>().ok()?;
    let mut package = Package::new(Ecosystem::Cargo, path);
    let workspace = workspaces
        .iter()
        .filter(|(folder, _)| {
            folder.is_empty() || package.folder == **folder || package.folder.starts_with(&format!("{folder}/"))
        })
        .max_by_key(|(folder, _)| folder.len())
        .map(|(_, workspace)| workspace);
    let about = manifest.get("package")?.as_table()?;
    let inherited = workspace.and_then(|workspace| workspace.get("package")).and_then(Value::as_table);
    let field = |name: &str| {
        let value = about.get(name)?;
        let value = if value.is_table() { inherited?.get(name)? } else { value };
        value.as_str().map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    package.name = field("name")?;
    package.version = field("version");
    package.description = field("description");
    package.licence = field("license").or_else(|| field("license-file"));
    package.requires = field("rust-version").map(|version| format!("Rust {version}"));
    let publish = about.get("publish");
    let publish =
        if publish.is_some_and(Value::is_table) { inherited.and_then(|fields| fields.get("publish")) } else { publish };
    package.private = publish.and_then(Value::as_bool) == Some(false);
    targets(&mut package, &manifest, exists);
    if let Some(features) = manifest.get("features").and_then(Value::as_table) {
        for (name, enables) in features.iter().take(100) {
            package.features.push((name.clone(), strings(enables).join(", ")));
        }
    }
    dependencies(&mut package, &manifest, workspace);
    Some(package)
}

fn strings(value: &Value) -> Vec<String> {
    let values = value.as_array().map(Vec::as_slice).unwrap_or_default();
    values.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn targets(package: &mut Package, manifest: &Table, exists: &dyn Fn(&str) -> bool) {
    let library = manifest.get("lib").and_then(|lib| lib.get("path")).and_then(Value::as_str).unwrap_or("src/lib.rs");
    package.library = Some(package.path(library)).filter(|path| exists(path));
    let programs = manifest.get("bin").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for program in programs {
        let name = program.get("name").and_then(Value::as_str).unwrap_or(&package.name).to_owned();
        let path =
            program.get("path").and_then(Value::as_str).map_or_else(|| format!("src/bin/{name}.rs"), str::to_owned);
        let path = package.path(&path);
        let path = if exists(&path) { path } else { package.path("src/main.rs") };
        package.programs.push((name, path));
    }
    let main = package.path("src/main.rs");
    if exists(&main) && !package.programs.iter().any(|(_, path)| *path == main) {
        package.programs.insert(0, (package.name.clone(), main));
    }
}

fn dependencies(package: &mut Package, manifest: &Table, workspace: Option<&Table>) {
    let shared = workspace.and_then(|workspace| workspace.get("dependencies")).and_then(Value::as_table);
    for (table, kind) in
        [("dependencies", "Runtime"), ("dev-dependencies", "Development"), ("build-dependencies", "Build")]
    {
        let Some(entries) = manifest.get(table).and_then(Value::as_table) else { continue };
        for (name, wanted) in entries {
            let optional = wanted.get("optional").and_then(Value::as_bool) == Some(true);
            let inherits = wanted.get("workspace").and_then(Value::as_bool) == Some(true);
            let wanted = if inherits { shared.and_then(|shared| shared.get(name)).unwrap_or(wanted) } else { wanted };
            package.depend(if optional { "Optional" } else { kind }, name, &requirement(wanted));
        }
    }
}

fn requirement(wanted: &Value) -> String {
    let field = |name: &str| wanted.get(name).and_then(Value::as_str);
    match (wanted.as_str().or_else(|| field("version")), field("path"), field("git")) {
        (Some(version), ..) => version.to_owned(),
        (None, Some(path), _) => format!("path {path}"),
        (None, None, Some(git)) => format!("git {git}"),
        _ => String::new(),
    }
}
