//! The stages of a generation, in order, with the names clients see in `current_stage`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A stage of the pipeline. The names are docsfy's.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema, sqlx::Type,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Stage {
    /// The repository is fetched and its commit pinned.
    Cloning,
    /// The pages of the site are decided.
    Planning,
    /// Only what changed since the last good commit is planned again.
    IncrementalPlanning,
    /// The pages are written.
    GeneratingPages,
    /// Every page is checked; what fails is written once more.
    Validating,
    /// Links between the pages are repaired and related pages found.
    CrossLinking,
    /// The site is rendered and published.
    Rendering,
    /// Nothing was to be done: the site stands at the newest commit.
    UpToDate,
}

impl Stage {
    /// Every stage in order.
    pub const ALL: [Self; 8] = [
        Self::Cloning,
        Self::Planning,
        Self::IncrementalPlanning,
        Self::GeneratingPages,
        Self::Validating,
        Self::CrossLinking,
        Self::Rendering,
        Self::UpToDate,
    ];

    /// The stage's name in JSON, SQL and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cloning => "cloning",
            Self::Planning => "planning",
            Self::IncrementalPlanning => "incremental_planning",
            Self::GeneratingPages => "generating_pages",
            Self::Validating => "validating",
            Self::CrossLinking => "cross_linking",
            Self::Rendering => "rendering",
            Self::UpToDate => "up_to_date",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Stage {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|stage| stage.as_str() == text)
            .ok_or_else(|| format!("unknown stage `{}`", text.escape_debug()))
    }
}
