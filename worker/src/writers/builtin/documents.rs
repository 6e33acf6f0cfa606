//! The repository's own Markdown made fit for the site: badges and comments removed, HTML simplified, links resolved.

use std::collections::BTreeMap;

use shared::names::PageSlug;

use super::{
    markdown::{Fences, closing, heading, place, within},
    sphinx::{is_rst, myst, rst},
    survey::Survey,
};

/// Where relative links of a document lead.
pub(crate) struct Links<'a> {
    /// The repository.
    pub(crate) survey: &'a Survey,
    /// Documents that became pages, by path.
    pub(crate) pages: &'a BTreeMap<String, PageSlug>,
}

/// A document as Markdown for the site: same text, links resolved relative to `path`'s folder.
pub(crate) fn adopt(text: &str, path: &str, links: &Links<'_>) -> String {
    let text = if is_rst(path) { rst(text) } else { myst(without_front_matter(text)) };
    let text = without_comments(&text);
    let text = atx_headings(&text);
    let definitions = definitions(&text);
    let document = Document { folder: path.rsplit_once('/').map_or("", |(folder, _)| folder), definitions, links };
    let mut fences = Fences::default();
    let mut adopted = String::with_capacity(text.len());
    for line in text.lines() {
        let target = definition(line).map(|(_, target)| target);
        if fences.is_code(line) || target.is_some_and(is_web) {
            adopted.push_str(line);
        } else if line.trim().starts_with("{{") && line.trim().ends_with("}}") {
            // a template of another site generator
            continue;
        } else if target.is_some() {
            // resolved where it is used
            continue;
        } else {
            let simple = simple_html(line);
            let written = document.line(&simple);
            // a line of badges leaves nothing behind
            if written.trim().is_empty() && !line.trim().is_empty() {
                continue;
            }
            adopted.push_str(written.trim_end_matches([' ', '\t']));
            if line.ends_with("  ") && !written.trim().is_empty() {
                adopted.push_str("  ");
            }
        }
        adopted.push('\n');
    }
    squeeze(&adopted)
}

/// The parts of a document: what stands before the first heading of the highest repeated level, and each such section.
pub(crate) struct Section {
    /// The heading's text; empty for what stands before the first.
    pub(crate) title: String,
    /// The section's lines, its own heading included.
    pub(crate) text: String,
}

/// Splits a document at headings of `level` and above.
pub(crate) fn sections(text: &str, level: usize) -> Vec<Section> {
    let mut fences = Fences::default();
    let mut sections = vec![Section { title: String::new(), text: String::new() }];
    for line in text.lines() {
        let is_code = fences.is_code(line);
        if let Some((found, title)) = heading(line).filter(|(found, _)| !is_code && *found <= level) {
            let _ = found;
            sections.push(Section { title: title.to_owned(), text: String::new() });
        }
        if let Some(section) = sections.last_mut() {
            section.text.push_str(line);
            section.text.push('\n');
        }
    }
    sections.retain(|section| !section.text.trim().is_empty());
    sections
}

/// The document without its first heading when that is its title, and the title.
pub(crate) fn split_title(text: &str) -> (Option<String>, String) {
    let mut fences = Fences::default();
    for (number, line) in text.lines().enumerate() {
        if fences.is_code(line) || number > 40 {
            break;
        }
        if let Some((1, title)) = heading(line) {
            let kept = text.lines().enumerate().filter(|(at, _)| *at != number).map(|(_, line)| line.to_owned() + "\n");
            return (Some(super::markdown::plain_text(title)).filter(|title| !title.is_empty()), kept.collect());
        }
    }
    (None, text.to_owned())
}

fn without_front_matter(text: &str) -> &str {
    let Some(rest) = text.strip_prefix("---\n") else { return text };
    match rest.split_once("\n---\n") {
        Some((matter, body)) if matter.len() < 4_000 => body,
        _ => text,
    }
}

/// Removes HTML comments outside of code.
fn without_comments(text: &str) -> String {
    let mut fences = Fences::default();
    let mut kept = String::with_capacity(text.len());
    let mut in_comment = false;
    for line in text.lines() {
        if !in_comment && fences.is_code(line) {
            kept.push_str(line);
            kept.push('\n');
            continue;
        }
        let mut rest = line;
        loop {
            if in_comment {
                let Some((_, after)) = rest.split_once("-->") else { break };
                in_comment = false;
                rest = after;
            } else if let Some((before, after)) = rest.split_once("<!--").filter(|(before, _)| !before.contains('`')) {
                kept.push_str(before);
                in_comment = true;
                rest = after;
            } else {
                kept.push_str(rest);
                break;
            }
        }
        kept.push('\n');
    }
    kept
}

