//! Sites whose pages were checked: numbered marks, the lines they open, doubts, and the quality page.

use std::collections::{BTreeMap, BTreeSet};

use shared::{
    evidence::{
        Citation, CitationState, Counts, Evidence, Finding, Grade, PageEvidence, Rule, ScoreCard, SectionEvidence,
        Severity,
    },
    names::PageSlug,
};

use super::{
    super::evidence::{Excerpts, SiteEvidence},
    html_files, info, page, plan, planned, tags, text,
};
use crate::render::SiteFiles;

const MARKDOWN: &str = "# Parsers\n\nReads [[lib.rs:3-4]] lines, twice. [[src/lib.rs:3-4]]\n\n## Use\n\nCall it.\n\n\
    [[src/use.rs]]\n\n```rust src/lib.rs:1-2\nfn a() {}\nfn b() {}\n```\n\n[[gone.rs:7]] [[/etc/passwd]]\n\n\
    ## Limits & sizes\n\nSee [[src/use.rs]].\n\n| a |\n|---|\n| x [[lib.rs:3-4]] |\n";

fn row(written: &str, path: &str, lines: Option<(u32, u32)>, state: CitationState) -> Citation {
    Citation { written: written.into(), path: path.into(), lines, content_hash: String::new(), state }
}

fn section(position: u32, heading: &str, verified: bool, citations: Vec<Citation>) -> SectionEvidence {
    let all = u32::try_from(citations.len()).unwrap();
    let resolved = citations.iter().filter(|row| row.state != CitationState::Unresolved).count();
    let counts = Counts { citations: all, resolved: u32::try_from(resolved).unwrap(), ..Counts::default() };
    SectionEvidence { position, heading: heading.into(), verified, citations, counts, ..SectionEvidence::default() }
}

fn finding(page: Option<&str>, section: Option<u32>, severity: Severity, message: &str) -> Finding {
    Finding {
        page: page.map(|slug| slug.parse().unwrap()),
        section,
        rule: Rule::Citation,
        severity,
        message: message.into(),
        evidence: "<gone.rs:7>".into(),
        fix: "cite `lines` that exist".into(),
    }
}

fn score(counts: Counts) -> ScoreCard {
    ScoreCard {
        counts,
        citations_per_1000_words: 31.25,
        median_width: Some(12),
        valid_percent: Some(75.0),
        support_percent: None,
        names_percent: Some(99.5),
        verbatim_percent: Some(100.0),
        coverage_percent: Some(62.0),
        broken_links: 0,
        sections: 3,
        unverified_sections: 2,
        points: 81.24,
        grade: Grade::B,
    }
}

/// What was found out about `MARKDOWN`, under this slug.
fn evidence(slug: &str) -> SiteEvidence {
    use CitationState::{Adjusted, Exact, Moved, Unresolved};
    let (moved, whole) = (Some((13, 14)), None);
    let pages = vec![PageEvidence {
        slug: slug.parse().unwrap(),
        sections: vec![
            section(
                0,
                "",
                false,
                vec![row("lib.rs:3-4", "src/lib.rs", moved, Moved), row("src/lib.rs:3-4", "src/lib.rs", moved, Moved)],
            ),
            section(
                1,
                "Use",
                false,
                vec![
                    row("src/use.rs", "src/use.rs", whole, Exact),
                    row("src/lib.rs:1-2", "src/lib.rs", Some((1, 2)), Exact),
                    row("gone.rs:7", "gone.rs", Some((7, 7)), Unresolved),
                    row("/etc/passwd", "/etc/passwd", None, Unresolved),
                ],
            ),
            section(
                2,
                "Limits & sizes",
                true,
                vec![row("src/use.rs", "src/use.rs", whole, Exact), row("lib.rs:3-4", "src/lib.rs", moved, Adjusted)],
            ),
        ],
    }];
    let findings = vec![
        finding(None, None, Severity::Warning, "`serve` is mentioned nowhere"),
        finding(Some(slug), Some(1), Severity::Error, "`gone.rs:7` is <nowhere> [x](y)"),
        finding(Some(slug), Some(2), Severity::Note, "a note"),
    ];
    let excerpts = Excerpts::collect(&pages, |path| {
        assert!(path.starts_with("src/"), "{path} is asked for");
        let lines: Vec<String> = (1..=30).map(|line| format!("fn line_{line}() {{}} // {path} <i>")).collect();
        Some(lines.join("\n"))
    });
    let score = Some(score(Counts { citations: 8, resolved: 6, ..Counts::default() }));
    SiteEvidence { found: Evidence { pages, findings, score }, excerpts }
}

