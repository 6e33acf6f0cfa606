//! Users, as admins make and list them.

use serde::{Deserialize, Serialize};

use crate::{db::users::UserRow, user::Role};

use super::project::to_the_second;

/// The body of `POST /api/admin/users`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct CreateUserRequest {
    /// 2 to 50 letters, digits, `.`, `_`, `-`; not `admin`.
    #[schema(pattern = "^[a-zA-Z0-9][a-zA-Z0-9._-]{1,49}$")]
    pub username: String,
    /// `user` when missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Role, required = false)]
    pub role: Option<Role>,
}

/// A new user with the only copy of its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CreateUserResponse {
    /// User name.
    pub username: String,
    /// The key; it is not shown again.
    pub api_key: String,
    /// Role.
    pub role: Role,
}

/// Every user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct UsersResponse {
    /// The newest first.
    pub users: Vec<User>,
}

/// The user is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DeleteUserResponse {
    /// User name.
    pub deleted: String,
}

/// A user, without the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct User {
    /// Number of the user.
    pub id: i64,
    /// User name.
    pub username: String,
    /// Role.
    pub role: Role,
    /// `YYYY-MM-DD HH:MM:SS` in UTC.
    pub created_at: String,
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        Self { id: row.id, username: row.username, role: row.role, created_at: to_the_second(row.created_at) }
    }
}
