//! Files that are no text, too large, or made to hurt: each costs at most itself.

use super::*;

#[test]
fn what_is_not_utf8_or_has_other_line_ends_is_text_all_the_same() {
    let fixture = Fixture::new(&[
        ("latin.py", b"# caf\xe9\ndef serve():\n    pass\n"),
        ("crlf.py", b"def one():\r\n    pass\r\n\r\ndef two():\r\n    pass"),
        ("marked.py", b"\xef\xbb\xbfdef marked():\n    pass\n"),
        ("empty.py", b""),
        ("ends.py", b"\n\n\n"),
        ("old-mac.py", b"def a():\r    pass\r"),
        ("binary.py", b"def hidden():\n    pass\n\0"),
        ("utf16.txt", b"\xff\xfeh\0i\0\n\0"),
    ]);
    let (index, done) = fixture.build();
    assert_eq!(done.findings, Vec::<String>::new());
    let place = |name: &str| index.definitions(name).iter().map(|found| found.lines).collect::<Vec<_>>();
    assert_eq!((place("serve"), place("one"), place("two")), (vec![(2, 3)], vec![(1, 2)], vec![(4, 5)]));
    assert_eq!((place("marked"), place("hidden")), (vec![(1, 2)], vec![]));
    let lines = |path: &str| index.file(path).unwrap().lines;
    let expected = [Some(3), Some(5), Some(2), Some(0), Some(3), Some(1), None, None];
    let paths = ["latin.py", "crlf.py", "marked.py", "empty.py", "ends.py", "old-mac.py", "binary.py", "utf16.txt"];
    assert_eq!(paths.map(lines), expected);
    // what the index counts is what a citation finds
    for path in paths {
        let text = index.text(path);
        assert_eq!(text.as_ref().map(|text| text.line_count()), lines(path), "{path}");
    }
    assert_eq!(index.text("crlf.py").unwrap().lines(1, 2), Some("def one():\n    pass\n"));
    assert!(!index.has_word("hidden") && index.has_word("serve"));
}

#[test]
fn large_files_cost_no_more_than_their_limit() {
    let line = "export function made() { return 'of many words'; }\n";
    let generated = line.repeat((50 << 20) / line.len());
    let parsed_no_more = format!("export const late = 1;\n{}", line.repeat((700 << 10) / line.len()));
    // one line of three megabytes, and one of sixty, of which nothing is read: it costs what a gigabyte would
    let long = format!("var x = '{}';", "word ".repeat(600_000));
    let longer = "y".repeat(60 << 20);
    let fixture = Fixture::new(&[
        ("src/fine.js", b"export function fine() {}\n"),
        ("src/generated.js", generated.as_bytes()),
        ("src/tokens.js", parsed_no_more.as_bytes()),
        ("src/long.js", long.as_bytes()),
        ("src/longer.js", longer.as_bytes()),
    ]);
    let (index, done) = fixture.build();
    assert_eq!((done.read, done.parsed), (3, 1), "{done:?}");
    assert_eq!(index.definitions("fine").len(), 1);
    assert!(index.definitions("late").is_empty() && index.has_word("late"));
    assert!(!index.has_word("made") || index.file("src/generated.js").unwrap().lines.is_none());
    assert_eq!(index.file("src/generated.js").unwrap().bytes, generated.len() as u64);
    assert_eq!(index.file("src/long.js").unwrap().lines, Some(1));
    assert_eq!(index.text("src/long.js").unwrap().lines(1, 1).map(str::len), Some(long.len()));
    assert_eq!((index.text("src/generated.js"), index.text("src/longer.js")), (None, None));
}

