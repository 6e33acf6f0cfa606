//! Limits of what may be spent on AI calls: of a generation, of a user in a month, of everybody in a month.

/// Largest budget that can be set, in US dollars.
pub const MAX_BUDGET_USD: f64 = 100_000.0;

/// Sums of decimal fractions miss by this little.
const ROUNDING_USD: f64 = 1e-9;

/// A limit that is in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    /// US dollars.
    pub limit_usd: f64,
    /// Whose it is, for people.
    pub whose: String,
    /// What is left of it before a call, without what others have reserved.
    pub left_usd: f64,
}

impl Budget {
    /// The sentence for a run that it ends.
    pub fn reached(&self) -> String {
        format!("budget of ${} reached (of {})", self.limit_usd, self.whose)
    }
}

/// What is spent of a budget, or reserved by calls that run.
#[derive(Debug, Clone, PartialEq)]
pub struct Spent {
    /// The budget.
    pub budget: Budget,
    /// US dollars.
    pub usd: f64,
}

impl Spent {
    /// What is spent of a budget, if there is one: its limit, whose it is, and the sum of what was spent.
    pub(crate) fn of(limit_usd: Option<f64>, whose: String, usd: Option<f64>) -> Option<Self> {
        Some(Self { budget: Budget { limit_usd: limit_usd?, whose, left_usd: 0.0 }, usd: usd.unwrap_or(0.0) })
    }

    /// What is left.
    pub fn left_usd(&self) -> f64 {
        self.budget.limit_usd - self.usd
    }

    /// Whether a call that is expected to cost so much may start. One of which nothing is known may, as long as there is
    /// anything left.
    pub fn allows(&self, estimate_usd: f64) -> bool {
        let left = self.left_usd();
        left > ROUNDING_USD && estimate_usd <= left + ROUNDING_USD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(limit_usd: f64, usd: f64) -> Spent {
        Spent { budget: Budget { limit_usd, whose: "this generation".into(), left_usd: 0.0 }, usd }
    }

    #[test]
    fn a_call_starts_as_long_as_what_is_left_covers_it() {
        for (limit, usd, estimate, allowed) in [
            (1.0, 0.0, 0.0, true),
            (1.0, 0.5, 0.5, true),
            (1.0, 0.6, 0.5, false),
            (1.0, 1.0, 0.0, false),
            (1.0, 1.5, 0.0, false),
            // 0.1 + 0.2 is a little more than 0.3
            (0.3, 0.1, 0.2, true),
            (0.3, 0.1 + 0.2, 0.0, false),
        ] {
            assert_eq!(spent(limit, usd).allows(estimate), allowed, "{limit} {usd} {estimate}");
        }
    }

    #[test]
    fn the_sentence_names_the_limit_as_it_was_given() {
        for (limit, shown) in [(5.0, "$5"), (0.05, "$0.05"), (2.5, "$2.5")] {
            let sentence = spent(limit, 0.0).budget.reached();
            assert_eq!(sentence, format!("budget of {shown} reached (of this generation)"));
        }
    }
}
