//! Whom projects are shared with, for admins. As with docsfy, these routes know no bad names: what cannot exist does not.

use axum::{
    Json,
    extract::{Path, State},
};
use serde_json::{Map, Value};
use shared::{
    db,
    events::{AccessChange, announce_access},
    names::{ProjectName, Username},
    wire::{AccessResponse, ErrorResponse, GrantRequest, GrantResponse, RevokeResponse},
};

use super::users::{shown, unknown_user};
use crate::{
    access::OwnerQuery,
    auth::{Caller, doors::Admin},
    body::Body,
    error::ApiError,
    state::ApiState,
};

/// Lets a user read all variants of a project of somebody else; a second time changes nothing.
#[utoipa::path(
    post,
    path = "/api/admin/projects/{name}/access",
    tag = "users",
    params(("name" = String, Path)),
    request_body = GrantRequest,
    responses(
        (status = 200, body = GrantResponse),
        (status = 400, body = ErrorResponse, description = "No JSON object, or no user or owner in it"),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse),
    )
)]
pub(super) async fn grant_access(
    State(state): State<ApiState>,
    Admin(admin): Admin,
    Path(name): Path<String>,
    body: Body,
) -> Result<Json<GrantResponse>, ApiError> {
    let fields = body.to_admin_object()?;
    let username = text_of(&fields, "username", "Username")?;
    let owner = text_of(&fields, "owner", "Project owner")?;
    let missing = || ApiError::not_found(format!("Project '{}' not found for owner '{}'", shown(&name), shown(owner)));
    let username: Username = username.parse().map_err(|_| unknown_user(username))?;
    let mut transaction = db::begin(state.pool()).await?;
    if !db::deletions::hold_owner(&mut transaction, username.as_str()).await? {
        return Err(unknown_user(username.as_str()));
    }
    let project: ProjectName = name.parse().map_err(|_| missing())?;
    let owner: Username = owner.parse().map_err(|_| missing())?;
    if !db::grants::hold_project(&mut transaction, owner.as_str(), &project).await? {
        return Err(missing());
    }
    db::grants::create(&mut transaction, owner.as_str(), &project, username.as_str()).await?;
    announce_access(&mut transaction, &AccessChange::User(username.to_string())).await?;
    transaction.commit().await?;
    tracing::info!(audit = true, admin = %admin.username, %username, %project, %owner, "access granted");
    Ok(Json(GrantResponse { granted: name, username: username.to_string(), owner: owner.to_string() }))
}

/// Takes the right back; it does not matter whether it was there.
#[utoipa::path(
    delete,
    path = "/api/admin/projects/{name}/access/{username}",
    tag = "users",
    params(("name" = String, Path), ("username" = String, Path), ("owner" = String, Query, description = "Whose project")),
    responses(
        (status = 200, body = RevokeResponse),
        (status = 400, body = ErrorResponse, description = "No owner"),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
    )
)]
pub(super) async fn revoke_access(
    State(state): State<ApiState>,
    Admin(admin): Admin,
    Path((name, username)): Path<(String, String)>,
    owner: OwnerQuery,
) -> Result<Json<RevokeResponse>, ApiError> {
    let owner = owner_of(owner)?;
    if let (Ok(project), Ok(user), Ok(owner)) = (name.parse(), username.parse(), owner.parse()) {
        revoke(&state, &admin, &project, &user, &owner).await?;
    }
    Ok(Json(RevokeResponse { revoked: name, username, owner }))
}

async fn revoke(
    state: &ApiState,
    admin: &Caller,
    project: &ProjectName,
    username: &Username,
    owner: &Username,
) -> Result<(), ApiError> {
    let mut transaction = db::begin(state.pool()).await?;
    db::grants::delete(&mut transaction, owner.as_str(), project.as_str(), username.as_str()).await?;
    announce_access(&mut transaction, &AccessChange::User(username.to_string())).await?;
    transaction.commit().await?;
    tracing::info!(audit = true, admin = %admin.username, %username, %project, %owner, "access revoked");
    Ok(())
}

/// Lists who may read a project; nobody for one that does not exist.
#[utoipa::path(
    get,
    path = "/api/admin/projects/{name}/access",
    tag = "users",
    params(("name" = String, Path), ("owner" = String, Query, description = "Whose project")),
    responses(
        (status = 200, body = AccessResponse),
        (status = 400, body = ErrorResponse, description = "No owner"),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
    )
)]
pub(super) async fn list_access(
    State(state): State<ApiState>,
    _admin: Admin,
    Path(name): Path<String>,
    owner: OwnerQuery,
) -> Result<Json<AccessResponse>, ApiError> {
    let owner = owner_of(owner)?;
    let mut users = Vec::new();
    if let (Ok(project), Ok(owner)) = (name.parse::<ProjectName>(), owner.parse::<Username>()) {
        let mut conn = state.pool().acquire().await?;
        users = db::grants::list(&mut conn, owner.as_str(), project.as_str()).await?;
    }
    Ok(Json(AccessResponse { project: name, owner, users }))
}

/// A text that must be there; `called` is what the sentences call it.
fn text_of<'a>(fields: &'a Map<String, Value>, name: &str, called: &str) -> Result<&'a str, ApiError> {
    match fields.get(name) {
        None | Some(Value::Null) => Err(ApiError::bad_request(format!("{called} is required"))),
        Some(Value::String(text)) if text.is_empty() => Err(ApiError::bad_request(format!("{called} is required"))),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(ApiError::bad_request(format!("{called} must be a string"))),
    }
}

fn owner_of(OwnerQuery(owner): OwnerQuery) -> Result<String, ApiError> {
    owner.filter(|owner| !owner.is_empty()).ok_or_else(|| ApiError::bad_request("Project owner is required"))
}
