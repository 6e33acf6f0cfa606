//! Checking folders of documentation as people have them.

use std::{fs, path::Path};

use shared::evidence::{Rule, Severity};
use tempfile::TempDir;

use super::{DocsCheck, DocsReport, check_docs, html::to_markdown};

/// A folder with a repository of one commit, the documentation in `docs`.
struct Project {
    folder: TempDir,
}

impl Project {
    fn new(docs: &[(&str, &str)]) -> Self {
        Self::with(&[], docs)
    }

    /// With more source files.
    fn with(sources: &[(&str, &str)], docs: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repository = git2::Repository::init(folder.path()).unwrap();
        let source = "//! Sums.\n\n/// Adds.\npub fn add_up(first: u32, second: u32) -> u32 {\n    first + second\n}\n";
        write(folder.path(), "src/sums.rs", source);
        write(folder.path(), "Cargo.toml", "[package]\nname = \"sums\"\nversion = \"1.0.0\"\n");
        for (path, text) in sources {
            write(folder.path(), path, text);
        }
        for (path, text) in docs {
            write(folder.path(), &format!("docs/{path}"), text);
        }
        let mut index = repository.index().unwrap();
        index.add_all(["."], git2::IndexAddOption::DEFAULT, None).unwrap();
        let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
        let someone = git2::Signature::now("A", "a@example.org").unwrap();
        repository.commit(Some("HEAD"), &someone, &someone, "one", &tree, &[]).unwrap();
        repository.remote("origin", "https://github.com/acme/sums.git").unwrap();
        Self { folder }
    }

    fn check(&self) -> DocsReport {
        check_docs(&self.request()).unwrap()
    }

    fn request(&self) -> DocsCheck {
        DocsCheck {
            docs: self.folder.path().join("docs"),
            repository: None,
            commit: None,
            program: crate::grounding::index::tests::parser(),
        }
    }
}

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn rules(report: &DocsReport) -> Vec<(Option<&str>, Rule)> {
    let found = report.findings.iter().filter(|finding| finding.finding.severity != Severity::Note);
    found.map(|finding| (finding.path.as_deref(), finding.finding.rule)).collect()
}

const BODY: &str =
    "Sums is a small library that adds numbers, and these pages say how it is used and where things stand in it.";

#[test]
fn citations_are_understood_in_every_way_in_which_people_write_them() {
    let page = format!(
        "# Sums\n\n{BODY}\n\n`add_up` adds. [[src/sums.rs:3-6]]\n\n[Source](https://github.com/acme/sums/blob/main/src/sums.rs#L3-L6)\n\n\
         Sources: [src/sums.rs:3-6]() and `src/sums.rs:4`, [here](../src/sums.rs#L4)\n\n\
         https://gitlab.example.org/acme/sums/-/blob/main/src/sums.rs#L3-6\n\n\
         [elsewhere](https://github.com/other/thing/blob/main/src/thing.rs#L9)\n"
    );
    let report = Project::new(&[("index.md", &page)]).check();
    assert_eq!(rules(&report), [], "{:#?}", report.findings);
    let written: Vec<&str> =
        report.pages[0].evidence.sections[0].citations.iter().map(|citation| citation.written.as_str()).collect();
    assert_eq!(written, ["src/sums.rs:3-6", "src/sums.rs:4"]);
    assert_eq!(report.score.valid_percent, Some(100.0));
}

#[test]
fn citations_of_other_wikis_are_understood_and_their_lies_found() {
    let told = |lines: &str, gone: &str, name: &str| {
        format!(
            "# Sums\n\n{BODY}\n\n`add_up` adds. [src/sums.rs:{lines}] [x](file://src/sums.rs#L{lines}) \
             [sums](src/{gone}sums.rs#L{lines})\n\n- [{name}](file://src/{name})\n"
        )
    };
    let project = Project::new(&[("deep/index.md", &told("3-6", "", "sums.rs"))]);
    let report = project.check();
    assert_eq!(rules(&report), [], "{:#?}", report.findings);
    let written: Vec<&str> =
        report.pages[0].evidence.sections[0].citations.iter().map(|citation| citation.written.as_str()).collect();
    assert_eq!(written, ["src/sums.rs:3-6", "src/sums.rs"]);
    let report = Project::new(&[("deep/index.md", &told("93-96", "gone/", "products.rs"))]).check();
    let page = Some("deep/index.md");
    // the lines that are not there are found by the name beside them, the file is not
    assert_eq!(rules(&report), [(page, Rule::Citation), (page, Rule::Link)]);
}

