//! Tests of resolving: each rule, and what nobody should write.

use super::*;

/// Ten lines, the fifth to seventh of which are a function.
const LIB: &str =
    "//! A library.\n\nuse std::io;\n\npub fn begin_the_work() {\n    println!(\"begin\");\n}\n\n// the end\nmod x;\n";

fn index() -> Index {
    index_of(&[("src/lib.rs", LIB.as_bytes()), ("src/a/mod.rs", b"a\nb\n"), ("src/b/mod.rs", b"c\n")])
}

fn index_of(files: &[(&str, &[u8])]) -> Index {
    Index::of_files(files.iter().map(|(path, text)| ((*path).to_owned(), text.to_vec())))
}

fn resolve(index: &Index, text: &str) -> Vec<Citation> {
    resolve_after(index, text, &HashMap::new())
}

fn resolve_after(index: &Index, text: &str, earlier: &HashMap<String, EarlierSection>) -> Vec<Citation> {
    let resolved = Resolver::new(index, earlier).page(text);
    resolved.sections.into_iter().flat_map(|section| section.citations).collect()
}

/// State, path and lines of the only citation.
fn one(index: &Index, citation: &str) -> (CitationState, String, Option<(u32, u32)>) {
    let citations = resolve(index, &format!("# T\n\nText. [[{citation}]]\n"));
    assert_eq!(citations.len(), 1, "{citation}: {citations:?}");
    let found = citations.into_iter().next().unwrap();
    assert_eq!(found.written, citation);
    assert_eq!(found.content_hash.is_empty(), found.state == CitationState::Unresolved);
    (found.state, found.path, found.lines)
}

#[test]
fn a_citation_leads_to_its_lines_with_their_hash() {
    let found = resolve(&index(), "# T\n\n[[src/lib.rs:5-7]] [[src/lib.rs:5-7]]\n\n## A\n\n[[src/lib.rs]]\n");
    assert_eq!(found.len(), 2, "each text once");
    assert_eq!((found[0].lines, found[0].state), (Some((5, 7)), CitationState::Exact));
    let lines: String = LIB.split_inclusive('\n').skip(4).take(3).collect();
    assert_eq!(found[0].content_hash, hash(&lines));
    assert_eq!((found[1].lines, &found[1].content_hash), (None, &hash(LIB)));
}

#[test]
fn paths_are_completed_and_lines_are_cut() {
    use CitationState::{Adjusted, Exact, Unresolved};
    let index = index();
    let lib = || "src/lib.rs".to_owned();
    assert_eq!(one(&index, "src/lib.rs:1"), (Exact, lib(), Some((1, 1))));
    assert_eq!(one(&index, "./src/lib.rs:7-5"), (Exact, lib(), Some((5, 7))));
    assert_eq!(one(&index, "lib.rs:5-7"), (Adjusted, lib(), Some((5, 7))));
    assert_eq!(one(&index, "src/lib.rs:9-11"), (Adjusted, lib(), Some((9, 10))));
    assert_eq!(one(&index, "src/lib.rs:11"), (Adjusted, lib(), Some((10, 10))));
    assert_eq!(one(&index, "src/lib.rs:9-40").0, Unresolved);
    assert_eq!(one(&index, "src/lib.rs:12-13").0, Unresolved);
    assert_eq!(one(&index, "mod.rs:1").0, Unresolved);
    assert_eq!(one(&index, "src/no.rs:1").0, Unresolved);
}

#[test]
fn what_nobody_should_write_leads_nowhere() {
    let index = index();
    let long = format!("{}lib.rs:1", "src/".repeat(110));
    for citation in [
        "/etc/passwd",
        "/etc/passwd:1-3",
        "../x",
        "src/../../etc/passwd:1",
        "https://example.org/src/lib.rs",
        "file:///etc/passwd",
        "src/lib.rs:0",
        "src/lib.rs:0-0",
        "src/lib.rs:4294967295-4294967295",
        "src/lib.rs:1-99999999999999999999",
        "src/lib.rs:1-4294967295",
        "src\\lib.rs:1",
        "src/l\u{0}ib.rs:1",
        "src/\u{202e}lib.rs:1",
        "src/lib\n.rs:1",
        "src/%6cib.rs:1",
        &long,
    ] {
        assert_eq!(one(&index, citation).0, CitationState::Unresolved, "{citation:?}");
    }
    // no citations at all, for nobody
    assert!(resolve(&index, "# T\n\n[[nodiscard]] [[ -f x/y ]] `[[src/lib.rs]]`\n").is_empty());
}

