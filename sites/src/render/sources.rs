//! The places of the repository that a checked page cites: small numbered marks in the text, and the list at its end that
//! they lead to, with the lines as they are at the commit. Links and `<details>` do it all; the script adds comfort.

use std::{collections::HashMap, fmt::Write as _};

use shared::citation::WrittenCitation;

use super::{
    citations,
    escape::{escaped, push_escaped},
    evidence::{Excerpt, Place, Rows, resolves},
    highlight::{highlight, language_of_file},
    site::Site,
};

/// Most text, in bytes, that a page shows of the files it cites.
const MAX_PAGE_BYTES: usize = 64 * 1024;
/// Most links that lead from a source back into the text.
const MAX_BACK_LINKS: usize = 8;

/// The places that a page cites, numbered in order of their first mention.
pub(crate) struct Sources<'e> {
    rows: Rows<'e>,
    listed: Vec<Source>,
    numbers: HashMap<(Place, Standing), usize>,
}

struct Source {
    shown: WrittenCitation,
    standing: Standing,
    mentions: usize,
}

/// What is known about a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Standing {
    /// The lines are there.
    Found,
    /// There is no such place at the commit.
    Missing,
    /// Nobody looked.
    Unchecked,
}

/// A citation in the text.
pub(crate) struct Mark {
    /// The link to its source.
    pub(crate) html: String,
    /// The place at the commit.
    pub(crate) shown: WrittenCitation,
    pub(crate) standing: Standing,
}

impl Mark {
    /// The place and its mark.
    pub(crate) fn named_html(&self) -> String {
        format!("{}<sup class=\"cites\">{}</sup>", self.label_html(), self.html)
    }

    /// The place alone.
    pub(crate) fn label_html(&self) -> String {
        format!("<code>{}</code>", escaped(&citations::short_label(&self.shown)))
    }

    /// The citation in a `.md` copy.
    pub(crate) fn to_markdown(&self, site: &Site<'_>) -> String {
        match self.standing {
            Standing::Missing => format!("{} (source not found)", citations::code(&citations::label(&self.shown))),
            _ => citations::to_markdown(&self.shown, site.info.source.as_ref()),
        }
    }
}

impl<'e> Sources<'e> {
    pub(crate) fn new(rows: Rows<'e>) -> Self {
        Self { rows, listed: Vec::new(), numbers: HashMap::new() }
    }

    pub(crate) fn rows(&self) -> &Rows<'e> {
        &self.rows
    }

    /// The mark of what is written on a line; nothing when it is neither known nor a place at all.
    pub(crate) fn cite(&mut self, line: usize, raw: &str, parsed: Option<&WrittenCitation>) -> Option<Mark> {
        let (shown, standing) = match (self.rows.find(line, raw, parsed), parsed) {
            (Some(row), _) => {
                let standing = if resolves(row) { Standing::Found } else { Standing::Missing };
                (WrittenCitation { path: row.path.clone(), lines: row.lines }, standing)
            }
            (None, Some(parsed)) => (parsed.clone(), Standing::Unchecked),
            (None, None) => return None,
        };
        let key = ((shown.path.clone(), shown.lines), standing);
        let at = *self.numbers.entry(key).or_insert(self.listed.len());
        if at == self.listed.len() {
            self.listed.push(Source { shown: shown.clone(), standing, mentions: 0 });
        }
        self.listed[at].mentions += 1;
        Some(Mark { html: mark_html(at + 1, &self.listed[at]), shown, standing })
    }

    /// The list at the end of the page; empty when nothing is cited.
    pub(crate) fn list_html(&self, site: &Site<'_>) -> String {
        if self.listed.is_empty() {
            return String::new();
        }
        let mut out = String::from("<section class=\"sources\" aria-labelledby=\"_dm-sources\">\n");
        out.push_str("<h2 id=\"_dm-sources\">Sources</h2>\n<p>Lines of the repository at commit <code>");
        push_escaped(&mut out, site.info.commit.short());
        out.push_str("</code>.</p>\n<ol>\n");
        let mut bytes_left = MAX_PAGE_BYTES;
        for (at, source) in self.listed.iter().enumerate() {
            let place = (source.shown.path.clone(), source.shown.lines);
            let excerpt = site.evidence.filter(|_| source.standing == Standing::Found);
            let excerpt = excerpt.and_then(|evidence| evidence.excerpts.get(&place));
            let excerpt = excerpt.filter(|excerpt| bytes_left.checked_sub(excerpt.text.len()).is_some());
            bytes_left -= excerpt.map_or(0, |excerpt| excerpt.text.len());
            push_source(&mut out, site, at + 1, source, excerpt);
        }
        out.push_str("</ol>\n</section>\n");
        out
    }
}

