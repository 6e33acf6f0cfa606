//! The templates of the theme and what each of them is given.

use askama::Template;
use shared::{names::PageSlug, page::Page, provider::Provider};

use super::{assets::Assets, headings::Heading, markdown::RenderedPage, quality, site::Site};

/// From so many pages on, the sidebar lists only the pages of the current group.
const FULL_NAVIGATION_PAGES: usize = 100;
/// From so many pages on, a group of the first page lists titles only.
const CARD_PAGES: usize = 9;

/// Up to here a page's HTML is its title.
const TITLE_END: &str = "</h1>";

/// What every page has around its content.
pub(crate) struct Frame<'a> {
    pub(crate) project: &'a str,
    pub(crate) tagline: &'a str,
    pub(crate) language: &'a str,
    pub(crate) description: String,
    pub(crate) version: Option<&'a str>,
    pub(crate) branch: &'a str,
    pub(crate) commit: &'a str,
    pub(crate) commit_url: Option<String>,
    pub(crate) commit_date: &'a str,
    pub(crate) generated_date: &'a str,
    pub(crate) writer: String,
    pub(crate) repository: Option<&'a str>,
    /// The address of the quality page, and the grade.
    pub(crate) quality: Option<(&'static str, &'static str)>,
    pub(crate) assets: &'a Assets,
}

/// A link in a list of pages.
struct PageLink {
    href: String,
    title: String,
    description: String,
    current: bool,
}

/// A group of pages; `pages` is empty where only the group's name is shown.
struct GroupLinks<'a> {
    title: &'a str,
    href: String,
    compact: bool,
    pages: Vec<PageLink>,
}

#[derive(Template)]
#[template(path = "page.html")]
struct PageTemplate<'a> {
    frame: Frame<'a>,
    title: String,
    slug: &'a str,
    group: &'a str,
    group_href: String,
    begins_group: bool,
    groups: Vec<GroupLinks<'a>>,
    contents: Vec<&'a Heading>,
    checked: Option<quality::Checked>,
    heading: &'a str,
    body: &'a str,
    related: Vec<PageLink>,
    previous: Option<PageLink>,
    next: Option<PageLink>,
}

#[derive(Template)]
#[template(path = "index.html")]
struct IndexTemplate<'a> {
    frame: Frame<'a>,
    first: Option<PageLink>,
    groups: Vec<GroupLinks<'a>>,
    page_count: usize,
}

#[derive(Template)]
#[template(path = "404.html")]
struct NotFoundTemplate<'a> {
    frame: Frame<'a>,
}

#[derive(Template)]
#[template(path = "moved.html")]
struct MovedTemplate<'a> {
    frame: Frame<'a>,
    target: Option<PageLink>,
}

/// The page number `position` of the site.
pub(crate) fn page_html(site: &Site<'_>, assets: &Assets, position: usize, rendered: &RenderedPage) -> String {
    let page = &site.pages[position];
    let group = &site.groups[page.group];
    let description = Some(page.description()).filter(|text| !text.is_empty());
    let description = description.as_deref().unwrap_or(&site.plan.tagline);
    let title_end = rendered.html.find(TITLE_END).map_or(0, |at| at + TITLE_END.len());
    let (heading, body) = rendered.html.split_at(title_end);
    let neighbour = |position: usize| site.pages.get(position).map(|_| page_link(site, position, false));
    render(&PageTemplate {
        frame: frame(site, assets, description),
        title: page.title(),
        slug: page.slug(),
        group: group.title,
        group_href: href(site, group.first),
        begins_group: group.first == position,
        groups: navigation(site, position),
        contents: rendered.headings.iter().filter(|heading| matches!(heading.level, 2 | 3)).collect(),
        checked: quality::checked(site, position),
        heading,
        body,
        related: related(site, page.written),
        previous: position.checked_sub(1).and_then(neighbour),
        next: neighbour(position + 1),
    })
}

