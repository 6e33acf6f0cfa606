//! New generations, with the variants that they are of.

use serde::Serialize;
use sqlx::{PgConnection, types::Json};

use super::generations::NewGeneration;
use crate::{generation::PROTOCOL, ids::GenerationId, options::RunOptions, plan::RepoType, variant::VariantKey};

/// A generation that is to be queued.
#[derive(Debug, Clone)]
pub struct NewStart<'a> {
    /// Primary key of the generation.
    pub id: GenerationId,
    /// Its variant, which may not exist yet. No two that are started together are of the same.
    pub key: &'a VariantKey,
    /// Source, as [`crate::source::RepoSource`] prints it.
    pub repo_url: String,
    /// The source that a variant which exists must have now, when it is not `repo_url`; [`NewGeneration::force`] takes any.
    pub stored_repo_url: Option<&'a str>,
    /// The request.
    pub request: &'a NewGeneration,
}

/// A generation that was queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// Primary key of the generation.
    pub id: GenerationId,
    /// Primary key of the variant.
    pub variant_id: i64,
}

/// A row of the question to the database.
#[derive(Serialize)]
struct Row<'a> {
    id: GenerationId,
    owner: &'a str,
    name: &'a str,
    branch: &'a str,
    provider: &'a str,
    model: &'a str,
    repo_url: &'a str,
    stored_repo_url: &'a str,
    requested_by: &'a str,
    force: bool,
    replace: bool,
    repo_type: Option<&'a str>,
    call_timeout_min: i32,
    max_cost_usd: Option<f64>,
    options: &'a RunOptions,
}

impl<'a> Row<'a> {
    fn of(start: &'a NewStart<'a>) -> Self {
        let NewStart { id, key, repo_url, stored_repo_url, request } = start;
        Self {
            id: *id,
            owner: &key.owner,
            name: key.name.as_str(),
            branch: key.branch.as_str(),
            provider: key.provider.as_str(),
            model: key.model.as_str(),
            repo_url,
            stored_repo_url: stored_repo_url.unwrap_or(repo_url),
            requested_by: &request.requested_by,
            force: request.force,
            replace: request.replace,
            repo_type: request.repo_type.map(RepoType::as_str),
            call_timeout_min: request.call_timeout_minutes,
            max_cost_usd: request.max_cost_usd,
            options: &request.options,
        }
    }
}

/// Makes the rows of those generations whose variant is new or idle, and of the same repository, and takes the variants for
/// them; what the last run left (plan, page count, site) stays. The others are left out of the answer, and unchanged.
pub async fn start(conn: &mut PgConnection, starts: &[NewStart<'_>]) -> sqlx::Result<Vec<Start>> {
    let rows: Vec<Row<'_>> = starts.iter().map(Row::of).collect();
    sqlx::query_as!(
        Start,
        r#"
        WITH asked AS (
            SELECT *
              FROM jsonb_to_recordset($1) AS asked (
                   id uuid, owner text, name text, branch text, provider text, model text, repo_url text,
                   stored_repo_url text, requested_by text, force bool, replace bool, repo_type text,
                   call_timeout_min int, max_cost_usd float8, options jsonb)
        ),
        taken AS (
            INSERT INTO variants AS v
                   (owner, name, branch, ai_provider, ai_model, repo_url, repo_type, generation_id, status)
            SELECT owner, name, branch, provider, model, repo_url, repo_type, id, 'generating'
              FROM asked
             ORDER BY owner, name, branch, provider, model   -- so that nobody waits in a circle
            ON CONFLICT (owner, name, branch, ai_provider, ai_model) DO UPDATE
               SET status = 'generating', error_message = NULL, current_stage = NULL, total_cost_usd = NULL,
                   repo_url = EXCLUDED.repo_url, repo_type = COALESCE(EXCLUDED.repo_type, v.repo_type),
                   generation_id = EXCLUDED.generation_id, updated_at = now()
             WHERE v.status <> 'generating'
               AND EXISTS (SELECT 1 FROM asked
                            WHERE asked.id = EXCLUDED.generation_id
                              AND (asked.force OR asked.stored_repo_url = v.repo_url))
            RETURNING v.id, v.generation_id
        )
        INSERT INTO generations (id, variant_id, requested_by, force, replace, repo_type, call_timeout_min, protocol,
               max_cost_usd, options)
        SELECT asked.id, taken.id, asked.requested_by, asked.force, asked.replace, asked.repo_type,
               asked.call_timeout_min, $2, asked.max_cost_usd, asked.options
          FROM taken
          JOIN asked ON asked.id = taken.generation_id
        RETURNING id AS "id: GenerationId", variant_id
        "#,
        Json(rows) as _,
        PROTOCOL,
    )
    .fetch_all(conn)
    .await
}