#[test]
fn deep_nesting_costs_at_most_its_own_file() {
    let endings = ["rs", "py", "js", "ts", "tsx", "go", "java", "c", "hpp", "cs", "rb", "php", "kt", "swift", "sh"];
    let mut files: Vec<(String, Vec<u8>)> = vec![("src/fine.go".into(), b"package a\nfunc Fine() {}\n".to_vec())];
    for ending in endings {
        let start = if ending == "php" { "<?php " } else { "" };
        for (name, text) in
            [("round", "("), ("curly", "{"), ("square", "["), ("quote", "\"\"\"\\"), ("class", "class A { ")]
        {
            files.push((format!("bad/{name}.{ending}"), format!("{start}{}", text.repeat(20_000)).into_bytes()));
        }
    }
    let borrowed: Vec<(&str, &[u8])> = files.iter().map(|(path, text)| (path.as_str(), text.as_slice())).collect();
    let fixture = Fixture::new(&borrowed);
    let (index, done) = fixture.build();
    assert_eq!(index.definitions("Fine").len(), 1, "{:?}", done.findings);
    assert!(done.findings.iter().all(|finding| finding.contains("`bad/")), "{:?}", done.findings);
    assert!(index.files().iter().all(|file| file.lines.is_some()));
}

#[test]
fn a_parser_that_dies_leaves_words_and_is_tried_again_for_the_next_commit() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("parser");
    std::fs::write(&script, "#!/bin/sh\nkill -9 $$\n").unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let files: Vec<(String, Vec<u8>)> =
        (0..50).map(|n| (format!("m{n}.py"), format!("def f{n}(): pass\n").into_bytes())).collect();
    let borrowed: Vec<(&str, &[u8])> = files.iter().map(|(path, text)| (path.as_str(), text.as_slice())).collect();
    let fixture = Fixture::new(&borrowed);
    let kept = fixture.path("kept.index");
    let dying = |build| Build { parser: (&script, patient()), keep: Some(&kept), ..build };
    let (index, done) = fixture.build_with(dying);
    assert!(done.findings.len() >= 20 && done.findings.len() <= 22, "{:?}", done.findings);
    assert_eq!((index.definitions.all(index.files()).len(), index.files().len()), (0, 50));
    assert!((0..50).all(|n| index.has_word(&format!("f{n}"))));
    let (index, done) = fixture.build_with(|build| Build { known: Some(&kept), ..build });
    assert_eq!((done.known, done.read), (0, 50));
    assert_eq!(index.definitions("f7").len(), 1);

    // at what it failed twice it is not tried a third time; what it did not come to is no fault of the file
    let again = fixture.path("again.index");
    let dying_again = |build| Build { parser: (&script, patient()), known: Some(&kept), keep: Some(&again), ..build };
    fixture.build_with(dying_again);
    let third = fixture.path("third.index");
    let (index, done) = fixture.build_with(|build| Build { known: Some(&again), keep: Some(&third), ..build });
    assert_eq!((done.known, done.read, done.parsed), (20, 30, 30), "{:?}", done.findings);
    assert!((0..50).all(|n| index.has_word(&format!("f{n}"))));
    let (_, done) = fixture.build_with(|build| Build { known: Some(&third), ..build });
    assert_eq!((done.known, done.read), (50, 0));
}

#[test]
fn a_cancelled_build_ends_with_an_error() {
    let fixture = Fixture::new(&[("a.py", b"def f(): pass\n"), ("a.txt", b"words\n")]);
    let cancel = CancellationToken::new();
    cancel.cancel();
    let (program, filter) = (parser(), PathFilter::default());
    let build = Build {
        checkout: &fixture.checkout,
        filter: &filter,
        name: "demo",
        parser: (&program, patient()),
        known: None,
        keep: None,
        cancel: &cancel,
    };
    assert!(Index::of_checkout(&build).is_err());
}

#[test]
fn odd_paths_lead_nowhere() {
    let fixture = Fixture::new(&[("a/b.py", b"x = 1\n"), ("c/b.py", b"y = 1\n"), ("a b/é.py", b"z = 1\n")]);
    let (index, _) = fixture.build();
    let long = "x/".repeat(500_000);
    for path in
        ["", "/", "/etc/passwd", "../x", "a/../a/b.py", "a\n/b.py", "\0", "b.py\0", "https://a/b.py", long.as_str()]
    {
        assert_eq!(index.find_path(path), PathMatch::Missing, "{path:.40?}");
        assert!(index.text(path).is_none());
    }
    assert!(matches!(index.find_path("b.py"), PathMatch::Ambiguous(found) if found.len() == 2));
    assert!(matches!(index.find_path("é.py"), PathMatch::Suffix(_)));
    assert!(matches!(index.find_path("a b/é.py"), PathMatch::Exact(_)));
}
