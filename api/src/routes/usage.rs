//! What AI calls used up: sums for everybody, and the calls of one generation.

use axum::{
    Json,
    extract::{Path, State},
};
use chrono::{Days, NaiveDate};
use http::Uri;
use serde_json::{Value, json};
use shared::{
    db::{
        self,
        usage::{MAX_ROWS, Span},
    },
    ids::GenerationId,
    wire::{
        AiCall, CallsResponse, ErrorResponse, GroupBy, UsageResponse, UsageSums, ValidationErrorResponse,
        ValidationProblem,
    },
};

use crate::{access::query_value, auth::doors::Reader, error::ApiError, state::ApiState};

/// Days of an answer when the request names none.
const DEFAULT_DAYS: u64 = 30;
/// Most days of an answer.
const MAX_DAYS: i64 = 366;

/// Sums up AI calls: of generations that the caller asked for, and of everybody's for admins.
#[utoipa::path(
    get,
    path = "/api/usage",
    tag = "usage",
    params(
        ("group_by" = Option<GroupBy>, Query, description = "What rows have in common; `day` when missing"),
        ("from" = Option<String>, Query, description = "First day, `YYYY-MM-DD` in UTC; 30 days up to `to` when missing"),
        ("to" = Option<String>, Query, description = "Last day; today when missing. At most 366 days"),
        ("user" = Option<String>, Query, description = "Only calls of this user; only admins are heard"),
    ),
    responses(
        (status = 200, body = UsageResponse),
        (status = 401, body = ErrorResponse),
        (status = 422, body = ValidationErrorResponse, description = "No such grouping, no dates, or too many days"),
    )
)]
pub(super) async fn get_usage(
    State(state): State<ApiState>,
    Reader(caller): Reader,
    uri: Uri,
) -> Result<Json<UsageResponse>, ApiError> {
    let mut conn = state.pool().acquire().await?;
    let today = db::usage::today(&mut conn).await?;
    let (group_by, from, to) = read_query(&uri, today).map_err(ApiError::Validation)?;
    let span = if caller.is_admin() {
        Span { from, to, username: query_value(&uri, "user"), of_present_user: false }
    } else {
        Span { from, to, username: Some(caller.username.to_string()), of_present_user: true }
    };
    let rows = db::usage::sum_up(&mut conn, &span, group_by.as_str()).await?;
    let totals = db::usage::sum_up(&mut conn, &span, "all").await?.pop();
    Ok(Json(UsageResponse {
        group_by,
        from,
        to,
        rows: rows.into_iter().map(UsageSums::from).collect(),
        totals: totals.map(UsageSums::from).unwrap_or_default(),
    }))
}

/// Lists the AI calls of a generation, for its owner and for admins.
#[utoipa::path(
    get,
    path = "/api/generations/{generation_id}/calls",
    tag = "usage",
    params(
        ("generation_id" = uuid::Uuid, Path),
        ("before" = Option<i64>, Query, description = "Only calls before this one: `next_before` of the last answer"),
    ),
    responses(
        (status = 200, body = CallsResponse),
        (status = 400, body = ErrorResponse, description = "No UUID of the form 8-4-4-4-12"),
        (status = 401, body = ErrorResponse),
        (status = 404, body = ErrorResponse),
        (status = 422, body = ValidationErrorResponse, description = "`before` is no number"),
    )
)]
pub(super) async fn list_calls(
    State(state): State<ApiState>,
    Reader(caller): Reader,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Json<CallsResponse>, ApiError> {
    let generation: Option<GenerationId> = id.parse().ok();
    let generation = generation
        .filter(|parsed| parsed.to_string().eq_ignore_ascii_case(&id))
        .ok_or_else(|| ApiError::bad_request("Invalid generation ID format"))?;
    let before = match query_value(&uri, "before") {
        None => None,
        Some(text) => Some(text.parse::<i64>().map_err(|_| {
            ApiError::Validation(vec![problem("before", "int_parsing", "Input should be a whole number", &text, None)])
        })?),
    };
    let mut conn = state.pool().acquire().await?;
    let owner = db::usage::find_owner(&mut conn, generation).await?;
    let is_seen = owner.is_some_and(|owner| caller.is_admin() || owner.is_some_and(|owner| *owner == *caller.username));
    if !is_seen {
        return Err(ApiError::not_found("Generation ID not found"));
    }
    let rows = db::usage::list_calls(&mut conn, generation, before).await?;
    let is_full = i64::try_from(rows.len()).is_ok_and(|count| count == MAX_ROWS);
    let next_before = rows.last().map(|row| row.id).filter(|_| is_full);
    let calls = rows.into_iter().map(|row| AiCall::new(row, caller.is_admin())).collect();
    Ok(Json(CallsResponse { generation_id: generation, calls, next_before }))
}

fn read_query(uri: &Uri, today: NaiveDate) -> Result<(GroupBy, NaiveDate, NaiveDate), Vec<ValidationProblem>> {
    let mut problems = Vec::new();
    let group_by = match query_value(uri, "group_by") {
        None => Some(GroupBy::Day),
        Some(text) => {
            let found = GroupBy::ALL.into_iter().find(|group| group.as_str() == text);
            if found.is_none() {
                let expected = "'day', 'user', 'project', 'model' or 'stage'";
                let message = format!("Input should be {expected}");
                problems.push(problem("group_by", "enum", &message, &text, Some(json!({ "expected": expected }))));
            }
            found
        }
    };
    let mut date = |name| {
        let text = query_value(uri, name)?;
        let date = read_date(&text);
        if date.is_none() {
            problems.push(problem(name, "date_parsing", "Input should be a date of the form YYYY-MM-DD", &text, None));
        }
        date
    };
    let (from, to) = (date("from"), date("to").unwrap_or(today));
    let from = from.or_else(|| to.checked_sub_days(Days::new(DEFAULT_DAYS - 1))).unwrap_or(to);
    let days = (to - from).num_days() + 1;
    if problems.is_empty() && days < 1 {
        problems.push(problem(
            "from",
            "value_error",
            "Value error, from must not be after to",
            &from.to_string(),
            None,
        ));
    }
    if problems.is_empty() && days > MAX_DAYS {
        let message = format!("Value error, from and to are {days} days, the limit is {MAX_DAYS}");
        problems.push(problem("from", "value_error", &message, &from.to_string(), None));
    }
    match group_by {
        Some(group_by) if problems.is_empty() => Ok((group_by, from, to)),
        _ => Err(problems),
    }
}

/// Four digits, two, two: other spellings of dates mean different days to different people.
fn read_date(text: &str) -> Option<NaiveDate> {
    let is_spelled = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    text.parse().ok().filter(|_| is_spelled)
}

fn problem(name: &str, kind: &str, message: &str, input: &str, ctx: Option<Value>) -> ValidationProblem {
    let loc = vec!["query".into(), name.into()];
    ValidationProblem { kind: kind.into(), loc, msg: message.into(), input: input.into(), ctx }
}
