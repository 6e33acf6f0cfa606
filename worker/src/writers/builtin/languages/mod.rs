//! The languages whose source is parsed: one file each, walking the syntax tree for what other people may use. `outline`
//! is for the index of a repository: every definition of a file, by a table of node kinds in `definitions`.

mod syntax;
mod rust;
mod rust_facts;
mod python;
mod python_facts;
mod javascript;
mod javascript_facts;
mod go;
mod go_facts;
mod java;
mod java_facts;
mod c;
mod other_facts;
mod other_routes;
mod rails_routes;
mod definitions;
mod visibility;
mod outline;
pub(crate) mod packing;

use serde::{Deserialize, Serialize};
use tree_sitter::Node;

pub(crate) use self::outline::{DefinitionKind, Outline, Outlined, outline};
use self::syntax::Source;
use super::{
    sources::says_generated,
    symbols::{Fact, MAX_ITEMS, ParsedFile},
};

/// A language that is parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Language {
    Rust,
    Python,
    JavaScript,
    TypeScript,
    Tsx,
    Go,
    Java,
    C,
    Cpp,
    CSharp,
    Ruby,
    Php,
    Kotlin,
    Swift,
    Shell,
}

impl Language {
    /// Every language; the position is its number on the pipe.
    pub(crate) const ALL: [Self; 15] = [
        Self::Rust,
        Self::Python,
        Self::JavaScript,
        Self::TypeScript,
        Self::Tsx,
        Self::Go,
        Self::Java,
        Self::C,
        Self::Cpp,
        Self::CSharp,
        Self::Ruby,
        Self::Php,
        Self::Kotlin,
        Self::Swift,
        Self::Shell,
    ];

    /// The language of a file by the ending of its name.
    pub(crate) fn of_path(path: &str) -> Option<Self> {
        let (_, ending) = path.rsplit_once('.')?;
        Some(match ending {
            "rs" => Self::Rust,
            "py" | "pyi" => Self::Python,
            "js" | "mjs" | "cjs" | "jsx" => Self::JavaScript,
            "ts" | "mts" | "cts" => Self::TypeScript,
            "tsx" => Self::Tsx,
            "go" => Self::Go,
            "java" => Self::Java,
            "c" | "h" => Self::C,
            "cc" | "cpp" | "cxx" | "hh" | "hpp" | "hxx" | "h++" | "ipp" => Self::Cpp,
            "cs" => Self::CSharp,
            "rb" | "rake" | "gemspec" => Self::Ruby,
            "php" => Self::Php,
            "kt" | "kts" => Self::Kotlin,
            "swift" => Self::Swift,
            "sh" | "bash" => Self::Shell,
            _ => return None,
        })
    }

    /// The word after the fence of a code block.
    pub(crate) fn fence(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Python => "python",
            Self::JavaScript => "javascript",
            Self::TypeScript | Self::Tsx => "typescript",
            Self::Go => "go",
            Self::Java => "java",
            Self::C => "c",
            Self::Cpp => "cpp",
            Self::CSharp => "csharp",
            Self::Ruby => "ruby",
            Self::Php => "php",
            Self::Kotlin => "kotlin",
            Self::Swift => "swift",
            Self::Shell => "bash",
        }
    }

    /// Whether the built-in writer makes a reference of it; the others are known to the index only.
    pub(crate) fn has_reference(self) -> bool {
        !matches!(self, Self::CSharp | Self::Ruby | Self::Php | Self::Kotlin | Self::Swift | Self::Shell)
    }

    /// The grammar.
    pub(crate) fn grammar(self) -> tree_sitter::Language {
        match self {
            Self::Rust => tree_sitter_rust::LANGUAGE.into(),
            Self::Python => tree_sitter_python::LANGUAGE.into(),
            Self::JavaScript => tree_sitter_javascript::LANGUAGE.into(),
            Self::TypeScript => tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
            Self::Tsx => tree_sitter_typescript::LANGUAGE_TSX.into(),
            Self::Go => tree_sitter_go::LANGUAGE.into(),
            Self::Java => tree_sitter_java::LANGUAGE.into(),
            Self::C => tree_sitter_c::LANGUAGE.into(),
            Self::Cpp => tree_sitter_cpp::LANGUAGE.into(),
            Self::CSharp => tree_sitter_c_sharp::LANGUAGE.into(),
            Self::Ruby => tree_sitter_ruby::LANGUAGE.into(),
            Self::Php => tree_sitter_php::LANGUAGE_PHP.into(),
            Self::Kotlin => tree_sitter_kotlin_ng::LANGUAGE.into(),
            Self::Swift => tree_sitter_swift::LANGUAGE.into(),
            Self::Shell => tree_sitter_bash::LANGUAGE.into(),
        }
    }
}

/// Takes from a syntax tree what [`ParsedFile`] holds.
pub(crate) fn extract(language: Language, root: Node<'_>, text: &str, path: &str) -> ParsedFile {
    if says_generated(text) {
        return ParsedFile::default();
    }
    let source = Source { text };
    let mut file = match language {
        Language::Rust => rust::extract(&source, root),
        Language::Python => python::extract(&source, root),
        Language::JavaScript | Language::TypeScript | Language::Tsx => javascript::extract(&source, root),
        Language::Go => go::extract(&source, root),
        Language::Java => java::extract(&source, root, path),
        Language::C | Language::Cpp => c::extract(&source, root, path),
        Language::CSharp | Language::Ruby | Language::Php | Language::Kotlin | Language::Swift | Language::Shell => {
            ParsedFile::default()
        }
    };
    file.scope.items.truncate(MAX_ITEMS);
    file.facts.sort();
    file.facts.dedup();
    file.facts.truncate(MAX_ITEMS);
    file
}

/// What a file reads from its surroundings or offers to them.
fn facts(language: Language, source: &Source<'_>, root: Node<'_>) -> Vec<Fact> {
    let mut facts = match language {
        Language::Rust => rust_facts::facts(source, root),
        Language::Python => python_facts::facts(source, root),
        Language::JavaScript | Language::TypeScript | Language::Tsx => javascript_facts::facts(source, root),
        Language::Go => go_facts::facts(source, root),
        Language::Java => java_facts::facts(source, root),
        Language::C | Language::Cpp => c::facts(source, root),
        Language::CSharp | Language::Ruby | Language::Php | Language::Kotlin | Language::Swift | Language::Shell => {
            other_facts::facts(language, source)
        }
    };
    facts.sort();
    facts.dedup();
    facts.truncate(MAX_ITEMS);
    facts
}
