//! `docmill check` as people and CI call it: what it prints, what its code says, and which ways of citing it understands.

use std::{fs, os::unix::fs::chown, path::Path};

use serde_json::Value;
use tempfile::TempDir;

use super::run;
use crate::support::repository::Repository;

const BODY: &str =
    "Adder is a small library that adds numbers, and this page says what it offers and where each part of it stands.";

/// A repository with a page that is true and a page that is not.
fn project() -> Repository {
    let repository = Repository::library("adder");
    repository.git(&["remote", "add", "origin", "git@github.com:acme/adder.git"]);
    repository.write("docs/good/index.md", &page("Call `add`. [[src/lib.rs:3-6]]"));
    repository.write("docs/bad/index.md", &page("Call `take_away()`. [[src/lib.rs:93-96]] [on](gone.md)"));
    repository.commit("docs");
    repository
}

fn page(text: &str) -> String {
    format!("# Adder\n\n{BODY}\n\n{text}\n")
}

/// Code, standard output, standard error.
fn check(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = run(&[&["check"], arguments].concat(), &[]);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn report(arguments: &[&str]) -> Value {
    let (code, out, error) = check(&[arguments, &["--json"]].concat());
    assert_eq!((code, error.as_str()), (Some(0), ""), "{out}");
    serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}"))
}

fn below(folder: &Path, path: &str) -> String {
    folder.join(path).to_str().unwrap().to_owned()
}

#[test]
fn the_code_says_whether_the_grade_is_good_enough_and_2_that_nothing_could_be_checked() {
    let project = project();
    let folder = project.path();
    let (good, bad) = (below(&folder, "docs/good"), below(&folder, "docs/bad"));
    let (code, out, error) = check(&[&good, "--min-grade", "a"]);
    assert_eq!((code, error.as_str()), (Some(0), ""), "{out}");
    assert!(out.starts_with("Grade A ("), "{out}");
    let (code, out, error) = check(&[&bad, "--min-grade", "A"]);
    assert_eq!((code, error.as_str()), (Some(1), "docmill: the grade F is below A\n"), "{out}");
    for said in ["index.md", "error   citation", "`take_away()` does not exist", "`gone.md` leads to no page"] {
        assert!(out.contains(said), "{said}: {out}");
    }
    assert_eq!(check(&[&bad]).0, Some(0), "without a grade that is asked for, any is good enough");

    let (file, empty) = (below(&folder, "Cargo.toml"), below(&folder, "src"));
    let cases: [(&[&str], &str); 8] = [
        (&["/nowhere/at/all"], "cannot be read"),
        (&[&file], "not a folder"),
        (&[&empty], "no Markdown or HTML file"),
        (&[&good, "--commit", "fffffff"], "no commit `fffffff`"),
        (&[&good, "--repo", &empty], "not a Git repository"),
        (&[&good, "--min-grade", "E"], "E"),
        (&[&good, "--minimum"], "--minimum"),
        (&[], "<DIR>"),
    ];
    for (arguments, said) in cases {
        let (code, out, error) = check(arguments);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments:?}: {error}");
        assert!(error.contains(said) && !error.contains("panicked"), "{arguments:?}: {error}");
    }
}

