//! How good the pages of a run are, and what is wrong with them.

use axum::{
    Json,
    extract::{Path, State},
};
use http::Uri;
use shared::{
    db,
    evidence::Evidence,
    names::PageSlug,
    wire::{ErrorResponse, QualityResponse},
};

use crate::{
    access::{self, query_value},
    auth::doors::Reader,
    error::ApiError,
    state::ApiState,
};

/// Findings of an answer that does not say how many, and the most of one that does.
const DEFAULT_LIMIT: i64 = 100;
const MAX_LIMIT: i64 = 1000;

/// Gives the score card of a run, its figures by page and section, and its findings.
#[utoipa::path(
    get,
    path = "/api/generations/{generation_id}/quality",
    tag = "generations",
    params(
        ("generation_id" = uuid::Uuid, Path),
        ("page" = Option<String>, Query, description = "Only this page, with its citations"),
        ("limit" = Option<i64>, Query, minimum = 0, maximum = 1000, description = "Findings; 100 when missing"),
        ("offset" = Option<i64>, Query, minimum = 0, description = "Findings that are left out in front"),
    ),
    responses(
        (status = 200, body = QualityResponse),
        (status = 400, body = ErrorResponse, description = "No UUID of the form 8-4-4-4-12, or a query that does not fit"),
        (status = 401, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "There is no such run, or it has no such page"),
    )
)]
pub(super) async fn get_quality(
    State(state): State<ApiState>,
    Reader(caller): Reader,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Json<QualityResponse>, ApiError> {
    let id = access::parse_generation(&id)?;
    let limit = parse_number(&uri, "limit", DEFAULT_LIMIT, MAX_LIMIT)?;
    let offset = parse_number(&uri, "offset", 0, i64::MAX)?;
    let unknown_page = || ApiError::not_found("This run has no such page");
    let page = match query_value(&uri, "page") {
        Some(slug) => Some(slug.parse::<PageSlug>().map_err(|_| unknown_page())?),
        None => None,
    };
    let mut conn = db::views::begin_snapshot(state.pool()).await?;
    let row = db::past_runs::find(&mut conn, id).await?.ok_or_else(access::unknown_generation)?;
    if db::variants::find(&mut conn, caller.reads(), row.variant_id).await?.is_none() {
        return Err(access::unknown_generation());
    }
    if let Some(page) = &page
        && db::pages::find_markdown(&mut conn, id, page).await?.is_none()
    {
        return Err(unknown_page());
    }
    let score = db::sections::find_score(&mut conn, id).await?;
    let pages = db::sections::list(&mut conn, id, page.as_ref()).await?;
    let findings = db::findings::list_some(&mut conn, id, page.as_ref(), offset, limit).await?;
    let counts = db::findings::count(&mut conn, id, page.as_ref()).await?;
    let evidence = Evidence { pages, findings, score };
    Ok(Json(QualityResponse::new(id, row.commit_sha, evidence, counts, page.is_some())))
}

fn parse_number(uri: &Uri, name: &str, missing: i64, most: i64) -> Result<i64, ApiError> {
    let Some(text) = query_value(uri, name) else { return Ok(missing) };
    let number = text.parse().ok().filter(|number| (0..=most).contains(number));
    let range = if most == i64::MAX { "0 or more".to_owned() } else { format!("0 to {most}") };
    number.ok_or_else(|| ApiError::bad_request(format!("`{name}` must be a whole number, {range}")))
}
