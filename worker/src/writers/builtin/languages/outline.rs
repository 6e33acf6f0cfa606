//! The outline of a file: everything that it defines, public or not, with the lines where. One walk over the syntax tree,
//! without recursion.

use std::collections::HashSet;

use tree_sitter::{Node, TreeCursor};

use super::{
    Language,
    definitions::{Naming, Nodes, Rule, name_node, nodes, split_name},
    facts,
    syntax::{Source, children, lines},
    visibility::{Place, is_public},
};
use crate::{
    grounding::index::hash_of_name,
    writers::builtin::{
        sources::says_generated,
        symbols::{Fact, cut},
    },
};

/// Most definitions of one file; what comes after them is found as a word only.
pub(crate) const MAX_DEFINITIONS: usize = 5_000;
/// Longest name that is kept, in bytes; nobody writes longer ones.
const MAX_NAME_BYTES: usize = 200;
/// Deepest nesting that is walked into.
const MAX_DEPTH: usize = 400;

/// What a definition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum DefinitionKind {
    /// A module or namespace.
    Module,
    /// A class, structure, interface, enumeration or another name for one.
    Type,
    /// A function or method.
    Function,
    /// A field, a variant, a property.
    Member,
    /// A constant.
    Constant,
    /// A variable outside of functions.
    Variable,
    /// A macro.
    Macro,
}

impl DefinitionKind {
    /// Every kind; the position is its number on the pipe and in the kept index.
    pub(crate) const ALL: [Self; 7] =
        [Self::Module, Self::Type, Self::Function, Self::Member, Self::Constant, Self::Variable, Self::Macro];
}

/// One definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outlined {
    /// What it is.
    pub(crate) kind: DefinitionKind,
    /// Its name.
    pub(crate) name: String,
    /// What it belongs to; may be empty.
    pub(crate) owner: String,
    /// First and last line, from 1.
    pub(crate) lines: (u32, u32),
    /// Whether other packages may use it.
    pub(crate) is_public: bool,
}

/// What the index keeps of a parsed file.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Outline {
    /// Definitions in source order.
    pub(crate) definitions: Vec<Outlined>,
    /// What the program reads from its surroundings or offers to them.
    pub(crate) facts: Vec<Fact>,
    /// Hashes of the names that its code uses, whatever they mean there, in order: identifiers outside of comments and strings,
    /// without those that name a definition of the file where they do.
    pub(crate) uses: Vec<u64>,
}

/// Takes the outline from a syntax tree.
pub(crate) fn outline(language: Language, root: Node<'_>, text: &str, path: &str) -> Outline {
    let source = Source { text };
    let nodes = nodes(language, &root.language());
    let mut walk = Walk {
        language,
        source: &source,
        path,
        nodes,
        owners: Vec::new(),
        found: Vec::new(),
        name_ends: HashSet::new(),
        uses: Vec::new(),
    };
    walk.run(root);
    let (mut definitions, mut uses) = (walk.found, walk.uses);
    uses.sort_unstable();
    uses.dedup();
    if matches!(language, Language::JavaScript | Language::TypeScript | Language::Tsx) {
        publish_exported(&source, root, &mut definitions);
    }
    if says_generated(text) {
        for definition in &mut definitions {
            definition.is_public = false;
        }
    }
    Outline { definitions, facts: facts(language, &source, root), uses }
}

/// What the nodes below belong to.
struct Owner<'a, 't> {
    /// How many nodes there are from the root to its own.
    depth: usize,
    name: &'a str,
    node: &'t str,
    is_public: bool,
    /// The last word that says how visible is what follows.
    section: Option<&'a str>,
    /// A function: what it defines is its own.
    is_body: bool,
}

struct Walk<'s, 'a, 't> {
    language: Language,
    source: &'s Source<'a>,
    path: &'s str,
    nodes: &'static Nodes,
    owners: Vec<Owner<'a, 't>>,
    found: Vec<Outlined>,
    /// Where the names of the definitions end.
    name_ends: HashSet<usize>,
    uses: Vec<u64>,
}

