//! The table `generations` from a worker's side: claim, renew, checkpoint, end. Every write names the fence.

use std::time::Duration;

use serde_json::Value;
use sqlx::{PgConnection, postgres::types::PgInterval, types::Json};

use super::{WriteError, one_row};
use crate::{
    generation::{PROTOCOL, State},
    ids::GenerationId,
    names::{BranchName, CommitSha, ModelId, ProjectName},
    options::RunOptions,
    plan::RepoType,
    provider::Provider,
    stage::Stage,
    variant::VariantKey,
};

/// What a request asks of a generation.
#[derive(Debug, Clone)]
pub struct NewGeneration {
    /// Who asked.
    pub requested_by: String,
    /// Everything is made anew.
    pub force: bool,
    /// The variant of another model whose pages are taken over goes when this one is ready.
    pub replace: bool,
    /// Kind of repository, when the caller named one.
    pub repo_type: Option<RepoType>,
    /// Minutes one call of an AI command line may take.
    pub call_timeout_minutes: i32,
    /// Budget of the generation in US dollars, when the caller named one.
    pub max_cost_usd: Option<f64>,
    /// What it says about the documentation itself.
    pub options: RunOptions,
}

/// The right to work on a generation, and what it is about.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The generation.
    pub id: GenerationId,
    /// Names this claim in every write; a later claim has a higher one.
    pub fence: i64,
    /// Primary key of the variant.
    pub variant_id: i64,
    /// The variant.
    pub key: VariantKey,
    /// Source, as [`crate::source::RepoSource`] prints it.
    pub repo_url: String,
    /// The request.
    pub request: NewGeneration,
    /// Commit of the site that is served now.
    pub served_commit: Option<String>,
    /// Whether a site is served now.
    pub served_site: bool,
    /// What the request said that the served site was made for.
    pub served_options: RunOptions,
    /// The day the generation was first taken, `YYYY-MM-DD`.
    pub started_date: String,
    /// The run that this one repeats.
    pub retry_of: Option<GenerationId>,
    /// The first stage that is to be done again although it was done.
    pub retry_from: Option<Stage>,
}

impl Claimed {
    /// Whether somebody wants work done that an earlier run has done already.
    pub fn starts_anew(&self) -> bool {
        self.request.force || self.retry_from.is_some()
    }
}

/// Takes a queued generation for `worker`: raises the fence and starts a lease. `None` when there is nothing to take: it is
/// taken, ended, deleted, paused, for newer workers only, or a person asked to abort it.
pub async fn claim(
    conn: &mut PgConnection,
    id: GenerationId,
    worker: &str,
    lease: Duration,
) -> sqlx::Result<Option<Claimed>> {
    let row = sqlx::query!(
        r#"
        UPDATE generations g
           -- what this worker writes down is for those that understand as much
           SET state = 'running', fence = g.fence + 1, worker = $2, lease_until = now() + $3::interval,
               started_at = COALESCE(g.started_at, now()), protocol = $4
          FROM variants v
         WHERE g.id = $1 AND g.state = 'queued' AND g.cancel_requested_at IS NULL AND v.id = g.variant_id
           AND g.protocol <= $4
           AND NOT EXISTS (SELECT 1 FROM pauses p
                            WHERE p.reason = 'admin' AND p.provider IN ('', v.ai_provider)
                              AND (p.until IS NULL OR p.until > now()))
        RETURNING g.fence, g.variant_id, v.owner, v.name AS "name: ProjectName", v.branch AS "branch: BranchName",
               v.ai_provider AS "provider: Provider", v.ai_model AS "model: ModelId", v.repo_url, g.requested_by,
               g.force, g.replace, g.repo_type AS "repo_type: RepoType", g.call_timeout_min,
               g.max_cost_usd, v.last_commit_sha, v.site_prefix,
               g.options AS "options: Json<RunOptions>",
               -- none for a site that was imported
               (SELECT made.options FROM generations made
                 WHERE made.variant_id = v.id AND made.site_prefix = v.site_prefix LIMIT 1) AS "served_options: Json<RunOptions>",
               to_char(g.started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS "started_date!",
               g.retry_of AS "retry_of: GenerationId", g.retry_from AS "retry_from: Stage"
        "#,
        id as GenerationId,
        worker,
        interval(lease),
        PROTOCOL,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Claimed {
        id,
        fence: row.fence,
        variant_id: row.variant_id,
        key: VariantKey::new(row.owner, row.name, row.branch, row.provider, row.model),
        repo_url: row.repo_url,
        request: NewGeneration {
            requested_by: row.requested_by,
            force: row.force,
            replace: row.replace,
            repo_type: row.repo_type,
            call_timeout_minutes: row.call_timeout_min,
            max_cost_usd: row.max_cost_usd,
            options: row.options.0,
        },
        served_options: row.served_options.map(|options| options.0).unwrap_or_default(),
        served_commit: row.last_commit_sha,
        served_site: row.site_prefix.is_some(),
        started_date: row.started_date,
        retry_of: row.retry_of,
        retry_from: row.retry_from,
    }))
}

