//! Repeats a run as part of the caller's transaction.

use sqlx::PgConnection;

use super::GenerateJob;
use crate::{
    db::{self, retries::Kept, starts::Start},
    events,
    generation::State,
    ids::GenerationId,
    plan::RepoType,
    stage::Stage,
    variant::{Status, VariantKey},
};

/// Stages from which a run can be repeated, in order.
pub const RETRY_STAGES: [Stage; 6] =
    [Stage::Cloning, Stage::Planning, Stage::GeneratingPages, Stage::Validating, Stage::CrossLinking, Stage::Rendering];

/// What became of the wish to repeat a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Retried {
    /// It is queued.
    Queued(RetriedRun),
    /// There is no such run.
    Missing,
    /// The variant is being generated.
    Busy(VariantKey),
    /// This one is newer.
    NotNewest(GenerationId),
    /// It is ready: nothing failed.
    NothingFailed,
}

/// A run that repeats another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetriedRun {
    /// The new run.
    pub id: GenerationId,
    /// Its variant.
    pub key: VariantKey,
    /// Kind of repository, when the first request named one.
    pub repo_type: Option<RepoType>,
}

/// Starts a run with the request of an ended one. Without `from`, what failed is done again and everything else kept; with
/// it, everything from that stage on is done again. Only a variant's newest run can be repeated: an older one is of other
/// pages than the site that is served.
pub async fn retry_generation(
    conn: &mut PgConnection,
    of: GenerationId,
    from: Option<Stage>,
    requested_by: &str,
) -> sqlx::Result<Retried> {
    let Some(held) = db::retries::hold(conn, of).await? else { return Ok(Retried::Missing) };
    if held.status == Status::Generating {
        return Ok(Retried::Busy(held.key));
    }
    if let Some(newest) = held.newest.filter(|newest| *newest != of) {
        return Ok(Retried::NotNewest(newest));
    }
    if held.state == State::Ready && from.is_none() {
        return Ok(Retried::NothingFailed);
    }
    let id = GenerationId::new();
    let mut stages = stages_to_keep(from);
    if from == Some(Stage::GeneratingPages) && held.state == State::Ready {
        // it says which pages stay as they are, and here none does
        stages.retain(|stage| *stage != Stage::IncrementalPlanning);
    }
    let kept = Kept {
        // who keeps nothing but the commit gets that of the run itself, also when it found the served site good for it
        base: if stages == [Stage::Cloning] && held.has_cloned { of } else { held.base },
        stages: &stages,
        // what a failed run has written is paid for; a page that is on the site is asked for anew (decisions.md 9)
        pages: match from {
            None => true,
            Some(Stage::GeneratingPages) => held.state != State::Ready,
            Some(from) => from > Stage::GeneratingPages,
        },
        checks: from.is_none_or(|from| from > Stage::Validating),
    };
    db::variants::start(conn, held.variant_id, &held.repo_url, held.repo_type, id).await?;
    db::retries::create(conn, id, of, from, requested_by, &kept).await?;
    super::enqueue(conn, &GenerateJob { generation: id, fence: 0 }).await?;
    events::emit_queued(conn, &[Start { id, variant_id: held.variant_id }]).await?;
    Ok(Retried::Queued(RetriedRun { id, key: held.key, repo_type: held.repo_type }))
}

/// The stages before `from`. That pages were taken over from another model ([`Stage::UpToDate`]) is forgotten with them.
fn stages_to_keep(from: Option<Stage>) -> Vec<Stage> {
    let is_kept = |stage: &Stage| match from {
        None => true,
        // the two ways to a plan: who wants one of them again wants the plan again
        Some(Stage::IncrementalPlanning) => *stage < Stage::Planning,
        Some(from) if *stage == Stage::UpToDate => from > Stage::GeneratingPages,
        Some(from) => *stage < from,
    };
    Stage::ALL.into_iter().filter(is_kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stages_before_the_named_one_are_kept() {
        use Stage::{Cloning, CrossLinking, GeneratingPages, IncrementalPlanning, Planning, UpToDate, Validating};
        assert_eq!(stages_to_keep(None), Stage::ALL);
        assert_eq!(stages_to_keep(Some(Cloning)), []);
        assert_eq!(stages_to_keep(Some(Planning)), [Cloning]);
        assert_eq!(stages_to_keep(Some(IncrementalPlanning)), [Cloning]);
        assert_eq!(stages_to_keep(Some(GeneratingPages)), [Cloning, Planning, IncrementalPlanning]);
        let until_validating = [Cloning, Planning, IncrementalPlanning, GeneratingPages, UpToDate];
        assert_eq!(stages_to_keep(Some(Validating)), until_validating);
        let until_rendering =
            [Cloning, Planning, IncrementalPlanning, GeneratingPages, Validating, CrossLinking, UpToDate];
        assert_eq!(stages_to_keep(Some(Stage::Rendering)), until_rendering);
    }
}
