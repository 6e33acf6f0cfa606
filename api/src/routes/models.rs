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
        ModelsResponse::new(&state.writer().defaults(), &[])
    });
    Json(models)
}

async fn find_models(state: &ApiState) -> Result<ModelsResponse, ApiError> {
    let mut conn = state.pool().acquire().await?;
    let known = db::variants::list_known_models(&mut conn).await?;
    Ok(ModelsResponse::new(&db::settings::read_defaults(&mut conn).await?, &known))
}
