//! Rust crates: the tree of modules, what of it other crates can reach, and the methods of each type.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::{DocItem, ModuleDoc};
use crate::writers::builtin::{
    languages::Language,
    manifests::{Ecosystem, Package},
    survey::Survey,
    symbols::{Export, Item, ItemKind, Module, Scope},
};

/// Most modules of one crate, and how deep they nest.
const MAX_MODULES: usize = 4_000;
const MAX_DEPTH: usize = 32;

/// The modules of every crate: of libraries what is public, of programs also what is visible in the crate.
pub(super) fn modules(survey: &Survey) -> Vec<ModuleDoc> {
    let mut modules = Vec::new();
    for package in survey.packages.iter().filter(|package| package.ecosystem == Ecosystem::Cargo) {
        if let Some(root) = &package.library {
            modules.extend(library(survey, package, root));
        } else if let Some((_, root)) = package.programs.first() {
            modules.extend(program(survey, package, root));
        }
    }
    modules
}

/// A module of a crate.
struct Node<'a> {
    name: String,
    file: &'a str,
    scope: &'a Scope,
    declared_doc: &'a str,
    parent: Option<usize>,
    children: BTreeMap<&'a str, usize>,
    /// Whether every module on the way from the root is public.
    public: bool,
}

struct CrateTree<'a> {
    nodes: Vec<Node<'a>>,
    files: BTreeSet<String>,
}

fn tree<'a>(survey: &'a Survey, root: &str, crate_name: &str) -> Option<CrateTree<'a>> {
    let (file, (_, parsed)) = survey.parsed.get_key_value(root)?;
    let mut tree = CrateTree { nodes: Vec::new(), files: BTreeSet::from([file.clone()]) };
    tree.nodes.push(Node {
        name: crate_name.to_owned(),
        file,
        scope: &parsed.scope,
        declared_doc: "",
        parent: None,
        children: BTreeMap::new(),
        public: true,
    });
    let folder = file.rsplit_once('/').map(|(folder, _)| folder).unwrap_or_default();
    add_modules(survey, &mut tree, 0, folder, 0);
    Some(tree)
}

/// Adds the modules declared in node `parent`, whose submodules' files lie in `folder`.
fn add_modules<'a>(survey: &'a Survey, tree: &mut CrateTree<'a>, parent: usize, folder: &str, depth: usize) {
    if depth > MAX_DEPTH {
        return;
    }
    let (scope, file) = (tree.nodes[parent].scope, tree.nodes[parent].file);
    for module in &scope.modules {
        if tree.nodes.len() >= MAX_MODULES {
            return;
        }
        let Some((file, scope)) = module_source(survey, tree, module, file, folder) else { continue };
        let node = Node {
            name: format!("{}::{}", tree.nodes[parent].name, module.name),
            file,
            scope,
            declared_doc: &module.doc,
            parent: Some(parent),
            children: BTreeMap::new(),
            public: tree.nodes[parent].public && module.public,
        };
        let index = tree.nodes.len();
        tree.nodes.push(node);
        tree.nodes[parent].children.insert(&module.name, index);
        add_modules(survey, tree, index, &join(folder, &module.name), depth + 1);
    }
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

fn module_source<'a>(
    survey: &'a Survey,
    tree: &mut CrateTree<'a>,
    module: &'a Module,
    file: &'a str,
    folder: &str,
) -> Option<(&'a str, &'a Scope)> {
    if let Some(inline) = &module.inline {
        return Some((file, inline));
    }
    let beside = file.rsplit_once('/').map(|(folder, _)| folder).unwrap_or_default();
    let candidates = match &module.file {
        Some(path) => vec![join(beside, path.trim_start_matches("./"))],
        None => vec![join(folder, &format!("{}.rs", module.name)), join(folder, &format!("{}/mod.rs", module.name))],
    };
    let found = candidates.iter().find(|path| survey.parsed.contains_key(*path))?;
    // two declarations of one file (by cfg) are one module
    if !tree.files.insert(found.clone()) {
        return None;
    }
    let (file, (_, parsed)) = survey.parsed.get_key_value(found)?;
    Some((file, &parsed.scope))
}

