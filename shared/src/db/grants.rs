//! The table `project_access`: who may read a project of somebody else. A grant is about all variants of one name of one owner.

use sqlx::PgConnection;

use crate::names::ProjectName;

/// Lets a user read a project; a second time changes nothing. The user must exist.
pub async fn create(conn: &mut PgConnection, owner: &str, name: &ProjectName, username: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO project_access (owner, name, username) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        owner,
        name.as_str(),
        username,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Keeps a project from being deleted until the transaction ends; false when this owner has none of this name.
pub async fn hold_project(conn: &mut PgConnection, owner: &str, name: &ProjectName) -> sqlx::Result<bool> {
    let found = sqlx::query_scalar!(
        "SELECT id FROM variants WHERE owner = $1 AND name = $2 ORDER BY id LIMIT 1 FOR KEY SHARE",
        owner,
        name.as_str(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.is_some())
}

/// Takes the right back, if it was there.
pub async fn delete(conn: &mut PgConnection, owner: &str, name: &str, username: &str) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM project_access WHERE owner = $1 AND name = $2 AND username = $3", owner, name, username)
        .execute(conn)
        .await?;
    Ok(())
}

/// Who may read a project, sorted by name.
pub async fn list(conn: &mut PgConnection, owner: &str, name: &str) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"SELECT username FROM project_access WHERE owner = $1 AND name = $2 ORDER BY username COLLATE "C""#,
        owner,
        name,
    )
    .fetch_all(conn)
    .await
}

/// Takes back all rights to a project that has no variants any more, and gives those who lose them.
pub async fn delete_of_gone_project(conn: &mut PgConnection, owner: &str, name: &str) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"
        DELETE FROM project_access
         WHERE owner = $1 AND name = $2
           AND NOT EXISTS (SELECT 1 FROM variants v WHERE v.owner = $1 AND v.name = $2)
        RETURNING username
        "#,
        owner,
        name,
    )
    .fetch_all(conn)
    .await
}
