//! The body of `POST /api/generate`: what it may hold, and docsfy's 422 for what it may not.

use axum::extract::{FromRequest, Request};
use serde_json::{Map, Value, json};
use shared::{
    budget::MAX_BUDGET_USD,
    names::{BranchName, ModelId},
    options::{OptionProblem, RunOptions, read_options},
    plan::RepoType,
    provider::Provider,
    source::RepoSource,
    wire::{Place, ValidationProblem},
};

use super::fields::Fields;
use crate::{body::Body, error::ApiError};

/// Branch of a request that names none.
const DEFAULT_BRANCH: &str = "main";
/// Longest time for one call of an AI command line: a day.
const MAX_TIMEOUT_MINUTES: i32 = 1440;

/// A request whose every part is understood.
#[derive(Debug, PartialEq)]
pub(crate) struct ValidRequest {
    pub(super) source: RepoSource,
    pub(super) provider: Option<Provider>,
    pub(super) model: Option<ModelId>,
    pub(super) call_timeout_minutes: Option<i32>,
    pub(super) force: bool,
    pub(super) replace: bool,
    pub(super) dry_run: bool,
    pub(super) branch: BranchName,
    pub(super) repo_type: Option<RepoType>,
    pub(super) max_cost_usd: Option<f64>,
    pub(super) options: RunOptions,
}

impl<S: Send + Sync> FromRequest<S> for ValidRequest {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let body = Body::from_request(request, state).await?;
        let object = read_object(&body)?;
        read_request(&object).map_err(ApiError::Validation)
    }
}

fn read_object(body: &Body) -> Result<Map<String, Value>, ApiError> {
    let problem = |kind: &str, msg: &str, input: Value| {
        let loc = vec!["body".into()];
        ApiError::Validation(vec![ValidationProblem { kind: kind.into(), loc, msg: msg.into(), input, ctx: None }])
    };
    let missing = || problem("missing", "Field required", Value::Null);
    let no_object = |input| {
        let message = "Input should be a valid dictionary or object to extract fields from";
        problem("model_attributes_type", message, input)
    };
    if body.bytes.is_empty() {
        return Err(missing());
    }
    let Ok(text) = std::str::from_utf8(&body.bytes) else {
        return Err(ApiError::bad_request("There was an error parsing the body"));
    };
    if !body.is_json() {
        return Err(no_object(text.into()));
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(Value::Null) => Err(missing()),
        Ok(other) => Err(no_object(other)),
        Err(error) => Err(ApiError::Validation(vec![not_json(text, &error)])),
    }
}

/// Where and why a text is not JSON, as nearly in Python's words as the position allows.
fn not_json(text: &str, error: &serde_json::Error) -> ValidationProblem {
    let (sentence, at_end) = match error.to_string() {
        said if said.starts_with("key must be a string") || said.starts_with("trailing comma") => {
            ("Expecting property name enclosed in double quotes", false)
        }
        said if said.starts_with("EOF while parsing an object") && text.trim_end().ends_with(['{', ',']) => {
            ("Expecting property name enclosed in double quotes", true)
        }
        said if said.starts_with("expected `:`") => ("Expecting ':' delimiter", false),
        said if said.starts_with("expected `,`") => ("Expecting ',' delimiter", false),
        said if said.starts_with("EOF while parsing an object") || said.starts_with("EOF while parsing a list") => {
            ("Expecting ',' delimiter", true)
        }
        said if said.starts_with("EOF while parsing a string") => ("Unterminated string starting at", true),
        said if said.starts_with("trailing characters") => ("Extra data", false),
        said if said.starts_with("control character") => ("Invalid control character at", false),
        said => ("Expecting value", said.starts_with("EOF")),
    };
    let position = if at_end { text.chars().count() } else { position(text, error) };
    ValidationProblem {
        kind: "json_invalid".into(),
        loc: vec!["body".into(), position.into()],
        msg: "JSON decode error".into(),
        input: json!({}),
        ctx: Some(json!({ "error": sentence })),
    }
}

/// Characters before the one that does not fit.
fn position(text: &str, error: &serde_json::Error) -> usize {
    let lines_before: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let bytes = (lines_before + error.column().saturating_sub(1)).min(text.len());
    text.char_indices().take_while(|(at, _)| *at < bytes).count()
}

fn read_request(object: &Map<String, Value>) -> Result<ValidRequest, Vec<ValidationProblem>> {
    let mut fields = Fields::new(object);
    let url = fields.text("repo_url");
    let from_url =
        url.and_then(|text| fields.parsed("repo_url", text, |text| RepoSource::parse_url(text).map_err(|e| e.0)));
    let path = fields.text("repo_path");
    let from_path = path
        .and_then(|text| fields.parsed("repo_path", text, |text| RepoSource::parse_local_path(text).map_err(|e| e.0)));
    let provider = fields.choice("ai_provider", &Provider::ALL.map(|provider| (provider.as_str(), provider)));
    // docsfy takes its default for an empty text
    let model = fields.text("ai_model").filter(|text| !text.is_empty());
    let model = model.and_then(|text| fields.parsed("ai_model", text, |text| text.parse().map_err(name_sentence)));
    let call_timeout_minutes = fields.count("ai_cli_timeout", MAX_TIMEOUT_MINUTES);
    let force = fields.flag("force");
    let replace = fields.flag("replace");
    let dry_run = fields.flag("dry_run");
    let branch = fields.required_text("branch").unwrap_or(DEFAULT_BRANCH);
    let branch = fields.parsed("branch", branch, |text| text.parse().map_err(name_sentence));
    let repo_type = fields.choice("repo_type", &REPO_TYPES.map(|kind| (kind.as_str(), kind)));
    let max_cost_usd = fields.amount("max_cost_usd", MAX_BUDGET_USD);
    let (options, option_problems) = read_options(object);
    let mut problems = fields.into_problems();
    problems.extend(option_problems.into_iter().map(of_option));
    let (Some(branch), true) = (branch, problems.is_empty()) else {
        return Err(problems);
    };
    let source = match (from_url, from_path) {
        (Some(source), None) | (None, Some(source)) => source,
        (Some(_), Some(_)) => return Err(vec![of_whole(object, "Provide either 'repo_url' or 'repo_path', not both")]),
        (None, None) => return Err(vec![of_whole(object, "Either 'repo_url' or 'repo_path' must be provided")]),
    };
    Ok(ValidRequest {
        source,
        provider,
        model,
        call_timeout_minutes,
        force,
        replace,
        dry_run,
        branch,
        repo_type,
        max_cost_usd,
        options,
    })
}

const REPO_TYPES: [RepoType; 4] = [RepoType::App, RepoType::Tests, RepoType::Library, RepoType::Framework];

fn name_sentence(error: shared::names::InvalidName) -> String {
    error.0
}

fn of_option(problem: OptionProblem) -> ValidationProblem {
    let place = problem.place.into_iter().map(|part| match part {
        Place::Name(name) => Value::from(name),
        Place::Position(position) => Value::from(position),
    });
    ValidationProblem {
        kind: problem.kind.into(),
        loc: std::iter::once("body".into()).chain(place).collect(),
        msg: problem.message,
        input: problem.input,
        ctx: (problem.kind == "value_error").then(|| json!({ "error": {} })),
    }
}

fn of_whole(object: &Map<String, Value>, sentence: &str) -> ValidationProblem {
    ValidationProblem {
        kind: "value_error".into(),
        loc: vec!["body".into()],
        msg: format!("Value error, {sentence}"),
        input: Value::Object(object.clone()),
        ctx: Some(json!({ "error": {} })),
    }
}

#[cfg(test)]
mod tests;
