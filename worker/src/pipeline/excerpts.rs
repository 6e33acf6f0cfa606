//! What a site shows of what is known about its pages: the rows of the validating stage, and the cited lines, read from the
//! pinned commit.

use shared::db;
use sites::render::{Excerpts, SiteEvidence};

use super::{StageError, run::Run};
use crate::{
    git::{self, Checkout},
    grounding::index::FileText,
};

/// Largest file, in bytes, of which lines are shown.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// The evidence of a run; nothing when nobody checked its pages.
pub(crate) async fn load(run: &Run, checkout: &Checkout) -> Result<Option<SiteEvidence>, StageError> {
    let mut connection = run.worker.config.pool.acquire().await?;
    let found = db::sections::find_evidence(&mut connection, run.claimed.id).await?;
    drop(connection);
    let Some(found) = found else { return Ok(None) };
    let (checkout, max_files) = (checkout.clone(), run.clone_limits().max_files);
    let reading = tokio::task::spawn_blocking(move || {
        let repository = git::open_bare(&checkout.git_dir)?;
        // one walk, because finding a path in a folder of 100,000 files takes as long as listing it
        let list = git::list_files(&checkout, max_files)?;
        let read = |path: &str| {
            let at = list.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok()?;
            let bytes = git::read_blob(&repository, list.files[at].blob, MAX_FILE_BYTES)?;
            FileText::read(&bytes).map(|file| file.text)
        };
        let excerpts = Excerpts::collect(&found.pages, read);
        Ok(SiteEvidence { found, excerpts })
    });
    let evidence = reading.await.map_err(anyhow::Error::from)?;
    evidence.map(Some).map_err(|error: git::GitError| StageError::Internal(anyhow::anyhow!(error.message)))
}
