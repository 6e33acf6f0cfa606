//! A small site is rendered and looked at from outside.

mod hostile;
mod evidence;

use std::collections::{BTreeMap, BTreeSet};

use shared::{
    names::PageSlug,
    page::Page,
    plan::{NavGroup, PageType, Plan, PlannedPage, RepoType},
    provider::Provider,
    source::{LineStyle, SourceLinks},
};

use super::{SiteFiles, SiteInfo};

/// A site that nobody checked.
fn render_site(plan: &Plan, pages: &[Page], info: &SiteInfo) -> SiteFiles {
    super::render_site(plan, pages, info, None)
}

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn info(with_host: bool) -> SiteInfo {
    let source = with_host.then(|| SourceLinks {
        blob_base: format!("https://code.example/acme/aurora/blob/{COMMIT}/"),
        repository: "https://code.example/acme/aurora".into(),
        style: LineStyle::HashLDashL,
    });
    SiteInfo {
        branch: "main".parse().unwrap(),
        commit: COMMIT.parse().unwrap(),
        commit_date: "2026-11-20".into(),
        generated_date: "2026-11-21".into(),
        provider: Provider::Claude,
        model: "opus".parse().unwrap(),
        source,
    }
}

fn planned(slug: &str, title: &str, description: &str) -> PlannedPage {
    PlannedPage {
        slug: slug.parse().unwrap(),
        title: title.into(),
        description: description.into(),
        page_type: PageType::Guide,
    }
}

fn plan(groups: &[(&str, &[PlannedPage])]) -> Plan {
    Plan {
        project_name: "Aurora".into(),
        tagline: "Measurements, served <well> & fast".into(),
        repo_type: RepoType::App,
        navigation: groups
            .iter()
            .map(|(group, pages)| NavGroup { group: (*group).into(), pages: pages.to_vec() })
            .collect(),
        version: Some("1.4.0".into()),
        language: None,
        redirects: BTreeMap::new(),
    }
}

fn page(slug: &str, markdown: &str, related: &[&str]) -> Page {
    let related = related.iter().map(|slug| slug.parse().unwrap()).collect();
    Page { slug: slug.parse().unwrap(), markdown: markdown.into(), related }
}

/// The fixture: three pages in two groups, one planned but not written, one written but not planned.
fn fixture(with_host: bool) -> SiteFiles {
    let plan = plan(&[
        (
            "Overview",
            &[
                planned("getting-started", "Getting started", "From nothing to a first answer."),
                planned("never-written", "Never written", ""),
            ],
        ),
        ("Guides", &[planned("parsers", "Write a `Parser`", ""), planned("limits", "Limits & sizes", "What ends.")]),
    ]);
    let pages = [
        page("getting-started", include_str!("getting-started.md"), &["limits", "getting-started", "gone"]),
        page("parsers", include_str!("parsers.md"), &[]),
        page("limits", include_str!("limits.md"), &["parsers"]),
        page("not-planned", "# Not planned", &[]),
    ];
    render_site(&plan, &pages, &info(with_host))
}

fn text<'a>(site: &'a SiteFiles, path: &str) -> &'a str {
    std::str::from_utf8(&site[path]).unwrap()
}

/// One page's article for a piece of Markdown.
fn article(markdown: &str) -> String {
    let site = render_site(
        &plan(&[("Group", &[planned("page", "Page", ""), planned("other", "Other", "")])]),
        &[page("page", markdown, &[]), page("other", "# Other\n\n## Place\n", &[])],
        &info(true),
    );
    let html = text(&site, "page.html");
    let from = html.find("<article>").unwrap() + "<article>".len();
    html[from..html.find("</article>").unwrap()].trim().to_owned()
}

/// Every tag of a file with its attributes, as a browser reads well-formed HTML.
fn tags(html: &str) -> Vec<(String, BTreeMap<String, String>)> {
    let mut found = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let slash = usize::from(rest.starts_with('/'));
        let ends = |c: char| c.is_whitespace() || c == '>' || c == '/';
        let name_end = rest[slash..].find(ends).map_or(rest.len(), |at| slash + at);
        let name = rest[..name_end].to_ascii_lowercase();
        if name.is_empty() || name.starts_with('!') {
            continue;
        }
        rest = &rest[name_end..];
        let mut attributes = BTreeMap::new();
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
            if rest.is_empty() || rest.starts_with('>') {
                break;
            }
            let end = rest.find(|c: char| c == '=' || c == '>' || c.is_whitespace()).unwrap_or(rest.len());
            let attribute = rest[..end].to_ascii_lowercase();
            rest = &rest[end..];
            let mut value = String::new();
            if let Some(after) = rest.strip_prefix("=\"") {
                let end = after.find('"').expect("every attribute is closed");
                value = after[..end].replace("&amp;", "&").replace("&#39;", "'").replace("&quot;", "\"");
                rest = &after[end + 1..];
            }
            attributes.insert(attribute, value);
        }
        found.push((name, attributes));
    }
    found
}

