//! What happens to every request around its handler, from the outside in: the path gets its one spelling, the request an
//! id and a span, a panic becomes an answer, then limits of load and time, headers of safety, and the gate.

use std::any::Any;

use axum::{
    Router,
    extract::{DefaultBodyLimit, MatchedPath, Request},
    middleware::{from_fn, from_fn_with_state},
    response::Response,
};
use http::{HeaderName, HeaderValue, StatusCode};
use tower::ServiceBuilder;
use tower_http::{
    catch_panic::CatchPanicLayer,
    request_id::{MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer},
    trace::{DefaultOnFailure, TraceLayer},
};
use tracing::{Level, Span, field};

mod path;
mod limits;
mod headers;

use crate::{auth::gate, body::MAX_BODY_BYTES, error::refusal, state::ApiState};

pub(crate) use headers::PAGE_POLICY;
pub(crate) use path::decoded;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Puts everything around the routes.
pub(crate) fn wrap(routes: Router, state: &ApiState) -> Router {
    let limits = limits::Limits::default();
    let around = ServiceBuilder::new()
        .layer(SetRequestIdLayer::new(REQUEST_ID, NewRequestId))
        .layer(TraceLayer::new_for_http().make_span_with(make_span).on_response(()).on_failure(
            // the error itself was logged where it was handled
            DefaultOnFailure::new().level(Level::DEBUG),
        ))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(from_fn(headers::secure))
        .layer(CatchPanicLayer::custom(answer_panic))
        .layer(from_fn_with_state(limits, limits::keep))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn_with_state(state.clone(), gate::admit))
        .layer(from_fn(path::refuse_unreadable));
    path::canonical(routes.layer(around))
}

/// Ids that sort by time.
#[derive(Clone, Copy)]
struct NewRequestId;

impl MakeRequestId for NewRequestId {
    fn make_request_id<B>(&mut self, _: &http::Request<B>) -> Option<RequestId> {
        HeaderValue::from_str(&uuid::Uuid::now_v7().to_string()).ok().map(RequestId::new)
    }
}

/// Names the route and not the path, which may hold a login link.
fn make_span(request: &Request) -> Span {
    let route = request.extensions().get::<MatchedPath>().map_or("(none)", MatchedPath::as_str);
    let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
    tracing::info_span!("request", method = %request.method(), route, id, generation.id = field::Empty)
}

#[expect(clippy::needless_pass_by_value, reason = "the layer hands the panic over")]
fn answer_panic(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    tracing::error!(panic = text.unwrap_or("(no text)"), "a handler panicked");
    refusal(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
}
