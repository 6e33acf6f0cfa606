//! Which site a path under `/docs/` is read from, remembered for at most a second and forgotten when a generation ends.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use shared::db::{self, variants::VariantRow};
use sites::{banner::Behind, key::SitePrefix};
use sqlx::PgConnection;

use crate::{
    access::{self, VariantPath},
    auth::Caller,
    brief_cache::BriefCache,
    error::ApiError,
    state::ApiState,
};

/// For how long a pointer that was read is not read again.
const REMEMBERED: Duration = Duration::from_secs(1);
/// Pointers that are remembered.
const REMEMBERED_POINTERS: usize = 10_000;
/// Older builds in which an open page still finds its assets (decisions.md 7).
const OLDER_BUILDS: i64 = 2;

/// Pointers by caller and by what was asked for.
pub(crate) type ServedSites = BriefCache<String, Served>;

/// The builds that may answer, the one that is served first, and how far that is behind its repository when somebody knows.
#[derive(Debug, Clone)]
pub(crate) struct Served {
    pub(crate) builds: Arc<[SitePrefix]>,
    pub(crate) behind: Option<Arc<Behind>>,
}

pub(crate) fn new_cache() -> ServedSites {
    BriefCache::new(REMEMBERED_POINTERS, REMEMBERED)
}

/// What a path under `/docs/` names before the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted<'a> {
    /// The newest site of a project.
    Latest { project: &'a str },
    /// The site of one variant: project, branch, provider, model.
    Variant { parts: [&'a str; 4], owner: Option<&'a str> },
}

/// The builds that may answer. 404 when there is none.
pub(crate) async fn get_builds(state: &ApiState, caller: &Caller, wanted: Wanted<'_>) -> Result<Served, ApiError> {
    let key = key(caller, wanted);
    if let Some(served) = state.served().get(&key) {
        return Ok(served);
    }
    // an answer that was asked for before a pointer moved is not remembered once that was heard
    let asked = Instant::now();
    let mut conn = state.pool().acquire().await?;
    let row = match wanted {
        Wanted::Latest { project } => get_latest(&mut conn, caller, project, "No docs available").await?,
        Wanted::Variant { parts: [name, branch, provider, model], owner } => {
            let path = VariantPath::parse(name, branch, provider, model, "Not found")?;
            access::get_variant(&mut conn, caller, &path, owner).await?
        }
    };
    let served = row.site_prefix.as_deref().ok_or_else(|| ApiError::not_found("File not found"))?;
    let older = db::variants::list_older_site_prefixes(&mut conn, row.id, OLDER_BUILDS).await?;
    let builds = std::iter::once(served).chain(older.iter().map(String::as_str)).map(parse_prefix);
    let builds: Arc<[SitePrefix]> = builds.collect::<Result<_, _>>()?;
    let served = Served { builds, behind: behind(&row).map(Arc::new) };
    state.served().insert_as_of(asked, key, served.clone());
    Ok(served)
}

/// What the newest check said, if the site is behind.
fn behind(row: &VariantRow) -> Option<Behind> {
    let (checked_at, head) = row.checked_at.zip(row.checked_commit.clone())?;
    let count = |count: i32| u32::try_from(count).unwrap_or_default();
    let behind = Behind {
        commits: row.behind_commits.map(count),
        stale_sections: row.stale_sections.map(count).unwrap_or_default(),
        head,
        checked_at,
    };
    (behind.commits != Some(0) || behind.stale_sections > 0).then_some(behind)
}

/// The variant of a project whose site is the newest. Owners who tie are an answer of their own to everybody but admins.
pub(crate) async fn get_latest(
    conn: &mut PgConnection,
    caller: &Caller,
    project: &str,
    missing: &str,
) -> Result<VariantRow, ApiError> {
    let name = access::parse_project(project)?;
    let mut newest = db::variants::list_newest_served(conn, caller.reads(), &name).await?;
    let mut owners: Vec<&str> = newest.iter().map(|row| row.owner.as_str()).collect();
    owners.sort_unstable();
    owners.dedup();
    if owners.len() > 1 && !caller.is_admin() {
        return Err(ApiError::conflict("Multiple owners have variants with the same timestamp, please specify owner"));
    }
    if newest.is_empty() {
        return Err(ApiError::not_found(missing));
    }
    Ok(newest.swap_remove(0))
}

/// The folder of a site, as its row names it.
pub(crate) fn parse_prefix(text: &str) -> Result<SitePrefix, ApiError> {
    text.parse().map_err(|error: sites::key::InvalidSitePrefix| ApiError::Internal(error.into()))
}

/// Nothing of it can hold the separator: paths with control characters name nothing, and a wrong owner is its own loss.
fn key(caller: &Caller, wanted: Wanted<'_>) -> String {
    let who = &*caller.username;
    let role = if caller.is_admin() { "a" } else { "r" };
    match wanted {
        Wanted::Latest { project } => [role, who, project].join("\n"),
        Wanted::Variant { parts: [name, branch, provider, model], owner } => {
            let (marker, owner) = owner.map_or(("", ""), |owner| ("o", owner));
            [role, who, name, branch, provider, model, marker, owner].join("\n")
        }
    }
}
