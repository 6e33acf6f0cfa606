//! Runs that this version does not understand: they are left to a newer worker.

use sqlx::PgConnection;

use super::{WriteError, generations::hand_back};
use crate::{
    generation::{PROTOCOL, State},
    ids::GenerationId,
};

/// Gives back a run whose checkpoint this version cannot read: only a newer worker takes it then. Gives the same as
/// [`hand_back`].
pub async fn leave_to_newer(
    conn: &mut PgConnection,
    id: GenerationId,
    fence: i64,
) -> Result<(State, Option<String>), WriteError> {
    sqlx::query!(
        "UPDATE generations SET protocol = $3 WHERE id = $1 AND fence = $2 AND state = 'running'",
        id as GenerationId,
        fence,
        PROTOCOL + 1,
    )
    .execute(&mut *conn)
    .await?;
    hand_back(conn, id, fence).await
}

/// Leaves the pages of a run that are not written yet to newer workers, because this version cannot read what they are made
/// from. Whoever holds the run waits for them.
pub async fn leave_pages_to_newer(conn: &mut PgConnection, id: GenerationId) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        UPDATE generations SET protocol = GREATEST(protocol, $2) WHERE id = $1 AND state IN ('queued', 'running')
        "#,
        id as GenerationId,
        PROTOCOL + 1,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether a generation waits for a worker that understands more than this one.
pub async fn is_for_newer(conn: &mut PgConnection, id: GenerationId) -> sqlx::Result<bool> {
    let found = sqlx::query_scalar!(
        r#"
        SELECT protocol > $2 AS "newer!" FROM generations WHERE id = $1 AND state IN ('queued', 'running')
        "#,
        id as GenerationId,
        PROTOCOL,
    );
    Ok(found.fetch_optional(conn).await?.unwrap_or(false))
}
