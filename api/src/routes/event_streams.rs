//! What happens to a variant or a generation, as server-sent events.

use std::convert::Infallible;

use axum::{
    body::Body,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use shared::{db, db::variants::VariantRow, wire::ErrorResponse};

use crate::{
    access::{self, OwnerParams, OwnerQuery, VariantParams, query_value},
    auth::{Caller, client::ClientAddress, doors::Reader},
    error::ApiError,
    state::ApiState,
    watch::{
        stream::{EventStream, Subject},
        watcher::Watcher,
    },
};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Streams what happens to a variant, from the beginning of its newest generation or after an event.
#[utoipa::path(
    get,
    path = "/api/projects/{name}/{branch}/{provider}/{model}/events",
    tag = "events",
    params(
        VariantParams,
        OwnerParams,
        ("last_event_id" = Option<i64>, Query, description = "Like the header `Last-Event-ID`, which wins"),
    ),
    responses(
        (status = 200, content_type = "text/event-stream", description = "Has no end"),
        (status = 400, body = ErrorResponse, description = "Nobody can have this name, or no number of an event"),
        (status = 401, body = ErrorResponse),
        (status = 404, body = ErrorResponse),
        (status = 409, body = ErrorResponse, description = "Several owners have it"),
        (status = 429, body = ErrorResponse, description = "The caller watches twenty already"),
    )
)]
pub(super) async fn watch_variant(
    State(state): State<ApiState>,
    Reader(caller): Reader,
    from: ClientAddress,
    Path(params): Path<VariantParams>,
    OwnerQuery(owner): OwnerQuery,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let path = params.parse("Not found")?;
    let mut conn = state.pool().acquire().await?;
    let row = access::get_variant(&mut conn, &caller, &path, owner.as_deref()).await?;
    drop(conn);
    watch(state, from, &caller, row, Subject::Variant, &uri, &headers).await
}

/// Streams what happens to a generation, from its beginning or after an event, until it ends.
#[utoipa::path(
    get,
    path = "/api/generations/{generation_id}/events",
    tag = "events",
    params(
        ("generation_id" = uuid::Uuid, Path),
        ("last_event_id" = Option<i64>, Query, description = "Like the header `Last-Event-ID`, which wins"),
    ),
    responses(
        (status = 200, content_type = "text/event-stream", description = "Ends after the end of the generation"),
        (status = 204, description = "The generation has ended and nothing is left to tell"),
        (status = 400, body = ErrorResponse, description = "No UUID of the form 8-4-4-4-12, or no number of an event"),
        (status = 401, body = ErrorResponse),
        (status = 404, body = ErrorResponse),
        (status = 429, body = ErrorResponse, description = "The caller watches twenty already"),
    )
)]
pub(super) async fn watch_generation(
    State(state): State<ApiState>,
    Reader(caller): Reader,
    from: ClientAddress,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let id = access::parse_generation(&id)?;
    let mut conn = state.pool().acquire().await?;
    let row = match db::generations::find_variant_id(&mut conn, id).await? {
        Some(variant) => db::variants::find(&mut conn, caller.reads(), variant).await?,
        None => None,
    };
    drop(conn);
    let row = row.ok_or_else(access::unknown_generation)?;
    watch(state, from, &caller, row, Subject::Generation(id), &uri, &headers).await
}

async fn watch(
    state: ApiState,
    from: ClientAddress,
    caller: &Caller,
    row: VariantRow,
    subject: Subject,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let last_event = last_event_id(uri, headers)?;
    let place = match state.streams().take(&caller.username) {
        Ok(place) => place,
        Err(full) => return Ok(full.answer("streams of events")),
    };
    let (watcher, _) = Watcher::find(&state, from, None, headers).await?.ok_or_else(ApiError::unauthorized)?;
    let Some(stream) = EventStream::begin(state, watcher, place, row, subject, last_event).await? else {
        // the word that tells browsers not to come back
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let pieces = stream::unfold(stream, async |mut stream| {
        stream.next().await.map(|piece| (Ok::<_, Infallible>(piece), stream))
    });
    let mut response = Response::new(Body::from_stream(pieces));
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // what a proxy keeps back comes too late
    fields.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

/// The last event that the reader has.
fn last_event_id(uri: &Uri, headers: &HeaderMap) -> Result<Option<i64>, ApiError> {
    let header = headers.get(LAST_EVENT_ID).map(|value| value.to_str().unwrap_or("?").to_owned());
    let Some(text) = header.or_else(|| query_value(uri, "last_event_id")).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let id = text.parse().ok().filter(|id| *id >= 0);
    id.map(Some).ok_or_else(|| ApiError::bad_request("Last-Event-ID must be the number of an event: 0 or more"))
}
