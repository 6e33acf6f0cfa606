//! Takes out of a page's text what a model says around it.

use std::sync::LazyLock;

use regex::Regex;

/// Lines in which the page's heading is looked for; what is in front of it is a preamble.
const PREAMBLE_LINES: usize = 50;

/// How closing remarks begin, in lower case.
const SELF_TALK: [&str; 14] = [
    "let me know",
    "i have written",
    "i've written",
    "i have created",
    "i've created",
    "i hope this",
    "would you like",
    "is there anything",
    "feel free to ask",
    "this completes",
    "the page has been",
    "the documentation page has been",
    "the page above",
    "note: i ",
];

/// A page's Markdown without preamble, thoughts, an outer fence, control characters and closing remarks; ends with a line
/// break, or is empty. Text without a `# ` heading keeps its beginning: whoever checks pages says that it has none.
pub(crate) fn clean_page(text: &str) -> String {
    let text = without_thoughts(&without_control_characters(text));
    let lines: Vec<&str> = text.lines().collect();
    let (start, outer_fence) = find_heading(&lines);
    let mut lines = &lines[start..];
    if let Some(fence) = outer_fence {
        lines = &lines[..outer_end(lines, fence)];
    }
    let text = lines.join("\n");
    let text = without_self_talk(text.trim());
    if text.is_empty() { String::new() } else { format!("{text}\n") }
}

/// A text without `<think>` blocks that begin a line outside of code, and without what stands before an orphaned end of
/// one.
pub(super) fn without_thoughts(text: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut fence: Option<&str> = None;
    let mut thinking = false;
    for line in text.lines() {
        let begun = line.trim_start();
        if thinking || (fence.is_none() && (begun.starts_with("<think>") || begun.starts_with("<thinking>"))) {
            thinking = true;
            if let Some(rest) = behind_thought(line) {
                thinking = false;
                kept.extend(Some(rest).filter(|rest| !rest.trim().is_empty()));
            }
            continue;
        }
        if fence.is_none() && matches!(line.trim(), "</think>" | "</thinking>") {
            kept.clear();
            continue;
        }
        fence = fence_after(line, fence);
        kept.push(line);
    }
    kept.join("\n")
}

fn behind_thought(line: &str) -> Option<&str> {
    ["</think>", "</thinking>"].iter().find_map(|end| line.split_once(end)).map(|(_, rest)| rest)
}

fn without_control_characters(text: &str) -> String {
    static ESCAPES: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]")
            .expect("the pattern is a constant that a test compiles")
    });
    let text = text.replace("\r\n", "\n").replace('\u{feff}', "");
    let text = ESCAPES.replace_all(&text, "");
    text.chars().filter(|c| matches!(c, '\n' | '\t') || !c.is_control()).collect()
}

/// The line of the page's heading, and the fence around the whole page if there is one.
fn find_heading<'a>(lines: &[&'a str]) -> (usize, Option<&'a str>) {
    let mut fence = None;
    for (index, line) in lines.iter().enumerate().take(PREAMBLE_LINES) {
        if line.starts_with("# ") && fence.is_none_or(is_outer) {
            return (index, fence.map(backticks));
        }
        fence = fence_after(line, fence);
    }
    (0, None)
}

/// Whether a fence can be the wrapping of a page: Markdown, or no language at all.
fn is_outer(fence: &str) -> bool {
    matches!(fence.trim_start_matches(['`', '~']).trim().to_ascii_lowercase().as_str(), "" | "markdown" | "md")
}

/// Where the outer fence ends: the last bare fence, when those in between do not pair up.
fn outer_end(lines: &[&str], outer: &str) -> usize {
    let is_fence = |line: &&str| line.trim_start().starts_with(outer);
    let unpaired = lines.iter().filter(|line| is_fence(line)).count() % 2 == 1;
    let last_bare = lines.iter().rposition(|line| line.trim() == outer);
    last_bare.filter(|_| unpaired).unwrap_or(lines.len())
}

/// The open fence after this line, given the one before it.
fn fence_after<'a>(line: &'a str, open: Option<&'a str>) -> Option<&'a str> {
    let line = line.trim();
    match open {
        Some(fence) => {
            let closes = line.starts_with(backticks(fence)) && line.trim_matches(['`', '~']).is_empty();
            if closes { None } else { open }
        }
        None => (line.starts_with("```") || line.starts_with("~~~")).then_some(line),
    }
}

fn backticks(fence: &str) -> &str {
    let end = fence.find(|c| !matches!(c, '`' | '~')).unwrap_or(fence.len());
    &fence[..end]
}

/// Drops the last paragraphs while they are remarks to whoever asked.
fn without_self_talk(text: &str) -> &str {
    let mut text = text;
    loop {
        let Some((before, last)) = text.rsplit_once("\n\n") else { return text };
        let begun = last.trim_start_matches(['*', '_', '>', ' ']).to_lowercase().replace('’', "'");
        let is_rule_at_end = matches!(last.trim(), "---" | "***" | "___");
        if !is_rule_at_end && !SELF_TALK.iter().any(|marker| begun.starts_with(marker)) {
            return text;
        }
        text = before.trim_end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Title\n\nText.\n\n```sh\n# not a heading\n```\n";

    #[test]
    fn a_clean_page_stays_as_it_is() {
        assert_eq!(clean_page(PAGE), PAGE);
        let about_thoughts = "# Title\n\n```html\n<think>\nx\n</think>\n```\n";
        assert_eq!(clean_page(about_thoughts), about_thoughts);
    }

    #[test]
    fn what_a_model_says_around_a_page_goes() {
        for answer in [
            format!("I'll write it now.\n\n{PAGE}"),
            format!("```bash\n# look\n```\n\n{PAGE}"),
            format!("<think>\n# A plan\nhm</think>\n{PAGE}"),
            format!("thoughts without a beginning\n# Draft\n</think>\n\n{PAGE}"),
            format!("Here it is:\n```markdown\n{PAGE}```\n"),
            format!("````md\n{PAGE}````\n\nLet me know what you think."),
            format!("{PAGE}\n---\n\nLet me know if you want changes!"),
            format!("\u{feff}\u{1b}[1m{}\u{1b}[0m\u{7}", PAGE.replace('\n', "\r\n")),
        ] {
            assert_eq!(clean_page(&answer), PAGE, "{answer:?}");
        }
    }

    #[test]
    fn a_text_without_a_heading_is_not_cut() {
        assert_eq!(clean_page("I could not do it."), "I could not do it.\n");
        assert_eq!(clean_page("<think>only this"), "");
    }
}
