//! Somebody who watches: who he is, by what he proved it, and what he may see. Both are looked up again while he watches.

use std::collections::{HashMap, HashSet};

use http::{HeaderMap, header};
use shared::{db, settings::Secret};

use crate::{
    auth::{self, Caller, Proof, client::ClientAddress, session},
    error::ApiError,
    state::ApiState,
};

/// Somebody who watches.
pub(crate) struct Watcher {
    credential: Credential,
    from: ClientAddress,
    pub(crate) caller: Caller,
    granted: Granted,
}

/// Names of projects by their owner.
type Granted = HashMap<String, HashSet<String>>;

/// What somebody proved by who he is. It is kept as long as he watches, to see whether it still holds.
enum Credential {
    Key(Secret),
    Session(Secret),
}

impl Watcher {
    /// Finds out who asks to watch: by `token`, the bearer token, or the cookie. A wrong one does not spoil a good one.
    pub(crate) async fn find(
        state: &ApiState,
        from: ClientAddress,
        token: Option<String>,
        headers: &HeaderMap,
    ) -> Result<Option<(Self, Proof)>, ApiError> {
        let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = bearer.and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned);
        let keys = [token, bearer].into_iter().flatten().map(|key| (Credential::Key(Secret::new(key)), Proof::Bearer));
        let session = session::token_of(headers).map(|token| (Credential::Session(Secret::new(token)), Proof::Cookie));
        for (credential, proof) in keys.chain(session) {
            if let Some(caller) = credential.find_caller(state, from).await? {
                let granted = find_granted(state, &caller).await?;
                return Ok(Some((Self { credential, from, caller, granted }, proof)));
            }
        }
        Ok(None)
    }

    /// Looks again who this is and what he sees. False when he is nobody any more.
    pub(crate) async fn recheck(&mut self, state: &ApiState) -> Result<bool, ApiError> {
        let Some(caller) = self.credential.find_caller(state, self.from).await? else { return Ok(false) };
        self.granted = find_granted(state, &caller).await?;
        self.caller = caller;
        Ok(true)
    }

    /// Whether the variants of a project are his to see.
    pub(crate) fn sees(&self, owner: &str, name: &str) -> bool {
        self.caller.is_admin()
            || *self.caller.username == *owner
            || self.granted.get(owner).is_some_and(|names| names.contains(name))
    }
}

impl Credential {
    async fn find_caller(&self, state: &ApiState, from: ClientAddress) -> Result<Option<Caller>, ApiError> {
        match self {
            Self::Key(key) => auth::find_by_key(state, from, key.expose()).await,
            Self::Session(token) => session::find(state, token.expose()).await,
        }
    }
}

/// Admins need no grants.
async fn find_granted(state: &ApiState, caller: &Caller) -> Result<Granted, ApiError> {
    let mut granted = Granted::new();
    if !caller.is_admin() {
        let mut conn = state.pool().acquire().await?;
        for (owner, name) in db::views::list_granted(&mut conn, &caller.username).await? {
            granted.entry(owner).or_default().insert(name);
        }
    }
    Ok(granted)
}
