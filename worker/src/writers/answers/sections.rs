//! Reads the new texts of sections of a page.

use shared::section::{Section, ends_in_code, sections};

use super::json::find_object;

/// The new texts by position, for exactly the `positions` that were asked for. An error when the answer cannot be read, names
/// other sections or holds texts that are no sections; it says why, for the log.
pub(crate) fn read_sections(
    answer: &str,
    previous: &str,
    positions: &[usize],
) -> Result<Vec<(usize, String)>, &'static str> {
    let object = find_object(&super::page_text::without_thoughts(answer), "sections");
    let object = object.ok_or("the answer holds no JSON object with `sections`")?;
    let entries = object["sections"].as_array().ok_or("`sections` is not a list")?;
    let old = sections(previous);
    let mut texts: Vec<(usize, String)> = Vec::with_capacity(positions.len());
    for entry in entries {
        let position = entry["position"].as_u64().and_then(|position| usize::try_from(position).ok());
        let position = position.filter(|position| positions.contains(position)).ok_or("a section was not asked for")?;
        if texts.iter().any(|(known, _)| *known == position) {
            return Err("a section is answered twice");
        }
        let text = entry["text"].as_str().ok_or("a section has no `text`")?;
        texts.push((position, read_text(text, old.get(position).ok_or("there is no such section")?)?));
    }
    if texts.len() != positions.len() {
        return Err("a section is missing");
    }
    texts.sort_by_key(|(position, _)| *position);
    Ok(texts)
}

/// One text, with the empty lines behind it that the old one had.
fn read_text(text: &str, old: &Section<'_>) -> Result<String, &'static str> {
    let text = text.replace("\r\n", "\n");
    let text: String = text.chars().filter(|c| matches!(c, '\n' | '\t') || !c.is_control()).collect();
    let text = text.trim();
    if text.is_empty() {
        return if old.position == 0 { Err("the beginning of the page is empty") } else { Ok(String::new()) };
    }
    let parts = sections(text);
    let is_section = match (old.position, parts.as_slice()) {
        (0, [_]) => text.lines().next() == old.text.trim_start().lines().next(),
        (1.., [before, _]) => before.text.is_empty(),
        _ => false,
    };
    if !is_section {
        return Err("a text is not the one section that was asked for");
    }
    if ends_in_code(text) {
        return Err("a code block of a section is never closed");
    }
    let kept = old.text.trim_end();
    Ok(format!("{text}{}", &old.text[kept.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# T\n\nHi.\n\n## A\n\na\n\n## B\n\nb\n";

    fn read(answer: &serde_json::Value, positions: &[usize]) -> Option<Vec<(usize, String)>> {
        read_sections(&answer.to_string(), PAGE, positions).ok()
    }

    #[test]
    fn sections_come_back_with_the_space_behind_them() {
        let answer = serde_json::json!({"sections": [
            {"position": 2, "text": "## B\r\n\nnew\u{1b}"}, {"position": 0, "text": "# T\n\nHello.\n\n\n"}]});
        let found = read(&answer, &[0, 2]).unwrap();
        assert_eq!(found, [(0, "# T\n\nHello.\n\n".to_owned()), (2, "## B\n\nnew\n".to_owned())]);
        let joined = shared::section::with_sections(PAGE, &found);
        assert_eq!(joined, "# T\n\nHello.\n\n## A\n\na\n\n## B\n\nnew\n");
        let gone = serde_json::json!({"sections": [{"position": 1, "text": " "}]});
        assert_eq!(read(&gone, &[1]), Some(vec![(1, String::new())]));
    }

    #[test]
    fn what_is_not_exactly_what_was_asked_for_is_of_no_use() {
        for sections in [
            serde_json::json!([]),
            serde_json::json!("## A"),
            serde_json::json!([{"position": 2, "text": "## B"}]),
            serde_json::json!([{"position": 1, "text": "## A"}, {"position": 1, "text": "## A"}]),
            serde_json::json!([{"position": 1, "text": "## A"}, {"position": 2, "text": "## B"}]),
            serde_json::json!([{"position": 1}]),
            serde_json::json!([{"position": -1, "text": "## A"}]),
            serde_json::json!([{"position": 1, "text": "no heading"}]),
            serde_json::json!([{"position": 1, "text": "## A\n\n## Another"}]),
            serde_json::json!([{"position": 1, "text": "## A\n\n```sh\nopen"}]),
        ] {
            assert_eq!(read(&serde_json::json!({ "sections": sections }), &[1]), None, "{sections}");
        }
        for text in ["", "# Other\n\nHi.", "# T\n\n## A"] {
            assert_eq!(read(&serde_json::json!({"sections": [{"position": 0, "text": text}]}), &[0]), None, "{text}");
        }
        assert!(read_sections("no idea", PAGE, &[1]).is_err());
    }
}
