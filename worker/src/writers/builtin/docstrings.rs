//! Python docstrings as Markdown: reST, Google and `NumPy` style.

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
pub(crate) fn docstring(text: &str) -> String {
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
        } else if is_field(trimmed) {
            // a field goes on in the indented lines below it
            let more = lines[at + 1..]
                .iter()
                .take_while(|line| !line.trim().is_empty() && line.starts_with("  ") && !line.trim().starts_with(':'));
            let joined: Vec<&str> = std::iter::once(trimmed).chain(more.map(|line| line.trim())).collect();
            at += joined.len();
            if let Some(field) = field_line(&joined.join(" ")) {
                written.push_str(&field);
                written.push('\n');
            }
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
            let colon = if more.is_empty() { "." } else { ":" };
            written.push_str(&format!("\n*{word} {what}{colon}* {more}\n\n"));
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

/// Whether a line begins like `:name words:`, which is no role such as ``:class:`X` ``.
fn is_field(line: &str) -> bool {
    let kinds = [
        "param",
        "parameter",
        "arg",
        "argument",
        "key",
        "keyword",
        "raise",
        "except",
        "return",
        "yield",
        "type",
        "rtype",
        "vartype",
        "ivar",
        "var",
        "cvar",
        "copyright",
        "license",
        "author",
        "meta",
    ];
    line.strip_prefix(':').is_some_and(|rest| kinds.iter().any(|kind| rest.starts_with(kind)) && rest.contains(':'))
}

/// `:param name: words` and its relatives; nothing for what is about the file rather than its use.
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
pub(crate) fn roles(line: &str) -> String {
    let line = line.replace("``", "`").replace("`\\", "`");
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
    use crate::writers::builtin::{doc_text::item_doc, languages::Language};

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