/// Underlined headings as `#` headings.
fn atx_headings(text: &str) -> String {
    let mut fences = Fences::default();
    let mut written: Vec<String> = Vec::new();
    let mut previous_is_text = false;
    for line in text.lines() {
        let is_code = fences.is_code(line);
        let trimmed = line.trim();
        let level = match trimmed.chars().next() {
            Some('=') if trimmed.chars().all(|c| c == '=') => 1,
            Some('-') if trimmed.len() >= 2 && trimmed.chars().all(|c| c == '-') => 2,
            _ => 0,
        };
        if !is_code && level > 0 && previous_is_text {
            if let Some(last) = written.last_mut() {
                *last = format!("{} {}", "#".repeat(level), last.trim());
            }
            previous_is_text = false;
            continue;
        }
        let special = trimmed.starts_with(['#', '>', '|', '-', '*', '+', '<']) || line.starts_with("    ");
        previous_is_text = !is_code && !trimmed.is_empty() && !special;
        written.push(line.to_owned());
    }
    written.join("\n") + "\n"
}

fn definition(line: &str) -> Option<(&str, &str)> {
    let (label, target) = line.trim().strip_prefix('[')?.split_once("]:")?;
    let target = target.split_whitespace().next()?.trim_matches(['<', '>']);
    (!label.is_empty() && !label.starts_with('^') && !label.contains(['[', ']'])).then_some((label, target))
}

fn definitions(text: &str) -> BTreeMap<String, String> {
    let mut fences = Fences::default();
    let lines = text.lines().filter(|line| !fences.is_code(line));
    lines.filter_map(definition).map(|(label, target)| (label.to_lowercase(), target.to_owned())).collect()
}

fn is_web(target: &str) -> bool {
    ["http://", "https://", "mailto:"].iter().any(|scheme| target.starts_with(scheme))
}

fn is_badge(target: &str) -> bool {
    let marks = [
        "shields.io",
        "badge",
        "travis-ci",
        "codecov",
        "coveralls",
        "circleci",
        "appveyor",
        "/actions/workflows/",
        "/workflows/",
        "opencollective.com",
        "deps.rs",
        "isitmaintained",
        "gitter.im",
        "repology",
        "snyk.io",
        "scorecard",
        "bestpractices",
        "api.star-history",
        "contrib.rocks",
        "img.youtube",
        "readthedocs.org/projects",
        "fuzzing-build-status",
    ];
    marks.iter().any(|mark| target.contains(mark))
}

/// Common presentational HTML of READMEs as Markdown: headings, links and images are kept, layout tags go.
fn simple_html(line: &str) -> String {
    if !line.contains('<') {
        return line.to_owned();
    }
    let mut written = String::with_capacity(line.len());
    let mut rest = line;
    // the targets of the links that are open
    let mut open: Vec<(usize, String)> = Vec::new();
    while let Some(c) = rest.chars().next() {
        if c == '`' {
            let end = rest[1..].find('`').map_or(1, |end| end + 2);
            written.push_str(&rest[..end]);
            rest = &rest[end..];
            continue;
        }
        let tag = if c == '<' { within(rest, '>').map(|end| &rest[1..end]) } else { None };
        let Some(tag) = tag.filter(|tag| tag.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')) else {
            written.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        rest = &rest[tag.len() + 2..];
        let name: String = tag.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect();
        let closes = tag.starts_with('/');
        match name.to_ascii_lowercase().as_str() {
            "a" if !closes => open.push((written.len(), attribute(tag, "href").unwrap_or_default())),
            "a" => {
                if let Some((start, target)) = open.pop() {
                    let words = written.split_off(start);
                    if target.is_empty() || words.trim().is_empty() {
                        written.push_str(&words);
                    } else {
                        put!(written, "[{}]({target})", words.trim());
                    }
                }
            }
            "img" => {
                let alt = attribute(tag, "alt").unwrap_or_default().replace(['[', ']'], "");
                if let Some(source) = attribute(tag, "src") {
                    put!(written, "![{alt}]({source})");
                }
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" if !closes => {
                let level = usize::from(name.as_bytes()[1] - b'0');
                put!(written, "\n{} ", "#".repeat(level));
            }
            "br" => written.push_str("  "),
            "summary" | "b" | "strong" => written.push_str("**"),
            "i" | "em" => written.push('*'),
            "code" | "kbd" | "tt" => written.push('`'),
            "li" if !closes => written.push_str("- "),
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "p" | "div" | "center" | "picture" | "source" | "span"
            | "details" | "ul" | "ol" | "li" | "sub" | "sup" | "font" | "u" | "small" | "table" | "tr" | "td"
            | "th" | "tbody" | "thead" | "hr" => {
                if matches!(name.as_str(), "td" | "th") && closes {
                    written.push(' ');
                }
            }
            // not a tag of HTML: a placeholder such as <name>
            _ => put!(written, "\\<{tag}>"),
        }
    }
    written
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let at = tag.to_ascii_lowercase().find(&format!("{name}="))?;
    let rest = tag.get(at + name.len() + 1..)?;
    let quote = rest.chars().next()?;
    if matches!(quote, '"' | '\'') {
        return rest[1..].split(quote).next().map(str::to_owned);
    }
    rest.split_whitespace().next().map(str::to_owned)
}

struct Document<'a> {
    folder: &'a str,
    definitions: BTreeMap<String, String>,
    links: &'a Links<'a>,
}

