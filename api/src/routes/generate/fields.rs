//! Fields of a JSON object, read as leniently as docsfy reads them, with its names and sentences for what does not fit.

use serde_json::{Map, Number, Value, json};
use shared::wire::ValidationProblem;

/// Reads the fields of a body and gathers what does not fit.
pub(super) struct Fields<'a> {
    object: &'a Map<String, Value>,
    problems: Vec<ValidationProblem>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(object: &'a Map<String, Value>) -> Self {
        Self { object, problems: Vec::new() }
    }

    pub(super) fn into_problems(self) -> Vec<ValidationProblem> {
        self.problems
    }

    /// A text, or nothing for `null`.
    pub(super) fn text(&mut self, name: &'static str) -> Option<&'a str> {
        match self.object.get(name)? {
            Value::Null => None,
            Value::String(text) => Some(text),
            other => {
                self.refuse(name, "string_type", "Input should be a valid string", other, None);
                None
            }
        }
    }

    /// A text that must be there when its field is: `null` is refused.
    pub(super) fn required_text(&mut self, name: &'static str) -> Option<&'a str> {
        if let Some(null @ Value::Null) = self.object.get(name) {
            self.refuse(name, "string_type", "Input should be a valid string", null, None);
            return None;
        }
        self.text(name)
    }

    /// A text that `parse` understands; its sentence is the problem otherwise.
    pub(super) fn parsed<T>(
        &mut self,
        name: &'static str,
        text: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        match parse(text) {
            Ok(value) => Some(value),
            Err(sentence) => {
                let message = format!("Value error, {sentence}");
                self.refuse(name, "value_error", &message, &Value::from(text), Some(json!({ "error": {} })));
                None
            }
        }
    }

    /// One of some words, or nothing for `null`.
    pub(super) fn choice<T: Copy>(&mut self, name: &'static str, choices: &[(&'static str, T)]) -> Option<T> {
        let value = self.object.get(name).filter(|value| !value.is_null())?;
        let chosen = value.as_str().and_then(|text| choices.iter().find(|(word, _)| *word == text));
        if let Some((_, choice)) = chosen {
            return Some(*choice);
        }
        let words: Vec<String> = choices.iter().map(|(word, _)| format!("'{word}'")).collect();
        let expected = match words.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
            _ => words.concat(),
        };
        let message = format!("Input should be {expected}");
        self.refuse(name, "literal_error", &message, value, Some(json!({ "expected": expected })));
        None
    }

    /// A truth value in any usual spelling; `false` when there is none.
    pub(super) fn flag(&mut self, name: &'static str) -> bool {
        let Some(value) = self.object.get(name) else {
            return false;
        };
        let read = match value {
            Value::Bool(flag) => Some(*flag),
            Value::Number(number) => number.as_f64().and_then(|number| match number {
                0.0 => Some(false),
                1.0 => Some(true),
                _ => None,
            }),
            Value::String(text) => match text.to_ascii_lowercase().as_str() {
                "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
                "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
                _ => None,
            },
            Value::Null | Value::Array(_) | Value::Object(_) => {
                self.refuse(name, "bool_type", "Input should be a valid boolean", value, None);
                return false;
            }
        };
        if read.is_none() {
            let message = "Input should be a valid boolean, unable to interpret input";
            self.refuse(name, "bool_parsing", message, value, None);
        }
        read.unwrap_or_default()
    }

    /// A whole number from 1 to `max`, also as a text or with a fraction of zero; nothing for `null`.
    pub(super) fn count(&mut self, name: &'static str, max: i32) -> Option<i32> {
        let value = self.object.get(name).filter(|value| !value.is_null())?;
        let number = match whole_number(value) {
            Ok(number) => number,
            Err((kind, message)) => {
                self.refuse(name, kind, message, value, None);
                return None;
            }
        };
        if number <= 0 {
            self.refuse(name, "greater_than", "Input should be greater than 0", value, Some(json!({ "gt": 0 })));
            return None;
        }
        match i32::try_from(number) {
            Ok(number) if number <= max => Some(number),
            _ => {
                let message = format!("Input should be less than or equal to {max}");
                self.refuse(name, "less_than_equal", &message, value, Some(json!({ "le": max })));
                None
            }
        }
    }

    /// A number above 0 and up to `max`, also as a text; nothing for `null`.
    pub(super) fn amount(&mut self, name: &'static str, max: f64) -> Option<f64> {
        let value = self.object.get(name).filter(|value| !value.is_null())?;
        let number = match value {
            Value::Number(number) => number.as_f64().ok_or(("float_type", "Input should be a valid number")),
            Value::String(text) => {
                let message = "Input should be a valid number, unable to parse string as a number";
                text.trim().parse::<f64>().map_err(|_| ("float_parsing", message))
            }
            _ => Err(("float_type", "Input should be a valid number")),
        };
        match number {
            Err((kind, message)) => self.refuse(name, kind, message, value, None),
            Ok(number) if !number.is_finite() => {
                self.refuse(name, "finite_number", "Input should be a finite number", value, None);
            }
            Ok(number) if number <= 0.0 => {
                self.refuse(name, "greater_than", "Input should be greater than 0", value, Some(json!({ "gt": 0.0 })));
            }
            Ok(number) if number > max => {
                let message = format!("Input should be less than or equal to {max}");
                self.refuse(name, "less_than_equal", &message, value, Some(json!({ "le": max })));
            }
            Ok(number) => return Some(number),
        }
        None
    }

    fn refuse(&mut self, name: &str, kind: &str, message: &str, input: &Value, ctx: Option<Value>) {
        self.problems.push(ValidationProblem {
            kind: kind.into(),
            loc: vec!["body".into(), name.into()],
            msg: message.into(),
            input: input.clone(),
            ctx,
        });
    }
}

/// Numbers beyond what fits are cut to what is left: they are refused by the limit.
fn whole_number(value: &Value) -> Result<i64, (&'static str, &'static str)> {
    match value {
        Value::Bool(flag) => Ok(i64::from(*flag)),
        Value::Number(number) => whole(number)
            .ok_or(("int_from_float", "Input should be a valid integer, got a number with a fractional part")),
        Value::String(text) => {
            let number: Option<Number> = text.trim().trim_start_matches('+').parse().ok();
            number
                .and_then(|number| whole(&number))
                .ok_or(("int_parsing", "Input should be a valid integer, unable to parse string as an integer"))
        }
        _ => Err(("int_type", "Input should be a valid integer")),
    }
}

fn whole(number: &Number) -> Option<i64> {
    if let Some(number) = number.as_i64() {
        return Some(number);
    }
    let number = number.as_f64().filter(|number| number.fract() == 0.0)?;
    #[expect(clippy::cast_possible_truncation, reason = "a cast from a float stops at the limits of the integer")]
    Some(number as i64)
}
