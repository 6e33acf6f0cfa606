//! The whole site: every page with its text, in the order of the navigation. Same commit, same bytes.

use std::collections::{BTreeMap, BTreeSet};

use shared::{
    names::PageSlug,
    plan::{NavGroup, PageType, Plan, PlannedPage},
};

use super::{
    citing::{Source, cited},
    documents::{Links, Section, sections, split_title},
    guides::{self, Guide},
    markdown::{cut_markdown, first_sentence, fragments, with_changed_places},
    pages::{dependencies, facts, layout, overview, quick_start},
    project::{Project, describe},
    reference::{self, ReferencePage, page_description, paginate, render_page},
    survey::Survey,
};
use crate::grounding::checks::is_thin;

/// Most pages of a site.
pub(crate) const MAX_PAGES: usize = 120;
/// Most bytes of one page.
pub(crate) const MAX_PAGE_BYTES: usize = 200_000;
/// Pages that are neither reference nor guide are at most this many.
const OTHER_PAGES: usize = 10;

/// A finished site, kept in memory for the run.
#[derive(Debug)]
pub(crate) struct Site {
    /// What is planned.
    pub(crate) plan: Plan,
    /// Texts by slug.
    pub(crate) pages: BTreeMap<PageSlug, String>,
    /// What was left out, one sentence each.
    pub(crate) findings: Vec<String>,
}

impl Site {
    /// Writes places in the source from the root of the repository, as links need them, where a subdirectory was surveyed.
    pub(crate) fn cite_from_root(&mut self, survey: &Survey, subdirectory: Option<&str>) {
        let Some(folder) = subdirectory else { return };
        for text in self.pages.values_mut() {
            *text = with_changed_places(text, &|path| survey.has(path).then(|| format!("{folder}/{path}")));
        }
    }
}

/// Collects pages and keeps their slugs apart.
struct Builder {
    groups: Vec<NavGroup>,
    pages: BTreeMap<PageSlug, String>,
    taken: BTreeSet<PageSlug>,
    findings: Vec<String>,
}

impl Builder {
    fn slug(&mut self, text: &str) -> PageSlug {
        let wanted = PageSlug::slugify(text);
        let mut slug = wanted.clone();
        let mut number = 2;
        while !self.taken.insert(slug.clone()) {
            slug = wanted.numbered(number);
            number += 1;
        }
        slug
    }

    fn add(&mut self, group: &str, slug: PageSlug, title: &str, description: &str, page_type: PageType, text: &str) {
        let (mut text, cut) = cut_markdown(text.trim_end(), MAX_PAGE_BYTES);
        if cut {
            text.push_str("\nThe rest of this page is left out because of its length; it is in the source.\n");
        }
        if !text.ends_with('\n') {
            text.push('\n');
        }
        // a document that only names others, for instance: no page of a site
        if is_thin(&text) {
            self.findings.push(format!("`{title}` has next to no text and is left out"));
            return;
        }
        let page = PlannedPage { slug: slug.clone(), title: title.into(), description: description.into(), page_type };
        match self.groups.iter_mut().find(|known| known.group == group) {
            Some(known) => known.pages.push(page),
            None => self.groups.push(NavGroup { group: group.into(), pages: vec![page] }),
        }
        self.pages.insert(slug, text);
    }
}

/// The project's README.
struct Readme {
    /// Body for the overview.
    body: String,
    /// Sections for the quick start.
    quick: Vec<Section>,
}

/// Writes the site of a surveyed repository.
pub(crate) fn build(survey: &Survey, project_name: &str, title: Option<&str>, repo_url: Option<String>) -> Site {
    let mut builder = Builder {
        groups: Vec::new(),
        pages: BTreeMap::new(),
        taken: BTreeSet::new(),
        findings: survey.findings.clone(),
    };
    let overview_slug = builder.slug("overview");
    let quick_slug = builder.slug("quick-start");
    let fixed = ["command-line", "configuration", "http-routes", "project-layout", "dependencies"]
        .map(|name| builder.slug(name));
    let (guides, left_guides) = guides::choose(survey);
    let readme_path = guides::readme(survey);
    let mut by_path: BTreeMap<String, PageSlug> =
        guides.iter().map(|guide| (guide.path.clone(), builder.slug(&guide.slug_text))).collect();
    by_path.extend(readme_path.iter().map(|path| (path.clone(), overview_slug.clone())));
    let links = Links { survey, pages: &by_path };
    let adopted = readme_path.as_ref().and_then(|path| Some(guides::adopt_file(&survey.text(path)?, path, &links)));
    let mut project = describe(survey, project_name, repo_url, adopted.as_deref());
    if let Some(title) = title {
        title.clone_into(&mut project.name);
    }
    let cited_readme = readme_path
        .as_ref()
        .zip(adopted.as_ref())
        .and_then(|(path, adopted)| Some(cited(adopted, &Source::new(path, &survey.text(path)?), 1, None)));
    let readme = read_readme(cited_readme.as_deref());
    let version = project.package.as_ref().and_then(|package| package.version.clone());

    let quick = quick_start::write(survey, &readme.quick, version.as_deref());
    let reference = reference_pages(survey, &project, guides.len());
    let overview = overview::write(survey, &project, &readme.body, &[]);
    let group = "Getting started";
    builder.add(
        group,
        overview_slug,
        "Overview",
        &project.tagline,
        PageType::Concept,
        &retitled(&overview, "Overview"),
    );
    if let Some(text) = quick {
        let description = format!("Install {} and take the first steps", project.name);
        builder.add(group, quick_slug, "Quick start", &description, PageType::Guide, &text);
    }
    add_guides(&mut builder, survey, &guides, &links);
    if left_guides > 0 {
        builder.findings.push(format!("{left_guides} documents of the repository are not part of the site"));
    }
    add_facts(&mut builder, survey, &fixed);
    add_reference(&mut builder, &reference);
    let [.., layout_slug, dependencies_slug] = fixed;
    if let Some(text) = layout::write(survey) {
        builder.add("Project", layout_slug, "Project layout", "What is in which folder", PageType::Concept, &text);
    }
    if let Some(text) = dependencies::write(&survey.packages) {
        builder.add(
            "Project",
            dependencies_slug,
            "Dependencies",
            "What the packages depend on",
            PageType::Reference,
            &text,
        );
    }
    add_late_guides(&mut builder, survey, &guides, &links);
    let plan = plan(&project, builder.groups, version);
    Site { plan, pages: builder.pages, findings: builder.findings }
}

