//! One spelling per path: percent-encoding is taken off exactly once, before anything looks at the path, as docsfy does.
//! So `%2F` separates and `%2e%2e` is `..`, for the gate, the routes and the handlers alike. What a URI cannot hold is put
//! back in, which the extractors of paths take off again. What is no text is refused, once it is known who asks.

use std::borrow::Cow;

use axum::{Router, extract::Request, middleware::Next, response::Response};
use http::{StatusCode, Uri, uri::PathAndQuery};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use tower::util::MapRequestLayer;

use crate::error::refusal;

/// What a path cannot hold, or would mean something else in.
const NOT_IN_PATHS: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'<').add(b'>').add(b'?').add(b'`');

/// Routes by the decoded path.
pub(super) fn canonical(routes: Router) -> Router {
    Router::new().fallback_service(tower::Layer::layer(&MapRequestLayer::new(rewrite), routes))
}

/// Why the address of a request is no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Unreadable(&'static str);

/// Answers 400 where the address is no text, so that no handler gets one that the database cannot keep.
pub(super) async fn refuse_unreadable(request: Request, next: Next) -> Response {
    match request.extensions().get::<Unreadable>() {
        Some(Unreadable(reason)) => refusal(StatusCode::BAD_REQUEST, *reason),
        None => next.run(request).await,
    }
}

fn find_unreadable(uri: &Uri) -> Option<Unreadable> {
    let path: Cow<'_, [u8]> = percent_decode_str(uri.path()).into();
    let query: Cow<'_, [u8]> = percent_decode_str(uri.query().unwrap_or_default()).into();
    if std::str::from_utf8(&path).is_err() {
        return Some(Unreadable("Path is not valid UTF-8"));
    }
    if std::str::from_utf8(&query).is_err() {
        return Some(Unreadable("Query is not valid UTF-8"));
    }
    if path.contains(&0) {
        return Some(Unreadable("Path contains a NUL character"));
    }
    query.contains(&0).then_some(Unreadable("Query contains a NUL character"))
}

fn rewrite<B>(mut request: http::Request<B>) -> http::Request<B> {
    // before the path is rewritten: that replaces what is no UTF-8
    if let Some(unreadable) = find_unreadable(request.uri()) {
        request.extensions_mut().insert(unreadable);
    }
    if let Some(uri) = canonical_uri(request.uri()) {
        *request.uri_mut() = uri;
    }
    request
}

/// `None` when the address is as it should be already.
fn canonical_uri(uri: &Uri) -> Option<Uri> {
    if !uri.path().contains('%') {
        return None;
    }
    let decoded = percent_decode_str(uri.path()).decode_utf8_lossy();
    let mut path = utf8_percent_encode(&decoded, NOT_IN_PATHS).to_string();
    if let Some(query) = uri.query() {
        path.push('?');
        path.push_str(query);
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path.parse::<PathAndQuery>().ok()?);
    Uri::from_parts(parts).ok()
}

/// The path without any encoding, as the caller meant it.
pub(crate) fn decoded(uri: &Uri) -> Cow<'_, str> {
    percent_decode_str(uri.path()).decode_utf8_lossy()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical_path(text: &str) -> String {
        let uri: Uri = text.parse().unwrap();
        canonical_uri(&uri).unwrap_or(uri).to_string()
    }

    #[test]
    fn encoding_is_taken_off_once_and_before_routing() {
        assert_eq!(canonical_path("/api/%70rojects/a%2Fb?x=%2F"), "/api/projects/a/b?x=%2F");
        assert_eq!(canonical_path("/docs/n/%2e%2e/..%2fplan.json"), "/docs/n/../../plan.json");
        assert_eq!(canonical_path("/docs/n/%252e%252e"), "/docs/n/%252e%252e");
        assert_eq!(canonical_path("/docs/a%20b%3Fc%23d%00e"), "/docs/a%20b%3Fc%23d%00e");
        assert_eq!(canonical_path("/docs/plain"), "/docs/plain");
    }

    #[test]
    fn only_text_is_readable() {
        let found = |text: &str| find_unreadable(&text.parse().unwrap()).map(|unreadable| unreadable.0);
        for text in ["/api/projects/a%20b?owner=%C3%BC", "/docs/%252500", "/", "/%E2%82%AC"] {
            assert_eq!(found(text), None, "{text}");
        }
        assert_eq!(found("/docs/%FF"), Some("Path is not valid UTF-8"));
        assert_eq!(found("/docs/a?b=%C3"), Some("Query is not valid UTF-8"));
        assert_eq!(found("/docs/a%00"), Some("Path contains a NUL character"));
        assert_eq!(found("/docs/a?b%00=c"), Some("Query contains a NUL character"));
    }

    #[test]
    fn what_is_put_back_decodes_to_what_was_meant() {
        for text in ["/docs/%C3%BC", "/docs/a%25b", "/docs/%FF", "/docs/a%5Cb%7Cc"] {
            let uri: Uri = canonical_path(text).parse().unwrap();
            assert_eq!(decoded(&uri), percent_decode_str(text).decode_utf8_lossy(), "{text}");
        }
    }
}
