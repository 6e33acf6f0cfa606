//! New keys for users: their own by themselves, anybody's by admins.

use axum::{
    Json,
    extract::{Path, State},
    response::Response,
};
use http::header;
use serde_json::Value;
use shared::{
    db,
    events::{AccessChange, announce_access},
    names::Username,
    user::ADMIN,
    wire::{ErrorResponse, RotateKeyRequest, RotateKeyResponse},
};

use super::users::{no_store, unknown_user};
use crate::{
    auth::{
        chosen_key,
        doors::{Admin, Reader},
        keys, session, throttle,
    },
    body::Body,
    error::ApiError,
    state::ApiState,
};

/// Gives the caller another key, chosen or generated, and ends all sessions of the caller.
#[utoipa::path(
    post,
    path = "/api/auth/rotate-key",
    tag = "auth",
    request_body = RotateKeyRequest,
    responses(
        (status = 200, body = RotateKeyResponse),
        (status = 400, body = ErrorResponse, description = "No JSON object, a key that cannot be, or the admin key's caller"),
        (status = 401, body = ErrorResponse),
        (status = 429, body = ErrorResponse, description = "Too many keys were chosen"),
    )
)]
pub(super) async fn rotate_own_key(
    State(state): State<ApiState>,
    Reader(caller): Reader,
    body: Body,
) -> Result<Response, ApiError> {
    if &*caller.username == ADMIN {
        let sentence = "ADMIN_KEY users cannot rotate keys. Change the ADMIN_KEY env var instead.";
        return Err(ApiError::bad_request(sentence));
    }
    let chosen = chosen_key_of(&body)?;
    if chosen.is_some() {
        throttle::take_choice(&state, &caller.username).await?;
    }
    let new_api_key = rotate(&state, &caller.username, chosen).await?.ok_or_else(ApiError::unauthorized)?;
    tracing::info!(audit = true, username = %caller.username, "key rotated by its user");
    let answer = Json(RotateKeyResponse { username: caller.username.to_string(), new_api_key });
    Ok(no_store(([(header::SET_COOKIE, session::forget(&state))], answer)))
}

/// Gives a user another key, chosen or generated, and ends all sessions of the user.
#[utoipa::path(
    post,
    path = "/api/admin/users/{username}/rotate-key",
    tag = "users",
    params(("username" = String, Path)),
    request_body = RotateKeyRequest,
    responses(
        (status = 200, body = RotateKeyResponse),
        (status = 400, body = ErrorResponse, description = "No JSON object, or a key that cannot be"),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse),
    )
)]
pub(super) async fn rotate_user_key(
    State(state): State<ApiState>,
    Admin(admin): Admin,
    Path(username): Path<String>,
    body: Body,
) -> Result<Response, ApiError> {
    let chosen = chosen_key_of(&body)?;
    let missing = || unknown_user(&username);
    let username: Username = username.parse().map_err(|_| missing())?;
    let new_api_key = rotate(&state, username.as_str(), chosen).await?.ok_or_else(missing)?;
    tracing::info!(audit = true, admin = %admin.username, username = %username, "key rotated by an admin");
    Ok(no_store(Json(RotateKeyResponse { username: username.to_string(), new_api_key })))
}

/// The key that the caller chose, in a form in which it can be used; nothing chosen means that one is generated.
fn chosen_key_of(body: &Body) -> Result<Option<String>, ApiError> {
    if body.bytes.trim_ascii().is_empty() {
        return Ok(None);
    }
    let fields = body.to_admin_object()?;
    for name in ["new_key", "new_api_key"] {
        match fields.get(name) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) if text.is_empty() => {}
            Some(Value::String(text)) => return chosen_key::check_form(text).map(|()| Some(text.clone())),
            Some(_) => return Err(ApiError::bad_request(format!("{name} must be a string"))),
        }
    }
    Ok(None)
}

/// Replaces a user's key and gives the new one; `None` when there is no such user.
async fn rotate(state: &ApiState, username: &str, chosen: Option<String>) -> Result<Option<String>, ApiError> {
    let (key, kept) = if let Some(key) = chosen {
        chosen_key::check_unused(state, username, &key).await?;
        let kept = state.keys().keep_chosen(&key).await?;
        (key, kept)
    } else {
        let key = keys::new_key();
        let kept = state.keys().keep_generated(&key);
        (key, kept)
    };
    let mut transaction = db::begin(state.pool()).await?;
    if !db::users::set_key(&mut transaction, username, &kept).await? {
        return Ok(None);
    }
    db::access::delete_sessions_of(&mut transaction, username).await?;
    announce_access(&mut transaction, &AccessChange::User(username.to_owned())).await?;
    transaction.commit().await?;
    state.callers().clear();
    Ok(Some(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(body: &str) -> Result<Option<String>, ApiError> {
        chosen_key_of(&Body { headers: http::HeaderMap::new(), bytes: body.to_owned().into() })
    }

    #[test]
    fn a_key_is_chosen_by_either_name_and_else_generated() {
        for none in ["", " \n", "{}", r#"{"new_key":null}"#, r#"{"new_key":"","other":1}"#] {
            assert_eq!(chosen(none).unwrap(), None, "{none}");
        }
        let key = "0123456789abcdef";
        for body in [format!(r#"{{"new_key":"{key}"}}"#), format!(r#"{{"new_key":"","new_api_key":"{key}"}}"#)] {
            assert_eq!(chosen(&body).unwrap().as_deref(), Some(key), "{body}");
        }
    }
}
