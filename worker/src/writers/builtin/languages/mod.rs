//! The languages whose source is parsed: one file each, walking the syntax tree for what other people may use.

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

use serde::{Deserialize, Serialize};
use tree_sitter::Node;

use self::syntax::Source;
use super::{
    sources::says_generated,
    symbols::{MAX_ITEMS, ParsedFile},
};

/// A language that is parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
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
}

impl Language {
    /// Every language; the position is its number on the pipe.
    pub(crate) const ALL: [Self; 9] = [
        Self::Rust,
        Self::Python,
        Self::JavaScript,
        Self::TypeScript,
        Self::Tsx,
        Self::Go,
        Self::Java,
        Self::C,
        Self::Cpp,
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
        }
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
    };
    file.scope.items.truncate(MAX_ITEMS);
    file.facts.sort();
    file.facts.dedup();
    file.facts.truncate(MAX_ITEMS);
    file
}
