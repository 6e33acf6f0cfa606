//! What admins do with all runs and workers: ending runs, pausing, draining.

use axum::{
    Json,
    extract::{Path, State},
};
use http::StatusCode;
use serde_json::{Map, Value};
use shared::{
    db::{self, aborts::Matching},
    generation::State as GenerationState,
    jobs,
    provider::Provider,
    wire::{
        AbortManyRequest, AbortManyResponse, AbortOneResponse, DrainResponse, ErrorResponse, PauseRequest,
        PausesResponse, QueueDepth, ValidationErrorResponse, ValidationProblem, Worker, WorkersResponse,
    },
};

use super::{aborts, users::shown};
use crate::{access, auth::doors::Admin, body::Body, error::ApiError, state::ApiState};

/// Longest message of a pause, in characters.
const MAX_MESSAGE_CHARS: usize = 500;

/// Ends an active generation, whosoever it is.
#[utoipa::path(
    post,
    path = "/api/admin/generations/{generation_id}/abort",
    tag = "operators",
    params(("generation_id" = uuid::Uuid, Path)),
    responses(
        (status = 200, body = AbortOneResponse),
        (status = 400, body = ErrorResponse, description = "No UUID of the form 8-4-4-4-12"),
        (status = 404, body = ErrorResponse),
        (status = 409, body = ErrorResponse, description = "It has ended by itself, or it still ends"),
    )
)]
pub(super) async fn abort_generation(
    State(state): State<ApiState>,
    Admin(admin): Admin,
    Path(id): Path<String>,
) -> Result<Json<AbortOneResponse>, ApiError> {
    let id = access::parse_generation(&id)?;
    let mut conn = state.pool().acquire().await?;
    let found = db::aborts::find(&mut conn, id).await?;
    drop(conn);
    let (active, _) = found.ok_or_else(access::unknown_generation)?;
    tracing::info!(audit = true, admin = %admin.username, generation.id = %id, "abort asked for");
    aborts::abort(&state, &active, &id.to_string()).await?;
    Ok(Json(AbortOneResponse { generation_id: id, state: GenerationState::Aborted }))
}

/// Ends many active generations: all, or those that fit everything that is named.
#[utoipa::path(
    post,
    path = "/api/admin/abort",
    tag = "operators",
    request_body = AbortManyRequest,
    responses(
        (status = 200, body = AbortManyResponse),
        (status = 400, body = ErrorResponse, description = "No JSON object"),
        (status = 422, body = ValidationErrorResponse, description = "It says neither `all` nor whose, or a field does not fit"),
    )
)]
pub(super) async fn abort_many(
    State(state): State<ApiState>,
    Admin(admin): Admin,
    body: Body,
) -> Result<Json<AbortManyResponse>, ApiError> {
    let fields = body.to_admin_object()?;
    let wish = AbortManyRequest {
        all: read_flag(&fields, "all")?,
        owner: read_text(&fields, "owner")?.map(str::to_owned),
        project: read_text(&fields, "project")?.map(str::to_owned),
        provider: read_provider(&fields)?,
    };
    let names_some = wish.owner.is_some() || wish.project.is_some() || wish.provider.is_some();
    if wish.all == names_some {
        let message = "Send `\"all\": true`, or at least one of `owner`, `project` and `provider`, not both";
        return Err(problem(&[], "value_error", message, &Value::Object(fields)));
    }
    let matching = Matching { owner: wish.owner.as_deref(), project: wish.project.as_deref(), provider: wish.provider };
    let mut conn = state.pool().acquire().await?;
    let active = db::aborts::list_matching(&mut conn, &matching).await?;
    drop(conn);
    tracing::info!(audit = true, admin = %admin.username, all = wish.all, owner = ?wish.owner, project = ?wish.project,
        provider = wish.provider.map(Provider::as_str), generations = active.len(), "aborts asked for");
    let ended = aborts::abort_many(&state, &active).await?;
    Ok(Json(ended))
}

/// Lets nothing new start, of a provider or at all; what runs ends normally.
#[utoipa::path(
    post,
    path = "/api/admin/pause",
    tag = "operators",
    request_body = PauseRequest,
    responses(
        (status = 200, body = PausesResponse),
        (status = 400, body = ErrorResponse, description = "No JSON object"),
        (status = 422, body = ValidationErrorResponse),
    )
)]
pub(super) async fn pause(
    State(state): State<ApiState>,
    Admin(admin): Admin,
    body: Body,
) -> Result<Json<PausesResponse>, ApiError> {
    let fields = read_object_or_nothing(&body)?;
    let provider = read_provider(&fields)?;
    let message = read_text(&fields, "message")?.unwrap_or_default();
    if message.chars().count() > MAX_MESSAGE_CHARS {
        let sentence = format!("String should have at most {MAX_MESSAGE_CHARS} characters");
        return Err(problem(&["message"], "string_too_long", &sentence, &Value::from(message)));
    }
    let mut transaction = db::begin(state.pool()).await?;
    jobs::pause(&mut transaction, provider, message, &admin.username).await?;
    transaction.commit().await?;
    tracing::info!(audit = true, admin = %admin.username, provider = provider.map(Provider::as_str), ?message, "paused");
    list_pauses(State(state), Admin(admin)).await
}

