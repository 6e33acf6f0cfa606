//! Rows that come from another system, each made in its final state at once. What is there already is never changed.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{
    ids::GenerationId,
    names::{CommitSha, PageSlug, Username},
    plan::RepoType,
    stage::Stage,
    user::Role,
    variant::{Status, VariantKey},
};

/// Only one import at a time; any number that nothing else locks.
const LOCK: i64 = 0x646f_6373_6679;

/// A variant with the one generation that is known of it.
#[derive(Debug, Clone)]
pub struct ImportedVariant {
    /// The variant.
    pub key: VariantKey,
    /// Source, as [`crate::source::RepoSource`] prints it.
    pub repo_url: String,
    /// How the generation ended: anything but `generating`.
    pub status: Status,
    /// The stage that stays visible: `up_to_date` or none.
    pub stage: Option<Stage>,
    /// Why it failed or was aborted.
    pub error_message: Option<String>,
    /// Pages.
    pub page_count: i32,
    /// The plan as a JSON text.
    pub plan_json: Option<String>,
    /// Kind of repository.
    pub repo_type: Option<RepoType>,
    /// US dollars.
    pub cost_usd: Option<f64>,
    /// The generation.
    pub generation: GenerationId,
    /// Folder of the site.
    pub site_prefix: Option<String>,
    /// The commit that the generation was about.
    pub commit: Option<CommitSha>,
    /// Whether the site has everything, so that it need not be made again at the same commit.
    pub is_complete: bool,
    /// When the site was made.
    pub last_generated: Option<DateTime<Utc>>,
    /// When the variant was first asked for; now when unknown.
    pub created_at: Option<DateTime<Utc>>,
    /// When it last changed; now when unknown.
    pub updated_at: Option<DateTime<Utc>>,
    /// When the generation began.
    pub started_at: Option<DateTime<Utc>>,
    /// How many seconds the generation took.
    pub duration_s: Option<f64>,
}

/// Makes sure that no other import runs, for as long as this connection stands. False when one does.
pub async fn lock(conn: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"SELECT pg_try_advisory_lock($1) AS "locked!""#, LOCK).fetch_one(conn).await
}

/// The id of a generation that came without one: always the same for the same variant.
pub async fn id_of_nameless(conn: &mut PgConnection, key: &VariantKey) -> sqlx::Result<GenerationId> {
    sqlx::query_scalar!(
        r#"SELECT md5(concat_ws('/', 'docsfy', $1::text, $2::text, $3::text, $4::text, $5::text))::uuid AS "id!: GenerationId""#,
        key.owner,
        key.name.as_str(),
        key.branch.as_str(),
        key.provider.as_str(),
        key.model.as_str(),
    )
    .fetch_one(conn)
    .await
}

/// Makes a user whose key docsfy kept. False when the name or the key is there already.
pub async fn create_user(
    conn: &mut PgConnection,
    username: &Username,
    role: Role,
    docsfy_key_hash: &[u8; 32],
    created_at: Option<DateTime<Utc>>,
) -> sqlx::Result<bool> {
    let rows = sqlx::query!(
        r#"
        INSERT INTO users (username, role, docsfy_key_hash, created_at)
        VALUES ($1, $2, $3, LEAST(COALESCE($4, now()), now()))
        ON CONFLICT DO NOTHING
        "#,
        username.as_str(),
        role.as_str(),
        docsfy_key_hash.as_slice(),
        created_at,
    )
    .execute(conn)
    .await?;
    Ok(rows.rows_affected() == 1)
}

/// Keeps a setting, unless it is set already.
pub async fn create_setting(conn: &mut PgConnection, key: &str, value: &str) -> sqlx::Result<bool> {
    let rows =
        sqlx::query!("INSERT INTO settings (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING", key, value,)
            .execute(conn)
            .await?;
    Ok(rows.rows_affected() == 1)
}

/// Whether a setting is set.
pub async fn has_setting(conn: &mut PgConnection, key: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"SELECT EXISTS (SELECT 1 FROM settings WHERE key = $1) AS "set!""#, key).fetch_one(conn).await
}