/// Blocks of methods and traits by the name of their type.
type Implementations<'a> = HashMap<&'a str, Vec<(&'a str, &'a Item)>>;

fn implementations<'a>(tree: &CrateTree<'a>) -> Implementations<'a> {
    let mut found: Implementations<'a> = HashMap::new();
    for node in &tree.nodes {
        for item in node.scope.items.iter().filter(|item| item.kind == ItemKind::Impl) {
            found.entry(item.owner.as_str()).or_default().push((node.file, item));
        }
    }
    found
}

/// The item with its methods and the traits it implements.
fn doc_item(item: &Item, name: &str, file: &str, blocks: &Implementations<'_>, internals: bool) -> DocItem {
    let mut doc = DocItem::new(Language::Rust, item, file);
    name.clone_into(&mut doc.name);
    if !matches!(item.kind, ItemKind::Struct | ItemKind::Enum | ItemKind::Union | ItemKind::Trait | ItemKind::Type) {
        return doc;
    }
    for (path, block) in blocks.get(item.name.as_str()).map(Vec::as_slice).unwrap_or_default() {
        let methods = block.members.iter().filter(|member| internals || !member.internal);
        doc.members.extend(methods.map(|member| DocItem::new(Language::Rust, member, path)));
        if !block.name.is_empty() {
            doc.implements.push(block.name.clone());
        }
    }
    doc.implements.sort();
    doc.implements.dedup();
    doc
}

fn module_doc(node: &Node<'_>, package: &Package) -> ModuleDoc {
    let doc = if node.scope.doc.is_empty() { node.declared_doc } else { &node.scope.doc };
    ModuleDoc::new(&package.name, &node.name, Language::Rust, doc, node.file)
}

fn program(survey: &Survey, package: &Package, root: &str) -> Vec<ModuleDoc> {
    let Some(tree) = tree(survey, root, &package.name) else { return Vec::new() };
    let blocks = implementations(&tree);
    let documented = tree.nodes.iter().map(|node| {
        let mut module = module_doc(node, package);
        module.internal = true;
        let items = node.scope.items.iter().filter(|item| item.kind != ItemKind::Impl);
        module.items = items.map(|item| doc_item(item, &item.name, node.file, &blocks, true)).collect();
        module
    });
    documented.collect()
}

fn library(survey: &Survey, package: &Package, root: &str) -> Vec<ModuleDoc> {
    let crate_name = package.name.replace('-', "_");
    let Some(mut tree) = tree(survey, root, &crate_name) else { return Vec::new() };
    let blocks = implementations(&tree);
    let mut reach = Reach::default();
    let mut queue = VecDeque::from([0]);
    let mut queued = BTreeSet::from([0]);
    while let Some(index) = queue.pop_front() {
        let mut module = module_doc(&tree.nodes[index], package);
        let public = tree.nodes[index].children.values().copied().filter(|child| tree.nodes[*child].public);
        let mut next: Vec<usize> = public.collect();
        show_items(&tree, index, &mut module, &blocks, &mut reach);
        let scope = tree.nodes[index].scope;
        for export in &scope.exports {
            pass_on(&mut tree, index, export, &mut module, &blocks, &mut reach, &mut next, 0);
        }
        module.passed_on.sort();
        module.passed_on.dedup();
        reach.modules.push(module);
        queue.extend(next.into_iter().filter(|child| queued.insert(*child)));
    }
    add_exported_macros(&tree, &mut reach);
    reach.modules
}

/// What of a crate has been shown so far.
#[derive(Default)]
struct Reach {
    modules: Vec<ModuleDoc>,
    /// Items by file and first line, so that none is shown twice.
    shown: BTreeSet<(String, u32)>,
}

impl Reach {
    fn show(&mut self, module: &mut ModuleDoc, item: &Item, name: &str, file: &str, blocks: &Implementations<'_>) {
        if self.shown.insert((file.to_owned(), item.lines.0)) {
            module.items.push(doc_item(item, name, file, blocks, false));
        }
    }
}

