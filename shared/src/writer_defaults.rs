//! What a request gets that names nothing: docmill's own choice, what the program was started with, what admins set since.
//! All of it stands in the table `settings`; a start writes down what it was given.

use std::collections::BTreeMap;

use crate::{
    budget::MAX_BUDGET_USD,
    names::ModelId,
    provider::{BUILTIN_MODEL, Provider},
    settings::WriterSettings,
};

/// Largest number of minutes one call may take: a day.
pub const MAX_TIMEOUT_MINUTES: u32 = 1440;
/// Most pages of one generation that are written at the same time.
pub const MAX_CONCURRENT_PAGES: u32 = 100;

/// A setting that admins can make. The names are docsfy's, but for the budgets, which docsfy does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SettingKey {
    /// Provider of a request that names none.
    Provider,
    /// Model of a request that names none.
    Model,
    /// Minutes one call of an AI command line may take.
    Timeout,
    /// Pages of one generation that are written at the same time.
    Pages,
    /// Who describes images; kept for clients, nothing uses it yet.
    VisionProvider,
    /// With which model.
    VisionModel,
    /// US dollars that all generations together may cost in a calendar month (UTC).
    MonthBudget,
    /// US dollars that the generations of one user may cost in a calendar month (UTC).
    UserMonthBudget,
}

impl SettingKey {
    /// Every key, in the order in which clients see them.
    pub const ALL: [Self; 8] = [
        Self::Provider,
        Self::Model,
        Self::Timeout,
        Self::Pages,
        Self::VisionProvider,
        Self::VisionModel,
        Self::MonthBudget,
        Self::UserMonthBudget,
    ];

    /// The name in JSON and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "default_ai_provider",
            Self::Model => "default_ai_model",
            Self::Timeout => "ai_cli_timeout",
            Self::Pages => "max_concurrent_pages",
            Self::VisionProvider => "vision_provider",
            Self::VisionModel => "vision_model",
            Self::MonthBudget => "max_cost_per_month_usd",
            Self::UserMonthBudget => "max_cost_per_user_per_month_usd",
        }
    }

    /// The setting of this name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.as_str() == name)
    }

    /// The environment variable that sets it at a start.
    pub fn variable(self) -> Option<&'static str> {
        match self {
            Self::Provider => Some("AI_PROVIDER"),
            Self::Model => Some("AI_MODEL"),
            Self::Timeout => Some("AI_CLI_TIMEOUT"),
            Self::Pages => Some("MAX_CONCURRENT_PAGES"),
            Self::MonthBudget => Some("MAX_COST_PER_MONTH_USD"),
            Self::UserMonthBudget => Some("MAX_COST_PER_USER_PER_MONTH_USD"),
            Self::VisionProvider | Self::VisionModel => None,
        }
    }
}

/// Values of settings as they are stored; the empty text means that a setting has none.
pub type SettingValues = BTreeMap<SettingKey, String>;

/// What a request gets that names nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct WriterDefaults {
    /// Who writes.
    pub provider: Provider,
    /// With which model; `None` when a request of this provider has to name one.
    pub model: Option<ModelId>,
    /// Minutes one call of an AI command line may take.
    pub call_timeout_minutes: u32,
    /// Pages of one generation that are written at the same time.
    pub max_concurrent_pages: u32,
    /// Who describes images, or nothing.
    pub vision_provider: Option<Provider>,
    /// With which model.
    pub vision_model: Option<ModelId>,
    /// US dollars that all generations together may cost in a calendar month (UTC).
    pub max_cost_per_month_usd: Option<f64>,
    /// US dollars that the generations of one user may cost in a calendar month (UTC).
    pub max_cost_per_user_per_month_usd: Option<f64>,
}

