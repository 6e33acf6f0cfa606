//! Measures a site that was written of a real repository: which parts of it are cited, where the citations lead, what the rules say.
//! Run it with `DOCMILL_LOOK_AT` (a bare repository) and `DOCMILL_LOOK_OUT` (a folder), see `a_repository_becomes_a_site`.

use std::collections::{BTreeMap, HashMap};

use shared::{
    evidence::{Finding, Severity},
    names::PageSlug,
    plan::Plan,
    section,
};
use tokio_util::sync::CancellationToken;

use super::{super::ParserLimits, parser};
use crate::{
    git::Checkout,
    grounding::{
        checks::{CheckOptions, PageText, check_site},
        index::{Build, Index},
        resolving::Resolver,
    },
    steering::PathFilter,
};

/// Prints what there is to know.
pub(super) fn print(checkout: &Checkout, plan: &Plan, pages: &BTreeMap<String, String>) {
    let (index, _) = Index::of_checkout(&Build {
        checkout,
        filter: &PathFilter::default(),
        name: "measured",
        parser: (&parser(), ParserLimits::default()),
        known: None,
        keep: None,
        cancel: &CancellationToken::new(),
    })
    .unwrap();
    let started = std::time::Instant::now();
    let slugs: Vec<PageSlug> = pages.keys().map(|slug| slug.parse().unwrap()).collect();
    let none = HashMap::new();
    let mut resolver = Resolver::new(&index, &none);
    let texts = slugs.iter().map(|slug| {
        let markdown = pages[slug.as_str()].as_str();
        PageText { slug, markdown, sections: resolver.page(markdown).sections }
    });
    let texts: Vec<_> = texts.collect();
    println!("resolved in {:?}", started.elapsed());
    let mut states: BTreeMap<&str, usize> = BTreeMap::new();
    for citation in texts.iter().flat_map(|page| &page.sections).flat_map(|section| &section.citations) {
        *states.entry(citation.state.as_str()).or_default() += 1;
        if citation.state.as_str() != "exact" {
            println!("  {} {}", citation.state.as_str(), citation.written);
        }
    }
    let checked = check_site(&index, Some(plan), texts, &CheckOptions::default());
    println!("checked in {:?}; citations {states:?}", started.elapsed());
    let mut blocks: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for text in pages.values() {
        for (kind, is_cited) in blocks_of(text) {
            let entry = blocks.entry(kind).or_default();
            entry.0 += 1;
            entry.1 += usize::from(is_cited);
        }
    }
    println!("blocks (all, cited): {blocks:?}");
    let mut found: BTreeMap<(&str, &str), Vec<&Finding>> = BTreeMap::new();
    for finding in &checked.findings {
        found.entry((finding.severity.as_str(), finding.rule.as_str())).or_default().push(finding);
    }
    for ((severity, rule), findings) in found {
        println!("{severity} {rule}: {}", findings.len());
        for finding in findings.iter().filter(|finding| finding.severity == Severity::Error).take(12) {
            let page = finding.page.as_ref().map_or("", PageSlug::as_str);
            println!("    {page} {:?}: {}", finding.section, finding.message);
        }
    }
    println!("{:#?}", checked.score);
}

/// What a page is made of, besides headings, and whether each part is cited, right there or directly behind it.
fn blocks_of(text: &str) -> Vec<(&'static str, bool)> {
    let mut blocks: Vec<(&'static str, String)> = Vec::new();
    let mut is_new = true;
    for line in section::lines(text) {
        let words = line.text.trim();
        let item = words.starts_with("- ")
            || words.starts_with("* ")
            || words.split_once(". ").is_some_and(|(n, _)| n.parse::<u32>().is_ok());
        if line.opens_code {
            blocks.push(("fence", words.to_owned()));
        } else if line.in_code || words.is_empty() || words.starts_with('#') {
            is_new = true;
            continue;
        } else if is_new || item || (words.starts_with('|') && blocks.last().is_none_or(|(kind, _)| *kind != "table")) {
            let kind = if words.starts_with('|') {
                "table"
            } else if item {
                "item"
            } else {
                "paragraph"
            };
            blocks.push((kind, words.to_owned()));
        } else if let Some((_, block)) = blocks.last_mut() {
            block.push('\n');
            block.push_str(words);
        }
        is_new = false;
    }
    let is_only_citation = |text: &str| text.starts_with("[[") && text.ends_with("]]");
    let behind = |at: usize| blocks.get(at + 1).is_some_and(|(_, text)| is_only_citation(text) || text.contains(" [["));
    let counted = blocks.iter().enumerate().filter(|(_, (_, text))| !is_only_citation(text));
    counted
        .map(|(at, (kind, text))| match *kind {
            "fence" => (*kind, text.contains(':') || text.ends_with("example") || behind(at)),
            "table" => (*kind, text.contains("[[") || behind(at)),
            _ => (*kind, text.contains("[[")),
        })
        .collect()
}
