//! Links to lines of a file on a repository host, and what people write like them, become citations: `…/blob/SHA/path#L10-L24`,
//! `[src/x.py:10-24]()`, `[src/x.py:10-24]`, `` `src/x.py:10-24` ``, `file://src/x.py#L10-L24`, links to source files from the
//! page or from the root of the repository.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    sync::LazyLock,
};

use regex::{Captures, Regex};
use shared::{citation::WrittenCitation, section::lines};

use super::{reading::Folder, repository::Source};

/// A code span, a citation of docmill, a link, a place between brackets, or a bare address. Paths hold brackets themselves:
/// `app/(shop)/[id]/page.tsx`.
static PIECES: LazyLock<Regex> = LazyLock::new(|| {
    let text = r"(?:[^\[\]\n`]|`[^`\n]*`|\[[^\[\]\n`]*\])*";
    let target = r"(?:[^()\s<>]|\([^()\s<>]*\))*";
    Regex::new(&format!(
        r#"(?P<code>`+[^`\n]*`+)|(?P<own>\[\[[^\[\]\n]*\]\])|(?P<image>!?)\[(?P<text>{text})\]\((?:<(?P<quoted>[^<>\n]*)>|(?P<target>{target}))(?:\s+"[^"\n]*")?\)|\[(?P<place>[^\s\[\]`]+:[0-9]+(?:-[0-9]+)?)\]|<?(?P<bare>https?://[^\s<>()\[\]`"']+)>?"#
    ))
    .expect("the pattern is a constant")
});

/// Rewrites the pages of a folder.
pub(super) struct Rewriter<'a> {
    source: Option<&'a Source>,
    /// Paths of the pages from the root of the repository: links to them are links between pages.
    pages: BTreeSet<String>,
    base: Option<&'a str>,
    /// Links that name another commit than the one that is checked.
    elsewhere: Cell<usize>,
    commits: RefCell<BTreeSet<String>>,
}

impl<'a> Rewriter<'a> {
    pub(super) fn new(source: Option<&'a Source>, folder: &Folder, base: Option<&'a str>) -> Self {
        let pages = source.map_or_else(BTreeSet::new, |source| source.own_pages(folder));
        Self { source, pages, base, elsewhere: Cell::new(0), commits: RefCell::default() }
    }

