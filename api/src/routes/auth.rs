//! Sessions, as programs ask for them.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value};
use shared::wire::{AuthResponse, ErrorResponse, LoginRequest, LogoutResponse};

use crate::{
    auth::{self, doors::Reader, gate, session},
    body::Body,
    error::{ApiError, refusal},
    state::ApiState,
};

/// Logs in and sets the session cookie.
#[utoipa::path(
    post,
    path = "/api/auth/login",
    tag = "auth",
    security(()),
    request_body = LoginRequest,
    responses(
        (status = 200, body = AuthResponse, headers(("set-cookie" = String, description = "`docsfy_session`"))),
        (status = 400, body = ErrorResponse, description = "No JSON object"),
        (status = 401, body = ErrorResponse, description = "Wrong name or key"),
    )
)]
pub(super) async fn create_session(State(state): State<ApiState>, body: Body) -> Result<Response, ApiError> {
    let fields = body.to_object()?;
    let (username, api_key) = (text_field(&fields, "username"), text_field(&fields, "api_key"));
    let Some(caller) = auth::check_key(&state, &username, &api_key).await? else {
        tracing::warn!(audit = true, username = %shown(&username), "login failed");
        return Ok(refusal(StatusCode::UNAUTHORIZED, "Invalid username or password"));
    };
    let cookie = session::start(&state, &caller).await?;
    Ok(([(header::SET_COOKIE, cookie)], Json(caller.to_response())).into_response())
}

/// Ends the session and takes the cookie away; always succeeds.
#[utoipa::path(
    post,
    path = "/api/auth/logout",
    tag = "auth",
    security(()),
    responses((status = 200, body = LogoutResponse))
)]
pub(super) async fn delete_session(State(state): State<ApiState>, headers: HeaderMap) -> Result<Response, ApiError> {
    session::end(&state, &headers).await?;
    let cookie = [(header::SET_COOKIE, session::forget(&state))];
    if gate::wants_html(&headers) {
        // a form without JavaScript
        return Ok((cookie, Redirect::to("/login")).into_response());
    }
    Ok((cookie, Json(LogoutResponse { ok: true })).into_response())
}

/// Says who the caller is.
#[utoipa::path(
    get,
    path = "/api/auth/me",
    tag = "auth",
    responses((status = 200, body = AuthResponse), (status = 401, body = ErrorResponse))
)]
pub(super) async fn get_caller(Reader(caller): Reader) -> Json<AuthResponse> {
    Json(caller.to_response())
}

/// A field as text, whatever it is; docsfy reads numbers too.
fn text_field(fields: &Map<String, Value>, name: &str) -> String {
    match fields.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => String::new(),
    }
}

/// What a log line repeats of a name that somebody typed.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(50).flat_map(char::escape_debug).collect()
}
