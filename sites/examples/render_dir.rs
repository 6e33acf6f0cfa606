//! Renders a folder of Markdown files as a site, to look at the theme with real pages:
//! `cargo run -p sites --example render_dir -- FOLDER OUT [REPOSITORY [CHECKOUT]]`. Sub-folders become groups. With a folder
//! of the repository's files, citations that are files there are shown as checked, the others as not found.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use shared::{
    citation::WrittenCitation,
    evidence::{
        Citation, CitationState, Counts, Evidence, Finding, Grade, PageEvidence, Rule, ScoreCard, SectionEvidence,
        Severity,
    },
};
use shared::{
    names::PageSlug,
    page::Page,
    plan::{NavGroup, PageType, Plan, PlannedPage, RepoType},
    provider::Provider,
    source::{LineStyle, SourceLinks},
};
use sites::render::{Excerpts, SiteEvidence, SiteInfo, render_site};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (from, to) = match arguments.as_slice() {
        [from, to, ..] => (Path::new(from), Path::new(to)),
        _ => bail!("usage: render_dir FOLDER OUT [REPOSITORY]"),
    };
    let mut files = Vec::new();
    collect(from, &mut files)?;
    files.sort();

    let mut pages: Vec<Page> = Vec::new();
    let mut groups: BTreeMap<String, Vec<PlannedPage>> = BTreeMap::new();
    for file in &files {
        let relative = file.strip_prefix(from)?;
        let markdown = fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?;
        let name = relative.with_extension("").display().to_string();
        let group = relative.parent().map(|folder| folder.display().to_string()).filter(|name| !name.is_empty());
        let mut slug = PageSlug::slugify(&name);
        for number in 2.. {
            if pages.iter().all(|page| page.slug != slug) {
                break;
            }
            slug = slug.numbered(number);
        }
        let title = markdown.lines().find_map(|line| line.strip_prefix("# ")).unwrap_or(&name).trim().to_owned();
        let prose = markdown.split("\n\n").find(|text| text.starts_with(char::is_alphabetic)).unwrap_or_default();
        let description = prose.split_whitespace().take(18).collect::<Vec<_>>().join(" ");
        let planned = PlannedPage { slug: slug.clone(), title, description, page_type: PageType::Guide };
        groups.entry(group.unwrap_or_else(|| "Overview".into())).or_default().push(planned);
        let related = pages.iter().rev().take(3).map(|page| page.slug.clone()).collect();
        pages.push(Page { slug, markdown, related });
    }
    let plan = Plan {
        project_name: from.file_name().map_or_else(|| "docs".into(), |name| name.to_string_lossy().into_owned()),
        tagline: "A folder of Markdown files, rendered to look at the theme with real pages.".into(),
        repo_type: RepoType::App,
        navigation: groups.into_iter().map(|(group, pages)| NavGroup { group, pages }).collect(),
        version: Some("1.4.0".into()),
        redirects: std::collections::BTreeMap::new(),
        language: None,
    };
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let source = arguments.get(2).map(|repository| SourceLinks {
        blob_base: format!("{repository}/blob/{commit}/"),
        repository: repository.clone(),
        style: LineStyle::HashLDashL,
    });
    let info = SiteInfo {
        branch: "main".parse()?,
        commit: commit.parse()?,
        commit_date: "2026-11-20".into(),
        generated_date: "2026-11-21".into(),
        provider: Provider::Claude,
        model: "opus".parse()?,
        source,
    };
    let start = std::time::Instant::now();
    let evidence = arguments.get(3).map(|checkout| look_up(&pages, Path::new(checkout)));
    println!("evidence in {:?}", start.elapsed());
    let start = std::time::Instant::now();
    let site = render_site(&plan, &pages, &info, evidence.as_ref());
    let bytes: usize = site.values().map(Vec::len).sum();
    println!("{} pages, {} files, {bytes} bytes in {:?}", pages.len(), site.len(), start.elapsed());
    for (path, bytes) in site {
        let path = to.join(path);
        fs::create_dir_all(path.parent().unwrap_or(to))?;
        fs::write(path, bytes)?;
    }
    Ok(())
}

/// A rough check: a citation resolves when its file is there; a section with one that does not is unverified.
fn look_up(pages: &[Page], checkout: &Path) -> SiteEvidence {
    let mut findings = Vec::new();
    let mut all = Counts::default();
    let mut unverified = 0;
    let mut known = Vec::new();
    for page in pages {
        let mut sections = Vec::new();
        for section in shared::section::sections(&page.markdown) {
            let mut rows: Vec<Citation> = Vec::new();
            for part in section.text.split("[[").skip(1) {
                let Some((written, _)) = part.split_once("]]") else { continue };
                let Some(place) = WrittenCitation::parse(written) else { continue };
                let state =
                    if checkout.join(&place.path).is_file() { CitationState::Exact } else { CitationState::Unresolved };
                rows.push(Citation {
                    written: written.to_owned(),
                    path: place.path,
                    lines: place.lines,
                    content_hash: String::new(),
                    state,
                });
            }
            let position = u32::try_from(section.position).unwrap_or_default();
            let missing: Vec<&Citation> = rows.iter().filter(|row| row.state == CitationState::Unresolved).collect();
            findings.extend(missing.iter().map(|row| Finding {
                page: Some(page.slug.clone()),
                section: Some(position),
                rule: Rule::Citation,
                severity: Severity::Error,
                message: format!("`{}` leads to no file of the commit", row.written),
                evidence: row.written.clone(),
                fix: "cite a file of the repository".to_owned(),
            }));
            let citations = u32::try_from(rows.len()).unwrap_or_default();
            let resolved = citations - u32::try_from(missing.len()).unwrap_or_default();
            let words = u32::try_from(section.text.split_whitespace().count()).unwrap_or_default();
            let counts = Counts { words, citations, resolved, ..Counts::default() };
            all += counts;
            let verified = missing.is_empty();
            unverified += u32::from(!verified);
            let heading = section.heading.unwrap_or_default().to_owned();
            sections.push(SectionEvidence {
                position,
                heading,
                counts,
                verified,
                citations: rows,
                ..Default::default()
            });
        }
        known.push(PageEvidence { slug: page.slug.clone(), sections });
    }
    let percent = 100.0 * f64::from(all.resolved) / f64::from(all.citations.max(1));
    let score = ScoreCard {
        counts: all,
        citations_per_1000_words: 1000.0 * f64::from(all.citations) / f64::from(all.words.max(1)),
        median_width: None,
        valid_percent: Some(percent),
        support_percent: None,
        names_percent: None,
        verbatim_percent: None,
        coverage_percent: None,
        broken_links: 0,
        sections: known.iter().map(|page| u32::try_from(page.sections.len()).unwrap_or_default()).sum(),
        unverified_sections: unverified,
        points: percent,
        grade: Grade::of_points(percent),
    };
    let excerpts = Excerpts::collect(&known, |path| fs::read_to_string(checkout.join(path)).ok());
    SiteEvidence { found: Evidence { pages: known, findings, score: Some(score) }, excerpts }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read `{}`", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|ending| ending == "md") {
            files.push(path);
        }
    }
    Ok(())
}
