//! What would keep a run from coming to its end as things stand: pauses, and budgets that do not last. The run itself is told so
//! by its first call; who asks before should not have to find out.

use shared::{
    budget::{Budget, Spent},
    db::{self, pauses::PauseRow},
    inspection::{Cost, DryRunRequest},
    provider::Provider,
};
use sqlx::PgConnection;

/// A sentence each, for people.
pub(super) async fn list(conn: &mut PgConnection, request: &DryRunRequest, total: &Cost) -> sqlx::Result<Vec<String>> {
    let pauses = db::pauses::list(conn).await?;
    let mut warnings: Vec<String> = pauses.iter().filter_map(|pause| of_pause(pause, request.provider)).collect();
    // what asks no model spends nothing
    if total.calls != Some(0) {
        let own = request.max_cost_usd.map(|limit_usd| Spent {
            budget: Budget { limit_usd, whose: "this generation".to_owned(), left_usd: 0.0 },
            usd: 0.0,
        });
        let budgets = own.into_iter().chain(db::ai_calls::month_budgets(conn, &request.owner).await?);
        warnings.extend(budgets.filter_map(|spent| of_budget(&spent, total.cost_usd)));
    }
    Ok(warnings)
}

fn of_pause(pause: &PauseRow, provider: Provider) -> Option<String> {
    let what = match pause.provider.as_str() {
        "" => "everything".to_owned(),
        paused if paused == provider.as_str() => format!("`{paused}`"),
        _ => return None,
    };
    let until = pause.until.map_or_else(String::new, |until| format!(" until {}", until.format("%Y-%m-%d %H:%M UTC")));
    let why = if pause.message.is_empty() { String::new() } else { format!(": {}", pause.message) };
    Some(format!("{what} is paused{until}, a run would wait{why}"))
}

fn of_budget(spent: &Spent, cost_usd: Option<f64>) -> Option<String> {
    if !spent.allows(0.0) {
        return Some(format!("{}, a run would end in `error`", spent.budget.reached()));
    }
    let cost_usd = cost_usd.filter(|cost_usd| !spent.allows(*cost_usd))?;
    let Budget { limit_usd, whose, .. } = &spent.budget;
    let left = spent.left_usd();
    Some(format!("${left:.4} is left of the budget of ${limit_usd} (of {whose}), and ${cost_usd:.4} is expected"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause(provider: &str, message: &str) -> PauseRow {
        let (provider, message) = (provider.to_owned(), message.to_owned());
        let created_at = chrono::DateTime::UNIX_EPOCH;
        let (reason, created_by) = ("admin".to_owned(), String::new());
        PauseRow { provider, reason, created_at, until: None, message, created_by }
    }

    #[test]
    fn a_pause_is_told_to_those_whom_it_keeps() {
        let told = |provider, message| of_pause(&pause(provider, message), Provider::Claude);
        assert_eq!(told("claude", "new key").unwrap(), "`claude` is paused, a run would wait: new key");
        assert_eq!(told("", "").unwrap(), "everything is paused, a run would wait");
        assert_eq!(told("gemini", ""), None);
        let limited = PauseRow { until: Some(chrono::DateTime::UNIX_EPOCH), ..pause("claude", "429") };
        assert!(of_pause(&limited, Provider::Claude).unwrap().contains("until 1970-01-01 00:00 UTC"));
    }

    #[test]
    fn a_budget_is_told_when_it_is_used_up_or_does_not_last() {
        let told = |limit_usd, usd, cost_usd| {
            let budget = Budget { limit_usd, whose: "this generation".to_owned(), left_usd: 0.0 };
            of_budget(&Spent { budget, usd }, cost_usd)
        };
        assert_eq!(told(5.0, 1.0, Some(3.0)), None);
        assert_eq!(told(5.0, 1.0, None), None);
        assert!(told(5.0, 5.0, None).unwrap().starts_with("budget of $5 reached (of this generation), "));
        let short = told(5.0, 4.0, Some(2.5)).unwrap();
        assert_eq!(short, "$1.0000 is left of the budget of $5 (of this generation), and $2.5000 is expected");
    }
}
