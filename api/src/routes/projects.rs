//! What exists, in which state.

use axum::{
    Json,
    extract::{Path, State},
    response::Response,
};
use http::HeaderMap;
use shared::{
    db,
    wire::{CostResponse, ErrorResponse, Project, ProjectResponse, ProjectsResponse},
};

use crate::{
    access::{self, OwnerParams, OwnerQuery, VariantParams},
    auth::doors::Reader,
    error::ApiError,
    state::ApiState,
    views::{self, Seen},
};

/// Lists every variant that the caller may see; the same as `/api/projects`.
#[utoipa::path(
    get,
    path = "/api/status",
    tag = "projects",
    responses(
        (status = 200, body = ProjectsResponse),
        (status = 304, description = "`If-None-Match` names it"),
        (status = 401, body = ErrorResponse),
    )
)]
pub(super) async fn get_status(
    state: State<ApiState>,
    reader: Reader,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    list_projects(state, reader, headers).await
}

/// Lists every variant that the caller may see, with known models and branches.
#[utoipa::path(
    get,
    path = "/api/projects",
    tag = "projects",
    responses(
        (status = 200, body = ProjectsResponse),
        (status = 304, description = "`If-None-Match` names it"),
        (status = 401, body = ErrorResponse),
    )
)]
pub(super) async fn list_projects(
    State(state): State<ApiState>,
    Reader(caller): Reader,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let view = state.views().current(&Seen::of(&caller)).await?;
    views::answer(&view, &headers).await
}

/// Gives what the newest generations cost: everybody's for admins, else of the caller's own variants.
#[utoipa::path(
    get,
    path = "/api/cost",
    tag = "projects",
    responses((status = 200, body = CostResponse), (status = 401, body = ErrorResponse))
)]
pub(super) async fn get_cost(
    State(state): State<ApiState>,
    Reader(caller): Reader,
) -> Result<Json<CostResponse>, ApiError> {
    let mut conn = state.pool().acquire().await?;
    let total_cost_usd = db::views::total_cost_usd(&mut conn, caller.owns()).await?;
    Ok(Json(CostResponse { total_cost_usd }))
}

/// Gives the variant that a generation, the newest or a past one, is of.
#[utoipa::path(
    get,
    path = "/api/projects/by-id/{generation_id}",
    tag = "projects",
    params(("generation_id" = uuid::Uuid, Path)),
    responses(
        (status = 200, body = Project),
        (status = 400, body = ErrorResponse, description = "No UUID of the form 8-4-4-4-12"),
        (status = 401, body = ErrorResponse),
        (status = 404, body = ErrorResponse),
    )
)]
pub(super) async fn get_project_of_generation(
    State(state): State<ApiState>,
    Reader(caller): Reader,
    Path(id): Path<String>,
) -> Result<Json<Project>, ApiError> {
    let id = access::parse_generation(&id)?;
    let mut conn = state.pool().acquire().await?;
    let variant = match db::generations::find_variant_id(&mut conn, id).await? {
        Some(variant) => db::variants::find(&mut conn, caller.reads(), variant).await?,
        None => None,
    };
    variant.map(|row| Json(row.into())).ok_or_else(access::unknown_generation)
}

/// Lists the variants of one project name.
#[utoipa::path(
    get,
    path = "/api/projects/{name}",
    tag = "projects",
    params(("name" = String, Path)),
    responses(
        (status = 200, body = ProjectResponse),
        (status = 400, body = ErrorResponse, description = "Nobody can have this name"),
        (status = 401, body = ErrorResponse),
        (status = 404, body = ErrorResponse),
    )
)]
pub(super) async fn get_project(
    State(state): State<ApiState>,
    Reader(caller): Reader,
    Path(name): Path<String>,
) -> Result<Json<ProjectResponse>, ApiError> {
    let name = access::parse_project(&name)?;
    let mut conn = state.pool().acquire().await?;
    let mut rows = db::variants::list_of_project(&mut conn, caller.reads(), &name).await?;
    if rows.is_empty() {
        return Err(ApiError::not_found(format!("Project '{name}' not found")));
    }
    // own ones first, each part in the order of the last change
    if !caller.is_admin() {
        rows.sort_by_key(|row| row.owner != *caller.username);
    }
    Ok(Json(ProjectResponse { name, variants: rows.into_iter().map(Project::from).collect() }))
}

/// Gives one variant.
#[utoipa::path(
    get,
    path = "/api/projects/{name}/{branch}/{provider}/{model}",
    tag = "projects",
    params(VariantParams, OwnerParams),
    responses(
        (status = 200, body = Project),
        (status = 400, body = ErrorResponse, description = "Nobody can have this name"),
        (status = 401, body = ErrorResponse),
        (status = 404, body = ErrorResponse),
        (status = 409, body = ErrorResponse, description = "Several owners have it"),
    )
)]
pub(super) async fn get_variant(
    State(state): State<ApiState>,
    Reader(caller): Reader,
    Path(params): Path<VariantParams>,
    OwnerQuery(owner): OwnerQuery,
) -> Result<Json<Project>, ApiError> {
    let path = params.parse("Not found")?;
    let mut conn = state.pool().acquire().await?;
    let row = access::get_variant(&mut conn, &caller, &path, owner.as_deref()).await?;
    Ok(Json(row.into()))
}
