//! Keys of sample configurations: `.env.example`, `config.example.toml`, `settings.sample.yaml`.

use super::{Offer, OfferKind};

/// Most samples that are read.
pub(super) const MAX_SAMPLES: usize = 50;
/// Largest sample that is read, in bytes.
pub(super) const MAX_SAMPLE_BYTES: u64 = 256 << 10;
/// Most keys of one sample.
const MAX_KEYS: usize = 1_000;
/// Deepest folder in which samples are looked for.
const MAX_FOLDERS: usize = 2;

const MARKS: [&str; 5] = ["example", "sample", "template", "default", "dist"];

/// Whether a file shows how to configure the project.
pub(super) fn is_sample(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    if path.matches('/').count() > MAX_FOLDERS {
        return false;
    }
    let is_marked = name.split(['.', '-', '_']).any(|part| MARKS.contains(&part));
    is_marked && (is_environment(&name) || form(&name).is_some())
}

fn is_environment(name: &str) -> bool {
    name.split(['.', '-', '_']).any(|part| part == "env")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Toml,
    Yaml,
}

fn form(name: &str) -> Option<Form> {
    name.split('.').find_map(|part| match part {
        "toml" => Some(Form::Toml),
        "yaml" | "yml" => Some(Form::Yaml),
        _ => None,
    })
}

/// What the keys of a sample offer.
pub(super) fn read(path: &str, text: &str) -> Vec<Offer> {
    let name = path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let (kind, keys) = match form(&name) {
        Some(Form::Toml) => (OfferKind::Setting, toml_keys(text)),
        Some(Form::Yaml) => (OfferKind::Setting, yaml_keys(text)),
        None => (OfferKind::Environment, environment_keys(text)),
    };
    let offer = |(name, line)| Offer { kind, name, of: String::new(), path: path.to_owned(), line };
    keys.into_iter().take(MAX_KEYS).map(offer).collect()
}

type Keys = Vec<(String, u32)>;

fn lines(text: &str) -> impl Iterator<Item = (&str, u32)> {
    text.lines().zip(1_u32..).filter(|(line, _)| line.len() < 1_000)
}

fn is_key(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

/// `NAME=value`, also when it is commented out, as optional ones are.
fn environment_keys(text: &str) -> Keys {
    let key = |(line, number): (&str, u32)| {
        let line = line.trim_start_matches(['#', ' ']);
        let (name, _) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
        let name = name.trim();
        let is_name = name.len() > 1 && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
        is_name.then(|| (name.to_owned(), number))
    };
    lines(text).filter_map(key).collect()
}

/// `[table]` and `key = value`, as `table.key`.
fn toml_keys(text: &str) -> Keys {
    let mut table = String::new();
    let mut keys = Keys::new();
    for (line, number) in lines(text) {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[') {
            let name = name.trim_start_matches('[').split(']').next().unwrap_or_default();
            table = name.trim().replace('"', "");
            if is_key(&table) {
                keys.push((table.clone(), number));
            }
            continue;
        }
        let line = line.trim_start_matches(['#', ' ']);
        let Some((key, _)) = line.split_once('=') else { continue };
        let key = key.trim().trim_matches('"');
        if is_key(key) {
            keys.push((if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") }, number));
        }
    }
    keys
}

/// `key:` by its indentation, as `parent.key`; lists are passed over.
fn yaml_keys(text: &str) -> Keys {
    let mut parents: Vec<(usize, &str)> = Vec::new();
    let mut keys = Keys::new();
    for (line, number) in lines(text) {
        let trimmed = line.trim_start();
        let Some((key, rest)) = trimmed.split_once(':') else { continue };
        let key = key.trim().trim_matches(['"', '\'']);
        if !is_key(key) || !(rest.is_empty() || rest.starts_with(' ')) {
            continue;
        }
        let indentation = line.len() - trimmed.len();
        while parents.last().is_some_and(|(parent, _)| *parent >= indentation) {
            parents.pop();
        }
        parents.push((indentation, key));
        // deeper ones are data
        if parents.len() <= 6 {
            let names: Vec<&str> = parents.iter().map(|(_, name)| *name).collect();
            keys.push((names.join("."), number));
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(path: &str, text: &str) -> Vec<String> {
        assert!(is_sample(path), "{path}");
        read(path, text).into_iter().map(|offer| offer.name).collect()
    }

    #[test]
    fn keys_of_samples_are_settings() {
        assert_eq!(names(".env.example", "# The key\nAPI_KEY=\n#PORT=80\nnot one\n"), ["API_KEY", "PORT"]);
        let toml = "name = 1\n[server]\nport = 80\n# host = \"x\"\n";
        assert_eq!(names("config.example.toml", toml), ["name", "server", "server.port", "server.host"]);
        let yaml = "server:\n  port: 80\n  list:\n    - a\nlog: x\n";
        assert_eq!(names("conf/app.sample.yml", yaml), ["server", "server.port", "server.list", "log"]);
        for path in ["src/example.rs", "a/b/c/.env.example", "docs/example.md", "config.toml", ".env"] {
            assert!(!is_sample(path), "{path}");
        }
    }
}
