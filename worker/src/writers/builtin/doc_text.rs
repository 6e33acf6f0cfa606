//! Documentation comments as Markdown: rustdoc here, the others in `docstrings` and `doc_tags`.

use super::{
    doc_tags::{go_comment, tagged},
    docstrings::docstring,
    languages::Language,
    markdown::{Fences, bold_headings, closing},
};

/// The documentation of an item as Markdown without headings and without links that lead nowhere.
pub(crate) fn item_doc(language: Language, text: &str) -> String {
    tidy(&bold_headings(&module_doc(language, text)))
}

/// The documentation of a module as Markdown; its headings stay.
pub(crate) fn module_doc(language: Language, text: &str) -> String {
    let text = match language {
        Language::Rust => rustdoc(text),
        Language::Python => docstring(text),
        Language::Go => go_comment(text),
        _ => tagged(language, text),
    };
    tidy(&unlink(&text))
}

/// At most one empty line in a row, none at the ends; fences closed.
fn tidy(text: &str) -> String {
    let mut fences = Fences::default();
    let mut tidied = String::with_capacity(text.len());
    let mut blank = true;
    for line in text.lines() {
        let is_code = fences.is_code(line);
        let line = line.trim_end();
        if line.is_empty() && blank && !is_code {
            continue;
        }
        blank = line.is_empty();
        tidied.push_str(line);
        tidied.push('\n');
    }
    if let Some(fence) = fences.closing() {
        tidied.push_str(&fence);
    }
    tidied.trim_end().to_owned()
}

/// Rustdoc: hidden lines of examples are removed, fences say their language.
fn rustdoc(text: &str) -> String {
    let mut fences = Fences::default();
    let (mut written, mut in_rust, mut was_code) = (String::new(), false, false);
    for line in text.lines() {
        let is_code = fences.is_code(line);
        let begins = is_code && !was_code;
        was_code = is_code && fences.closing().is_some();
        if begins {
            let trimmed = line.trim_start();
            let mark = trimmed.len() - trimmed.trim_start_matches(['`', '~']).len();
            let words = trimmed[mark..].trim();
            in_rust = words.split([',', ' ']).all(is_rustdoc_word);
            let language = if in_rust { "rust" } else { words.split(',').next().unwrap_or_default() };
            let indentation = &line[..line.len() - trimmed.len()];
            written.push_str(&format!("{indentation}{}{language}\n", &trimmed[..mark]));
            continue;
        }
        let code = line.trim_start();
        if is_code && in_rust && (code == "#" || code.starts_with("# ")) {
            continue;
        }
        written.push_str(if is_code && in_rust && code.starts_with("##") { &code[1..] } else { line });
        written.push('\n');
    }
    written
}

fn is_rustdoc_word(word: &str) -> bool {
    matches!(
        word,
        "" | "rust" | "ignore" | "no_run" | "should_panic" | "compile_fail" | "standalone_crate" | "test_harness"
    ) || word.starts_with("edition")
        || word.starts_with("ignore-")
        || (word.len() == 5 && word.starts_with('E'))
}

/// Links to items and files lose their target, web links stay: `[Foo](crate::Foo)` becomes `Foo`.
pub(crate) fn unlink(text: &str) -> String {
    let mut fences = Fences::default();
    let mut written = String::with_capacity(text.len());
    let web: Vec<String> = text.lines().filter_map(web_definition).collect();
    for line in text.lines() {
        if fences.is_code(line) {
            written.push_str(line);
        } else if is_dead_definition(line) {
            continue;
        } else {
            unlink_line(line, &web, &mut written);
        }
        written.push('\n');
    }
    written
}

fn is_web(target: &str) -> bool {
    target.starts_with("http://") || target.starts_with("https://")
}

/// The label of `[label]: https://…`.
fn web_definition(line: &str) -> Option<String> {
    let (label, target) = line.trim().strip_prefix('[')?.split_once("]:")?;
    is_web(target.trim().trim_start_matches('<')).then(|| label.to_lowercase())
}

fn is_dead_definition(line: &str) -> bool {
    let definition = line.trim().strip_prefix('[').and_then(|rest| rest.split_once("]:"));
    definition.is_some_and(|(label, target)| {
        !label.is_empty()
            && !label.contains(']')
            && !target.trim().is_empty()
            && !target.trim().contains(' ')
            && !is_web(target.trim().trim_start_matches('<'))
    })
}

fn unlink_line(line: &str, web: &[String], written: &mut String) {
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        if c == '`' {
            let ticks = rest.len() - rest.trim_start_matches('`').len();
            let end = rest[ticks..].find(&rest[..ticks]).map_or(ticks, |end| 2 * ticks + end);
            written.push_str(&rest[..end]);
            rest = &rest[end..];
            continue;
        }
        let link = if c == '[' { closing(rest, '[', ']') } else { None };
        let Some(end) = link else {
            written.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        let (words, after) = (&rest[1..end], &rest[end + 1..]);
        if words == " " || words == "x" || words.is_empty() || words.starts_with(['^', '[', '!']) {
            written.push_str(&rest[..=end]);
            rest = after;
            continue;
        }
        let inline = if after.starts_with('(') { closing(after, '(', ')') } else { None };
        let labelled = if after.starts_with('[') { closing(after, '[', ']') } else { None };
        let (target_end, keep) = match (inline, labelled) {
            (Some(close), _) => (close + 1, is_web(&after[1..close])),
            (None, Some(close)) => {
                let label = if close == 1 { words } else { &after[1..close] };
                (close + 1, web.contains(&label.to_lowercase()))
            }
            // `[Foo]` alone is a link in rustdoc; `a[0]` and `[a, b]` are not
            (None, None) => (0, web.contains(&words.to_lowercase()) || !words.starts_with('`')),
        };
        written.push_str(if keep { &rest[..=end] } else { words });
        if keep {
            written.push_str(&after[..target_end]);
        }
        rest = &after[target_end..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rustdoc_examples_lose_their_hidden_lines_and_links_their_paths() {
        let text = "Makes [`Foo`] of [a thing](crate::thing), see [web](https://x.y).\n\n# Examples\n\n```no_run\n# use a::b;\nb();\n```";
        let expected = "Makes `Foo` of a thing, see [web](https://x.y).\n\n**Examples**\n\n```rust\nb();\n```";
        assert_eq!(item_doc(Language::Rust, text), expected);
    }
}
