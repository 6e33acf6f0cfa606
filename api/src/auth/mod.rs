//! Who is calling, and what for: the caller, the three doors that handlers name in their signatures, and what stands
//! behind them.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, header};
use shared::{
    db::{self, variants::Scope},
    wire::{AuthResponse, Role},
};

use crate::{error::ApiError, state::ApiState};

pub mod pepper;
pub(crate) mod token;
pub(crate) mod admin_key;
pub(crate) mod session;
pub(crate) mod gate;
pub(crate) mod doors;
pub(crate) mod same_origin;

/// Name of the one user that exists without a database row.
pub(crate) const ADMIN: &str = "admin";

/// A person or program that proved who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// User name.
    pub username: Arc<str>,
    /// Role.
    pub role: Role,
}

impl Caller {
    pub(crate) fn admin() -> Self {
        Self { username: ADMIN.into(), role: Role::Admin }
    }

    /// Whether the caller may do everything.
    pub fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }

    /// Whose variants the caller may see.
    pub(crate) fn scope(&self) -> Scope<'_> {
        if self.is_admin() { Scope::All } else { Scope::Owner(&self.username) }
    }

    pub(crate) fn to_response(&self) -> AuthResponse {
        AuthResponse { username: self.username.to_string(), role: self.role, is_admin: self.is_admin() }
    }
}

/// How a caller proved it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// A header that only the caller's own program sends.
    Bearer,
    /// A cookie, which a browser also sends for requests that another site made it send.
    Cookie,
}

/// Finds out who calls: the bearer token first, else the cookie. A wrong token does not spoil a good cookie.
pub(crate) async fn authenticate(state: &ApiState, headers: &HeaderMap) -> Result<Option<(Caller, Proof)>, ApiError> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if let Some(token) = bearer.and_then(|value| value.strip_prefix("Bearer "))
        && state.admin_key().matches(token)
    {
        return Ok(Some((Caller::admin(), Proof::Bearer)));
    }
    let Some(token) = session::token_of(headers) else {
        return Ok(None);
    };
    let username = session::find(state, token).await?;
    Ok(username.and_then(|name| caller_named(&name)).map(|caller| (caller, Proof::Cookie)))
}

/// Checks a name with its key, as a login form sends them.
pub(crate) fn check_key(state: &ApiState, username: &str, api_key: &str) -> Option<Caller> {
    // compared whatever the name is, so that the time tells nothing
    let fits = state.admin_key().matches(api_key);
    (fits && username == ADMIN).then(Caller::admin)
}

/// Makes a link that logs the user `admin` in once, within a quarter of an hour, and leads to `next`, a path on this
/// server. `base_url` is where the server is reached, such as `http://127.0.0.1:8000`.
pub async fn login_link(pool: &sqlx::PgPool, base_url: &str, next: &str) -> sqlx::Result<String> {
    const LIFETIME: Duration = Duration::from_mins(15);
    let token = token::new();
    let mut conn = pool.acquire().await?;
    db::access::create_login_link(&mut conn, &token::hash(&token), ADMIN, LIFETIME).await?;
    let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
    Ok(format!("{}/login/link/{token}?next={next}", base_url.trim_end_matches('/')))
}

/// The user of this name; only `admin` exists without rows of users.
pub(crate) fn caller_named(username: &str) -> Option<Caller> {
    (username == ADMIN).then(Caller::admin)
}