impl<'a, 't> Walk<'_, 'a, 't> {
    fn run(&mut self, root: Node<'t>) {
        let mut ancestors: Vec<Node<'t>> = Vec::with_capacity(64);
        let mut cursor = root.walk();
        loop {
            let node = cursor.node();
            ancestors.push(node);
            if node.is_named() {
                self.visit(&ancestors, node);
                self.note_use(node);
            }
            let enter = node.is_named() && ancestors.len() < MAX_DEPTH && self.found.len() < MAX_DEFINITIONS;
            if enter && cursor.goto_first_child() {
                continue;
            }
            if !self.go_on(&mut cursor, &mut ancestors) {
                return;
            }
        }
    }

    /// To the next node that is no child; `false` at the end.
    fn go_on(&mut self, cursor: &mut TreeCursor<'t>, ancestors: &mut Vec<Node<'t>>) -> bool {
        loop {
            ancestors.pop();
            while self.owners.last().is_some_and(|owner| owner.depth > ancestors.len()) {
                self.owners.pop();
            }
            if cursor.goto_next_sibling() {
                return true;
            }
            if !cursor.goto_parent() {
                return false;
            }
        }
    }

    fn visit(&mut self, ancestors: &[Node<'t>], node: Node<'t>) {
        let Some(rule) = self.nodes.rules.get(usize::from(node.kind_id())).copied().flatten() else {
            self.note_section(node);
            return;
        };
        if !self.is_wanted(node, rule, ancestors) {
            return;
        }
        let Some(named) = name_node(node, rule.naming) else { return };
        let (before, name) = split_name(self.source, named);
        if name.is_empty() || name.len() > MAX_NAME_BYTES {
            return;
        }
        let kind = self.kind(rule, node, name);
        let public = kind.is_some_and(|kind| {
            let owner = self.owners.last();
            let place = Place {
                ancestors,
                owner_is_public: owner.is_none_or(|owner| owner.is_public),
                owner_node: owner.map_or("", |owner| owner.node),
                section: owner.and_then(|owner| owner.section),
                is_local: owner.is_some_and(|owner| owner.is_body),
            };
            is_public(self.language, self.source, self.path, name, kind, &place)
        });
        if let Some(kind) = kind {
            self.name_ends.insert(named.end_byte());
            let owner = before.or_else(|| self.receiver(node)).or_else(|| self.owner_name());
            self.found.push(Outlined {
                kind,
                name: name.to_owned(),
                owner: cut(owner.unwrap_or_default(), MAX_NAME_BYTES),
                lines: lines(node),
                is_public: public,
            });
        }
        self.open(ancestors.len(), node, name, kind, public);
    }

    /// What stands below belongs to types, modules and functions.
    fn open(&mut self, depth: usize, node: Node<'t>, name: &'a str, kind: Option<DefinitionKind>, public: bool) {
        let is_body = kind == Some(DefinitionKind::Function);
        if !is_body && !matches!(kind, None | Some(DefinitionKind::Type | DefinitionKind::Module)) {
            return;
        }
        let is_trait_impl = kind.is_none() && node.child_by_field_name("trait").is_some();
        let kind_of_node = if is_trait_impl { "trait impl" } else { node.kind() };
        // what is in an `impl` says for itself whether it is public
        let is_public = public || kind.is_none();
        let name = if is_body { self.owner_name().unwrap_or_default() } else { name };
        self.owners.push(Owner { depth, name, node: kind_of_node, is_public, section: None, is_body });
    }

    fn owner_name(&self) -> Option<&'a str> {
        self.owners.last().map(|owner| owner.name).filter(|name| !name.is_empty())
    }

    fn kind(&self, rule: Rule, node: Node<'_>, name: &str) -> Option<DefinitionKind> {
        let kind = rule.kind?;
        let is_function = node.child_by_field_name("value").is_some_and(|value| {
            matches!(value.kind(), "arrow_function" | "function_expression" | "generator_function" | "function")
        });
        Some(match kind {
            DefinitionKind::Variable if is_function => DefinitionKind::Function,
            DefinitionKind::Variable
                if name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_') =>
            {
                DefinitionKind::Constant
            }
            DefinitionKind::Variable if self.owners.last().is_some_and(|owner| !owner.is_body) => {
                DefinitionKind::Member
            }
            kind => kind,
        })
    }

    /// Variables of functions, forward declarations and plain assignments define nothing that others speak of.
    fn is_wanted(&self, node: Node<'_>, rule: Rule, ancestors: &[Node<'_>]) -> bool {
        let in_body = self.owners.last().is_some_and(|owner| owner.is_body);
        let is_value =
            matches!(rule.kind, Some(DefinitionKind::Variable | DefinitionKind::Constant | DefinitionKind::Member));
        let parent = ancestors.len().checked_sub(2).and_then(|at| ancestors.get(at)).map_or("", Node::kind);
        match node.kind() {
            "struct_specifier" | "union_specifier" | "enum_specifier" | "class_specifier" => {
                node.child_by_field_name("body").is_some()
            }
            "declaration" => !in_body,
            // properties of objects that are written down in place
            "method_definition" => parent != "object",
            "assignment" if self.language == Language::Ruby => {
                !in_body && node.child_by_field_name("left").is_some_and(|left| left.kind() == "constant")
            }
            "variable_declaration" if self.language == Language::Kotlin => !in_body && parent == "property_declaration",
            "class_parameter" => {
                // without `val` or `var` it is an argument
                let text = self.source.text(node);
                text.split_whitespace().take(4).any(|word| matches!(word, "val" | "var"))
            }
            // a variant without a value; all other names of properties define nothing
            "property_identifier" => parent == "enum_body",
            "variable_assignment" => !in_body && matches!(parent, "program" | "declaration_command"),
            "field_declaration" if rule.naming == Naming::AnyDeclarator => true,
            _ => !(is_value && in_body),
        }
    }

    /// An identifier that is not the name of what is defined there.
    fn note_use(&mut self, node: Node<'_>) {
        let is_identifier = self.nodes.is_identifier.get(usize::from(node.kind_id())).is_some_and(|is| *is);
        if is_identifier && !self.name_ends.contains(&node.end_byte()) {
            self.uses.push(hash_of_name(self.source.text(node)));
        }
    }

    /// The type that a Go method is for.
    fn receiver(&self, node: Node<'_>) -> Option<&'a str> {
        if self.language != Language::Go || node.kind() != "method_declaration" {
            return None;
        }
        let list = node.child_by_field_name("receiver")?;
        let parameter = children(list).into_iter().next()?;
        let text = self.source.text(parameter.child_by_field_name("type")?);
        Some(text.trim_start_matches(['*', '(']).split(['[', ')']).next().unwrap_or_default().trim())
    }

    /// `private:` of C++, `private` of Ruby.
    fn note_section(&mut self, node: Node<'_>) {
        let Some(owner) = self.owners.last_mut() else { return };
        let text = match (self.language, node.kind()) {
            (Language::Cpp, "access_specifier") => self.source.text(node),
            (Language::Ruby, "identifier") if node.parent().is_some_and(|parent| parent.kind() == "body_statement") => {
                self.source.text(node)
            }
            _ => return,
        };
        if matches!(text, "public" | "private" | "protected") {
            owner.section = Some(text);
        }
    }
}

