//! Users, for admins.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header};
use serde_json::Value;
use shared::{
    db,
    names::Username,
    user::{ADMIN, Role},
    wire::{CreateUserRequest, CreateUserResponse, ErrorResponse, User, UsersResponse},
};

use crate::{
    auth::{doors::Admin, keys},
    body::Body,
    error::ApiError,
    state::ApiState,
};

/// Makes a user and shows the key, once.
#[utoipa::path(
    post,
    path = "/api/admin/users",
    tag = "users",
    request_body = CreateUserRequest,
    responses(
        (status = 200, body = CreateUserResponse),
        (status = 400, body = ErrorResponse, description = "No JSON object, or a name or role that cannot be"),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
    )
)]
pub(super) async fn create_user(
    State(state): State<ApiState>,
    Admin(admin): Admin,
    body: Body,
) -> Result<Response, ApiError> {
    let fields = body.to_object()?;
    let username = match fields.get("username") {
        None | Some(Value::Null) => return Err(ApiError::bad_request("Username is required")),
        Some(Value::String(text)) if text.is_empty() => return Err(ApiError::bad_request("Username is required")),
        Some(Value::String(text)) => text,
        Some(_) => return Err(ApiError::bad_request("Username must be a string")),
    };
    if username.eq_ignore_ascii_case(ADMIN) {
        return Err(ApiError::bad_request(format!("Username '{username}' is reserved")));
    }
    let username: Username =
        username.parse().map_err(|error: shared::names::InvalidName| ApiError::bad_request(error.0))?;
    let role = role_of(fields.get("role"))?;
    let key = keys::new_key();
    let kept = state.keys().keep_generated(&key);
    let mut conn = state.pool().acquire().await?;
    if db::users::create(&mut conn, &username, role, &kept).await?.is_none() {
        return Err(ApiError::bad_request(format!("User '{username}' already exists")));
    }
    tracing::info!(audit = true, admin = %admin.username, username = %username, role = role.as_str(), "user created");
    let response = CreateUserResponse { username: username.to_string(), api_key: key, role };
    Ok(no_store(Json(response)))
}

/// Lists every user.
#[utoipa::path(
    get,
    path = "/api/admin/users",
    tag = "users",
    responses(
        (status = 200, body = UsersResponse),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
    )
)]
pub(super) async fn list_users(State(state): State<ApiState>, _admin: Admin) -> Result<Json<UsersResponse>, ApiError> {
    let mut conn = state.pool().acquire().await?;
    let users = db::users::list(&mut conn).await?;
    Ok(Json(UsersResponse { users: users.into_iter().map(User::from).collect() }))
}

fn role_of(field: Option<&Value>) -> Result<Role, ApiError> {
    let Some(value) = field else { return Ok(Role::User) };
    serde_json::from_value(value.clone()).map_err(|_| {
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let shown: String = shown.chars().take(50).collect();
        ApiError::bad_request(format!("Invalid role: '{shown}'. Must be admin, user, or viewer."))
    })
}

/// An answer that shows a key is kept nowhere.
pub(super) fn no_store(answer: impl IntoResponse) -> Response {
    ([(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))], answer).into_response()
}
