//! Logging in.

use serde::{Deserialize, Serialize};

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything.
    Admin,
    /// Own projects, and reading shared ones.
    User,
    /// Reading.
    Viewer,
}

impl Role {
    /// Whether the role may change anything.
    pub fn may_write(self) -> bool {
        matches!(self, Self::Admin | Self::User)
    }
}

/// The body of `POST /api/auth/login`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct LoginRequest {
    /// User name.
    pub username: String,
    /// The user's key.
    pub api_key: String,
}

/// Who the caller is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AuthResponse {
    /// User name.
    pub username: String,
    /// Role.
    pub role: Role,
    /// Whether the role is `admin`.
    pub is_admin: bool,
}

/// The session has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LogoutResponse {
    /// Always true.
    pub ok: bool,
}
