//! Documentation comments as Markdown: rustdoc, docstrings, `JSDoc`, Javadoc, Go comments, Doxygen.

use super::{
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
        _ => text.to_owned(),
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

/// Sections of Google style docstrings.
const GOOGLE_SECTIONS: [&str; 18] = [
    "Args",
    "Arguments",
    "Parameters",
    "Params",
    "Returns",
    "Return",
    "Yields",
    "Raises",
    "Raise",
    "Attributes",
    "Examples",
    "Example",
    "Note",
    "Notes",
    "Warning",
    "Warnings",
    "Keyword Args",
    "See Also",
];

/// Docstrings in reST, Google or NumPy style.
fn docstring(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut written = String::new();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        let trimmed = line.trim();
        let indentation = line.len() - line.trim_start().len();
        let underline = lines.get(at + 1).map(|next| next.trim()).unwrap_or_default();
        let is_underline = underline.len() >= 3 && underline.chars().all(|c| matches!(c, '-' | '=' | '~'));
        if is_underline && !trimmed.is_empty() && !trimmed.starts_with("```") {
            written.push_str(&format!("\n**{trimmed}**\n\n"));
            at += 2;
            let block = block_after(&lines, at, indentation, false);
            write_numpy_section(trimmed, &lines[at..at + block], &mut written);
            at += block;
        } else if let Some(section) = trimmed.strip_suffix(':').filter(|name| GOOGLE_SECTIONS.contains(name)) {
            written.push_str(&format!("\n**{section}**\n\n"));
            at += 1;
            let block = block_after(&lines, at, indentation + 1, true);
            write_google_section(section, &lines[at..at + block], &mut written);
            at += block;
        } else if trimmed.starts_with(">>> ") {
            let length = lines[at..].iter().take_while(|line| !line.trim().is_empty()).count();
            let code: Vec<&str> =
                lines[at..at + length].iter().map(|line| line.get(indentation..).unwrap_or(line.trim())).collect();
            written.push_str(&format!("\n```pycon\n{}\n```\n\n", code.join("\n")));
            at += length;
        } else if let Some((name, what)) = directive(trimmed) {
            at += 1;
            let block = block_after(&lines, at, indentation + 1, true);
            write_directive(name, what, &lines[at..at + block], &mut written);
            at += block;
        } else if let Some(field) = field_line(trimmed) {
            written.push_str(&field);
            at += 1;
            // a field goes on in the indented lines below it
            while at < lines.len()
                && !lines[at].trim().is_empty()
                && lines[at].starts_with("  ")
                && !lines[at].trim().starts_with(':')
            {
                written.push_str(&format!(" {}", roles(lines[at].trim())));
                at += 1;
            }
            written.push('\n');
        } else if trimmed.ends_with("::") && !trimmed.starts_with("..") {
            let words = trimmed.trim_end_matches(':');
            if !words.is_empty() {
                written.push_str(&format!("{}:\n\n", roles(words)));
            }
            at += 1;
            let block = block_after(&lines, at, indentation + 1, true);
            write_code("python", &lines[at..at + block], &mut written);
            at += block;
        } else {
            let kept = if indentation >= 4 { trimmed } else { line };
            written.push_str(&roles(kept));
            written.push('\n');
            at += 1;
        }
    }
    written
}

/// How many lines from `at` are indented by at least `indentation` (or empty); with `strict` false a following
/// underlined heading ends the block.
fn block_after(lines: &[&str], at: usize, indentation: usize, strict: bool) -> usize {
    let mut length = 0;
    for (offset, line) in lines[at..].iter().enumerate() {
        let blank = line.trim().is_empty();
        let indented = line.len() - line.trim_start().len() >= indentation;
        let next = lines.get(at + offset + 1).map(|next| next.trim()).unwrap_or_default();
        let heading = !strict && next.len() >= 3 && next.chars().all(|c| c == '-' || c == '=');
        if !blank && (!indented || heading) {
            break;
        }
        length = offset + 1;
    }
    length
}

