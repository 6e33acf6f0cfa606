//! What a run would cost, from what past calls of the same model for the same purposes came to. Pure but for the look-up.

use shared::{
    db::{self, inspections::PastCalls},
    inspection::{BilledCalls, Cost},
    names::ModelId,
    provider::Provider,
};
use sqlx::PgConnection;

/// Calls of one kind that a run would make; missing when nobody knows how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) purpose: &'static str,
    pub(super) calls: Option<u32>,
}

/// The calls with their figures, the total, and why some of it is not known.
pub(super) struct Priced {
    pub(super) calls: Vec<BilledCalls>,
    pub(super) total: Cost,
    pub(super) with_rework: Cost,
    pub(super) unknown: Option<String>,
}

/// Prices calls. What the built-in writer does costs nothing.
pub(super) async fn price(
    conn: &mut PgConnection,
    provider: Provider,
    model: &ModelId,
    expected: &[Expected],
) -> sqlx::Result<Priced> {
    if provider == Provider::Builtin {
        return Ok(Priced { calls: Vec::new(), total: nothing(), with_rework: nothing(), unknown: None });
    }
    let mut calls = Vec::new();
    for one in expected.iter().filter(|one| one.calls != Some(0)) {
        let past = db::inspections::past_calls(conn, provider, model, one.purpose).await?;
        calls.push(of_past(*one, &past));
    }
    let with_rework = match rework(expected) {
        Some(Expected { calls: Some(0), .. }) => add_up(&calls),
        Some(again) => {
            let past = db::inspections::past_calls(conn, provider, model, again.purpose).await?;
            let all: Vec<BilledCalls> = calls.iter().cloned().chain([of_past(again, &past)]).collect();
            add_up(&all)
        }
        None => Cost::default(),
    };
    let total = add_up(&calls);
    Ok(Priced { unknown: why_unknown(&calls, provider, model), calls, total, with_rework })
}

/// The calls when every page that is written goes back once; nothing when a model decides first which these are.
fn rework(expected: &[Expected]) -> Option<Expected> {
    let is_asked = |one: &Expected| matches!(one.purpose, "plan" | "plan_update") && one.calls != Some(0);
    if expected.iter().any(is_asked) {
        return None;
    }
    let pages: Option<u32> = expected.iter().map(|one| one.calls).sum();
    Some(Expected { purpose: "sections", calls: pages })
}

/// Nothing at all.
pub(super) fn nothing() -> Cost {
    Cost { calls: Some(0), input_tokens: Some(0), output_tokens: Some(0), cached_tokens: Some(0), cost_usd: Some(0.0) }
}

fn of_past(expected: Expected, past: &PastCalls) -> BilledCalls {
    let times = |each: Option<f64>| each.zip(expected.calls).map(|(each, calls)| each * f64::from(calls));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "tokens are counted from zero")]
    let tokens = |each: Option<f64>| times(each).map(|tokens| tokens.round() as u64);
    let cost = Cost {
        calls: expected.calls,
        input_tokens: tokens(past.input_tokens),
        output_tokens: tokens(past.output_tokens),
        cached_tokens: tokens(past.cached_tokens),
        cost_usd: times(past.cost_usd),
    };
    BilledCalls {
        purpose: expected.purpose.to_owned(),
        calls: expected.calls,
        known_calls: u32::try_from(past.calls).unwrap_or(u32::MAX),
        cost,
    }
}

/// The sums; a figure that is missing in one is missing in the sum.
fn add_up(calls: &[BilledCalls]) -> Cost {
    calls.iter().fold(nothing(), |sum, one| {
        let tokens = |a: Option<u64>, b: Option<u64>| a.zip(b).map(|(a, b)| a + b);
        Cost {
            calls: sum.calls.zip(one.cost.calls).map(|(a, b)| a + b),
            input_tokens: tokens(sum.input_tokens, one.cost.input_tokens),
            output_tokens: tokens(sum.output_tokens, one.cost.output_tokens),
            cached_tokens: tokens(sum.cached_tokens, one.cost.cached_tokens),
            cost_usd: sum.cost_usd.zip(one.cost.cost_usd).map(|(a, b)| a + b),
        }
    })
}

fn why_unknown(calls: &[BilledCalls], provider: Provider, model: &ModelId) -> Option<String> {
    if calls.iter().any(|one| one.calls.is_none()) {
        return Some("it is not known how many pages the model will plan: the variant has no site yet".to_owned());
    }
    let unknown = |wanted: &dyn Fn(&BilledCalls) -> bool| {
        let purposes: Vec<&str> = calls.iter().filter(|one| wanted(one)).map(|one| one.purpose.as_str()).collect();
        (!purposes.is_empty()).then(|| purposes.join("`, `"))
    };
    if let Some(purposes) = unknown(&|one| one.known_calls == 0) {
        return Some(format!("`{provider}` `{model}` has made no call for `{purposes}` yet"));
    }
    let purposes = unknown(&|one| one.cost.cost_usd.is_none())?;
    Some(format!("nobody said what calls of `{provider}` `{model}` for `{purposes}` cost; PRICES_FILE can"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn past(calls: i64, cost_usd: Option<f64>) -> PastCalls {
        let tokens = (calls > 0).then_some(100.0);
        PastCalls { calls, input_tokens: tokens, output_tokens: tokens, cached_tokens: tokens, cost_usd }
    }

    fn billed(purpose: &'static str, calls: Option<u32>, past: &PastCalls) -> BilledCalls {
        of_past(Expected { purpose, calls }, past)
    }

    #[test]
    fn a_total_is_known_when_all_of_it_is_and_else_it_is_said_why_not() {
        let model: ModelId = "m".parse().unwrap();
        let why = |calls: &[BilledCalls]| why_unknown(calls, Provider::Claude, &model);
        let known = [billed("sections", Some(3), &past(9, Some(0.5))), billed("edit", Some(1), &past(1, Some(0.25)))];
        let total = add_up(&known);
        assert_eq!((total.calls, total.input_tokens, total.cost_usd), (Some(4), Some(400), Some(1.75)));
        assert_eq!(why(&known), None);
        assert_eq!(add_up(&[]), nothing());

        let no_price = [billed("sections", Some(3), &past(9, None))];
        assert_eq!((add_up(&no_price).output_tokens, add_up(&no_price).cost_usd), (Some(300), None));
        assert!(why(&no_price).unwrap().contains("PRICES_FILE"));
        let never = [known[0].clone(), billed("plan", Some(1), &past(0, None))];
        assert_eq!(add_up(&never).input_tokens, None);
        assert_eq!(why(&never).unwrap(), "`claude` `m` has made no call for `plan` yet");
        let expected = |purpose, calls| Expected { purpose, calls: Some(calls) };
        let update = [expected("plan_update", 0), expected("sections", 3), expected("edit", 1)];
        assert_eq!(rework(&update), Some(expected("sections", 4)));
        assert_eq!(rework(&[expected("plan_update", 1), expected("sections", 3)]), None);
        let endless = [billed("page", None, &past(5, Some(1.0)))];
        assert_eq!(add_up(&endless).calls, None);
        assert!(why(&endless).unwrap().contains("how many pages"));
    }
}
