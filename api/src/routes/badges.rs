//! The grade of a project's site as a picture for a README, and as JSON for shields.io. A badge says nothing but the grade;
//! a project that is not there, one that the caller may not read and one that nobody checked look the same.

use axum::{
    body::Body,
    extract::{Path, State},
    response::Response,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use shared::{
    db::{
        self,
        variants::{Scope, VariantRow},
    },
    evidence::Grade,
    names::BranchName,
    wire::ErrorResponse,
};

use super::file_answer::{ETag, is_known};
use crate::{
    access::{self, query_value},
    auth::{Caller, doors::Guest},
    error::ApiError,
    state::ApiState,
};

/// What stands on the left side.
const LABEL: &str = "docs quality";
/// Its width in pixels, as Verdana 11 has it, with room around.
const LABEL_WIDTH: u32 = 83;

/// What shields.io reads: <https://shields.io/badges/endpoint-badge>.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Badge {
    /// Always 1.
    schema_version: u32,
    /// The left side.
    label: &'static str,
    /// The right side: the grade, or `unknown`.
    message: &'static str,
    /// The colour of the right side, as six digits.
    color: &'static str,
}

/// Gives the grade of a project's newest site as a picture.
#[utoipa::path(
    get,
    path = "/api/projects/{name}/badge.svg",
    tag = "sites",
    security((), ("key" = []), ("session" = [])),
    params(("name" = String, Path), BadgeQuery),
    responses(
        (status = 200, content_type = "image/svg+xml", body = String, description = "The grade, or `unknown`"),
        (status = 304, description = "`If-None-Match` names it"),
        (status = 400, body = ErrorResponse, description = "Nobody can have this name"),
        (status = 401, body = ErrorResponse, description = "Nobody is known, and `PUBLIC_BADGES` is off"),
    )
)]
pub(super) async fn get_badge_picture(
    State(state): State<ApiState>,
    Guest(caller): Guest,
    Path(name): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let badge = find_badge(&state, caller.as_ref(), &name, &uri).await?;
    answer(&state, &headers, "image/svg+xml; charset=utf-8", badge.to_svg())
}

/// Gives the grade of a project's newest site as shields.io reads it.
#[utoipa::path(
    get,
    path = "/api/projects/{name}/badge.json",
    tag = "sites",
    security((), ("key" = []), ("session" = [])),
    params(("name" = String, Path), BadgeQuery),
    responses(
        (status = 200, body = Badge),
        (status = 304, description = "`If-None-Match` names it"),
        (status = 400, body = ErrorResponse, description = "Nobody can have this name"),
        (status = 401, body = ErrorResponse, description = "Nobody is known, and `PUBLIC_BADGES` is off"),
    )
)]
pub(super) async fn get_badge(
    State(state): State<ApiState>,
    Guest(caller): Guest,
    Path(name): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let badge = find_badge(&state, caller.as_ref(), &name, &uri).await?;
    let json = serde_json::to_string(&badge).map_err(|error| ApiError::Internal(error.into()))?;
    answer(&state, &headers, "application/json", json)
}

/// Which site of the project is meant; the newest of those that fit.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `find_badge` reads")]
struct BadgeQuery {
    /// Branch or tag.
    branch: Option<String>,
    /// Who wrote.
    provider: Option<String>,
    /// With which model.
    model: Option<String>,
    /// Whose site.
    owner: Option<String>,
}

/// Whether a path is that of a badge, which everybody may read when the server says so.
pub(crate) fn is_badge(method: &Method, path: &str) -> bool {
    let name = path.strip_prefix("/api/projects/").and_then(|rest| {
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        rest.strip_suffix("/badge.svg").or_else(|| rest.strip_suffix("/badge.json"))
    });
    matches!(*method, Method::GET | Method::HEAD) && name.is_some_and(|name| !name.contains('/'))
}

