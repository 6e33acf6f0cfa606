//! The gate before every route: `/api/` and `/docs/` are entered only by callers who are known, and this comes before
//! every other answer, 404 and 405 too.

use std::time::Instant;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use sha2::{Digest, Sha256};

use super::{
    Caller, Proof, authenticate,
    client::{self, ClientAddress},
    same_origin,
};
use crate::{
    error::{ApiError, refusal},
    routes::badges::is_badge,
    state::ApiState,
};

/// Paths under `/api/` that everybody may call, without and with a slash at the end.
const PUBLIC: [&str; 5] = ["/api/auth/login", "/api/auth/logout", "/api/models", "/api/openapi.json", "/api/ws"];

/// Lets a request in or answers it; a caller who was let in is in the request's extensions for the doors.
pub(crate) async fn admit(State(state): State<ApiState>, mut request: Request, next: Next) -> Response {
    let trusted = state.trusted_proxies();
    let from = ClientAddress::of(&request, trusted);
    let forged = same_origin::is_forged(request.method(), request.headers(), &client::hosts_of(&request, trusted));
    request.extensions_mut().insert(from);
    if !is_guarded(request.uri().path()) {
        if forged {
            return forgery();
        }
        return next.run(request).await;
    }
    let caller = match find_caller(&state, from, is_reading_docs(&request), request.headers()).await {
        Ok(Some((_, Proof::Cookie))) if forged => return forgery(),
        Ok(Some((caller, _))) => caller,
        // without a caller
        Ok(None) if state.badges_are_public() && is_badge(request.method(), request.uri().path()) => {
            return next.run(request).await;
        }
        Ok(None) if state.docs_are_open() && is_open_reading(&request) => Caller::admin(),
        Ok(None) => return stay_out(&request),
        Err(error) => return error.into_response(),
    };
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// Who calls. The files of a site come by the dozen, so whoever reads them is remembered for a moment; every other request
/// asks the database, role included.
async fn find_caller(
    state: &ApiState,
    from: ClientAddress,
    reads_docs: bool,
    headers: &HeaderMap,
) -> Result<Option<(Caller, Proof)>, ApiError> {
    if !reads_docs {
        return authenticate(state, from, headers).await;
    }
    let proof = proof_hash(headers);
    if let Some(known) = state.callers().get(&proof) {
        return Ok(Some(known));
    }
    let asked = Instant::now();
    let found = authenticate(state, from, headers).await?;
    if let Some(found) = &found {
        state.callers().insert_as_of(asked, proof, found.clone());
    }
    Ok(found)
}

/// Stands for everything that a request proves who sent it by.
fn proof_hash(headers: &HeaderMap) -> [u8; 32] {
    let mut digest = Sha256::new();
    for name in [header::AUTHORIZATION, header::COOKIE] {
        for value in headers.get_all(&name) {
            digest.update((value.len() as u64).to_le_bytes());
            digest.update(value.as_bytes());
        }
        digest.update(u64::MAX.to_le_bytes());
    }
    digest.finalize().into()
}

fn is_reading_docs(request: &Request) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD) && request.uri().path().starts_with("/docs/")
}

fn is_guarded(path: &str) -> bool {
    let public = PUBLIC.contains(&path.strip_suffix('/').unwrap_or(path));
    (path.starts_with("/api/") || path.starts_with("/docs/")) && !public
}

fn forgery() -> Response {
    refusal(StatusCode::FORBIDDEN, "Request comes from another site")
}

/// Whether this is reading docs, on a server that lets everybody on its own machine do so.
fn is_open_reading(request: &Request) -> bool {
    is_reading_docs(request) && names_loopback(request.headers())
}

/// Whether the caller addressed this machine by a name that only means itself. A page of another site that had its own
/// name point here is kept out by this.
pub(crate) fn names_loopback(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

/// People with a browser who want to read are sent to the form; everybody else is told.
fn stay_out(request: &Request) -> Response {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    if !path.starts_with("/docs/") || !wants_html(request.headers()) {
        return ApiError::unauthorized().into_response();
    }
    let next: String = url::form_urlencoded::byte_serialize(path.as_bytes()).collect();
    let location = HeaderValue::from_str(&format!("/login?next={next}"))
        .expect("what is percent-encoded consists of visible ASCII characters");
    (StatusCode::FOUND, [(header::LOCATION, location)]).into_response()
}

/// Whether the caller can show a page.
pub(crate) fn wants_html(headers: &HeaderMap) -> bool {
    headers.get_all(header::ACCEPT).iter().any(|value| value.to_str().is_ok_and(|accept| accept.contains("text/html")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_under_api_and_docs_is_guarded_except_what_is_named() {
        for path in ["/api/projects", "/api/", "/api/nope", "/api/auth/me", "/docs/x", "/api/models/x", "/api//models"]
        {
            assert!(is_guarded(path), "{path}");
        }
        for path in ["/", "/health", "/login", "/api/models", "/api/models/", "/api/auth/login", "/assets/x"] {
            assert!(!is_guarded(path), "{path}");
        }
    }

    #[test]
    fn only_names_of_this_machine_itself_are_loopback() {
        let names = |host| names_loopback(&HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(host))]));
        for host in ["localhost", "localhost:8000", "127.0.0.1:1", "[::1]", "[::1]:80"] {
            assert!(names(host), "{host}");
        }
        for host in ["", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8000", "localhost:x"] {
            assert!(!names(host), "{host}");
        }
    }
}
