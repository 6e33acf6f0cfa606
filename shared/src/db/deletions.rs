//! Deleting variants with all that belongs to them, and the files that are left to remove: the table `deleted_sites`.
//!
//! A deletion is one transaction of the caller. Workers lock a generation, then its variant; so does a deletion, all
//! generations first and all variants after them, each in the order of their keys, so that nobody waits in a circle.

use std::collections::BTreeSet;

use sqlx::PgConnection;

use crate::{
    events::{AccessChange, announce_access},
    generation::State,
    names::{BranchName, ModelId, ProjectName},
    provider::Provider,
    variant::{Status, VariantKey},
};

/// What became of a deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Rows, waiting tasks and lost grants are gone. These folders of the site store are to be removed after the commit,
    /// each followed by [`forget_files`]; what is left of them is found by [`list_files`].
    Deleted(Vec<String>),
    /// There was nothing to delete.
    Missing,
    /// One of them is being generated, so all of them stay.
    Active,
}

/// Deletes one variant.
pub async fn delete_variant(conn: &mut PgConnection, key: &VariantKey) -> sqlx::Result<Outcome> {
    let part = (&key.branch, key.provider, &key.model);
    delete(conn, &Target { owner: &key.owner, name: Some(&key.name), part: Some(part), id: None }).await
}

/// Deletes every variant of one owner's project.
pub async fn delete_project(conn: &mut PgConnection, owner: &str, name: &ProjectName) -> sqlx::Result<Outcome> {
    delete(conn, &Target { owner, name: Some(name), part: None, id: None }).await
}

/// Deletes the variant whose pages a run took over, as a part of that run's end, which began with [`lock_in_order`].
pub async fn delete_replaced(conn: &mut PgConnection, owner: &str, id: i64) -> sqlx::Result<Outcome> {
    delete(conn, &Target { owner, name: None, part: None, id: Some(id) }).await
}

/// Locks variants with their generations in the order in which everybody does. Needed before anything is written in a
/// transaction that ends a run and deletes another variant.
pub async fn lock_in_order(conn: &mut PgConnection, variants: &[i64]) -> sqlx::Result<()> {
    sqlx::query!("SELECT id FROM generations WHERE variant_id = ANY($1) ORDER BY id FOR UPDATE", variants)
        .fetch_all(&mut *conn)
        .await?;
    sqlx::query!("SELECT id FROM variants WHERE id = ANY($1) ORDER BY id FOR UPDATE", variants).fetch_all(conn).await?;
    Ok(())
}

/// Deletes everything that a user owns, as a part of deleting the user, and the grants to it. The user's row is locked
/// first: whoever starts a generation for this user holds it, see [`hold_owner`].
pub async fn delete_of_owner(conn: &mut PgConnection, owner: &str) -> sqlx::Result<Outcome> {
    sqlx::query!("SELECT id FROM users WHERE username = $1 FOR UPDATE", owner).fetch_optional(&mut *conn).await?;
    let outcome = delete(conn, &Target { owner, name: None, part: None, id: None }).await?;
    if outcome != Outcome::Active {
        let losers = sqlx::query_scalar!("DELETE FROM project_access WHERE owner = $1 RETURNING username", owner)
            .fetch_all(&mut *conn)
            .await?;
        announce_lost_grants(conn, losers).await?;
    }
    Ok(outcome)
}

/// Keeps a user from being deleted until the end of the transaction; false when the user is gone.
pub async fn hold_owner(conn: &mut PgConnection, username: &str) -> sqlx::Result<bool> {
    Ok(!hold_owners(conn, [username]).await?.is_empty())
}

/// The same for several; gives those that are still there.
pub async fn hold_owners<'u>(
    conn: &mut PgConnection,
    usernames: impl IntoIterator<Item = &'u str>,
) -> sqlx::Result<BTreeSet<String>> {
    let usernames: Vec<&str> = usernames.into_iter().collect();
    let held = sqlx::query_scalar!(
        "SELECT username FROM users WHERE username = ANY($1) ORDER BY username FOR KEY SHARE",
        &usernames as &[&str],
    );
    Ok(held.fetch_all(conn).await?.into_iter().collect())
}

/// Folders of deleted sites that somebody still has to remove, the oldest first.
pub async fn list_files(conn: &mut PgConnection, limit: i64) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!("SELECT site_prefix FROM deleted_sites ORDER BY deleted_at, site_prefix LIMIT $1", limit)
        .fetch_all(conn)
        .await
}

/// Notes that these folders were removed.
pub async fn forget_files(conn: &mut PgConnection, prefixes: &[String]) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM deleted_sites WHERE site_prefix = ANY($1)", prefixes).execute(conn).await?;
    Ok(())
}

/// Which variants of an owner are meant.
struct Target<'a> {
    owner: &'a str,
    name: Option<&'a ProjectName>,
    part: Option<(&'a BranchName, Provider, &'a ModelId)>,
    id: Option<i64>,
}