    /// The page with its links to lines as citations. Code blocks stay as they are.
    pub(super) fn rewrite(&self, path: &str, markdown: &str) -> String {
        if self.source.is_none() {
            return markdown.to_owned();
        }
        let mut out = String::with_capacity(markdown.len());
        for line in lines(markdown) {
            if line.in_code {
                out.push_str(line.text);
            } else {
                out.push_str(&PIECES.replace_all(line.text, |found: &Captures<'_>| self.piece(path, found)));
            }
        }
        out
    }

    /// What was noticed on the way.
    pub(super) fn remarks(&self) -> Vec<String> {
        let Some(commit) = self.commits.borrow().iter().next().cloned() else { return Vec::new() };
        let count = self.elsewhere.get();
        vec![format!(
            "{count} links name another commit than the one that was checked, such as `{commit}` (choose it by `--commit`)"
        )]
    }

    fn piece(&self, path: &str, found: &Captures<'_>) -> String {
        let whole = &found[0];
        if let Some(code) = found.name("code") {
            let inner = code.as_str().trim_matches('`').trim();
            return match cited_text(inner) {
                Some(citation) => format!("[[{}]]", citation.label()),
                None => whole.to_owned(),
            };
        }
        if let Some(own) = found.name("own") {
            // `[[code/parser|the parser]]` is how wikis link their pages; a citation has no words of its own
            let inside = own.as_str().trim_start_matches('[').trim_end_matches(']');
            return match inside.split_once('|') {
                Some((target, label)) if !self.is_source(target) => label.to_owned(),
                _ => whole.to_owned(),
            };
        }
        if let Some(place) = found.name("place") {
            return cited_text(place.as_str())
                .map_or_else(|| whole.to_owned(), |place| format!("[[{}]]", place.label()));
        }
        if let Some(bare) = found.name("bare") {
            let address = bare.as_str().trim_end_matches(['.', ',', ';', ':', '!', '?']);
            return match self.host_link(address) {
                Some(citation) if citation.lines.is_some() => {
                    whole.replace(address, &format!(" [[{}]]", citation.label())).replace(['<', '>'], "")
                }
                _ => whole.to_owned(),
            };
        }
        if &found["image"] == "!" {
            return whole.to_owned();
        }
        let target = found.name("quoted").or_else(|| found.name("target")).map_or("", |target| target.as_str());
        let text = &found["text"];
        let citation = if target.is_empty() {
            let text = text.trim().trim_matches('`');
            WrittenCitation::parse(text).filter(|_| !text.contains(char::is_whitespace))
        } else if let Some(path) = target.strip_prefix("file://") {
            self.in_repository(path)
        } else if target.contains("://") {
            self.host_link(target)
        } else {
            self.relative(path, target)
        };
        // a link to a whole file is as often a pointer as a source: it cites when it shows the file's path
        let label = text.trim().trim_matches('`').replace('\\', "");
        let citation = citation.filter(|citation| citation.lines.is_some() || citation.path.ends_with(&label));
        match citation {
            // the label of a link is often the place itself, which would be read as a name once more
            Some(citation) if cited_text(text.trim().trim_matches('`')).is_some() => {
                format!("[[{}]]", citation.label())
            }
            Some(citation) => format!("{} [[{}]]", without_lines(text, &citation), citation.label()),
            None => whole.to_owned(),
        }
    }

    /// A link to a file, or to lines of it, on a repository host.
    fn host_link(&self, address: &str) -> Option<WrittenCitation> {
        let source = self.source?;
        let (_, rest) = address.split_once("://")?;
        let (rest, fragment) = split_fragment(rest);
        let rest = rest.split('?').next().unwrap_or_default();
        let parts: Vec<&str> = rest.split('/').collect();
        let at = parts.iter().position(|part| matches!(*part, "blob" | "src")).filter(|at| *at >= 3)?;
        let repository = parts[..at].iter().rev().find(|part| **part != "-")?;
        if !source.is_named(repository) {
            return None;
        }
        let behind = match parts.get(at + 1).copied() {
            Some("commit" | "branch" | "tag") if parts[at] == "src" => at + 2,
            Some(_) => at + 1,
            None => return None,
        };
        let revision = parts.get(behind)?;
        let path: Vec<String> = parts.get(behind + 1..)?.iter().map(|part| decode(part)).collect();
        let path = path.join("/");
        // a branch may hold a `/`: the path then begins later
        let path = self.known_path(&path).unwrap_or(path);
        if self.pages.contains(&path) || path.is_empty() {
            return None;
        }
        let lines = fragment.and_then(lines_of);
        if lines.is_none() && fragment.is_some() {
            return None;
        }
        let is_commit = revision.len() >= 7 && revision.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_commit && !source.checkout.commit.as_str().starts_with(*revision) {
            self.elsewhere.set(self.elsewhere.get() + 1);
            self.commits.borrow_mut().insert((*revision).to_owned());
        }
        WrittenCitation::new(&path, lines)
    }

    fn is_source(&self, target: &str) -> bool {
        let path = WrittenCitation::parse(target).map(|citation| citation.path);
        path.is_some_and(|path| self.source.is_some_and(|source| source.has_file(&path)))
    }

    /// `file://src/x.py#L10-L24`: a path of the repository, written as if it were one of the disk.
    fn in_repository(&self, target: &str) -> Option<WrittenCitation> {
        let (path, fragment) = split_fragment(target);
        let path = decode(path);
        let name = path.rsplit('/').next()?;
        let is_file = self.source?.has_file(&path) || name.contains('.');
        (is_file && !self.pages.contains(&path)).then(|| WrittenCitation::new(&path, fragment.and_then(lines_of)))?
    }

    /// The longest end of a path that is a file.
    fn known_path(&self, path: &str) -> Option<String> {
        let source = self.source?;
        let mut rest = path;
        loop {
            if source.has_file(rest) {
                return Some(rest.to_owned());
            }
            rest = rest.split_once('/')?.1;
        }
    }

    /// A link to a source file of the repository: from the page, or from the root, as pages of a wiki have it.
    fn relative(&self, page: &str, target: &str) -> Option<WrittenCitation> {
        self.beside_page(page, target).or_else(|| {
            let (path, fragment) = split_fragment(target);
            let path = decode(path.trim_start_matches('/'));
            let lines = fragment.and_then(lines_of)?;
            (!self.pages.contains(&path) && self.source?.has_file(&path))
                .then(|| WrittenCitation::new(&path, Some(lines)))?
        })
    }

    fn beside_page(&self, page: &str, target: &str) -> Option<WrittenCitation> {
        let (source, base) = (self.source?, self.base?);
        let (path, fragment) = split_fragment(target);
        let folder = page.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut parts: Vec<String> =
            base.split('/').chain(folder.split('/')).filter(|part| !part.is_empty()).map(str::to_owned).collect();
        for part in path.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop()?;
                }
                _ => parts.push(decode(part)),
            }
        }
        let path = parts.join("/");
        let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
        let is_page = self.pages.contains(&path)
            || matches!(ending, "md" | "mdx" | "html" | "htm" | "rst" | "png" | "svg" | "jpg" | "gif");
        let lines = fragment.and_then(lines_of);
        (!is_page && source.has_file(&path)).then(|| WrittenCitation::new(&path, lines)).flatten()
    }
}