/// What a page's writer must know of its generation.
#[derive(Debug, Clone)]
pub struct PageWork {
    /// Primary key of the variant.
    pub variant_id: i64,
    /// The variant.
    pub key: VariantKey,
    /// Source, as [`crate::source::RepoSource`] prints it.
    pub repo_url: String,
    /// Minutes one call of an AI command line may take.
    pub call_timeout_minutes: i32,
    /// What the request says about the documentation itself.
    pub options: RunOptions,
}

/// What a page's writer must know of its generation; `None` when it is gone.
pub async fn find_page_work(conn: &mut PgConnection, id: GenerationId) -> sqlx::Result<Option<PageWork>> {
    let row = sqlx::query!(
        r#"
        SELECT g.variant_id, v.owner, v.name AS "name: ProjectName", v.branch AS "branch: BranchName",
               v.ai_provider AS "provider: Provider", v.ai_model AS "model: ModelId", v.repo_url, g.call_timeout_min,
               g.options AS "options: Json<RunOptions>"
          FROM generations g JOIN variants v ON v.id = g.variant_id
         WHERE g.id = $1
        "#,
        id as GenerationId,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| PageWork {
        variant_id: row.variant_id,
        key: VariantKey::new(row.owner, row.name, row.branch, row.provider, row.model),
        repo_url: row.repo_url,
        call_timeout_minutes: row.call_timeout_min,
        options: row.options.0,
    }))
}

/// Extends the lease. Says whether a person asked to abort the run.
pub async fn renew(conn: &mut PgConnection, id: GenerationId, fence: i64, lease: Duration) -> Result<bool, WriteError> {
    let renewed = sqlx::query!(
        r#"
        UPDATE generations
           SET lease_until = now() + $3::interval
         WHERE id = $1 AND fence = $2 AND state = 'running'
        RETURNING cancel_requested_at IS NOT NULL AS "cancelled!", set_config('synchronous_commit', 'off', true) AS unsynced
        "#,
        id as GenerationId,
        fence,
        interval(lease),
    )
    .fetch_optional(conn)
    .await?;
    renewed.map(|run| run.cancelled).ok_or(WriteError::Lost)
}

/// Says which stage is worked on, here and on the variant.
pub async fn set_stage(conn: &mut PgConnection, id: GenerationId, fence: i64, stage: Stage) -> Result<(), WriteError> {
    let rows = sqlx::query!(
        r#"
        WITH held AS (
            UPDATE generations SET stage = $3 WHERE id = $1 AND fence = $2 AND state = 'running' RETURNING variant_id
        )
        UPDATE variants v SET current_stage = $3, updated_at = now() FROM held WHERE v.id = held.variant_id
        "#,
        id as GenerationId,
        fence,
        stage.as_str(),
    )
    .execute(conn)
    .await?;
    one_row(rows.rows_affected())
}

/// Keeps what a stage produced. A second write of the same stage replaces the first. Progress: deaths count from zero again.
/// A plan was paid for and waits for the disk; what the other stages produce is made again at no cost, should a crash of the
/// server take it back.
pub async fn save_checkpoint(
    conn: &mut PgConnection,
    id: GenerationId,
    fence: i64,
    stage: Stage,
    result: &Value,
) -> Result<(), WriteError> {
    let rows = sqlx::query!(
        r#"
        WITH held AS (
            UPDATE generations SET crash_count = 0 WHERE id = $1 AND fence = $2 AND state = 'running' RETURNING id
        )
        INSERT INTO checkpoints (generation_id, stage, result)
        SELECT held.id, $3, $4 FROM held
        ON CONFLICT (generation_id, stage) DO UPDATE SET result = EXCLUDED.result, created_at = now()
        RETURNING CASE WHEN $3 NOT IN ('planning', 'incremental_planning')
                       THEN set_config('synchronous_commit', 'off', true) END AS unsynced
        "#,
        id as GenerationId,
        fence,
        stage.as_str(),
        result,
    )
    .fetch_all(conn)
    .await?;
    one_row(rows.len() as u64)
}

