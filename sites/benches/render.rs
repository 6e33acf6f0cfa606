//! Pages per second of `render_site`: `cargo bench -p sites --bench render [-- FOLDER]`. Without a folder of Markdown
//! files it renders the crate's own fixture pages many times over.

use std::{path::Path, time::Instant};

use shared::{
    names::PageSlug,
    page::Page,
    plan::{NavGroup, PageType, Plan, PlannedPage, RepoType},
    provider::Provider,
};
use sites::render::{SiteInfo, render_site};

const ROUNDS: u32 = 5;

fn main() {
    let folder = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let mut texts = Vec::new();
    if let Some(folder) = &folder {
        collect(Path::new(folder), &mut texts);
    } else {
        let fixture = [
            include_str!("../src/render/tests/getting-started.md"),
            include_str!("../src/render/tests/parsers.md"),
            include_str!("../src/render/tests/limits.md"),
        ];
        texts.extend(fixture.iter().cycle().take(300).map(|text| (*text).to_owned()));
    }
    let slug = |number: usize| PageSlug::slugify(&format!("page {number}"));
    let planned = |number| PlannedPage {
        slug: slug(number),
        title: format!("Page {number}"),
        description: "One of many.".into(),
        page_type: PageType::Guide,
    };
    let groups = (0..texts.len()).collect::<Vec<_>>();
    let plan = Plan {
        project_name: "bench".into(),
        tagline: String::new(),
        repo_type: RepoType::App,
        navigation: groups
            .chunks(20)
            .map(|numbers| NavGroup {
                group: "Group".into(),
                pages: numbers.iter().map(|number| planned(*number)).collect(),
            })
            .collect(),
        version: None,
        redirects: std::collections::BTreeMap::new(),
        language: None,
    };
    let bytes: usize = texts.iter().map(String::len).sum();
    let pages: Vec<Page> = texts
        .into_iter()
        .enumerate()
        .map(|(number, markdown)| Page { slug: slug(number), markdown, related: Vec::new() })
        .collect();
    let info = SiteInfo {
        branch: "main".parse().expect("a valid branch"),
        commit: "0123456789abcdef0123456789abcdef01234567".parse().expect("a valid commit"),
        commit_date: "2026-11-20".into(),
        generated_date: "2026-11-21".into(),
        provider: Provider::Builtin,
        model: "extract".parse().expect("a valid model"),
        source: None,
    };
    render_site(&plan, &pages, &info, None); // loads what is loaded once
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let site = render_site(&plan, &pages, &info, None);
        let seconds = start.elapsed().as_secs_f64();
        best = best.min(seconds);
        let written: usize = site.values().map(Vec::len).sum();
        println!("{} pages, {bytes} bytes in, {written} bytes out, {:.1} ms", pages.len(), seconds * 1000.0);
    }
    #[expect(clippy::cast_precision_loss, reason = "a count of pages is small")]
    let pages_per_second = pages.len() as f64 / best;
    println!("{pages_per_second:.0} pages/s on one thread");
}

fn collect(folder: &Path, texts: &mut Vec<String>) {
    let mut entries: Vec<_> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, texts);
        } else if path.extension().is_some_and(|ending| ending == "md") {
            texts.extend(std::fs::read_to_string(&path));
        }
    }
}
