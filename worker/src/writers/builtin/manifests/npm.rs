//! `package.json`.

use serde_json::Value;

use super::{Ecosystem, Package};

/// Reads one manifest.
pub(super) fn read(path: &str, text: &str) -> Option<Package> {
    let manifest: Value = serde_json::from_str(text).ok()?;
    let mut package = Package::new(Ecosystem::Npm, path);
    let field = |name: &str| manifest.get(name).and_then(Value::as_str).map(str::to_owned);
    package.name = field("name").unwrap_or_default();
    package.version = field("version");
    package.description = field("description");
    package.licence = field("license");
    package.private = manifest.get("private").and_then(Value::as_bool) == Some(true);
    let node = manifest.get("engines").and_then(|engines| engines.get("node")).and_then(Value::as_str);
    package.requires = node.map(|version| format!("Node.js {version}"));
    package.library = field("module").or_else(|| field("main"));
    match manifest.get("bin") {
        Some(Value::String(file)) => {
            let name = package.name.rsplit('/').next().unwrap_or_default().to_owned();
            package.programs.push((name, package.path(file)));
        }
        Some(Value::Object(programs)) => {
            for (name, file) in programs {
                package.programs.push((name.clone(), package.path(file.as_str().unwrap_or_default())));
            }
        }
        _ => {}
    }
    if let Some(scripts) = manifest.get("scripts").and_then(Value::as_object) {
        let scripts = scripts.iter().take(60);
        package
            .scripts
            .extend(scripts.map(|(name, command)| (name.clone(), command.as_str().unwrap_or_default().to_owned())));
    }
    for (table, kind) in [
        ("dependencies", "Runtime"),
        ("peerDependencies", "Peer"),
        ("optionalDependencies", "Optional"),
        ("devDependencies", "Development"),
    ] {
        for (name, wanted) in manifest.get(table).and_then(Value::as_object).into_iter().flatten() {
            package.depend(kind, name, wanted.as_str().unwrap_or_default());
        }
    }
    let says_something = !package.name.is_empty() || !package.dependencies.is_empty() || !package.scripts.is_empty();
    says_something.then_some(package)
}
