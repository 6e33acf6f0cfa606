//! Asking for a site: the order of all checks is docsfy's (docsfy-behaviour 1.6).

use std::time::Duration;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{StatusCode, Uri};
use shared::{
    address::{AddressError, resolve_public},
    db::{
        self,
        generations::NewGeneration,
        inspections::{NewInspection, Question},
        variants::Scope,
    },
    inspection::{DryRunRequest, Inspection},
    jobs::{Wanted, is_same_repository},
    names::ModelId,
    provider::{BUILTIN_MODEL, Provider},
    source::{RepoSource, check_local_repository},
    variant::{Status, VariantKey},
    wire::{ErrorResponse, GenerateRequest, GenerateResponse, ValidationErrorResponse},
    writer_defaults::WriterDefaults,
};
use tracing::Span;

mod fields;
mod validation;

use super::inspections::{self, WaitParams};
use crate::{
    auth::{Caller, doors::Writer},
    error::ApiError,
    starts::other_repository,
    state::ApiState,
};
use validation::ValidRequest;

/// Queues a generation.
#[utoipa::path(
    post,
    path = "/api/generate",
    tag = "generations",
    request_body = GenerateRequest,
    responses(
        (status = 200, body = Inspection, description = "With `dry_run`: what the request would do, or why that is not known"),
        (status = 202, body = GenerateResponse, description = "With `dry_run`: an `Inspection` whose answer takes longer"),
        (status = 400, body = ErrorResponse, description = "The repository cannot be used, or no model is known"),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse, description = "Read-only caller, or a path from somebody who is no admin"),
        (status = 409, body = ErrorResponse, description = "The variant is being generated already, or is of another repository"),
        (status = 422, body = ValidationErrorResponse),
        (status = 429, body = ErrorResponse, description = "With `dry_run`: too many questions of this caller are open"),
    ),
    params(WaitParams)
)]
pub(super) async fn create_generation(
    State(state): State<ApiState>,
    uri: Uri,
    Writer { caller, body: request }: Writer<ValidRequest>,
) -> Result<Response, ApiError> {
    check_source(&state, &caller, &request.source).await?;
    let username = caller.username.to_string();
    if request.dry_run {
        let mut conn = state.pool().acquire().await?;
        let defaults = db::settings::read_defaults(&mut conn).await?;
        drop(conn);
        return dry_run(&state, &caller, to_wanted(&username, &request, &defaults)?, inspections::read_wait(&uri)?)
            .await;
    }
    let want = move |defaults: &WriterDefaults| to_wanted(&username, &request, defaults);
    let (generation, Wanted { key, request: new, .. }) = state.starts().start(want).await?;
    Span::current().record(shared::telemetry::GENERATION_ID, tracing::field::display(generation));
    tracing::info!(variant = %key, owner = key.owner, force = new.force, "queued");
    let response = GenerateResponse {
        project: key.name,
        status: Status::Generating,
        branch: key.branch,
        generation_id: generation,
        repo_type: new.repo_type,
    };
    Ok((StatusCode::ACCEPTED, Json(response)).into_response())
}

/// Fills in what the request leaves open.
fn to_wanted(username: &str, request: &ValidRequest, defaults: &WriterDefaults) -> Result<Wanted, ApiError> {
    let (provider, model) = choose_writer(defaults, request.provider, request.model.clone())?;
    let name = request.source.project_name().map_err(|error| ApiError::bad_request(error.0))?;
    let new = NewGeneration {
        requested_by: username.to_owned(),
        force: request.force,
        replace: request.replace,
        repo_type: request.repo_type,
        call_timeout_minutes: match request.call_timeout_minutes {
            Some(minutes) => minutes,
            None => i32::try_from(defaults.call_timeout_minutes).unwrap_or(i32::MAX),
        },
        max_cost_usd: request.max_cost_usd,
        options: request.options.clone(),
    };
    let key = VariantKey { owner: username.to_owned(), name, branch: request.branch.clone(), provider, model };
    Ok(Wanted { key, source: request.source.clone(), request: new })
}

/// Has a worker say what a request would do. A variant that is being generated is no reason to refuse: nothing is started.
async fn dry_run(
    state: &ApiState,
    caller: &Caller,
    Wanted { key, source, request }: Wanted,
    wait: Duration,
) -> Result<Response, ApiError> {
    let mut conn = state.pool().acquire().await?;
    let scope = Scope::Owner(&key.owner);
    let rows = db::variants::list_matching(&mut conn, scope, &key.name, &key.branch, key.provider, &key.model).await?;
    drop(conn);
    let row = rows.into_iter().find(|row| row.owner == key.owner);
    if let Some(row) = &row
        && !request.force
        && !is_same_repository(&row.repo_url, &source).await
    {
        return Err(other_repository(&key, &row.repo_url, &source));
    }
    let asked = DryRunRequest {
        owner: key.owner,
        name: key.name,
        branch: key.branch,
        provider: key.provider,
        model: key.model,
        repo_url: source.to_string(),
        force: request.force,
        repo_type: request.repo_type,
        max_cost_usd: request.max_cost_usd,
        options: request.options,
    };
    let new = NewInspection {
        variant_id: row.map(|row| row.id),
        requested_by: &caller.username,
        question: Question::DryRun(&asked),
    };
    Ok(inspections::ask_and_wait(state, &new, wait).await?.into_response())
}

/// Whether this caller may have this repository read. The worker resolves the host once more when it fetches.
pub(super) async fn check_source(state: &ApiState, caller: &Caller, source: &RepoSource) -> Result<(), ApiError> {
    match source {
        RepoSource::LocalPath(_) if !caller.is_admin() => {
            Err(ApiError::forbidden("Local repo path access requires admin privileges"))
        }
        RepoSource::LocalPath(path) => {
            let path = path.clone();
            let checked = tokio::task::spawn_blocking(move || check_local_repository(&path)).await;
            let checked = checked.map_err(|panic| ApiError::Internal(panic.into()))?;
            checked.map_err(|error| ApiError::bad_request(error.0))
        }
        RepoSource::Url(url) => match resolve_public(url, state.repo_host_allowlist()).await {
            // the name service may know it by the time the repository is fetched; if not, the run says so
            Ok(_) | Err(AddressError::Unresolvable { .. }) => Ok(()),
            Err(error) => Err(ApiError::bad_request(error.to_string())),
        },
    }
}

/// Fills in the defaults.
fn choose_writer(
    defaults: &WriterDefaults,
    provider: Option<Provider>,
    model: Option<ModelId>,
) -> Result<(Provider, ModelId), ApiError> {
    let provider = provider.unwrap_or(defaults.provider);
    let model = model
        .or_else(|| defaults.model_of(provider))
        .ok_or_else(|| ApiError::bad_request("AI model must be specified."))?;
    if provider == Provider::Builtin && model.as_str() != BUILTIN_MODEL {
        return Err(ApiError::bad_request(format!("Provider 'builtin' has one model: '{BUILTIN_MODEL}'")));
    }
    Ok((provider, model))
}