/// What the stages of a generation produced by now.
pub async fn list_checkpoints(conn: &mut PgConnection, id: GenerationId) -> sqlx::Result<Vec<(Stage, Value)>> {
    let rows = sqlx::query!(
        r#"SELECT stage AS "stage: Stage", result FROM checkpoints WHERE generation_id = $1"#,
        id as GenerationId,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.stage, row.result)).collect())
}

/// What a stage produced in an earlier life of this generation.
pub async fn find_checkpoint(conn: &mut PgConnection, id: GenerationId, stage: Stage) -> sqlx::Result<Option<Value>> {
    sqlx::query_scalar!(
        "SELECT result FROM checkpoints WHERE generation_id = $1 AND stage = $2",
        id as GenerationId,
        stage.as_str(),
    )
    .fetch_optional(conn)
    .await
}

/// Notes the commit that the run is about.
pub async fn set_commit(
    conn: &mut PgConnection,
    id: GenerationId,
    fence: i64,
    commit: &CommitSha,
) -> Result<(), WriteError> {
    let rows = sqlx::query!(
        "UPDATE generations SET commit_sha = $3 WHERE id = $1 AND fence = $2 AND state = 'running'",
        id as GenerationId,
        fence,
        commit.as_str(),
    )
    .execute(conn)
    .await?;
    one_row(rows.rows_affected())
}

/// Shows the plan on the variant as soon as it is made.
pub async fn show_plan(
    conn: &mut PgConnection,
    id: GenerationId,
    fence: i64,
    plan_json: &str,
    repo_type: RepoType,
) -> Result<(), WriteError> {
    let rows = sqlx::query!(
        r#"
        UPDATE variants v
           SET plan_json = $3, repo_type = $4, page_count = 0, updated_at = now()
          FROM generations g
         WHERE g.id = $1 AND g.fence = $2 AND g.state = 'running' AND v.id = g.variant_id
        "#,
        id as GenerationId,
        fence,
        plan_json,
        repo_type.as_str(),
    )
    .execute(conn)
    .await?;
    one_row(rows.rows_affected())
}

/// What a finished generation leaves on its variant.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Folder of the site: new, or `None` when the one that is served stays (`up_to_date`).
    pub site_prefix: Option<String>,
    /// Its commit.
    pub commit: CommitSha,
    /// Its pages.
    pub page_count: i32,
    /// The stage that stays visible: `up_to_date` or none.
    pub final_stage: Option<Stage>,
}

/// Ends the run as published and moves the variant's pointer, in one statement. Fails with `Lost` when the run was taken
/// over or a person asked to abort it: an abort that was asked for before this point wins.
pub async fn finish(
    conn: &mut PgConnection,
    id: GenerationId,
    fence: i64,
    finished: &Finished,
) -> Result<(), WriteError> {
    let rows = sqlx::query!(
        r#"
        WITH held AS (
            UPDATE generations
               SET state = 'ready', finished_at = now(), lease_until = NULL, site_prefix = $3, commit_sha = $4,
                   error_message = NULL
             WHERE id = $1 AND fence = $2 AND state = 'running' AND cancel_requested_at IS NULL
            RETURNING variant_id, grade
        )
        UPDATE variants v
           SET status = 'ready', error_message = NULL, current_stage = $6, page_count = $5, last_commit_sha = $4,
               last_generated = now(), site_prefix = COALESCE($3, v.site_prefix), updated_at = now(),
               grade = CASE WHEN $3::text IS NULL THEN v.grade ELSE held.grade END,
               -- what a check said was about another site or another commit
               checked_at = NULL, checked_commit = NULL, behind_commits = NULL, stale_sections = NULL
          FROM held
         WHERE v.id = held.variant_id
        "#,
        id as GenerationId,
        fence,
        finished.site_prefix,
        finished.commit.as_str(),
        finished.page_count,
        finished.final_stage.map(Stage::as_str),
    )
    .execute(conn)
    .await?;
    one_row(rows.rows_affected())
}

