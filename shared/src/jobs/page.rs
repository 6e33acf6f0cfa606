//! Has one page written.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::Job;
use crate::{
    db::{
        self,
        page_jobs::{Admitted, ClaimedPage, Taker},
        queue::Due,
    },
    ids::GenerationId,
    names::PageSlug,
    provider::Provider,
};

/// "Somebody write this page." Duplicates are harmless: only one claim succeeds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PageJob {
    /// Its generation.
    pub generation: GenerationId,
    /// The page.
    pub slug: PageSlug,
    /// Its fence when it was admitted.
    pub fence: i64,
}

impl Job for PageJob {
    const QUEUE: &'static str = "page";

    fn idempotency_key(&self) -> String {
        format!("{}:{}:{}", self.generation, self.slug, self.fence)
    }
}

/// Lets as many waiting pages start as there is room for, in the caller's transaction, which should end soon: admissions wait
/// for each other. One goes to the taker at once, if there is one; for the others the bell is rung.
pub async fn admit_pages(
    conn: &mut PgConnection,
    limits: &[(Provider, i32)],
    taker: Option<Taker<'_>>,
) -> sqlx::Result<Option<ClaimedPage>> {
    let slots = db::page_jobs::begin_admission(conn).await?;
    let admission = db::page_jobs::admit(conn, limits, slots, taker).await?;
    let job = |page: Admitted| {
        let due = Due { priority: page.priority, ..Due::default() };
        (PageJob { generation: page.generation, slug: page.slug, fence: page.fence }, due)
    };
    super::enqueue_all(conn, admission.others.into_iter().map(job)).await?;
    Ok(admission.own)
}

/// Nothing new starts any more, of a provider or at all, until [`resume`]; the caller's transaction should end soon.
pub async fn pause(
    conn: &mut PgConnection,
    provider: Option<Provider>,
    message: &str,
    admin: &str,
) -> sqlx::Result<()> {
    // admissions wait, so that none that did not see the pause commits after it
    db::page_jobs::lock_admission(conn).await?;
    db::pauses::pause(conn, provider, message, admin).await?;
    // those of pages that still may start are pushed again with them
    db::page_jobs::remove_unwanted_tasks(conn).await
}

/// Ends a pause and rings for every queued generation that nobody rings for any more; says whether there was a pause.
pub async fn resume(conn: &mut PgConnection, provider: Option<Provider>) -> sqlx::Result<bool> {
    let ended = db::pauses::resume(conn, provider).await?;
    loop {
        let unrung = db::recovery::list_unrung(conn, Duration::ZERO).await?;
        for (generation, fence) in &unrung {
            super::enqueue(conn, &super::GenerateJob { generation: *generation, fence: *fence }).await?;
        }
        if unrung.len() < db::recovery::UNRUNG_AT_ONCE {
            return Ok(ended);
        }
    }
}

/// Takes back the pages of a run that is over, and their tasks, in the caller's transaction, which should end soon. Those that
/// are being written stop by themselves.
pub async fn take_back_pages(conn: &mut PgConnection, generation: GenerationId) -> sqlx::Result<()> {
    // an admission that has seen the run alive locks the same rows in another order
    db::page_jobs::lock_admission(conn).await?;
    db::page_jobs::take_back(conn, generation).await?;
    db::queue::remove_waiting(conn, PageJob::QUEUE, &format!("{generation}:")).await
}