/// Marks that stand side by side.
pub(crate) fn group_html(marks: &[Mark]) -> String {
    let marks: Vec<&str> = marks.iter().map(|mark| mark.html.as_str()).collect();
    format!("<sup class=\"cites\">{}</sup>", marks.join(" "))
}

fn mark_html(number: usize, source: &Source) -> String {
    let mut out = String::from("<a class=\"cite");
    let (class, words) = match source.standing {
        Standing::Missing => (" missing", format!("{number} source not found")),
        _ => ("", number.to_string()),
    };
    let again = if source.mentions > 1 { format!("-{}", source.mentions) } else { String::new() };
    let lead = if source.standing == Standing::Missing { "" } else { "Source " };
    write!(out, "{class}\" id=\"_dm-cite-{number}{again}\" href=\"#_dm-source-{number}\" aria-label=\"{lead}{words}: ")
        .expect("writing to a String cannot fail");
    push_escaped(&mut out, &citations::label(&source.shown));
    write!(out, "\">{words}</a>").expect("writing to a String cannot fail");
    out
}

fn push_source(out: &mut String, site: &Site<'_>, number: usize, source: &Source, excerpt: Option<&Excerpt>) {
    let label = escaped(&citations::label(&source.shown));
    if let Some(excerpt) = excerpt {
        out.push_str("<li>");
        push_links(out, site, number, source);
        out.extend(["<details><summary><code>", &label, "</code></summary>\n"]);
        // a browser opens what is closed around the target of a link
        push_excerpt(out, number, &source.shown, excerpt);
        out.push_str("</details>");
    } else {
        write!(out, "<li id=\"_dm-source-{number}\">").expect("writing to a String cannot fail");
        push_links(out, site, number, source);
        out.extend(["<code>", &label, "</code>"]);
    }
    match source.standing {
        Standing::Missing => out.push_str(" <strong class=\"missing\">source not found</strong>"),
        Standing::Unchecked => out.push_str(" <span>not checked</span>"),
        Standing::Found => {}
    }
    out.push_str("</li>\n");
}

/// Links to the repository's host and back into the text.
fn push_links(out: &mut String, site: &Site<'_>, number: usize, source: &Source) {
    out.push_str("<p>");
    if let Some(links) = site.info.source.as_ref().filter(|_| source.standing != Standing::Missing) {
        out.push_str("<a href=\"");
        push_escaped(out, &citations::url(&source.shown, links));
        write!(out, "\" aria-label=\"In the repository: source {number}\">In the repository</a>")
            .expect("writing to a String cannot fail");
    }
    for mention in 1..=source.mentions.min(MAX_BACK_LINKS) {
        let again = if mention > 1 { format!("-{mention}") } else { String::new() };
        write!(
            out,
            " <a class=\"back\" href=\"#_dm-cite-{number}{again}\" \
             aria-label=\"Back to mention {mention} of source {number}\">↩</a>"
        )
        .expect("writing to a String cannot fail");
    }
    out.push_str("</p>");
}

/// The lines with their numbers beside them, in a box that the keyboard reaches.
fn push_excerpt(out: &mut String, number: usize, shown: &WrittenCitation, excerpt: &Excerpt) {
    let lines = u32::try_from(excerpt.text.split('\n').count()).unwrap_or(1);
    let numbers: Vec<String> =
        (excerpt.first..excerpt.first.saturating_add(lines)).map(|line| line.to_string()).collect();
    write!(
        out,
        "<div class=\"code excerpt\" id=\"_dm-source-{number}\"><pre class=\"lines\" aria-hidden=\"true\">{}</pre>\
         <pre tabindex=\"0\" role=\"region\" aria-label=\"Source {number}: ",
        numbers.join("\n")
    )
    .expect("writing to a String cannot fail");
    push_escaped(out, &citations::label(shown));
    out.push_str("\"><code>");
    out.push_str(&highlight(language_of_file(&shown.path), &excerpt.text));
    out.push_str("</code></pre></div>\n");
    if excerpt.left_out > 0 {
        let lines = if excerpt.left_out == 1 { "line" } else { "lines" };
        writeln!(out, "<p class=\"cut\">and {} more {lines} that are not kept here</p>", excerpt.left_out)
            .expect("writing to a String cannot fail");
    }
}