#[test]
fn json_has_pages_findings_and_the_score_and_is_the_same_every_time() {
    let project = project();
    let docs = below(&project.path(), "docs");
    let (code, out, _) = check(&[&docs, "--json", "--min-grade", "A"]);
    assert_eq!(code, Some(1), "the report is printed, and the code says what it says without it");
    assert_eq!(check(&[&docs, "--json"]).1, out);
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["commit"], project.git(&["rev-parse", "HEAD"]));
    assert_eq!(report["remarks"], Value::Array(Vec::new()));
    let paths: Vec<&str> =
        report["pages"].as_array().unwrap().iter().map(|page| page["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["bad/index.md", "good/index.md"]);
    let section = &report["pages"][1]["sections"][0];
    assert_eq!((&section["verified"], &section["counts"]["resolved"]), (&true.into(), &1.into()), "{section}");
    assert_eq!(section["citations"][0]["path"], "src/lib.rs");
    let finding = report["findings"].as_array().unwrap().iter().find(|finding| finding["rule"] == "name").unwrap();
    assert_eq!((&finding["path"], &finding["section"]), (&"bad/index.md".into(), &0.into()), "{finding}");
    assert_eq!(finding["evidence"], "take_away()");
    for field in ["severity", "message", "fix"] {
        assert!(finding[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {finding}");
    }
    let score = &report["score"];
    assert!(score["points"].is_f64() && score["grade"].is_string(), "{score}");
    let valid = score["valid_percent"].as_f64().unwrap();
    assert!((valid - 50.0).abs() < 0.01, "{score}");
}

#[test]
fn links_to_lines_on_every_repository_host_are_citations_in_markdown_and_html() {
    let repository = Repository::library("adder");
    repository.git(&["remote", "add", "origin", "https://git.example.org/acme/adder.git"]);
    let commit = repository.git(&["rev-parse", "HEAD"]);
    let links = |lines: &[[&str; 3]]| -> Vec<String> {
        let forms = [
            ("https://github.com/acme/adder/blob/main/src/lib.rs#", "L", "-L"),
            ("https://github.com/acme/adder/blob/COMMIT/src/lib.rs#", "L", "-L"),
            ("https://gitlab.com/group/sub/adder/-/blob/COMMIT/src/lib.rs#", "L", "-"),
            ("https://bitbucket.org/acme/adder/src/COMMIT/src/lib.rs#", "lines-", ":"),
            ("https://gitea.example.org/acme/adder/src/branch/feature/x/src/lib.rs#", "L", "-L"),
            ("https://codeberg.org/acme/adder/src/commit/COMMIT/src/lib.rs#", "L", "-L"),
        ];
        let of = |[at, first, last]: &[&str; 3]| {
            let (address, start, between) = forms[at.parse::<usize>().unwrap()];
            format!("{}{start}{first}{between}{last}", address.replace("COMMIT", &commit))
        };
        lines.iter().map(of).collect()
    };
    // different lines for each, so that each is a citation of its own
    let good =
        links(&[["0", "1", "4"], ["1", "2", "4"], ["2", "3", "4"], ["3", "4", "5"], ["4", "4", "6"], ["5", "8", "9"]]);
    let bad = links(&[
        ["0", "91", "94"],
        ["1", "92", "94"],
        ["2", "93", "94"],
        ["3", "94", "95"],
        ["4", "94", "96"],
        ["5", "98", "99"],
    ]);
    let folder = TempDir::new().unwrap();
    let write = |path: &str, text: &str| {
        let file = folder.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    };
    for (name, links) in [("good", &good), ("bad", &bad)] {
        let listed: Vec<String> = links.iter().map(|link| format!("- It [adds]({link}).\n")).collect();
        write(&format!("{name}-md/index.md"), &page(&listed.concat()));
        let listed: Vec<String> = links.iter().map(|link| format!("<li>It <a href='{link}'>adds</a>.</li>")).collect();
        let html =
            format!("<html><body><main><h1>Adder</h1><p>{BODY}</p><ul>{}</ul></main></body></html>", listed.concat());
        write(&format!("{name}-html/index.html"), &html);
    }
    let root = repository.path();
    for (name, expected) in [("good-md", 6), ("good-html", 6), ("bad-md", 0), ("bad-html", 0)] {
        let report = report(&[&below(folder.path(), name), "--repo", root.to_str().unwrap()]);
        let counts = &report["score"]["counts"];
        assert_eq!((&counts["citations"], &counts["resolved"]), (&6.into(), &expected.into()), "{name}: {report:#}");
    }
}

#[test]
fn pages_that_lie_elsewhere_are_held_against_the_commit_that_is_named() {
    let repository = Repository::library("adder");
    let old = repository.git(&["rev-parse", "HEAD"]);
    let source = fs::read_to_string(repository.path().join("src/lib.rs")).unwrap();
    repository.write("src/lib.rs", &source.replace("fn add(", "fn sum_up("));
    repository.commit("renamed");
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("index.md"), page("Call `sum_up()`. [[src/lib.rs:3-6]]")).unwrap();
    let docs = folder.path().to_str().unwrap();
    let bare = below(folder.path(), ".bare.git");
    repository.git(&["clone", "--quiet", "--bare", ".", &bare]);
    for place in [repository.path().to_str().unwrap(), &bare] {
        let names = |arguments: &[&str]| {
            let report = report(&[&[docs, "--repo", place], arguments].concat());
            let rules =
                report["findings"].as_array().unwrap().iter().filter(|finding| finding["rule"] == "name").count();
            (rules, report["commit"].as_str().unwrap().to_owned())
        };
        assert_eq!(names(&["--commit", &old[..9]]), (1, old.clone()), "{place}");
        assert_eq!(names(&[]).0, 0, "{place}");
        assert_eq!(names(&["--commit", "main~1"]), (1, old.clone()), "{place}");
    }
}

/// In a container the checkout of a workflow belongs to another user, and its `.env` is none of ours.
#[test]
fn a_repository_of_another_user_with_an_env_file_is_checked_all_the_same() {
    let project = project();
    let folder = project.path();
    fs::write(folder.join(".env"), "this is {none of ours").unwrap();
    let is_root = fs::metadata("/proc/self").is_ok_and(|meta| std::os::unix::fs::MetadataExt::uid(&meta) == 0);
    if is_root {
        for place in [".", ".git"] {
            chown(folder.join(place), Some(4242), Some(4242)).unwrap();
        }
    } else {
        eprintln!("not as root: the repository stays that of this user");
    }
    let arguments = ["check", "docs/good", "--min-grade", "A", "--json"];
    let output = super::command(&arguments, &[]).current_dir(&folder).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), error.as_str()), (Some(0), ""));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report["commit"].is_string(), "it was held against no repository: {report:#}");
}
