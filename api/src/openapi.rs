//! The description of the API that programs read, at `/api/openapi.json`. Operations are named as their handlers are.

use axum::{Router, routing::get};
use bytes::Bytes;
use http::{HeaderValue, header};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        OpenApi as Document,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use crate::{routes, state::ApiState};

mod common;

#[derive(OpenApi)]
#[openapi(
    info(title = "docmill", description = "Turns Git repositories into documentation sites."),
    modifiers(&Doors),
    security(("key" = []), ("session" = [])),
    paths(routes::docs::get_latest_page, routes::docs::get_variant_page),
    tags(
        (name = "projects", description = "Variants: what exists and in which state"),
        (name = "generations", description = "Asking for a site, and for the end of the work on it"),
        (name = "operators", description = "Runs and workers, for admins"),
        (name = "events", description = "What happens, as server-sent events"),
        (name = "sites", description = "Reading and downloading sites"),
        (name = "users", description = "Users and whom projects are shared with, for admins"),
        (name = "auth", description = "Sessions of browsers"),
        (name = "system", description = "What this server is and can"),
    )
)]
struct Description;

struct Doors;

impl Modify for Doors {
    fn modify(&self, document: &mut Document) {
        let key = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("The key of a user, or the admin key."))
            .build();
        let session = ApiKey::Cookie(ApiKeyValue::with_description("docsfy_session", "Set by logging in."));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("key", SecurityScheme::Http(key));
        components.add_security_scheme("session", SecurityScheme::ApiKey(session));
    }
}

/// What the description begins with.
pub(crate) fn description() -> Document {
    Description::openapi()
}

/// The whole description.
pub fn document() -> Document {
    completed(routes::all().into_openapi())
}

/// The description with what all operations have in common.
pub(crate) fn completed(mut document: Document) -> Document {
    common::complete(&mut document);
    document
}

/// Serves the description.
pub(crate) fn routes(document: &Document) -> Router<ApiState> {
    let json = document.to_json().expect("a description made of strings, numbers and lists can be written as JSON");
    let json = Bytes::from(json);
    let answer = move || {
        let headers = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
        std::future::ready((headers, json.clone()))
    };
    Router::new().route("/api/openapi.json", get(answer))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_api_is_described_as_the_snapshot_says() {
        insta::assert_json_snapshot!(super::document());
    }
}
