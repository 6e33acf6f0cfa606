//! The JSON of the API, one file per resource: what the API answers, what the client commands read, what tests compare.
//!
//! Shapes, key order and texts are docsfy's; where its versions differ, the union of their keys is sent
//! (docsfy-behaviour, "API delta by version").

use serde::{Deserialize, Serialize};
use serde_json::Value;

mod project;
mod generate;
mod models;
mod auth;
mod users;
mod settings;
mod grants;
mod system;
mod watch;
mod usage;
mod runs;
mod quality;
mod operators;

pub use auth::{AuthResponse, LoginRequest, LogoutResponse, RotateKeyRequest, RotateKeyResponse};
pub use generate::{AbortResponse, DeleteResponse, GenerateRequest, GenerateResponse};
pub use grants::{AccessResponse, GrantRequest, GrantResponse, RevokeResponse};
pub use models::{AvailableModel, ModelsResponse, ProviderStatus};
pub use operators::{
    AbortManyRequest, AbortManyResponse, AbortOneResponse, DrainResponse, PauseRequest, PausesResponse, QueueDepth,
    Worker, WorkersResponse,
};
pub(crate) use project::to_the_second;
pub use project::{Project, ProjectResponse, ProjectsResponse};
pub use quality::{PageQuality, QualityResponse, SectionQuality, SeverityCounts};
pub use runs::{Generation, GenerationsResponse};
pub use settings::{ChangeSettingsRequest, DoneResponse, Settings, SettingsChange, SettingsResponse};
pub use system::{Check, HealthResponse, ReadyResponse, VersionResponse};
pub use usage::{AiCall, CallsResponse, GroupBy, UsageResponse, UsageSums};
pub use users::{CreateUserRequest, CreateUserResponse, DeleteUserResponse, User, UsersResponse};
pub use watch::{CostResponse, EventFrame};

/// Every error except those of a request body that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ErrorResponse {
    /// A sentence for people.
    pub detail: String,
}

/// Answer 422: what of a request body does not fit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ValidationErrorResponse {
    /// Every problem that was found.
    pub detail: Vec<ValidationProblem>,
}

/// One problem of a request body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ValidationProblem {
    /// Kind of problem, such as `missing` or `literal_error`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where it is: `body`, then a field's name or a position.
    #[schema(value_type = Vec<Place>)]
    pub loc: Vec<Value>,
    /// A sentence for people.
    pub msg: String,
    /// What was sent there.
    pub input: Value,
    /// Values that the sentence mentions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ctx: Option<Value>,
}

/// A part of the way to a problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum Place {
    /// `body`, or a field's name.
    Name(String),
    /// A position in a text.
    Position(usize),
}
