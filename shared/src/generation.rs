//! A generation: one attempt to make a variant's site, and the only table of its allowed transitions.

use serde::{Deserialize, Serialize};

/// What a worker of this version understands: rows, checkpoints and payloads of runs. Raised when an older worker would do
/// something wrong with a run that a newer one made or worked on; such runs wait for a newer worker then.
pub const PROTOCOL: i32 = 2;

/// Where a generation stands.
///
/// ```text
/// queued -> running -> ready | error | aborted
///   ^         |
///   +---------+  lease ran out, or handed back at shutdown
/// queued -> aborted
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, sqlx::Type)]
#[schema(as = GenerationState)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum State {
    /// Waiting for a worker.
    Queued,
    /// A worker holds its lease.
    Running,
    /// Published.
    Ready,
    /// Ended by a failure.
    Error,
    /// Ended by a person.
    Aborted,
}

impl State {
    /// The name in SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Ready => "ready",
            Self::Error => "error",
            Self::Aborted => "aborted",
        }
    }

    /// Whether a generation may go from this state to `next`.
    pub fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Queued, Self::Running | Self::Aborted | Self::Error)
                | (Self::Running, Self::Queued | Self::Ready | Self::Error | Self::Aborted)
        )
    }

    /// Whether nothing can follow.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Ready | Self::Error | Self::Aborted)
    }
}
