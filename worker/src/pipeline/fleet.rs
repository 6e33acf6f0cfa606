//! Having pages written by the fleet: the run asks for them, any worker of any host writes them, and the run waits.

use shared::{
    db::{self, page_jobs::NewPageJob},
    events::{Heard, PAGES_CHANNEL},
    jobs::take_back_pages,
};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::{Duration, timeout},
};

use super::{StageError, run::Run};
use crate::jobs::page::admit;

/// How often the rows are looked at although nothing was heard.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Asks for pages and waits until all are written. When some cannot be, the others are finished and kept for the next try,
/// and the error names the first.
pub(crate) async fn write(run: &Run, pages: &[NewPageJob]) -> Result<(), StageError> {
    let (id, fence) = (run.claimed.id, run.claimed.fence);
    let config = &run.worker.config;
    // heard from before the request on, so that no end can be missed
    let mut heard = config.listening.subscribe();
    let window = i32::try_from(run.concurrent_pages).unwrap_or(i32::MAX);
    let mut transaction = db::begin_progress(&config.pool).await?;
    db::page_jobs::ask(&mut transaction, id, fence, run.claimed.key.provider, window, pages).await?;
    admit(&run.worker, &mut transaction, false).await?;
    transaction.commit().await?;
    loop {
        let mut progress = db::page_jobs::progress(&mut *config.pool.acquire().await?, id).await?;
        if progress.hopeless {
            let mut transaction = db::begin(&config.pool).await?;
            take_back_pages(&mut transaction, id).await?;
            progress = db::page_jobs::progress(&mut transaction, id).await?;
            transaction.commit().await?;
        }
        // pages that are being written were begun before; what they cost is not thrown away
        if progress.open == 0 {
            let failed = db::page_jobs::list_failed(&mut *config.pool.acquire().await?, id).await?;
            return describe(&failed);
        }
        // an elapsed time is as good a reason to look as a word
        let _ = timeout(LOOK_EVERY, hear_of_page(run, &mut heard)).await;
    }
}

fn describe(failed: &[db::page_jobs::FailedPage]) -> Result<(), StageError> {
    let sentence = match failed {
        [] => return Ok(()),
        [page, ..] if page.concerns_all => page.failure.clone(),
        [page] => format!("page `{}` could not be written: {}", page.slug, page.failure),
        [page, others @ ..] => {
            format!("page `{}` and {} more could not be written: {}", page.slug, others.len(), page.failure)
        }
    };
    Err(StageError::Fail(sentence))
}

/// Comes back when a page of this run is done or failed, or when that may have been missed.
async fn hear_of_page(run: &Run, heard: &mut Receiver<Heard>) {
    let id = run.claimed.id.to_string();
    loop {
        match heard.recv().await {
            Ok(Heard::Notification { channel, payload }) if *channel == *PAGES_CHANNEL && *payload == *id => return,
            Ok(Heard::Notification { .. }) => {}
            Ok(Heard::Reconnected) | Err(RecvError::Lagged(_)) => return,
            // no one listens any more; the regular look is left
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}
