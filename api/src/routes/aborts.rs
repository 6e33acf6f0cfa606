//! Ending a generation before it is done.

use std::time::Duration;

use axum::{
    Json,
    extract::{Path, State},
};
use shared::{
    db::{self, aborts::ActiveGeneration},
    events::Heard,
    generation::State as GenerationState,
    ids::GenerationId,
    jobs::request_abort,
    wire::{AbortManyResponse, AbortResponse, ErrorResponse},
};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::{Instant, timeout, timeout_at},
};

use crate::{
    access::{self, OwnerParams, OwnerQuery, VariantParams},
    auth::doors::{NoBody, Writer},
    error::ApiError,
    state::ApiState,
};

/// How long an answer waits for the end of the generation.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often the row is looked at although nothing was heard.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Aborts the only active generation of a project name.
#[utoipa::path(
    post,
    path = "/api/projects/{name}/abort",
    tag = "generations",
    params(("name" = String, Path)),
    responses(
        (status = 200, body = AbortResponse),
        (status = 400, body = ErrorResponse, description = "Nobody can have this name"),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "Nothing is being generated"),
        (status = 409, body = ErrorResponse, description = "Several are, or it ended by itself, or it still ends"),
    )
)]
pub(super) async fn abort_project(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    Writer { caller, .. }: Writer<NoBody>,
) -> Result<Json<AbortResponse>, ApiError> {
    let name = access::parse_project(&name)?;
    let mut conn = state.pool().acquire().await?;
    let mut active = db::aborts::list_active(&mut conn, caller.owns(), &name).await?;
    drop(conn);
    if active.len() > 1 {
        return Err(ApiError::conflict("Multiple active variants found; use the branch-specific abort endpoint."));
    }
    let active = active.pop().ok_or_else(|| ApiError::not_found(format!("No active generation for '{name}'")))?;
    abort(&state, &active, name.as_str()).await?;
    Ok(Json(AbortResponse { aborted: name.to_string() }))
}

/// Aborts the generation of one variant.
#[utoipa::path(
    post,
    path = "/api/projects/{name}/{branch}/{provider}/{model}/abort",
    tag = "generations",
    params(VariantParams, OwnerParams),
    responses(
        (status = 200, body = AbortResponse),
        (status = 400, body = ErrorResponse, description = "Nobody can have this name"),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "The variant is not being generated"),
        (status = 409, body = ErrorResponse, description = "Several owners, or it ended by itself, or it still ends"),
    )
)]
pub(super) async fn abort_variant(
    State(state): State<ApiState>,
    Path(params): Path<VariantParams>,
    OwnerQuery(owner): OwnerQuery,
    Writer { caller, .. }: Writer<NoBody>,
) -> Result<Json<AbortResponse>, ApiError> {
    let missing = "No active generation for this variant";
    let path = params.parse(missing)?;
    let mut conn = state.pool().acquire().await?;
    let active = access::get_active(&mut conn, &caller, &path, owner.as_deref()).await?;
    drop(conn);
    let key = &active.key;
    // docsfy's name of a variant, in which a slash of the branch is written as in paths
    let shown = format!("{}/{}/{}/{}/{}", key.owner, key.name, key.branch.to_segment(), key.provider, key.model);
    abort(&state, &active, &shown).await?;
    Ok(Json(AbortResponse { aborted: active.key.to_string() }))
}

/// Asks for the end and waits for it. `shown` is what a refusal calls it.
pub(super) async fn abort(state: &ApiState, active: &ActiveGeneration, shown: &str) -> Result<(), ApiError> {
    // heard from before the request on, so that the end cannot be missed
    let heard = state.listening().subscribe();
    let mut transaction = db::begin(state.pool()).await?;
    let asked = request_abort(&mut transaction, active.variant_id, active.id).await?;
    transaction.commit().await?;
    let ended = match asked {
        Some(GenerationState::Aborted) => Some(GenerationState::Aborted),
        Some(_) => wait_for_end(state, active, heard).await?,
        // it ended between the look and the request
        None => Some(GenerationState::Ready),
    };
    match ended {
        Some(GenerationState::Aborted) => {
            tracing::info!(variant = %active.key, generation = %active.id, "aborted");
            Ok(())
        }
        Some(_) => Err(ApiError::conflict(format!(
            "Generation for '{shown}' already finished. Refresh status and retry only if needed."
        ))),
        None => Err(ApiError::conflict(format!("Abort still in progress for '{shown}'. Please retry shortly."))),
    }
}

/// Asks for the end of many and waits for all of them together. Each is asked for by itself: locks of many rows at once would
/// meet those of the workers.
pub(super) async fn abort_many(
    state: &ApiState,
    active: &[(GenerationId, i64)],
) -> Result<AbortManyResponse, ApiError> {
    let mut heard = state.listening().subscribe();
    let mut open = Vec::new();
    let (mut requested, mut aborted) = (0, 0);
    for (id, variant) in active {
        let mut transaction = db::begin(state.pool()).await?;
        let asked = request_abort(&mut transaction, *variant, *id).await?;
        transaction.commit().await?;
        requested += usize::from(asked.is_some());
        match asked {
            Some(GenerationState::Aborted) => aborted += 1,
            Some(_) => open.push(*id),
            // it ended between the look and the request
            None => {}
        }
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut conn = state.pool().acquire().await?;
        let states = db::aborts::list_states(&mut conn, &open).await?;
        drop(conn);
        aborted += states.iter().filter(|(_, state)| *state == GenerationState::Aborted).count();
        open = states.into_iter().filter(|(_, state)| !state.is_terminal()).map(|(id, _)| id).collect();
        if open.is_empty() || timeout_at(deadline, hear_of(None, &mut heard)).await.is_err() {
            return Ok(AbortManyResponse { requested, aborted, still_ending: open });
        }
    }
}

/// The state in which a generation ended, or `None` when patience did.
async fn wait_for_end(
    state: &ApiState,
    active: &ActiveGeneration,
    mut heard: Receiver<Heard>,
) -> Result<Option<GenerationState>, ApiError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut conn = state.pool().acquire().await?;
        let found = db::generations::find_state(&mut conn, active.id).await?;
        drop(conn);
        match found {
            Some((now, _)) if now.is_terminal() => return Ok(Some(now)),
            Some(_) => {}
            // the row went with its variant: whoever deleted it ended it
            None => return Ok(Some(GenerationState::Aborted)),
        }
        if timeout_at(deadline, hear_of(Some(active.id), &mut heard)).await.is_err() {
            return Ok(None);
        }
    }
}

/// Comes back when something about a generation, or about any, was heard or may have been missed, and every now and then.
async fn hear_of(generation: Option<GenerationId>, heard: &mut Receiver<Heard>) {
    let generation = generation.map(|id| id.to_string());
    let about_it = async {
        loop {
            match heard.recv().await {
                Ok(Heard::Notification { channel, payload }) => {
                    let is_event = &*channel == db::events::CHANNEL;
                    if is_event && generation.as_ref().is_none_or(|id| payload.contains(id)) {
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
