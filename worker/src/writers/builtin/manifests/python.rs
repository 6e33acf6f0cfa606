//! `pyproject.toml` (standard, Poetry, Flit), `setup.cfg`, the literal parts of `setup.py`, `requirements.txt`.

use toml::{Table, Value};

use super::{Ecosystem, Package};

/// Reads `pyproject.toml`.
pub(super) fn read_pyproject(path: &str, text: &str) -> Option<Package> {
    let manifest = text.parse::<Table>().ok()?;
    let mut package = Package::new(Ecosystem::Python, path);
    let poetry = manifest.get("tool").and_then(|tool| tool.get("poetry")).and_then(Value::as_table);
    let project = manifest.get("project").and_then(Value::as_table).or(poetry)?;
    let field = |name: &str| project.get(name).and_then(Value::as_str).map(str::to_owned);
    package.name = field("name").unwrap_or_default();
    package.version = field("version");
    package.description = field("description");
    package.licence = field("license").or_else(|| {
        project.get("license").and_then(|licence| licence.get("text")).and_then(Value::as_str).map(str::to_owned)
    });
    package.requires = field("requires-python").map(|version| format!("Python {version}"));
    if let Some(scripts) = project.get("scripts").and_then(Value::as_table) {
        for (name, target) in scripts {
            package.programs.push((name.clone(), target.as_str().unwrap_or_default().to_owned()));
        }
    }
    for wanted in project.get("dependencies").and_then(Value::as_array).into_iter().flatten() {
        depend(&mut package, "Runtime", wanted.as_str().unwrap_or_default());
    }
    for (table, kind) in [("dependencies", "Runtime"), ("dev-dependencies", "Development")] {
        let Some(entries) = project.get(table).and_then(Value::as_table) else { continue };
        for (name, wanted) in entries {
            let version = wanted.as_str().or_else(|| wanted.get("version").and_then(Value::as_str)).unwrap_or_default();
            if name == "python" {
                package.requires = Some(format!("Python {version}"));
            } else {
                package.depend(kind, name, version);
            }
        }
    }
    let extras = project.get("optional-dependencies").and_then(Value::as_table);
    for (extra, wanted) in extras.into_iter().flatten() {
        let wanted: Vec<&str> = wanted.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        package.features.push((extra.clone(), wanted.join(", ")));
        for wanted in wanted {
            depend(&mut package, "Optional", wanted);
        }
    }
    Some(package)
}

/// `name[extra]>=1.0; marker`.
fn depend(package: &mut Package, kind: &'static str, wanted: &str) {
    let wanted = wanted.split(';').next().unwrap_or_default().trim();
    let end = wanted
        .find(|c: char| !c.is_alphanumeric() && !matches!(c, '-' | '_' | '.' | '[' | ']' | ','))
        .unwrap_or(wanted.len());
    package.depend(kind, &wanted[..end], &wanted[end..]);
}

/// Reads `setup.cfg`.
pub(super) fn read_setup_cfg(path: &str, text: &str) -> Option<Package> {
    let mut package = Package::new(Ecosystem::Python, path);
    let (mut section, mut list) = (String::new(), "");
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.clone_into(&mut section);
            list = "";
        } else if line.starts_with([' ', '\t']) {
            let line = line.trim();
            match list {
                "install_requires" => depend(&mut package, "Runtime", line),
                "console_scripts" => {
                    if let Some((name, target)) = line.split_once('=') {
                        package.programs.push((name.trim().to_owned(), target.trim().to_owned()));
                    }
                }
                _ => {}
            }
        } else if let Some((key, value)) = line.split_once('=') {
            let value = Some(value.trim().to_owned()).filter(|value| !value.is_empty());
            list = "";
            match (section.as_str(), key.trim()) {
                ("metadata", "name") => package.name = value.unwrap_or_default(),
                ("metadata", "version") => package.version = value.filter(|value| !value.starts_with("attr")),
                ("metadata", "description") => package.description = value,
                ("metadata", "license") => package.licence = value,
                ("options", "python_requires") => package.requires = value.map(|value| format!("Python {value}")),
                ("options", "install_requires") => list = "install_requires",
                ("options.entry_points", "console_scripts") => list = "console_scripts",
                _ => {}
            }
        }
    }
    (!package.name.is_empty()).then_some(package)
}

/// Reads the keyword arguments of `setup()` that are plain strings.
pub(super) fn read_setup_py(path: &str, text: &str) -> Option<Package> {
    let mut package = Package::new(Ecosystem::Python, path);
    for line in text.lines().map(str::trim) {
        let Some((key, value)) = line.split_once('=') else { continue };
        let value = value.trim().trim_end_matches(',');
        let quoted = value.len() >= 2 && value.starts_with(['"', '\'']) && value.ends_with(['"', '\'']);
        if !quoted {
            continue;
        }
        let value = value[1..value.len() - 1].to_owned();
        match key.trim() {
            "name" => package.name = value,
            "version" => package.version = Some(value),
            "description" => package.description = Some(value),
            "license" => package.licence = Some(value),
            "python_requires" => package.requires = Some(format!("Python {value}")),
            _ => {}
        }
    }
    (!package.name.is_empty()).then_some(package)
}

/// Reads `requirements.txt`.
pub(super) fn read_requirements(path: &str, text: &str) -> Option<Package> {
    let mut package = Package::new(Ecosystem::Python, path);
    for line in text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()) {
        if line.starts_with(|c: char| c.is_alphanumeric()) && !line.contains("://") {
            depend(&mut package, "Runtime", line);
        }
    }
    (!package.dependencies.is_empty()).then_some(package)
}
