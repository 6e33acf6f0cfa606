//! Settings that admins make: defaults of requests, and how much is done at once.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use serde_json::{Map, Value};
use shared::{
    budget::MAX_BUDGET_USD,
    db,
    names::ModelId,
    provider::{BUILTIN_MODEL, Provider},
    wire::{ChangeSettingsRequest, DoneResponse, ErrorResponse, SettingsResponse},
    writer_defaults::{MAX_CONCURRENT_PAGES, MAX_TIMEOUT_MINUTES, SettingKey, SettingValues},
};

use crate::{auth::doors::Admin, body::Body, error::ApiError, state::ApiState};

/// Gives the settings that are in force.
#[utoipa::path(
    get,
    path = "/api/admin/settings",
    tag = "system",
    responses(
        (status = 200, body = SettingsResponse),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
    )
)]
pub(super) async fn get_settings(
    State(state): State<ApiState>,
    _admin: Admin,
) -> Result<Json<SettingsResponse>, ApiError> {
    let mut conn = state.pool().acquire().await?;
    let settings = db::settings::read_defaults(&mut conn).await?.into();
    let given = state.writer().given().into_keys();
    let env_overrides: BTreeMap<String, String> =
        given.filter_map(|key| Some((key.as_str().to_owned(), key.variable()?.to_owned()))).collect();
    Ok(Json(SettingsResponse { settings, env_overrides }))
}

/// Changes settings; those that are left out stay.
#[utoipa::path(
    put,
    path = "/api/admin/settings",
    tag = "system",
    request_body = ChangeSettingsRequest,
    responses(
        (status = 200, body = DoneResponse),
        (status = 400, body = ErrorResponse, description = "An unknown setting, or a value that cannot be"),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
    )
)]
pub(super) async fn change_settings(
    State(state): State<ApiState>,
    Admin(admin): Admin,
    body: Body,
) -> Result<Json<DoneResponse>, ApiError> {
    let changes = read_changes(&body)?;
    let mut transaction = db::begin(state.pool()).await?;
    db::settings::lock(&mut transaction).await?;
    let mut merged = db::settings::list(&mut transaction).await?;
    merged.extend(changes.clone());
    check_pairs(&merged)?;
    db::settings::save(&mut transaction, &changes).await?;
    transaction.commit().await?;
    let names: Vec<&str> = changes.keys().map(|key| key.as_str()).collect();
    tracing::info!(audit = true, admin = %admin.username, settings = names.join(", "), "settings changed");
    Ok(Json(DoneResponse { status: "ok".into() }))
}

fn read_changes(body: &Body) -> Result<SettingValues, ApiError> {
    let body: Value =
        serde_json::from_slice(&body.bytes).map_err(|_| ApiError::bad_request("Malformed JSON in request body"))?;
    let Value::Object(body) = body else {
        return Err(ApiError::bad_request("Request body must be a JSON object"));
    };
    let Some(Value::Object(settings)) = body.get("settings") else {
        return Err(ApiError::bad_request("'settings' must be a dict of key-value pairs"));
    };
    read_values(settings).map_err(ApiError::bad_request)
}

fn read_values(settings: &Map<String, Value>) -> Result<SettingValues, String> {
    let mut values = SettingValues::new();
    for (name, value) in settings {
        let Some(key) = SettingKey::find(name) else {
            return Err(format!("Unknown setting key: '{}'", shown(name)));
        };
        let text = match key {
            SettingKey::Timeout => count(name, value, MAX_TIMEOUT_MINUTES)?,
            SettingKey::Pages => count(name, value, MAX_CONCURRENT_PAGES)?,
            SettingKey::Provider | SettingKey::VisionProvider => provider(&text(name, value)?)?,
            SettingKey::Model | SettingKey::VisionModel => model(text(name, value)?)?,
            SettingKey::MonthBudget | SettingKey::UserMonthBudget => budget(name, &text(name, value)?)?,
        };
        values.insert(key, text);
    }
    Ok(values)
}

fn text(name: &str, value: &Value) -> Result<String, String> {
    match value {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.trim().to_owned()),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(format!("Setting '{name}' must be a string")),
    }
}

fn count(name: &str, value: &Value, max: u32) -> Result<String, String> {
    let number = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().trim_start_matches('+').to_owned(),
        _ => String::new(),
    };
    let is_positive = !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && number.bytes().any(|byte| byte != b'0');
    if !is_positive {
        return Err(format!("Setting '{name}' must be a positive integer"));
    }
    match number.parse::<u32>() {
        Ok(count) if count <= max => Ok(count.to_string()),
        _ => Err(format!("Setting '{name}' must be at most {max}")),
    }
}

/// US dollars, or nothing for no limit.
fn budget(name: &str, text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    match text.parse::<f64>() {
        Ok(usd) if usd > 0.0 && usd <= MAX_BUDGET_USD => Ok(usd.to_string()),
        _ => Err(format!(
            "Setting '{name}' must be a number above 0 and at most {MAX_BUDGET_USD}, or empty for no limit"
        )),
    }
}

fn provider(text: &str) -> Result<String, String> {
    let text = text.to_lowercase();
    if text.is_empty() || text.parse::<Provider>().is_ok() {
        return Ok(text);
    }
    let known = Provider::ALL.map(Provider::as_str).join(", ");
    Err(format!("Invalid provider '{}'. Must be one of: {known}", shown(&text)))
}

fn model(text: String) -> Result<String, String> {
    if !text.is_empty() {
        text.parse::<ModelId>().map_err(|error| error.0)?;
    }
    Ok(text)
}

/// What belongs together must fit, whether it was set now or before.
fn check_pairs(values: &SettingValues) -> Result<(), ApiError> {
    let text = |key: SettingKey| values.get(&key).map_or("", String::as_str);
    let builtin = Provider::Builtin.as_str();
    if ["", builtin].contains(&text(SettingKey::Provider)) && !["", BUILTIN_MODEL].contains(&text(SettingKey::Model)) {
        return Err(ApiError::bad_request(format!("Provider 'builtin' has one model: '{BUILTIN_MODEL}'")));
    }
    let pairs = [(SettingKey::Provider, SettingKey::Model), (SettingKey::VisionProvider, SettingKey::VisionModel)];
    for (provider, model) in pairs {
        if !["", builtin].contains(&text(provider)) && text(model).is_empty() {
            let (provider, model) = (provider.as_str(), model.as_str());
            return Err(ApiError::bad_request(format!("{model} is required when {provider} is set")));
        }
    }
    Ok(())
}

/// What of a refused text an error repeats.
fn shown(text: &str) -> String {
    text.chars().take(80).map(|c| if c.is_control() { '?' } else { c }).collect()
}