impl Document<'_> {
    fn line(&self, line: &str) -> String {
        let mut written = String::with_capacity(line.len());
        let mut rest = line;
        while let Some(c) = rest.chars().next() {
            if c == '`' {
                let ticks = rest.len() - rest.trim_start_matches('`').len();
                let end = rest[ticks..].find(&rest[..ticks]).map_or(ticks, |end| 2 * ticks + end);
                written.push_str(&rest[..end]);
                rest = &rest[end..];
                continue;
            }
            let image = rest.starts_with("![");
            let bracket = if image { &rest[1..] } else { rest };
            let parsed = if bracket.starts_with('[') { self.link(bracket) } else { None };
            let Some((words, target, after)) = parsed else {
                written.push(c);
                rest = &rest[c.len_utf8()..];
                continue;
            };
            written.push_str(&if image { self.image(words, &target) } else { self.resolved(words, &target) });
            rest = after;
        }
        written
    }

    /// Words, target and what follows of the link that `text` begins with.
    fn link<'t>(&self, text: &'t str) -> Option<(&'t str, String, &'t str)> {
        let end = closing(text, '[', ']')?;
        let (words, after) = (&text[1..end], &text[end + 1..]);
        if after.starts_with('(') {
            let end = closing(after, '(', ')')?;
            let target = after[1..end].split_whitespace().next().unwrap_or_default().trim_matches(['<', '>']);
            return Some((words, target.to_owned(), &after[end + 1..]));
        }
        let (label, rest) = match after.starts_with('[').then(|| closing(after, '[', ']')).flatten() {
            Some(1) => (words, &after[2..]),
            Some(end) => (&after[1..end], &after[end + 1..]),
            None => (words, after),
        };
        let target = self.definitions.get(&label.to_lowercase())?;
        Some((words, target.clone(), rest))
    }

    fn image(&self, alt: &str, target: &str) -> String {
        let alt = alt.trim();
        let is_ornament =
            ["logo", "banner"].iter().any(|word| alt.to_lowercase().contains(word) || target.contains(word));
        if is_badge(target) || is_ornament || (is_web(target) && alt.is_empty()) {
            return String::new();
        }
        if is_web(target) {
            return format!("[{alt}]({target})");
        }
        match self.in_repository(target) {
            Some(path) if self.links.survey.has(&path) => format!("*Image:* {alt} {}", place(&path, None)),
            _ => alt.to_owned(),
        }
    }

    fn resolved(&self, words: &str, target: &str) -> String {
        let words = self.line(words);
        let words = words.trim();
        if words.is_empty() {
            return String::new();
        }
        if is_web(target) || target.starts_with('#') {
            // an image that became a link cannot stand inside of another
            return if words.starts_with('[') && words.ends_with(')') {
                words.to_owned()
            } else {
                format!("[{words}]({target})")
            };
        }
        let (file, fragment) = target.split_once('#').unwrap_or((target, ""));
        let Some(path) = self.in_repository(file) else { return words.to_owned() };
        let candidates = [path.clone(), format!("{path}.md"), format!("{path}/README.md"), format!("{path}/index.md")];
        if let Some(slug) = candidates.iter().find_map(|path| self.links.pages.get(path)) {
            let fragment = if fragment.is_empty() { String::new() } else { format!("#{fragment}") };
            return format!("[{words}]({slug}.html{fragment})");
        }
        if !path.is_empty() && self.links.survey.file(&path).is_some() {
            return format!("{words} {}", place(&path, None));
        }
        words.to_owned()
    }

    /// A relative target as a path of the repository; `None` when it leads out of it or has a scheme.
    fn in_repository(&self, target: &str) -> Option<String> {
        if target.contains(':') {
            return None;
        }
        let target = target.split(['?', '#']).next().unwrap_or_default();
        let base = if target.starts_with('/') { "" } else { self.folder };
        let mut parts: Vec<&str> = base.split('/').filter(|part| !part.is_empty()).collect();
        for part in target.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop()?;
                }
                part => parts.push(part),
            }
        }
        Some(parts.join("/").replace("%20", " "))
    }
}

/// At most one empty line in a row outside of code.
fn squeeze(text: &str) -> String {
    let mut fences = Fences::default();
    let mut squeezed = String::with_capacity(text.len());
    let mut blank = true;
    for line in text.lines() {
        let is_code = fences.is_code(line);
        if line.trim().is_empty() && blank && !is_code {
            continue;
        }
        blank = line.trim().is_empty();
        squeezed.push_str(line);
        squeezed.push('\n');
    }
    if let Some(fence) = fences.closing() {
        squeezed.push_str(&fence);
        squeezed.push('\n');
    }
    squeezed
}