impl<'a> Target<'a> {
    fn name(&self) -> Option<&'a str> {
        self.name.map(ProjectName::as_str)
    }

    fn branch(&self) -> Option<&'a str> {
        self.part.map(|(branch, ..)| branch.as_str())
    }

    fn provider(&self) -> Option<&'a str> {
        self.part.map(|(_, provider, _)| provider.as_str())
    }

    fn model(&self) -> Option<&'a str> {
        self.part.map(|(.., model)| model.as_str())
    }
}

async fn delete(conn: &mut PgConnection, target: &Target<'_>) -> sqlx::Result<Outcome> {
    let states = sqlx::query_scalar!(
        r#"
        SELECT g.state AS "state: State"
          FROM generations g
          JOIN variants v ON v.id = g.variant_id
         WHERE v.owner = $1 AND ($2::text IS NULL OR v.name = $2) AND ($3::text IS NULL OR v.branch = $3)
           AND ($4::text IS NULL OR v.ai_provider = $4) AND ($5::text IS NULL OR v.ai_model = $5)
           AND ($6::bigint IS NULL OR v.id = $6)
         ORDER BY g.id
           FOR UPDATE OF g
        "#,
        target.owner,
        target.name(),
        target.branch(),
        target.provider(),
        target.model(),
        target.id,
    )
    .fetch_all(&mut *conn)
    .await?;
    if states.iter().any(|state| !state.is_terminal()) {
        return Ok(Outcome::Active);
    }
    // a generation that was started meanwhile shows here; once these rows are locked none can be started any more
    let variants = sqlx::query!(
        r#"
        SELECT v.id, v.name, v.status AS "status: Status"
          FROM variants v
         WHERE v.owner = $1 AND ($2::text IS NULL OR v.name = $2) AND ($3::text IS NULL OR v.branch = $3)
           AND ($4::text IS NULL OR v.ai_provider = $4) AND ($5::text IS NULL OR v.ai_model = $5)
           AND ($6::bigint IS NULL OR v.id = $6)
         ORDER BY v.id
           FOR UPDATE
        "#,
        target.owner,
        target.name(),
        target.branch(),
        target.provider(),
        target.model(),
        target.id,
    )
    .fetch_all(&mut *conn)
    .await?;
    if variants.is_empty() {
        return Ok(Outcome::Missing);
    }
    if variants.iter().any(|variant| variant.status == Status::Generating) {
        return Ok(Outcome::Active);
    }
    let ids: Vec<i64> = variants.iter().map(|variant| variant.id).collect();
    let prefixes = delete_locked(conn, &ids).await?;
    let names: BTreeSet<&str> = variants.iter().map(|variant| variant.name.as_str()).collect();
    for name in names {
        end_project(conn, target.owner, name).await?;
    }
    Ok(Outcome::Deleted(prefixes))
}

/// Deletes variants that are locked and idle; gives the folders that are left to remove.
async fn delete_locked(conn: &mut PgConnection, ids: &[i64]) -> sqlx::Result<Vec<String>> {
    // a worker that died or lost its lease may have left a folder under any fence of its generation
    let prefixes = sqlx::query_scalar!(
        r#"
        INSERT INTO deleted_sites (site_prefix)
        SELECT g.site_prefix AS prefix FROM generations g WHERE g.variant_id = ANY($1) AND g.site_prefix IS NOT NULL
         UNION
        SELECT g.id || '-' || tried.fence
          FROM generations g, generate_series(1, g.fence) AS tried (fence)
         WHERE g.variant_id = ANY($1)
        ON CONFLICT (site_prefix) DO UPDATE SET deleted_at = now()
        RETURNING site_prefix
        "#,
        ids,
    )
    .fetch_all(&mut *conn)
    .await?;
    sqlx::query!(
        r#"
        DELETE FROM apalis.jobs j
         USING (
             SELECT 'generate' AS queue, g.id || ':' || tried.fence AS key
               FROM generations g, generate_series(0, g.fence) AS tried (fence)
              WHERE g.variant_id = ANY($1)
              UNION ALL
             SELECT 'abort', g.id::text FROM generations g WHERE g.variant_id = ANY($1)
         ) AS gone
         WHERE j.job_type = gone.queue AND j.idempotency_key = gone.key AND j.status IN ('Pending', 'Failed')
        "#,
        ids,
    )
    .execute(&mut *conn)
    .await?;
    // generations with their checkpoints and pages, and events, go with their variant
    sqlx::query!("DELETE FROM variants WHERE id = ANY($1)", ids).execute(conn).await?;
    Ok(prefixes)
}

/// Takes back what was granted on a project if its last variant went, and tells who is concerned.
async fn end_project(conn: &mut PgConnection, owner: &str, name: &str) -> sqlx::Result<()> {
    announce_access(conn, &AccessChange::Project { owner: owner.to_owned(), name: name.to_owned() }).await?;
    let losers = super::grants::delete_of_gone_project(conn, owner, name).await?;
    announce_lost_grants(conn, losers).await
}

async fn announce_lost_grants(conn: &mut PgConnection, losers: Vec<String>) -> sqlx::Result<()> {
    for loser in losers {
        announce_access(conn, &AccessChange::User(loser)).await?;
    }
    Ok(())
}
