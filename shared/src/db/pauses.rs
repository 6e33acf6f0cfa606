//! The table `pauses`: what nothing new is started of, because an admin or a provider said so. The provider '' means all.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{events::PAUSES_CHANNEL, provider::Provider};

/// Why nothing new starts.
#[derive(Debug, Clone)]
pub struct PauseRow {
    /// The provider, or empty for everything.
    pub provider: String,
    /// `admin` or `rate_limit`.
    pub reason: String,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// Until when; `None` until an admin says otherwise.
    pub until: Option<DateTime<Utc>>,
    /// For people: what the admin wrote, or the provider said.
    pub message: String,
    /// The admin, or empty.
    pub created_by: String,
}

/// Nothing new starts any more, of a provider or at all, until [`resume`]. Once more changes the message. Pages that were
/// admitted and that nobody has taken yet wait again; the caller removes their tasks.
pub async fn pause(
    conn: &mut PgConnection,
    provider: Option<Provider>,
    message: &str,
    admin: &str,
) -> sqlx::Result<()> {
    let provider = provider.map_or("", Provider::as_str);
    sqlx::query!(
        r#"
        INSERT INTO pauses (provider, reason, message, created_by) VALUES ($1, 'admin', $2, $3)
        ON CONFLICT (provider, reason) DO UPDATE SET message = EXCLUDED.message, created_by = EXCLUDED.created_by
        "#,
        provider,
        message,
        admin,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!("UPDATE page_jobs SET state = 'waiting' WHERE state = 'admitted' AND $1 IN ('', provider)", provider)
        .execute(&mut *conn)
        .await?;
    super::events::notify(conn, PAUSES_CHANNEL, "paused").await
}

/// Ends what is paused of a provider, by whomever, or the pause of everything; says whether there was one. Everybody who waits
/// is told when the transaction commits.
pub async fn resume(conn: &mut PgConnection, provider: Option<Provider>) -> sqlx::Result<bool> {
    let provider = provider.map_or("", Provider::as_str);
    let ended = sqlx::query!("DELETE FROM pauses WHERE provider = $1", provider);
    let ended = ended.execute(&mut *conn).await?.rows_affected() > 0;
    super::events::notify(conn, PAUSES_CHANNEL, "resumed").await?;
    Ok(ended)
}

/// Every pause that is in force.
pub async fn list(conn: &mut PgConnection) -> sqlx::Result<Vec<PauseRow>> {
    sqlx::query_as!(
        PauseRow,
        r#"
        SELECT provider, reason, created_at, until, message, created_by
          FROM pauses WHERE until IS NULL OR until > now()
         ORDER BY provider, reason
        "#
    )
    .fetch_all(conn)
    .await
}

/// Whether an admin paused this provider, or everything.
pub async fn is_paused(conn: &mut PgConnection, provider: Provider) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"
        SELECT EXISTS (
            SELECT 1 FROM pauses
             WHERE reason = 'admin' AND provider IN ('', $1) AND (until IS NULL OR until > now())) AS "paused!"
        "#,
        provider.as_str(),
    )
    .fetch_one(conn)
    .await
}
