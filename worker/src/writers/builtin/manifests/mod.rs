//! What the manifests say: packages with name, version, licence, requirements and dependencies, one file per ecosystem.

mod cargo;
mod python;
mod npm;
mod go;
mod jvm;
mod cmake;

use super::{
    sources::{Role, role},
    tree::{FileReader, RepositoryFile},
};

/// Largest manifest that is read, in bytes.
const MAX_MANIFEST_BYTES: u64 = 1 << 20;
/// Most packages of one repository.
pub(crate) const MAX_PACKAGES: usize = 80;
/// Most dependencies of one package.
const MAX_DEPENDENCIES: usize = 300;

/// Who reads a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Ecosystem {
    Cargo,
    Python,
    Npm,
    Go,
    Maven,
    Gradle,
    CMake,
}

/// One package of the repository.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    /// Its ecosystem.
    pub(crate) ecosystem: Ecosystem,
    /// The folder of its manifest; empty for the root.
    pub(crate) folder: String,
    /// Path of its manifest.
    pub(crate) manifest: String,
    /// Its name; empty for a manifest that only ties others together.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: Option<String>,
    /// What it is, in a sentence.
    pub(crate) description: Option<String>,
    /// Its licence, as written.
    pub(crate) licence: Option<String>,
    /// What it needs to be built or run, such as `Rust 1.85`.
    pub(crate) requires: Option<String>,
    /// Whether it is never published.
    pub(crate) private: bool,
    /// Whether other code can use it.
    pub(crate) library: Option<String>,
    /// Programs it makes: name and the file they begin in.
    pub(crate) programs: Vec<(String, String)>,
    /// Named commands of the manifest, such as npm scripts.
    pub(crate) scripts: Vec<(String, String)>,
    /// Switches for optional parts: name and what they turn on.
    pub(crate) features: Vec<(String, String)>,
    /// What it depends on.
    pub(crate) dependencies: Vec<Dependency>,
    /// The group of its coordinates (Maven, Gradle).
    pub(crate) group: Option<String>,
}

/// What a package depends on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Dependency {
    /// `Runtime`, `Development`, `Build`, `Optional` or `Peer`.
    pub(crate) kind: &'static str,
    /// Its name.
    pub(crate) name: String,
    /// The versions that fit, as written.
    pub(crate) requirement: String,
}

impl Package {
    fn new(ecosystem: Ecosystem, manifest: &str) -> Self {
        Self {
            ecosystem,
            folder: manifest.rsplit_once('/').map(|(folder, _)| folder.to_owned()).unwrap_or_default(),
            manifest: manifest.to_owned(),
            name: String::new(),
            version: None,
            description: None,
            licence: None,
            requires: None,
            private: false,
            library: None,
            programs: Vec::new(),
            scripts: Vec::new(),
            features: Vec::new(),
            dependencies: Vec::new(),
            group: None,
        }
    }

    fn depend(&mut self, kind: &'static str, name: &str, requirement: &str) {
        if self.dependencies.len() < MAX_DEPENDENCIES && !name.is_empty() {
            self.dependencies.push(Dependency {
                kind,
                name: name.to_owned(),
                requirement: requirement.trim().to_owned(),
            });
        }
    }

    /// A path inside the package's folder as a path of the repository.
    pub(crate) fn path(&self, inside: &str) -> String {
        let inside = inside.trim_start_matches("./");
        if self.folder.is_empty() { inside.to_owned() } else { format!("{}/{inside}", self.folder) }
    }
}

/// Reads every manifest that is the project's own: the main package first, then those nearest to the root.
/// `project` is the repository's name.
pub(crate) fn read_packages(files: &[RepositoryFile], reader: &FileReader, project: &str) -> Vec<Package> {
    let exists = |path: &str| files.binary_search_by(|file| file.path.as_str().cmp(path)).is_ok();
    let mut found: Vec<&RepositoryFile> =
        files.iter().filter(|file| is_manifest(&file.path) && role(&file.path) == Role::Own).collect();
    found.sort_by_key(|file| (file.path.matches('/').count(), file.path.clone()));
    let texts: Vec<(&str, String)> = found
        .into_iter()
        .take(4 * MAX_PACKAGES)
        .filter_map(|file| Some((file.path.as_str(), reader.text(file, MAX_MANIFEST_BYTES)?)))
        .collect();
    let workspaces = cargo::workspaces(&texts);
    let mut packages: Vec<Package> = Vec::new();
    for (path, text) in &texts {
        let name = path.rsplit('/').next().unwrap_or_default();
        let package = match name {
            "Cargo.toml" => cargo::read(path, text, &workspaces, &exists),
            "pyproject.toml" => python::read_pyproject(path, text),
            "setup.cfg" => python::read_setup_cfg(path, text),
            "setup.py" => python::read_setup_py(path, text),
            "requirements.txt" => python::read_requirements(path, text),
            "package.json" => npm::read(path, text),
            "go.mod" => go::read(path, text, files),
            "pom.xml" => jvm::read_pom(path, text),
            "build.gradle" | "build.gradle.kts" => jvm::read_gradle(path, text),
            _ => cmake::read(path, text),
        };
        let Some(mut package) = package else { continue };
        package.dependencies.sort();
        package.dependencies.dedup();
        merge(&mut packages, package);
    }
    packages.truncate(MAX_PACKAGES);
    if let Some(main) = main_package(&packages, project) {
        packages[..=main].rotate_right(1);
    }
    packages
}

/// The public package at the root, else the one that is named like the project, else the first that fits at all.
fn main_package(packages: &[Package], project: &str) -> Option<usize> {
    let position =
        |fits: &dyn Fn(&Package) -> bool| packages.iter().position(|package| !package.name.is_empty() && fits(package));
    let last_part = |name: &str| name.rsplit(['/', ':']).next().unwrap_or_default().to_lowercase();
    position(&|package| package.folder.is_empty() && !package.private && package.ecosystem != Ecosystem::CMake)
        .or_else(|| position(&|package| last_part(&package.name) == project.to_lowercase()))
        .or_else(|| position(&|package| package.folder.is_empty()))
        .or_else(|| position(&|package| !package.private))
        .or_else(|| position(&|_| true))
}

/// setup.py beside setup.cfg beside pyproject.toml is one package: the first that says something wins.
fn merge(packages: &mut Vec<Package>, package: Package) {
    let same = packages.iter_mut().find(|known| {
        known.ecosystem == package.ecosystem && known.folder == package.folder && package.ecosystem == Ecosystem::Python
    });
    let Some(known) = same else {
        packages.push(package);
        return;
    };
    if known.name.is_empty() {
        known.name = package.name;
        known.manifest = package.manifest;
    }
    known.version = known.version.take().or(package.version);
    known.description = known.description.take().or(package.description);
    known.licence = known.licence.take().or(package.licence);
    known.requires = known.requires.take().or(package.requires);
    known.programs.extend(package.programs);
    if known.dependencies.is_empty() {
        known.dependencies = package.dependencies;
    }
}

/// Whether a file is read as a manifest.
pub(crate) fn is_manifest(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let root_only = matches!(name, "CMakeLists.txt" | "requirements.txt") && !path.contains('/');
    root_only
        || matches!(
            name,
            "Cargo.toml"
                | "pyproject.toml"
                | "setup.cfg"
                | "setup.py"
                | "package.json"
                | "go.mod"
                | "pom.xml"
                | "build.gradle"
                | "build.gradle.kts"
        )
}