fn plan(project: &Project, navigation: Vec<NavGroup>, version: Option<String>) -> Plan {
    Plan {
        project_name: project.name.clone(),
        tagline: project.tagline.clone(),
        repo_type: project.repo_type,
        navigation,
        version,
        language: None,
        redirects: std::collections::BTreeMap::new(),
    }
}

/// The page with another first heading.
fn retitled(text: &str, title: &str) -> String {
    let rest = text.split_once('\n').map(|(_, rest)| rest).unwrap_or_default();
    format!("# {title}\n{rest}")
}

fn read_readme(adopted: Option<&str>) -> Readme {
    let mut readme = Readme { body: String::new(), quick: Vec::new() };
    let (_, body) = split_title(adopted.unwrap_or_default());
    let (moved, kept): (Vec<_>, Vec<_>) =
        sections(&body, section_level(&body)).into_iter().partition(|section| quick_start::takes(&section.title));
    let all = |sections: &[Section]| sections.iter().flat_map(|section| fragments(&section.text)).collect::<Vec<_>>();
    let (in_quick, in_overview) = (all(&moved), all(&kept));
    // a link to a section follows it to its new page
    let follow = |mut text: String, fragments: &[String], page: &str| {
        for fragment in fragments {
            text = text.replace(&format!("](#{fragment})"), &format!("]({page}.html#{fragment})"));
        }
        text
    };
    for section in moved {
        readme.quick.push(Section { text: follow(section.text, &in_overview, "overview"), ..section });
    }
    for section in kept {
        readme.body.push_str(&follow(section.text, &in_quick, "quick-start"));
    }
    readme
}

/// The highest level that has several headings: the sections of a README.
fn section_level(body: &str) -> usize {
    (1..=3).find(|level| sections(body, *level).len() > 2).unwrap_or(2)
}

fn reference_pages(survey: &Survey, project: &Project, guides: usize) -> Vec<ReferencePage> {
    let mut modules = reference::modules(survey, project);
    reference::cite(&mut modules, survey);
    paginate(&modules, MAX_PAGES - OTHER_PAGES - guides.min(MAX_PAGES / 2))
}

fn add_reference(builder: &mut Builder, pages: &[ReferencePage]) {
    let packages: BTreeSet<&str> = pages.iter().map(|page| page.package.as_str()).collect();
    for page in pages {
        let group = if packages.len() > 1 && packages.len() <= 12 {
            format!("Reference: {}", page.package)
        } else {
            "Reference".to_owned()
        };
        let slug = builder.slug(&page.title);
        builder.add(&group, slug, &page.title, &page_description(page), PageType::Reference, &render_page(page));
        if page.left_out.0 > 0 {
            builder.findings.push(format!("{} modules did not fit into the reference", page.left_out.0));
        }
    }
}

fn add_facts(builder: &mut Builder, survey: &Survey, slugs: &[PageSlug; 5]) {
    let pages = [
        ("Command line", "Commands and options", facts::command_line(survey)),
        ("Configuration", "Environment variables that the code reads", facts::configuration(survey)),
        ("HTTP routes", "Addresses that are answered over HTTP", facts::routes(survey)),
    ];
    for ((title, description, text), slug) in pages.into_iter().zip(slugs) {
        if let Some(text) = text {
            builder.add("Interfaces", slug.clone(), title, description, PageType::Reference, &text);
        }
    }
}

fn add_guide(builder: &mut Builder, group: &str, survey: &Survey, guide: &Guide, links: &Links<'_>) {
    let (Some(slug), Some(text)) = (links.pages.get(&guide.path), survey.text(&guide.path)) else { return };
    let text = guides::page(&text, guide, links);
    // without its title and without the line that says where it is from
    let body = text.split_once('\n').map(|(_, body)| body).unwrap_or_default();
    let body = body.trim_end().rsplit_once('\n').map(|(body, _)| body).unwrap_or_default();
    let description =
        if guide.description.is_empty() { first_sentence(body, 160) } else { guide.description.to_owned() };
    builder.add(group, slug.clone(), &guide.title, &description, guide.page_type, &text);
}

fn add_guides(builder: &mut Builder, survey: &Survey, guides: &[Guide], links: &Links<'_>) {
    for guide in guides.iter().filter(|guide| !guide.late) {
        add_guide(builder, &guide.group, survey, guide, links);
    }
}

fn add_late_guides(builder: &mut Builder, survey: &Survey, guides: &[Guide], links: &Links<'_>) {
    for guide in guides.iter().filter(|guide| guide.late) {
        add_guide(builder, &guide.group, survey, guide, links);
    }
}
