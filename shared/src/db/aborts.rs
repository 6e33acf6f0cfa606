//! Aborting generations: what the API asks for, and what the abort job enforces.

use sqlx::PgConnection;

use crate::{
    generation::State,
    ids::GenerationId,
    names::{BranchName, ModelId, ProjectName},
    provider::Provider,
    variant::VariantKey,
};

/// What an aborted row says; the text is docsfy's.
pub const ABORTED_BY_USER: &str = "Generation aborted by user";

/// A generation that could be aborted.
#[derive(Debug, Clone)]
pub struct ActiveGeneration {
    /// The generation.
    pub id: GenerationId,
    /// Primary key of its variant.
    pub variant_id: i64,
    /// Its variant.
    pub key: VariantKey,
}

/// The active generations of a project name, one owner's or everybody's; granted ones are not the caller's to end.
pub async fn list_active(
    conn: &mut PgConnection,
    scope: super::variants::Scope<'_>,
    name: &ProjectName,
) -> sqlx::Result<Vec<ActiveGeneration>> {
    let rows = sqlx::query!(
        r#"
        SELECT g.id AS "id: GenerationId", v.id AS variant_id, v.owner, v.name AS "name: ProjectName",
               v.branch AS "branch: BranchName", v.ai_provider AS "provider: Provider", v.ai_model AS "model: ModelId"
          FROM generations g
          JOIN variants v ON v.id = g.variant_id
         WHERE g.state IN ('queued', 'running') AND v.name = $1 AND ($2::text IS NULL OR v.owner = $2)
         ORDER BY g.created_at
        "#,
        name.as_str(),
        scope.user(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ActiveGeneration {
            id: row.id,
            variant_id: row.variant_id,
            key: VariantKey::new(row.owner, row.name, row.branch, row.provider, row.model),
        })
        .collect())
}

/// Asks for an abort: a queued generation ends at once, a running one is told. `None` when it has ended already.
pub async fn request(conn: &mut PgConnection, id: GenerationId) -> sqlx::Result<Option<State>> {
    let state = sqlx::query_scalar!(
        r#"
        UPDATE generations
           SET cancel_requested_at = COALESCE(cancel_requested_at, now()),
               state         = CASE state WHEN 'queued' THEN 'aborted' ELSE state END,
               finished_at   = CASE state WHEN 'queued' THEN now() END,
               error_message = CASE state WHEN 'queued' THEN $2 END
         WHERE id = $1 AND state IN ('queued', 'running')
        RETURNING state AS "state: State"
        "#,
        id as GenerationId,
        ABORTED_BY_USER,
    )
    .fetch_optional(&mut *conn)
    .await?;
    if state == Some(State::Aborted) {
        show_aborted(conn, id).await?;
    }
    Ok(state)
}

/// Ends a running generation as aborted when it was asked to be and its holder's lease has run out. Says whether it did.
pub async fn force(conn: &mut PgConnection, id: GenerationId) -> sqlx::Result<bool> {
    let ended = sqlx::query!(
        r#"
        UPDATE generations
           SET state = 'aborted', finished_at = now(), lease_until = NULL, error_message = $2
         WHERE id = $1 AND cancel_requested_at IS NOT NULL
           AND (state = 'queued' OR (state = 'running' AND lease_until < now()))
        "#,
        id as GenerationId,
        ABORTED_BY_USER,
    )
    .execute(&mut *conn)
    .await?
    .rows_affected()
        == 1;
    if ended {
        show_aborted(conn, id).await?;
    }
    Ok(ended)
}

/// Which of these generations were asked to stop.
pub async fn list_requested_of(conn: &mut PgConnection, ids: &[GenerationId]) -> sqlx::Result<Vec<GenerationId>> {
    let ids: Vec<uuid::Uuid> = ids.iter().map(|id| id.0).collect();
    sqlx::query_scalar!(
        r#"SELECT id AS "id: GenerationId" FROM generations WHERE id = ANY($1) AND cancel_requested_at IS NOT NULL"#,
        &ids,
    )
    .fetch_all(conn)
    .await
}

async fn show_aborted(conn: &mut PgConnection, id: GenerationId) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        UPDATE variants SET status = 'aborted', error_message = $2, current_stage = NULL, updated_at = now()
         WHERE generation_id = $1
        "#,
        id as GenerationId,
        ABORTED_BY_USER,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The generation of this id as one that could be aborted, with its state; `None` when there is none.
pub async fn find(conn: &mut PgConnection, id: GenerationId) -> sqlx::Result<Option<(ActiveGeneration, State)>> {
    let row = sqlx::query!(
        r#"
        SELECT g.id AS "id: GenerationId", v.id AS variant_id, v.owner, v.name AS "name: ProjectName",
               v.branch AS "branch: BranchName", v.ai_provider AS "provider: Provider", v.ai_model AS "model: ModelId",
               g.state AS "state: State"
          FROM generations g
          JOIN variants v ON v.id = g.variant_id
         WHERE g.id = $1
        "#,
        id as GenerationId,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| {
        let key = VariantKey::new(row.owner, row.name, row.branch, row.provider, row.model);
        (ActiveGeneration { id: row.id, variant_id: row.variant_id, key }, row.state)
    }))
}

/// Which active generations are meant.
#[derive(Debug, Clone, Default)]
pub struct Matching<'a> {
    /// Only this owner's.
    pub owner: Option<&'a str>,
    /// Only of this project name.
    pub project: Option<&'a str>,
    /// Only of this provider.
    pub provider: Option<Provider>,
}

/// Ids and variants of the active generations that match, the newest first, so that what waits ends before it starts.
pub async fn list_matching(conn: &mut PgConnection, matching: &Matching<'_>) -> sqlx::Result<Vec<(GenerationId, i64)>> {
    let rows = sqlx::query!(
        r#"
        SELECT g.id AS "id: GenerationId", v.id AS variant_id
          FROM generations g
          JOIN variants v ON v.id = g.variant_id
         WHERE g.state IN ('queued', 'running') AND ($1::text IS NULL OR v.owner = $1)
           AND ($2::text IS NULL OR v.name = $2) AND ($3::text IS NULL OR v.ai_provider = $3)
         ORDER BY g.created_at DESC, g.id DESC
        "#,
        matching.owner,
        matching.project,
        matching.provider.map(Provider::as_str),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.variant_id)).collect())
}

/// How these generations stand; one that is gone is missing.
pub async fn list_states(conn: &mut PgConnection, ids: &[GenerationId]) -> sqlx::Result<Vec<(GenerationId, State)>> {
    let ids: Vec<uuid::Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        r#"SELECT id AS "id: GenerationId", state AS "state: State" FROM generations WHERE id = ANY($1)"#,
        &ids,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.state)).collect())
}
