//! Answers questions about sites without making anything: no generation, no AI call, no slot, no lock of the variant.
//!
//! In reading order: `place` (the commits that are looked at), `check` (how far a site is behind), `blame` (which commit did
//! it), `dry_run` (what a run would do), `bill` (what that would cost),
//! `warnings` (what would keep it). The job that leads here is `worker/src/jobs/inspect.rs`.

mod place;
mod check;
mod blame;
mod dry_run;
mod bill;
mod warnings;

use serde_json::Value;
use shared::{db::inspections::ClaimedInspection, inspection::Kind};
use tokio_util::sync::CancellationToken;

use crate::{Worker, pipeline::StageError};

/// Answers one question. The error says why there is no answer.
pub(crate) async fn answer(
    worker: &Worker,
    claimed: &ClaimedInspection,
    cancel: &CancellationToken,
) -> Result<Value, StageError> {
    let answer = match claimed.kind {
        Kind::Check => serde_json::to_value(check::check(worker, claimed, cancel).await?),
        Kind::DryRun => serde_json::to_value(dry_run::dry_run(worker, claimed, cancel).await?),
    };
    Ok(answer.map_err(anyhow::Error::from)?)
}