fn site_of(slug: &str, markdown: &str, with_host: bool) -> SiteFiles {
    let pages = [page(slug, markdown, &[]), page("other", "# Other\n\nSee [[src/lib.rs:1]].\n", &[])];
    let plan = plan(&[("Guides", &[planned(slug, "Parsers", ""), planned("other", "Other", "")])]);
    super::super::render_site(&plan, &pages, &info(with_host), Some(&evidence(slug)))
}

#[test]
fn a_place_is_shown_as_it_is_written_and_turns_nothing_round() {
    let rows = vec![
        row("src%2Flib.rs:1", "src%2Flib.rs", Some((1, 1)), CitationState::Unresolved),
        row("sr\u{202e}c/lib.rs:1", "sr\u{202e}c/lib.rs", Some((1, 1)), CitationState::Unresolved),
        row("src/a b.rs:1", "src/a b.rs", Some((1, 1)), CitationState::Unresolved),
        row("src/lib.rs:2", "src/lib.rs", Some((2, 2)), CitationState::Exact),
    ];
    let pages = vec![PageEvidence { slug: "odd".parse().unwrap(), sections: vec![section(0, "", false, rows)] }];
    let excerpts = Excerpts::collect(&pages, |_| Some("one\nlet a = \"\u{2066}admin\";\n".into()));
    let evidence = SiteEvidence { found: Evidence { pages, ..Evidence::default() }, excerpts };
    let markdown = "# Odd\n\nOne. [[src%2Flib.rs:1]]\n\nTwo. [[sr\u{202e}c/lib.rs:1]]\n\nThree. [[src/a b.rs:1]]\n\n\
        Four. [[src/lib.rs:2]]\n\n```rust sr\u{202e}c/lib.rs:1\nx\n```\n";
    let plan = plan(&[("Guides", &[planned("odd", "Odd", "")])]);
    let site = super::super::render_site(&plan, &[page("odd", markdown, &[])], &info(false), Some(&evidence));
    let html = text(&site, "odd.html");
    assert_eq!(html.matches("</code> <strong class=\"missing\">source not found").count(), 3, "{html}");
    assert!(html.contains("<code>src%2Flib.rs:1</code>") && html.contains("src/a b.rs:1"), "{html}");
    assert!(html.contains("admin"), "{html}");
    for path in ["odd.html", "odd.md"] {
        let (_, shown) = text(&site, path).split_once("Two.").unwrap();
        // the fence of a copy is as it was written
        let shown = shown.split("```").next().unwrap();
        assert!(!shown.contains(['\u{202e}', '\u{2066}']), "{path}: {shown}");
    }
}

/// Ids are unique, and every link of a file leads to a place.
fn assert_sound(site: &SiteFiles) {
    let mut ids: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (path, html) in html_files(site) {
        let known = ids.entry(path).or_default();
        for id in tags(html).into_iter().filter_map(|(_, mut attributes)| attributes.remove("id")) {
            assert!(known.insert(id.clone()), "{path}: `{id}` twice");
        }
    }
    for (path, html) in html_files(site) {
        for (tag, attributes) in tags(html) {
            assert!(!attributes.contains_key("style") && attributes.keys().all(|name| !name.starts_with("on")));
            assert!(!matches!(tag.as_str(), "i" | "b" | "nowhere"), "{path}: <{tag}>");
            let Some(href) = attributes.get("href").filter(|href| !href.starts_with("https://")) else { continue };
            let (file, place) = href.split_once('#').map_or((href.as_str(), None), |(file, place)| (file, Some(place)));
            let file = if file.is_empty() { path } else { file };
            assert!(site.contains_key(file), "{path}: {href}");
            assert!(place.is_none_or(|place| ids[file].contains(place)), "{path}: {href}");
        }
    }
}

#[test]
fn a_citation_is_a_number_that_leads_to_the_lines_at_the_commit_and_back() {
    let site = site_of("parsers", MARKDOWN, true);
    assert_sound(&site);
    let html = text(&site, "parsers.html");
    let from = html.find("<article>").unwrap();
    insta::assert_snapshot!(&html[from..html.find("</article>").unwrap()]);
}

