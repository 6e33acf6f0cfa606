//! Who writes the words: the one list of providers.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A provider of writers. `Builtin` needs no model; the others are AI command lines.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema, sqlx::Type,
)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Provider {
    /// Extracts pages from the source itself; always available, costs nothing.
    Builtin,
    /// Anthropic's `claude`.
    Claude,
    /// Google's `gemini`.
    Gemini,
    /// Cursor's `agent`.
    Cursor,
}

/// The only model of [`Provider::Builtin`].
pub const BUILTIN_MODEL: &str = "extract";

impl Provider {
    /// Every provider, in the order people are shown them.
    pub const ALL: [Self; 4] = [Self::Builtin, Self::Claude, Self::Gemini, Self::Cursor];

    /// The provider's name in JSON, SQL, URLs and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Builtin => "builtin",
            Self::Claude => "claude",
            Self::Gemini => "gemini",
            Self::Cursor => "cursor",
        }
    }

    /// The provider's name on a page.
    pub fn label(self) -> &'static str {
        match self {
            Self::Builtin => "docmill",
            Self::Claude => "Claude",
            Self::Gemini => "Gemini",
            Self::Cursor => "Cursor",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Provider {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|provider| provider.as_str() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str).join(", ");
            format!("unknown provider `{}`, use one of {names}", text.escape_debug())
        })
    }
}