fn show_items(
    tree: &CrateTree<'_>,
    index: usize,
    module: &mut ModuleDoc,
    blocks: &Implementations<'_>,
    reach: &mut Reach,
) {
    let node = &tree.nodes[index];
    for item in &node.scope.items {
        if !item.internal && !matches!(item.kind, ItemKind::Impl | ItemKind::Macro) {
            reach.show(module, item, &item.name, node.file, blocks);
        }
    }
}

/// Exported macros live at the root of their crate, wherever they are written.
fn add_exported_macros(tree: &CrateTree<'_>, reach: &mut Reach) {
    let Some(mut root) = reach.modules.first().cloned() else { return };
    for node in &tree.nodes {
        for item in node.scope.items.iter().filter(|item| item.kind == ItemKind::Macro) {
            reach.show(&mut root, item, &item.name, node.file, &Implementations::new());
        }
    }
    reach.modules[0] = root;
}

/// Follows one `pub use`: items of hidden modules are shown here, hidden modules become visible, the rest is named.
#[expect(clippy::too_many_arguments, reason = "one step of a walk over the crate; a struct would only rename them")]
fn pass_on(
    tree: &mut CrateTree<'_>,
    from: usize,
    export: &Export,
    module: &mut ModuleDoc,
    blocks: &Implementations<'_>,
    reach: &mut Reach,
    next: &mut Vec<usize>,
    depth: usize,
) {
    let Some((name, path)) = export.from.split_last() else { return };
    if depth > MAX_DEPTH {
        return;
    }
    let Some(target) = resolve(tree, from, path) else {
        let shown = export.from.join("::");
        let shown = if name.is_empty() { shown + "*" } else { shown };
        let alias = if name.is_empty() { "*".to_owned() } else { export.name.clone() };
        module.passed_on.push((alias, shown));
        return;
    };
    if name.is_empty() {
        if !tree.nodes[target].public && target != from {
            show_items(tree, target, module, blocks, reach);
            let scope = tree.nodes[target].scope;
            for inner in &scope.exports {
                pass_on(tree, target, inner, module, blocks, reach, next, depth + 1);
            }
        }
        return;
    }
    if let Some(child) = tree.nodes[target].children.get(name.as_str()).copied() {
        if !tree.nodes[child].public {
            tree.nodes[child].public = true;
            tree.nodes[child].name = format!("{}::{}", module.name, export.name);
        }
        next.push(child);
    }
    let node = &tree.nodes[target];
    let found: Vec<&Item> =
        node.scope.items.iter().filter(|item| item.name == *name && item.kind != ItemKind::Impl).collect();
    if !found.is_empty() && node.public && target != from {
        module.passed_on.push((export.name.clone(), format!("{}::{name}", node.name)));
        return;
    }
    let file = node.file;
    for item in &found {
        reach.show(module, item, &export.name, file, blocks);
    }
    if found.is_empty() {
        let scope = node.scope;
        for inner in scope.exports.iter().filter(|inner| inner.name == *name || inner.name.is_empty()) {
            if target != from {
                let mut inner = inner.clone();
                if inner.name.is_empty() {
                    // what a glob passes on is found under its own name
                    inner.from.pop();
                    inner.from.push(name.clone());
                }
                export.name.clone_into(&mut inner.name);
                pass_on(tree, target, &inner, module, blocks, reach, next, depth + 1);
            }
        }
    }
}

/// The module that a path leads to, seen from `from`; `None` for paths of other crates.
fn resolve(tree: &CrateTree<'_>, from: usize, path: &[String]) -> Option<usize> {
    let mut at = from;
    for (number, part) in path.iter().enumerate() {
        at = match part.as_str() {
            "crate" if number == 0 => 0,
            "self" => at,
            "super" => tree.nodes[at].parent?,
            part => tree.nodes[at].children.get(part).copied()?,
        };
    }
    Some(at)
}
