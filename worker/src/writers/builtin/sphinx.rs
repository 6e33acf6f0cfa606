//! Sphinx documents as plain Markdown: reStructuredText, and the directives and roles of `MyST`.

use super::{
    docstrings::{docstring, roles},
    markdown::Fences,
};

/// Whether a path is reStructuredText.
pub(crate) fn is_rst(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, ending)| ending.eq_ignore_ascii_case("rst"))
}

/// reStructuredText as Markdown: headings, code, notes, lists and web links; other directives are left out.
pub(crate) fn rst(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut marks: Vec<(char, bool)> = Vec::new();
    let mut written: Vec<String> = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let (line, next) = (lines[at], lines.get(at + 1).copied().unwrap_or_default());
        let over = rule(line).filter(|mark| {
            rule(lines.get(at + 2).copied().unwrap_or_default()) == Some(*mark) && !next.trim().is_empty()
        });
        let under = rule(next).filter(|_| !line.trim().is_empty() && !line.starts_with(' ') && rule(line).is_none());
        let heading = over.map(|mark| (mark, true, next, 3)).or(under.map(|mark| (mark, false, line, 2)));
        if let Some((mark, overlined, title, used)) = heading {
            let level = marks.iter().position(|known| *known == (mark, overlined)).unwrap_or_else(|| {
                marks.push((mark, overlined));
                marks.len() - 1
            });
            written.push(format!("\n{} {}\n", "#".repeat((level + 1).min(6)), title.trim()));
            at += used;
            continue;
        }
        // targets of links inside of the document
        let is_target =
            line.starts_with(".. _") || line.starts_with(".. |") || (line.starts_with(".. ") && !line.contains("::"));
        at += 1;
        if !is_target {
            written.push(web_links(line));
            continue;
        }
        // a comment goes on in the indented lines below it
        while lines.get(at).is_some_and(|line| line.starts_with([' ', '\t'])) {
            at += 1;
        }
    }
    docstring(&written.join("\n"))
}

/// The character of a line that consists of one punctuation mark, three times at least.
fn rule(line: &str) -> Option<char> {
    let line = line.trim_end();
    let mark = line.chars().next().filter(|c| "=-~^\"'`*+#.:_".contains(*c))?;
    (line.len() >= 3 && line.chars().all(|c| c == mark)).then_some(mark)
}

/// `` `words <https://x>`_ `` becomes a Markdown link.
fn web_links(line: &str) -> String {
    let mut written = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find('`') {
        let Some(end) = rest[at + 1..].find('`').map(|end| at + 1 + end) else { break };
        let inner = &rest[at + 1..end];
        let after = &rest[end + 1..];
        let link = inner.split_once(" <").filter(|(_, target)| target.starts_with("http") && after.starts_with('_'));
        written.push_str(&rest[..at]);
        if let Some((words, target)) = link {
            written.push_str(&format!("[{words}]({})", target.trim_end_matches('>')));
            rest = after.trim_start_matches('_');
        } else if after.starts_with('_') && !inner.is_empty() {
            written.push_str(inner);
            rest = after.trim_start_matches('_');
        } else {
            written.push_str(&rest[at..=end]);
            rest = after;
        }
    }
    written.push_str(rest);
    written
}

/// Markdown without the directives, labels and roles of `MyST`; other Markdown is returned as it is.
pub(crate) fn myst(text: &str) -> String {
    if !["```{", ":::{", "{ref}`", "{doc}`", "{func}`", "{class}`", ")=\n"].iter().any(|mark| text.contains(mark)) {
        return text.to_owned();
    }
    let lines: Vec<&str> = text.lines().collect();
    let mut written = String::with_capacity(text.len());
    let mut fences = Fences::default();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        let directive = if fences.closing().is_none() { directive(line) } else { None };
        if let Some((fence, name, argument)) = directive {
            let length = lines[at + 1..].iter().take_while(|line| line.trim() != fence).count();
            let end = (at + 1 + length).min(lines.len());
            write_directive(name, argument, &lines[at + 1..end], &mut written);
            at = end + 1;
            continue;
        }
        at += 1;
        let is_code = fences.is_code(line);
        let trimmed = line.trim();
        let is_label = trimmed.starts_with('(') && trimmed.ends_with(")=") && !trimmed.contains(' ');
        let is_class = trimmed.starts_with("{.") && trimmed.ends_with('}');
        if !is_code && (is_label || is_class) {
            continue;
        }
        written.push_str(&if is_code { line.to_owned() } else { myst_roles(line) });
        written.push('\n');
    }
    written
}

