//! Reading request bodies: at most 64 KiB, in the ways that docsfy reads JSON.

use axum::extract::{FromRequest, Request, rejection::BytesRejection};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value};

use crate::error::ApiError;

/// Longest body of any request, in bytes.
pub(crate) const MAX_BODY_BYTES: usize = 64 * 1024;

/// The whole body, with the headers that say what it is.
pub(crate) struct Body {
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Bytes,
}

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let headers = request.headers().clone();
        if announced_length(&headers).is_some_and(|length| length > MAX_BODY_BYTES as u64) {
            // told before anything of it is read
            return Err(too_large());
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|error| refused(&error))?;
        Ok(Self { headers, bytes })
    }
}

fn refused(error: &BytesRejection) -> ApiError {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return too_large();
    }
    ApiError::bad_request("Request body could not be read")
}

fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large() -> ApiError {
    let detail = format!("Request body is larger than {} KiB", MAX_BODY_BYTES / 1024);
    ApiError::Refused(StatusCode::PAYLOAD_TOO_LARGE, detail)
}

impl Body {
    /// Whether the sender calls it JSON, or nothing.
    pub(crate) fn is_json(&self) -> bool {
        let Some(value) = self.headers.get(header::CONTENT_TYPE) else {
            return true;
        };
        let kind = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        kind.strip_prefix("application/").is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json"))
    }

    /// The body as a JSON object, for the routes that docsfy reads by hand: whatever its type is called.
    pub(crate) fn to_object(&self) -> Result<Map<String, Value>, ApiError> {
        self.to_object_or("Invalid JSON body")
    }

    /// The same for the routes of users and of admins, where docsfy has another sentence for what is no JSON.
    pub(crate) fn to_admin_object(&self) -> Result<Map<String, Value>, ApiError> {
        self.to_object_or("Malformed JSON in request body")
    }

    fn to_object_or(&self, malformed: &str) -> Result<Map<String, Value>, ApiError> {
        match serde_json::from_slice(&self.bytes) {
            Ok(Value::Object(object)) if object.values().any(holds_nul) => {
                Err(ApiError::bad_request("Request body contains a NUL character"))
            }
            Ok(Value::Object(object)) => Ok(object),
            Ok(_) => Err(ApiError::bad_request("Request body must be a JSON object")),
            Err(_) => Err(ApiError::bad_request(malformed)),
        }
    }
}

/// Postgres keeps no NUL in a text, and no name or key has one.
fn holds_nul(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.contains('\0'))
}
