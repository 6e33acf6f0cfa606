//! `pom.xml` and `build.gradle`: what stands in them literally, without evaluating either.

use super::{Ecosystem, Package};

/// Reads `pom.xml`.
pub(super) fn read_pom(path: &str, text: &str) -> Option<Package> {
    let text = without_comments(text);
    let dependencies = elements(&text, "dependency");
    let parent = elements(&text, "parent").into_iter().next().unwrap_or_default();
    let mut own = text.clone();
    for block in ["dependencies", "dependencyManagement", "build", "profiles", "parent", "reporting"] {
        own = without_element(&own, block);
    }
    let mut package = Package::new(Ecosystem::Maven, path);
    package.name = element(&own, "artifactId")?;
    package.group = element(&own, "groupId").or_else(|| element(parent, "groupId"));
    package.version =
        element(&own, "version").or_else(|| element(parent, "version")).filter(|version| !version.contains("${"));
    package.description =
        element(&own, "description").or_else(|| element(&own, "name")).filter(|text| !text.contains("${"));
    package.licence = elements(&own, "license").first().and_then(|licence| element(licence, "name"));
    let java = ["maven.compiler.release", "maven.compiler.target", "java.version", "maven.compiler.source"];
    package.requires = java
        .iter()
        .find_map(|name| element(&own, name))
        .filter(|version| !version.contains("${"))
        .map(|version| format!("Java {version}"));
    for dependency in dependencies {
        let (Some(group), Some(name)) = (element(dependency, "groupId"), element(dependency, "artifactId")) else {
            continue;
        };
        let kind = match element(dependency, "scope").as_deref() {
            Some("test") => "Development",
            Some("provided") => "Provided",
            _ => "Runtime",
        };
        let version = element(dependency, "version").filter(|version| !version.contains("${")).unwrap_or_default();
        package.depend(kind, &format!("{group}:{name}"), &version);
    }
    Some(package)
}

fn without_comments(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<!--") {
        kept.push_str(before);
        rest = after.split_once("-->").map(|(_, after)| after).unwrap_or_default();
    }
    kept + rest
}

/// The contents of all elements of this name, in order.
fn elements<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(&open) {
        let Some((inner, after)) = after.split_once(&close) else { break };
        found.push(inner);
        rest = after;
    }
    found
}

fn element(text: &str, name: &str) -> Option<String> {
    let inner = elements(text, name).into_iter().next()?;
    let inner = inner.split_whitespace().collect::<Vec<_>>().join(" ");
    (!inner.is_empty() && !inner.contains('<')).then_some(inner)
}

fn without_element(text: &str, name: &str) -> String {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut kept = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(&open) {
        kept.push_str(before);
        // to the last end, because these elements are nested in each other and in themselves
        rest = after.split_once(&close).map(|(_, after)| after).unwrap_or_default();
    }
    kept + rest
}

/// Reads `build.gradle` and `build.gradle.kts`.
pub(super) fn read_gradle(path: &str, text: &str) -> Option<Package> {
    let mut package = Package::new(Ecosystem::Gradle, path);
    package.folder.rsplit('/').next().unwrap_or_default().clone_into(&mut package.name);
    for line in text.lines().map(str::trim) {
        let quoted = line.split(['"', '\'']).nth(1);
        let word = line.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        match (word, quoted) {
            ("group", Some(group)) if line.contains('=') || line.starts_with("group ") => {
                package.group = Some(group.to_owned());
            }
            ("version", Some(version)) if !version.contains('$') && package.version.is_none() => {
                package.version = Some(version.to_owned());
            }
            ("description", Some(description)) => package.description = Some(description.to_owned()),
            (
                "api" | "implementation" | "compileOnly" | "runtimeOnly" | "testImplementation" | "annotationProcessor",
                Some(what),
            ) => {
                let kind = if word.starts_with("test") { "Development" } else { "Runtime" };
                let mut parts = what.splitn(3, ':');
                if let (Some(group), Some(name)) = (parts.next(), parts.next()) {
                    package.depend(kind, &format!("{group}:{name}"), parts.next().unwrap_or_default());
                }
            }
            _ => {}
        }
    }
    (package.group.is_some() || !package.dependencies.is_empty()).then_some(package)
}