async fn find_badge(state: &ApiState, caller: Option<&Caller>, name: &str, uri: &Uri) -> Result<Badge, ApiError> {
    let name = access::parse_project(name)?;
    // a grade that everybody may read does not depend on who asks
    let scope = match caller {
        _ if state.badges_are_public() => Scope::All,
        Some(caller) => caller.reads(),
        None => return Err(ApiError::unauthorized()),
    };
    let asked = |parameter| query_value(uri, parameter);
    let (branch, provider, model, owner) = (asked("branch"), asked("provider"), asked("model"), asked("owner"));
    let fits = |row: &VariantRow| {
        let says = |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|wanted| wanted == is);
        let is_branch = branch.as_deref().is_none_or(|text| {
            text == row.branch.as_str() || BranchName::from_segment(text).is_ok_and(|branch| branch == row.branch)
        });
        is_branch
            && says(&provider, row.ai_provider.as_str())
            && says(&model, row.ai_model.as_str())
            && says(&owner, &row.owner)
    };
    let rows = db::variants::list_of_project(&mut *state.pool().acquire().await?, scope, &name).await?;
    let served = rows.into_iter().filter(|row| row.site_prefix.is_some() && fits(row));
    let newest = served.max_by_key(|row| (row.last_generated, row.id));
    Ok(Badge::new(newest.and_then(|row| row.grade).and_then(|grade| grade.parse().ok())))
}

impl Badge {
    fn new(grade: Option<Grade>) -> Self {
        let color = match grade {
            Some(Grade::A) => "1a7f37",
            Some(Grade::B) => "4d7c0f",
            Some(Grade::C) => "8a6100",
            Some(Grade::D) => "b4500b",
            Some(Grade::F) => "b0243a",
            None => "6e7781",
        };
        Self { schema_version: 1, label: LABEL, message: grade.map_or("unknown", Grade::as_str), color }
    }

    /// The picture. Every text of it is one of ours, none is of a user.
    fn to_svg(&self) -> String {
        let Self { label, message, color, .. } = self;
        let right = if message.len() == 1 { 24 } else { 60 };
        let width = LABEL_WIDTH + right;
        let (left_middle, right_middle) = (LABEL_WIDTH / 2, LABEL_WIDTH + right / 2);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"20\" role=\"img\" \
             aria-label=\"{label}: {message}\"><title>{label}: {message}</title>\
             <clipPath id=\"r\"><rect width=\"{width}\" height=\"20\" rx=\"3\"/></clipPath>\
             <g clip-path=\"url(#r)\"><rect width=\"{LABEL_WIDTH}\" height=\"20\" fill=\"#444d56\"/>\
             <rect x=\"{LABEL_WIDTH}\" width=\"{right}\" height=\"20\" fill=\"#{color}\"/></g>\
             <g fill=\"#fff\" text-anchor=\"middle\" font-family=\"Verdana,DejaVu Sans,sans-serif\" font-size=\"11\">\
             <text x=\"{left_middle}\" y=\"14\">{label}</text><text x=\"{right_middle}\" y=\"14\">{message}</text></g></svg>\n"
        )
    }
}

/// A small answer that may be kept for some minutes: pictures in a README are asked for over and over.
fn answer(state: &ApiState, headers: &HeaderMap, kind: &'static str, body: String) -> Result<Response, ApiError> {
    let digest = Sha256::digest(body.as_bytes());
    let etag = ETag::new(&format!("\"{}\"", hex::encode(&digest[..8])))?;
    let is_known = is_known(headers, &etag);
    let mut response = Response::new(if is_known { Body::empty() } else { Body::from(body) });
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    let is_public = state.badges_are_public();
    let rule = if is_public { "public, max-age=300" } else { "private, no-cache" };
    let policy = HeaderValue::from_static("default-src 'none'");
    response.headers_mut().insert(header::ETAG, etag.into_value());
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(rule));
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    if is_public {
        // browsers would not show it on the page of another site
        let anywhere = HeaderValue::from_static("cross-origin");
        response.headers_mut().insert(HeaderName::from_static("cross-origin-resource-policy"), anywhere);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_badges_of_one_project_are_badges() {
        for path in ["/api/projects/demo/badge.svg", "/api/projects/demo/badge.json/"] {
            assert!(is_badge(&Method::GET, path) && !is_badge(&Method::POST, path), "{path}");
        }
        for path in
            ["/api/projects/badge.svg", "/api/projects/a/b/badge.svg", "/api/projects/demo", "/docs/x/badge.svg"]
        {
            assert!(!is_badge(&Method::GET, path), "{path}");
        }
    }
}
