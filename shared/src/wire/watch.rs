//! What those who watch are told, over the WebSocket and as server-sent events. Keys without a value are left out.

use chrono::SecondsFormat;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    db::events::WatchedEvent,
    ids::GenerationId,
    names::{BranchName, ModelId, ProjectName},
    provider::Provider,
};

/// What happened to a variant. The keys and their order are docsfy's.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EventFrame {
    /// A run goes on, or one was queued.
    Progress {
        /// Which variant.
        #[serde(flatten)]
        variant: VariantFields,
        /// Always `generating`.
        status: &'static str,
        /// The generation.
        generation_id: GenerationId,
        /// What is being done.
        #[serde(skip_serializing_if = "Option::is_none")]
        current_stage: Option<Value>,
        /// Pages written so far.
        #[serde(skip_serializing_if = "Option::is_none")]
        page_count: Option<Value>,
        /// The plan as a JSON text.
        #[serde(skip_serializing_if = "Option::is_none")]
        plan_json: Option<Value>,
        /// Why it has to be done again.
        #[serde(skip_serializing_if = "Option::is_none")]
        error_message: Option<Value>,
        /// When a worker took the generation.
        #[serde(skip_serializing_if = "Option::is_none")]
        generation_started_at: Option<String>,
    },
    /// A run ended.
    StatusChange {
        /// Which variant.
        #[serde(flatten)]
        variant: VariantFields,
        /// `ready`, `error` or `aborted`.
        status: Value,
        /// The generation.
        generation_id: GenerationId,
        /// Pages of the site.
        #[serde(skip_serializing_if = "Option::is_none")]
        page_count: Option<Value>,
        /// When the site was made.
        #[serde(skip_serializing_if = "Option::is_none")]
        last_generated: Option<Value>,
        /// Its commit.
        #[serde(skip_serializing_if = "Option::is_none")]
        last_commit_sha: Option<Value>,
        /// Why there is none.
        #[serde(skip_serializing_if = "Option::is_none")]
        error_message: Option<Value>,
        /// Whole seconds.
        #[serde(skip_serializing_if = "Option::is_none")]
        generation_duration: Option<Value>,
    },
    /// Something went wrong without ending the run. Not sent over the WebSocket: docsfy's clients do not know it.
    Warning {
        /// Which variant.
        #[serde(flatten)]
        variant: VariantFields,
        /// The generation.
        generation_id: GenerationId,
        /// A sentence for people.
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<Value>,
    },
}

/// Which variant is meant.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VariantFields {
    /// Project name.
    pub name: ProjectName,
    /// Branch or tag.
    pub branch: BranchName,
    /// Who writes.
    pub provider: Provider,
    /// With which model.
    pub model: ModelId,
    /// User name of the owner.
    pub owner: String,
}

impl EventFrame {
    /// The name of the frame, the same as its `type`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Progress { .. } => "progress",
            Self::StatusChange { .. } => "status_change",
            Self::Warning { .. } => "warning",
        }
    }

    /// Whether the run ended.
    pub fn is_end(&self) -> bool {
        matches!(self, Self::StatusChange { .. })
    }
}

impl From<WatchedEvent> for EventFrame {
    fn from(event: WatchedEvent) -> Self {
        let WatchedEvent { generation_id, mut body, .. } = event;
        let mut take = |key: &str| body.get_mut(key).map(Value::take).filter(|value| !value.is_null());
        let variant = VariantFields {
            name: event.name,
            branch: event.branch,
            provider: event.provider,
            model: event.model,
            owner: event.owner,
        };
        let status = take("status").filter(|status| matches!(status.as_str(), Some("ready" | "error" | "aborted")));
        match (event.kind.as_str(), status) {
            ("warning", _) => Self::Warning { variant, generation_id, message: take("message") },
            ("status_change", Some(status)) => Self::StatusChange {
                variant,
                status,
                generation_id,
                page_count: take("page_count"),
                last_generated: take("last_generated"),
                last_commit_sha: take("last_commit_sha"),
                error_message: take("error_message"),
                generation_duration: take("generation_duration"),
            },
            // a run that was queued is a change of status for us and progress for clients: they learn of it by this
            _ => Self::Progress {
                variant,
                status: "generating",
                generation_id,
                current_stage: take("current_stage"),
                page_count: take("page_count"),
                plan_json: take("plan_json"),
                error_message: take("error_message"),
                generation_started_at: event.started_at.map(|time| time.to_rfc3339_opts(SecondsFormat::Micros, false)),
            },
        }
    }
}

/// What all runs cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CostResponse {
    /// US dollars of the newest generations: everybody's for admins, else of the caller's own variants.
    pub total_cost_usd: f64,
}