/// Makes the variant and its generation. Gives the variant's primary key, or `None` when there is such a variant.
pub async fn create_variant(conn: &mut PgConnection, variant: &ImportedVariant) -> sqlx::Result<Option<i64>> {
    let key = &variant.key;
    // an incomplete site is of no commit, so that the next run makes it anew without being forced to
    let served_commit = variant.commit.as_ref().filter(|_| variant.is_complete).map(CommitSha::as_str);
    let id = sqlx::query_scalar!(
        r#"
        -- a time that is not known is now, or stays unknown; one in the future would count as the newest for ever
        INSERT INTO variants (owner, name, branch, ai_provider, ai_model, repo_url, status, current_stage, error_message,
               page_count, plan_json, repo_type, total_cost_usd, generation_id, site_prefix, last_commit_sha,
               last_generated, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
                CASE WHEN $17 > now() THEN now() ELSE $17 END,
                LEAST(COALESCE($18, now()), now()), LEAST(COALESCE($19, now()), now()))
        ON CONFLICT (owner, name, branch, ai_provider, ai_model) DO NOTHING
        RETURNING id
        "#,
        key.owner,
        key.name.as_str(),
        key.branch.as_str(),
        key.provider.as_str(),
        key.model.as_str(),
        variant.repo_url,
        variant.status.as_str(),
        variant.stage.map(Stage::as_str),
        variant.error_message,
        variant.page_count,
        variant.plan_json,
        variant.repo_type.map(RepoType::as_str),
        variant.cost_usd,
        variant.generation as GenerationId,
        variant.site_prefix,
        served_commit,
        variant.last_generated,
        variant.created_at,
        variant.updated_at,
    )
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(id) = id {
        create_generation(conn, id, variant).await?;
    }
    Ok(id)
}

async fn create_generation(conn: &mut PgConnection, variant_id: i64, variant: &ImportedVariant) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        WITH known AS (
            SELECT LEAST(COALESCE($9::timestamptz, $10, $11, now()), now()) AS began,
                   LEAST(COALESCE($9::timestamptz + make_interval(secs => $12), $10, $11, now()), now()) AS ended
        )
        INSERT INTO generations (id, variant_id, state, requested_by, repo_type, call_timeout_min, commit_sha,
               error_message, cost_usd, site_prefix, created_at, started_at, finished_at)
        SELECT $1, $2, $3, $4, $5, 60, $6, $7, $8, $13, known.began,
               CASE WHEN $9 > now() THEN now() ELSE $9 END, GREATEST(known.began, known.ended)
          FROM known
        "#,
        variant.generation as GenerationId,
        variant_id,
        variant.status.as_str(),
        variant.key.owner,
        variant.repo_type.map(RepoType::as_str),
        variant.commit.as_ref().map(CommitSha::as_str),
        variant.error_message,
        variant.cost_usd,
        variant.started_at,
        variant.last_generated,
        variant.updated_at,
        variant.duration_s,
        variant.site_prefix,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Keeps the plan of a generation as the checkpoint of its planning, and the pages that were written.
pub async fn create_pages(
    conn: &mut PgConnection,
    generation: GenerationId,
    plan: &serde_json::Value,
    pages: &[(PageSlug, String)],
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO checkpoints (generation_id, stage, result) VALUES ($1, $2, $3)",
        generation as GenerationId,
        Stage::Planning.as_str(),
        plan,
    )
    .execute(&mut *conn)
    .await?;
    let slugs: Vec<String> = pages.iter().map(|(slug, _)| slug.to_string()).collect();
    let texts: Vec<String> = pages.iter().map(|(_, text)| text.clone()).collect();
    sqlx::query!(
        r#"
        -- no run has inputs with this hash, so none takes such a page for one of its own
        INSERT INTO pages (generation_id, slug, position, input_hash, markdown, checked)
        SELECT $1, page.slug, page.position, 'docsfy', page.markdown, true
          FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS page (slug, markdown, position)
        "#,
        generation as GenerationId,
        &slugs,
        &texts,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes the folder of a site off the list of those that are to be removed.
pub async fn keep_site(conn: &mut PgConnection, site_prefix: &str) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM deleted_sites WHERE site_prefix = $1", site_prefix).execute(conn).await?;
    Ok(())
}
