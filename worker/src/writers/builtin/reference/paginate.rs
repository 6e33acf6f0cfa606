//! Spreads modules over pages: large ones are split, small ones share a page, and the site stays within its budget.

use std::collections::BTreeMap;

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
/// Fewest small modules below one parent that share a page of their own.
const MIN_FAMILY: usize = 3;

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
pub(crate) fn paginate(modules: &[ModuleDoc], max_pages: usize) -> Vec<ReferencePage> {
    let mut small = SMALL_MODULE_ITEMS;
    loop {
        let pages = pages_of(modules, small);
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
        let weight = module.weight() + module.passed_on.len() / 4 + module.doc.len() / 1_500;
        if weight >= small || modules.len() == 1 {
            pages.extend(split(&package, module));
        } else {
            shared.push(module.clone());
        }
    }
    let alone = pages.is_empty();
    let (families, rest) = families(shared);
    for (name, modules) in families {
        pages.extend(share(&name, &package, modules));
    }
    let name = if alone { package.clone() } else { format!("More of {package}") };
    pages.extend(share(&name, &package, rest));
    pages
}

fn page(package: &str, modules: Vec<ModuleDoc>) -> ReferencePage {
    let title = match modules.as_slice() {
        [module] => module.name.clone(),
        _ => package.to_owned(),
    };
    ReferencePage { package: package.to_owned(), title, modules, left_out: (0, 0) }
}

/// Modules below one parent that are enough for a page of their own, by the parent's name; and the rest.
fn families(modules: Vec<ModuleDoc>) -> (BTreeMap<String, Vec<ModuleDoc>>, Vec<ModuleDoc>) {
    let mut families: BTreeMap<String, Vec<ModuleDoc>> = BTreeMap::new();
    let mut rest = Vec::new();
    for module in modules {
        match family(&module.name) {
            Some(family) => families.entry(family).or_default().push(module),
            None => rest.push(module),
        }
    }
    let small: Vec<String> =
        families.iter().filter(|(_, modules)| modules.len() < MIN_FAMILY).map(|(name, _)| name.clone()).collect();
    for name in small {
        rest.extend(families.remove(&name).unwrap_or_default());
    }
    rest.sort_by(|a, b| a.name.cmp(&b.name));
    (families, rest)
}

/// The first two parts of a name that has more: `src/utils` of `src/utils/url.ts`.
fn family(name: &str) -> Option<String> {
    let separator = ["/", "::", "."].into_iter().find(|separator| name.contains(separator))?;
    let parts: Vec<&str> = name.split(separator).collect();
    (parts.len() > 2).then(|| parts[..2].join(separator))
}

/// Small modules together, as many to a page as are pleasant to read.
fn share(name: &str, package: &str, modules: Vec<ModuleDoc>) -> Vec<ReferencePage> {
    let mut pages: Vec<ReferencePage> = Vec::new();
    let mut room = (0, 0);
    for module in modules {
        let (weight, bytes) = (module.weight(), module.bytes());
        let fits = weight <= room.0 && bytes <= room.1;
        if let Some(page) = pages.last_mut().filter(|_| fits) {
            page.modules.push(module);
            room = (room.0 - weight, room.1 - bytes);
        } else {
            let limits = (MAX_ITEMS_PER_PAGE / SHARED_PAGE_PART, MAX_BYTES_PER_PAGE / SHARED_PAGE_PART);
            room = (limits.0.saturating_sub(weight), limits.1.saturating_sub(bytes));
            pages.push(page(package, vec![module]));
        }
    }
    let count = pages.len();
    for (number, page) in pages.iter_mut().enumerate() {
        if page.modules.len() > 1 {
            let ends = page.modules.first().zip(page.modules.last());
            let range = ends.map(|(first, last)| format!("{} to {}", first.name, last.name)).unwrap_or_default();
            page.title = match count {
                1 => name.to_owned(),
                _ if range.chars().count() <= 60 => range,
                _ => format!("{name} ({} of {count})", number + 1),
            };
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
