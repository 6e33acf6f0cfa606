//! What can be found out about the pages of a run without a model: what a page must be, where citations lead, the rules.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use shared::{
    db::{self, pages::PageRow, sections::EarlierSection},
    evidence::{Evidence, Finding, Rule, Severity},
    names::PageSlug,
    options::LanguageTag,
    plan::Plan,
    provider::Provider,
    section,
};

use super::super::{Anchored, StageError, run::Run};
use crate::{
    grounding::{
        checks::{CheckOptions, PageText, check_site},
        index::Index,
        resolving::{MAX_PAGE_CITATIONS, MAX_SECTION_CITATIONS, Resolver, hash},
    },
    steering::Steering,
};

/// What pages are held against.
pub(super) struct Examiner {
    index: Arc<Index>,
    plan: Arc<Plan>,
    language: Option<LanguageTag>,
    by_model: bool,
    anchored: Anchored,
}

/// The pages of a run, and what was found out.
pub(super) struct Examined {
    pub(super) pages: Vec<ExaminedPage>,
    pub(super) evidence: Evidence,
    /// What earlier runs knew of sections with the same text.
    pub(super) earlier: HashMap<String, EarlierSection>,
}

impl Examined {
    /// What is wrong with a page and has to be put right.
    pub(super) fn errors(&self, slug: &PageSlug) -> impl Iterator<Item = &Finding> {
        let findings = self.evidence.findings.iter();
        findings.filter(move |finding| finding.severity == Severity::Error && finding.page.as_ref() == Some(slug))
    }
}

/// A page of the run.
pub(super) struct ExaminedPage {
    pub(super) slug: PageSlug,
    pub(super) markdown: String,
    /// Whether it had passed its checks before this life of the stage began: it came from an earlier run as it is.
    pub(super) is_settled: bool,
    /// Sections whose text an earlier run had; they went back to their writer then, if ever.
    pub(super) kept_sections: HashSet<u32>,
}

impl Examiner {
    /// Has the index made.
    pub(super) async fn open(
        run: &Run,
        plan: &Plan,
        steering: &Steering,
        anchored: &Anchored,
    ) -> Result<Self, StageError> {
        Ok(Self {
            index: run.index().await?,
            plan: Arc::new(plan.clone()),
            language: steering.language.clone(),
            by_model: run.claimed.key.provider != Provider::Builtin,
            anchored: anchored.clone(),
        })
    }

    /// Looks at every page as it is stored now.
    pub(super) async fn examine(&self, run: &Run) -> Result<Examined, StageError> {
        let id = run.claimed.id;
        let mut connection = run.worker.config.pool.acquire().await?;
        let rows = db::pages::list(&mut connection, id).await?;
        // what is extracted is written anew from this very commit, but for what only moved
        let mut earlier = if self.by_model {
            let sections = rows.iter().flat_map(|row| section::sections(row.markdown.as_deref().unwrap_or_default()));
            let hashes: HashSet<String> = sections.map(|section| hash(section.text)).collect();
            db::sections::list_earlier(&mut connection, id, hashes.into_iter().collect()).await?
        } else {
            HashMap::new()
        };
        drop(connection);
        self.anchored.apply(&mut earlier);
        let (index, plan) = (Arc::clone(&self.index), Arc::clone(&self.plan));
        let options = CheckOptions { by_model: self.by_model, language: self.language.clone(), folder: None };
        let examining = tokio::task::spawn_blocking(move || examine(&index, &plan, &options, rows, earlier));
        examining.await.map_err(anyhow::Error::from)?
    }
}

fn examine(
    index: &Index,
    plan: &Plan,
    options: &CheckOptions,
    rows: Vec<PageRow>,
    earlier: HashMap<String, EarlierSection>,
) -> Result<Examined, StageError> {
    let mut resolver = Resolver::new(index, &earlier);
    let mut pages = Vec::with_capacity(rows.len());
    let mut found_in = Vec::with_capacity(rows.len());
    let mut cut = Vec::new();
    for row in rows {
        let markdown = row.markdown.ok_or(StageError::internal("a page was not written"))?;
        let found = resolver.page(&markdown);
        cut.extend(found.is_cut.then(|| too_many_citations(&row.slug)));
        let kept = found.sections.iter().filter(|section| earlier.contains_key(&section.content_hash));
        pages.push(ExaminedPage {
            kept_sections: kept.map(|section| section.position).collect(),
            slug: row.slug,
            markdown,
            is_settled: row.checked,
        });
        found_in.push(found.sections);
    }
    let texts = pages.iter().zip(found_in);
    let texts = texts.map(|(page, sections)| PageText { slug: &page.slug, markdown: &page.markdown, sections });
    let checked = check_site(index, Some(plan), texts.collect(), options);
    let findings = checked.findings.into_iter().chain(cut).collect();
    let evidence = Evidence { pages: checked.pages, findings, score: Some(checked.score) };
    Ok(Examined { pages, evidence, earlier })
}

fn too_many_citations(slug: &PageSlug) -> Finding {
    Finding {
        page: Some(slug.clone()),
        section: None,
        rule: Rule::Citation,
        severity: Severity::Warning,
        message: format!(
            "the page has more than {MAX_PAGE_CITATIONS} citations, or a section of it more than \
             {MAX_SECTION_CITATIONS}; the others were not looked up"
        ),
        evidence: String::new(),
        fix: "cite less, or split the page".to_owned(),
    }
}