#[test]
fn one_place_has_one_number_and_the_lines_of_its_row() {
    let site = site_of("parsers", MARKDOWN, true);
    let html = text(&site, "parsers.html");
    assert_eq!(html.matches("href=\"#_dm-source-1\"").count(), 3, "{html}");
    assert!(html.contains("src/lib.rs#L13-L14\"") && !html.contains("lib.rs#L3-L4"), "{html}");
    let lines = &html[html.find("id=\"_dm-source-1\"").unwrap()..html.find("id=\"_dm-source-2\"").unwrap()];
    assert!(lines.contains("line_13<") && lines.contains("line_14<") && lines.matches("line_").count() == 2, "{lines}");
    assert_eq!(html.matches("id=\"_dm-source-1\"").count(), 1);
}

#[test]
fn the_copy_of_a_code_block_names_the_lines_at_the_commit() {
    let markdown =
        format!("{MARKDOWN}\n```rust lib.rs:3-4\nfn a() {{}}\n```\n\n```toml title=\"lib.rs\"\nlib.rs:3-4\n```\n");
    let site = site_of("parsers", &markdown, true);
    let copy = text(&site, "parsers.md");
    assert!(copy.contains("```rust src/lib.rs:13-14\nfn a() {}"), "{copy}");
    assert!(copy.contains("```rust src/lib.rs:1-2\n"), "{copy}");
    assert!(copy.contains("```toml title=\"lib.rs\"\nlib.rs:3-4\n```"), "{copy}");
}

#[test]
fn what_is_not_found_says_so_and_shows_nothing_of_it() {
    let site = site_of("parsers", MARKDOWN, true);
    let html = text(&site, "parsers.html");
    assert_eq!(html.matches("source not found</a>").count(), 2, "{html}");
    assert!(
        !html.contains("href=\"https://code.example/acme/aurora/blob/0123456789abcdef0123456789abcdef01234567/gone.rs")
    );
    assert!(text(&site, "parsers.md").contains("`gone.rs:7` (source not found)"), "{}", text(&site, "parsers.md"));
}

#[test]
fn a_doubtful_section_is_marked_beside_its_heading_and_in_texts_for_programs() {
    for markdown in [MARKDOWN.to_owned(), format!("{MARKDOWN}\n<p>raw <em>html</em></p>\n")] {
        let site = site_of("parsers", &markdown, true);
        assert_sound(&site);
        let html = text(&site, "parsers.html");
        assert_eq!(html.matches("<details class=\"unverified\">").count(), 2, "{html}");
        let heading = html.find("id=\"use\"").unwrap();
        let mark = heading + html[heading..].find("<details class=\"unverified\">").unwrap();
        assert!(
            !html[heading..mark].contains("</div>") && html[mark..].contains("is &lt;nowhere&gt; [x](y)"),
            "{html}"
        );
        assert!(html.contains("2 of 3 sections are unverified"), "{html}");
    }
    let site = site_of("parsers", MARKDOWN, true);
    let copy = text(&site, "parsers.md");
    assert!(copy.starts_with("# Parsers\n\n> **Unverified**\n\n"), "{copy}");
    assert!(copy.contains("## Use\n\n> **Unverified:** `gone.rs:7` is \\<nowhere> \\[x\\](y)\n\n"), "{copy}");
    assert!(text(&site, "llms-full.txt").contains("> **Unverified:**"));
    assert!(!text(&site, "search-index.json").contains("line_13"));
}

#[test]
fn a_page_says_what_it_was_checked_against_and_leads_to_the_quality_page() {
    let site = site_of("parsers", MARKDOWN, false);
    assert_sound(&site);
    let html = text(&site, "parsers.html");
    let line =
        "href=\"quality.html#_dm-p-parsers\">Checked against <code>0123456</code>: 6 of 8 citations resolve</a>.";
    assert!(html.contains(line), "{html}");
    assert!(html.contains("<a href=\"quality.html\">Quality: grade B</a>"));
    let quality = text(&site, "quality.html");
    for said in
        ["Grade B", "81.2 of 100 points", "75 % (6 of 8)", "mentioned nowhere", "#use\">Use</a>", "31.2", "A from 90"]
    {
        assert!(quality.contains(said), "{said} in {quality}");
    }
}

#[test]
fn no_planned_page_can_take_the_address_of_the_quality_page() {
    assert!("quality".parse::<PageSlug>().is_err());
    assert_ne!(PageSlug::slugify("Quality").as_str(), "quality");
}

#[test]
fn a_site_that_nobody_checked_claims_nothing() {
    let site = super::fixture(true);
    for (path, html) in html_files(&site) {
        assert!(!html.contains("Checked against") && !html.contains("uality"), "{path}");
        assert_eq!(html.matches(crate::banner::PLACE).count(), 1, "{path}");
    }
    assert!(!site.contains_key("quality.html"));
}

