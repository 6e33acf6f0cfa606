//! What every rule sees: the index, the parsed pages, and the findings that they add to.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use shared::{
    citation::WrittenCitation,
    evidence::{Citation, CitationState, Counts, Finding, Rule, Severity},
    plan::Plan,
};

use super::{CheckOptions, document::Document, project::Project};
use crate::grounding::index::{FileText, Index};

/// Most findings of one rule on one page; a page that needs more is to be written anew anyway.
const MAX_FINDINGS_PER_RULE: usize = 40;
/// Most lines above cited ones that are read as their comment.
const MAX_COMMENT_LINES: u32 = 60;
/// How lines of comments and attributes begin.
const COMMENTS: [&str; 7] = ["//", "#", "*", "/*", "--", ";", "@"];
/// Longest text of a finding, in characters.
const MAX_CHARS: usize = 500;

/// What the rules work on.
pub(super) struct Scene<'a> {
    pub(super) index: &'a Index,
    pub(super) project: Project,
    pub(super) plan: Option<&'a Plan>,
    pub(super) documents: &'a [Document<'a>],
    pub(super) options: &'a CheckOptions,
    /// Texts of cited files, read once.
    texts: RefCell<HashMap<String, Option<Arc<FileText>>>>,
}

impl<'a> Scene<'a> {
    pub(super) fn new(
        index: &'a Index,
        plan: Option<&'a Plan>,
        documents: &'a [Document<'a>],
        options: &'a CheckOptions,
    ) -> Self {
        Self { index, project: Project::of(index), plan, documents, options, texts: RefCell::default() }
    }

    /// A file's text.
    pub(super) fn text(&self, path: &str) -> Option<Arc<FileText>> {
        if let Some(known) = self.texts.borrow().get(path) {
            return known.clone();
        }
        let text = self.index.text(path);
        self.texts.borrow_mut().insert(path.to_owned(), text.clone());
        text
    }

    /// The lines that a citation leads to.
    pub(super) fn cited(&self, citation: &Citation) -> Option<Cited> {
        if citation.state == CitationState::Unresolved {
            return None;
        }
        let file = self.text(&citation.path)?;
        let (first, last) = citation.lines.unwrap_or((1, file.line_count().max(1)));
        file.lines(first, last)?;
        Some(Cited { path: citation.path.clone(), lines: (first, last), file })
    }

    /// The same, but a range that was narrowed counts whole on pages that are none of docmill's: nobody told their writers that
    /// it would be.
    pub(super) fn cited_as_written(&self, citation: &Citation) -> Option<Cited> {
        let cited = self.cited(citation)?;
        let written = WrittenCitation::parse(&citation.written).and_then(|written| written.lines);
        let is_whole = |(first, last): &(u32, u32)| *first <= cited.lines.0 && cited.lines.1 <= *last;
        let fits = written.filter(|lines| is_whole(lines) && cited.file.lines(lines.0, lines.1).is_some());
        Some(Cited { lines: fits.filter(|_| self.options.folder.is_some()).unwrap_or(cited.lines), ..cited })
    }
}

/// Cited lines.
#[derive(Clone)]
pub(super) struct Cited {
    pub(super) path: String,
    pub(super) lines: (u32, u32),
    pub(super) file: Arc<FileText>,
}

impl Cited {
    /// The text of the lines.
    pub(super) fn text(&self) -> &str {
        self.file.lines(self.lines.0, self.lines.1).unwrap_or_default()
    }

    /// The same with the comments and attributes right above: whoever cites a definition means them, too.
    pub(super) fn text_with_comments(&self) -> &str {
        let is_above = |line: u32| {
            let text = self.file.lines(line, line).unwrap_or_default().trim_start();
            COMMENTS.iter().any(|mark| text.starts_with(mark))
        };
        let (mut first, last) = self.lines;
        let lowest = first.saturating_sub(MAX_COMMENT_LINES).max(1);
        while first > lowest && is_above(first - 1) {
            first -= 1;
        }
        self.file.lines(first, last).unwrap_or_default()
    }
}

/// What the rules found.
#[derive(Default)]
pub(super) struct Findings {
    list: Vec<Finding>,
    seen: BTreeSet<(usize, Option<u32>, Rule, String)>,
    counted: BTreeMap<(usize, Rule), usize>,
    /// By page and section.
    counts: BTreeMap<(usize, u32), Counts>,
}

/// What a finding says.
pub(super) struct Says<'t> {
    pub(super) message: String,
    pub(super) evidence: &'t str,
    pub(super) fix: String,
}

impl Findings {
    /// Adds what is wrong with a page (by its place among the documents), once for each evidence.
    pub(super) fn add(
        &mut self,
        scene: &Scene<'_>,
        (page, section): (usize, Option<u32>),
        rule: Rule,
        severity: Severity,
        says: &Says<'_>,
    ) {
        let evidence = plain(says.evidence);
        if !self.seen.insert((page, section, rule, evidence.clone())) {
            return;
        }
        let counted = self.counted.entry((page, rule)).or_default();
        *counted += 1;
        if *counted > MAX_FINDINGS_PER_RULE {
            return;
        }
        let page = scene.documents.get(page).map(|document| document.slug.clone());
        let (message, fix) = (plain(&says.message), plain(&says.fix));
        self.list.push(Finding { page, section, rule, severity, message, evidence, fix });
    }

    /// Adds what is wrong with the whole site.
    pub(super) fn add_site(&mut self, rule: Rule, severity: Severity, says: &Says<'_>) {
        let (message, fix, evidence) = (plain(&says.message), plain(&says.fix), plain(says.evidence));
        self.list.push(Finding { page: None, section: None, rule, severity, message, evidence, fix });
    }

    /// The counts of a section.
    pub(super) fn counts(&mut self, page: usize, section: u32) -> &mut Counts {
        self.counts.entry((page, section)).or_default()
    }

    /// The findings in order, and the counts by page and section.
    pub(super) fn finish(mut self, scene: &Scene<'_>) -> (Vec<Finding>, BTreeMap<(usize, u32), Counts>) {
        let places: HashMap<_, _> = scene.documents.iter().enumerate().map(|(at, page)| (page.slug, at)).collect();
        let place = |finding: &Finding| finding.page.as_ref().map_or(usize::MAX, |slug| places[slug]);
        self.list.sort_by_key(|finding| (place(finding), finding.section, finding.severity, finding.rule));
        (self.list, self.counts)
    }
}

/// Text of users as a finding may hold it: one line, no control characters, cut.
fn plain(text: &str) -> String {
    let is_hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let mut cut: String = text.chars().take(MAX_CHARS).map(|c| if is_hidden(c) { ' ' } else { c }).collect();
    if text.chars().nth(MAX_CHARS).is_some() {
        cut.pop();
        cut.push('…');
    }
    cut
}

/// A piece of user text inside of a sentence.
pub(super) fn short(text: &str) -> String {
    let mut cut: String = text.chars().take(120).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut.replace('`', "'")
}
