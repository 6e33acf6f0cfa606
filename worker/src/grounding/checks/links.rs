//! Rule (f): links lead somewhere and pages are reached. Reason: a link into nothing is the fault that readers meet first.
//! Other systems publish up to a tenth of their links broken.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use shared::{
    evidence::{Rule, Severity},
    names::PageSlug,
};

use super::{
    DocsFolder,
    document::{Document, Link},
    scene::{Findings, Says, Scene, short},
};

/// Where a link leads.
enum Target<'a> {
    /// To the web, or to a file of the repository.
    Foreign,
    /// To a page and maybe a place on it.
    Page(usize, Option<&'a str>),
    /// To a page that was renamed; cross-linking repairs it.
    Moved,
    /// To nothing.
    Broken,
}

/// Follows every link, then asks which pages nobody leads to.
pub(super) fn check(scene: &Scene<'_>, findings: &mut Findings) {
    let pages: HashMap<String, usize> =
        scene.documents.iter().enumerate().map(|(at, document)| (document.slug.as_str().to_owned(), at)).collect();
    let mut leads: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); scene.documents.len()];
    let is_generated = scene.options.folder.as_ref().is_some_and(DocsFolder::has_generator);
    let leads_to = |document: &Document<'_>, anchor: &str| {
        has_anchor(&document.anchors, anchor)
            || scene.options.folder.is_some() && has_own_anchor(document, anchor)
            || is_generated && has_generated_anchor(document, anchor)
    };
    for (page, document) in scene.documents.iter().enumerate() {
        for link in &document.links {
            let place = (page, Some(link.section));
            match resolve(scene, &pages, page, link) {
                Target::Foreign => {}
                Target::Moved => findings.counts(page, link.section).links += 1,
                Target::Page(target, anchor) => {
                    leads[page].insert(target);
                    findings.counts(page, link.section).links += 1;
                    let Some(anchor) = anchor.filter(|anchor| !leads_to(&scene.documents[target], anchor)) else {
                        continue;
                    };
                    findings.counts(page, link.section).broken_links += 1;
                    let message =
                        format!("the link to `{}` leads to no heading `#{}`", short(&link.target), short(anchor));
                    let fix = "link to a heading that the page has".to_owned();
                    let says = Says { message, evidence: &link.target, fix };
                    findings.add(scene, place, Rule::Link, Severity::Warning, &says);
                }
                Target::Broken => {
                    let counts = findings.counts(page, link.section);
                    counts.links += 1;
                    counts.broken_links += 1;
                    let message = format!("the link to `{}` leads to no page of this site", short(&link.target));
                    let fix = "link to one of the site's pages, or leave the link out".to_owned();
                    let says = Says { message, evidence: &link.target, fix };
                    findings.add(scene, place, Rule::Link, Severity::Error, &says);
                }
            }
        }
    }
    if !is_generated || scene.plan.is_some() {
        check_reached(scene, findings, &leads);
    }
}

fn has_anchor(anchors: &HashSet<String>, anchor: &str) -> bool {
    let decoded = decode(anchor);
    decoded.is_empty()
        || decoded == "top"
        || decoded.starts_with("_dm-")
        || anchors.contains(&decoded)
        || anchors.contains(anchor)
}

/// Whether a heading says which id it has: `## Install {#setup}`.
fn has_own_anchor(document: &Document<'_>, anchor: &str) -> bool {
    let mark = format!("{{#{}}}", decode(anchor));
    document.headings.iter().any(|heading| heading.text.trim_end().ends_with(&mark))
}

/// Whether a heading has this id on the sites of generators that do not make ids as repository hosts do.
fn has_generated_anchor(document: &Document<'_>, anchor: &str) -> bool {
    let anchor = decode(anchor);
    let id = |text: &str| [id_with_dashes(text), id_of_words(text)];
    document.headings.iter().any(|heading| id(&heading.text).iter().any(|id| !id.is_empty() && *id == anchor))
}

