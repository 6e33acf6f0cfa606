//! Deleting variants and projects.

use axum::{
    Json,
    extract::{Path, State},
};
use shared::{
    db::{self, deletions::Outcome},
    variant::VariantKey,
    wire::{DeleteResponse, ErrorResponse},
};

use crate::{
    access::{self, OwnerParams, OwnerQuery, VariantParams},
    auth::{
        Caller,
        doors::{NoBody, Writer},
    },
    deleted_sites,
    error::ApiError,
    state::ApiState,
};

/// Deletes every variant of a project with their sites.
#[utoipa::path(
    delete,
    path = "/api/projects/{name}",
    tag = "projects",
    params(("name" = String, Path, description = "Project name."), OwnerParams),
    responses(
        (status = 200, body = DeleteResponse),
        (status = 400, body = ErrorResponse, description = "Nobody can have this name, or an admin did not say whose"),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse),
        (status = 409, body = ErrorResponse, description = "One of them is being generated"),
    )
)]
pub(super) async fn delete_project(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    OwnerQuery(owner): OwnerQuery,
    Writer { caller, .. }: Writer<NoBody>,
) -> Result<Json<DeleteResponse>, ApiError> {
    let name = access::parse_project(&name)?;
    let owner = owner_to_delete_from(&caller, owner)?;
    let mut transaction = db::begin(state.pool()).await?;
    let prefixes = match db::deletions::delete_project(&mut transaction, &owner, &name).await? {
        Outcome::Deleted(prefixes) => prefixes,
        Outcome::Missing => return Err(ApiError::not_found(format!("Project '{name}' not found"))),
        Outcome::Active => {
            return Err(ApiError::conflict(format!(
                "Cannot delete '{name}' while generation is in progress. Abort running variants first."
            )));
        }
    };
    transaction.commit().await?;
    tracing::info!(audit = true, username = %caller.username, owner, project = %name, "project deleted");
    deleted_sites::remove(&state, prefixes).await;
    Ok(Json(DeleteResponse { deleted: name.to_string() }))
}

/// Deletes one variant with its sites.
#[utoipa::path(
    delete,
    path = "/api/projects/{name}/{branch}/{provider}/{model}",
    tag = "projects",
    params(VariantParams, OwnerParams),
    responses(
        (status = 200, body = DeleteResponse),
        (status = 400, body = ErrorResponse, description = "Nobody can have this name, or an admin did not say whose"),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse),
        (status = 409, body = ErrorResponse, description = "It is being generated"),
    )
)]
pub(super) async fn delete_variant(
    State(state): State<ApiState>,
    Path(params): Path<VariantParams>,
    OwnerQuery(owner): OwnerQuery,
    Writer { caller, .. }: Writer<NoBody>,
) -> Result<Json<DeleteResponse>, ApiError> {
    let missing = "Variant not found";
    // a name that nobody can have is told before a missing owner
    access::parse_project(&params.name)?;
    let owner = owner_to_delete_from(&caller, owner)?;
    let path = params.parse(missing)?;
    let key = VariantKey { owner, name: path.name, branch: path.branch, provider: path.provider, model: path.model };
    let mut transaction = db::begin(state.pool()).await?;
    let prefixes = match db::deletions::delete_variant(&mut transaction, &key).await? {
        Outcome::Deleted(prefixes) => prefixes,
        Outcome::Missing => return Err(ApiError::not_found(missing)),
        Outcome::Active => {
            // docsfy leaves the branch out
            let shown = format!("{}/{}/{}", key.name, key.provider, key.model);
            let detail = format!("Cannot delete '{shown}' while generation is in progress. Abort first.");
            return Err(ApiError::conflict(detail));
        }
    };
    transaction.commit().await?;
    tracing::info!(audit = true, username = %caller.username, owner = key.owner, variant = %key, "variant deleted");
    deleted_sites::remove(&state, prefixes).await;
    Ok(Json(DeleteResponse { deleted: key.to_string() }))
}

/// Admins say whose it is, so that nothing of somebody else is deleted by mistake; all others mean their own.
fn owner_to_delete_from(caller: &Caller, owner: Option<String>) -> Result<String, ApiError> {
    if !caller.is_admin() {
        return Ok(caller.username.to_string());
    }
    owner.ok_or_else(|| {
        ApiError::bad_request(
            "Project owner is required for admin deletion. Use ?owner=username (or ?owner= for legacy projects)",
        )
    })
}
