//! What goes wrong, as an HTTP answer.
//!
//! The policy: a caller gets a sentence that helps, never a cause that tells about the inside. What is our fault is logged
//! here, once, and answered with a fixed text. A database that does not answer is 503 with `Retry-After`: the request was
//! fine and may be sent again.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use shared::wire::{ErrorResponse, ValidationErrorResponse, ValidationProblem};
use sites::store::StoreError;

/// Seconds after which a caller may try again when the database or the program is overloaded or away.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("2");

/// Why a request is not answered as asked.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// A status with a sentence for the caller.
    Refused(StatusCode, String),
    /// 422: the body does not fit.
    Validation(Vec<ValidationProblem>),
    /// 429: too many wrong keys; how long to wait.
    TooManyTries(Duration),
    /// 503: try again.
    Unavailable(anyhow::Error),
    /// 500: our fault.
    Internal(anyhow::Error),
}

impl ApiError {
    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::Refused(StatusCode::BAD_REQUEST, detail.into())
    }

    pub(crate) fn unauthorized() -> Self {
        Self::Refused(StatusCode::UNAUTHORIZED, "Unauthorized".into())
    }

    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::Refused(StatusCode::FORBIDDEN, detail.into())
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::Refused(StatusCode::NOT_FOUND, detail.into())
    }

    pub(crate) fn conflict(detail: impl Into<String>) -> Self {
        Self::Refused(StatusCode::CONFLICT, detail.into())
    }
}

/// Any status with docsfy's error shape.
pub(crate) fn refusal(status: StatusCode, detail: impl Into<String>) -> Response {
    (status, Json(ErrorResponse { detail: detail.into() })).into_response()
}

/// Seconds to wait as `Retry-After` says them, and the sentence that goes with it.
pub(crate) fn when_to_try_again(wait: Duration) -> (u64, String) {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    (seconds, format!("Too many tries. Try again in {seconds} seconds."))
}

/// 503 for a caller who may come back.
pub(crate) fn try_again(detail: &str) -> Response {
    let mut response = refusal(StatusCode::SERVICE_UNAVAILABLE, detail);
    response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER_SECONDS);
    response
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        match self {
            Self::Refused(status, detail) => refusal(status, detail),
            Self::Validation(detail) => {
                (StatusCode::UNPROCESSABLE_ENTITY, Json(ValidationErrorResponse { detail })).into_response()
            }
            Self::TooManyTries(wait) => {
                let (seconds, detail) = when_to_try_again(wait);
                let mut response = refusal(StatusCode::TOO_MANY_REQUESTS, detail);
                response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
                response
            }
            Self::Unavailable(error) => {
                tracing::warn!(error = format!("{error:#}"), "answered 503");
                try_again("Database is not available, try again shortly")
            }
            Self::Internal(error) => {
                tracing::error!(error = format!("{error:#}"), "answered 500");
                refusal(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
            }
        }
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        if is_passing(&error) { Self::Unavailable(error.into()) } else { Self::Internal(error.into()) }
    }
}

/// A failure that several callers share.
impl From<Arc<sqlx::Error>> for ApiError {
    fn from(error: Arc<sqlx::Error>) -> Self {
        if is_passing(&error) { Self::Unavailable(error.into()) } else { Self::Internal(error.into()) }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::Internal(error.into())
    }
}

/// Whether the same statement may succeed a moment later: no connection, no answer in time, or a server that is starting,
/// ending or full.
fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            // classes: connection, rollback (a deadlock), resources, operator intervention (a statement timeout too); 55P03:
            // a lock timeout
            ["08", "40", "53", "57"].iter().any(|class| code.starts_with(class)) || code == "55P03"
        }
        _ => false,
    }
}
