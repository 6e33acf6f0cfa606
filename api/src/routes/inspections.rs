//! Questions about sites that workers answer: how far one is behind its repository. What a run would do is asked at
//! `POST /api/generate`, and answered by the same waiting.

use std::time::Duration;

use axum::{
    Json,
    extract::{Path, State},
};
use http::{StatusCode, Uri};
use shared::{
    db::{
        self,
        inspections::{MAX_OPEN, NewInspection, Question},
    },
    events::{Heard, INSPECTIONS_CHANNEL},
    ids::InspectionId,
    inspection::{Inspection, State as InspectionState},
    jobs::ask_inspection,
    source::RepoSource,
    wire::ErrorResponse,
};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::{Instant, timeout, timeout_at},
};

use super::generate::check_source;
use crate::{
    access::{self, OwnerParams, OwnerQuery, VariantParams, query_value},
    auth::doors::{NoBody, Reader, Writer},
    error::ApiError,
    state::ApiState,
};

/// Longest time that an answer waits for the result; below the limit of every request.
const MAX_WAIT_SECONDS: u64 = 25;
/// How often the row is looked at although nothing was heard.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The query of the routes that wait, for their description; [`read_wait`] reads it.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `read_wait` reads")]
pub(super) struct WaitParams {
    /// Seconds to wait for the result, 0 to 25 (the default).
    #[param(minimum = 0, maximum = 25)]
    wait: Option<u64>,
}

/// Says how far the site of a variant is behind its repository, and what of it is concerned. Nothing is made and no model is
/// asked.
#[utoipa::path(
    post,
    path = "/api/projects/{name}/{branch}/{provider}/{model}/check",
    tag = "generations",
    params(VariantParams, OwnerParams, WaitParams),
    responses(
        (status = 200, body = Inspection, description = "The result, or why there is none (`state` is `failed`)"),
        (status = 202, body = Inspection, description = "It takes longer: ask `GET /api/inspections/{id}`"),
        (status = 400, body = ErrorResponse, description = "Nobody can have this name, `wait` is no such number, or the repository cannot be used"),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse),
        (status = 409, body = ErrorResponse, description = "Several owners have it, or it has no site"),
        (status = 429, body = ErrorResponse, description = "Too many questions of this caller are open"),
    )
)]
pub(super) async fn check_variant(
    State(state): State<ApiState>,
    Path(params): Path<VariantParams>,
    OwnerQuery(owner): OwnerQuery,
    uri: Uri,
    Writer { caller, .. }: Writer<NoBody>,
) -> Result<(StatusCode, Json<Inspection>), ApiError> {
    let path = params.parse("Not found")?;
    let wait = read_wait(&uri)?;
    let mut conn = state.pool().acquire().await?;
    let row = access::get_own_variant(&mut conn, &caller, &path, owner.as_deref()).await?;
    drop(conn);
    if row.site_prefix.is_none() {
        return Err(ApiError::conflict(format!("Variant '{}' has no site that could be checked", row.key())));
    }
    let source = RepoSource::from_stored(&row.repo_url)
        .map_err(|error| ApiError::conflict(format!("Its repository cannot be read any more: {error}")))?;
    check_source(&state, &caller, &source).await?;
    let new = NewInspection { variant_id: Some(row.id), requested_by: &caller.username, question: Question::Check };
    ask_and_wait(&state, &new, wait).await
}

/// Gives a question that was asked, and its answer when there is one.
#[utoipa::path(
    get,
    path = "/api/inspections/{inspection_id}",
    tag = "generations",
    params(("inspection_id" = uuid::Uuid, Path)),
    responses(
        (status = 200, body = Inspection),
        (status = 400, body = ErrorResponse, description = "No UUID of the form 8-4-4-4-12"),
        (status = 401, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "There is none, somebody else asked it, or it was deleted because of its age"),
    )
)]
pub(super) async fn get_inspection(
    State(state): State<ApiState>,
    Reader(caller): Reader,
    Path(id): Path<String>,
) -> Result<Json<Inspection>, ApiError> {
    let parsed: Option<InspectionId> = id.parse().ok();
    let parsed = parsed.filter(|parsed| parsed.to_string().eq_ignore_ascii_case(&id));
    let parsed = parsed.ok_or_else(|| ApiError::bad_request("Invalid inspection ID format"))?;
    let row = db::inspections::find(&mut *state.pool().acquire().await?, parsed).await?;
    let may_see = |row: &db::inspections::InspectionRow| caller.is_admin() || *row.requested_by == *caller.username;
    row.filter(may_see).map(|row| Json(row.inspection)).ok_or_else(unknown)
}

fn unknown() -> ApiError {
    ApiError::not_found("Inspection ID not found")
}

/// How long the caller wants to wait for the result.
pub(super) fn read_wait(uri: &Uri) -> Result<Duration, ApiError> {
    let Some(text) = query_value(uri, "wait") else { return Ok(Duration::from_secs(MAX_WAIT_SECONDS)) };
    let seconds = text.parse::<u64>().ok().filter(|seconds| *seconds <= MAX_WAIT_SECONDS);
    let refused =
        || ApiError::bad_request(format!("`wait` must be a whole number of seconds, 0 to {MAX_WAIT_SECONDS}"));
    seconds.map(Duration::from_secs).ok_or_else(refused)
}

/// Asks a question and waits for the answer: 200 when it is there, else 202.
pub(super) async fn ask_and_wait(
    state: &ApiState,
    new: &NewInspection<'_>,
    wait: Duration,
) -> Result<(StatusCode, Json<Inspection>), ApiError> {
    let deadline = Instant::now() + wait;
    // heard from before the question on, so that the end cannot be missed
    let mut heard = state.listening().subscribe();
    let mut transaction = db::begin(state.pool()).await?;
    let asked = ask_inspection(&mut transaction, new).await?;
    transaction.commit().await?;
    let Some(id) = asked else {
        let message =
            format!("{MAX_OPEN} questions of yours are not answered yet, which is the limit; try again later");
        return Err(ApiError::Refused(StatusCode::TOO_MANY_REQUESTS, message));
    };
    tracing::info!(inspection.id = %id, "asked");
    loop {
        let row = db::inspections::find(&mut *state.pool().acquire().await?, id).await?;
        // it goes with its variant
        let inspection = row.ok_or_else(unknown)?.inspection;
        if matches!(inspection.state, InspectionState::Done | InspectionState::Failed) {
            return Ok((StatusCode::OK, Json(inspection)));
        }
        if timeout_at(deadline, hear_of(id, &mut heard)).await.is_err() {
            return Ok((StatusCode::ACCEPTED, Json(inspection)));
        }
    }
}

/// Comes back when the end of an inspection was heard or may have been missed, and every now and then.
async fn hear_of(id: InspectionId, heard: &mut Receiver<Heard>) {
    let id = id.to_string();
    let about_it = async {
        loop {
            match heard.recv().await {
                Ok(Heard::Notification { channel, payload }) => {
                    if *channel == *INSPECTIONS_CHANNEL && *payload == *id {
                        return;
                    }
                }
                Ok(Heard::Reconnected) | Err(RecvError::Lagged(_)) => return,
                // no one listens any more; the regular look is left
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    };
    // an elapsed time is as good a reason to look as a word
    let _ = timeout(LOOK_EVERY, about_it).await;
}
