//! Who can write.

use axum::{Json, extract::State};
use shared::{db, wire::ModelsResponse};

use crate::{error::ApiError, state::ApiState};

/// Lists providers, defaults, and the models that wrote ready variants.
#[utoipa::path(
    get,
    path = "/api/models",
    tag = "system",
    security(()),
    responses((status = 200, body = ModelsResponse))
)]
pub(super) async fn list_models(State(state): State<ApiState>) -> Json<ModelsResponse> {
    // this route never fails: without a database there are just no known models
    let models = find_models(&state).await.unwrap_or_else(|error| {
        tracing::warn!(?error, "known models are left out");
        offered(&state, &[])
    });
    Json(models)
}

async fn find_models(state: &ApiState) -> Result<ModelsResponse, ApiError> {
    let mut conn = state.pool().acquire().await?;
    Ok(offered(state, &db::variants::list_known_models(&mut conn).await?))
}

/// What can be chosen here.
pub(super) fn offered(
    state: &ApiState,
    known: &[(shared::provider::Provider, shared::names::ModelId)],
) -> ModelsResponse {
    ModelsResponse::new(state.writer().ai_provider, state.writer().ai_model.clone(), known)
}
