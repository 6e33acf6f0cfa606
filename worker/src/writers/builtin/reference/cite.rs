//! What documentation in the source says is cited where it stands: the lines of the comment.

use std::collections::BTreeMap;

use super::{DocItem, ModuleDoc};
use crate::writers::builtin::{
    citing::{Source, cited},
    markdown::place,
    survey::Survey,
};

/// How far above an item its comment may begin, in lines.
const MAX_COMMENT_LINES: u32 = 400;
/// Most texts of files that are kept at a time.
const MAX_OPEN: usize = 8;

/// Cites the documentation of all modules and items.
pub(crate) fn cite(modules: &mut [ModuleDoc], survey: &Survey) {
    let mut sources = Sources { survey, open: BTreeMap::new() };
    for module in modules {
        if !module.doc.is_empty() {
            module.doc = match sources.get(&module.path) {
                Some(source) => cited(&module.doc, source, 1, None),
                None => behind(&module.doc, &place(&module.path, None)),
            };
        }
        for item in &mut module.items {
            cite_item(item, &mut sources);
        }
    }
}

fn cite_item(item: &mut DocItem, sources: &mut Sources<'_>) {
    if !item.doc.is_empty() {
        let from = item.lines.0.saturating_sub(MAX_COMMENT_LINES).max(1);
        item.doc = match sources.get(&item.path) {
            Some(source) => {
                let begin = source.comment_above(item.lines.0).max(from);
                cited(&item.doc, source, begin, Some(item.lines))
            }
            None => behind(&item.doc, &place(&item.path, Some(item.lines))),
        };
    }
    for member in &mut item.members {
        cite_item(member, sources);
    }
}

fn behind(text: &str, citation: &str) -> String {
    format!("{}\n\n{citation}", text.trim_end())
}

/// Texts of files, the last few kept: items of a file come together.
struct Sources<'a> {
    survey: &'a Survey,
    open: BTreeMap<String, Option<Source>>,
}

impl Sources<'_> {
    fn get(&mut self, path: &str) -> Option<&Source> {
        if !self.open.contains_key(path) {
            if self.open.len() >= MAX_OPEN {
                self.open.clear();
            }
            let source = self.survey.text(path).map(|text| Source::new(path, &text));
            self.open.insert(path.to_owned(), source);
        }
        self.open.get(path)?.as_ref()
    }
}
