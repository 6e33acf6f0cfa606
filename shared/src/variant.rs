//! A variant: what one owner's project looks like from one branch, written by one model.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    names::{BranchName, ModelId, ProjectName},
    provider::Provider,
};

/// What identifies a variant. `owner` is a plain text because ownerless rows of docsfy carry the empty string.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct VariantKey {
    /// User name of the owner, or empty.
    pub owner: String,
    /// Project.
    pub name: ProjectName,
    /// Branch or tag.
    pub branch: BranchName,
    /// Provider.
    pub provider: Provider,
    /// Model.
    pub model: ModelId,
}

impl VariantKey {
    /// The key of a row's columns.
    pub fn new(owner: String, name: ProjectName, branch: BranchName, provider: Provider, model: ModelId) -> Self {
        Self { owner, name, branch, provider, model }
    }
}

/// `name/branch/provider/model`, as docsfy writes it in messages.
impl fmt::Display for VariantKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{}", self.name, self.branch, self.provider, self.model)
    }
}

/// The public state of a variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Status {
    /// A generation is queued or running.
    Generating,
    /// The newest generation was published.
    Ready,
    /// The newest generation failed; an older site may still be served.
    Error,
    /// The newest generation was aborted; an older site may still be served.
    Aborted,
}

impl Status {
    /// The name in JSON and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Generating => "generating",
            Self::Ready => "ready",
            Self::Error => "error",
            Self::Aborted => "aborted",
        }
    }
}
