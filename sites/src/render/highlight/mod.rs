//! Code becomes coloured HTML at build time.
//!
//! Common languages are read by our own lexers, which are linear by construction; the long tail goes through syntect.
//! Order: the classes and their painter, the table-driven lexer and its tables, lexers with their own rules, syntect.

mod painter;
mod lexer;
// words are read more easily side by side than one a line
#[rustfmt::skip]
mod tables;
mod shell;
mod configuration;
mod markup;
mod stylesheet;
mod long_tail;
mod languages;

pub(crate) use languages::{Language, language_of_file, language_of_name};
use painter::Painter;

/// Longest code, in bytes, that is coloured; longer code is shown as it is.
const MAX_COLOURED_BYTES: usize = 100 * 1024;

/// The code as HTML: only text and `<span class="…">`; without its tags it is the escaped input again.
pub(crate) fn highlight(language: Option<Language>, code: &str) -> String {
    let mut painter = Painter::with_capacity(code.len() * 2);
    match language {
        Some(language) if code.len() <= MAX_COLOURED_BYTES => language.paint(&mut painter, code),
        _ => painter.plain(code),
    }
    painter.finish()
}

#[cfg(test)]
mod tests {
    use super::{super::escape::escaped, *};

    const NAMES: &[&str] = &[
        "rust",
        "python",
        "javascript",
        "typescript",
        "tsx",
        "jsx",
        "go",
        "java",
        "c",
        "cpp",
        "csharp",
        "ruby",
        "php",
        "kotlin",
        "swift",
        "bash",
        "console",
        "json",
        "yaml",
        "toml",
        "ini",
        "html",
        "xml",
        "css",
        "scss",
        "sql",
        "dockerfile",
        "makefile",
        "diff",
        "markdown",
        "haskell",
        "lua",
    ];

    /// Pieces that open, close and escape things in one language or another.
    const PIECES: &[&str] = &[
        "\"",
        "'",
        "`",
        "\\",
        "\n",
        " ",
        "/*",
        "*/",
        "//",
        "#",
        "<!--",
        "-->",
        "<",
        ">",
        "</",
        "script",
        "<script>",
        "</script>",
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        "$",
        "${",
        "$(",
        "@",
        ":",
        ";",
        "=",
        "-",
        "--",
        "+",
        "|",
        "&",
        "!",
        "r#\"",
        "\"#",
        "'a",
        "fn",
        "def",
        "x",
        "0x1f",
        "1.5e-3",
        "é",
        "日本",
        "\t",
        "- ",
        "key: ",
        "|\n  text",
        "EOF",
        "<<EOF\n",
        "\"\"\"",
        "'''",
        "%",
        "~~~",
        "```",
        "#[",
        "@media",
        ".",
        ",",
        "\r\n",
        "\u{0}",
        "\u{1F600}",
        "--[[",
    ];

    fn without_tags(html: &str) -> String {
        let mut out = String::new();
        let mut rest = html;
        while let Some(at) = rest.find('<') {
            out.push_str(&rest[..at]);
            let end = rest[at..].find('>').unwrap();
            let tag = &rest[at..=at + end];
            assert!(tag == "</span>" || tag.starts_with("<span class=\""), "{tag}");
            rest = &rest[at + end + 1..];
        }
        out + rest
    }

    /// A small generator of numbers that is the same in every run.
    fn numbers(seed: u64) -> impl FnMut(usize) -> usize {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        move |limit| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % limit as u64).unwrap()
        }
    }

    #[test]
    fn colours_add_only_spans_whatever_the_code() {
        for name in NAMES {
            let language = language_of_name(name);
            assert!(language.is_some(), "{name}");
            let rounds = if language.is_some_and(Language::is_long_tail) { 20 } else { 150 };
            for round in 0..rounds {
                let mut next = numbers(round + 1);
                let code: String = (0..next(60)).map(|_| PIECES[next(PIECES.len())]).collect();
                assert_eq!(without_tags(&highlight(language, &code)), escaped(&code), "{name}: {code:?}");
            }
        }
    }

    #[test]
    fn time_grows_with_the_length_of_the_code() {
        for name in NAMES.iter().filter(|name| !language_of_name(name).is_some_and(Language::is_long_tail)) {
            for piece in ["\"", "/*", "<", "'", "[", "${", "#[", "<a ", "(", "a: ", "- ", "r#", "`", "\\", "<!--", "$("]
            {
                let code = piece.repeat(90 * 1024 / piece.len());
                let start = std::time::Instant::now();
                let html = highlight(language_of_name(name), &code);
                assert!(!html.is_empty());
                assert!(start.elapsed().as_millis() < 1500, "{name} with {piece:?}: {:?}", start.elapsed());
            }
        }
    }

    #[test]
    fn code_over_the_limit_is_shown_plainly() {
        let code = "fn main() {}\n".repeat(9000);
        assert!(!highlight(language_of_name("rust"), &code).contains("<span"));
    }

    #[test]
    fn common_languages_look_as_people_expect() {
        let samples = [
            ("rust", "#[derive(Debug)]\npub fn f<'a>(x: &'a str) -> u8 { println!(r#\"hi\"#, 'c'); 0x1f } // end"),
            ("python", "@cache\ndef f(x: int) -> str:\n    return f\"{x}\"  # note\n"),
            ("console", "$ cargo install --locked docmill | tee \"$LOG\"\ninstalled\n"),
            ("yaml", "name: \"ci\"  # x\non: [push]\nrun: |\n  cargo test\ncount: 3\n"),
            ("toml", "[package]\nname = \"x\" # y\nversion = 1\n"),
            ("json", "{\"a\": [1, true, \"b\"]}"),
            ("html", "<a href=\"x\" id=y>t &amp; u</a><script>let a = 1;</script>"),
            ("diff", "@@ -1 +1 @@\n-old\n+new\n same\n"),
            ("css", "@media print { .a:hover { color: #fff; margin: 1.5rem } }"),
        ];
        let mut shown = String::new();
        for (name, code) in samples {
            shown += &[name, "\n", &highlight(language_of_name(name), code), "\n\n"].concat();
        }
        insta::assert_snapshot!(shown);
    }
}
