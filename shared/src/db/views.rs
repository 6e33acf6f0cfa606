//! What a caller sees of everything, and whether that has changed.

use sqlx::{PgConnection, PgPool, Postgres, Transaction};

use super::variants::Scope;
use crate::{
    names::ModelId,
    provider::Provider,
    writer_defaults::{SettingKey, WriterDefaults},
};

/// Stands for the content of a view: equal digests mean equal rows. Revisions only rise, so a row that changed, came or went
/// changes the count or the sum, as long as the granted projects are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// Rows in scope.
    pub variants: i64,
    /// The sum of their revisions.
    pub revisions: i64,
    /// A hash of the projects that the reader was granted.
    pub granted: Option<String>,
    /// `provider/model` of everybody's ready rows, sorted.
    pub known_models: Vec<String>,
    /// `key=value` of the settings that say who writes when a request names nobody, sorted.
    pub default_writer: Vec<String>,
}

impl Digest {
    /// The known models, parsed. What this version does not know is left out.
    pub fn models(&self) -> Vec<(Provider, ModelId)> {
        let parse = |text: &String| {
            let (provider, model) = text.split_once('/')?;
            Some((provider.parse().ok()?, model.parse().ok()?))
        };
        self.known_models.iter().filter_map(parse).collect()
    }

    /// What a request gets that names nothing.
    pub fn defaults(&self) -> WriterDefaults {
        let parse = |text: &String| {
            let (key, value) = text.split_once('=')?;
            Some((SettingKey::find(key)?, value.to_owned()))
        };
        WriterDefaults::from_values(&self.default_writer.iter().filter_map(parse).collect())
    }
}

/// Begins a transaction in which everything is read as of one moment.
pub async fn begin_snapshot(pool: &PgPool) -> sqlx::Result<Transaction<'static, Postgres>> {
    pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
}

/// The digest of a scope: a look at two indexes, not at the rows.
pub async fn digest(conn: &mut PgConnection, scope: Scope<'_>) -> sqlx::Result<Digest> {
    match scope.user() {
        None => digest_of_all(conn).await,
        Some(user) => digest_of_one(conn, user, scope.with_granted()).await,
    }
}

async fn digest_of_all(conn: &mut PgConnection) -> sqlx::Result<Digest> {
    let row = sqlx::query!(
        r#"
        WITH RECURSIVE known AS (
            (SELECT ai_provider, ai_model FROM variants WHERE status = 'ready' ORDER BY 1, 2 LIMIT 1)
            UNION ALL
            -- from one model to the next by the index: as many steps as there are models, not rows
            SELECT next.ai_provider, next.ai_model
              FROM known
             CROSS JOIN LATERAL (
                 SELECT v.ai_provider, v.ai_model FROM variants v
                  WHERE v.status = 'ready' AND (v.ai_provider, v.ai_model) > (known.ai_provider, known.ai_model)
                  ORDER BY 1, 2 LIMIT 1) AS next
        )
        SELECT count(*) AS "variants!", COALESCE(sum(revision), 0)::bigint AS "revisions!",
               ARRAY(SELECT ai_provider || '/' || ai_model FROM known) AS "known_models!",
               ARRAY(SELECT key || '=' || value FROM settings
                      WHERE key IN ('default_ai_provider', 'default_ai_model') ORDER BY key) AS "default_writer!"
          FROM variants
        "#
    )
    .fetch_one(conn)
    .await?;
    Ok(Digest {
        variants: row.variants,
        revisions: row.revisions,
        granted: None,
        known_models: row.known_models,
        default_writer: row.default_writer,
    })
}

async fn digest_of_one(conn: &mut PgConnection, user: &str, with_granted: bool) -> sqlx::Result<Digest> {
    sqlx::query_as!(
        Digest,
        r#"
        WITH RECURSIVE known AS (
            (SELECT ai_provider, ai_model FROM variants WHERE status = 'ready' ORDER BY 1, 2 LIMIT 1)
            UNION ALL
            SELECT next.ai_provider, next.ai_model
              FROM known
             CROSS JOIN LATERAL (
                 SELECT v.ai_provider, v.ai_model FROM variants v
                  WHERE v.status = 'ready' AND (v.ai_provider, v.ai_model) > (known.ai_provider, known.ai_model)
                  ORDER BY 1, 2 LIMIT 1) AS next
        ),
        granted AS (
            SELECT owner, name FROM project_access WHERE $2 AND username = $1 AND owner <> $1
        ),
        seen AS (
            SELECT revision FROM variants WHERE owner = $1
            UNION ALL
            SELECT v.revision FROM granted g JOIN variants v ON v.owner = g.owner AND v.name = g.name
        )
        SELECT count(*) AS "variants!", COALESCE(sum(revision), 0)::bigint AS "revisions!",
               (SELECT md5(json_agg(json_build_array(owner, name) ORDER BY owner, name)::text) FROM granted) AS granted,
               ARRAY(SELECT ai_provider || '/' || ai_model FROM known) AS "known_models!",
               ARRAY(SELECT key || '=' || value FROM settings
                      WHERE key IN ('default_ai_provider', 'default_ai_model') ORDER BY key) AS "default_writer!"
          FROM seen
        "#,
        user,
        with_granted,
    )
    .fetch_one(conn)
    .await
}

/// US dollars of the newest generations of a scope.
pub async fn total_cost_usd(conn: &mut PgConnection, scope: Scope<'_>) -> sqlx::Result<f64> {
    sqlx::query_scalar!(
        r#"SELECT COALESCE(sum(total_cost_usd), 0) AS "sum!" FROM variants WHERE $1::text IS NULL OR owner = $1"#,
        scope.user(),
    )
    .fetch_one(conn)
    .await
}

/// The projects that a user was given access to: owner and name.
pub async fn list_granted(conn: &mut PgConnection, username: &str) -> sqlx::Result<Vec<(String, String)>> {
    let rows =
        sqlx::query!("SELECT owner, name FROM project_access WHERE username = $1", username).fetch_all(conn).await?;
    Ok(rows.into_iter().map(|row| (row.owner, row.name)).collect())
}
