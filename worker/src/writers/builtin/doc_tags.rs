//! Tagged documentation comments as Markdown: `JSDoc`, Javadoc and Doxygen; and the plain comments of Go.

use super::{
    languages::Language,
    markdown::{code, within},
};

/// A part of a comment: what stands before the first tag, or one tag with its text.
struct Part {
    tag: String,
    text: String,
}

/// `JSDoc`, Javadoc or Doxygen as Markdown.
pub(crate) fn tagged(language: Language, text: &str) -> String {
    let text = with_code_blocks(language, text);
    let text = inline_tags(&text);
    let text = if matches!(language, Language::Java | Language::C | Language::Cpp) { html(&text) } else { text };
    let mut main = String::new();
    let (mut parameters, mut notes, mut examples) = (String::new(), String::new(), String::new());
    for part in parts(&text) {
        let words = part.text.trim();
        match part.tag.as_str() {
            "" | "brief" | "short" | "details" | "description" | "remarks" | "desc" | "summary"
                if !words.is_empty() =>
            {
                put!(main, "{words}\n\n");
            }
            "param" | "tparam" | "arg" | "argument" | "property" | "prop" | "typeParam" | "template" => {
                parameters.push_str(&parameter(words));
            }
            "return" | "returns" | "retval" | "result" | "yields" => parameters.push_str(&result("Returns", words)),
            "throws" | "throw" | "exception" => parameters.push_str(&result("Throws", words)),
            "since" | "version" => put!(notes, "*Since {words}*\n\n"),
            "deprecated" => put!(notes, "**Deprecated.** {words}\n\n"),
            "see" | "sa" | "link" if !words.contains("<a") => {
                put!(notes, "See {}.\n\n", words.trim_end_matches('.'));
            }
            "note" | "attention" | "implNote" | "apiNote" | "implSpec" => notes.push_str(&callout("NOTE", words)),
            "warning" | "warn" => notes.push_str(&callout("WARNING", words)),
            "default" | "defaultValue" | "defaultvalue" => put!(notes, "Default: {}\n\n", code(words)),
            "example" => examples.push_str(&example(language, words)),
            // visibility, authors, groups and types that the signature shows
            _ => {}
        }
    }
    let list = if parameters.is_empty() { parameters } else { parameters + "\n" };
    format!("{main}{list}{notes}{examples}")
}

fn parts(text: &str) -> Vec<Part> {
    let mut parts = vec![Part { tag: String::new(), text: String::new() }];
    let mut in_code = false;
    for line in text.lines() {
        let trimmed = line.trim_start();
        if trimmed.starts_with("```") {
            in_code = !in_code;
        }
        let tag = trimmed.strip_prefix(['@', '\\']).filter(|_| !in_code);
        let name: String =
            tag.map(|tag| tag.chars().take_while(char::is_ascii_alphanumeric).collect()).unwrap_or_default();
        if let Some(rest) = tag.filter(|_| !name.is_empty()) {
            let rest = rest[name.len()..].trim_start();
            // Doxygen's direction
            let rest = if rest.starts_with('[') && name == "param" && !rest.contains('=') && is_direction(rest) {
                rest.split_once(']').map_or(rest, |(_, rest)| rest.trim_start())
            } else {
                rest
            };
            parts.push(Part { tag: name, text: format!("{rest}\n") });
        } else if let Some(part) = parts.last_mut() {
            part.text.push_str(line);
            part.text.push('\n');
        }
    }
    parts
}

fn is_direction(text: &str) -> bool {
    ["[in]", "[out]", "[in,out]", "[in, out]", "[inout]"].iter().any(|direction| text.starts_with(direction))
}

/// `{Type} name - words`, `name words`, `[name=default] words`.
fn parameter(words: &str) -> String {
    let (kind, rest) = braced(words);
    let rest = rest.trim_start();
    let (name, rest) = if let Some((name, rest)) = rest.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        (format!("[{name}]"), rest)
    } else {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        (rest[..end].to_owned(), &rest[end..])
    };
    if name.is_empty() {
        return String::new();
    }
    let kind = if kind.is_empty() { String::new() } else { format!(" ({})", code(kind)) };
    let what = one_paragraph(rest.trim().trim_start_matches(['-', ':']).trim_start());
    let what = if what.is_empty() { String::new() } else { format!(": {what}") };
    format!("- {}{kind}{what}\n", code(&name))
}

