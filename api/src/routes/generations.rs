//! Single runs: what became of one, which there were, and doing one again.

use axum::{
    Json,
    extract::{Path, State},
};
use http::StatusCode;
use shared::{
    db::{self, aborts::ActiveGeneration},
    ids::GenerationId,
    jobs::{RETRY_STAGES, Retried, retry_generation},
    source::RepoSource,
    stage::Stage,
    user::ADMIN,
    variant::Status,
    wire::{ErrorResponse, GenerateResponse, Generation, GenerationsResponse},
};
use sqlx::PgConnection;

use super::generate::check_source;
use crate::{
    access::{self, OwnerParams, OwnerQuery, VariantParams},
    auth::{
        Caller,
        doors::{NoBody, Reader, Writer},
    },
    error::ApiError,
    state::ApiState,
};

/// Runs that are listed.
const LISTED: i64 = 50;

/// Gives one run, the newest of a variant or a past one.
#[utoipa::path(
    get,
    path = "/api/generations/{generation_id}",
    tag = "generations",
    params(("generation_id" = uuid::Uuid, Path)),
    responses(
        (status = 200, body = Generation),
        (status = 400, body = ErrorResponse, description = "No UUID of the form 8-4-4-4-12"),
        (status = 401, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "There is none, or it was deleted because of its age"),
    )
)]
pub(super) async fn get_generation(
    State(state): State<ApiState>,
    Reader(caller): Reader,
    Path(id): Path<String>,
) -> Result<Json<Generation>, ApiError> {
    let id = access::parse_generation(&id)?;
    let mut conn = state.pool().acquire().await?;
    let row = db::past_runs::find(&mut conn, id).await?.ok_or_else(access::unknown_generation)?;
    if db::variants::find(&mut conn, caller.reads(), row.variant_id).await?.is_none() {
        return Err(access::unknown_generation());
    }
    let failed = db::page_jobs::list_failed(&mut conn, id).await?;
    Ok(Json(Generation::new(row, failed)))
}

/// Lists the runs of a variant.
#[utoipa::path(
    get,
    path = "/api/projects/{name}/{branch}/{provider}/{model}/generations",
    tag = "generations",
    params(VariantParams, OwnerParams),
    responses(
        (status = 200, body = GenerationsResponse),
        (status = 400, body = ErrorResponse, description = "Nobody can have this name"),
        (status = 401, body = ErrorResponse),
        (status = 404, body = ErrorResponse),
        (status = 409, body = ErrorResponse, description = "Several owners have it"),
    )
)]
pub(super) async fn list_generations(
    State(state): State<ApiState>,
    Reader(caller): Reader,
    Path(params): Path<VariantParams>,
    OwnerQuery(owner): OwnerQuery,
) -> Result<Json<GenerationsResponse>, ApiError> {
    let path = params.parse("Not found")?;
    let mut conn = state.pool().acquire().await?;
    let variant = access::get_variant(&mut conn, &caller, &path, owner.as_deref()).await?;
    let rows = db::past_runs::list(&mut conn, variant.id, LISTED).await?;
    let generations = rows.into_iter().map(|row| Generation::new(row, Vec::new())).collect();
    Ok(Json(GenerationsResponse { generations }))
}

/// Repeats a run that failed or was aborted: what it finished is kept, the rest is done.
#[utoipa::path(
    post,
    path = "/api/generations/{generation_id}/retry",
    tag = "generations",
    params(("generation_id" = uuid::Uuid, Path)),
    responses(
        (status = 202, body = GenerateResponse),
        (status = 400, body = ErrorResponse, description = "No UUID of the form 8-4-4-4-12, or its repository cannot be used"),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse),
        (status = 409, body = ErrorResponse, description = "The variant is being generated, there is a newer run, or nothing failed"),
    )
)]
pub(super) async fn retry(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    Writer { caller, .. }: Writer<NoBody>,
) -> Result<(StatusCode, Json<GenerateResponse>), ApiError> {
    repeat(&state, &caller, access::parse_generation(&id)?, None).await
}

