//! Source that attacks its reader, and parsers that die: each costs a file, never the site.

use std::{os::unix::fs::PermissionsExt, path::PathBuf, time::Duration};

use tempfile::TempDir;

use super::{context, fixture, options, parser, site};
use crate::writers::{Failure, PlanWish, Writer, builtin::open};

const RUST: (&str, &str) = ("Cargo.toml", "[package]\nname = \"demo\"\nversion = \"1.0.0\"\n");
const ENDINGS: [&str; 9] = ["rs", "py", "js", "ts", "tsx", "go", "java", "h", "hpp"];

/// A script that stands in for the parser.
fn script(body: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("parser");
    std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    (folder, path)
}

#[tokio::test]
async fn deep_nesting_and_yaml_in_disguise_cost_at_most_their_own_file() {
    let mut files = vec![
        (RUST.0.to_owned(), RUST.1.to_owned()),
        ("src/lib.rs".into(), "/// Fine.\npub fn fine() {}\n".into()),
        ("lib/fine.go".into(), "package lib\n\n// Fine is fine.\nfunc Fine() {}\n".into()),
    ];
    for ending in ENDINGS {
        for (name, text) in [("round", "("), ("curly", "{"), ("square", "["), ("angle", "<"), ("quote", "\"\"\"\\")] {
            files.push((format!("bad/{name}.{ending}"), text.repeat(if name == "quote" { 10_000 } else { 100_000 })));
        }
        files.push((format!("bad/yaml.{ending}"), "- ".repeat(400)));
        files.push((format!("bad/else.{ending}"), "if a { } else ".repeat(5_000)));
        files.push((format!("bad/call.{ending}"), "f(a, ".repeat(50_000)));
    }
    let fixture = fixture(files.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    let writer = open(&fixture.checkout, options());
    let (_, pages) = site(&writer).await;
    assert!(pages.values().any(|text| text.contains("pub fn fine()")), "{:?}", writer.findings());
    assert!(pages.values().any(|text| text.contains("func Fine()")), "{:?}", writer.findings());
    assert!(writer.findings().iter().all(|finding| finding.contains("`bad/")), "{:?}", writer.findings());
}

#[tokio::test]
async fn brackets_without_end_in_documents_take_no_time() {
    for text in ["[", "<a", "[a](", "![", "`", "<!--", "{ref}`", "| "] {
        let readme = format!("# Demo\n\n{}\n", text.repeat(100_000 / text.len()));
        let fixture = fixture([("README.md", readme.as_str()), ("docs/a.md", &readme), ("docs/b.rst", &readme)]);
        let started = std::time::Instant::now();
        site(&open(&fixture.checkout, options())).await;
        // what looks again and again for the other bracket would take minutes
        assert!(started.elapsed() < Duration::from_mins(1), "{text:?} took {:?}", started.elapsed());
    }
}

#[tokio::test]
async fn a_parser_that_dies_costs_one_file() {
    let (folder, _) = script("");
    // making the folder succeeds once, so exactly one child dies, once
    let body = format!(
        "/bin/mkdir {}/died 2>/dev/null && kill -9 $$\nexec {} parse-source",
        folder.path().display(),
        parser().display()
    );
    let (_keep, parser_command) = script(&body);
    let files: Vec<(String, String)> =
        (0..8).map(|n| (format!("src/m{n}.py"), format!("def f{n}():\n    \"\"\"Says {n}.\"\"\"\n"))).collect();
    let fixture = fixture(files.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    let writer = open(&fixture.checkout, super::BuiltinOptions { parser_command, ..options() });
    let (_, pages) = site(&writer).await;
    let told = (0..8).filter(|n| pages.values().any(|text| text.contains(&format!("Says {n}.")))).count();
    assert_eq!(told, 7, "{:?}", writer.findings());
    let findings = writer.findings();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(
        findings[0].starts_with("`src/m") && findings[0].contains("was not parsed: the parser ended early"),
        "{findings:?}"
    );
}

#[tokio::test]
async fn a_parser_that_always_dies_leaves_a_site_without_reference() {
    let (_keep, parser_command) = script("kill -9 $$");
    let mut files = vec![("README.md".to_owned(), "# Demo\n\nStill here.\n".to_owned())];
    files.extend((0..60).map(|n| (format!("m{n}.py"), format!("def f{n}(): pass\n"))));
    let fixture = fixture(files.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    let writer = open(&fixture.checkout, super::BuiltinOptions { parser_command, ..options() });
    let (_, pages) = site(&writer).await;
    assert!(pages["overview"].contains("Still here."));
    let findings = writer.findings();
    assert_eq!(findings.len(), 22, "{findings:?}");
    assert!(findings[21].contains("20 files were not parsed because parsing failed 10 times"), "{findings:?}");
}

#[tokio::test]
async fn a_parser_that_hangs_or_babbles_is_replaced() {
    for (body, reason) in
        [("exec /bin/sleep 600", "no answer within 0.2 s"), ("echo hello; exec /bin/sleep 600", "cannot be read")]
    {
        let (_keep, parser_command) = script(body);
        let fixture = fixture([("a.py", "def f(): pass\n")]);
        let mut options = super::BuiltinOptions { parser_command, ..options() };
        options.parser_limits.answer_time = Duration::from_millis(200);
        let writer = open(&fixture.checkout, options);
        site(&writer).await;
        let findings = writer.findings();
        assert!(findings.len() == 1 && findings[0].contains(reason), "{findings:?}");
    }
}

#[tokio::test]
async fn a_cancelled_run_does_not_wait_for_a_hanging_parser() {
    let (_keep, parser_command) = script("exec /bin/sleep 600");
    let fixture = fixture([("a.py", "def f(): pass\n")]);
    let writer = open(&fixture.checkout, super::BuiltinOptions { parser_command, ..options() });
    let context = context();
    context.cancel.cancel();
    let error = writer.plan(&context, &PlanWish::default()).await.unwrap_err();
    assert_eq!(error.failure, Failure::Cancelled);
}

#[tokio::test]
async fn a_parser_that_cannot_be_started_is_the_hosts_failure() {
    let fixture = fixture([("a.py", "def f(): pass\n")]);
    let writer =
        open(&fixture.checkout, super::BuiltinOptions { parser_command: "/nowhere/parser".into(), ..options() });
    let error = writer.plan(&context(), &PlanWish::default()).await.unwrap_err();
    assert_eq!(error.failure, Failure::Host);
}
