//! Sessions of browsers: the cookie `docsfy_session`, letter by letter docsfy's, and the rows behind it.

use chrono::Utc;
use http::{HeaderMap, HeaderValue, header};
use shared::{
    db::{self, access::SESSION_LIFETIME},
    events::{AccessChange, announce_access},
    settings::Secret,
    user::ADMIN,
};
use sqlx::PgPool;

use super::{Caller, Entrant, pepper::Pepper, token};
use crate::{error::ApiError, state::ApiState};

const COOKIE: &str = "docsfy_session";

/// Starts a session and gives the value of `Set-Cookie`; `None` when the key was changed since it was checked.
pub(crate) async fn start(state: &ApiState, entrant: &Entrant) -> Result<Option<HeaderValue>, ApiError> {
    let token = token::new();
    let hash = token::hash(&token);
    let username = &*entrant.caller.username;
    let mut conn = state.pool().acquire().await?;
    let started = if username == ADMIN {
        db::access::create_session_of_admin(&mut conn, &hash).await.map(|()| true)
    } else {
        db::access::create_session(&mut conn, &hash, username, entrant.key_version).await
    };
    Ok(started?.then(|| cookie(&set_cookie(&token, state.secure_cookies()))))
}

/// Under which name the database keeps the hash of the admin key.
const ADMIN_KEY_HASH: &str = "admin_key_hash";

/// Ends the sessions of `admin` when the admin key is another one than at the last start: they began with the old one.
pub async fn end_those_of_an_old_admin_key(pool: &PgPool, pepper: &Pepper, admin_key: &Secret) -> sqlx::Result<()> {
    let hash = hex::encode(pepper.mac(&format!("admin key of sessions {}", admin_key.expose())));
    let mut transaction = db::begin(pool).await?;
    if db::access::replace_fact(&mut transaction, ADMIN_KEY_HASH, &hash).await? {
        db::access::delete_sessions_of(&mut transaction, ADMIN).await?;
        announce_access(&mut transaction, &AccessChange::User(ADMIN.into())).await?;
        tracing::info!(audit = true, "ADMIN_KEY was changed, the sessions of admin are ended");
    }
    transaction.commit().await
}

/// Whose session a token is of, if it still runs and its user still exists.
pub(crate) async fn find(state: &ApiState, token: &str) -> Result<Option<Caller>, ApiError> {
    let mut conn = state.pool().acquire().await?;
    let found = db::access::find_session(&mut conn, &token::hash(token)).await?;
    Ok(found.map(|(username, role)| Caller { username: username.into(), role }))
}

/// Ends the session of this request, if there is one, and what is watched with it in any process.
pub(crate) async fn end(state: &ApiState, headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(token) = token_of(headers) else {
        return Ok(());
    };
    let mut transaction = db::begin(state.pool()).await?;
    if let Some(username) = db::access::delete_session(&mut transaction, &token::hash(token)).await? {
        // sockets of the session close
        announce_access(&mut transaction, &AccessChange::User(username)).await?;
    }
    transaction.commit().await?;
    state.callers().clear();
    Ok(())
}

/// The value of `Set-Cookie` that makes a browser forget its session.
pub(crate) fn forget(state: &ApiState) -> HeaderValue {
    let now = Utc::now().format("%a, %d %b %Y %H:%M:%S GMT");
    cookie(&delete_cookie(&now.to_string(), state.secure_cookies()))
}

/// The token of a request's cookie, if it could be one.
pub(crate) fn token_of(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == COOKIE && token::is_well_formed(value)).then_some(value))
}

fn set_cookie(token: &str, secure: bool) -> String {
    let lifetime = SESSION_LIFETIME.as_secs();
    format!("{COOKIE}={token}; HttpOnly; Max-Age={lifetime}; Path=/; SameSite=strict{}", secure_attribute(secure))
}

fn delete_cookie(now: &str, secure: bool) -> String {
    format!("{COOKIE}=\"\"; expires={now}; HttpOnly; Max-Age=0; Path=/; SameSite=strict{}", secure_attribute(secure))
}

fn secure_attribute(secure: bool) -> &'static str {
    if secure { "; Secure" } else { "" }
}

fn cookie(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("a cookie is made of visible ASCII characters")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_docsfys_letter_by_letter() {
        assert_eq!(
            set_cookie("TOKEN", true),
            "docsfy_session=TOKEN; HttpOnly; Max-Age=28800; Path=/; SameSite=strict; Secure"
        );
        assert_eq!(
            set_cookie("TOKEN", false),
            "docsfy_session=TOKEN; HttpOnly; Max-Age=28800; Path=/; SameSite=strict"
        );
        assert_eq!(
            delete_cookie("Sat, 21 Nov 2026 07:00:00 GMT", true),
            "docsfy_session=\"\"; expires=Sat, 21 Nov 2026 07:00:00 GMT; HttpOnly; Max-Age=0; Path=/; \
             SameSite=strict; Secure"
        );
    }

    #[test]
    fn the_token_is_found_among_other_cookies_and_nonsense_is_not_looked_up() {
        let token = token::new();
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=b; docsfy_session=short; c"));
        assert_eq!(token_of(&headers), None);
        headers.append(header::COOKIE, HeaderValue::from_str(&format!("x=y;  docsfy_session={token}")).unwrap());
        assert_eq!(token_of(&headers), Some(token.as_str()));
    }
}
