//! Spreads modules over pages: large ones are split, small ones share a page, and the site stays within its budget.

use super::{DocItem, ModuleDoc};

/// Most entries (items and methods) of one page.
pub(crate) const MAX_ITEMS_PER_PAGE: usize = 150;
/// Most bytes of one page, about; the renderer of the page enforces it to the byte.
pub(crate) const MAX_BYTES_PER_PAGE: usize = 200_000;
/// A module of fewer entries shares a page with its neighbours.
const SMALL_MODULE_ITEMS: usize = 8;
/// A package of fewer entries is one page.
const SMALL_PACKAGE_ITEMS: usize = 40;
/// How much of a page's limits several modules on one page may fill.
const SHARED_PAGE_PART: usize = 2;

/// One page of the reference.
#[derive(Debug, Clone)]
pub(crate) struct ReferencePage {
    /// The package.
    pub(crate) package: String,
    /// The page's title.
    pub(crate) title: String,
    /// The modules, or parts of them, that stand on it.
    pub(crate) modules: Vec<ModuleDoc>,
    /// What was left out for lack of room: modules and entries.
    pub(crate) left_out: (usize, usize),
}

/// Makes at most `max_pages` pages. Modules come in the order in which they shall be read, those of a package together.
pub(crate) fn paginate(modules: Vec<ModuleDoc>, max_pages: usize) -> Vec<ReferencePage> {
    let mut small = SMALL_MODULE_ITEMS;
    loop {
        let pages = pages_of(&modules, small);
        if pages.len() <= max_pages || small > MAX_ITEMS_PER_PAGE {
            return within_budget(pages, max_pages);
        }
        // too many pages: larger modules have to share
        small *= 2;
    }
}

fn pages_of(modules: &[ModuleDoc], small: usize) -> Vec<ReferencePage> {
    modules.chunk_by(|a, b| a.package == b.package).flat_map(|package| package_pages(package, small)).collect()
}

fn package_pages(modules: &[ModuleDoc], small: usize) -> Vec<ReferencePage> {
    let package = modules.first().map(|module| module.package.clone()).unwrap_or_default();
    let weight: usize = modules.iter().map(ModuleDoc::weight).sum();
    let bytes: usize = modules.iter().map(ModuleDoc::bytes).sum();
    if modules.len() > 1 && weight <= SMALL_PACKAGE_ITEMS && bytes <= MAX_BYTES_PER_PAGE / 3 {
        return vec![page(&package, modules.to_vec())];
    }
    let mut pages = Vec::new();
    let mut shared: Vec<ModuleDoc> = Vec::new();
    for module in modules {
        if module.weight() >= small || modules.len() == 1 {
            pages.extend(split(&package, module));
        } else {
            shared.push(module.clone());
        }
    }
    pages.extend(share(&package, shared, pages.is_empty()));
    pages
}

fn page(package: &str, modules: Vec<ModuleDoc>) -> ReferencePage {
    let title = match modules.as_slice() {
        [module] => module.name.clone(),
        _ => package.to_owned(),
    };
    ReferencePage { package: package.to_owned(), title, modules, left_out: (0, 0) }
}

/// Small modules together, as many to a page as are pleasant to read.
fn share(package: &str, modules: Vec<ModuleDoc>, alone: bool) -> Vec<ReferencePage> {
    let mut pages: Vec<ReferencePage> = Vec::new();
    let mut room = (0, 0);
    for module in modules {
        let (weight, bytes) = (module.weight(), module.bytes());
        let fits = weight <= room.0 && bytes <= room.1;
        match pages.last_mut().filter(|_| fits) {
            Some(page) => {
                page.modules.push(module);
                room = (room.0 - weight, room.1 - bytes);
            }
            None => {
                let limits = (MAX_ITEMS_PER_PAGE / SHARED_PAGE_PART, MAX_BYTES_PER_PAGE / SHARED_PAGE_PART);
                room = (limits.0.saturating_sub(weight), limits.1.saturating_sub(bytes));
                pages.push(page(package, vec![module]));
            }
        }
    }
    let count = pages.len();
    for (number, page) in pages.iter_mut().enumerate() {
        if page.modules.len() > 1 {
            let name = if alone { package.to_owned() } else { format!("More of {package}") };
            page.title = if count > 1 { format!("{name} ({} of {count})", number + 1) } else { name };
        }
    }
    pages
}

/// One module on as many pages as it needs.
fn split(package: &str, module: &ModuleDoc) -> Vec<ReferencePage> {
    let mut parts: Vec<Vec<DocItem>> = vec![Vec::new()];
    let (mut weight, mut bytes) = (0, module.doc.len());
    let mut items = module.items.clone();
    items.sort_by_key(|item| item.kind);
    for item in items {
        let (item_weight, item_bytes) = (item.weight(), item.bytes());
        let full = weight + item_weight > MAX_ITEMS_PER_PAGE || bytes + item_bytes > MAX_BYTES_PER_PAGE * 9 / 10;
        if full && weight > 0 {
            parts.push(Vec::new());
            (weight, bytes) = (0, 0);
        }
        weight += item_weight;
        bytes += item_bytes;
        if let Some(part) = parts.last_mut() {
            part.push(item);
        }
    }
    let count = parts.len();
    let pages = parts.into_iter().enumerate().map(|(number, items)| {
        let mut part = module.clone();
        part.items = items;
        if number > 0 {
            part.doc.clear();
            part.passed_on.clear();
        }
        let mut page = page(package, vec![part]);
        if count > 1 {
            page.title = format!("{} ({} of {count})", module.name, number + 1);
        }
        page
    });
    pages.collect()
}

/// Cuts the pages that are too many; the last page says what is missing.
fn within_budget(mut pages: Vec<ReferencePage>, max_pages: usize) -> Vec<ReferencePage> {
    let left: Vec<ReferencePage> = if pages.len() > max_pages { pages.split_off(max_pages) } else { Vec::new() };
    if let Some(last) = pages.last_mut() {
        let modules = left.iter().map(|page| page.modules.len()).sum();
        let items = left.iter().flat_map(|page| &page.modules).map(ModuleDoc::weight).sum();
        last.left_out = (modules, items);
    }
    pages
}
