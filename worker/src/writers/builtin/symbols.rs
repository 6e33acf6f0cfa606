//! What is known about a source file after parsing: its public items, modules, re-exports and facts.
//!
//! These types cross the pipe between the parsing child and its parent as JSON, so every one is bounded by the limits
//! below before it is written, and defaults are left out.

use serde::{Deserialize, Serialize};

/// Longest signature kept, in bytes.
pub(crate) const MAX_SIGNATURE_BYTES: usize = 4_000;
/// Longest documentation text of one item kept, in bytes.
pub(crate) const MAX_DOC_BYTES: usize = 24_000;
/// Most items of one file, and most members of one item.
pub(crate) const MAX_ITEMS: usize = 2_000;

/// Everything taken from one file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ParsedFile {
    /// The file as a module.
    pub(crate) scope: Scope,
    /// The package that the file says it belongs to (Go, Java).
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) package: String,
    /// What the program reads from its surroundings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) facts: Vec<Fact>,
}

/// A module: a file, or a block inside of one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Scope {
    /// Text of the module's own documentation, comment signs removed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) doc: String,
    /// Items in source order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) items: Vec<Item>,
    /// Modules declared here (Rust).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) modules: Vec<Module>,
    /// Names passed on from elsewhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) exports: Vec<Export>,
}

/// A declared module.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Module {
    /// Its name.
    pub(crate) name: String,
    /// Whether other packages see it.
    pub(crate) public: bool,
    /// The file it says it is in, when that is not the usual one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<String>,
    /// Its documentation at the declaration.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) doc: String,
    /// Its content, when it stands in the same file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) inline: Option<Box<Scope>>,
}

/// A name passed on: `pub use a::b as c`, `from .a import b`, `export { b } from "./a"`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Export {
    /// Where it comes from, part by part; the last part is the name there. Empty last part: everything.
    pub(crate) from: Vec<String>,
    /// The name here; empty when everything is passed on.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) name: String,
}

/// One documented item.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Item {
    /// What it is.
    pub(crate) kind: ItemKind,
    /// Its name.
    pub(crate) name: String,
    /// The type it belongs to when it stands apart from it (impl blocks, Go methods).
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) owner: String,
    /// Its declaration without body.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) signature: String,
    /// Text of its documentation, comment signs removed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) doc: String,
    /// First and last line, from 1.
    pub(crate) lines: (u32, u32),
    /// Whether only its own package sees it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) internal: bool,
    /// Methods, fields, variants.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) members: Vec<Item>,
}

/// Kinds of items, in the order in which a page shows them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ItemKind {
    Macro,
    Trait,
    Interface,
    Class,
    Struct,
    Union,
    Enum,
    Record,
    Annotation,
    #[default]
    Function,
    Type,
    Constant,
    Variable,
    /// Not shown by itself: a block of methods of a type that stands elsewhere; `name` is the trait, if there is one.
    Impl,
    Method,
    Field,
    Variant,
}

impl ItemKind {
    /// The heading over items of this kind.
    pub(crate) fn heading(self) -> &'static str {
        match self {
            Self::Macro => "Macros",
            Self::Trait => "Traits",
            Self::Interface => "Interfaces",
            Self::Class => "Classes",
            Self::Struct => "Structs",
            Self::Union => "Unions",
            Self::Enum => "Enums",
            Self::Record => "Records",
            Self::Annotation => "Annotations",
            Self::Function => "Functions",
            Self::Type => "Types",
            Self::Constant => "Constants",
            Self::Variable => "Variables",
            Self::Impl | Self::Method => "Methods",
            Self::Field => "Fields",
            Self::Variant => "Variants",
        }
    }

    /// Whether it is listed inside its owner's text rather than under a heading of its own.
    pub(crate) fn is_listed(self) -> bool {
        matches!(self, Self::Field | Self::Variant)
    }
}

/// Something that the code reads from its surroundings or offers to them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "lowercase")]
pub(crate) enum Fact {
    /// An environment variable that is read.
    Environment {
        /// The variable.
        name: String,
        /// What is used without it, as the code writes it.
        default: String,
        /// Line, from 1.
        line: u32,
    },
    /// An address that is answered over HTTP.
    Route {
        /// `GET`, `POST`, ... or `ANY`.
        method: String,
        /// The path pattern.
        path: String,
        /// What answers, as the code writes it.
        handler: String,
        /// Line, from 1.
        line: u32,
    },
    /// A command or subcommand of a command line.
    Command {
        /// Its name.
        name: String,
        /// What it does.
        help: String,
        /// Line, from 1.
        line: u32,
    },
    /// An option or argument of a command line.
    Flag {
        /// The command it belongs to, when known.
        command: String,
        /// `--name`, `-n` or `NAME`, joined by `, `.
        names: String,
        /// What it does.
        help: String,
        /// Its default, as the code writes it.
        default: String,
        /// Line, from 1.
        line: u32,
    },
}

impl Item {
    /// Cuts texts and members to the limits, so that one item cannot fill a page or the pipe.
    pub(crate) fn bounded(mut self) -> Self {
        self.signature = cut(&self.signature, MAX_SIGNATURE_BYTES);
        self.doc = cut(&self.doc, MAX_DOC_BYTES);
        self.name = cut(&self.name, 200);
        self.members.truncate(MAX_ITEMS);
        self
    }
}

/// The text, or its beginning with `…` when it is longer than `max_bytes`.
pub(crate) fn cut(text: &str, max_bytes: usize) -> String {
    if text.len() <= max_bytes {
        return text.to_owned();
    }
    let mut end = max_bytes;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}
