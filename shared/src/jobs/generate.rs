//! Rings the bell for a queued generation.

use serde::{Deserialize, Serialize};

use super::Job;
use crate::ids::GenerationId;

/// "Somebody take this generation." Duplicates are harmless: only one claim succeeds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GenerateJob {
    /// The generation.
    pub generation: GenerationId,
    /// Its fence when the bell was rung; a bell for a later fence is another task.
    #[serde(default)]
    pub fence: i64,
}

impl Job for GenerateJob {
    const QUEUE: &'static str = "generate";

    fn idempotency_key(&self) -> String {
        format!("{}:{}", self.generation, self.fence)
    }
}