/// Lets everything start again that waits because of a pause; that of a provider, or the one of everything.
#[utoipa::path(
    post,
    path = "/api/admin/resume",
    tag = "operators",
    request_body = PauseRequest,
    responses(
        (status = 200, body = PausesResponse, description = "What is still paused"),
        (status = 400, body = ErrorResponse, description = "No JSON object"),
        (status = 422, body = ValidationErrorResponse),
    )
)]
pub(super) async fn resume(
    State(state): State<ApiState>,
    Admin(admin): Admin,
    body: Body,
) -> Result<Json<PausesResponse>, ApiError> {
    let provider = read_provider(&read_object_or_nothing(&body)?)?;
    let mut transaction = db::begin(state.pool()).await?;
    let was_paused = jobs::resume(&mut transaction, provider).await?;
    transaction.commit().await?;
    let provider = provider.map(Provider::as_str);
    tracing::info!(audit = true, admin = %admin.username, provider, was_paused, "resumed");
    list_pauses(State(state), Admin(admin)).await
}

/// Lists what nothing new is started of.
#[utoipa::path(
    get,
    path = "/api/admin/pauses",
    tag = "operators",
    responses((status = 200, body = PausesResponse))
)]
pub(super) async fn list_pauses(
    State(state): State<ApiState>,
    _admin: Admin,
) -> Result<Json<PausesResponse>, ApiError> {
    let mut conn = state.pool().acquire().await?;
    Ok(Json(PausesResponse::new(db::pauses::list(&mut conn).await?)))
}

/// Lists workers with what they do, and how much there is to do.
#[utoipa::path(
    get,
    path = "/api/admin/workers",
    tag = "operators",
    responses((status = 200, body = WorkersResponse))
)]
pub(super) async fn list_workers(
    State(state): State<ApiState>,
    _admin: Admin,
) -> Result<Json<WorkersResponse>, ApiError> {
    let mut conn = state.pool().acquire().await?;
    let generations = db::workers::list_held_generations(&mut conn).await?;
    let pages = db::workers::list_held_pages(&mut conn).await?;
    let workers = db::workers::list(&mut conn).await?;
    let (queued, depth) = db::workers::queue_depth(&mut conn).await?;
    Ok(Json(WorkersResponse {
        workers: workers.into_iter().map(|row| Worker::new(row, &generations, &pages)).collect(),
        queue: QueueDepth::new(queued, depth),
        pauses: PausesResponse::new(db::pauses::list(&mut conn).await?).pauses,
    }))
}

/// Tells a worker to take nothing new, to let what it does end, and to end itself.
#[utoipa::path(
    post,
    path = "/api/admin/workers/{name}/drain",
    tag = "operators",
    params(("name" = String, Path)),
    responses(
        (status = 202, body = DrainResponse),
        (status = 404, body = ErrorResponse, description = "No worker of this name lives"),
    )
)]
pub(super) async fn drain_worker(
    State(state): State<ApiState>,
    Admin(admin): Admin,
    Path(name): Path<String>,
) -> Result<(StatusCode, Json<DrainResponse>), ApiError> {
    let mut transaction = db::begin(state.pool()).await?;
    if name.contains('\0') || !db::workers::drain(&mut transaction, &name).await? {
        return Err(ApiError::not_found(format!("Worker '{}' not found", shown(&name))));
    }
    transaction.commit().await?;
    tracing::info!(audit = true, admin = %admin.username, worker.name = name, "worker drains");
    Ok((StatusCode::ACCEPTED, Json(DrainResponse { draining: name })))
}

/// A body that may be missing.
fn read_object_or_nothing(body: &Body) -> Result<Map<String, Value>, ApiError> {
    if body.bytes.is_empty() { Ok(Map::new()) } else { body.to_admin_object() }
}

fn read_flag(fields: &Map<String, Value>, name: &str) -> Result<bool, ApiError> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(other) => Err(problem(&[name], "bool_type", "Input should be a valid boolean", other)),
    }
}

fn read_text<'a>(fields: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, ApiError> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(problem(&[name], "string_type", "Input should be a valid string", other)),
    }
}

fn read_provider(fields: &Map<String, Value>) -> Result<Option<Provider>, ApiError> {
    let Some(text) = read_text(fields, "provider")? else { return Ok(None) };
    text.parse().map(Some).map_err(|_| {
        let known = Provider::ALL.map(|provider| format!("'{provider}'")).join(", ");
        problem(&["provider"], "literal_error", &format!("Input should be one of {known}"), &Value::from(text))
    })
}

/// 422 about a field, or about the whole body.
fn problem(field: &[&str], kind: &str, message: &str, input: &Value) -> ApiError {
    let loc = std::iter::once("body").chain(field.iter().copied()).map(Value::from).collect();
    ApiError::Validation(vec![ValidationProblem {
        kind: kind.to_owned(),
        loc,
        msg: message.to_owned(),
        input: input.clone(),
        ctx: None,
    }])
}