fn result(label: &str, words: &str) -> String {
    let (kind, rest) = braced(words);
    let rest = rest.trim().trim_start_matches('-').trim_start();
    // Javadoc names the exception first
    let (kind, rest) = match rest.split_once(char::is_whitespace) {
        Some((name, rest)) if kind.is_empty() && label == "Throws" => (name, rest),
        None if kind.is_empty() && label == "Throws" => (rest, ""),
        _ => (kind, rest),
    };
    let kind = if kind.is_empty() { String::new() } else { format!(" {}", code(kind)) };
    let what = one_paragraph(rest);
    let colon = if what.is_empty() { "" } else { ": " };
    format!("- {label}{kind}{colon}{what}\n")
}

/// The type in braces at the beginning, and the rest.
fn braced(words: &str) -> (&str, &str) {
    let words = words.trim_start();
    match super::markdown::closing(words, '{', '}').filter(|_| words.starts_with('{')) {
        Some(end) => (&words[1..end], &words[end + 1..]),
        None => ("", words),
    }
}

/// Lines joined so that they stay in their list item; code keeps its lines.
fn one_paragraph(text: &str) -> String {
    if text.contains("```") || text.contains("\n- ") {
        return text.trim().replace('\n', "\n  ");
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn callout(mark: &str, words: &str) -> String {
    let lines: Vec<&str> = words.lines().map(str::trim).collect();
    format!("> [!{mark}]\n> {}\n\n", lines.join("\n> "))
}

fn example(language: Language, words: &str) -> String {
    let (caption, words) = match words.split_once("</caption>") {
        Some((caption, words)) => (caption.trim().trim_start_matches("<caption>"), words.trim_start_matches('\n')),
        None => ("", words),
    };
    let caption = if caption.is_empty() { String::new() } else { format!(" {caption}") };
    if words.contains("```") {
        return format!("**Example**{caption}\n\n{words}\n\n");
    }
    format!("**Example**{caption}\n\n```{}\n{}\n```\n\n", language.fence(), words.trim_matches('\n'))
}

/// `@code … @endcode`, `<pre>…</pre>` and `{@code …}` over several lines become fenced blocks.
fn with_code_blocks(language: Language, text: &str) -> String {
    if !["<pre", "@code", "\\code"].iter().any(|mark| text.contains(mark)) {
        return text.to_owned();
    }
    let mut written = String::new();
    let mut code: Option<Vec<String>> = None;
    for line in text.lines() {
        let trimmed = line.trim();
        if let Some(lines) = &mut code {
            let end = trimmed.find("</pre>").or_else(|| trimmed.find("@endcode")).or_else(|| trimmed.find("\\endcode"));
            let kept = end.map_or(line, |end| &trimmed[..end]);
            lines.push(kept.to_owned());
            if end.is_some() {
                write_block(language, lines, &mut written);
                code = None;
            }
        } else if let Some(at) = trimmed.find("<pre") {
            let after = trimmed[at..].split_once('>').map(|(_, after)| after).unwrap_or_default();
            written.push_str(&trimmed[..at]);
            written.push('\n');
            let (inner, closed) = after.split_once("</pre>").map_or((after, false), |(inner, _)| (inner, true));
            let lines = vec![inner.to_owned()];
            if closed { write_block(language, &lines, &mut written) } else { code = Some(lines) }
        } else if trimmed.starts_with("@code") || trimmed.starts_with("\\code") {
            code = Some(Vec::new());
        } else {
            written.push_str(line);
            written.push('\n');
        }
    }
    if let Some(lines) = code {
        write_block(language, &lines, &mut written);
    }
    written
}

fn write_block(language: Language, lines: &[String], written: &mut String) {
    let joined = lines.join("\n");
    let text = joined.trim_matches('\n').trim_end();
    let text = match text.trim_start().strip_prefix("{@code") {
        Some(inner) => inner.trim_end().strip_suffix('}').unwrap_or(inner),
        None => text,
    };
    let text =
        entities(text).replace("{@literal @}", "@").replace("<code>", "").replace("</code>", "").replace("```", "'''");
    if !text.trim().is_empty() {
        put!(written, "\n```{}\n{}\n```\n\n", language.fence(), text.trim_matches('\n').trim_end());
    }
}

fn entities(text: &str) -> String {
    let pairs = [("&lt;", "<"), ("&gt;", ">"), ("&#64;", "@"), ("&quot;", "\""), ("&nbsp;", " "), ("&amp;", "&")];
    pairs.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// `{@code x}`, `{@link A#b words}` and Doxygen's `@c x`, `@p x`, `@ref x`.
fn inline_tags(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("{@") {
        written.push_str(&rest[..at]);
        rest = &rest[at..];
        let Some(end) = super::markdown::closing(rest, '{', '}') else {
            written.push_str("{@");
            rest = &rest[2..];
            continue;
        };
        let inner = &rest[2..end];
        let (tag, words) = inner.split_once(char::is_whitespace).unwrap_or((inner, ""));
        match tag {
            "code" | "literal" | "value" | "linkcode" if !words.trim().is_empty() => written.push_str(&code(words)),
            "link" | "linkplain" => {
                let words = words.trim();
                let label = words.split_once([' ', '|']).map_or(words, |(_, label)| label.trim());
                let is_web = words.starts_with("http");
                if is_web {
                    put!(written, "[{label}]({})", words.split([' ', '|']).next().unwrap_or_default());
                } else {
                    written.push_str(&code(&label.trim_start_matches('#').replace('#', ".")));
                }
            }
            _ => written.push_str(words),
        }
        rest = &rest[end + 1..];
    }
    written.push_str(rest);
    doxygen_words(&written)
}

/// Doxygen's `@c word` and `\p word` as code.
fn doxygen_words(text: &str) -> String {
    if !["@c ", "\\c ", "@p ", "\\p ", "@ref ", "\\ref ", "@a ", "\\a "].iter().any(|mark| text.contains(mark)) {
        return text.to_owned();
    }
    let mut written = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let mut mark = false;
        for word in line.split_inclusive(' ') {
            if matches!(word.trim(), "@c" | "\\c" | "@p" | "\\p" | "@ref" | "\\ref" | "@a" | "\\a") {
                mark = true;
                continue;
            }
            if std::mem::take(&mut mark) {
                let name = word.trim_end().trim_end_matches(['.', ',', ';', ':', ')']);
                put!(written, "`{name}`{}", &word[name.len()..]);
            } else {
                written.push_str(word);
            }
        }
    }
    written
}

/// The HTML of Javadoc as Markdown; what looks like a tag but is none stays as text.
fn html(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    let mut in_code = false;
    let mut link = None;
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code || !line.contains(['<', '&']) {
            written.push_str(line);
            continue;
        }
        let mut rest = line;
        while let Some(at) = rest.find('<') {
            written.push_str(&entities(&rest[..at]));
            rest = &rest[at..];
            let tag = within(rest, '>').map(|end| &rest[1..end]).filter(|tag| tag.len() < 300);
            let name = tag.map(|tag| {
                tag.trim_matches('/').split([' ', '\n', '/']).next().unwrap_or_default().to_ascii_lowercase()
            });
            let known = match (name.as_deref(), tag) {
                (Some("p"), _) => Some("\n\n"),
                (Some("br"), _) => Some("  \n"),
                (Some("li"), Some("li")) => Some("\n- "),
                (Some("ul" | "ol"), _) => Some("\n"),
                (Some("code" | "tt"), _) => Some("`"),
                (Some("b" | "strong"), _) => Some("**"),
                (Some("i" | "em"), _) => Some("*"),
                (Some("h1" | "h2" | "h3" | "h4"), Some(tag)) => {
                    Some(if tag.starts_with('/') { "**\n\n" } else { "\n\n**" })
                }
                (Some("a"), Some(tag)) => {
                    if let Some((_, target)) = tag.split_once("href=\"") {
                        link = Some(target.split('"').next().unwrap_or_default().to_owned())
                            .filter(|target| target.starts_with("http"));
                        if link.is_some() {
                            written.push('[');
                        }
                    } else if let Some(target) = link.take() {
                        put!(written, "]({target})");
                    }
                    Some("")
                }
                (
                    Some(
                        "li" | "div" | "span" | "blockquote" | "table" | "tr" | "td" | "th" | "dl" | "dt" | "dd"
                        | "sup" | "sub" | "pre" | "tbody" | "thead" | "caption" | "small" | "u",
                    ),
                    _,
                ) => Some(" "),
                _ => None,
            };
            if let (Some(known), Some(tag)) = (known, tag) {
                written.push_str(known);
                rest = &rest[tag.len() + 2..];
            } else {
                written.push_str("\\<");
                rest = &rest[1..];
            }
        }
        written.push_str(&entities(rest));
    }
    written
}

/// Go comments: indented lines are code, `# Title` is a heading, `[Name]` is a link to an identifier.
pub(crate) fn go_comment(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    let lines: Vec<&str> = text.lines().collect();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        let trimmed = line.trim_start();
        let is_list =
            trimmed.starts_with("- ") || trimmed.starts_with("* ") || trimmed.starts_with(|c: char| c.is_ascii_digit());
        let is_indented = line.starts_with([' ', '\t']) && !trimmed.is_empty();
        if is_indented && !is_list {
            let block = lines[at..].iter().take_while(|line| line.is_empty() || line.starts_with([' ', '\t'])).count();
            let block: Vec<&str> = lines[at..at + block].to_vec();
            at += block.len();
            let last = block.iter().rposition(|line| !line.trim().is_empty()).unwrap_or_default();
            let base = block
                .iter()
                .filter(|line| !line.trim().is_empty())
                .map(|line| line.len() - line.trim_start().len())
                .min()
                .unwrap_or(0);
            let code: Vec<&str> = block[..=last].iter().map(|line| line.get(base..).unwrap_or_default()).collect();
            put!(written, "\n```go\n{}\n```\n\n", code.join("\n").replace("```", "'''"));
            continue;
        }
        // what looks like HTML is text in Go
        written.push_str(&identifiers(if is_list { trimmed } else { line }));
        written.push('\n');
        at += 1;
    }
    written
}