#[test]
fn a_page_may_cite_thousands_of_places() {
    let citations: Vec<Citation> =
        (1..=4000).map(|at| row(&format!("a.rs:{at}"), "src/a.rs", Some((at, at)), CitationState::Adjusted)).collect();
    let paragraphs: Vec<String> = (1..=4000).rev().map(|at| format!("Words. [[a.rs#L{at}]]")).collect();
    let pages =
        vec![PageEvidence { slug: "parsers".parse().unwrap(), sections: vec![section(0, "", true, citations)] }];
    let found = Evidence { pages, findings: Vec::new(), score: Some(score(Counts::default())) };
    let plan = plan(&[("Guides", &[planned("parsers", "Parsers", "")])]);
    let evidence = SiteEvidence { found, excerpts: Excerpts::default() };
    let pages = [page("parsers", &format!("# Parsers\n\n{}", paragraphs.join("\n\n")), &[])];
    let site = super::super::render_site(&plan, &pages, &info(true), Some(&evidence));
    assert_sound(&site);
    let html = text(&site, "parsers.html");
    assert_eq!((html.matches("id=\"_dm-source-").count(), html.matches("not checked").count()), (4000, 0));
    assert!(html.find("src/a.rs#L4000\"").unwrap() < html.find("src/a.rs#L1\"").unwrap());
}

#[test]
fn what_a_page_shows_of_its_sources_has_an_end() {
    let citations: Vec<Citation> = (1..=200)
        .map(|at| row(&format!("a.rs:{at}-{}", at + 50), "a.rs", Some((at, at + 50)), CitationState::Exact))
        .collect();
    let paragraphs: Vec<String> = citations.iter().map(|row| format!("Words. [[{}]]", row.written)).collect();
    let markdown = paragraphs.join("\n\n");
    let pages =
        vec![PageEvidence { slug: "parsers".parse().unwrap(), sections: vec![section(0, "", true, citations)] }];
    let mut reads = 0;
    let excerpts = Excerpts::collect(&pages, |_| {
        reads += 1;
        Some("x = 1; // some line of code\n".repeat(300))
    });
    assert_eq!(reads, 1);
    let found = Evidence { pages, findings: Vec::new(), score: Some(score(Counts::default())) };
    let plan = plan(&[("Guides", &[planned("parsers", "Parsers", "")])]);
    let evidence = SiteEvidence { found, excerpts };
    let pages = [page("parsers", &format!("# Parsers\n\n{markdown}"), &[])];
    let site = super::super::render_site(&plan, &pages, &info(true), Some(&evidence));
    assert_sound(&site);
    let html = text(&site, "parsers.html");
    assert_eq!(html.matches("id=\"_dm-source-").count(), 200);
    assert!(html.matches("class=\"code excerpt\"").count() < 100 && html.len() < 600_000, "{}", html.len());
}

#[test]
fn no_markdown_breaks_a_checked_page() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = |limit: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % limit as u64).unwrap()
    };
    let more = [
        "## y\n",
        "[[a.rs:1]] ",
        "[[gone.rs:7]]\n\n",
        "[x [[a.rs:1]]](b.md)",
        "[[/etc/passwd]]",
        "```js a.rs:1\nx\n```\n",
    ];
    let pieces: Vec<&str> = super::PIECES.iter().chain(&more).copied().collect();
    let mut evidence = evidence("parsers");
    let place = row("a.rs:1", "src/lib.rs", Some((1, 2)), CitationState::Moved);
    evidence.found.pages[0].sections[0].citations.push(place);
    let plan = plan(&[("Guides", &[planned("parsers", "Parsers", "")])]);
    for _ in 0..200 {
        let markdown: String = (0..next(40)).map(|_| pieces[next(pieces.len())]).collect();
        let site = super::super::render_site(&plan, &[page("parsers", &markdown, &[])], &info(true), Some(&evidence));
        let html = text(&site, "parsers.html");
        let mut ids = BTreeSet::new();
        for (_, attributes) in tags(html) {
            assert!(attributes.get("id").is_none_or(|id| ids.insert(id.clone())), "{attributes:?} of {markdown:?}");
        }
        for tag in ["details", "summary", "sup", "section", "li", "div", "a", "pre"] {
            let count = |name: &str| tags(html).iter().filter(|(found, _)| found == name).count();
            assert_eq!(count(tag), count(&format!("/{tag}")), "<{tag}> of {markdown:?} in {html}");
        }
    }
}
