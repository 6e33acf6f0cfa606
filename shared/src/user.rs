//! Users: what a role may do.

use serde::{Deserialize, Serialize};

/// Name of the one user that exists without a database row; its key is the setting `ADMIN_KEY`.
pub const ADMIN: &str = "admin";

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Role {
    /// Everything.
    Admin,
    /// Own projects, and reading shared ones.
    User,
    /// Reading.
    Viewer,
}

impl Role {
    /// The name in JSON and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::User => "user",
            Self::Viewer => "viewer",
        }
    }

    /// Whether the role may change anything.
    pub fn may_write(self) -> bool {
        matches!(self, Self::Admin | Self::User)
    }
}