#[test]
fn lines_in_the_label_of_a_link_are_no_numbers_of_the_text() {
    let told = |label: &str| {
        let page = format!("# Sums\n\n{BODY}\n\n- It adds, at most 2 numbers: [{label}](file://src/sums.rs#L3-L6)\n");
        let report = Project::new(&[("index.md", &page)]).check();
        report.findings.iter().filter(|finding| finding.finding.rule == Rule::Number).count()
    };
    assert_eq!((told("sums limit"), told("sums limit:3-6")), (0, 0));
    assert!(told("sums limit:3-9") > 0);
}

#[test]
fn names_are_not_missed_in_the_lines_of_a_section_that_cites_what_is_gone() {
    let told = |second: &str| {
        let page = format!(
            "# Sums\n\n{BODY}\n\n## Sums\n\n`add_up`, `add_all` and `add_none` add. [[src/sums.rs:1]] [[{second}]]\n"
        );
        let more = ("src/more.rs", "pub fn add_all() {}\n\npub fn add_none() {}\n");
        let report = Project::with(&[more], &[("index.md", &page)]).check();
        rules(&report).into_iter().map(|(_, rule)| rule).collect::<Vec<_>>()
    };
    assert_eq!(told("src/more.rs:2"), [Rule::Support]);
    assert_eq!(told("src/gone.rs:2"), [Rule::Citation]);
}

#[test]
fn lies_are_found_in_markdown_and_html() {
    let markdown = format!(
        "# Sums\n\n{BODY}\n\nCall `take_away()`. [x](https://github.com/acme/sums/blob/main/src/sums.rs#L90-L95) [page](gone.md)\n"
    );
    let html = format!(
        "<html><body><nav><a href='nowhere.html'>menu</a></nav><main><h1>More</h1><p>{BODY}</p><p>Call <code>multiply_all()</code>, \
         <a href='https://github.com/acme/sums/blob/main/src/gone.rs#L1'>source</a>, <a href='index.md#nothing'>top</a>.</p></main></body></html>"
    );
    let report = Project::new(&[("index.md", &markdown), ("more.html", &html)]).check();
    let (index, more) = (Some("index.md"), Some("more.html"));
    let mut found = rules(&report);
    found.sort();
    let mut expected = vec![
        (index, Rule::Citation),
        (index, Rule::Name),
        (index, Rule::Link),
        (more, Rule::Citation),
        (more, Rule::Name),
        (more, Rule::Link),
    ];
    expected.sort();
    assert_eq!(found, expected, "{:#?}", report.findings);
}

#[test]
fn what_the_pages_say_is_no_evidence_for_them() {
    let page = format!("# Sums\n\n{BODY}\n\nCall `take_away()`. [[src/sums.rs:3-6]]\n");
    let report =
        Project::new(&[("index.md", &page), ("more.md", &format!("# More\n\n{BODY} And `take_away()`.\n"))]).check();
    assert!(rules(&report).contains(&(Some("index.md"), Rule::Name)), "{:#?}", report.findings);
}

#[test]
fn a_copy_of_the_pages_elsewhere_is_no_evidence_for_them_either() {
    let page = format!("# Sums\n\n{BODY}\n\nCall `take_away()`. [[src/sums.rs:3-6]]\n");
    let project = Project::new(&[("guide/index.md", &page)]);
    let elsewhere = tempfile::tempdir().unwrap();
    write(elsewhere.path(), "guide/index.md", &page);
    let mut check = project.request();
    check.docs = elsewhere.path().to_owned();
    check.repository = Some(project.folder.path().to_owned());
    assert_eq!(rules(&check_docs(&check).unwrap()), [(Some("guide/index.md"), Rule::Name)]);
}

#[test]
fn links_of_wikis_to_their_pages_are_no_citations_and_wide_ranges_count_as_they_are_written() {
    let wide: Vec<String> = (0..90).map(|line| format!("pub fn part_{line}() {{}}\n")).collect();
    let page = format!(
        "# Sums\n\n{BODY} See [[code/modules/sums|the sums]] and [[code/files/src/sums.rs.md|src/sums.rs]].\n\n\
         It has `part_1`, `part_45` and `part_88`. [parts](file://src/parts.rs#L1-L90)\n"
    );
    let project = Project::with(&[("src/parts.rs", &wide.concat())], &[("index.md", &page)]);
    let report = project.check();
    assert_eq!(rules(&report), [], "{:#?}", report.findings);
    assert_eq!((report.score.valid_percent, report.score.support_percent), (Some(100.0), Some(100.0)));
}

#[test]
fn without_a_repository_links_and_structure_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.md", &format!("# A\n\n{BODY} `invented_name` [[gone.rs:1]] [b](b.md)\n"));
    let mut check = Project::new(&[]).request();
    check.docs = folder.path().to_owned();
    let report = check_docs(&check).unwrap();
    assert_eq!(rules(&report), [(Some("a.md"), Rule::Link)]);
    assert!(report.commit.is_none() && report.remarks.iter().any(|remark| remark.contains("--repo")));
    assert!(report.score.points <= 79.0);
    check.commit = Some("HEAD".into());
    assert!(check_docs(&check).unwrap_err().to_string().contains("--repo"));
}