/// Ends the run as `error` or `aborted`; the served site stays.
pub async fn end_unfinished(
    conn: &mut PgConnection,
    id: GenerationId,
    fence: i64,
    state: State,
    message: &str,
) -> Result<(), WriteError> {
    debug_assert!(matches!(state, State::Error | State::Aborted), "only these leave no site");
    let rows = sqlx::query!(
        r#"
        WITH held AS (
            UPDATE generations
               SET state = $3, finished_at = now(), lease_until = NULL, error_message = $4
             WHERE id = $1 AND fence = $2 AND state = 'running'
            RETURNING variant_id
        )
        UPDATE variants v
           SET status = $3, error_message = $4, current_stage = NULL, updated_at = now()
          FROM held
         WHERE v.id = held.variant_id
        "#,
        id as GenerationId,
        fence,
        state.as_str(),
        message,
    )
    .execute(conn)
    .await?;
    one_row(rows.rows_affected())
}

/// Gives the run back at shutdown, for another worker to go on with. Gives the state it has now, and what the variant says:
/// one that was to be aborted is aborted. The caller rings the bell or tells of the end in the same transaction.
pub async fn hand_back(
    conn: &mut PgConnection,
    id: GenerationId,
    fence: i64,
) -> Result<(State, Option<String>), WriteError> {
    give_up(conn, id, fence, 0).await
}

/// After a failure of this host or of the database: queues the run again, or ends it after as many failures without a new
/// checkpoint as deaths would end it. Gives the same as [`hand_back`].
pub async fn retry_or_fail(
    conn: &mut PgConnection,
    id: GenerationId,
    fence: i64,
) -> Result<(State, Option<String>), WriteError> {
    give_up(conn, id, fence, 1).await
}

async fn give_up(
    conn: &mut PgConnection,
    id: GenerationId,
    fence: i64,
    failures: i32,
) -> Result<(State, Option<String>), WriteError> {
    let row = sqlx::query!(
        r#"
        WITH held AS (
            SELECT id, crash_count + $3 AS failures,
                   CASE WHEN cancel_requested_at IS NOT NULL THEN 'aborted'
                        WHEN $3 > 0 AND crash_count + $3 >= $4 THEN 'error'
                        ELSE 'queued' END AS next
              FROM generations
             WHERE id = $1 AND fence = $2 AND state = 'running'
               FOR UPDATE
        ),
        given_up AS (
            UPDATE generations g
               SET state = held.next, crash_count = held.failures, worker = NULL, lease_until = NULL,
                   finished_at = CASE held.next WHEN 'queued' THEN NULL ELSE now() END,
                   error_message = CASE held.next
                       WHEN 'aborted' THEN $5
                       WHEN 'error' THEN 'Generation failed ' || held.failures || ' times in stage '
                            || COALESCE(g.stage, 'cloning') || ' by a fault of the server; its log says more' END
              FROM held
             WHERE g.id = held.id
            RETURNING g.variant_id, g.state, g.error_message
        )
        UPDATE variants v
           SET status = CASE given_up.state WHEN 'queued' THEN v.status ELSE given_up.state END,
               error_message = given_up.error_message, updated_at = now(),
               current_stage = CASE given_up.state WHEN 'queued' THEN v.current_stage END
          FROM given_up
         WHERE v.id = given_up.variant_id
        RETURNING given_up.state AS "state!: State", given_up.error_message AS message
        "#,
        id as GenerationId,
        fence,
        failures,
        super::recovery::MAX_CRASHES,
        super::aborts::ABORTED_BY_USER,
    )
    .fetch_optional(conn)
    .await?
    .ok_or(WriteError::Lost)?;
    Ok((row.state, row.message))
}

/// The generation that made the served site of a variant, and the number of its pages.
pub async fn find_served(conn: &mut PgConnection, variant: i64) -> sqlx::Result<Option<(GenerationId, i32)>> {
    let row = sqlx::query!(
        r#"
        SELECT g.id AS "id: GenerationId",
               (SELECT count(*)::integer FROM pages p WHERE p.generation_id = g.id) AS "pages!"
          FROM variants v
          JOIN generations g ON g.variant_id = v.id AND g.site_prefix = v.site_prefix
         WHERE v.id = $1
        "#,
        variant,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (row.id, row.pages)))
}

