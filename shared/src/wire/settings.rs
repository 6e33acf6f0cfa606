//! The settings that admins make.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{provider::Provider, writer_defaults::WriterDefaults};

/// What is in force, and which variables set it at a start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SettingsResponse {
    /// What is in force.
    pub settings: Settings,
    /// Environment variables that this server was started with, by the setting that they win over at each start.
    pub env_overrides: BTreeMap<String, String>,
}

/// Every setting that admins can make.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Settings {
    /// Provider of a request that names none.
    pub default_ai_provider: Provider,
    /// Model of a request that names none; empty when it has to.
    pub default_ai_model: String,
    /// Minutes one call of an AI command line may take.
    #[schema(minimum = 1, maximum = 1440)]
    pub ai_cli_timeout: u32,
    /// Pages of one generation that are written at the same time.
    #[schema(minimum = 1, maximum = 100)]
    pub max_concurrent_pages: u32,
    /// Who describes images, or empty; nothing uses it yet.
    pub vision_provider: String,
    /// With which model.
    pub vision_model: String,
    /// US dollars that all generations together may cost in a calendar month (UTC); missing when there is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_cost_per_month_usd: Option<f64>,
    /// US dollars that the generations of one user may cost in a calendar month (UTC); missing when there is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_cost_per_user_per_month_usd: Option<f64>,
}

impl From<WriterDefaults> for Settings {
    fn from(defaults: WriterDefaults) -> Self {
        Self {
            default_ai_provider: defaults.provider,
            default_ai_model: defaults.model.map(|model| model.to_string()).unwrap_or_default(),
            ai_cli_timeout: defaults.call_timeout_minutes,
            max_concurrent_pages: defaults.max_concurrent_pages,
            vision_provider: defaults.vision_provider.map(|provider| provider.to_string()).unwrap_or_default(),
            vision_model: defaults.vision_model.map(|model| model.to_string()).unwrap_or_default(),
            max_cost_per_month_usd: defaults.max_cost_per_month_usd,
            max_cost_per_user_per_month_usd: defaults.max_cost_per_user_per_month_usd,
        }
    }
}

/// The body of `PUT /api/admin/settings`: what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct ChangeSettingsRequest {
    /// The settings to change.
    pub settings: SettingsChange,
}

/// Settings to change. Numbers may be texts; the empty text unsets a provider, a model or a budget.
#[derive(Debug, Clone, Default, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SettingsChange {
    /// Provider of a request that names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_ai_provider: Option<String>,
    /// Model of a request that names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_ai_model: Option<String>,
    /// Minutes one call of an AI command line may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1440)]
    pub ai_cli_timeout: Option<u32>,
    /// Pages of one generation that are written at the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 100)]
    pub max_concurrent_pages: Option<u32>,
    /// Who describes images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vision_provider: Option<String>,
    /// With which model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vision_model: Option<String>,
    /// US dollars that all generations together may cost in a calendar month (UTC), above 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(exclusive_minimum = 0, maximum = 100_000)]
    pub max_cost_per_month_usd: Option<f64>,
    /// US dollars that the generations of one user may cost in a calendar month (UTC), above 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(exclusive_minimum = 0, maximum = 100_000)]
    pub max_cost_per_user_per_month_usd: Option<f64>,
}

/// It is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DoneResponse {
    /// Always `ok`.
    pub status: String,
}
