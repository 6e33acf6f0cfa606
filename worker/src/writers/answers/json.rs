//! Finds JSON in text that was meant to be JSON only.

use serde_json::Value;

/// Most opening braces that are tried: each costs a pass over the rest of the text.
const MAX_CANDIDATES: usize = 100;

/// The first object with this key, else none. Prose and fences around it, trailing commas and raw line breaks in texts
/// are forgiven.
pub(crate) fn find_object(text: &str, key: &str) -> Option<Value> {
    let mut from = 0;
    for _ in 0..MAX_CANDIDATES {
        let start = from + text[from..].find('{')?;
        let found = balanced(&text[start..]).and_then(parse);
        if let Some((value, _)) = &found
            && value.get(key).is_some()
        {
            return found.map(|(value, _)| value);
        }
        // an object without the key is stepped over, anything else may begin one brace later
        from = start + found.map_or(1, |(_, length)| length);
    }
    None
}

/// The last object that begins a line, as commands print it behind warnings and stack traces.
pub(crate) fn last_object(text: &str) -> Option<Value> {
    let starts = text.rmatch_indices('{').map(|(start, _)| start);
    let at_line_start = starts.filter(|start| *start == 0 || text.as_bytes()[start - 1] == b'\n');
    at_line_start.take(MAX_CANDIDATES).find_map(|start| {
        let mut values = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Value>();
        values.next()?.ok().filter(Value::is_object)
    })
}

/// The text from its opening brace to the one that closes it, braces inside of texts not counted.
fn balanced(text: &str) -> Option<&str> {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' if !in_text => depth += 1,
            b'}' if !in_text => {
                depth -= 1;
                if depth == 0 {
                    return Some(&text[..=index]);
                }
            }
            _ => {}
        }
    }
    None
}

fn parse(text: &str) -> Option<(Value, usize)> {
    let value = serde_json::from_str(text).or_else(|_| serde_json::from_str(&mend(text))).ok()?;
    Some((value, text.len()))
}

/// Drops commas before a closing bracket, and escapes line breaks and tabs inside of texts.
fn mend(text: &str) -> String {
    let mut mended = String::with_capacity(text.len());
    let (mut in_text, mut escaped) = (false, false);
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' if in_text => {
                mended.push_str(&c.escape_default().to_string());
                escaped = false;
                continue;
            }
            _ if escaped => escaped = false,
            '\\' if in_text => escaped = true,
            '"' => in_text = !in_text,
            '}' | ']' if !in_text => {
                let kept = mended.trim_end().len();
                if mended[..kept].ends_with(',') {
                    mended.truncate(kept - 1);
                }
            }
            _ => {}
        }
        mended.push(c);
    }
    mended
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_and_quotes_in_texts_do_not_end_an_object() {
        let found = find_object(r#"{"a":1} then {"navigation":"}\" {","b":"x,]"} end"#, "navigation").unwrap();
        assert_eq!(found["navigation"], "}\" {");
        assert_eq!(found["b"], "x,]");
    }

    #[test]
    fn line_breaks_in_texts_and_trailing_commas_are_mended() {
        let found = find_object("{\"navigation\":[\"a\nb\", ], }", "navigation").unwrap();
        assert_eq!(found["navigation"][0], "a\nb");
    }

    #[test]
    fn many_braces_end_in_a_bounded_search() {
        assert_eq!(find_object(&"{".repeat(1_000_000), "navigation"), None);
    }

    #[test]
    fn the_last_object_is_found_behind_traces() {
        let text =
            "Error: {bad}\n    at x {\n{\n  \"a\": 1\n}\nwarning\n{\n  \"error\": {\n    \"code\": 401\n  }\n}\n";
        assert_eq!(last_object(text).unwrap()["error"]["code"], 401);
        assert_eq!(last_object("no object"), None);
    }
}
