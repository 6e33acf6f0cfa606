//! Reads and applies the edits of a page: each replaces a passage that stands exactly once in the old text.

use super::json::find_object;

/// Most edits of one page; who wants more writes it anew.
const MAX_EDITS: usize = 200;

/// One replacement.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Edit {
    find: String,
    replace: String,
}

/// The old text with the edits of an answer in it; the very same text when the answer has none. `None` when the answer
/// cannot be read, or when it is not certain where an edit belongs: a passage is missing, stands more than once, or
/// overlaps another.
pub(crate) fn apply_edits(answer: &str, previous: &str) -> Option<String> {
    apply(&read(answer)?, previous)
}

fn read(answer: &str) -> Option<Vec<Edit>> {
    let object = find_object(&super::page_text::without_thoughts(answer), "edits")?;
    let edits = object["edits"].as_array().filter(|edits| edits.len() <= MAX_EDITS)?;
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    edits.iter().map(|edit| Some(Edit { find: text(&edit["find"])?, replace: text(&edit["replace"])? })).collect()
}

fn apply(edits: &[Edit], previous: &str) -> Option<String> {
    let mut places = Vec::with_capacity(edits.len());
    for edit in edits {
        let mut found = previous.match_indices(edit.find.as_str()).take(2);
        let start = found.next().filter(|_| !edit.find.is_empty())?.0;
        // overlapping ones too: of `aa` in `aaa` it is not certain which is meant
        let again = previous[start..].char_indices().nth(1).map(|(next, _)| start + next);
        if found.next().is_some() || again.is_some_and(|next| previous[next..].contains(edit.find.as_str())) {
            return None;
        }
        places.push((start, start + edit.find.len(), edit));
    }
    places.sort_by_key(|(start, _, _)| *start);
    let mut text = String::with_capacity(previous.len());
    let mut kept = 0;
    for (start, end, edit) in places {
        text.push_str(previous.get(kept..start)?);
        text.extend(edit.replace.replace("\r\n", "\n").chars().filter(|c| matches!(c, '\n' | '\t') || !c.is_control()));
        kept = end;
    }
    text.push_str(&previous[kept..]);
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Title\n\nIt listens on port 80.\n\n```sh\nrun --port 80\n```\n\nThe end, the end.\n";

    fn edits(pairs: &[(&str, &str)]) -> String {
        let edits: Vec<_> =
            pairs.iter().map(|(find, replace)| serde_json::json!({"find": find, "replace": replace})).collect();
        serde_json::json!({ "edits": edits }).to_string()
    }

    #[test]
    fn each_edit_goes_to_the_one_place_it_names_whatever_their_order() {
        let answer =
            edits(&[("--port 80", "--port 81"), ("on port 80", "on port 81\u{1b}"), ("\n\nThe end", "\n\nAn end")]);
        let expected = "# Title\n\nIt listens on port 81.\n\n```sh\nrun --port 81\n```\n\nAn end, the end.\n";
        assert_eq!(apply_edits(&answer, PAGE).as_deref(), Some(expected));
        assert_eq!(apply_edits(&format!("Here:\n```json\n{answer}\n```"), PAGE).as_deref(), Some(expected));
    }

    #[test]
    fn no_edits_leave_the_text_byte_for_byte() {
        for previous in [PAGE, "no heading\r\n\u{7}", ""] {
            assert_eq!(apply_edits(r#"{"edits": []}"#, previous).as_deref(), Some(previous));
        }
    }

    #[test]
    fn an_edit_whose_place_is_not_certain_is_no_edit() {
        for answer in [
            "I changed the port.".to_owned(),
            r#"{"edits": "none"}"#.to_owned(),
            r#"{"edits": [{"find": "port"}]}"#.to_owned(),
            edits(&[("", "x")]),
            edits(&[("nowhere", "x")]),
            edits(&[("port 80", "x")]),
            edits(&[("It listens", "x"), ("listens on", "y")]),
            edits(&[("It listens", "x"), ("It listens", "x")]),
            edits(&vec![("It listens", "x"); MAX_EDITS + 1]),
        ] {
            assert_eq!(apply_edits(&answer, PAGE), None, "{answer}");
        }
        assert_eq!(apply_edits(&edits(&[("aa", "b")]), "aaa"), None);
        assert_eq!(apply_edits(&edits(&[("üü", "b")]), "xüüx").as_deref(), Some("xbx"));
    }
}
