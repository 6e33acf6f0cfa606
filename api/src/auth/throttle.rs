//! How often somebody may guess: tries are counted in the database, so that all API processes know of them.
//!
//! A login takes a try of the name at the address, of the name, and of the address, all or none. So an address that has
//! used up its tries of a name takes nothing from the name any more, and whoever has the name can still log in from
//! elsewhere; only many addresses together can use up a name.

use std::{net::IpAddr, time::Duration};

use shared::db::{self, login_tries::Try};

use super::client::ClientAddress;
use crate::{error::ApiError, state::ApiState};

/// How often something may be tried.
#[derive(Clone, Copy)]
struct Limit {
    /// Tries of somebody who did not try for long.
    tries: u32,
    /// Time after which one comes back.
    per_try: Duration,
    /// How many come back at once when one was right.
    given_back: u32,
}

const NAME_AT_ADDRESS: Limit = Limit { tries: 5, per_try: Duration::from_secs(30), given_back: 5 };
const NAME: Limit = Limit { tries: 50, per_try: Duration::from_secs(10), given_back: 1 };
const ADDRESS: Limit = Limit { tries: 30, per_try: Duration::from_secs(5), given_back: 1 };
/// Keys that a user may choose: each tells whether it is somebody else's.
const CHOICES: Limit = Limit { tries: 10, per_try: Duration::from_mins(1), given_back: 0 };

/// Tries that were taken.
pub(crate) struct Taken(Vec<(Try, Limit)>);

/// Takes the tries of a login, or says how long to wait.
pub(crate) async fn take_login(state: &ApiState, from: ClientAddress, username: &str) -> Result<Taken, ApiError> {
    let ClientAddress(address) = from;
    let tries = vec![
        one(state, &format!("login of a name at an address\n{address}\n{username}"), NAME_AT_ADDRESS),
        one(state, &format!("login of a name\n{username}"), NAME),
        of_address(state, address),
    ];
    take(state, tries).await
}

/// Takes a try of an address alone, for a key that came without a name and takes long to compare.
pub(crate) async fn take_comparison(state: &ApiState, from: ClientAddress) -> Result<Taken, ApiError> {
    take(state, vec![of_address(state, from.0)]).await
}

/// Takes a try of a user who chooses a key.
pub(crate) async fn take_choice(state: &ApiState, username: &str) -> Result<(), ApiError> {
    take(state, vec![one(state, &format!("choice of a key\n{username}"), CHOICES)]).await.map(drop)
}

impl Taken {
    /// The guess was right: its tries come back, and those that were wasted on the same name at this address before.
    pub(crate) async fn give_back(self, state: &ApiState) {
        for (one, limit) in self.0 {
            let given = async {
                let mut conn = state.pool().acquire().await?;
                // one statement after the other, so that nobody holds one row and waits for another
                db::login_tries::give_back(&mut conn, &one.subject, limit.per_try * limit.given_back).await
            };
            if let Err(error) = given.await {
                tracing::warn!(%error, "a try to log in was not given back");
            }
        }
    }
}

async fn take(state: &ApiState, tries: Vec<(Try, Limit)>) -> Result<Taken, ApiError> {
    let mut transaction = db::begin(state.pool()).await?;
    let asked: Vec<Try> = tries.iter().map(|(one, _)| *one).collect();
    let wait = db::login_tries::take(&mut transaction, &asked).await?;
    if wait.is_zero() {
        transaction.commit().await?;
        return Ok(Taken(tries));
    }
    transaction.rollback().await?;
    Err(ApiError::TooManyTries(wait))
}

fn of_address(state: &ApiState, address: IpAddr) -> (Try, Limit) {
    one(state, &format!("login at an address\n{address}"), ADDRESS)
}

fn one(state: &ApiState, subject: &str, limit: Limit) -> (Try, Limit) {
    let one = Try { subject: state.keys().hide(subject), tries: limit.tries, per_try: limit.per_try };
    (one, limit)
}
