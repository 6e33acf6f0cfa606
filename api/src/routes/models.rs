//! Who can write.

use std::time::Duration;

use axum::{Json, extract::State};
use shared::{
    db,
    events::{Heard, WORKERS_CHANNEL},
    wire::{ErrorResponse, ModelsResponse},
};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::{Instant, timeout, timeout_at},
};

use crate::{
    auth::doors::{Admin, NoBody},
    error::ApiError,
    state::ApiState,
};

/// How long an answer waits until all workers have looked.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it is asked whether they have, although nothing was heard.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Lists providers, defaults, the models that wrote ready variants, and what can be used just now.
#[utoipa::path(
    get,
    path = "/api/models",
    tag = "system",
    security(()),
    responses((status = 200, body = ModelsResponse))
)]
pub(super) async fn list_models(State(state): State<ApiState>) -> Json<ModelsResponse> {
    // this route never fails: without a database there are just no known models
    let models = find_models(&state, false).await.unwrap_or_else(|error| {
        tracing::warn!(?error, "known models are left out");
        ModelsResponse::new(&state.writer().defaults(), &[]).with_status(None, false)
    });
    Json(models)
}

/// Lets the workers look again which providers they can run, and lists the same; with more about what is missing.
#[utoipa::path(
    post,
    path = "/api/models/refresh",
    tag = "system",
    responses(
        (status = 200, body = ModelsResponse),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
    )
)]
pub(super) async fn refresh_models(
    State(state): State<ApiState>,
    _admin: Admin,
    _body: NoBody,
) -> Result<Json<ModelsResponse>, ApiError> {
    // heard from before the question on, so that no answer can be missed
    let mut heard = state.listening().subscribe();
    let since = db::workers::ask_to_look(&mut *state.pool().acquire().await?).await?;
    let deadline = Instant::now() + PATIENCE;
    while db::workers::count_not_looked(&mut *state.pool().acquire().await?, since).await? > 0 {
        if timeout_at(deadline, hear_of_a_look(&mut heard)).await.is_err() {
            tracing::warn!("a worker does not say what it can run; what it said before is told");
            break;
        }
    }
    Ok(Json(find_models(&state, true).await?))
}

async fn find_models(state: &ApiState, for_admin: bool) -> Result<ModelsResponse, ApiError> {
    let mut conn = state.pool().acquire().await?;
    let known = db::variants::list_known_models(&mut conn).await?;
    let workers = db::workers::list_live(&mut conn).await?;
    let defaults = db::settings::read_defaults(&mut conn).await?;
    Ok(ModelsResponse::new(&defaults, &known).with_status(Some(&workers), for_admin))
}

/// Comes back when a worker may have looked, and every now and then.
async fn hear_of_a_look(heard: &mut Receiver<Heard>) {
    let about_workers = async {
        loop {
            match heard.recv().await {
                Ok(Heard::Notification { channel, .. }) if *channel == *WORKERS_CHANNEL => return,
                Ok(Heard::Notification { .. }) => {}
                Ok(Heard::Reconnected) | Err(RecvError::Lagged(_)) => return,
                // no one listens any more; the regular look is left
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    };
    // an elapsed time is as good a reason to ask as a word
    let _ = timeout(LOOK_EVERY, about_workers).await;
}