fn is_html(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, ending)| ending == "html")
}

fn html_files(site: &SiteFiles) -> impl Iterator<Item = (&str, &str)> {
    site.keys().filter(|path| is_html(path)).map(|path| (path.as_str(), text(site, path)))
}

#[test]
fn a_site_has_the_files_that_clients_expect() {
    let site = fixture(true);
    let mut unhashed: Vec<String> = site
        .keys()
        .map(|path| match path.split('.').collect::<Vec<_>>()[..] {
            [name, digest, ending] if name.starts_with("assets/") && digest.len() == 8 => format!("{name}.*.{ending}"),
            _ => path.clone(),
        })
        .collect();
    unhashed.sort();
    insta::assert_snapshot!(unhashed.join("\n"));
}

#[test]
fn a_page_looks_as_it_did() {
    let site = fixture(true);
    // the digests of the theme's files change with each touch of the theme
    let mut html = text(&site, "getting-started.html").to_owned();
    for path in site.keys().filter(|path| path.starts_with("assets/")) {
        let name = path.split('.').next().unwrap();
        html = html.replace(path.as_str(), &format!("{name}.*"));
    }
    insta::assert_snapshot!(html);
}

#[test]
fn files_for_programs_look_as_they_did() {
    let site = fixture(true);
    insta::assert_snapshot!(text(&site, "llms.txt"));
    insta::assert_snapshot!(text(&site, "getting-started.md"));
    let index: serde_json::Value = serde_json::from_str(text(&site, "search-index.json")).unwrap();
    assert_eq!(index[0]["slug"], "getting-started");
    assert_eq!(index[0]["content"].as_str().unwrap().chars().count(), 2000);
    let full = text(&site, "llms-full.txt");
    assert!(full.starts_with(
        "# Aurora\n\n> Measurements, served <well> & fast\n\n---\n\nSource: getting-started.md\n\n# Getting"
    ));
}

#[test]
fn rendering_twice_gives_the_same_bytes() {
    assert_eq!(fixture(true), fixture(true));
}

#[test]
fn nothing_is_loaded_from_another_host() {
    for with_host in [true, false] {
        let site = fixture(with_host);
        for (path, html) in html_files(&site) {
            for (tag, attributes) in tags(html) {
                for name in ["src", "srcset", "poster", "data", "background"] {
                    let local = attributes.get(name).is_none_or(|url| site.contains_key(url.as_str()));
                    assert!(local, "{path}: <{tag} {name}> {attributes:?}");
                }
                if tag == "link" {
                    assert!(site.contains_key(attributes["href"].as_str()), "{path}: {attributes:?}");
                }
                assert!(!attributes.contains_key("style") && attributes.keys().all(|name| !name.starts_with("on")));
                assert!(tag != "style", "{path}");
                assert!(tag != "script" || attributes.contains_key("src"), "{path}");
            }
        }
        for (path, bytes) in site.iter().filter(|(path, _)| path.starts_with("assets/")) {
            let asset = std::str::from_utf8(bytes).unwrap().replace("http://www.w3.org/2000/svg", "");
            for sign in ["url(", "@import", "http://", "https://"] {
                assert!(path.contains("/search.") || !asset.contains(sign), "{path} holds {sign}");
            }
        }
    }
}

#[test]
fn every_internal_link_leads_to_a_file_and_a_place_and_ids_are_unique() {
    let site = fixture(true);
    let mut ids: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (path, html) in html_files(&site) {
        let known = ids.entry(path).or_default();
        for id in tags(html).into_iter().filter_map(|(_, mut attributes)| attributes.remove("id")) {
            assert!(known.insert(id.clone()), "{path}: `{id}` twice");
        }
    }
    for (path, html) in html_files(&site) {
        for (_, attributes) in tags(html) {
            let Some(href) = attributes.get("href").filter(|href| !href.starts_with("https://")) else { continue };
            let (file, place) = href.split_once('#').map_or((href.as_str(), None), |(file, place)| (file, Some(place)));
            let file = if file.is_empty() { path } else { file };
            assert!(site.contains_key(file), "{path}: {href}");
            assert!(place.is_none_or(|place| ids[file].contains(place)), "{path}: {href}");
        }
        for (_, attributes) in tags(html) {
            assert!(
                attributes.get("aria-labelledby").is_none_or(|id| ids[path].contains(id)),
                "{path}: {attributes:?}"
            );
        }
    }
}

