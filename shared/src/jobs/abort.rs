//! Sees an abort through when the holder of the run does not.

use serde::{Deserialize, Serialize};

use super::Job;
use crate::ids::GenerationId;

/// "Make sure that this generation ends, and clean up after it."
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AbortJob {
    /// The generation.
    pub generation: GenerationId,
}

impl Job for AbortJob {
    const QUEUE: &'static str = "abort";

    fn idempotency_key(&self) -> String {
        self.generation.to_string()
    }
}
