//! Reading a folder of documentation: Markdown and HTML, bounded, symbolic links not followed.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Read as _,
    path::Path,
};

use anyhow::{Context, bail};
use git2::{ObjectType, Oid};

/// Most files and folders that are looked at.
const MAX_ENTRIES: usize = 50_000;
/// Most pages.
const MAX_PAGES: usize = 5_000;
/// Largest page, in bytes.
const MAX_PAGE_BYTES: u64 = 4 << 20;
/// Most bytes of all pages.
const MAX_BYTES: u64 = 256 << 20;
/// Deepest folder.
const MAX_DEPTH: usize = 24;
/// Folders that hold no documentation of a project.
const SKIPPED: [&str; 6] = ["node_modules", "target", "__pycache__", "venv", "_static", "assets"];
/// Folders that hold what others wrote, or what tests were given and gave.
const FOREIGN: [&str; 4] = ["vendor", "testdata", "__fixtures__", "__snapshots__"];
/// With what the names of such folders begin.
const FOREIGN_STARTS: [&str; 3] = ["third_party", "third-party", "thirdparty"];
/// Folders that hold the same when they lie in one of tests.
const OF_TESTS: [&str; 3] = ["fixtures", "resources", "snapshots"];
/// Pages that a generator makes and nobody wrote.
const MADE: [&str; 6] = ["404.html", "search.html", "genindex.html", "py-modindex.html", "print.html", "toc.html"];

/// A folder that was read.
#[derive(Debug, Default)]
pub(super) struct Folder {
    /// In order of path.
    pub(super) pages: Vec<DocsFile>,
    /// The paths of all other files.
    pub(super) others: BTreeSet<String>,
    pub(super) remarks: Vec<String>,
}

/// A page as it lies there.
#[derive(Debug)]
pub(super) struct DocsFile {
    /// From the folder, separated by `/`.
    pub(super) path: String,
    text: String,
    is_html: bool,
    /// What Git calls its content.
    pub(super) blob: Oid,
}

impl DocsFile {
    /// Its text as Markdown.
    pub(super) fn markdown(&self) -> String {
        if self.is_html { super::html::to_markdown(&self.text) } else { self.text.clone() }
    }
}

impl Folder {
    /// Reads what lies below a folder.
    pub(super) fn read(root: &Path) -> anyhow::Result<Self> {
        let meta = fs::metadata(root).with_context(|| format!("`{}` cannot be read", root.display()))?;
        if !meta.is_dir() {
            bail!("`{}` is not a folder: name the folder that the pages lie in", root.display());
        }
        let mut folder = Self::default();
        let (mut skipped, mut templates) = (0, 0);
        let mut bytes = 0;
        for path in list(root)? {
            let Some(is_html) = kind_of(&path) else {
                folder.others.insert(path);
                continue;
            };
            let page = read_page(&root.join(&path));
            if is_html && page.as_ref().is_some_and(|(text, _)| is_template(text)) {
                templates += 1;
                folder.others.insert(path);
                continue;
            }
            let page = page.filter(|(text, _)| {
                bytes += text.len() as u64;
                bytes <= MAX_BYTES && folder.pages.len() < MAX_PAGES
            });
            if page.as_ref().is_some_and(|(text, _)| is_html && is_report(&path, text)) {
                folder.others.insert(path);
            } else if let Some((text, blob)) = page {
                folder.pages.push(DocsFile { path, text, is_html, blob });
            } else {
                skipped += 1;
                folder.others.insert(path);
            }
        }
        folder.leave_out_copies();
        if templates > 0 {
            folder
                .remarks
                .push(format!("{templates} HTML files were left out: they are templates of a program, no pages"));
        }
        if skipped > 0 {
            folder.remarks.push(format!(
                "{skipped} pages were left out: at most {MAX_PAGES} pages of {} MiB each and {} MiB together are read",
                MAX_PAGE_BYTES >> 20,
                MAX_BYTES >> 20
            ));
        }
        Ok(folder)
    }

