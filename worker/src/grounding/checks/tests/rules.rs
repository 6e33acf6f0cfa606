//! Single rules: what they must not say, whatever a page holds.

use std::fmt::Write as _;

use shared::evidence::{Finding, Rule, Severity};

use super::{Pages, accusations, by_model, check, files, index_of, repository, truth};
use crate::grounding::{checks::CheckOptions, index::Index};

fn page(markdown: &str) -> Pages {
    vec![("page".parse().unwrap(), markdown.to_owned())]
}

const BODY: &str =
    "Lantern is a small server for feature flags, and this page says how one part of it works in a few plain words.\n";

/// What is wrong with a page whose second section holds this text.
fn findings(text: &str) -> Vec<Finding> {
    let markdown = format!("# Page\n\n{BODY}\n## Section\n\n{text}\n");
    let checked = check(repository(), &page(&markdown), &by_model());
    checked.findings.into_iter().filter(|finding| finding.severity != Severity::Note).collect()
}

#[test]
fn no_text_makes_the_rules_fail() {
    let pieces = [
        "`",
        "``",
        "[[",
        "]]",
        "[[a.rs:0]]",
        "[[src/main.rs:99999999999999999999]]",
        "|a|b|\n|-|-|\n",
        "\u{202e}",
        "é",
        "`é(`",
        "1.2.3",
        "5 é",
        "§5",
        "\0",
        "# ",
        "## ",
        "```sh\n$ lantern \\\n",
        "~~~",
        "<think>",
        "<!-- external: ",
        "](x.html#%ff)",
        "`::`",
        "`a::`",
        "`--`",
        "`/`",
        "`GET /`",
        "5–",
        "64 KiB",
        "٣٤",
        "`\u{200b}`",
        "- ",
        "\n\n",
        "[a](",
        "%",
        "`a/../b`",
        "`./`",
        "`<T>::x()`",
        "<a id=\"",
        "x\u{301}",
        "port 99999999999999999999999999",
    ];
    let mut state = 0x9e37_79b9_u64;
    for _ in 0..400 {
        let mut text = String::from("# T\n");
        for _ in 0..24 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(pieces[usize::try_from(state >> 33).unwrap() % pieces.len()]);
            if state.is_multiple_of(5) {
                text.push_str(" [[src/config.rs:8-12]]\n\n");
            }
        }
        let checked =
            check(repository(), &page(&text), &CheckOptions { language: Some("en".parse().unwrap()), ..by_model() });
        for finding in checked.findings {
            let texts = [&finding.message, &finding.evidence, &finding.fix];
            assert!(
                texts.iter().all(|text| text.chars().count() <= 500 && !text.chars().any(char::is_control)),
                "{finding:?}"
            );
        }
    }
}

#[test]
fn the_same_pages_give_the_same_findings() {
    let mut pages = truth();
    pages[3].1.push_str("\n`invented_name` [[gone.rs]] and port 1 [[src/config.rs:8]]\n");
    let (one, two) = (check(repository(), &pages, &by_model()), check(repository(), &pages, &by_model()));
    assert_eq!((one.findings, one.score, one.pages), (two.findings, two.score, two.pages));
}

#[test]
fn a_page_of_nothing_but_lies_has_a_bounded_number_of_findings() {
    let mut text = format!("# T\n\n{BODY}\n## S\n\n");
    for number in 0..5_000 {
        writeln!(text, "`Store::invented_{number}` is here. [[src/gone_{number}.rs:1]]\n").unwrap();
    }
    let checked = check(repository(), &page(&text), &by_model());
    assert!(checked.findings.len() < 200, "{}", checked.findings.len());
}

#[test]
fn names_of_others_are_not_accused() {
    for text in [
        "Use `docker compose up -d` with `--remove-orphans`. [[src/config.rs:8]]",
        "Set `RUST_LOG` to `debug`. [[src/config.rs:8]]",
        "It is built on `tokio::sync::broadcast::channel`. [[src/webhooks.rs:5-10]]",
        "Unlike `django-waffle`, there is no `FlagMiddleware`. [[src/config.rs:8]]",
        "Create `src/my_rules.rs` yourself. [[src/config.rs:8]]",
        "See [`BTreeMultiMap`](https://docs.rs/x). `BTreeMultiMap` sorts. [[src/config.rs:8]]",
        "<!-- external: acmeFetch -->\n\n`acmeFetch` is ours. [[src/config.rs:8]]",
        "`LANTERN_FLAGS` was removed. [[src/config.rs:8]]",
        "The type `application/vnd.api+json` and `en_US` and `UTF-8` and `x86_64-unknown-linux-gnu`. [[src/config.rs:8]]",
    ] {
        assert_eq!(findings(text), [], "{text}");
    }
}