/// What the newest good run of a variant knew: where an incremental run begins to compare.
#[derive(Debug, Clone)]
pub struct LastGood {
    /// The run, which cloned; its commit may still be kept.
    pub generation: GenerationId,
    /// The checkpoint of its stage `cloning`.
    pub pinned: Value,
}

/// The newest run of a variant that cloned and ended well, whether it made a site or found nothing to do.
pub async fn find_last_good(conn: &mut PgConnection, variant: i64) -> sqlx::Result<Option<LastGood>> {
    sqlx::query_as!(
        LastGood,
        r#"
        SELECT g.id AS "generation: GenerationId", c.result AS pinned
          FROM generations g
          JOIN checkpoints c ON c.generation_id = g.id AND c.stage = 'cloning'
         WHERE g.variant_id = $1 AND g.state = 'ready'
         ORDER BY g.finished_at DESC
         LIMIT 1
        "#,
        variant,
    )
    .fetch_optional(conn)
    .await
}

/// A variant of another model whose pages a run may take over.
#[derive(Debug, Clone)]
pub struct Takeover {
    /// Primary key of that variant.
    pub variant_id: i64,
    /// The generation that made its served site.
    pub generation: GenerationId,
    /// Source, as [`crate::source::RepoSource`] prints it.
    pub repo_url: String,
    /// Commit of the site.
    pub commit: Option<String>,
    /// Who wrote it, unless it was taken over itself.
    pub provider: Provider,
    /// With which model.
    pub model: ModelId,
}

/// The newest ready variant of the same branch, if its site is newer than the last good one of this variant (if there is any).
pub async fn find_takeover(
    conn: &mut PgConnection,
    key: &VariantKey,
    options: &RunOptions,
) -> sqlx::Result<Option<Takeover>> {
    sqlx::query_as!(
        Takeover,
        r#"
        SELECT other.id AS variant_id, g.id AS "generation: GenerationId", other.repo_url,
               other.last_commit_sha AS commit, other.ai_provider AS "provider: Provider",
               other.ai_model AS "model: ModelId"
          FROM variants other
          JOIN generations g ON g.variant_id = other.id AND g.site_prefix = other.site_prefix
          LEFT JOIN variants own ON own.owner = other.owner AND own.name = other.name AND own.branch = other.branch
                                AND own.ai_provider = $4 AND own.ai_model = $5
         WHERE other.owner = $1 AND other.name = $2 AND other.branch = $3 AND other.status = 'ready' AND g.options = $6
           AND (other.ai_provider, other.ai_model) <> ($4, $5)
           -- what the built-in writer extracts costs nothing, and who asks for a model wants its words
           AND $4 <> 'builtin' AND other.ai_provider <> 'builtin'
           AND (own.last_generated IS NULL OR other.last_generated > own.last_generated)
         ORDER BY other.last_generated DESC, other.id DESC
         LIMIT 1
        "#,
        key.owner,
        key.name.as_str(),
        key.branch.as_str(),
        key.provider.as_str(),
        key.model.as_str(),
        Json(options) as _,
    )
    .fetch_optional(conn)
    .await
}

/// The variant that a generation, the newest or a past one, is of.
pub async fn find_variant_id(conn: &mut PgConnection, id: GenerationId) -> sqlx::Result<Option<i64>> {
    let found = sqlx::query_scalar!("SELECT variant_id FROM generations WHERE id = $1", id as GenerationId);
    found.fetch_optional(conn).await
}

/// State and fence of a generation.
pub async fn find_state(conn: &mut PgConnection, id: GenerationId) -> sqlx::Result<Option<(State, i64)>> {
    let found =
        sqlx::query!(r#"SELECT state AS "state: State", fence FROM generations WHERE id = $1"#, id as GenerationId);
    Ok(found.fetch_optional(conn).await?.map(|row| (row.state, row.fence)))
}

/// A duration as Postgres takes it.
pub(super) fn interval(duration: Duration) -> PgInterval {
    PgInterval { months: 0, days: 0, microseconds: i64::try_from(duration.as_micros()).unwrap_or(i64::MAX) }
}