/// Fence, name and argument of a line such as ```` ```{code-block} python ````.
fn directive(line: &str) -> Option<(&str, &str, &str)> {
    let trimmed = line.trim();
    let mark = trimmed.chars().next().filter(|c| matches!(c, '`' | ':' | '~'))?;
    let length = trimmed.chars().take_while(|c| *c == mark).count();
    let (name, argument) = trimmed[length..].strip_prefix('{')?.split_once('}')?;
    (length >= 3).then(|| (&trimmed[..length], name.trim(), argument.trim()))
}

fn write_directive(name: &str, argument: &str, lines: &[&str], written: &mut String) {
    // options stand between rules or behind colons at the top
    let mut body = lines;
    if body.first().is_some_and(|line| line.trim() == "---") {
        let options = body[1..].iter().position(|line| line.trim() == "---").map_or(body.len(), |end| end + 2);
        body = &body[options.min(body.len())..];
    }
    while body.first().is_some_and(|line| line.trim().starts_with(':') && line.trim()[1..].contains(':')) {
        body = &body[1..];
    }
    let text = body.join("\n");
    let mark = match name {
        "note" | "seealso" | "admonition" | "versionadded" | "versionchanged" | "deprecated" => "NOTE",
        "warning" | "attention" => "WARNING",
        "tip" | "hint" => "TIP",
        "important" => "IMPORTANT",
        "caution" | "danger" | "error" => "CAUTION",
        "code-block" | "code" | "sourcecode" | "code-cell" => {
            written.push_str(&format!("```{argument}\n{text}\n```\n"));
            return;
        }
        "contents" | "currentmodule" | "toctree" | "module" | "include" | "literalinclude" | "image" | "figure"
        | "eval-rst" | "index" | "meta" | "raw" | "only" | "testsetup" => return,
        name if name.starts_with("auto") || name.starts_with("py:") => return,
        // commands of extensions mostly hold code, as the name of the language says or the body shows
        name => {
            let language =
                if matches!(name, "python" | "r" | "julia" | "bash") || !name.contains(':') { name } else { "python" };
            if !text.trim().is_empty() {
                written.push_str(&format!("```{language}\n{text}\n```\n"));
            }
            return;
        }
    };
    let said = match name {
        "versionadded" => format!("Added in version {argument}. "),
        "versionchanged" => format!("Changed in version {argument}. "),
        "deprecated" => format!("Deprecated since version {argument}. "),
        _ if argument.is_empty() => String::new(),
        _ => format!("**{argument}**\n"),
    };
    written.push_str(&format!("> [!{mark}]\n"));
    for line in format!("{said}{text}").lines() {
        written.push_str(&format!("> {}\n", myst_roles(line)));
    }
}

/// ``{ref}`words <label>` `` becomes `words`, ``{func}`x` `` becomes code.
fn myst_roles(line: &str) -> String {
    if !line.contains("}`") {
        return line.to_owned();
    }
    let mut written = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("}`") {
        let start = rest[..at].rfind('{');
        let end = rest[at + 2..].find('`').map(|end| at + 2 + end);
        let (Some(start), Some(end)) = (start, end) else { break };
        let (role, target) = (&rest[start + 1..at], &rest[at + 2..end]);
        written.push_str(&rest[..start]);
        if matches!(role, "ref" | "doc" | "term" | "any" | "numref") {
            let words = target.split(" <").next().unwrap_or(target);
            written.push_str(words.trim_start_matches('/'));
        } else {
            written.push_str(&roles(&format!(":{}:`{target}`", role.replace(':', "-"))));
        }
        rest = &rest[end + 1..];
    }
    written.push_str(rest);
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restructured_text_becomes_markdown() {
        let text = "Title\n=====\n\nSee `the site <https://x.y>`_ and :class:`Foo`.\n\nPart\n----\n\n.. code-block:: python\n\n    x()\n\n.. image:: a.png\n\nEnd.\n";
        let markdown = rst(text);
        assert!(markdown.contains("# Title\n") && markdown.contains("## Part\n"), "{markdown}");
        assert!(markdown.contains("See [the site](https://x.y) and `Foo`."), "{markdown}");
        assert!(markdown.contains("```python\nx()\n```") && !markdown.contains("a.png"), "{markdown}");
    }

    #[test]
    fn myst_directives_become_callouts_and_code() {
        let text = "(top)=\n# T\n```{currentmodule} x\n```\n```{note}\nSee {ref}`that part <that>`.\n```\n```{code-block} python\n:caption: a\nx()\n```\n";
        assert_eq!(myst(text), "# T\n> [!NOTE]\n> See that part.\n```python\nx()\n```\n");
    }
}
