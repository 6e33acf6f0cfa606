//! Logging in with a browser: a form that works without JavaScript, and links that work once.

use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use shared::db;
use url::Url;

use super::{auth::log_in, start_page};
use crate::{
    access::query_value,
    auth::{self, Entrant, client::ClientAddress, session, token},
    body::Body,
    error::{ApiError, when_to_try_again},
    state::ApiState,
};

pub(super) fn routes() -> Router<ApiState> {
    Router::new()
        .route("/login", get(show_login).post(submit_login))
        .route("/login/link/{token}", get(follow_login_link))
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage<'a> {
    style: &'a str,
    next: &'a str,
    username: &'a str,
    problem: &'a str,
}

async fn show_login(
    State(state): State<ApiState>,
    from: ClientAddress,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let next = local_target(&query_value(&uri, "next").unwrap_or_default());
    if auth::authenticate(&state, from, &headers).await?.is_some() {
        return Ok(Redirect::to(&next).into_response());
    }
    page(StatusCode::OK, &next, "", "")
}

async fn submit_login(State(state): State<ApiState>, from: ClientAddress, body: Body) -> Result<Response, ApiError> {
    let field = |name: &str| {
        let found = url::form_urlencoded::parse(&body.bytes).find(|(key, _)| key == name);
        found.map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let (username, next) = (field("username"), local_target(&field("next")));
    match log_in(&state, from, &username, &field("api_key")).await {
        Ok(Some((_, cookie))) => Ok(enter(cookie, &next)),
        Ok(None) => page(StatusCode::UNAUTHORIZED, &next, &username, "Wrong user name or key."),
        Err(ApiError::TooManyTries(wait)) => {
            let (seconds, sentence) = when_to_try_again(wait);
            let mut response = page(StatusCode::TOO_MANY_REQUESTS, &next, &username, &sentence)?;
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
            Ok(response)
        }
        Err(error) => Err(error),
    }
}

async fn follow_login_link(
    State(state): State<ApiState>,
    from: ClientAddress,
    Path(link): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let next = local_target(&query_value(&uri, "next").unwrap_or_default());
    let mut conn = state.pool().acquire().await?;
    let username = db::access::take_login_link(&mut conn, &token::hash(&link)).await?;
    drop(conn);
    if let Some(username) = username
        && let Some(caller) = auth::caller_named(&state, &username).await?
        && let Some(cookie) = session::start(&state, &Entrant::by_link(caller)).await?
    {
        return Ok(enter(cookie, &next));
    }
    // who follows a link again and is in already shall not be bothered
    if auth::authenticate(&state, from, &headers).await?.is_some() {
        return Ok(Redirect::to(&next).into_response());
    }
    page(StatusCode::UNAUTHORIZED, &next, "", "This link was used already or is too old.")
}

fn enter(cookie: HeaderValue, next: &str) -> Response {
    ([(header::SET_COOKIE, cookie)], Redirect::to(next)).into_response()
}

fn page(status: StatusCode, next: &str, username: &str, problem: &str) -> Result<Response, ApiError> {
    let template = LoginPage { style: start_page::style_path(), next, username, problem };
    Ok((status, start_page::html(&template)?).into_response())
}

/// Where `?next=` leads, as long as that is on this server; else the start page.
fn local_target(next: &str) -> String {
    let here = Url::parse("http://here.invalid/").expect("a constant address");
    let target = here.join(next).ok().filter(|target| target.origin() == here.origin() && next.starts_with('/'));
    // `/.//evil.example` stays on this host and yet begins with two slashes once it is resolved
    match target.map(|target| target[url::Position::BeforePath..].to_owned()) {
        Some(path) if !path.starts_with("//") => path,
        _ => "/".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logging_in_never_leads_to_another_server() {
        for next in ["/", "/docs/demo/", "/docs/demo/a.html?owner=bob#part"] {
            assert_eq!(local_target(next), next);
        }
        for next in [
            "",
            "docs/demo",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/.//evil.example",
            "/a/..//evil.example",
            "https://evil.example/",
            "https:evil.example",
            "javascript:alert(1)",
            "http://here.invalid/",
            " //evil.example",
        ] {
            assert_eq!(local_target(next), "/", "{next:?}");
        }
    }

    #[test]
    fn a_target_cannot_split_a_header() {
        assert!(!local_target("/a\r\nset-cookie: b").contains(['\r', '\n']));
    }
}