/// The first page of the site: what the project is and where to begin.
pub(crate) fn index_html(site: &Site<'_>, assets: &Assets) -> String {
    let groups = site.groups.iter().map(|group| GroupLinks {
        title: group.title,
        href: href(site, group.first),
        compact: group.count > CARD_PAGES,
        pages: (group.first..group.first + group.count).map(|position| page_link(site, position, false)).collect(),
    });
    render(&IndexTemplate {
        frame: frame(site, assets, &site.plan.tagline),
        first: site.pages.first().map(|_| page_link(site, 0, false)),
        groups: groups.collect(),
        page_count: site.pages.len(),
    })
}

/// What a server shows for an address without a file.
pub(crate) fn not_found_html(site: &Site<'_>, assets: &Assets) -> String {
    render(&NotFoundTemplate { frame: frame(site, assets, &site.plan.tagline) })
}

/// What stands at the address of a page that is no more: a link to where it went, else to the first page. A link and not a
/// jump: a site is files, and these work from any server and from a disk.
pub(crate) fn moved_html(site: &Site<'_>, assets: &Assets, end: Option<&PageSlug>) -> String {
    let target = end.and_then(|end| site.position(end.as_str())).map(|position| page_link(site, position, false));
    render(&MovedTemplate { frame: frame(site, assets, &site.plan.tagline), target })
}

pub(crate) fn render(template: &impl Template) -> String {
    template.render().expect("the templates only format texts, which cannot fail")
}

pub(crate) fn frame<'a>(site: &Site<'a>, assets: &'a Assets, description: &str) -> Frame<'a> {
    let info = site.info;
    let source = info.source.as_ref();
    Frame {
        project: &site.plan.project_name,
        tagline: &site.plan.tagline,
        language: site.plan.language.as_ref().map_or("en", |language| language.as_str()),
        description: description.split_whitespace().collect::<Vec<_>>().join(" "),
        version: site.plan.version.as_deref().filter(|version| !version.trim().is_empty()),
        branch: info.branch.as_str(),
        commit: info.commit.short(),
        commit_url: source.map(|source| source.blob_base.trim_end_matches('/').replacen("/blob/", "/commit/", 1)),
        commit_date: &info.commit_date,
        generated_date: &info.generated_date,
        writer: match info.provider {
            Provider::Builtin => "Extracted from the source by docmill, no model".to_owned(),
            provider => format!("Written by {} {}", provider.label(), info.model),
        },
        repository: source.map(|source| source.repository.as_str()),
        quality: quality::link(site),
        assets,
    }
}

fn href(site: &Site<'_>, position: usize) -> String {
    format!("{}.html", site.pages[position].slug())
}

fn page_link(site: &Site<'_>, position: usize, current: bool) -> PageLink {
    let page = &site.pages[position];
    PageLink { href: href(site, position), title: page.title(), description: page.description(), current }
}

fn navigation<'a>(site: &Site<'a>, position: usize) -> Vec<GroupLinks<'a>> {
    let current_group = site.pages[position].group;
    let all = site.pages.len() <= FULL_NAVIGATION_PAGES;
    let groups = site.groups.iter().enumerate().map(|(number, group)| {
        let listed = if all || number == current_group { group.count } else { 0 };
        GroupLinks {
            title: group.title,
            href: href(site, group.first),
            compact: false,
            pages: (group.first..group.first + listed).map(|at| page_link(site, at, at == position)).collect(),
        }
    });
    groups.collect()
}

fn related(site: &Site<'_>, page: &Page) -> Vec<PageLink> {
    let mut positions: Vec<usize> = Vec::new();
    for slug in page.related.iter().filter(|slug| **slug != page.slug) {
        if let Some(position) = site.position(slug.as_str()).filter(|position| !positions.contains(position)) {
            positions.push(position);
        }
    }
    positions.into_iter().take(5).map(|position| page_link(site, position, false)).collect()
}
