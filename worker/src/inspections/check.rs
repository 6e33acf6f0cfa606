//! How far a served site is behind its repository: the head of the branch is fetched, and every citation looked for in it.

use shared::{
    db::{
        self,
        inspections::ClaimedInspection,
        variants::{Scope, VariantRow},
    },
    ids::GenerationId,
    inspection::CheckResult,
    names::CommitSha,
};
use tokio_util::sync::CancellationToken;

use super::{
    blame::Blame,
    place::{Place, find_pinned},
};
use crate::{
    Worker,
    git::DiffLimits,
    grounding::{
        comparing::{Limits, compare},
        staleness::{OldPage, sum_up},
    },
    pipeline::{Pinned, StageError, load_pages},
};

/// Larger files have no text here.
pub(super) const MAX_FILE_BYTES: u64 = 4 << 20;
/// No differences are kept: nobody is shown them.
const NO_DIFFS: DiffLimits = DiffLimits { file_bytes: 0, total_bytes: 0 };

/// Looks, and shows on the variant what was found.
pub(super) async fn check(
    worker: &Worker,
    claimed: &ClaimedInspection,
    cancel: &CancellationToken,
) -> Result<CheckResult, StageError> {
    let site = Site::load(worker, claimed).await?;
    let row = &site.row;
    let place = Place::open(worker, claimed, &row.repo_url, &row.branch, cancel).await?;
    let head = place.head().await?;
    let result = if head == site.pinned.commit { site.unchanged(&head) } else { look(&place, &site).await? };
    let prefix = row.site_prefix.as_deref().unwrap_or_default();
    let mut conn = worker.config.pool.acquire().await?;
    if !db::inspections::show_check(&mut conn, row.id, prefix, &result).await? {
        tracing::info!("another site is served by now, the check is not shown on it");
    }
    Ok(result)
}

async fn look(place: &Place<'_>, site: &Site) -> Result<CheckResult, StageError> {
    let new = place.clone_head().await?;
    let old = place.restore("site", site.generation, &site.pinned).await?;
    let (max_files, head, pages) = (place.limits().max_files, new.commit.clone(), site.pages.clone());
    let limits = Limits { max_files, max_file_bytes: MAX_FILE_BYTES, diffs: NO_DIFFS };
    let compared = tokio::task::spawn_blocking(move || compare(&old, &new, &pages, &|_| true, limits));
    let compared = compared.await.map_err(anyhow::Error::from)?;
    let compared =
        compared.map_err(|error| StageError::Fail(format!("the commits cannot be compared: {}", error.message)))?;
    let (totals, pages) = sum_up(&compared.pages);
    // the variant may stand at a newer commit than its site: one at which all that pages name was the same
    let since = site.row.last_commit_sha.as_deref().and_then(|commit| commit.parse().ok());
    let since: CommitSha = since.unwrap_or_else(|| site.pinned.commit.clone());
    let (behind_commits, pages) = Blame::fetch(place, &head, &since).await.explain(place, pages).await;
    Ok(CheckResult {
        site_commit: site.pinned.commit.to_string(),
        is_behind: head != since,
        head_commit: head.to_string(),
        behind_commits,
        stale_sections: totals.changed + totals.lost,
        totals,
        pages,
    })
}

/// A served site, and what it was made from.
struct Site {
    row: VariantRow,
    generation: GenerationId,
    pinned: Pinned,
    pages: Vec<OldPage>,
}

impl Site {
    async fn load(worker: &Worker, claimed: &ClaimedInspection) -> Result<Self, StageError> {
        let gone = || StageError::Fail("the variant is gone".into());
        let variant = claimed.variant_id.ok_or_else(gone)?;
        let mut conn = worker.config.pool.acquire().await?;
        let row = db::variants::find(&mut conn, Scope::All, variant).await?.ok_or_else(gone)?;
        let served = db::generations::find_served(&mut conn, variant).await?;
        let unknown = || {
            StageError::Fail(
                "it is not known what the site was made from; generate it once, then it can be checked".into(),
            )
        };
        let (generation, _) = served.ok_or_else(unknown)?;
        let pinned = find_pinned(&mut conn, generation).await?.ok_or_else(unknown)?;
        let pages = load_pages(&mut conn, generation).await?;
        Ok(Self { row, generation, pinned, pages })
    }

    /// The result when the branch stands at the very commit of the site.
    fn unchanged(&self, head: &CommitSha) -> CheckResult {
        let judged = crate::grounding::staleness::unchanged(&self.pages);
        let (totals, pages) = sum_up(&judged);
        CheckResult {
            site_commit: head.to_string(),
            head_commit: head.to_string(),
            is_behind: false,
            behind_commits: Some(0),
            stale_sections: 0,
            totals,
            pages,
        }
    }
}
