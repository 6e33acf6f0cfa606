//! The table `events`: written in the transaction of the change they tell about, announced by NOTIFY when it commits.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgConnection;

use crate::ids::GenerationId;

/// The channel on which new events are announced; the payload is an [`Announcement`].
pub const CHANNEL: &str = "docmill_events";

/// What a NOTIFY carries: enough to know whether to look.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Announcement {
    /// Sequence number of the event.
    pub id: i64,
    /// Primary key of the variant.
    pub variant: i64,
    /// The generation.
    pub generation: GenerationId,
    /// `progress`, `status_change` or `warning`.
    pub kind: String,
}

/// A stored event.
#[derive(Debug, Clone)]
pub struct EventRow {
    /// Sequence number; later events have higher ones.
    pub id: i64,
    /// Primary key of the variant.
    pub variant_id: i64,
    /// The generation.
    pub generation_id: GenerationId,
    /// `progress`, `status_change` or `warning`.
    pub kind: String,
    /// What happened.
    pub body: Value,
}

/// Writes an event and announces it when the transaction commits. The variant's row is locked first, so that the events of
/// one variant commit in the order of their numbers and a reader who saw one has seen all before it.
pub async fn insert(
    conn: &mut PgConnection,
    variant_id: i64,
    generation: GenerationId,
    kind: &str,
    body: &Value,
) -> sqlx::Result<i64> {
    let row = sqlx::query!(
        r#"
        WITH held AS (
            SELECT id FROM variants WHERE id = $1 FOR NO KEY UPDATE
        ),
        made AS (
            INSERT INTO events (variant_id, generation_id, kind, body) SELECT held.id, $2, $3, $4 FROM held RETURNING id
        )
        SELECT made.id AS "id!",
               pg_notify($5, json_build_object('id', made.id, 'variant', $1::bigint, 'generation', $2::uuid,
                                               'kind', $3::text)::text) IS NOT NULL AS announced
          FROM made
        "#,
        variant_id,
        generation as GenerationId,
        kind,
        body,
        CHANNEL,
    )
    .fetch_one(conn)
    .await?;
    Ok(row.id)
}

/// Sends a notification when the transaction commits.
pub async fn notify(conn: &mut PgConnection, channel: &str, payload: &str) -> sqlx::Result<()> {
    sqlx::query!("SELECT pg_notify($1, $2)", channel, payload).execute(conn).await?;
    Ok(())
}

/// The events of a generation after a sequence number, at most `limit`.
pub async fn list_of_generation(
    conn: &mut PgConnection,
    generation: GenerationId,
    after: i64,
    limit: i64,
) -> sqlx::Result<Vec<EventRow>> {
    sqlx::query_as!(
        EventRow,
        r#"
        SELECT id, variant_id, generation_id AS "generation_id: GenerationId", kind, body
          FROM events WHERE generation_id = $1 AND id > $2 ORDER BY id LIMIT $3
        "#,
        generation as GenerationId,
        after,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// Deletes events older than a week, at most 5,000 at a time.
pub async fn prune(conn: &mut PgConnection) -> sqlx::Result<u64> {
    let rows = sqlx::query!(
        r#"
        DELETE FROM events
         WHERE id IN (SELECT id FROM events WHERE created_at < now() - interval '7 days' LIMIT 5000)
        "#
    )
    .execute(conn)
    .await?;
    Ok(rows.rows_affected())
}
