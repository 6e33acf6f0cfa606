//! Tests of what a newer commit means for sections: single rules, and random edits against a slow and simple search.

use std::{collections::BTreeMap, sync::Arc};

use super::*;
use crate::{
    grounding::index::FileText,
    test_support::random::{Random, edit},
};

type Files = BTreeMap<String, String>;

fn change(path: &str, kind: ChangeKind) -> Change {
    Change { path: path.into(), kind, diff: None }
}

fn cite(path: &str, lines: Option<(u32, u32)>) -> Citation {
    let state = CitationState::Exact;
    Citation { written: path.into(), path: path.into(), lines, content_hash: String::new(), state }
}

fn section(position: u32, text: &str, citations: Vec<Citation>, identifiers: &[&str]) -> OldSection {
    OldSection {
        position,
        heading: String::new(),
        content_hash: String::new(),
        text: text.into(),
        citations,
        identifiers: identifiers.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn judged(sections: Vec<OldSection>, old: &Files, new: &Files, changes: &[Change]) -> JudgedPage {
    let read =
        |files: &Files, path: &str| files.get(path).and_then(|text| FileText::read(text.as_bytes()).map(Arc::new));
    let unchanged = |wanted: &BTreeSet<String>| {
        let same = new.iter().filter(|(path, _)| !changes.iter().any(|change| change.path == **path));
        same.flat_map(|(_, text)| words(text)).filter(|word| wanted.contains(*word)).map(str::to_owned).collect()
    };
    let commits =
        Commits { changes, old: &|path| read(old, path), new: &|path| read(new, path), words_elsewhere: &unchanged };
    judge(&[OldPage { slug: "p".parse().unwrap(), sections }], &commits).remove(0)
}

fn files(files: &[(&str, &str)]) -> Files {
    files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

#[test]
fn a_section_that_cites_stands_on_its_lines_and_another_on_the_files_that_it_names() {
    use SectionState::{Changed, Lost, Unchanged};
    let old = files(&[("a.rs", "one\ntwo\nthree\n"), ("b.rs", "b\n")]);
    let new = files(&[("a.rs", "one\nTWO\nthree\n")]);
    let changes = [change("a.rs", ChangeKind::Modified), change("b.rs", ChangeKind::Deleted)];
    let sections = vec![
        section(0, "See `a.rs`.", vec![cite("a.rs", Some((1, 1)))], &[]),
        section(1, "See `a.rs`.", vec![cite("a.rs", Some((2, 2)))], &[]),
        section(2, "See `./a.rs:2`.", vec![], &[]),
        section(3, "```\n`a.rs`\n```\nNothing.", vec![], &[]),
        section(4, "See `b.rs`.", vec![cite("a.rs", Some((1, 1)))], &[]),
        section(5, "", vec![cite("b.rs", None)], &[]),
        section(6, "", vec![Citation { state: CitationState::Unresolved, ..cite("c.rs", None) }], &[]),
    ];
    let page = judged(sections, &old, &new, &changes);
    let states: Vec<_> = page.sections.iter().map(|section| section.checked.state).collect();
    assert_eq!(states, [Unchanged, Changed, Changed, Unchanged, Lost, Lost, Unchanged]);
    assert_eq!(page.sections[2].checked.reasons, [Reason::NamedFileChanged { path: "a.rs".into() }]);
    assert_eq!(page.sections[4].checked.reasons, [Reason::NamedFileGone { path: "b.rs".into() }]);
}

#[test]
fn a_name_that_stands_nowhere_any_more_is_missed() {
    let old = files(&[("a.rs", "fn renamed_one() {}\nfn moved_one() {}\nfn one() {}\n"), ("b.rs", "kept_one\n")]);
    let new = files(&[("a.rs", "fn one() {}\n"), ("b.rs", "kept_one\n"), ("c.rs", "fn moved_one() {}\n")]);
    let changes = [change("a.rs", ChangeKind::Modified), change("c.rs", ChangeKind::Added)];
    let section = |name| section(0, "", vec![cite("b.rs", None)], &[name]);
    let state = |name| judged(vec![section(name)], &old, &new, &changes).sections.remove(0).checked;
    assert_eq!(state("Module::renamed_one").reasons, [Reason::NameGone { name: "Module::renamed_one".into() }]);
    for name in ["moved_one", "kept_one", "never_there", "one"] {
        assert_eq!(state(name).state, SectionState::Unchanged, "{name}");
    }
}

/// What should become of some lines: by a search of every file, line by line.
fn expected(
    place: &(String, u32, u32),
    old: &Files,
    new: &Files,
    renames: &BTreeMap<String, String>,
) -> (SectionState, Option<CitedPlace>) {
    let (path, first, last) = place;
    let lines = |text: &str| -> Vec<String> { text.lines().map(|line| line.trim_end().to_owned()).collect() };
    let wanted = &lines(&old[path])[*first as usize - 1..*last as usize];
    let places = |path: &str| -> Vec<u32> {
        let all = new.get(path).map(|text| lines(text)).unwrap_or_default();
        (0..all.len()).filter(|at| all[*at..].starts_with(wanted)).map(|at| u32::try_from(at).unwrap() + 1).collect()
    };
    for here in [Some(path), renames.get(path)].into_iter().flatten() {
        if old.get(here) == new.get(here) && here == path {
            return (SectionState::Unchanged, None);
        }
        if let Some(at) = places(here).into_iter().min_by_key(|at| (at.abs_diff(*first), *at)) {
            let found = CitedPlace::new(here.clone(), Some((at, at + last - first)));
            let is_here = found == CitedPlace::new(path.clone(), Some((*first, *last)));
            return if is_here { (SectionState::Unchanged, None) } else { (SectionState::Moved, Some(found)) };
        }
    }
    let touched = new.keys().filter(|other| *other != path && old.get(*other) != new.get(*other));
    let elsewhere: Vec<(&String, u32)> =
        touched.flat_map(|path| places(path).into_iter().map(move |at| (path, at))).collect();
    let telling = wanted.iter().flat_map(|line| line.chars()).filter(|c| c.is_alphanumeric()).count();
    match elsewhere.as_slice() {
        [(path, at)] if telling >= 12 => {
            (SectionState::Moved, Some(CitedPlace::new((*path).clone(), Some((*at, at + last - first)))))
        }
        _ if new.contains_key(path) || renames.contains_key(path) => (SectionState::Changed, None),
        _ => (SectionState::Lost, None),
    }
}

#[test]
fn random_edits_list_exactly_what_changed() {
    for seed in 0..3_000 {
        let mut random = Random::new(seed);
        let old: Files = (0..4)
            .map(|file| {
                // few different lines, so that many stand twice
                let lines = (0..5 + random.below(25)).map(|_| format!("    line {};\n", random.below(12)));
                (format!("f{file}.rs"), lines.collect())
            })
            .collect();
        let (mut new, mut renames) = (old.clone(), BTreeMap::new());
        for _ in 0..=random.below(5) {
            let paths: Vec<String> = new.keys().cloned().collect();
            let Some(path) = paths.get(random.below(paths.len())).cloned() else { break };
            match random.below(12) {
                0 if old.contains_key(&path) => {
                    let to = format!("renamed{}.rs", renames.len());
                    let text = new.remove(&path).unwrap();
                    new.insert(to.clone(), text);
                    renames.insert(path, to);
                }
                1 => {
                    // a file that was renamed and is gone was only deleted
                    renames.retain(|_, to| *to != path);
                    new.remove(&path);
                }
                2 => {
                    drop(new.insert(
                        format!("added{}.rs", random.below(3)),
                        old[&format!("f{}.rs", random.below(4))].clone(),
                    ));
                }
                _ => {
                    let text = edit(&mut random, &new[&path]);
                    new.insert(path, text);
                }
            }
        }
        let changes = changes_between(&old, &new, &renames);
        let places: Vec<(String, u32, u32)> = (0..6)
            .map(|_| {
                let path = format!("f{}.rs", random.below(4));
                let count = u32::try_from(old[&path].lines().count()).unwrap();
                let first = 1 + u32::try_from(random.below(count as usize)).unwrap();
                let last = (first + u32::try_from(random.below(5)).unwrap()).min(count);
                (path, first, last)
            })
            .collect();
        let sections = places
            .iter()
            .zip(0..)
            .map(|((path, first, last), position)| section(position, "", vec![cite(path, Some((*first, *last)))], &[]));
        let page = judged(sections.collect(), &old, &new, &changes);
        for (place, section) in places.iter().zip(&page.sections) {
            let found = (section.checked.state, section.checked.moved.first().map(|moved| moved.to.clone()));
            let wanted = expected(place, &old, &new, &renames);
            assert_eq!(found, wanted, "seed {seed}: {place:?}\n{old:#?}\n{new:#?}\n{changes:?}");
            if let (SectionState::Moved, Some(to)) = &found {
                assert_eq!((&section.citations[0].path, section.citations[0].lines), (&to.path, to.lines()));
            }
        }
    }
}

fn changes_between(old: &Files, new: &Files, renames: &BTreeMap<String, String>) -> Vec<Change> {
    let mut changes = Vec::new();
    for (from, to) in renames {
        changes.push(change(to, ChangeKind::Renamed { from: from.clone() }));
    }
    for path in old.keys().filter(|path| !new.contains_key(*path) && !renames.contains_key(*path)) {
        changes.push(change(path, ChangeKind::Deleted));
    }
    for (path, text) in new {
        match old.get(path) {
            Some(before) if before != text => changes.push(change(path, ChangeKind::Modified)),
            None if !renames.values().any(|to| to == path) => changes.push(change(path, ChangeKind::Added)),
            _ => {}
        }
    }
    changes
}
