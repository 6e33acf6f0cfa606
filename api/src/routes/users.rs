//! Users, for admins.

use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header};
use serde_json::Value;
use shared::{
    db::{self, deletions::Outcome},
    events::{AccessChange, announce_access},
    names::Username,
    user::{ADMIN, Role},
    wire::{CreateUserRequest, CreateUserResponse, DeleteUserResponse, ErrorResponse, User, UsersResponse},
};

use crate::{
    auth::{doors::Admin, keys},
    body::Body,
    deleted_sites,
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
    let fields = body.to_admin_object()?;
    let username = match fields.get("username") {
        None | Some(Value::Null) => return Err(ApiError::bad_request("Username is required")),
        Some(Value::String(text)) if text.is_empty() => return Err(ApiError::bad_request("Username is required")),
        Some(Value::String(text)) => text,
        Some(_) => return Err(ApiError::bad_request("Username must be a string")),
    };
    if username.eq_ignore_ascii_case(ADMIN) {
        return Err(ApiError::bad_request(format!("Username '{ADMIN}' is reserved")));
    }
    let username: Username =
        username.parse().map_err(|error: shared::names::InvalidName| ApiError::bad_request(error.0))?;
    let role = role_of(fields.get("role"))?;
    let key = keys::new_key();
    let kept = state.keys().keep_generated(&key);
    let mut transaction = db::begin(state.pool()).await?;
    if db::users::create(&mut transaction, &username, role, &kept).await?.is_none() {
        return Err(ApiError::bad_request(format!("User '{username}' already exists")));
    }
    announce_access(&mut transaction, &AccessChange::User(username.to_string())).await?;
    transaction.commit().await?;
    tracing::info!(audit = true, admin = %admin.username, username = %username, role = role.as_str(), "user created");
    let response = CreateUserResponse { username: username.to_string(), api_key: key, role };
    Ok(no_store(Json(response)))
}

/// Deletes a user with all sessions, projects and grants; not while one of the projects is being generated.
#[utoipa::path(
    delete,
    path = "/api/admin/users/{username}",
    tag = "users",
    params(("username" = String, Path)),
    responses(
        (status = 200, body = DeleteUserResponse),
        (status = 400, body = ErrorResponse, description = "The caller's own account"),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse),
        (status = 409, body = ErrorResponse, description = "Something of the user is being generated"),
    )
)]
pub(super) async fn delete_user(
    State(state): State<ApiState>,
    Admin(admin): Admin,
    Path(username): Path<String>,
) -> Result<Json<DeleteUserResponse>, ApiError> {
    if username == *admin.username {
        return Err(ApiError::bad_request("Cannot delete your own account"));
    }
    let missing = || unknown_user(&username);
    let user: Username = username.parse().map_err(|_| missing())?;
    if user.as_str() == ADMIN {
        return Err(missing());
    }
    let mut transaction = db::begin(state.pool()).await?;
    let prefixes = match db::deletions::delete_of_owner(&mut transaction, user.as_str()).await? {
        Outcome::Deleted(prefixes) => prefixes,
        Outcome::Missing => Vec::new(),
        Outcome::Active => return Err(ApiError::conflict("Cannot delete user while generation is in progress")),
    };
    db::access::delete_sessions_of(&mut transaction, user.as_str()).await?;
    if !db::users::delete(&mut transaction, user.as_str()).await? {
        return Err(missing());
    }
    announce_access(&mut transaction, &AccessChange::User(user.to_string())).await?;
    transaction.commit().await?;
    state.callers().clear();
    tracing::info!(audit = true, admin = %admin.username, username = %user, "user deleted");
    deleted_sites::remove(&state, prefixes).await;
    Ok(Json(DeleteUserResponse { deleted: user.to_string() }))
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
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        ApiError::bad_request(format!("Invalid role: '{}'. Must be admin, user, or viewer.", shown(&text)))
    })
}

/// 404 for a name that nobody has.
pub(super) fn unknown_user(username: &str) -> ApiError {
    ApiError::not_found(format!("User '{}' not found", shown(username)))
}

/// What a sentence repeats of a text that may be anything.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(80).map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// An answer that shows a key is kept nowhere.
pub(super) fn no_store(answer: impl IntoResponse) -> Response {
    ([(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))], answer).into_response()
}