#[test]
fn regions_of_a_page_have_names_of_their_own() {
    let site = fixture(true);
    for (path, html) in html_files(&site) {
        let mut labels = BTreeSet::new();
        for (_, attributes) in tags(html) {
            if attributes.get("role").is_some_and(|role| role == "region") {
                assert!(labels.insert(attributes["aria-label"].clone()), "{path}: {:?}", attributes["aria-label"]);
            }
        }
        assert_eq!(tags(html).iter().filter(|(tag, _)| tag == "h1").count(), 1, "{path}");
    }
}

#[test]
fn links_lead_to_pages_to_the_host_or_nowhere() {
    let html = article(
        "# T\n\n[a](other.md) [b](./other.html#place) [c](other) [d](../src/lib.rs#L3) [e](javascript:alert(1)) \
         [f](//evil.example/x) [g](https://e.org/?a=1&b=2) [h](#nowhere) [i](other.md#nowhere) [j](mailto:a@b.c) ![k](x.png)",
    );
    let hrefs: Vec<String> =
        tags(&html).into_iter().filter_map(|(_, mut attributes)| attributes.remove("href")).collect();
    let blob = format!("https://code.example/acme/aurora/blob/{COMMIT}");
    assert_eq!(
        hrefs,
        [
            "other.html".to_owned(),
            "other.html#place".into(),
            "other.html".into(),
            format!("{blob}/src/lib.rs#L3"),
            "https://evil.example/x".into(),
            "https://e.org/?a=1&b=2".into(),
            "#_dm-content".into(),
            "other.html".into(),
            "mailto:a@b.c".into(),
            format!("{blob}/x.png"),
        ]
    );
}

#[test]
fn citations_are_links_in_text_and_stay_as_they_are_in_code() {
    let markdown = "# T\n\nSee [[src/__init__.py:3-5]], [[b.rs]].\n\n`[[src/c.rs]]`\n\n```\n[[src/d.rs]]\n```\n\n\
                    | a | b |\n|---|---|\n| `x` | y [[src/e.rs:9]] |\n\n> - [[src/f.rs]] and [[nodiscard]]\n";
    let html = article(markdown);
    assert_eq!(html.matches("class=\"cite\"").count(), 4, "{html}");
    assert_eq!(html.matches("class=\"cites\"").count(), 3, "{html}");
    assert!(html.contains("src/__init__.py#L3-L5\">src/__init__.py:3-5</a>"), "{html}");
    assert!(html.contains("[[src/c.rs]]") && html.contains("[[src/d.rs]]") && html.contains("[[nodiscard]]"));
    let site = render_site(&plan(&[("G", &[planned("page", "P", "")])]), &[page("page", markdown, &[])], &info(false));
    let copy = text(&site, "page.md");
    assert_eq!(
        copy,
        "# T\n\nSee `src/__init__.py:3-5`, `b.rs`.\n\n`[[src/c.rs]]`\n\n```\n[[src/d.rs]]\n```\n\n\
         | a | b |\n|---|---|\n| `x` | y `src/e.rs:9` |\n\n> - `src/f.rs` and [[nodiscard]]\n"
    );
    assert!(text(&site, "page.html").contains("<code class=\"cite\">b.rs</code>"));
}

#[test]
fn headings_have_no_gaps_and_their_ids_are_their_own() {
    let html = article("# T\n\n# Again\n\n#### Deep\n\n#### Deep\n\n## _dm-content\n\n### `run()` ü\n");
    let headings: Vec<(String, String)> = tags(&html)
        .into_iter()
        .filter(|(tag, _)| tag.len() == 2 && tag.starts_with('h'))
        .map(|(tag, mut attributes)| (tag, attributes.remove("id").unwrap()))
        .collect();
    let expected = [("h2", "again"), ("h3", "deep"), ("h3", "deep-1"), ("h3", "dm-content"), ("h4", "run-ü")];
    assert_eq!(headings, expected.map(|(tag, id)| (tag.to_owned(), id.to_owned())));
}

#[test]
fn quotations_that_begin_with_a_word_of_warning_are_callouts() {
    let html =
        article("# T\n\n> **Note:** a\n\n> **Warning**\n>\n> b\n\n> **Hint** - c\n\n> **Bold** d\n\n> > **Note**\n");
    assert!(html.contains("callout note\" role=\"note\"><p class=\"callout-title\">Note</p>\n<p>a</p>"), "{html}");
    assert!(html.contains("<p class=\"callout-title\">Warning</p>\n<p>b</p>"), "{html}");
    assert!(html.contains("callout tip\" role=\"note\"><p class=\"callout-title\">Hint</p>\n<p>c</p>"), "{html}");
    assert!(html.contains("<blockquote>\n<p><strong>Bold</strong> d</p>"), "{html}");
}