#[test]
fn ten_megabytes_of_citations_are_cut_and_it_is_told() {
    let index = index();
    for (piece, heading) in [("[[src/lib.rs:1]] ", ""), ("[[src/lib.rs:1-3]] ", "\n## A\n"), ("[[nowhere/x.rs:7]]", "")]
    {
        let text: String = (0..(10 << 20) / 30).fold(String::from("# T\n\n"), |mut text, number| {
            text.push_str(
                &piece.replace("lib.rs", &format!("{number}/lib.rs")).replace("x.rs", &format!("{number}.rs")),
            );
            text.push_str(if number % 50 == 0 { heading } else { "" });
            text
        });
        let none = HashMap::new();
        let resolved = Resolver::new(&index, &none).page(&text);
        assert!(resolved.is_cut);
        let count: usize = resolved.sections.iter().map(|section| section.citations.len()).sum();
        assert!(count <= MAX_PAGE_CITATIONS, "{count}");
        assert!(resolved.sections.iter().all(|section| section.citations.len() <= MAX_SECTION_CITATIONS));
    }
}

#[test]
fn files_of_every_make_are_cited() {
    let index = index_of(&[
        ("crlf.txt", b"one\r\ntwo\r\n"),
        ("open.txt", b"one\ntwo"),
        ("latin.txt", b"caf\xe9\ntwo\n"),
        ("empty.txt", b""),
        ("binary.bin", b"\x00\x01\x02"),
        ("line\nbreak.txt", b"x\n"),
        ("\u{fc}nicode \u{1f600}.txt", b"x\n"),
    ]);
    let two = || hash("two\n");
    let found = resolve(&index, "[[crlf.txt:2]] [[open.txt:2]] [[latin.txt:2]] [[\u{fc}nicode \u{1f600}.txt:1]]");
    assert_eq!(found.len(), 4);
    assert!(found.iter().all(|citation| citation.state == CitationState::Exact), "{found:?}");
    assert_eq!((&found[0].content_hash, &found[2].content_hash), (&two(), &two()));
    assert_eq!(found[1].content_hash, hash("two"));
    for (citation, state) in [("empty.txt:1", "unresolved"), ("binary.bin:1", "unresolved"), ("empty.txt", "exact")] {
        assert_eq!(one(&index, citation).0.as_str(), state, "{citation}");
    }
}

/// What an earlier run knew of the only section of a text.
fn earlier(index: &Index, text: &str) -> HashMap<String, EarlierSection> {
    let citations = resolve(index, text);
    HashMap::from([(hash(text), EarlierSection { citations, cost_usd: None })])
}

#[test]
fn lines_that_moved_are_found_by_their_hash() {
    use CitationState::{Exact, Moved};
    let text = "The work begins. [[src/lib.rs:5-7]]";
    let known = earlier(&index(), text);
    let found = |files: &[(&str, &[u8])]| {
        let found = resolve_after(&index_of(files), text, &known).remove(0);
        (found.state, found.path, found.lines)
    };
    let lower = format!("// new\n// lines\n{LIB}");
    assert_eq!(found(&[("src/lib.rs", LIB.as_bytes())]), (Exact, "src/lib.rs".into(), Some((5, 7))));
    assert_eq!(found(&[("src/lib.rs", lower.as_bytes())]), (Moved, "src/lib.rs".into(), Some((7, 9))));
    // the file was renamed, or its text went into another one
    let other: &[(&str, &[u8])] = &[("src/lib.rs", b"mod work;\n"), ("src/work.rs", lower.as_bytes())];
    assert_eq!(found(other), (Moved, "src/work.rs".into(), Some((7, 9))));
    assert_eq!(found(&[("core/lib.rs", lower.as_bytes())]), (Moved, "core/lib.rs".into(), Some((7, 9))));
    // changed where it stands: the lines that are there now
    let edited = LIB.replace("begin\"", "start\"");
    assert_eq!(found(&[("src/lib.rs", edited.as_bytes())]), (Exact, "src/lib.rs".into(), Some((5, 7))));
    assert_eq!(found(&[("src/other.rs", b"x\n")]).0, CitationState::Unresolved);
}

