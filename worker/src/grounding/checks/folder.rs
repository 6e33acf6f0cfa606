//! A folder of documentation that is not docmill's: which file is which page, and where links between its files lead.

use std::collections::{BTreeMap, BTreeSet};

use shared::names::PageSlug;

/// The files of a folder.
#[derive(Debug, Clone, Default)]
pub(crate) struct DocsFolder {
    /// Pages by their path below the folder.
    pages: BTreeMap<String, PageSlug>,
    paths: BTreeMap<PageSlug, String>,
    /// Everything else below the folder.
    files: BTreeSet<String>,
    /// Where the folder lies in its repository, without `/` at its end; empty for the root; none when it lies in none.
    base: Option<String>,
    /// Files of that repository.
    repository: BTreeSet<String>,
}

/// Where a link leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FolderTarget {
    /// To a page.
    Page(PageSlug),
    /// To a file, of the folder or of its repository, or out of what can be seen.
    File,
    /// To nothing.
    Nothing,
}

/// Endings of pages.
const PAGES: [&str; 6] = [".md", ".markdown", ".mdx", ".html", ".htm", ".rst"];
/// Names of first pages.
const STARTS: [&str; 6] = ["index", "readme", "home", "introduction", "overview", "summary"];

/// Files in which generators of sites keep their navigation or their settings, by how their names begin.
const GENERATORS: [&str; 17] = [
    "mkdocs.yml",
    "mkdocs.yaml",
    "zensical.toml",
    "docusaurus.config.",
    "sidebars.",
    "astro.config.",
    "antora.yml",
    "book.toml",
    "hugo.toml",
    "hugo.yaml",
    "_sidebar.md",
    "_config.yml",
    "_toc.yml",
    "mint.json",
    "docs.json",
    "toc.yml",
    "typedoc.json",
];

impl DocsFolder {
    pub(crate) fn new(
        pages: impl IntoIterator<Item = (String, PageSlug)>,
        files: impl IntoIterator<Item = String>,
        base: Option<String>,
        repository: impl IntoIterator<Item = String>,
    ) -> Self {
        let pages: BTreeMap<String, PageSlug> = pages.into_iter().collect();
        let paths = pages.iter().map(|(path, slug)| (slug.clone(), path.clone())).collect();
        Self { pages, paths, files: files.into_iter().collect(), base, repository: repository.into_iter().collect() }
    }

    /// The path of a page below the folder.
    pub(crate) fn path(&self, slug: &PageSlug) -> Option<&str> {
        self.paths.get(slug).map(String::as_str)
    }

    /// Whether the repository around the folder has such a file or folder: documentation is left out of the index.
    pub(super) fn is_of_repository(&self, path: &str) -> bool {
        let below = format!("{path}/");
        let has_below =
            |set: &BTreeSet<String>| set.range(below.clone()..).next().is_some_and(|file| file.starts_with(&below));
        let is_page = self.pages.keys().any(|page| page == path || page.ends_with(&format!("/{path}")));
        is_page || self.repository.contains(path) || has_below(&self.repository) || self.files.contains(path)
    }

    /// Whether a generator makes a site of the folder: it gives headings ids of its own and has a navigation that is not seen here.
    pub(super) fn has_generator(&self) -> bool {
        let is_settings = |path: &String| {
            let name = path.rsplit('/').next().unwrap_or_default();
            GENERATORS.iter().any(|known| name.starts_with(known)) || path.contains(".vitepress/config.")
        };
        self.files.iter().chain(&self.repository).any(is_settings)
    }

    /// Whether readers begin here.
    pub(super) fn is_start(&self, slug: &PageSlug) -> bool {
        let stem = self.path(slug).and_then(|path| path.rsplit_once('.')).map(|(stem, _)| stem.to_lowercase());
        stem.is_some_and(|stem| STARTS.contains(&stem.as_str()))
    }

    /// Where a link of a page leads; `link` is decoded and has no fragment.
    pub(super) fn resolve(&self, from: &PageSlug, link: &str) -> FolderTarget {
        let link = link.split('?').next().unwrap_or_default();
        let from = self.path(from).unwrap_or_default();
        // a path from the root of a site is one from the folder, or from somewhere that cannot be known
        let (start, is_from_root) = if link.starts_with('/') {
            ("", true)
        } else {
            (from.rsplit_once('/').map_or("", |(folder, _)| folder), false)
        };
        let Some(inside) = join(start, link) else { return self.outside(from, link) };
        if let Some(slug) = self.page(&inside) {
            return FolderTarget::Page(slug.clone());
        }
        let below = format!("{inside}/");
        let is_folder =
            self.files.iter().chain(self.pages.keys()).any(|path| inside.is_empty() || path.starts_with(&below));
        if self.files.contains(&inside) || is_folder {
            return FolderTarget::File;
        }
        // generators write a page as a folder, so that a link is one step too deep or too high
        let name = inside.rsplit('/').next().unwrap_or_default();
        let has_ending = PAGES.iter().any(|ending| name.ends_with(ending));
        if is_from_root || !has_ending && !name.contains('.') {
            return FolderTarget::File;
        }
        self.outside(from, link)
    }

    /// A path that leads out of the folder, into the repository around it.
    fn outside(&self, from: &str, link: &str) -> FolderTarget {
        let Some(base) = &self.base else { return FolderTarget::Nothing };
        let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
        let start =
            [base.as_str(), folder].iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join("/");
        let Some(path) = join(&start, link) else { return FolderTarget::File };
        let below = format!("{path}/");
        let exists = path.is_empty()
            || self.repository.contains(&path)
            || self.repository.range(below.clone()..).next().is_some_and(|file| file.starts_with(&below));
        if exists { FolderTarget::File } else { FolderTarget::Nothing }
    }

    fn page(&self, path: &str) -> Option<&PageSlug> {
        let path = path.trim_end_matches('/');
        let stem = PAGES.iter().find_map(|ending| path.strip_suffix(ending));
        let within = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
        let mut tries = vec![path.to_owned()];
        tries.extend(PAGES.iter().map(|ending| format!("{}{ending}", stem.unwrap_or(path))));
        tries.extend(["index.md", "README.md", "index.html", "readme.md", "index.mdx"].map(within));
        tries.iter().find_map(|path| self.pages.get(path))
    }
}

/// The path from a folder; nothing when it leads above the top.
fn join(folder: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
