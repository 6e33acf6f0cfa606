//! Whom projects are shared with.

use serde::{Deserialize, Serialize};

/// The body of `POST /api/admin/projects/{name}/access`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct GrantRequest {
    /// Who shall read the project.
    #[schema(pattern = "^[^\\x00]+$")]
    pub username: String,
    /// Whose project it is.
    #[schema(pattern = "^[^\\x00]+$")]
    pub owner: String,
}

/// The user may read the project now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct GrantResponse {
    /// Project name.
    pub granted: String,
    /// Who may read it.
    pub username: String,
    /// Whose project it is.
    pub owner: String,
}

/// The user may not read the project any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RevokeResponse {
    /// Project name.
    pub revoked: String,
    /// Who may not read it any more.
    pub username: String,
    /// Whose project it is.
    pub owner: String,
}

/// Who may read a project besides its owner and admins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AccessResponse {
    /// Project name.
    pub project: String,
    /// Whose project it is.
    pub owner: String,
    /// User names, sorted.
    pub users: Vec<String>,
}