/// `export { a, b }` and `module.exports = { a }` stand apart from what they export.
fn publish_exported(source: &Source<'_>, root: Node<'_>, definitions: &mut [Outlined]) {
    let mut names: Vec<&str> = Vec::new();
    for statement in children(root) {
        match statement.kind() {
            "export_statement" => {
                let clauses = children(statement).into_iter().filter(|child| child.kind() == "export_clause");
                let specifiers = clauses.flat_map(children);
                names.extend(specifiers.map(|specifier| source.field(specifier, "name")));
                names.extend(statement.child_by_field_name("value").map(|value| source.text(value)));
            }
            "expression_statement" => {
                let Some(assignment) = statement.named_child(0) else { continue };
                if !source.field(assignment, "left").starts_with("module.exports") {
                    continue;
                }
                let Some(right) = assignment.child_by_field_name("right") else { continue };
                match right.kind() {
                    "identifier" => names.push(source.text(right)),
                    "object" => names.extend(
                        children(right)
                            .into_iter()
                            .filter(|child| child.kind() == "shorthand_property_identifier")
                            .map(|child| source.text(child)),
                    ),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    for definition in definitions {
        if definition.owner.is_empty() && names.contains(&definition.name.as_str()) {
            definition.is_public = true;
        }
    }
}
