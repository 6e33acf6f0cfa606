//! The table `users`: who may come in, and how their keys are kept.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{names::Username, user::Role};

/// A user, without anything about the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRow {
    /// Primary key.
    pub id: i64,
    /// Unique name.
    pub username: String,
    /// Role.
    pub role: Role,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

/// How a key is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptKey {
    /// A generated key: its HMAC under the pepper is enough, because nobody can guess it.
    Generated {
        /// The HMAC.
        hash: [u8; 32],
    },
    /// A key that a person chose.
    Chosen {
        /// 12 bits of the HMAC, by which the few rows are found that are worth a slow comparison.
        tag: i16,
        /// The argon2id hash, as a PHC string.
        verifier: String,
    },
    /// A key that docsfy kept and that was not used since.
    Docsfy {
        /// HMAC-SHA256 under docsfy's admin key.
        hash: [u8; 32],
    },
}

/// A user whose key may be the one that was presented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Primary key.
    pub id: i64,
    /// Unique name.
    pub username: String,
    /// Role.
    pub role: Role,
    /// HMAC of a generated key.
    pub key_hash: Option<Vec<u8>>,
    /// argon2id hash of a chosen key.
    pub key_verifier: Option<String>,
    /// docsfy's HMAC.
    pub docsfy_key_hash: Option<Vec<u8>>,
    /// Another number for every key that anybody was given.
    pub key_version: i64,
}

/// The users whose key may be the one with this hash, this tag, or one of these hashes of docsfy; those whose key takes
/// long to compare come last.
pub async fn list_candidates(
    conn: &mut PgConnection,
    hash: &[u8],
    tag: i16,
    docsfy_hashes: &[Vec<u8>],
) -> sqlx::Result<Vec<Candidate>> {
    sqlx::query_as!(
        Candidate,
        r#"
        SELECT id, username, role AS "role: Role", key_hash, key_verifier, docsfy_key_hash, key_version
          FROM users
         WHERE key_hash = $1
            OR (key_tag = $2 AND key_verifier IS NOT NULL)
            OR docsfy_key_hash = ANY($3)
         ORDER BY key_verifier IS NOT NULL, id
         LIMIT 100
        "#,
        hash,
        tag,
        docsfy_hashes,
    )
    .fetch_all(conn)
    .await
}

/// The user of this name with what its key is compared with.
pub async fn find_candidate(conn: &mut PgConnection, username: &str) -> sqlx::Result<Option<Candidate>> {
    sqlx::query_as!(
        Candidate,
        r#"
        SELECT id, username, role AS "role: Role", key_hash, key_verifier, docsfy_key_hash, key_version
          FROM users WHERE username = $1
        "#,
        username,
    )
    .fetch_optional(conn)
    .await
}

/// The user of this name.
pub async fn find(conn: &mut PgConnection, username: &str) -> sqlx::Result<Option<UserRow>> {
    sqlx::query_as!(
        UserRow,
        r#"SELECT id, username, role AS "role: Role", created_at FROM users WHERE username = $1"#,
        username,
    )
    .fetch_optional(conn)
    .await
}

/// Every user, the newest first.
pub async fn list(conn: &mut PgConnection) -> sqlx::Result<Vec<UserRow>> {
    sqlx::query_as!(
        UserRow,
        r#"SELECT id, username, role AS "role: Role", created_at FROM users ORDER BY created_at DESC, id DESC"#
    )
    .fetch_all(conn)
    .await
}

/// Makes a user; `None` when the name is taken.
pub async fn create(
    conn: &mut PgConnection,
    username: &Username,
    role: Role,
    key: &KeptKey,
) -> sqlx::Result<Option<i64>> {
    let key = KeyColumns::from(key);
    sqlx::query_scalar!(
        r#"
        INSERT INTO users (username, role, key_hash, key_tag, key_verifier, docsfy_key_hash)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (username) DO NOTHING
        RETURNING id
        "#,
        username.as_str(),
        role.as_str(),
        key.hash,
        key.tag,
        key.verifier,
        key.docsfy_hash,
    )
    .fetch_optional(conn)
    .await
}

/// Replaces a user's key; false when there is no such user.
pub async fn set_key(conn: &mut PgConnection, username: &str, key: &KeptKey) -> sqlx::Result<bool> {
    let key = KeyColumns::from(key);
    let rows = sqlx::query!(
        r#"
        UPDATE users
           SET key_hash = $2, key_tag = $3, key_verifier = $4, docsfy_key_hash = $5, key_version = nextval('key_versions')
         WHERE username = $1
        "#,
        username,
        key.hash,
        key.tag,
        key.verifier,
        key.docsfy_hash,
    )
    .execute(conn)
    .await?;
    Ok(rows.rows_affected() == 1)
}

/// Keeps a key that came from docsfy in our own way, unless it was changed meanwhile.
pub async fn upgrade_docsfy_key(
    conn: &mut PgConnection,
    id: i64,
    docsfy_hash: &[u8],
    key: &KeptKey,
) -> sqlx::Result<bool> {
    let key = KeyColumns::from(key);
    let rows = sqlx::query!(
        r#"
        UPDATE users SET key_hash = $3, key_tag = $4, key_verifier = $5, docsfy_key_hash = NULL
         WHERE id = $1 AND docsfy_key_hash = $2
        "#,
        id,
        docsfy_hash,
        key.hash,
        key.tag,
        key.verifier,
    )
    .execute(conn)
    .await?;
    Ok(rows.rows_affected() == 1)
}

/// Deletes a user; grants to the user go with it. False when there is none.
pub async fn delete(conn: &mut PgConnection, username: &str) -> sqlx::Result<bool> {
    let rows = sqlx::query!("DELETE FROM users WHERE username = $1", username).execute(conn).await?;
    Ok(rows.rows_affected() == 1)
}

/// The sealed admin keys under which docsfy hashed keys that were not used since.
pub async fn list_docsfy_secrets(conn: &mut PgConnection) -> sqlx::Result<Vec<Vec<u8>>> {
    sqlx::query_scalar!("SELECT sealed FROM docsfy_key_secrets ORDER BY id").fetch_all(conn).await
}

/// Keeps a sealed admin key of docsfy, once.
pub async fn add_docsfy_secret(conn: &mut PgConnection, fingerprint: &str, sealed: &[u8]) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO docsfy_key_secrets (fingerprint, sealed) VALUES ($1, $2) ON CONFLICT (fingerprint) DO NOTHING",
        fingerprint,
        sealed,
    )
    .execute(conn)
    .await?;
    Ok(())
}

struct KeyColumns<'a> {
    hash: Option<&'a [u8]>,
    tag: Option<i16>,
    verifier: Option<&'a str>,
    docsfy_hash: Option<&'a [u8]>,
}

impl<'a> From<&'a KeptKey> for KeyColumns<'a> {
    fn from(key: &'a KeptKey) -> Self {
        let none = Self { hash: None, tag: None, verifier: None, docsfy_hash: None };
        match key {
            KeptKey::Generated { hash } => Self { hash: Some(hash), ..none },
            KeptKey::Chosen { tag, verifier } => Self { tag: Some(*tag), verifier: Some(verifier), ..none },
            KeptKey::Docsfy { hash } => Self { docsfy_hash: Some(hash), ..none },
        }
    }
}
