//! Sections whose statements could not be confirmed say so beside their heading, with the reasons behind a click, and in
//! the `.md` copy.

use comrak::{
    Arena,
    nodes::{AstNode, Node, NodeValue},
};
use shared::evidence::{Finding, Severity};

use super::{
    escape::{escaped, push_escaped},
    evidence::Rows,
    headings::Heading,
    site::Site,
};

/// Most reasons that stand beside a heading; the quality page has more.
const MAX_REASONS: usize = 5;

/// The unverified sections of a page, in order.
#[derive(Default)]
pub(crate) struct Unverified(Vec<Doubt>);

struct Doubt {
    /// The line on which the section begins; 0 for the first.
    line: usize,
    /// The line of the Markdown that the note follows.
    noted_after: usize,
    html: String,
    note: String,
}

impl Unverified {
    pub(crate) fn of(site: &Site<'_>, slug: &str, rows: &Rows<'_>) -> Self {
        let findings = site.evidence.map_or(&[][..], |evidence| &evidence.found.findings);
        let of_page = |finding: &&Finding| finding.page.as_ref().is_some_and(|page| page.as_str() == slug);
        let findings: Vec<&Finding> =
            findings.iter().filter(|finding| finding.severity == Severity::Error).filter(of_page).collect();
        let doubted = rows.sections().iter().filter(|section| !section.verified);
        let doubts = doubted.filter_map(|section| {
            let of_section = |finding: &&&Finding| finding.section == Some(section.position);
            let reasons: Vec<&Finding> = findings.iter().filter(of_section).copied().collect();
            let start = rows.start_of(section.position)?;
            let line = if section.position == 0 { 0 } else { start };
            let noted_after = if section.position == 0 { rows.title_line() } else { start };
            Some(Doubt { line, noted_after, html: mark_html(site, &reasons), note: note(&reasons) })
        });
        Self(doubts.collect())
    }

    /// Puts a mark beside the heading of each section; where there is none, in front of what the section begins with.
    pub(crate) fn mark<'a>(&self, arena: &'a Arena<'a>, root: Node<'a>, headings: &mut [Heading]) {
        for doubt in &self.0 {
            let heading = headings.iter_mut().skip(1).find(|heading| heading.line == doubt.line && doubt.line > 0);
            if let Some(heading) = heading {
                heading.mark = Some(doubt.html.clone());
                continue;
            }
            let mark = arena.alloc(AstNode::from(NodeValue::Raw(format!("{}\n", doubt.html))));
            // the title is the first child of every page
            let first = root.children().skip(1).find(|block| block.data().sourcepos.start.line >= doubt.line);
            match first {
                Some(first) => first.insert_before(mark),
                None => root.append(mark),
            }
        }
    }

    /// A note for the `.md` copy behind each of these lines.
    pub(crate) fn notes(&self) -> Vec<(usize, String)> {
        self.0.iter().map(|doubt| (doubt.noted_after, doubt.note.clone())).collect()
    }
}

fn mark_html(site: &Site<'_>, reasons: &[&Finding]) -> String {
    let mut out = String::from("<details class=\"unverified\"><summary>Unverified</summary><div><p>");
    out.push_str("Not everything that this section says could be confirmed at commit <code>");
    push_escaped(&mut out, site.info.commit.short());
    out.push_str("</code>.</p><ul>");
    for reason in reasons.iter().take(MAX_REASONS) {
        out.extend(["<li>", &prose_html(&reason.message), "</li>"]);
    }
    if reasons.len() > MAX_REASONS {
        out.extend(["<li>and ", &(reasons.len() - MAX_REASONS).to_string(), " more</li>"]);
    }
    out.push_str("</ul></div></details>");
    out.replace("<ul></ul>", "")
}

fn note(reasons: &[&Finding]) -> String {
    let shown: Vec<String> = reasons.iter().take(MAX_REASONS).map(|reason| prose_markdown(&reason.message)).collect();
    let more = reasons.len().saturating_sub(MAX_REASONS);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    let lead = if shown.is_empty() { "> **Unverified**" } else { "> **Unverified:** " };
    format!("{lead}{}{more}", shown.join("; "))
}

/// A sentence of ours as HTML, with what stands in backticks as code.
pub(crate) fn prose_html(sentence: &str) -> String {
    let parts: Vec<&str> = sentence.split('`').collect();
    let mut out = String::with_capacity(sentence.len() + 40);
    for (at, part) in parts.iter().enumerate() {
        let is_code = at % 2 == 1 && at + 1 < parts.len();
        match (is_code, at) {
            (true, _) => out.extend(["<code>", &escaped(part), "</code>"]),
            (false, at) if at % 2 == 1 => out.extend(["`", &escaped(part)]),
            (false, _) => push_escaped(&mut out, part),
        }
    }
    out
}

/// A sentence of ours as one line of Markdown in which nothing but backticks means something.
fn prose_markdown(sentence: &str) -> String {
    let mut out = String::with_capacity(sentence.len() + 8);
    let mut in_code = false;
    for c in sentence.chars() {
        match c {
            '`' => in_code = !in_code,
            '<' | '[' | ']' | '*' | '_' | '\\' if !in_code => out.push('\\'),
            _ => {}
        }
        out.push(if c.is_control() { ' ' } else { c });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_text_whatever_it_quotes() {
        assert_eq!(prose_html("`a<b>` is *not* in <x>"), "<code>a&lt;b&gt;</code> is *not* in &lt;x&gt;");
        assert_eq!(prose_html("one ` alone"), "one ` alone");
        assert_eq!(prose_markdown("`a_b` [x](y)\n<z>"), "`a_b` \\[x\\](y) \\<z>");
    }
}
