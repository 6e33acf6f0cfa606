//! Providers and models.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{names::ModelId, provider::Provider, writer_defaults::WriterDefaults};

/// Models by the provider's name.
pub(super) type KnownModels = BTreeMap<String, Vec<String>>;
/// Models with their names on a page, by the provider's name.
pub(super) type AvailableModels = BTreeMap<String, Vec<AvailableModel>>;

/// Who can write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ModelsResponse {
    /// Every provider.
    pub providers: Vec<Provider>,
    /// Provider of a request that names none.
    pub default_provider: Provider,
    /// Model of a request that names none; empty when it has to.
    pub default_model: String,
    /// Models of ready variants, by provider.
    #[schema(value_type = BTreeMap<String, Vec<String>>)]
    pub known_models: KnownModels,
    /// Models to choose from, by provider; every provider has an entry.
    #[schema(value_type = BTreeMap<String, Vec<AvailableModel>>)]
    pub available_models: AvailableModels,
    /// Who describes images; kept for docsfy's clients, nothing uses it yet.
    pub default_vision_provider: String,
    /// With which model.
    pub default_vision_model: String,
}

/// A model to choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AvailableModel {
    /// As requests name it.
    pub id: String,
    /// As people read it.
    pub name: String,
}

impl ModelsResponse {
    /// Groups the models that wrote ready variants; the default and the built-in model can always be chosen.
    pub fn new(defaults: &WriterDefaults, known: &[(Provider, ModelId)]) -> Self {
        let mut known_models = KnownModels::new();
        for (provider, model) in known {
            known_models.entry(provider.to_string()).or_default().push(model.to_string());
        }
        let available_models = Provider::ALL.map(|provider| {
            let mut ids = known_models.get(provider.as_str()).cloned().unwrap_or_default();
            ids.extend(defaults.model_of(provider).map(|model| model.to_string()));
            ids.sort();
            ids.dedup();
            let models = ids.into_iter().map(|id| AvailableModel { name: id.clone(), id });
            (provider.to_string(), models.collect())
        });
        Self {
            providers: Provider::ALL.to_vec(),
            default_provider: defaults.provider,
            default_model: text(defaults.model.as_ref()),
            known_models,
            available_models: available_models.into(),
            default_vision_provider: text(defaults.vision_provider.as_ref()),
            default_vision_model: text(defaults.vision_model.as_ref()),
        }
    }
}

fn text(value: Option<&impl ToString>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}
