//! Checking a folder of documentation, docmill's own or anybody's, against a repository on this host: what `docmill check` does.
//!
//! Order of things: `reading` (the files of the folder), `html` (HTML becomes Markdown), `links` (links to lines on a repository
//! host become citations), `repository` (the commit and its index), then the rules of `grounding/checks`.

mod reading;
mod html;
mod links;
mod repository;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
};

use anyhow::bail;
use serde::Serialize;
use shared::{
    evidence::{Finding, PageEvidence, ScoreCard},
    names::PageSlug,
};

use self::{links::Rewriter, reading::Folder, repository::Source};
use crate::grounding::{
    checks::{CheckOptions, DocsFolder, PageText, check_site},
    index::Index,
    resolving::Resolver,
};

/// What is to be checked.
#[derive(Debug, Clone)]
pub struct DocsCheck {
    /// The folder of documentation.
    pub docs: PathBuf,
    /// The repository; the one that the folder lies in without.
    pub repository: Option<PathBuf>,
    /// The commit, as `git rev-parse` understands it; the one that is checked out without.
    pub commit: Option<String>,
    /// This program, which parses source in child processes of its own.
    pub program: PathBuf,
}

/// What came out.
#[derive(Debug, Clone, Serialize)]
pub struct DocsReport {
    /// The commit that the pages were held against; none without a repository.
    pub commit: Option<String>,
    /// The pages, in order of path.
    pub pages: Vec<CheckedPage>,
    /// What is wrong, by page.
    pub findings: Vec<DocsFinding>,
    /// The score card.
    pub score: ScoreCard,
    /// What was left out, and why; a sentence each.
    pub remarks: Vec<String>,
}

/// A page that was checked.
#[derive(Debug, Clone, Serialize)]
pub struct CheckedPage {
    /// From the folder.
    pub path: String,
    /// What was found out about it.
    #[serde(flatten)]
    pub evidence: PageEvidence,
}

/// A finding with the file that it is about.
#[derive(Debug, Clone, Serialize)]
pub struct DocsFinding {
    /// From the folder; none when it is about the whole.
    pub path: Option<String>,
    /// The finding.
    #[serde(flatten)]
    pub finding: Finding,
}

/// Checks a folder. Blocks; runs no program but `program`, and writes nothing but temporary files.
pub fn check_docs(check: &DocsCheck) -> anyhow::Result<DocsReport> {
    let folder = Folder::read(&check.docs)?;
    if folder.pages.is_empty() {
        bail!("there is nothing to check: no Markdown or HTML file lies below `{}`", check.docs.display());
    }
    let source = Source::open(check, &folder)?;
    let own: BTreeSet<String> = source.as_ref().map_or_else(BTreeSet::new, |source| source.own_pages(&folder));
    let index = match &source {
        Some(source) => source.index(&check.program, own)?,
        None => Index::default(),
    };
    let files = source.as_ref().map_or_else(Vec::new, |source| source.files.clone());
    let base = source.as_ref().and_then(|source| source.base.clone());
    let slugs = slugs_of(&folder);
    let named: Vec<(String, PageSlug)> = folder.pages.iter().map(|page| page.path.clone()).zip(slugs.clone()).collect();
    let docs = DocsFolder::new(named, folder.others.iter().cloned(), base.clone(), files.iter().cloned());
    let rewriter = Rewriter::new(source.as_ref(), &folder, base.as_deref());
    let texts: Vec<String> = folder.pages.iter().map(|page| rewriter.rewrite(&page.path, &page.markdown())).collect();
    let earlier = HashMap::new();
    let mut resolver = Resolver::new(&index, &earlier);
    let pages: Vec<PageText<'_>> = slugs
        .iter()
        .zip(&texts)
        .map(|(slug, markdown)| PageText { slug, markdown, sections: resolver.page(markdown).sections })
        .collect();
    let options = CheckOptions { folder: Some(docs), ..CheckOptions::default() };
    let checked = check_site(&index, None, pages, &options);
    let paths: BTreeMap<&PageSlug, &str> =
        slugs.iter().zip(folder.pages.iter().map(|page| page.path.as_str())).collect();
    let path_of = |slug: &PageSlug| paths.get(slug).map(|path| (*path).to_owned());
    let mut remarks = folder.remarks;
    remarks.extend(rewriter.remarks());
    if source.is_none() {
        remarks.push(
            "no repository is known: only links, structure and repetition were checked (name one by `--repo`)"
                .to_owned(),
        );
    }
    Ok(DocsReport {
        commit: source.map(|source| source.checkout.commit.to_string()),
        pages: checked
            .pages
            .into_iter()
            .map(|evidence| CheckedPage { path: path_of(&evidence.slug).unwrap_or_default(), evidence })
            .collect(),
        findings: checked
            .findings
            .into_iter()
            .map(|finding| DocsFinding { path: finding.page.as_ref().and_then(path_of), finding })
            .collect(),
        score: checked.score,
        remarks,
    })
}

/// A name of its own for each page, made of its path.
fn slugs_of(folder: &Folder) -> Vec<PageSlug> {
    let mut taken: BTreeSet<PageSlug> = BTreeSet::new();
    let unique = |page: &reading::DocsFile| {
        let stem = Path::new(&page.path).with_extension("");
        let slug = PageSlug::slugify(&stem.to_string_lossy());
        let mut name = slug.clone();
        let mut number = 2;
        while !taken.insert(name.clone()) {
            name = slug.numbered(number);
            number += 1;
        }
        name
    };
    folder.pages.iter().map(unique).collect()
}
