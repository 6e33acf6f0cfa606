//! Logging in.

use serde::{Deserialize, Serialize};

use crate::user::Role;

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