#[test]
fn what_cannot_be_checked_is_said_in_a_sentence() {
    let project = Project::new(&[("index.md", "# T")]);
    let error = |change: &dyn Fn(&mut DocsCheck)| {
        let mut check = project.request();
        change(&mut check);
        format!("{:#}", check_docs(&check).unwrap_err())
    };
    assert!(error(&|check| check.docs = "/nowhere/at/all".into()).contains("cannot be read"));
    assert!(error(&|check| check.docs = check.docs.join("index.md")).contains("not a folder"));
    assert!(error(&|check| check.docs = check.docs.join("../src")).contains("nothing to check"));
    assert!(error(&|check| check.repository = Some("/tmp".into())).contains("not a Git repository"));
    assert!(error(&|check| check.commit = Some("fffffff".into())).contains("no commit `fffffff`"));
}

#[test]
fn pages_of_every_make_and_size_are_read_up_to_their_limits() {
    let odd = "0 9-3 93-L96 1-99999999999 4294967295-4294967295".split(' ').fold(String::new(), |all, lines| {
        all + &format!("[s](https://github.com/acme/sums/blob/main/src/sums.rs#L{lines}) ")
    });
    let many = format!("# Many\n\n{BODY}\n\n{}", "[[src/sums.rs:3-6]] [[gone.rs:1]]\n".repeat(30_000));
    let paths =
        "[[/etc/passwd]] [[../x]] [x](file:///etc/passwd#L1) [y](../../../../etc/passwd#L1) [z](file://../x.rs#L1)";
    let project = Project::new(&[
        ("a.md", &format!("# A\r\n\r\n{BODY}\r\n\r\n`add_up` [[src/sums.rs:3-6]]")),
        ("b.md", &format!("\u{feff}# B\n\n{BODY}\n\n{odd}\n")),
        ("c.md", &format!("# C\n\n{BODY}\n\n{paths}\n")),
        ("d\ne.md", "# D\n"),
        ("\u{fc} \u{1f600}.md", &format!("# U\n\n{BODY}\n")),
        ("large.md", &"words and words\n".repeat(300_000)),
        ("many.md", &many),
    ]);
    let docs = project.folder.path().join("docs");
    fs::write(docs.join("latin.md"), [b"# Caf\xe9\n\n", BODY.as_bytes(), b" caf\xe9\n"].concat()).unwrap();
    fs::write(docs.join("zero.md"), b"# Zero\n\0\n").unwrap();
    // what is not committed is not seen: files that change meanwhile change nothing
    fs::write(project.folder.path().join("src/sums.rs"), "").unwrap();
    let report = project.check();
    let paths: Vec<&str> = report.pages.iter().map(|page| page.path.as_str()).collect();
    assert_eq!(paths, ["a.md", "b.md", "c.md", "latin.md", "many.md", "\u{fc} \u{1f600}.md"]);
    assert!(report.remarks.iter().any(|remark| remark.starts_with("2 pages were left out")), "{:?}", report.remarks);
    let citations = |page: usize| &report.pages[page].evidence.sections[0].citations;
    assert!(citations(0)[0].state != shared::evidence::CitationState::Unresolved);
    assert!(citations(4).len() <= 300);
    let errors = |page: &str| rules(&report).iter().filter(|(path, _)| *path == Some(page)).count();
    assert_eq!((errors("a.md"), errors("latin.md")), (0, 0), "{:#?}", report.findings);
    assert!(errors("b.md") > 0 && errors("c.md") > 0, "{:#?}", report.findings);
}

#[test]
fn the_report_about_the_quality_of_a_site_is_none_of_its_pages() {
    let report = |head: &str| {
        format!(
            "<html><head>{head}</head><body class=\"report\"><h1>Quality</h1><p>The formula stands in <code>src/formula.rs</code>.</p></body></html>"
        )
    };
    let ours = report("<meta name=\"generator\" content=\"docmill\">");
    let page = format!("# Sums\n\n{BODY}\n");
    let pages = |name: &str, html: &str| {
        let report = Project::new(&[("sums.md", &page), (name, html)]).check();
        (report.pages.len(), report.findings.iter().any(|finding| finding.finding.rule == Rule::Name))
    };
    assert_eq!(pages("quality.html", &ours), (1, false), "it speaks of docmill");
    assert_eq!(pages("quality.html", &report("")), (2, true), "somebody else's page of that name is one");
    assert_eq!(pages("other.html", &ours), (2, true));
}

