//! `go.mod`.

use super::{Ecosystem, Package};
use crate::writers::builtin::tree::RepositoryFile;

/// Reads one manifest. Programs are the folders that hold a `main.go`.
pub(super) fn read(path: &str, text: &str, files: &[RepositoryFile]) -> Option<Package> {
    let mut package = Package::new(Ecosystem::Go, path);
    let mut in_require = false;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("module ") {
            name.trim().trim_matches('"').clone_into(&mut package.name);
        } else if let Some(version) = line.strip_prefix("go ") {
            package.requires = Some(format!("Go {}", version.trim()));
        } else if line.starts_with("require (") {
            in_require = true;
        } else if line == ")" {
            in_require = false;
        } else if in_require || line.starts_with("require ") {
            let kind = if line.contains("// indirect") { "Indirect" } else { "Runtime" };
            let line = line.trim_start_matches("require ").split("//").next().unwrap_or_default();
            if let Some((name, version)) = line.trim().split_once(' ') {
                package.depend(kind, name, version);
            }
        }
    }
    let prefix = if package.folder.is_empty() { String::new() } else { format!("{}/", package.folder) };
    for file in files.iter().filter(|file| file.path.starts_with(&prefix) && file.path.ends_with("main.go")) {
        let inside = &file.path[prefix.len()..];
        let folder = inside.strip_suffix("main.go").unwrap_or_default().trim_end_matches('/');
        let is_command = folder.is_empty() || (folder.starts_with("cmd/") && folder.matches('/').count() == 1);
        if is_command && (inside == "main.go" || inside.ends_with("/main.go")) {
            let name = folder.rsplit('/').next().filter(|name| !name.is_empty());
            let name = name.or(package.name.rsplit('/').next()).unwrap_or_default().to_owned();
            package.programs.push((name, file.path.clone()));
        }
    }
    (!package.name.is_empty()).then_some(package)
}
