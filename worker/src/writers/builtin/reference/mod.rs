//! The reference: modules with their public items, gathered per language, spread over pages, written as Markdown.

mod rust;
mod python;
mod folders;
mod paginate;
mod cite;
mod render;

pub(crate) use self::{
    cite::cite,
    paginate::{ReferencePage, paginate},
    render::{page_description, render_page},
};
use super::{
    doc_text::{item_doc, module_doc},
    languages::Language,
    project::Project,
    survey::Survey,
    symbols::{Item, ItemKind},
};

/// A module, package or header with what it offers.
#[derive(Debug, Clone)]
pub(crate) struct ModuleDoc {
    /// The package it belongs to; modules of one package share a group of pages.
    pub(crate) package: String,
    /// Its full name, such as `axum::extract` or `click.core`.
    pub(crate) name: String,
    /// The language of its signatures.
    pub(crate) language: Language,
    /// Its documentation as Markdown, headings included.
    pub(crate) doc: String,
    /// The file or folder that it is.
    pub(crate) path: String,
    /// Its items.
    pub(crate) items: Vec<DocItem>,
    /// Names that it passes on from places documented elsewhere: name and where it comes from.
    pub(crate) passed_on: Vec<(String, String)>,
    /// Whether other packages cannot use it.
    pub(crate) internal: bool,
}

/// An item as the reference shows it.
#[derive(Debug, Clone)]
pub(crate) struct DocItem {
    /// What it is.
    pub(crate) kind: ItemKind,
    /// Its name, without its module.
    pub(crate) name: String,
    /// Its declaration.
    pub(crate) signature: String,
    /// Its documentation as Markdown without headings.
    pub(crate) doc: String,
    /// The file.
    pub(crate) path: String,
    /// The lines.
    pub(crate) lines: (u32, u32),
    /// Fields, variants, methods.
    pub(crate) members: Vec<DocItem>,
    /// Traits or interfaces that it implements.
    pub(crate) implements: Vec<String>,
}

impl DocItem {
    /// Prepares a parsed item.
    pub(crate) fn new(language: Language, item: &Item, path: &str) -> Self {
        Self {
            kind: item.kind,
            name: item.name.clone(),
            signature: item.signature.clone(),
            doc: item_doc(language, &item.doc),
            path: path.to_owned(),
            lines: item.lines,
            members: item.members.iter().map(|member| Self::new(language, member, path)).collect(),
            implements: Vec::new(),
        }
    }

    /// How many entries it makes on a page.
    pub(crate) fn weight(&self) -> usize {
        1 + self.members.iter().filter(|member| !member.kind.is_listed()).map(Self::weight).sum::<usize>()
    }

    /// About how many bytes of Markdown it makes.
    pub(crate) fn bytes(&self) -> usize {
        let own = self.name.len() + self.signature.len() + self.doc.len() + self.path.len() + 60;
        own + self.implements.iter().map(|name| name.len() + 4).sum::<usize>()
            + self.members.iter().map(Self::bytes).sum::<usize>()
    }
}

impl ModuleDoc {
    fn new(package: &str, name: &str, language: Language, doc: &str, path: &str) -> Self {
        Self {
            package: package.to_owned(),
            name: name.to_owned(),
            language,
            doc: without_own_name(&module_doc(language, doc), name),
            path: path.to_owned(),
            items: Vec::new(),
            passed_on: Vec::new(),
            internal: false,
        }
    }

    /// How many entries it makes on a page.
    pub(crate) fn weight(&self) -> usize {
        self.items.iter().map(DocItem::weight).sum()
    }

    /// About how many bytes of Markdown it makes.
    pub(crate) fn bytes(&self) -> usize {
        self.doc.len() + 200 + self.items.iter().map(DocItem::bytes).sum::<usize>()
    }

    fn says_something(&self) -> bool {
        !self.items.is_empty() || !self.passed_on.is_empty()
    }
}

/// The text without a first line that only repeats the module's name.
fn without_own_name(doc: &str, name: &str) -> String {
    let (first, rest) = doc.split_once('\n').unwrap_or((doc, ""));
    if first.trim_matches(['*', '#', ' ', '`']) == name { rest.trim_start().to_owned() } else { doc.to_owned() }
}

/// Every module of the repository that offers something, the main package's first; `project` names what has no package.
pub(crate) fn modules(survey: &Survey, project: &Project) -> Vec<ModuleDoc> {
    let mut modules = rust::modules(survey);
    modules.extend(python::modules(survey));
    modules.extend(folders::javascript(survey));
    modules.extend(folders::go(survey));
    modules.extend(folders::java(survey));
    modules.extend(folders::headers(survey, &project.name));
    modules.retain(ModuleDoc::says_something);
    let main = project.package.as_ref().map(|package| package.name.rsplit('/').next().unwrap_or_default().to_owned());
    // stable: within a package the order stays
    modules.sort_by_key(|module| Some(module.package.rsplit('/').next().unwrap_or_default()) != main.as_deref());
    modules
}
