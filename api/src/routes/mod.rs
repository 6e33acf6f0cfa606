//! Every route, in the order of the reference; one file per resource.

use axum::{Router, response::Response};
use http::{HeaderValue, Method, StatusCode, header};
use utoipa_axum::{router::OpenApiRouter, routes};

mod system;
mod models;
mod auth;
mod login;
mod projects;
mod generate;
mod aborts;
mod generations;
mod inspections;
mod quality;
pub(crate) mod badges;
mod operators;
mod deletions;
mod downloads;
mod users;
mod settings;
mod keys;
mod grants;
mod usage;
mod websocket;
mod event_streams;
pub(crate) mod docs;
pub(crate) mod file_answer;
mod start_page;

use crate::{error::refusal, openapi, state::ApiState};

/// The routes with their description.
pub(crate) fn all() -> OpenApiRouter<ApiState> {
    OpenApiRouter::with_openapi(openapi::description())
        .routes(routes!(system::get_health))
        .routes(routes!(system::get_ready))
        .routes(routes!(system::get_version))
        .routes(routes!(models::list_models))
        .routes(routes!(models::refresh_models))
        .routes(routes!(auth::create_session))
        .routes(routes!(auth::delete_session))
        .routes(routes!(auth::get_caller))
        .routes(routes!(keys::rotate_own_key))
        .routes(routes!(projects::get_status))
        .routes(routes!(projects::list_projects))
        .routes(routes!(projects::get_cost))
        .routes(routes!(projects::get_project_of_generation))
        .routes(routes!(projects::get_project, deletions::delete_project))
        .routes(routes!(projects::get_variant, deletions::delete_variant))
        .routes(routes!(generate::create_generation))
        .routes(routes!(aborts::abort_project))
        .routes(routes!(aborts::abort_variant))
        .routes(routes!(generations::get_generation))
        .routes(routes!(quality::get_quality))
        .routes(routes!(badges::get_badge_picture))
        .routes(routes!(badges::get_badge))
        .routes(routes!(generations::list_generations))
        .routes(routes!(generations::retry))
        .routes(routes!(generations::retry_from))
        .routes(routes!(inspections::check_variant))
        .routes(routes!(inspections::get_inspection))
        .routes(routes!(operators::abort_generation))
        .routes(routes!(operators::abort_many))
        .routes(routes!(operators::pause))
        .routes(routes!(operators::resume))
        .routes(routes!(operators::list_pauses))
        .routes(routes!(operators::list_workers))
        .routes(routes!(operators::drain_worker))
        .routes(routes!(downloads::download_project))
        .routes(routes!(downloads::download_variant))
        .routes(routes!(users::create_user, users::list_users))
        .routes(routes!(settings::get_settings, settings::change_settings))
        .routes(routes!(users::delete_user))
        .routes(routes!(keys::rotate_user_key))
        .routes(routes!(grants::grant_access, grants::list_access))
        .routes(routes!(grants::revoke_access))
        .routes(routes!(usage::get_usage))
        .routes(routes!(usage::list_calls))
        .routes(routes!(event_streams::watch_variant))
        .routes(routes!(event_streams::watch_generation))
        .merge(websocket::routes().into())
        .merge(docs::routes().into())
        .merge(login::routes().into())
        .merge(start_page::routes().into())
}

/// What is no route: 404 for those who read, 405 for those who want to change something, as docsfy says.
pub(crate) fn with_fallbacks(routes: Router<ApiState>) -> Router<ApiState> {
    routes.fallback(answer_unknown_path).method_not_allowed_fallback(answer_unknown_method)
}

async fn answer_unknown_path(method: Method) -> Response {
    if matches!(method, Method::GET | Method::HEAD) {
        return refusal(StatusCode::NOT_FOUND, "Not found");
    }
    let mut response = answer_unknown_method().await;
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET"));
    response
}

async fn answer_unknown_method() -> Response {
    refusal(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
}
