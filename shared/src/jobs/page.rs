//! Has one page written.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::Job;
use crate::{db, ids::GenerationId, names::PageSlug, provider::Provider};

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

/// Lets as many waiting pages start as there is room for, and rings for them, in the caller's transaction, which should end
/// soon: admissions wait for each other.
pub async fn admit_pages(conn: &mut PgConnection, limits: &[(Provider, i32)]) -> sqlx::Result<usize> {
    let slots = db::workers::count_slots(conn).await?;
    let admitted = db::page_jobs::admit(conn, limits, slots).await?;
    for page in &admitted {
        let job = PageJob { generation: page.generation, slug: page.slug.clone(), fence: page.fence };
        super::enqueue_with(conn, &job, page.priority).await?;
    }
    Ok(admitted.len())
}

/// Takes back the pages of a run that is over, and their tasks. Those that are being written stop by themselves.
pub async fn take_back_pages(conn: &mut PgConnection, generation: GenerationId) -> sqlx::Result<()> {
    db::page_jobs::take_back(conn, generation).await?;
    db::queue::remove_waiting(conn, PageJob::QUEUE, &format!("{generation}:")).await
}
