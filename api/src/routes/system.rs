//! Whether the process lives, whether it can work, and which one it is.

use axum::{Json, extract::State};
use http::StatusCode;
use shared::{
    db,
    wire::{Check, HealthResponse, ReadyResponse, VersionResponse},
};

use crate::state::ApiState;

/// Says that the process answers.
#[utoipa::path(get, path = "/health", tag = "system", security(()), responses((status = 200, body = HealthResponse)))]
pub(super) async fn get_health() -> Json<HealthResponse> {
    Json(HealthResponse { status: "ok".into() })
}

/// Says which program this is.
#[utoipa::path(get, path = "/version", tag = "system", security(()), responses((status = 200, body = VersionResponse)))]
pub(super) async fn get_version() -> Json<VersionResponse> {
    Json(VersionResponse { name: "docmill".into(), version: env!("CARGO_PKG_VERSION").into() })
}

/// Says whether requests can be served, and if not, what is missing.
#[utoipa::path(
    get,
    path = "/ready",
    tag = "system",
    security(()),
    responses(
        (status = 200, body = ReadyResponse),
        (status = 503, body = ReadyResponse, description = "Something is missing"),
    )
)]
pub(super) async fn get_ready(State(state): State<ApiState>) -> (StatusCode, Json<ReadyResponse>) {
    let mut checks = check_database(&state).await;
    checks.push(check_sites(&state).await);
    checks.extend(state.sandbox().map(|sandbox| match sandbox {
        Ok(note) => Check { name: "sandbox".into(), ok: true, detail: Some(note.clone()) },
        Err(missing) => Check { name: "sandbox".into(), ok: false, detail: Some(missing.clone()) },
    }));
    let ready = checks.iter().all(|check| check.ok);
    let (status, text) = if ready { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready") };
    (status, Json(ReadyResponse { status: text.into(), checks }))
}

async fn check_database(state: &ApiState) -> Vec<Check> {
    let asked = async {
        let mut conn = state.pool().acquire().await?;
        db::count_missing_migrations(&mut conn).await
    };
    match asked.await {
        Ok(0) => vec![passed("database"), passed("migrations")],
        Ok(missing) => {
            let detail = format!("{missing} schema changes are missing, run `docmill migrate`");
            vec![passed("database"), failed("migrations", detail)]
        }
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "the database does not answer");
            vec![failed("database", "the database does not answer".into())]
        }
    }
}

async fn check_sites(state: &ApiState) -> Check {
    match state.sites().check_writable().await {
        Ok(()) => passed("sites"),
        Err(error) => {
            tracing::warn!(%error, "the site store cannot be written");
            failed("sites", error.to_string())
        }
    }
}

fn passed(name: &str) -> Check {
    Check { name: name.into(), ok: true, detail: None }
}

fn failed(name: &str, detail: String) -> Check {
    Check { name: name.into(), ok: false, detail: Some(detail) }
}