    /// Of a page that lies there as HTML and as Markdown the latter says more.
    fn leave_out_copies(&mut self) {
        let stems: BTreeSet<String> = self
            .pages
            .iter()
            .filter(|page| !page.is_html)
            .filter_map(|page| Some(page.path.rsplit_once('.')?.0.to_owned()))
            .collect();
        let is_copy = |page: &DocsFile| {
            let name = page.path.rsplit('/').next().unwrap_or_default();
            // the first page of a site of docmill is made of its navigation
            let is_cover = name == "index.html"
                && !stems.is_empty()
                && stems.iter().all(|stem| !stem.contains('/'))
                && self.others.contains("llms.txt");
            page.is_html && (is_cover || page.path.rsplit_once('.').is_some_and(|(stem, _)| stems.contains(stem)))
        };
        let (copies, pages): (Vec<DocsFile>, Vec<DocsFile>) =
            std::mem::take(&mut self.pages).into_iter().partition(is_copy);
        self.pages = pages;
        self.others.extend(copies.into_iter().map(|page| page.path));
    }
}

/// The files below a folder, in order of path, hidden ones and symbolic links left out.
fn list(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut files = Vec::new();
    let mut folders = vec![(String::new(), 0)];
    let mut seen = 0;
    while let Some((folder, depth)) = folders.pop() {
        let entries = match fs::read_dir(root.join(&folder)) {
            Ok(entries) => entries,
            Err(error) if depth == 0 => {
                return Err(error).with_context(|| format!("`{}` cannot be read", root.display()));
            }
            Err(_) => continue,
        };
        for entry in entries.flatten() {
            seen += 1;
            if seen > MAX_ENTRIES {
                bail!(
                    "`{}` holds more than {MAX_ENTRIES} files: name the folder of the documentation alone",
                    root.display()
                );
            }
            // what is not UTF-8 can neither be linked to nor named in a report
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            let Ok(kind) = entry.file_type() else { continue };
            let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            if name.starts_with('.') || name.contains(char::is_control) {
                continue;
            }
            if kind.is_dir() && depth < MAX_DEPTH && !is_left_out(&path) {
                folders.push((path, depth + 1));
            } else if kind.is_file() {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Whether nothing below a folder is documentation of the project.
fn is_left_out(path: &str) -> bool {
    let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
    let name = name.to_ascii_lowercase();
    let is_of_tests =
        |part: &str| matches!(part.to_ascii_lowercase().as_str(), "test" | "tests" | "spec" | "__tests__");
    SKIPPED.contains(&name.as_str())
        || FOREIGN.contains(&name.as_str())
        || FOREIGN_STARTS.iter().any(|start| name.starts_with(start))
        || OF_TESTS.contains(&name.as_str()) && above.split('/').any(is_of_tests)
}

/// Whether HTML is a template of a program: pages are made of it, but it is none.
fn is_template(html: &str) -> bool {
    let before_code = html.split("<pre").next().unwrap_or_default().split("<code").next().unwrap_or_default();
    let before_body = before_code.split("<body").next().unwrap_or_default();
    let marks = ["{%", "<%", "<?php", "<?="];
    marks.iter().any(|mark| before_code.contains(mark)) || before_body.contains("{{")
}

/// Whether it is a page, and whether of HTML.
fn kind_of(path: &str) -> Option<bool> {
    let name = path.rsplit('/').next().unwrap_or_default();
    if MADE.contains(&name) {
        return None;
    }
    match name.rsplit_once('.')?.1.to_ascii_lowercase().as_str() {
        "md" | "markdown" | "mdx" => Some(false),
        "html" | "htm" => Some(true),
        _ => None,
    }
}

/// The page of a site of docmill about its quality: it names what no page mentions, and says nothing about the project.
fn is_report(path: &str, text: &str) -> bool {
    let is_ours = || text.contains(r#"<meta name="generator" content="docmill">"#);
    path.rsplit('/').next() == Some("quality.html") && is_ours() && text.contains(r#"<body class="report">"#)
}

/// A page's text, and what Git calls its content; nothing when it is too large or no text.
fn read_page(path: &Path) -> Option<(String, Oid)> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MAX_PAGE_BYTES + 1).read_to_end(&mut bytes).ok()?;
    if bytes.len() as u64 > MAX_PAGE_BYTES || bytes.contains(&0) {
        return None;
    }
    let blob = Oid::hash_object(ObjectType::Blob, &bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    Some((text.trim_start_matches('\u{feff}').replace("\r\n", "\n"), blob))
}