fn write_google_section(section: &str, lines: &[&str], written: &mut String) {
    if section.starts_with("Example") {
        if lines.iter().any(|line| line.contains("```")) {
            written.push_str(&dedent(lines));
        } else {
            write_code("python", lines, written);
        }
        return;
    }
    let base = lines
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.len() - line.trim_start().len())
        .min()
        .unwrap_or(0);
    let is_list =
        !matches!(section, "Returns" | "Return" | "Yields" | "Note" | "Notes" | "Warning" | "Warnings" | "See Also");
    for line in lines {
        let trimmed = line.trim();
        let indentation = line.len() - line.trim_start().len();
        match trimmed.split_once(':').filter(|_| is_list && indentation == base) {
            Some((name, what)) if !name.contains("  ") && name.len() <= 80 => {
                written.push_str(&format!("- `{}`: {}\n", name.trim().replace('`', ""), roles(what.trim())));
            }
            _ if trimmed.is_empty() => written.push('\n'),
            _ if is_list => written.push_str(&format!("  {}\n", roles(trimmed))),
            _ => written.push_str(&format!("{}\n", roles(trimmed))),
        }
    }
    written.push('\n');
}

fn write_numpy_section(section: &str, lines: &[&str], written: &mut String) {
    if section.starts_with("Example") {
        written.push_str(&docstring(&dedent(lines)));
        return;
    }
    let is_list = matches!(section, "Parameters" | "Other Parameters" | "Returns" | "Yields" | "Raises" | "Attributes");
    let base = lines
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.len() - line.trim_start().len())
        .min()
        .unwrap_or(0);
    for line in lines {
        let trimmed = line.trim();
        if trimmed.is_empty() {
            written.push('\n');
        } else if is_list && line.len() - line.trim_start().len() == base {
            written.push_str(&format!("- `{}`\n", trimmed.replace('`', "")));
        } else {
            written.push_str(&format!("{}{}\n", if is_list { "  " } else { "" }, roles(trimmed)));
        }
    }
    written.push('\n');
}

fn dedent(lines: &[&str]) -> String {
    let base = lines
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.len() - line.trim_start().len())
        .min()
        .unwrap_or(0);
    lines.iter().map(|line| line.get(base..).unwrap_or_default().to_owned() + "\n").collect()
}

fn write_code(language: &str, lines: &[&str], written: &mut String) {
    let code = dedent(lines);
    let code = code.trim_matches('\n');
    if !code.is_empty() {
        written.push_str(&format!("```{language}\n{}\n```\n\n", code.replace("```", "'''")));
    }
}

/// `.. name:: words`.
fn directive(line: &str) -> Option<(&str, &str)> {
    let (name, what) = line.strip_prefix(".. ")?.split_once("::")?;
    Some((name.trim(), what.trim()))
}

fn write_directive(name: &str, what: &str, lines: &[&str], written: &mut String) {
    match name {
        "code-block" | "code" | "sourcecode" => {
            let code: Vec<&str> = lines.iter().copied().filter(|line| !line.trim().starts_with(':')).collect();
            write_code(what, &code, written);
        }
        "versionadded" | "versionchanged" | "deprecated" => {
            let word = match name {
                "versionadded" => "Added in version",
                "versionchanged" => "Changed in version",
                _ => "Deprecated since version",
            };
            let more = roles(&lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" "));
            let more = more.trim();
            let colon = if more.is_empty() { "." } else { ": " };
            written.push_str(&format!("\n*{word} {what}{colon}*{more}\n\n"));
        }
        "note" | "warning" | "tip" | "caution" | "important" | "admonition" | "seealso" => {
            let mark = match name {
                "warning" | "caution" => "WARNING",
                "tip" => "TIP",
                "important" => "IMPORTANT",
                _ => "NOTE",
            };
            let text = format!("{what}\n{}", dedent(lines));
            written.push_str(&format!("\n> [!{mark}]\n"));
            for line in text.trim().lines() {
                written.push_str(&format!("> {}\n", roles(line)));
            }
            written.push('\n');
        }
        _ => {}
    }
}