#[test]
fn what_moved_twice_is_followed_from_where_it_was_last() {
    let text = "The work begins. [[src/lib.rs:5-7]]";
    let first = earlier(&index(), text);
    let lower = index_of(&[("src/lib.rs", format!("//\n//\n{LIB}").as_bytes())]);
    let second = resolve_after(&lower, text, &first);
    let second = HashMap::from([(hash(text), EarlierSection { citations: second, cost_usd: None })]);
    let lowest = index_of(&[("src/lib.rs", format!("//\n//\n//\n{LIB}").as_bytes())]);
    let third = resolve_after(&lowest, text, &second).remove(0);
    assert_eq!((third.state, third.lines), (CitationState::Moved, Some((8, 10))));
    let stayed = resolve_after(&lower, text, &second).remove(0);
    assert_eq!((stayed.state, stayed.lines), (CitationState::Moved, Some((7, 9))));
    let back = resolve_after(&index(), text, &second).remove(0);
    assert_eq!((back.state, back.lines), (CitationState::Exact, Some((5, 7))));
}

#[test]
fn a_whole_file_is_found_in_another_folder() {
    let text = "All of it. [[src/lib.rs]]";
    let known = earlier(&index(), text);
    let moved = resolve_after(&index_of(&[("core/lib.rs", LIB.as_bytes())]), text, &known).remove(0);
    assert_eq!((moved.state, moved.path.as_str(), moved.lines), (CitationState::Moved, "core/lib.rs", None));
}

#[test]
fn a_brace_is_not_found_in_another_file() {
    let text = "It ends. [[src/lib.rs:7]]";
    let known = earlier(&index(), text);
    let found = resolve_after(&index_of(&[("src/other.rs", b"fn x() {\n}\n")]), text, &known).remove(0);
    assert_eq!(found.state, CitationState::Unresolved);
}

#[test]
fn a_section_of_other_words_is_not_followed() {
    let known = earlier(&index(), "Old words. [[src/lib.rs:5-7]]");
    let lower = index_of(&[("src/lib.rs", format!("//\n//\n{LIB}").as_bytes())]);
    let found = resolve_after(&lower, "New words. [[src/lib.rs:5-7]]", &known).remove(0);
    assert_eq!((found.state, found.lines), (CitationState::Exact, Some((5, 7))));
}

#[test]
fn searching_for_lines_is_bounded() {
    let lines: Vec<String> = (0..100_000).map(|number| format!("line {number} of a file that is generated")).collect();
    let lines = lines.join("\n");
    let index = index_of(&[("big.txt", lines.as_bytes()), ("bigger.txt", lines.as_bytes())]);
    let mut budget = HashBudget::default();
    let nowhere = hash("nowhere");
    for _ in 0..3 {
        assert_eq!(find_lines(&index, "gone.txt", (1, 50_000), &nowhere, &mut budget), None);
    }
    assert_eq!(find_lines(&index, "big.txt", (9, 3), &nowhere, &mut budget), None);
    assert_eq!(find_lines(&index, "big.txt", (0, u32::MAX), &nowhere, &mut budget), None);
}

#[test]
fn sections_have_hashes_places_and_names() {
    let text = "# T\n\nIt calls `begin_the_work()`. [[src/lib.rs:5]]\n\n## Next\n\n`io` and `io`.\n";
    let none = HashMap::new();
    let index = index();
    let found = Resolver::new(&index, &none).page(text);
    let sections = &found.sections;
    assert_eq!(sections.len(), 2);
    assert_eq!((sections[1].heading.as_str(), sections[1].position), ("Next", 1));
    let (start, end) = sections[1].bytes;
    assert_eq!(hash(&text[start as usize..end as usize]), sections[1].content_hash);
    assert_eq!(sections[0].identifiers, ["begin_the_work"]);
    assert_eq!(sections[1].identifiers, ["io"]);
}
