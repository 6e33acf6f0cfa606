//! Logging in.

use serde::{Deserialize, Serialize};

use crate::user::Role;

/// The body of `POST /api/auth/login`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct LoginRequest {
    /// User name.
    #[schema(pattern = "^[^\\x00]*$")]
    pub username: String,
    /// The user's key.
    #[schema(pattern = "^[^\\x00]*$")]
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

/// The body of the routes that give a user another key; an empty one asks for a generated key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct RotateKeyRequest {
    /// The key that is wanted: 16 to 256 visible ASCII characters. Generated when missing. `new_api_key` is the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^([!-~][ -~]{14,254}[!-~])?$")]
    pub new_key: Option<String>,
}

/// The only copy of a user's new key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RotateKeyResponse {
    /// User name.
    pub username: String,
    /// The key; it is not shown again.
    pub new_api_key: String,
}