#[test]
fn a_big_site_lists_the_pages_of_the_current_group_only() {
    let names: Vec<PlannedPage> =
        (0..120).map(|number| planned(&format!("p{number}"), &format!("P {number}"), "")).collect();
    let (first, second) = names.split_at(60);
    let pages: Vec<Page> = names.iter().map(|planned| page(planned.slug.as_str(), "# P\n\nText.\n", &[])).collect();
    let site = render_site(&plan(&[("One", first), ("Two", second)]), &pages, &info(true));
    let html = text(&site, "p5.html");
    assert!(
        html.contains("href=\"p59.html\"") && html.contains("href=\"p60.html\">Two") && !html.contains("\"p61.html\"")
    );
}

#[test]
fn a_plan_without_pages_is_a_site_nevertheless() {
    let site = render_site(&plan(&[("Empty", &[])]), &[], &info(false));
    assert!(text(&site, "index.html").contains("Aurora"));
    assert_eq!(text(&site, "search-index.json"), "[]");
}

#[test]
fn time_grows_with_the_length_of_a_page() {
    for piece in [
        "[[",
        "[[a.rs]] ",
        "> ",
        "<b>",
        "<div>\n\n",
        "- ",
        "| a ",
        "*a",
        "`",
        "[a](",
        "<!--",
        "&",
        "# x\n\n",
        "![",
        "<a href=\"",
    ] {
        let markdown = piece.repeat(60_000 / piece.len());
        let start = std::time::Instant::now();
        article(&markdown);
        assert!(start.elapsed().as_secs() < 8, "{piece:?}: {:?}", start.elapsed());
    }
}

/// Pieces of Markdown that open, close and nest.
const PIECES: [&str; 40] = [
    "# ",
    "## x\n",
    "\n",
    "\n\n",
    "> ",
    "> **Note:** ",
    "> [!TIP]\n",
    "- ",
    "1. ",
    "- [x] ",
    "    ",
    "```\n",
    "```rust a.rs:1\n",
    "~~~\n",
    "`",
    "``",
    "*",
    "**",
    "_",
    "~~",
    "[[",
    "]]",
    "[[a.rs:1]]",
    "[",
    "](",
    ")",
    "![",
    "](b.md#c)",
    "[^1]",
    "[^1]: ",
    "| a | b |\n|---|:-:|\n",
    "| ",
    "<b>",
    "</div>",
    "<details>\n\n",
    "<!--",
    "&amp;",
    "é",
    "---\n",
    "https://e.org/x ",
];

#[test]
fn no_markdown_makes_rendering_panic_or_leaves_a_tag_open() {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = |limit: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % limit as u64).unwrap()
    };
    for _ in 0..400 {
        let markdown: String = (0..next(50)).map(|_| PIECES[next(PIECES.len())]).collect();
        let html = article(&markdown);
        for tag in ["div", "figure", "pre", "table", "blockquote", "ul", "ol", "li", "section", "a", "details"] {
            let opened = tags(&html).iter().filter(|(name, _)| name == tag).count();
            let closed = tags(&html).iter().filter(|(name, _)| name.strip_prefix('/') == Some(tag)).count();
            assert_eq!(opened, closed, "<{tag}> of {markdown:?} in {html}");
        }
    }
}

#[test]
fn an_old_address_leads_to_where_its_page_went_and_never_replaces_a_page() {
    let slug = |text: &str| text.parse::<PageSlug>().unwrap();
    let mut plan = plan(&[("Guides", &[planned("new", "The <new> page", "")])]);
    plan.redirects = BTreeMap::from([
        (slug("old"), Some(slug("new"))),
        (slug("gone"), None),
        (slug("lost"), Some(slug("nowhere"))),
        (slug("new"), Some(slug("old"))),
    ]);
    let files = render_site(&plan, &[page("new", "# The new page\n\nText.\n", &[])], &info(false));
    let text = |path: &str| String::from_utf8(files[path].clone()).unwrap();
    let old = text("old.html");
    assert!(old.contains("<link rel=\"canonical\" href=\"new.html\">"), "{old}");
    assert!(old.contains("href=\"new.html\">The &#60;new&#62; page</a>"), "{old}");
    for gone in ["gone.html", "lost.html"] {
        assert!(text(gone).contains("<link rel=\"canonical\" href=\"index.html\">"), "{gone}");
    }
    assert!(text("new.html").contains("Text."));
    for listing in ["llms.txt", "llms-full.txt", "search-index.json", "index.html"] {
        assert!(!text(listing).contains("old.html"), "{listing}");
    }
    assert!(!files.contains_key("old.md"));
    assert!(["old.html", "gone.html"].iter().all(|path| !text(path).contains("http-equiv=\"refresh\"")));
}
