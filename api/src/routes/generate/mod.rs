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
    jobs::{Started, is_same_repository, start_generation},
    names::ModelId,
    provider::{BUILTIN_MODEL, Provider},
    source::{RepoSource, check_local_repository},
    user::ADMIN,
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
    // one connection for all of it: many who ask at once wait for few
    let mut transaction = db::begin(state.pool()).await?;
    let defaults = db::settings::read_defaults(&mut transaction).await?;
    let (provider, model) = choose_writer(&defaults, request.provider, request.model)?;
    let name = request.source.project_name().map_err(|error| ApiError::bad_request(error.0))?;
    let key = VariantKey { owner: caller.username.to_string(), name, branch: request.branch, provider, model };
    if request.dry_run {
        let asked = DryRunRequest {
            owner: key.owner.clone(),
            name: key.name.clone(),
            branch: key.branch.clone(),
            provider: key.provider,
            model: key.model.clone(),
            repo_url: request.source.to_string(),
            force: request.force,
            repo_type: request.repo_type,
            max_cost_usd: request.max_cost_usd,
            options: request.options,
        };
        return dry_run(&state, &caller, &request.source, &asked, inspections::read_wait(&uri)?).await;
    }
    let new = NewGeneration {
        requested_by: caller.username.to_string(),
        force: request.force,
        replace: request.replace,
        repo_type: request.repo_type,
        call_timeout_minutes: match request.call_timeout_minutes {
            Some(minutes) => minutes,
            None => i32::try_from(defaults.call_timeout_minutes).unwrap_or(i32::MAX),
        },
        max_cost_usd: request.max_cost_usd,
        options: request.options,
    };
    // a user who is deleted just now leaves nothing behind
    if *caller.username != *ADMIN && !db::deletions::hold_owner(&mut transaction, &caller.username).await? {
        return Err(ApiError::unauthorized());
    }
    let generation = match start_generation(&mut transaction, &key, &request.source, &new).await? {
        Started::Queued(generation) => generation,
        Started::Busy => return Err(ApiError::conflict(format!("Variant '{key}' is already being generated"))),
        Started::OtherRepository(first) => {
            return Err(ApiError::conflict(other_repository(&key, &first, &request.source)));
        }
    };
    transaction.commit().await?;
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

/// Has a worker say what a request would do. A variant that is being generated is no reason to refuse: nothing is started.
async fn dry_run(
    state: &ApiState,
    caller: &Caller,
    source: &RepoSource,
    request: &DryRunRequest,
    wait: Duration,
) -> Result<Response, ApiError> {
    let key = request.key();
    let mut conn = state.pool().acquire().await?;
    let scope = Scope::Owner(&key.owner);
    let rows = db::variants::list_matching(&mut conn, scope, &key.name, &key.branch, key.provider, &key.model).await?;
    drop(conn);
    let row = rows.into_iter().find(|row| row.owner == key.owner);
    if let Some(row) = &row
        && !request.force
        && !is_same_repository(&row.repo_url, source).await
    {
        return Err(ApiError::conflict(other_repository(&key, &row.repo_url, source)));
    }
    let new = NewInspection {
        variant_id: row.map(|row| row.id),
        requested_by: &caller.username,
        question: Question::DryRun(request),
    };
    Ok(inspections::ask_and_wait(state, &new, wait).await?.into_response())
}

/// Projects are told apart by the last part of their address only, so two repositories can meet in one variant.
fn other_repository(key: &VariantKey, first: &str, second: &RepoSource) -> String {
    format!(
        "Variant '{key}' was made from another repository: '{first}'. Send 'force': true to make it from '{second}' \
         instead, or delete it first."
    )
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
