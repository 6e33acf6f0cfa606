//! Sessions, as programs ask for them.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Map, Value};
use shared::wire::{AuthResponse, ErrorResponse, LoginRequest, LogoutResponse};

use crate::{
    auth::{self, Caller, client::ClientAddress, doors::Reader, gate, session},
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
        (status = 429, body = ErrorResponse, description = "Too many wrong keys; `Retry-After` says how long to wait"),
    )
)]
pub(super) async fn create_session(
    State(state): State<ApiState>,
    from: ClientAddress,
    body: Body,
) -> Result<Response, ApiError> {
    let fields = body.to_object()?;
    let (username, api_key) = (text_field(&fields, "username"), text_field(&fields, "api_key"));
    let Some((caller, cookie)) = log_in(&state, from, &username, &api_key).await? else {
        return Ok(refusal(StatusCode::UNAUTHORIZED, "Invalid username or password"));
    };
    Ok(([(header::SET_COOKIE, cookie)], Json(caller.to_response())).into_response())
}

/// Starts a session for a name with its key; gives the value of `Set-Cookie`.
pub(super) async fn log_in(
    state: &ApiState,
    from: ClientAddress,
    username: &str,
    api_key: &str,
) -> Result<Option<(Caller, HeaderValue)>, ApiError> {
    let ClientAddress(address) = from;
    let checked = auth::check_key(state, from, username, api_key).await;
    if matches!(checked, Err(ApiError::TooManyTries(_))) {
        tracing::warn!(audit = true, username = %shown(username), %address, "login refused after too many tries");
    }
    if let Some(entrant) = checked?
        && let Some(cookie) = session::start(state, &entrant).await?
    {
        tracing::info!(audit = true, username = %entrant.caller.username, %address, "login");
        return Ok(Some((entrant.caller, cookie)));
    }
    tracing::warn!(audit = true, username = %shown(username), %address, "login failed");
    Ok(None)
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
fn shown(text: &str) -> String {
    text.chars().take(50).flat_map(char::escape_debug).collect()
}
