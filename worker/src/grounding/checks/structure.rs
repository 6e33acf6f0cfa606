//! Rule (g), first half: a page is a page. Reason: what failed while it was made must never be published as if it were done:
//! stubs, placeholders, the model's talk, half a code block, the wrong language.

use shared::{
    evidence::{Rule, Severity},
    section,
};

use super::{
    document::{BlockKind, Document},
    language,
    scene::{Findings, Says, Scene, short},
};

/// Fewest characters of text below the title (docsfy's page gate uses the same figure).
const MIN_TEXT_CHARS: usize = 80;
/// From so many words on a page is too long to be read.
const MAX_WORDS: usize = 12_000;

/// Most words of a block that is a placeholder; in a longer one the same words say something.
const MAX_PLACEHOLDER_WORDS: usize = 14;

/// Sentences of failed generations; a page that is little else is a stub.
const STUB_PHRASES: [&str; 4] =
    ["documentation generation failed", "failed to generate this page", "lorem ipsum dolor", "content goes here"];

/// What stands where something was to be filled in.
const PLACEHOLDERS: [&str; 14] = [
    "lorem ipsum",
    "content goes here",
    "todo:",
    "tbd.",
    "tbd:",
    "fixme:",
    "[insert ",
    "<insert ",
    "[your text",
    "[placeholder",
    "coming soon",
    "to be written",
    "to be documented",
    "this section is under construction",
];

/// How a model begins a line when it talks about its work instead of the subject.
const TALK: [&str; 19] = [
    "let me ",
    "now let me",
    "i'll ",
    "i will now",
    "i need to ",
    "i have enough",
    "now i have",
    "okay, ",
    "sure, here",
    "sure! here",
    "certainly! ",
    "here is the page",
    "here's the page",
    "here is the updated",
    "here's the updated",
    "as an ai",
    "as a language model",
    "i hope this helps",
    "would you like me to",
];

/// Tags that belong to a conversation, never to a page.
const LEAKED_TAGS: [&str; 7] = ["<think>", "</think>", "<tool_call", "<function_call", "<invoke ", "<antml", "<|im_"];

/// What the fatal findings say; [`is_fatal`] knows them by it.
const NO_TITLE: &str = "the page does not begin with a title of the form `# Title`";
const NO_TEXT: &str = "the page has next to no text";
const OPEN_FENCE: &str = "a code block is opened and never closed";
const STUB: &str = "the page is a placeholder";
const LEAKED: &str = "of the conversation is left in the text";
const OWN_WORK: &str = "the writer talks about its own work instead of the subject";

/// Whether a page must not be published as long as this stands.
pub(super) fn is_fatal(message: &str) -> bool {
    [NO_TITLE, NO_TEXT, OPEN_FENCE, STUB, LEAKED, OWN_WORK].iter().any(|fatal| message.ends_with(fatal))
}

/// Looks at every page as a page.
pub(super) fn check(scene: &Scene<'_>, findings: &mut Findings) {
    for (page, document) in scene.documents.iter().enumerate() {
        let mut report = |section: Option<u32>, severity: Severity, message: String, evidence: &str, fix: &str| {
            let says = Says { message, evidence, fix: fix.to_owned() };
            findings.add(scene, (page, section), Rule::Structure, severity, &says);
        };
        // a README may begin with a banner
        check_page(document, scene.options.folder.is_none(), &mut report);
        check_headings(document, &mut report);
        check_prose(document, scene.options.by_model, &mut report);
        if let Some(wanted) = &scene.options.language {
            language::check(document, wanted.as_str(), &mut report);
        }
        for block in document.blocks.iter().filter(|block| block.kind != BlockKind::Heading) {
            let words = block.text.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).count();
            findings.counts(page, block.section).words += u32::try_from(words).unwrap_or(u32::MAX);
        }
    }
}

/// Adds a finding of this rule: section, severity, message, evidence, fix.
pub(super) type Report<'r> = dyn FnMut(Option<u32>, Severity, String, &str, &str) + 'r;

/// Whether a page has next to no text below its title.
pub(crate) fn is_thin(text: &str) -> bool {
    body_chars(text) < MIN_TEXT_CHARS
}

fn body_chars(text: &str) -> usize {
    section::lines(text)
        .filter(|line| line.in_code || !line.text.starts_with("# "))
        .map(|line| line.text.trim().chars().count())
        .sum()
}