/// `make:all` and `a & b` are `make-all` and `a-b`: what is no letter becomes one dash.
fn id_with_dashes(text: &str) -> String {
    let lower = text.to_lowercase();
    let parts = lower.split(|c: char| c.is_whitespace() || c.is_ascii_punctuation() || "“”‘’".contains(c));
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

/// `make:all` and `a & b` are `makeall` and `a-b`: what is no ASCII letter is left out, spaces become one dash.
fn id_of_words(text: &str) -> String {
    let kept: String = text.chars().filter(|c| c.is_ascii_alphanumeric() || " -_".contains(*c)).collect();
    let lower = kept.to_lowercase();
    lower.split([' ', '-']).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

fn resolve<'a>(scene: &Scene<'_>, pages: &HashMap<String, usize>, page: usize, link: &'a Link) -> Target<'a> {
    let url = link.target.trim();
    let has_scheme = url.find([':', '/', '?', '#']).is_some_and(|at| url[at..].starts_with(':'));
    if url.is_empty() || has_scheme || url.starts_with("//") {
        return Target::Foreign;
    }
    let (path, anchor) = url.split_once('#').map_or((url, None), |(path, anchor)| (path, Some(anchor)));
    if path.is_empty() {
        return Target::Page(page, anchor);
    }
    if let Some(folder) = &scene.options.folder {
        return match folder.resolve(scene.documents[page].slug, &decode(path)) {
            super::FolderTarget::Page(slug) => match pages.get(slug.as_str()) {
                Some(target) => Target::Page(*target, anchor),
                None => Target::Foreign,
            },
            super::FolderTarget::File => Target::Foreign,
            super::FolderTarget::Nothing => Target::Broken,
        };
    }
    if link.is_image {
        return Target::Foreign;
    }
    let file = path.strip_prefix("./").unwrap_or(path);
    let stem = file.strip_suffix(".html").or_else(|| file.strip_suffix(".md"));
    let Some(stem) = stem.filter(|stem| !stem.is_empty() && !file.starts_with('/') && !file.starts_with("..")) else {
        return Target::Foreign;
    };
    if matches!(stem, "index" | "quality") {
        return Target::Foreign;
    }
    let stem = stem.to_lowercase();
    if let Some(target) = pages.get(&stem) {
        return Target::Page(*target, anchor);
    }
    let is_planned = |plan: &shared::plan::Plan| plan.pages().any(|page| page.slug.as_str() == stem);
    if scene.plan.is_some_and(is_planned) {
        return Target::Moved;
    }
    let moved = scene.plan.and_then(|plan| plan.redirects.iter().find(|(old, _)| old.as_str() == stem));
    match moved {
        Some((_, Some(_))) => Target::Moved,
        // a page of the site and a file of the repository are written alike; a path of the repository is a file
        _ if stem.contains('/') && scene.index.file(file).is_some() => Target::Foreign,
        _ => Target::Broken,
    }
}

/// `%20` and the like.
pub(crate) fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let hex = (*first == b'%').then(|| behind.get(..2)).flatten().and_then(|hex| std::str::from_utf8(hex).ok());
        if let Some(byte) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            bytes.push(byte);
            rest = &behind[2..];
        } else {
            bytes.push(*first);
            rest = behind;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Pages that the navigation does not name, or, without one, that no way of links leads to from the first page.
fn check_reached(scene: &Scene<'_>, findings: &mut Findings, leads: &[BTreeSet<usize>]) {
    let lost: Vec<usize> = if let Some(plan) = scene.plan {
        let planned: HashSet<&PageSlug> = plan.pages().map(|page| &page.slug).collect();
        (0..scene.documents.len()).filter(|page| !planned.contains(scene.documents[*page].slug)).collect()
    } else {
        let starts: Vec<usize> = match &scene.options.folder {
            Some(folder) => {
                (0..scene.documents.len()).filter(|page| folder.is_start(scene.documents[*page].slug)).collect()
            }
            None => Vec::new(),
        };
        // without a first page, or one that links nowhere, the navigation stands in a file that is not known here
        if starts.iter().all(|start| leads[*start].is_empty()) {
            return;
        }
        let mut reached: HashSet<usize> = starts.iter().copied().collect();
        let mut open: VecDeque<usize> = starts.into();
        while let Some(page) = open.pop_front() {
            open.extend(leads[page].iter().copied().filter(|next| reached.insert(*next)));
        }
        (0..scene.documents.len()).filter(|page| !reached.contains(page)).collect()
    };
    // somewhere else there is a navigation that names them
    let severity = if scene.plan.is_some() { Severity::Warning } else { Severity::Note };
    for page in lost {
        let slug = scene.documents[page].slug.as_str();
        let message = format!("no way leads to the page `{slug}` from the navigation or the first page");
        let says = Says { message, evidence: slug, fix: "link to it from a page that readers reach".to_owned() };
        findings.add(scene, (page, None), Rule::Link, severity, &says);
    }
}