impl WriterDefaults {
    /// Reads stored values. What is missing, or cannot be read (a newer docmill wrote it), is docmill's own choice.
    pub fn from_values(values: &SettingValues) -> Self {
        let text = |key: SettingKey| values.get(&key).map(String::as_str).filter(|text| !text.is_empty());
        let count = |key, max| text(key)?.parse().ok().filter(|count| (1..=max).contains(count));
        let budget = |key| text(key)?.parse().ok().filter(|usd| *usd > 0.0 && *usd <= MAX_BUDGET_USD);
        let provider = text(SettingKey::Provider).and_then(|text| text.parse().ok()).unwrap_or(Provider::Builtin);
        let model = match provider {
            Provider::Builtin => BUILTIN_MODEL.parse().ok(),
            _ => text(SettingKey::Model).and_then(|text| text.parse().ok()),
        };
        Self {
            provider,
            model,
            call_timeout_minutes: count(SettingKey::Timeout, MAX_TIMEOUT_MINUTES).unwrap_or(60),
            max_concurrent_pages: count(SettingKey::Pages, MAX_CONCURRENT_PAGES).unwrap_or(10),
            vision_provider: text(SettingKey::VisionProvider).and_then(|text| text.parse().ok()),
            vision_model: text(SettingKey::VisionModel).and_then(|text| text.parse().ok()),
            max_cost_per_month_usd: budget(SettingKey::MonthBudget),
            max_cost_per_user_per_month_usd: budget(SettingKey::UserMonthBudget),
        }
    }

    /// The default model of a provider: the set one belongs to the set provider, and docmill's own writer has just one.
    pub fn model_of(&self, provider: Provider) -> Option<ModelId> {
        match provider {
            Provider::Builtin => BUILTIN_MODEL.parse().ok(),
            _ => self.model.clone().filter(|_| provider == self.provider),
        }
    }
}

impl WriterSettings {
    /// What the program was started with, as it is stored.
    pub fn given(&self) -> SettingValues {
        let values = [
            (SettingKey::Provider, self.ai_provider.map(|provider| provider.to_string())),
            (SettingKey::Model, self.ai_model.as_ref().map(ToString::to_string)),
            (SettingKey::Timeout, self.ai_cli_timeout.map(|minutes| minutes.to_string())),
            (SettingKey::Pages, self.max_concurrent_pages.map(|count| count.to_string())),
            (SettingKey::MonthBudget, self.max_cost_per_month_usd.map(|usd| usd.to_string())),
            (SettingKey::UserMonthBudget, self.max_cost_per_user_per_month_usd.map(|usd| usd.to_string())),
        ];
        values.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    }

    /// The defaults when nothing else was ever set.
    pub fn defaults(&self) -> WriterDefaults {
        WriterDefaults::from_values(&self.given())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[(SettingKey, &str)]) -> WriterDefaults {
        WriterDefaults::from_values(&values.iter().map(|(key, text)| (*key, (*text).to_owned())).collect())
    }

    #[test]
    fn what_is_missing_empty_or_unreadable_is_docmills_own_choice() {
        let own = of(&[]);
        assert_eq!((own.provider, own.model.as_ref().map(ModelId::as_str)), (Provider::Builtin, Some("extract")));
        assert_eq!((own.call_timeout_minutes, own.max_concurrent_pages), (60, 10));
        let nonsense = of(&[
            (SettingKey::Provider, "gpt"),
            (SettingKey::Model, "a/b"),
            (SettingKey::Timeout, "0"),
            (SettingKey::Pages, "101"),
            (SettingKey::VisionProvider, ""),
        ]);
        assert_eq!(nonsense, own);
    }

    #[test]
    fn the_default_model_belongs_to_the_default_provider() {
        let set = of(&[(SettingKey::Provider, "claude"), (SettingKey::Model, "opus")]);
        assert_eq!(set.model_of(Provider::Claude).unwrap().as_str(), "opus");
        assert_eq!(set.model_of(Provider::Builtin).unwrap().as_str(), "extract");
        assert_eq!(set.model_of(Provider::Gemini), None);
        assert_eq!(of(&[(SettingKey::Provider, "claude")]).model_of(Provider::Claude), None);
    }
}
