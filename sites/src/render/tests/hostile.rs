//! Pages that want to run something in their reader's browser, and what is left of them.

use super::{article, tags};

/// Markdown that executes or loads something when a renderer lets it through.
const HOSTILE: &[&str] = &[
    "<script>alert(1)</script>",
    "<script>alert(1)</script >",
    "<script src=https://evil.example/x.js>",
    "<scr<script></script>ipt>alert(1)</script>",
    "<SCRIPT/SRC=//evil.example/x.js></SCRIPT>",
    "<svg/onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><a xlink:href=\"javascript:alert(1)\"><text>x</text></a></svg>",
    "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">",
    "<img src=x onerror=alert(1)>",
    "<img src=\"x\"onerror=alert(1)>",
    "<img src=x alt=\"&quot;><script>alert(1)</script>\">",
    "<img srcset=\"https://evil.example/t.png 1x\" src=https://evil.example/t.png>",
    "![t](https://evil.example/tracker.png)",
    "![t](javascript:alert(1))",
    "![t](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+)",
    "<iframe src=\"javascript:alert(1)\">",
    "<object data=javascript:alert(1)></object><embed src=//evil.example>",
    "<meta http-equiv=refresh content=\"0;url=https://evil.example\">",
    "<base href=\"https://evil.example/\">",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<style>@import '//evil.example/x.css'; * { background: url(//evil.example) }</style>",
    "<form action=https://evil.example><button formaction=javascript:alert(1)>x</button></form>",
    "<p style=\"background:url(https://evil.example)\" onclick=alert(1)>x</p>",
    "<a href=\"javascript:alert(1)\">x</a> <a href=\" java\tscript:alert(1)\">y</a> <a href=\"&#106;avascript:alert(1)\">z</a>",
    "[x](javascript:alert(1)) [y](JaVaScRiPt:alert(1)) [z](vbscript:x) [w](data:text/html,<script>alert(1)</script>)",
    "[x](&#x6A;avascript:alert(1)) [y](java%0ascript:alert(1)) [z](\\\\evil.example) <javascript:alert(1)>",
    "[x]: javascript:alert(1) \"t\"\n\n[x]",
    "[a](https://e.org/\"onmouseover=\"alert(1)) [b](https://e.org 'x\" onmouseover=\"alert(1)')",
    "<details ontoggle=alert(1) open><summary onfocus=alert(1) tabindex=1>x</summary></details>",
    "<div title=\"\n\n```rust\n\" onmouseover=alert(1) x=\"\n```\n\n\">",
    "<div title='\n\n```\n' onmouseover=alert(1) '\n```\n\n[[a.rs]] '>",
    "<a title=\"\n\n[[x/y.rs:1]]\n\n\" onclick=alert(1)>",
    "```\"><script>alert(1)</script>\nx\n```",
    "```rust \"onload=alert(1)\n</code></pre><script>alert(1)</script>\n```",
    "```html\n<script>alert(1)</script>\n```",
    "`<script>alert(1)</script>`",
    "[[\"><script>alert(1)</script>.rs]] [[a.rs\" onclick=\"alert(1)]] [[javascript:alert(1)//a.rs]]",
    "# <script>alert(1)</script> <img src=x onerror=alert(1)>\n\n## \"><svg onload=alert(1)>",
    "| <script>alert(1)</script> |\n|---|\n| <svg onload=alert(1)> |",
    "> **Note:** <script>alert(1)</script>\n\n> [!NOTE] <svg onload=alert(1)>\n> x",
    "x[^\"><script>alert(1)</script>]\n\n[^\"><script>alert(1)</script>]: y <img src=x onerror=alert(1)>",
    "<textarea><script>alert(1)</script>\n\n<title><b>\n\n<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
    "<template><script>alert(1)</script></template><xmp><script>alert(1)</script></xmp><plaintext>",
    "<b id=_dm-content name=documentElement class=\"search top skip\">x</b><form id=search><input name=attributes></form>",
    "<table><tr><td><a href=\"java&Tab;script:alert(1)\">x</table></div></article></main><script>alert(1)</script>",
    "<a href=\"https://e.org\" target=_blank ping=https://evil.example>x</a><video src=//evil.example autoplay>",
    "<!--><script>alert(1)</script>-->\n\n<![CDATA[<script>alert(1)</script>]]>\n\n<?php <script>alert(1)</script> ?>",
];

/// Tags that the theme and the sanitiser write inside of an article.
const HARMLESS: &[&str] = &[
    "a",
    "abbr",
    "b",
    "blockquote",
    "br",
    "code",
    "dd",
    "del",
    "details",
    "div",
    "dl",
    "dt",
    "em",
    "figcaption",
    "figure",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "kbd",
    "li",
    "ol",
    "p",
    "pre",
    "s",
    "section",
    "span",
    "strong",
    "sub",
    "summary",
    "sup",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "ul",
];

fn assert_harmless(markdown: &str) {
    let html = article(markdown);
    for (tag, attributes) in tags(&html) {
        assert!(HARMLESS.contains(&tag.trim_start_matches('/')), "<{tag}> of {markdown:?} in {html}");
        for (name, value) in attributes {
            let known = matches!(
                name.as_str(),
                "class" | "href" | "id" | "title" | "role" | "tabindex" | "aria-label" | "scope" | "open" | "colspan"
            );
            assert!(known, "{name} of {markdown:?} in {html}");
            let target = value.starts_with("https://") || value.starts_with('#') || !value.contains(':');
            assert!(name != "href" || target, "{value} of {markdown:?} in {html}");
            assert!(name != "id" || !value.starts_with("_dm-"), "{value} of {markdown:?} in {html}");
            assert!(name != "class" || !value.contains("skip"), "{value} of {markdown:?} in {html}");
        }
    }
    assert!(!html.contains("docmill"), "a placeholder is left of {markdown:?} in {html}");
    let opened = tags(&html).iter().filter(|(tag, _)| tag == "div" || tag == "figure").count();
    let closed = tags(&html).iter().filter(|(tag, _)| tag == "/div" || tag == "/figure").count();
    assert_eq!(opened, closed, "{markdown:?} in {html}");
}

#[test]
fn nothing_that_executes_or_loads_survives() {
    for markdown in HOSTILE {
        assert_harmless(&format!("# T\n\n{markdown}\n"));
        // beside raw HTML that makes the sanitiser run, and inside of other blocks
        assert_harmless(&format!("# T\n\n<div>\n\n{markdown}\n\n</div>\n"));
        assert_harmless(&format!("# T\n\n<b>x</b> {markdown}\n\n```\ncode\n```\n"));
        assert_harmless(&format!("# T\n\n- > {}\n", markdown.replace('\n', "\n  > ")));
    }
}

#[test]
fn pairs_of_hostile_pieces_do_not_help_each_other() {
    for first in HOSTILE {
        for second in HOSTILE.iter().step_by(9) {
            assert_harmless(&format!("# T\n\n{first}\n\n{second}\n"));
        }
    }
}

#[test]
fn a_forgotten_tag_does_not_swallow_the_page() {
    let html = article("# T\n\nPut it into a <script> tag or <T> or <textarea>.\n\n## Next\n\nStill here <name>.\n");
    assert!(html.contains("&lt;script&gt; tag or &lt;T&gt; or &lt;textarea&gt;."), "{html}");
    assert!(html.contains("Still here &lt;name&gt;."), "{html}");
}

#[test]
fn code_stands_where_it_was_when_a_page_holds_raw_html() {
    let html = article(
        "# T\n\n<details><summary>More</summary>\n\n```rust\nlet x = \"<b>\";\n```\n\n[[a.rs]]\n\n</details>\n",
    );
    assert!(html.contains("<details><summary>More</summary>"), "{html}");
    assert!(html.contains("<span class=\"k\">let</span>") && html.contains("&quot;&lt;b&gt;&quot;"), "{html}");
    assert!(html.find("class=\"cite\"").unwrap() < html.find("</details>").unwrap(), "{html}");
}