/// `:param name: words` and its relatives.
fn field_line(line: &str) -> Option<String> {
    let (field, what) = line.strip_prefix(':')?.split_once(": ").or_else(|| line.strip_prefix(':')?.split_once(':'))?;
    let mut words = field.split_whitespace();
    let kind = words.next()?;
    let name = words.next_back().unwrap_or_default();
    let what = roles(what.trim());
    Some(match kind {
        "param" | "parameter" | "arg" | "argument" | "key" | "keyword" => format!("- `{name}`: {what}"),
        "raises" | "raise" | "except" | "exception" => format!("- Raises `{name}`: {what}"),
        "return" | "returns" => format!("- Returns: {what}"),
        "yield" | "yields" => format!("- Yields: {what}"),
        "type" | "rtype" | "vartype" => format!(
            "- Type{}: `{}`",
            if name.is_empty() { String::new() } else { format!(" of `{name}`") },
            what.replace('`', "")
        ),
        "ivar" | "var" | "cvar" => format!("- `{name}`: {what}"),
        _ => return None,
    })
}

/// ``:class:`Foo` `` becomes `` `Foo` ``, double backticks become single ones.
fn roles(line: &str) -> String {
    let line = line.replace("``", "`");
    let mut written = String::with_capacity(line.len());
    let mut rest = line.as_str();
    while let Some(at) = rest.find(":`") {
        let before = &rest[..at];
        let start = before.rfind(':').filter(|start| {
            let role = &before[start + 1..];
            !role.is_empty() && role.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        });
        // `:py:class:` has two parts
        let start = start.map(|start| match before[..start].rfind(':') {
            Some(first)
                if !before[first + 1..start].is_empty()
                    && before[first + 1..start].chars().all(char::is_alphanumeric) =>
            {
                first
            }
            _ => start,
        });
        let (Some(start), Some(end)) = (start, rest[at + 2..].find('`')) else {
            written.push_str(&rest[..at + 2]);
            rest = &rest[at + 2..];
            continue;
        };
        let target = &rest[at + 2..at + 2 + end];
        let target = target.split(" <").next().unwrap_or(target).trim_start_matches(['~', '!']);
        written.push_str(&before[..start]);
        written.push_str(&format!("`{target}`"));
        rest = &rest[at + 3 + end..];
    }
    written.push_str(rest);
    written
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

    #[test]
    fn docstrings_of_three_styles_become_lists() {
        let rest = "Opens :class:`~a.File`.\n\n:param name: the ``path``\n    of it\n:returns: a file\n\n.. versionadded:: 2.0";
        let rest = item_doc(Language::Python, rest);
        assert!(rest.contains("- `name`: the `path` of it\n- Returns: a file"), "{rest}");
        assert!(rest.starts_with("Opens `a.File`.") && rest.contains("*Added in version 2.0.*"), "{rest}");
        let google = item_doc(
            Language::Python,
            "Adds.\n\nArgs:\n    a (int): one\n        more\n    b: two\n\nReturns:\n    The sum.",
        );
        assert!(
            google.contains("**Args**\n\n- `a (int)`: one\n  more\n- `b`: two\n\n**Returns**\n\nThe sum."),
            "{google}"
        );
        let numpy = item_doc(
            Language::Python,
            "Adds.\n\nParameters\n----------\na : int\n    One.\n\nReturns\n-------\nint\n    Sum.",
        );
        assert!(numpy.contains("**Parameters**\n\n- `a : int`\n  One.\n\n**Returns**\n\n- `int`\n  Sum."), "{numpy}");
    }
}
