//! What a page must be before it may be published.

use shared::{
    plan::Plan,
    section::{self, Line},
};

use crate::pipeline::cross_linking::markdown;

/// Something that is wrong with a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// What is wrong, for the writer and for people.
    pub(crate) message: String,
    /// Whether cross-linking can repair it.
    pub(crate) repairable: bool,
}

/// Fewest characters of text below the title (docsfy's page gate uses the same figure).
const MIN_TEXT_CHARS: usize = 80;

/// Sentences of failed generations; a page that is little else is a stub.
const STUB_PHRASES: [&str; 4] =
    ["documentation generation failed", "failed to generate this page", "lorem ipsum dolor", "content goes here"];

/// How a model begins a line when it talks about its work instead of the subject.
const TALK: [&str; 12] = [
    "let me ",
    "now let me",
    "i'll ",
    "i will now",
    "i need to ",
    "i have enough",
    "now i have",
    "okay, ",
    "sure, here",
    "here is the page",
    "here's the page",
    "as an ai",
];

/// Tags that belong to a conversation, never to a page.
const LEAKED_TAGS: [&str; 6] = ["<think>", "</think>", "<tool_call", "<function_call", "<invoke ", "<antml"];

/// Whether a page has next to no text below its title.
fn is_thin(text: &str) -> bool {
    body_chars(text) < MIN_TEXT_CHARS
}

fn body_chars(text: &str) -> usize {
    section::lines(text)
        .filter(|line| line.in_code || !line.text.starts_with("# "))
        .map(|line| line.text.trim().chars().count())
        .sum()
}

/// Checks one page. `by_model` switches on the rules about leaked talk, which the text of a README may break honestly.
pub(crate) fn check_page(text: &str, plan: &Plan, by_model: bool) -> Vec<Finding> {
    let lines: Vec<Line<'_>> = section::lines(text).collect();
    let mut findings = Vec::new();
    let mut fatal = |message: &str| findings.push(Finding { message: message.to_owned(), repairable: false });
    let first = lines.iter().find(|line| !line.text.trim().is_empty());
    if !first.is_some_and(|line| !line.in_code && line.text.strip_prefix("# ").is_some_and(|t| !t.trim().is_empty())) {
        fatal("the page does not begin with a title of the form `# Title`");
    }
    let body_chars = body_chars(text);
    if body_chars < MIN_TEXT_CHARS {
        fatal("the page has next to no text");
    }
    if section::ends_in_code(text) {
        fatal("a code block is opened and never closed");
    }
    let lower = text.to_lowercase();
    if body_chars < 400 && STUB_PHRASES.iter().any(|phrase| lower.contains(phrase)) {
        fatal("the page is a placeholder");
    }
    if by_model {
        let prose = markdown::prose(&lower);
        if let Some(tag) = LEAKED_TAGS.iter().find(|tag| prose.contains(*tag)) {
            fatal(&format!("`{tag}` of the conversation is left in the text"));
        }
        if prose.lines().any(|line| TALK.iter().any(|talk| line.trim_start().starts_with(talk))) {
            fatal("the writer talks about its own work instead of the subject");
        }
    }
    findings.extend(markdown::broken_links(text, plan).into_iter().map(|target| Finding {
        message: format!("the link to `{target}` leads to no page of this site"),
        repairable: true,
    }));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        serde_json::from_str(r#"{"project_name":"x","navigation":[{"group":"g","pages":[{"slug":"a","title":"A"}]}]}"#)
            .unwrap()
    }

    fn messages(text: &str) -> Vec<String> {
        check_page(text, &plan(), true).into_iter().map(|finding| finding.message).collect()
    }

    const BODY: &str = "This page explains in a few plain words what the thing does, how it is started and where it keeps its files.\n";

    #[test]
    fn a_good_page_has_no_findings() {
        assert_eq!(
            messages(&format!("# A\n\n{BODY}\nSee [A](a.html) and `<think>`.\n\n```sh\n<thinker>\n```\n")).len(),
            0
        );
    }

    #[test]
    fn what_is_no_page_is_found() {
        assert!(messages(BODY)[0].contains("title"));
        assert!(messages("# A\n\nshort")[0].contains("no text"));
        assert!(messages(&format!("# A\n\n{BODY}\n```\nopen"))[0].contains("never closed"));
        assert!(messages(&format!("# A\n\n<think>hm</think>\n{BODY}"))[0].contains("<think>"));
        assert!(messages(&format!("# A\n\nLet me look at the code first.\n{BODY}"))[0].contains("own work"));
        assert!(messages("# A\n\n*Documentation generation failed. Please re-run.* And so it is, once more, at this place, really.")
            [0].contains("placeholder"));
    }

    #[test]
    fn a_link_into_nothing_can_be_repaired() {
        let findings = check_page(&format!("# A\n\n{BODY}\n[b](b.html)"), &plan(), true);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].repairable);
    }

    #[test]
    fn a_readme_may_say_let_me() {
        assert!(check_page(&format!("# A\n\nLet me show you.\n{BODY}"), &plan(), false).is_empty());
    }
}