#[test]
fn symbolic_links_are_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    write(outside.path(), "secret.md", "# Secret\n");
    write(folder.path(), "a.md", &format!("# A\n\n{BODY}\n"));
    std::os::unix::fs::symlink(outside.path(), folder.path().join("more")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret.md"), folder.path().join("b.md")).unwrap();
    let mut check = Project::new(&[]).request();
    check.docs = folder.path().to_owned();
    let paths: Vec<String> = check_docs(&check).unwrap().pages.into_iter().map(|page| page.path).collect();
    assert_eq!(paths, ["a.md"]);
}

#[test]
fn html_becomes_the_markdown_that_it_was() {
    let html = "<body><header>x</header><main><h1 id='top'>Title<a href='#top'>¶</a></h1><p>Some <code>a_b</code> &amp; *stars* <a href='b.html#c'>b</a>.</p>\
                <div class='highlight-sh'><pre><span>ls</span> -l\n</pre></div><ul><li>one</li><li>two</li></ul>\
                <table><tr><th>A</th><th>B</th></tr><tr><td>1|2</td><td><code>x</code></td></tr></table></main><footer>y</footer></body>";
    let expected = "<a id=\"top\"></a>\n\n# Title\n\nSome `a_b` & \\*stars\\* [b](<b.html#c>).\n\n```sh\nls -l\n```\n\n- one\n\n- two\n\n\
                    | A | B |\n|---|---|\n| 1\\|2 | `x` |\n\n";
    assert_eq!(to_markdown(html), expected);
}

#[test]
fn links_to_headings_are_followed_as_the_generator_of_the_site_writes_them() {
    let page = format!(
        "# Sums\n\n{BODY}\n\n[a](#tags-emojis) [b](#sums-add-up) [c](#setup) [d](#tags-and-emojis)\n\n\
         ## Tags & emojis\n\n## `sums:add-up`\n\n## Install {{#setup}}\n"
    );
    let broken = |project: &Project| {
        let findings = project.check().findings;
        let links = findings.into_iter().map(|finding| finding.finding).filter(|finding| finding.rule == Rule::Link);
        let mut broken: Vec<String> =
            links.filter(|finding| finding.severity == Severity::Warning).map(|finding| finding.evidence).collect();
        broken.sort();
        broken
    };
    let pages = [("index.md", page.as_str()), ("more.md", BODY), ("last.md", BODY)];
    // without a generator only what a repository host writes is there
    let plain = broken(&Project::new(&pages));
    assert_eq!(plain, ["#sums-add-up", "#tags-and-emojis", "#tags-emojis"]);
    for settings in ["mkdocs.yml", "docs/.vitepress/config.mts", "website/sidebars.ts"] {
        let generated = broken(&Project::with(&[(settings, "\n")], &pages));
        assert_eq!(generated, ["#tags-and-emojis"], "{settings}");
    }
}

#[test]
fn pages_that_no_link_leads_to_are_told_only_where_the_navigation_is_seen() {
    let index = format!("# Sums\n\n{BODY}\n\n[more](more.md)\n");
    let pages = [("index.md", index.as_str()), ("more.md", BODY), ("last.md", BODY)];
    let told = |project: &Project| {
        let findings = project.check().findings;
        findings
            .iter()
            .filter(|finding| finding.finding.rule == Rule::Link)
            .map(|finding| finding.path.clone())
            .collect()
    };
    let lost: Vec<Option<String>> = told(&Project::new(&pages));
    assert_eq!(lost, [Some("last.md".to_owned())]);
    let lost: Vec<Option<String>> = told(&Project::with(&[("mkdocs.yml", "nav: []\n")], &pages));
    assert!(lost.is_empty(), "{lost:?}");
}

#[test]
fn templates_and_what_tests_were_given_are_no_pages() {
    let template =
        "<html><body><h1>{{ title }}</h1>{% if x %}<a href=\"{% url 'gone' %}\">x</a>{% endif %}</body></html>";
    let about = format!("<html><body><h1>Templates</h1><p>{BODY}</p><pre>{{% if x %}}</pre></body></html>");
    let lie = format!("# Lie\n\n{BODY}\n\nSee [it](gone.md).\n");
    let report = Project::new(&[
        ("index.md", &format!("# Sums\n\n{BODY}\n")),
        ("about.html", &about),
        ("views/list.html", template),
        ("vendor/other/README.md", &lie),
        ("third_party_licenses/other.md", &lie),
        ("Tests/Sums/__Snapshots__/page.md", &lie),
        ("tests/fixtures/page.md", &lie),
        ("fixtures/page.md", &lie),
    ])
    .check();
    let pages: Vec<&str> = report.pages.iter().map(|page| page.path.as_str()).collect();
    assert_eq!(pages, ["about.html", "fixtures/page.md", "index.md"]);
    assert_eq!(rules(&report), [(Some("fixtures/page.md"), Rule::Link)]);
    assert!(report.remarks.iter().any(|remark| remark.contains("1 HTML files were left out")), "{:?}", report.remarks);
}
