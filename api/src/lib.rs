//! Who answers: the routes, who may call them, and the server around them.
//!
//! The way of a request: `server` reads it, `middleware` gives it an id, limits and a caller (`auth`), a handler of `routes`
//! answers it from what is stored (`access` says which variant is meant), `error` says what went wrong.

pub mod server;
pub mod state;
pub mod auth;
mod stall;
mod linger;
mod middleware;
mod error;
mod body;
mod access;
mod brief_cache;
mod served;
mod deleted_sites;
mod starts;
mod views;
mod watch;
mod routes;
mod openapi;

pub use auth::login_link;
pub use openapi::document;
pub use server::serve;
pub use state::{ApiParts, ApiState};
pub use watch::WatchTimes;

/// Everything that is answered, ready to be served.
pub fn router(state: &ApiState) -> axum::Router {
    let (routes, document) = routes::all().split_for_parts();
    let routes = routes.merge(openapi::routes(&openapi::completed(document)));
    let routes = routes::with_fallbacks(routes).with_state(state.clone());
    middleware::wrap(routes, state)
}
