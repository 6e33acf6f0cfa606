//! Between `cloning` and `planning`: what the repository and the request say about the documentation. No stage: every host
//! reads the same out of the pinned commit.

use shared::options::RunOptions;

use super::{StageError, run::Run};
use crate::{git::Checkout, steering::Steering};

/// Reads it, with sentences about what could not be used. The run ends here when the repository wants no documentation or
/// nothing of it is left to document.
pub(super) async fn read(run: &Run, checkout: &Checkout) -> Result<(Steering, Vec<String>), StageError> {
    let reading = read_steering(checkout, &run.claimed.request.options, run.clone_limits().max_files);
    run.unless_stopped(reading).await?
}

/// The same for whoever wants to know what a run would do.
pub(crate) async fn read_steering(
    checkout: &Checkout,
    options: &RunOptions,
    max_files: usize,
) -> Result<(Steering, Vec<String>), StageError> {
    let (checkout, options) = (checkout.clone(), options.clone());
    let reading = tokio::task::spawn_blocking(move || {
        let (steering, warnings) = Steering::read(&checkout, &options)?;
        let nothing_left = match steering.refusal {
            Some(_) => None,
            None => steering.filter.find_what_excludes_all(&checkout, max_files)?,
        };
        Ok((steering, warnings, nothing_left))
    });
    let read = reading.await.map_err(anyhow::Error::from)?;
    let (steering, warnings, nothing_left) =
        read.map_err(|error: crate::git::GitError| StageError::Fail(error.message))?;
    if let Some(sentence) = &steering.refusal {
        return Err(StageError::Fail(sentence.clone()));
    }
    if let Some(sentence) = nothing_left {
        return Err(StageError::Fail(format!("nothing of the repository is left to document: {sentence}")));
    }
    Ok((steering, warnings))
}