/// `[Name]` as code; what looks like HTML stays text.
fn identifiers(line: &str) -> String {
    let mut written = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(['[', '<']) {
        written.push_str(&rest[..at]);
        rest = &rest[at..];
        let name = within(rest, ']').map(|end| &rest[1..end]).filter(|_| rest.starts_with('['));
        let is_name = |name: &str| {
            name.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '*' | '/'))
                && name.chars().any(char::is_uppercase)
        };
        if let Some(name) = name.filter(|name| is_name(name) && !rest[name.len() + 2..].starts_with(['(', ':'])) {
            written.push_str(&code(name));
            rest = &rest[name.len() + 2..];
        } else {
            written.push_str(if rest.starts_with('<') { "\\<" } else { "[" });
            rest = &rest[1..];
        }
    }
    written.push_str(rest);
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jsdoc_tags_become_lists_and_blocks() {
        let text = "Adds things, see {@link Other}.\n\n@param {number} a - the first\n  one\n@param {string} [b=2] second\n@returns {Promise<number>} the sum\n@example\nadd(1)\n@private-ish";
        let doc = tagged(Language::JavaScript, text);
        assert!(
            doc.starts_with(
                "Adds things, see `Other`.\n\n- `a` (`number`): the first one\n- `[b=2]` (`string`): second\n"
            ),
            "{doc}"
        );
        assert!(doc.contains("- Returns `Promise<number>`: the sum\n"), "{doc}");
        assert!(doc.contains("```javascript\nadd(1)\n```"), "{doc}");
    }

    #[test]
    fn javadoc_loses_its_html() {
        let text = "Reads <code>a</code>.\n<p>Use {@link Foo#bar}.\n<pre>{@code\nList<String> x;\n}</pre>\n@param in the input\n@throws IOException when broken";
        let doc = tagged(Language::Java, text);
        assert!(
            doc.contains("Reads `a`.")
                && doc.contains("Use `Foo.bar`.")
                && doc.contains("```java\nList<String> x;\n```"),
            "{doc}"
        );
        assert!(doc.contains("- `in`: the input\n- Throws `IOException`: when broken"), "{doc}");
    }

    #[test]
    fn doxygen_and_go_have_their_own_ways() {
        let doc = tagged(Language::C, "@brief Opens @c file.\n@param[in] name the name\n@note careful");
        assert!(
            doc.starts_with("Opens `file`.\n\n- `name`: the name\n") && doc.contains("> [!NOTE]\n> careful"),
            "{doc}"
        );
        assert_eq!(go_comment("Opens.\n\n\tx := 1\n\ty()\n\nDone."), "Opens.\n\n\n```go\nx := 1\ny()\n```\n\nDone.\n");
    }
}
