//! Tests of finding cited lines again.

use std::collections::BTreeMap;

use super::*;

type Files = BTreeMap<String, String>;

fn files(files: &[(&str, &str)]) -> Files {
    files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

fn change(path: &str, kind: ChangeKind) -> Change {
    Change { path: path.into(), kind, diff: None }
}

fn anchor(old: &Files, new: &Files, changes: &[Change], path: &str, lines: Option<(u32, u32)>) -> Anchor {
    let read =
        |files: &Files, path: &str| files.get(path).and_then(|text| FileText::read(text.as_bytes()).map(Arc::new));
    let (old, new) = (|path: &str| read(old, path), |path: &str| read(new, path));
    Anchoring::new(changes, &old, &new).find(&Place { path: path.into(), lines })
}

fn moved(path: &str, lines: Option<(u32, u32)>) -> Anchor {
    Anchor::Moved(Place { path: path.into(), lines })
}

const MODULE: &str = "use std::io;\n\nfn one() {\n    1\n}\n\nfn two() {\n    2\n}\n";

#[test]
fn lines_are_found_at_their_place_and_elsewhere_in_their_file() {
    let old = files(&[("a.rs", MODULE)]);
    let new = files(&[("a.rs", &format!("//! New.\n{MODULE}").replace("    1\n", "    11\n"))]);
    let changes = [change("a.rs", ChangeKind::Modified)];
    let find = |lines| anchor(&old, &new, &changes, "a.rs", Some(lines));
    assert_eq!(find((7, 9)), moved("a.rs", Some((8, 10))));
    assert_eq!(find((3, 5)), Anchor::Changed);
    assert_eq!(find((1, 1)), moved("a.rs", Some((2, 2))));
    assert_eq!(find((9, 99)), Anchor::Kept, "lines that were never there cannot change");
    assert_eq!(anchor(&old, &new, &changes, "a.rs", None), Anchor::Changed);
    assert_eq!(anchor(&old, &new, &changes, "b.rs", Some((1, 1))), Anchor::Kept, "an untouched file is not read");
}

#[test]
fn line_ends_and_spaces_before_them_do_not_count() {
    let old = files(&[("a.rs", MODULE)]);
    let new = files(&[("a.rs", &MODULE.replace('\n', "  \r\n"))]);
    let changes = [change("a.rs", ChangeKind::Modified)];
    for lines in [None, Some((1, 9)), Some((3, 5))] {
        assert_eq!(anchor(&old, &new, &changes, "a.rs", lines), Anchor::Kept, "{lines:?}");
    }
}

#[test]
fn of_two_places_the_nearest_is_taken_and_of_two_as_near_the_earlier() {
    let old = files(&[("a.rs", "x\nx\nx\nlet target = 1;\n")]);
    let changes = [change("a.rs", ChangeKind::Modified)];
    let find = |text: &str| anchor(&old, &files(&[("a.rs", text)]), &changes, "a.rs", Some((4, 4)));
    assert_eq!(find("let target = 1;\nx\nx\nx\nlet target = 1;\n"), moved("a.rs", Some((5, 5))));
    assert_eq!(find("x\nlet target = 1;\nx\nx\nx\nlet target = 1;\n"), moved("a.rs", Some((2, 2))));
}

#[test]
fn lines_follow_a_renamed_file_and_a_move_into_another_one() {
    let old = files(&[("a.rs", MODULE), ("b.rs", "mod b;\n")]);
    let renamed = [change("c.rs", ChangeKind::Renamed { from: "a.rs".into() })];
    let new = files(&[("c.rs", &format!("// c\n{MODULE}")), ("b.rs", "mod b;\n")]);
    assert_eq!(anchor(&old, &new, &renamed, "a.rs", Some((3, 5))), moved("c.rs", Some((4, 6))));
    let same = files(&[("c.rs", MODULE)]);
    assert_eq!(anchor(&old, &same, &renamed, "a.rs", None), moved("c.rs", None));

    let extracted = [change("a.rs", ChangeKind::Deleted), change("b.rs", ChangeKind::Modified)];
    let taken_in = files(&[("b.rs", &format!("mod b;\n{MODULE}"))]);
    assert_eq!(anchor(&old, &taken_in, &extracted, "a.rs", Some((1, 5))), moved("b.rs", Some((2, 6))));
    assert_eq!(anchor(&old, &taken_in, &extracted, "a.rs", Some((5, 5))), Anchor::Gone, "a bracket tells nothing");
    let twice = files(&[("b.rs", &format!("{MODULE}{MODULE}"))]);
    assert_eq!(anchor(&old, &twice, &extracted, "a.rs", Some((1, 5))), Anchor::Gone, "nobody knows which");
}

#[test]
fn a_file_that_took_the_place_of_a_renamed_one_is_looked_at_too() {
    let old = files(&[("a.rs", MODULE)]);
    let new = files(&[("a.rs", "fn two() {\n    2\n}\n"), ("b.rs", "use std::io;\n\nfn one() {\n    1\n}\n")]);
    let changes = [change("b.rs", ChangeKind::Renamed { from: "a.rs".into() }), change("a.rs", ChangeKind::Added)];
    assert_eq!(anchor(&old, &new, &changes, "a.rs", Some((7, 9))), moved("a.rs", Some((1, 3))));
    assert_eq!(anchor(&old, &new, &changes, "a.rs", Some((3, 5))), moved("b.rs", Some((3, 5))));
    assert_eq!(anchor(&old, &new, &changes, "a.rs", Some((1, 9))), Anchor::Changed);
}

#[test]
fn a_file_of_equal_lines_is_searched_quickly() {
    let old = files(&[("a.rs", &"same\n".repeat(60))]);
    let new = files(&[("a.rs", &format!("first\n{}", "same\n".repeat(200_000)))]);
    let changes = [change("a.rs", ChangeKind::Modified)];
    assert_eq!(anchor(&old, &new, &changes, "a.rs", Some((1, 60))), moved("a.rs", Some((2, 61))));
    let gone = files(&[("a.rs", "other line of text\n"), ("b.rs", MODULE)]);
    assert_eq!(anchor(&old, &gone, &changes, "a.rs", Some((1, 60))), Anchor::Changed);
}
