//! What tokens cost, for command lines that do not say what a call cost: read from the file that `PRICES_FILE` names.
//! docmill brings no prices of its own: they change, and a wrong one is worse than none.

use std::path::Path;

use serde::Deserialize;
use shared::{names::ModelId, provider::Provider, settings::InvalidSetting};

use crate::writers::Usage;

/// Largest price of a million tokens that is believed.
const MAX_PRICE_USD: f64 = 100_000.0;
/// Largest file that is read.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The prices that an operator gave.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Prices(Vec<Price>);

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Price {
    provider: Provider,
    /// Beginning of the model's name; the longest that fits counts.
    model: String,
    /// US dollars for a million tokens.
    input: f64,
    output: f64,
    cached: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PriceFile {
    #[serde(default)]
    price: Vec<Price>,
}

impl Prices {
    /// Reads a file; the error is one sentence. Blocks.
    pub fn load(file: &Path) -> Result<Self, InvalidSetting> {
        let invalid = |problem: String| InvalidSetting(format!("PRICES_FILE `{}` {problem}", file.display()));
        let size = std::fs::metadata(file).map_err(|error| invalid(format!("cannot be read: {error}")))?.len();
        if size > MAX_FILE_BYTES {
            return Err(invalid(format!("is larger than {MAX_FILE_BYTES} bytes, the limit of a table of prices")));
        }
        let text = std::fs::read_to_string(file).map_err(|error| invalid(format!("cannot be read: {error}")))?;
        Self::parse(&text).map_err(|problem| invalid(format!("cannot be used: {problem}")))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let file: PriceFile = toml::from_str(text).map_err(|error| error.to_string().trim().replace('\n', " "))?;
        for price in &file.price {
            for (name, usd) in [("input", price.input), ("output", price.output), ("cached", price.cached)] {
                if !(0.0..=MAX_PRICE_USD).contains(&usd) {
                    let (provider, model) = (price.provider, &price.model);
                    return Err(format!("`{name}` of {provider} `{model}` must be 0 to {MAX_PRICE_USD}"));
                }
            }
        }
        Ok(Self(file.price))
    }

    /// What a call cost in US dollars; `None` without a price or without tokens.
    pub(crate) fn cost_usd(&self, provider: Provider, model: &ModelId, usage: Usage) -> Option<f64> {
        let fits = |price: &&Price| price.provider == provider && model.as_str().starts_with(&price.model);
        let price = self.0.iter().filter(fits).max_by_key(|price| price.model.len())?;
        let tokens = [usage.input_tokens, usage.output_tokens, usage.cached_tokens];
        if tokens.iter().all(|tokens| *tokens == 0) {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "no call has more than 2^52 tokens")]
        let [input, output, cached] = tokens.map(|tokens| tokens as f64 / 1e6);
        Some(input * price.input + output * price.output + cached * price.cached)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = r#"
        [[price]]
        provider = "gemini"
        model = "pro"
        input = 1.0
        output = 10.0
        cached = 0.5

        [[price]]
        provider = "gemini"
        model = "pro-mini"
        input = 0.1
        output = 1.0
        cached = 0.0
    "#;

    fn cost(model: &str, usage: Usage) -> Option<f64> {
        Prices::parse(TABLE).unwrap().cost_usd(Provider::Gemini, &model.parse().unwrap(), usage)
    }

    #[test]
    fn the_longest_beginning_of_a_model_names_its_price() {
        let usage = Usage { input_tokens: 2_000_000, output_tokens: 100_000, cached_tokens: 1_000_000, cost_usd: None };
        assert_eq!(cost("pro-2026", usage), Some(3.5));
        let mini = cost("pro-mini-2026", usage).unwrap();
        assert!((mini - 0.3).abs() < 1e-9, "{mini}");
        assert_eq!(cost("flash", usage), None);
        assert_eq!(cost("pro", Usage::default()), None);
    }

    #[test]
    fn a_table_that_cannot_be_used_is_told_with_what_is_wrong() {
        for (text, words) in [
            ("[[price]]\nprovider = \"gpt\"\nmodel=\"x\"\ninput=1.0\noutput=1.0\ncached=1.0", "gpt"),
            (
                "[[price]]\nprovider = \"gemini\"\nmodel=\"x\"\ninput=-1.0\noutput=1.0\ncached=1.0",
                "`input` of gemini `x`",
            ),
            (
                "[[price]]\nprovider = \"gemini\"\nmodel=\"x\"\ninput=nan\noutput=1.0\ncached=1.0",
                "`input` of gemini `x`",
            ),
            ("[[price]]\nprovider = \"gemini\"\nmodel=\"x\"\ninput=1.0\noutput=1.0\ncached=1.0\nper=1", "per"),
            ("prices = 1", "prices"),
            ("no toml", "1"),
        ] {
            let problem = Prices::parse(text).unwrap_err();
            assert!(problem.contains(words), "{problem}");
        }
        assert_eq!(Prices::parse(""), Ok(Prices::default()));
    }
}
