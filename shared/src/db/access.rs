//! Who may come in: sessions, one-time login links, and the facts all processes of an installation agree on.

use std::time::Duration;

use sqlx::PgConnection;

use super::generations::interval;
use crate::user::{ADMIN, Role};

/// How long a session lasts (docsfy-behaviour 1.2).
pub const SESSION_LIFETIME: Duration = Duration::from_hours(8);

/// Starts a session of `admin`, who is no row; `token_hash` is the hash of what the cookie carries.
pub async fn create_session_of_admin(conn: &mut PgConnection, token_hash: &[u8]) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO sessions (token_hash, username, expires_at) VALUES ($1, $2, now() + $3::interval)",
        token_hash,
        ADMIN,
        interval(SESSION_LIFETIME),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Starts a session of a user, if the key that was checked for it is still the user's: whoever changes a key ends the
/// sessions that began with the old one, and none may begin behind that. False when it is not, or the user is gone.
pub async fn create_session(
    conn: &mut PgConnection,
    token_hash: &[u8],
    username: &str,
    key_version: Option<i64>,
) -> sqlx::Result<bool> {
    let rows = sqlx::query!(
        r#"
        INSERT INTO sessions (token_hash, username, expires_at)
        SELECT $1, username, now() + $4::interval
          FROM users
         WHERE username = $2 AND ($3::bigint IS NULL OR key_version = $3)
           -- waits for a change of the key that is being made
           FOR SHARE
        "#,
        token_hash,
        username,
        key_version,
        interval(SESSION_LIFETIME),
    )
    .execute(conn)
    .await?;
    Ok(rows.rows_affected() == 1)
}

/// Whose session this is, if it still runs; `None` also when the user was deleted. The role is the one of this moment.
pub async fn find_session(conn: &mut PgConnection, token_hash: &[u8]) -> sqlx::Result<Option<(String, Role)>> {
    let row = sqlx::query!(
        r#"
        SELECT s.username, u.role AS "role?: Role"
          FROM sessions s
          LEFT JOIN users u ON u.username = s.username
         WHERE s.token_hash = $1 AND s.expires_at > now()
        "#,
        token_hash,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row
        .and_then(|row| Some((row.role.or_else(|| (row.username == ADMIN).then_some(Role::Admin))?, row.username)))
        .map(|(role, username)| (username, role)))
}

/// Ends every session of a user, and the links that would start one.
pub async fn delete_sessions_of(conn: &mut PgConnection, username: &str) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM sessions WHERE username = $1", username).execute(&mut *conn).await?;
    sqlx::query!("DELETE FROM login_links WHERE username = $1", username).execute(conn).await?;
    Ok(())
}

/// Ends a session; gives whose it was.
pub async fn delete_session(conn: &mut PgConnection, token_hash: &[u8]) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!("DELETE FROM sessions WHERE token_hash = $1 RETURNING username", token_hash)
        .fetch_optional(conn)
        .await
}

/// Deletes sessions and links that have run out, and forgets tries to log in that do not count any more.
pub async fn prune(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM sessions WHERE expires_at < now()").execute(&mut *conn).await?;
    sqlx::query!("DELETE FROM login_links WHERE expires_at < now()").execute(&mut *conn).await?;
    super::login_tries::prune(conn).await
}

/// Makes a link that logs `username` in once within `lifetime`; `token_hash` is the hash of what the link carries.
pub async fn create_login_link(
    conn: &mut PgConnection,
    token_hash: &[u8],
    username: &str,
    lifetime: Duration,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO login_links (token_hash, username, expires_at) VALUES ($1, $2, now() + $3::interval)",
        token_hash,
        username,
        interval(lifetime),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Uses up a link: whom it logs in, if it was still good.
pub async fn take_login_link(conn: &mut PgConnection, token_hash: &[u8]) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        "DELETE FROM login_links WHERE token_hash = $1 AND expires_at > now() RETURNING username",
        token_hash,
    )
    .fetch_optional(conn)
    .await
}

/// Keeps a value under this key; true when there was another one.
pub async fn replace_fact(conn: &mut PgConnection, key: &str, value: &str) -> sqlx::Result<bool> {
    let replaced = sqlx::query_scalar!(
        r#"
        WITH old AS (
            SELECT value FROM installation WHERE key = $1
        )
        INSERT INTO installation (key, value) VALUES ($1, $2)
        ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value
        RETURNING EXISTS (SELECT 1 FROM old WHERE old.value <> $2) AS "replaced!"
        "#,
        key,
        value,
    )
    .fetch_one(conn)
    .await?;
    Ok(replaced)
}

/// The value all processes agree on under this key: the given one if there was none yet.
pub async fn agree_on(conn: &mut PgConnection, key: &str, value: &str) -> sqlx::Result<String> {
    sqlx::query_scalar!(
        r#"
        INSERT INTO installation (key, value) VALUES ($1, $2)
        ON CONFLICT (key) DO UPDATE SET value = installation.value
        RETURNING value
        "#,
        key,
        value,
    )
    .fetch_one(conn)
    .await
}
