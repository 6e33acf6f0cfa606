//! The page that a browser sees first: the projects with links to their docs. Plain HTML, works without JavaScript.

use std::collections::HashMap;

use askama::Template;
use axum::{
    Router,
    extract::State,
    response::{Html, IntoResponse, Redirect, Response},
    routing::get,
};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use shared::{
    db::{self, variants::VariantRow},
    provider::Provider,
    user::{ADMIN, Role},
};

use crate::{
    auth::{self, Caller, client::ClientAddress, gate},
    error::ApiError,
    middleware::PAGE_POLICY,
    state::ApiState,
};

const STYLE: &str = include_str!("../../ui/style.css");

/// What a path segment may hold as it is.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub(super) fn routes() -> Router<ApiState> {
    Router::new().route("/", get(show_projects)).route("/assets/docmill.css", get(get_style))
}

/// Address of the style sheet; it changes with each version of the program.
pub(super) fn style_path() -> &'static str {
    concat!("/assets/docmill.css?v=", env!("CARGO_PKG_VERSION"))
}

/// A page with the headers that its own kind needs.
pub(super) fn html(template: &impl Template) -> Result<impl IntoResponse, ApiError> {
    let text = template.render().map_err(|error| ApiError::Internal(error.into()))?;
    Ok(([(header::CONTENT_SECURITY_POLICY, PAGE_POLICY)], Html(text)))
}

#[derive(Template)]
#[template(path = "projects.html")]
struct ProjectsPage<'a> {
    style: &'a str,
    username: Option<&'a str>,
    /// Shown when it is not the usual one.
    role: Option<&'static str>,
    may_write: bool,
    projects: Vec<Shown>,
}

/// A variant as the page shows it.
struct Shown {
    name: String,
    branch: String,
    writer: String,
    owner: Option<String>,
    status: &'static str,
    stage: Option<&'static str>,
    error: Option<String>,
    docs: Option<String>,
    /// Whether the address of its docs leads to somebody else's.
    is_covered: bool,
    pages: i32,
    grade: Option<String>,
    made: Option<String>,
}

async fn show_projects(
    State(state): State<ApiState>,
    from: ClientAddress,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let known = auth::authenticate(&state, from, &headers).await?.map(|(caller, _)| caller);
    let is_open = state.docs_are_open() && gate::names_loopback(&headers);
    let caller = match &known {
        Some(caller) => caller.clone(),
        None if is_open => Caller::admin(),
        None => return Ok(Redirect::to("/login").into_response()),
    };
    let mut conn = state.pool().acquire().await?;
    let rows = db::variants::list(&mut conn, caller.reads()).await?;
    drop(conn);
    let covered = find_covered(&rows, &caller);
    let projects = rows.into_iter().zip(covered).map(|(row, is_covered)| show(row, is_covered, &caller)).collect();
    let username = known.as_ref().map(|caller| &*caller.username);
    let role = (caller.role != Role::User && &*caller.username != ADMIN).then(|| caller.role.as_str());
    let may_write = caller.role.may_write();
    Ok(html(&ProjectsPage { style: style_path(), username, role, may_write, projects })?.into_response())
}

/// Which rows no address leads to. Only admins can name an owner in an address; for others an address means the own variant,
/// else the only shared one.
fn find_covered(rows: &[VariantRow], caller: &Caller) -> Vec<bool> {
    fn address(row: &VariantRow) -> (&str, &str, Provider, &str) {
        (row.name.as_str(), row.branch.as_str(), row.ai_provider, row.ai_model.as_str())
    }
    let mut owners = HashMap::new();
    for row in rows {
        *owners.entry(address(row)).or_insert(0) += 1;
    }
    let is_covered =
        |row: &VariantRow| !caller.is_admin() && row.owner != *caller.username && owners[&address(row)] > 1;
    rows.iter().map(is_covered).collect()
}

fn show(row: VariantRow, is_covered: bool, caller: &Caller) -> Shown {
    let is_foreign = row.owner != *caller.username;
    let docs = row.site_prefix.as_ref().filter(|_| !is_covered).map(|_| {
        let parts = [row.name.as_str(), &row.branch.to_segment(), row.ai_provider.as_str(), row.ai_model.as_str()];
        let path = parts.map(|part| utf8_percent_encode(part, SEGMENT).to_string()).join("/");
        let owner: String = url::form_urlencoded::byte_serialize(row.owner.as_bytes()).collect();
        let query = if is_foreign && caller.is_admin() { format!("?owner={owner}") } else { String::new() };
        format!("/docs/{path}/{query}")
    });
    Shown {
        name: row.name.to_string(),
        branch: row.branch.to_string(),
        writer: format!("{} {}", row.ai_provider.label(), row.ai_model),
        owner: is_foreign.then_some(row.owner),
        status: row.status.as_str(),
        stage: row.current_stage.map(shared::stage::Stage::as_str),
        error: row.error_message,
        docs,
        is_covered,
        grade: row.grade,
        pages: row.page_count,
        made: row.last_generated.map(|time| time.format("%Y-%m-%d %H:%M UTC").to_string()),
    }
}

async fn get_style() -> ([(HeaderName, HeaderValue); 2], &'static str) {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600")),
    ];
    (headers, STYLE)
}