/// Repeats a run from a stage on: what the stages before it made is kept, everything else done again.
#[utoipa::path(
    post,
    path = "/api/generations/{generation_id}/retry-from/{stage}",
    tag = "generations",
    params(
        ("generation_id" = uuid::Uuid, Path),
        ("stage" = String, Path, pattern = "^(cloning|planning|generating_pages|validating|cross_linking|rendering)$"),
    ),
    responses(
        (status = 202, body = GenerateResponse),
        (status = 400, body = ErrorResponse, description = "No UUID of the form 8-4-4-4-12, no such stage, or its repository cannot be used"),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse),
        (status = 409, body = ErrorResponse, description = "The variant is being generated, or there is a newer run"),
    )
)]
pub(super) async fn retry_from(
    State(state): State<ApiState>,
    Path((id, from)): Path<(String, String)>,
    Writer { caller, .. }: Writer<NoBody>,
) -> Result<(StatusCode, Json<GenerateResponse>), ApiError> {
    let id = access::parse_generation(&id)?;
    repeat(&state, &caller, id, Some(parse_stage(&from)?)).await
}

fn parse_stage(text: &str) -> Result<Stage, ApiError> {
    let stage: Option<Stage> = text.parse().ok();
    stage.filter(|stage| RETRY_STAGES.contains(stage)).ok_or_else(|| {
        let known = RETRY_STAGES.map(Stage::as_str).join(", ");
        ApiError::bad_request(format!("Unknown stage '{}'. Must be one of: {known}", super::users::shown(text)))
    })
}

async fn repeat(
    state: &ApiState,
    caller: &Caller,
    id: GenerationId,
    from: Option<Stage>,
) -> Result<(StatusCode, Json<GenerateResponse>), ApiError> {
    let mut conn = state.pool().acquire().await?;
    let run = find_own(&mut conn, caller, id).await?;
    let row = db::variants::find(&mut conn, caller.owns(), run.variant_id).await?;
    drop(conn);
    let row = row.ok_or_else(access::unknown_generation)?;
    let source = RepoSource::from_stored(&row.repo_url)
        .map_err(|error| ApiError::conflict(format!("Its repository cannot be read any more: {error}")))?;
    // whether a path of an admin is still there is for the run to say: it may need nothing but the pinned commit
    if !(caller.is_admin() && matches!(source, RepoSource::LocalPath(_))) {
        check_source(state, caller, &source).await?;
    }
    let mut transaction = db::begin(state.pool()).await?;
    // a user who is deleted just now leaves nothing behind
    let has_user = !row.owner.is_empty() && row.owner != ADMIN;
    if has_user && !db::deletions::hold_owner(&mut transaction, &row.owner).await? {
        return Err(access::unknown_generation());
    }
    let run = match retry_generation(&mut transaction, id, from, &caller.username).await? {
        Retried::Queued(run) => run,
        Retried::Missing => return Err(access::unknown_generation()),
        refused => return Err(ApiError::conflict(why_not(&refused))),
    };
    transaction.commit().await?;
    tracing::info!(variant = %run.key, owner = run.key.owner, generation.id = %run.id, retry_of = %id,
        from = from.map(Stage::as_str), username = %caller.username, "queued once more");
    let response = GenerateResponse {
        project: run.key.name,
        status: Status::Generating,
        branch: run.key.branch,
        generation_id: run.id,
        repo_type: run.repo_type,
    };
    Ok((StatusCode::ACCEPTED, Json(response)))
}

fn why_not(refused: &Retried) -> String {
    match refused {
        Retried::Busy(key) => format!("Variant '{key}' is already being generated"),
        Retried::NotNewest(newest) => {
            format!("Only the newest generation of a variant can be repeated, which is '{newest}'")
        }
        _ => "Nothing failed: the generation is ready. Use retry-from with a stage, or POST /api/generate".to_owned(),
    }
}

/// A run that the caller may change; others' are as if there were none.
async fn find_own(conn: &mut PgConnection, caller: &Caller, id: GenerationId) -> Result<ActiveGeneration, ApiError> {
    let found = db::aborts::find(conn, id).await?.map(|(run, _)| run);
    let owner = caller.owns();
    let found =
        found.filter(|run| owner == db::variants::Scope::All || owner == db::variants::Scope::Owner(&run.key.owner));
    found.ok_or_else(access::unknown_generation)
}