#[test]
fn the_readers_own_code_is_not_accused_and_the_projects_is() {
    let own = "```python\nparser.add_argument(\"username\")\nout = io.StringIO()\n```\n\n";
    for text in [
        "Now call `out.getvalue()`. [[src/config.rs:8]]",
        "Then `--username` is asked for. [[src/config.rs:8]]",
        "With the prefix `WEB`, the command `run-server` and its option `reload` it is `WEB_RUN_SERVER_RELOAD`. [[src/config.rs:8]]",
        "Call `Store::function_name()`. [[src/config.rs:8]]",
        "There are functions with `_flags` at their end. [[src/config.rs:8]]",
        "```sh\nlantern export --username alice\n```\n\n[[src/config.rs:8]]",
        "它会生成 `page1.jpg` 和 `report_2024.xlsx`。 [[src/config.rs:8]]",
        "建议创建一个新的`FinanceCalculatorInterface`类。 [[src/config.rs:8]]",
        "Rejections are [`TimeoutShed`](tokio::shed::TimeoutShed). [[src/config.rs:8]]",
    ] {
        assert_eq!(findings(&format!("{own}{text}")), [], "{text}");
    }
    for text in [
        "Now call `Store::getvalue()`. [[src/config.rs:8]]",
        "Then `--password` is asked for. [[src/config.rs:8]]",
        "It is `WEB_RUN_SERVER_RELOAD`, and `LANTERN_RELOAD` with `LANTERN` and `reload`. [[src/config.rs:8]]",
        "Rejections are [`TimeoutShed`](crate::shed::TimeoutShed). [[src/config.rs:8]]",
        "建议使用`FinanceCalculatorInterface`类。不要创建别的。 [[src/config.rs:8]]",
    ] {
        let found = findings(&format!("{own}{text}"));
        assert!(!found.is_empty() && found.iter().all(|finding| finding.rule == Rule::Name), "{text}: {found:?}");
    }
}

#[test]
fn a_list_of_changes_may_name_what_is_gone_and_a_page_may_not() {
    let check = |title: &str, heading: &str| {
        let text = format!(
            "# {title}\n\n{BODY}\n## {heading}\n\n- `Store::forgotten_call()` takes a flag. `OldNotifier` too.\n"
        );
        let found = check(repository(), &page(&text), &by_model()).findings;
        found.iter().filter(|finding| finding.rule == Rule::Name).count()
    };
    for (title, heading) in
        [("Changelog", "Fixed"), ("Page", "0.6.0 (25. November, 2022)"), ("Page", "[v1.2] - 2026-01-02")]
    {
        assert_eq!(check(title, heading), 0, "{title} {heading}");
    }
    for (title, heading) in [("Page", "Section"), ("Page", "2 ways"), ("Page", "Version")] {
        assert_eq!(check(title, heading), 2, "{title} {heading}");
    }
}

#[test]
fn pieces_of_ids_and_dates_are_no_numbers() {
    for text in [
        "The default is `438ec0f8-35e0-5581-9b0d-07597214d73c`. [[src/config.rs:8]]",
        "The default is 03348671-9439-5797-9091-294049237f7a. [[src/config.rs:8]]",
        "The limit is from 2026-01-15. [[src/config.rs:8]]",
        "The minimum is January 1, 2024. [[src/config.rs:8]]",
    ] {
        assert_eq!(findings(text), [], "{text}");
    }
    assert_eq!(findings("The limit is 5581-5582 flags. [[src/config.rs:8]]")[0].rule, Rule::Number);
}

#[test]
fn numbers_are_compared_by_value_and_not_by_spelling() {
    for text in [
        "A body has at most 65,536 bytes. [[src/config.rs:10]]",
        "The grace is 10,000 ms. [[src/server.rs:22]]",
        "A writer waits 5 s. [[src/store.rs:11]]",
        "It listens by default on port 7420. [[src/config.rs:95]] [[src/config.rs:8]]",
        "`MAX_FLAGS` is used here: at most 2,000 flags. [[src/store.rs:53-56]]",
        "It takes about 3 minutes. [[src/config.rs:8]]",
        "Choose for example port 9999. [[src/config.rs:8]]",
        "Otherwise it answers with 404. [[src/server.rs:105-112]]",
    ] {
        assert_eq!(findings(text), [], "{text}");
    }
    for text in [
        "A body has at most 65,537 bytes. [[src/config.rs:10]]",
        "The grace is 10 minutes. [[src/server.rs:22]]",
        "The default is port 7421. [[src/config.rs:8]]",
    ] {
        let found = findings(text);
        assert!(found.len() == 1 && found[0].rule == Rule::Number, "{text}: {found:?}");
    }
}

