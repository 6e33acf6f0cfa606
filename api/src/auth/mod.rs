//! Who is calling, and what for: the caller, the three doors that handlers name in their signatures, and what stands
//! behind them.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, header};
use shared::{
    db::{self, users::Candidate, variants::Scope},
    names::Username,
    user::{ADMIN, Role},
    wire::AuthResponse,
};
use sqlx::PgConnection;

use self::{client::ClientAddress, keys::Presented};
use crate::{error::ApiError, state::ApiState};

pub mod pepper;
pub mod docsfy_keys;
pub(crate) mod token;
pub(crate) mod keys;
pub mod session;
pub(crate) mod gate;
pub(crate) mod doors;
pub(crate) mod same_origin;
pub(crate) mod client;
pub(crate) mod throttle;
pub(crate) mod chosen_key;

/// For how long a reader of docs who was let in is not looked up again, unless something about users changes.
pub(crate) const REMEMBERED: Duration = Duration::from_secs(1);

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

    /// What the caller may read.
    pub(crate) fn reads(&self) -> Scope<'_> {
        if self.is_admin() { Scope::All } else { Scope::Reader(&self.username) }
    }

    /// What the caller may change; whether the caller may change anything is for the doors to say.
    pub(crate) fn owns(&self) -> Scope<'_> {
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
pub(crate) async fn authenticate(
    state: &ApiState,
    from: ClientAddress,
    headers: &HeaderMap,
) -> Result<Option<(Caller, Proof)>, ApiError> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let by_key = match bearer.and_then(|value| value.strip_prefix("Bearer ")) {
        Some(token) => find_by_key(state, from, token).await,
        None => Ok(None),
    };
    if let Ok(Some(caller)) = by_key {
        return Ok(Some((caller, Proof::Bearer)));
    }
    if let Some(token) = session::token_of(headers)
        && let Some(caller) = session::find(state, token).await?
    {
        return Ok(Some((caller, Proof::Cookie)));
    }
    by_key.map(|_| None)
}

/// Whose key this is. An address that presented too many keys of nobody that were slow to compare is refused.
pub(crate) async fn find_by_key(state: &ApiState, from: ClientAddress, key: &str) -> Result<Option<Caller>, ApiError> {
    let keys = state.keys();
    if keys.is_admin_key(key) {
        return Ok(Some(Caller::admin()));
    }
    let mut conn = state.pool().acquire().await?;
    let sealed = find_docsfy_secrets(&mut conn, key).await?;
    let Some(presented) = keys.present(key, &sealed) else { return Ok(None) };
    let (hash, tag) = (&presented.hash, presented.tag());
    let candidates = db::users::list_candidates(&mut conn, hash, tag, &presented.docsfy_hashes).await?;
    // comparing may take its time
    drop(conn);
    let mut taken = None;
    for user in &candidates {
        if taken.is_none() && keys.takes_long(user, &presented) {
            taken = Some(throttle::take_comparison(state, from).await?);
        }
        if keys.fits(user, &presented).await? {
            if let Some(taken) = taken {
                taken.give_back(state).await;
            }
            return Ok(Some(recognise(state, user, &presented).await?));
        }
    }
    Ok(None)
}

/// What a key has to be compared with in docsfy's way. One that was generated here is none of docsfy's, which saves a query
/// of nearly every request.
async fn find_docsfy_secrets(conn: &mut PgConnection, key: &str) -> sqlx::Result<Vec<Vec<u8>>> {
    if keys::is_of_our_shape(key) { Ok(Vec::new()) } else { db::users::list_docsfy_secrets(conn).await }
}

/// Somebody who may begin a session.
pub(crate) struct Entrant {
    pub(crate) caller: Caller,
    /// Which key of a user was checked.
    key_version: Option<i64>,
}

impl Entrant {
    /// Somebody who followed a login link.
    pub(crate) fn by_link(caller: Caller) -> Self {
        Self { caller, key_version: None }
    }
}

/// Checks a name with its key, as a login form sends them, unless name or address were tried too often. A wrong key
/// takes as long for a name that nobody has.
pub(crate) async fn check_key(
    state: &ApiState,
    from: ClientAddress,
    username: &str,
    key: &str,
) -> Result<Option<Entrant>, ApiError> {
    let taken = throttle::take_login(state, from, username).await?;
    let found = compare_key(state, username, key).await?;
    if found.is_some() {
        taken.give_back(state).await;
    }
    Ok(found)
}

async fn compare_key(state: &ApiState, username: &str, key: &str) -> Result<Option<Entrant>, ApiError> {
    let keys = state.keys();
    if keys.is_admin_key(key) && username == ADMIN {
        return Ok(Some(Entrant { caller: Caller::admin(), key_version: None }));
    }
    let mut conn = state.pool().acquire().await?;
    let sealed = find_docsfy_secrets(&mut conn, key).await?;
    let user = match username.parse::<Username>() {
        Ok(username) => db::users::find_candidate(&mut conn, username.as_str()).await?,
        // what is no name may be what the database cannot even read
        Err(_) => None,
    };
    drop(conn);
    let chosen = user.as_ref().is_some_and(|user| user.key_verifier.is_some());
    let presented = keys.present(key, &sealed);
    if let (Some(user), Some(presented)) = (&user, &presented)
        && keys.fits(user, presented).await?
    {
        let caller = recognise(state, user, presented).await?;
        return Ok(Some(Entrant { caller, key_version: Some(user.key_version) }));
    }
    if !chosen || presented.is_none() {
        keys.fits_nobody(key).await?;
    }
    Ok(None)
}

/// The caller whose key fitted; a key that came from docsfy is kept in our own way from now on.
async fn recognise(state: &ApiState, user: &Candidate, key: &Presented<'_>) -> Result<Caller, ApiError> {
    if let Some(docsfy_hash) = &user.docsfy_key_hash {
        let kept = if key.is_generated() {
            state.keys().keep_generated(key.text())
        } else {
            state.keys().keep_chosen(key.text()).await?
        };
        let mut conn = state.pool().acquire().await?;
        // somebody else may have done it, or the key was changed meanwhile: both are right
        let upgraded = db::users::upgrade_docsfy_key(&mut conn, user.id, docsfy_hash, &kept).await?;
        tracing::info!(username = user.username, upgraded, "a key of docsfy was used for the first time");
    }
    Ok(Caller { username: user.username.as_str().into(), role: user.role })
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

/// The user of this name, as it is now.
pub(crate) async fn caller_named(state: &ApiState, username: &str) -> Result<Option<Caller>, ApiError> {
    if username == ADMIN {
        return Ok(Some(Caller::admin()));
    }
    let mut conn = state.pool().acquire().await?;
    let user = db::users::find(&mut conn, username).await?;
    Ok(user.map(|user| Caller { username: user.username.into(), role: user.role }))
}