/// `src/x.py:10-24`, but neither `localhost:8080` nor `image:1`.
fn cited_text(text: &str) -> Option<WrittenCitation> {
    if text.contains(char::is_whitespace) || text.contains("::") {
        return None;
    }
    let citation = WrittenCitation::parse(text)?;
    let name = citation.path.rsplit('/').next()?;
    let (stem, ending) = name.rsplit_once('.')?;
    let is_file = !stem.is_empty() && ending.starts_with(|c: char| c.is_ascii_alphabetic()) && ending.len() <= 6;
    let is_host = matches!(ending, "com" | "org" | "net" | "io" | "dev" | "local" | "internal" | "test")
        && !citation.path.contains('/');
    (citation.lines.is_some() && is_file && !is_host).then_some(citation)
}

/// `is_valid:460-469` without its lines, which the citation behind it says again.
fn without_lines<'t>(text: &'t str, citation: &WrittenCitation) -> &'t str {
    let Some((first, last)) = citation.lines else { return text };
    let ends = [format!(":{first}-{last}"), format!(":{first}")];
    ends.iter().find_map(|end| text.strip_suffix(end.as_str())).unwrap_or(text)
}

/// `L10-L24`, `L10-24`, `L10`, `lines-10:24`, `L10C5-L12C1`.
fn lines_of(fragment: &str) -> Option<(u32, u32)> {
    let rest = fragment.strip_prefix("lines-").or_else(|| fragment.strip_prefix('L'))?;
    let number = |text: &str| {
        let text = text.trim_start_matches('L');
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        text[..end].parse::<u32>().ok().filter(|line| *line > 0)
    };
    match rest.split_once(['-', ':']) {
        Some((first, last)) => {
            let (first, last) = (number(first)?, number(last)?);
            Some((first.min(last), first.max(last)))
        }
        None => number(rest).map(|line| (line, line)),
    }
}

fn split_fragment(address: &str) -> (&str, Option<&str>) {
    address.split_once('#').map_or((address, None), |(path, fragment)| (path, Some(fragment)))
}

fn decode(text: &str) -> String {
    crate::grounding::checks::decode(text)
}