#[test]
fn quoted_code_may_leave_lines_out_but_not_change_them() {
    let quote = |code: &str| findings(&format!("```rust src/cache.rs:44-49\n{code}\n```"));
    assert_eq!(quote("pub fn forget(&self, project: &str) {\n    // ...\n}"), []);
    assert_eq!(
        quote(
            "    pub fn forget(&self, project: &str) {   \n…\n            entries.retain(|(of, _), _| of != project);"
        ),
        []
    );
    let found = quote("pub fn forget(&mut self, project: &str) {");
    assert!(found.len() == 1 && found[0].rule == Rule::Verbatim && found[0].fix.contains("&self"), "{found:?}");
    let order = quote("        entries.retain(|(of, _), _| of != project);\n    pub fn forget(&self, project: &str) {");
    assert!(order.iter().any(|finding| finding.rule == Rule::Verbatim), "{order:?}");
}

#[test]
fn an_empty_page_has_no_points_and_one_without_citations_no_good_grade() {
    let score = |markdown: &str| check(repository(), &page(markdown), &by_model()).score;
    assert!(score("# T\n").points < 1.0);
    let plain = score(&format!("# T\n\n{}", BODY.repeat(40)));
    assert!(plain.points < 60.0, "{plain:?}");
    let whole = check(repository(), &truth(), &by_model()).score;
    assert!(whole.points > 90.0 && whole.unverified_sections == 0, "{whole:?}");
}

#[test]
fn what_no_page_mentions_is_told_and_accuses_nobody() {
    let checked = check(repository(), &page(&format!("# T\n\n{BODY}")), &by_model());
    let told = |what: &str| {
        checked.findings.iter().any(|finding| finding.rule == Rule::Coverage && finding.message.contains(what))
    };
    assert!(told("`--read-only`") && told("`LANTERN_CACHE_TTL`") && told("/v1/audit"), "{:#?}", checked.findings);
    assert!(accusations(&checked).is_empty());
    assert!(checked.score.coverage_percent.unwrap() < 10.0);
}

#[test]
fn of_symbols_that_no_page_mentions_those_that_most_files_use_come_first() {
    let file = |path: &str, text: &str| (path.to_owned(), text.as_bytes().to_vec());
    let index = index_of(&[
        file("Cargo.toml", "[package]\nname = \"demo\"\nversion = \"1.0.0\"\n"),
        file("src/lib.rs", "pub fn alpha() {}\npub fn beta() {}\npub fn zeta() {}\n"),
        file("src/many.rs", "pub fn many() {}\npub fn of() {}\npub fn them() {}\npub fn unused() {}\n"),
        file("src/one.rs", "fn f() { zeta(); beta() }\n"),
        file("src/two.rs", "// alpha\nfn f() { zeta() }\n"),
    ]);
    let checked = check(&index, &page("# T\n\nText.\n"), &by_model());
    let told: Vec<&str> = checked.findings.iter().map(|finding| finding.message.as_str()).collect();
    let symbols: Vec<&str> = told.into_iter().filter(|message| message.contains("public symbols")).collect();
    let [lib, many] = symbols.as_slice() else { panic!("{symbols:?}") };
    assert!(lib.ends_with("`src/lib.rs`: `zeta`, `beta`, `alpha`"), "{lib}");
    assert!(many.ends_with("`src/many.rs`: `many`, `of`, `them`, `unused`"), "{many}");
}

/// Prints how long the rules take over 50 pages and 2,500 files; run it with `--release --ignored --nocapture`.
#[test]
#[ignore = "prints a figure and protects nothing"]
fn bench_fifty_pages_against_2500_files() {
    let mut all = files();
    for number in 0..2_480 {
        let (path, content) = files().swap_remove(number % 12);
        let content = String::from_utf8(content).unwrap().replace("flag", &format!("flag{number}"));
        all.push((format!("copy{number}/{path}"), content.into_bytes()));
    }
    let index: Index = index_of(&all);
    let mut pages: Pages = Vec::new();
    for copy in 0..3 {
        for (slug, text) in truth() {
            let suspects = if copy == 1 { "\n`unknown_name_here` and `Store::nothing()`\n" } else { "" };
            pages.push((format!("{slug}-{copy}").parse().unwrap(), text + suspects));
        }
    }
    pages.truncate(50);
    for _ in 0..3 {
        let started = std::time::Instant::now();
        let checked = check(&index, &pages, &by_model());
        println!(
            "{} files, {} pages, {} findings: {:?}",
            index.files().len(),
            pages.len(),
            checked.findings.len(),
            started.elapsed()
        );
    }
}
