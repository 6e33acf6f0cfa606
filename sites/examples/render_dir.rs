//! Renders a folder of Markdown files as a site, to look at the theme with real pages:
//! `cargo run -p sites --example render_dir -- FOLDER OUT [REPOSITORY]`. Sub-folders become groups.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use shared::{
    names::PageSlug,
    page::Page,
    plan::{NavGroup, PageType, Plan, PlannedPage, RepoType},
    provider::Provider,
    source::{LineStyle, SourceLinks},
};
use sites::render::{SiteInfo, render_site};

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
    let site = render_site(&plan, &pages, &info, None);
    println!("{} pages, {} files in {:?}", pages.len(), site.len(), start.elapsed());
    for (path, bytes) in site {
        let path = to.join(path);
        fs::create_dir_all(path.parent().unwrap_or(to))?;
        fs::write(path, bytes)?;
    }
    Ok(())
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