/// What is no page at all.
fn check_page(document: &Document<'_>, is_ours: bool, report: &mut Report<'_>) {
    let text = document.markdown;
    let first = section::lines(text).find(|line| !line.text.trim().is_empty());
    let is_title = |line: section::Line<'_>| {
        !line.in_code && line.text.strip_prefix("# ").is_some_and(|title| !title.trim().is_empty())
    };
    if is_ours && !first.is_some_and(is_title) {
        report(None, Severity::Error, NO_TITLE.to_owned(), "", "begin the page with its title");
    }
    let chars = body_chars(text);
    if chars < MIN_TEXT_CHARS {
        // pages of others are put together of pieces that are not seen here
        let severity = if is_ours { Severity::Error } else { Severity::Note };
        report(None, severity, NO_TEXT.to_owned(), "", "write the page, or leave it out of the plan");
    }
    if section::ends_in_code(text) {
        report(None, Severity::Error, OPEN_FENCE.to_owned(), "", "close the code block");
    }
    let lower = text.to_lowercase();
    if chars < 400
        && let Some(phrase) = STUB_PHRASES.iter().find(|phrase| lower.contains(**phrase))
    {
        report(None, Severity::Error, STUB.to_owned(), phrase, "write the page");
    }
    let words = document.blocks.iter().map(|block| block.text.split_whitespace().count()).sum::<usize>();
    if words > MAX_WORDS && is_ours {
        let message = format!("the page has {words} words; nobody reads more than {MAX_WORDS}");
        report(None, Severity::Note, message, "", "split the page");
    }
}

/// One title, no level left out.
fn check_headings(document: &Document<'_>, report: &mut Report<'_>) {
    let mut before = 0;
    let mut titles = 0;
    for heading in &document.headings {
        titles += usize::from(heading.level == 1);
        if heading.level == 1 && titles > 1 {
            let message = format!("a second title `{}`: a page has one heading of level 1", short(&heading.text));
            report(Some(heading.section), Severity::Warning, message, &heading.text, "make it a heading of level 2");
        } else if before > 0 && heading.level > before + 1 {
            let message = format!(
                "the heading `{}` of level {} follows one of level {before}",
                short(&heading.text),
                heading.level
            );
            report(Some(heading.section), Severity::Warning, message, &heading.text, "leave no level of headings out");
        }
        if heading.text.trim().is_empty() {
            report(
                Some(heading.section),
                Severity::Warning,
                "a heading has no words".to_owned(),
                "",
                "name the section",
            );
        }
        before = heading.level;
    }
}

/// Talk and placeholders in prose; code may hold them honestly.
fn check_prose(document: &Document<'_>, by_model: bool, report: &mut Report<'_>) {
    for block in &document.blocks {
        let mut prose = block.text.clone();
        // spans hold what the page speaks about
        for span in block.spans.iter().rev() {
            let end = (span.at + span.text.len()).min(prose.len());
            if prose.is_char_boundary(span.at) && prose.is_char_boundary(end) {
                prose.replace_range(span.at..end, "");
            }
        }
        let lower = prose.to_lowercase();
        let section = Some(block.section);
        let is_short = lower.split_whitespace().count() <= MAX_PLACEHOLDER_WORDS;
        if let Some(found) = PLACEHOLDERS.iter().find(|phrase| is_short && lower.contains(**phrase)) {
            let at = lower.find(found).unwrap_or_default();
            let evidence: String = lower[at..].chars().take(60).collect();
            let message = format!("something was never filled in: `{}`", short(&evidence));
            report(section, Severity::Warning, message, &evidence, "write what belongs there, or leave it out");
        }
        if by_model && TALK.iter().any(|talk| lower.trim_start().starts_with(talk)) {
            let evidence: String = prose.chars().take(100).collect();
            report(section, Severity::Error, OWN_WORK.to_owned(), &evidence, "leave it out");
        }
    }
    if !by_model {
        return;
    }
    let mut byte = 0;
    for line in section::lines(document.markdown) {
        let lower = line.text.to_lowercase();
        let tag = LEAKED_TAGS
            .iter()
            .find(|tag| !line.in_code && lower.contains(**tag) && !lower.contains(&format!("`{tag}")));
        if let Some(tag) = tag {
            let message = format!("`{tag}` {LEAKED}");
            report(Some(document.section_at(byte)), Severity::Error, message, tag, "leave it out");
        }
        byte += line.text.len();
    }
}
