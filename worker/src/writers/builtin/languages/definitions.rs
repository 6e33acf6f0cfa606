//! Which nodes of a syntax tree define something, and how they are named: one table per language.

use std::sync::OnceLock;

use tree_sitter::Node;

use super::{
    Language,
    outline::DefinitionKind::{self, Constant, Function, Macro, Member, Module, Type, Variable},
    syntax::Source,
};

/// How a node is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// By a field.
    Field(&'static str),
    /// By its first child of this kind.
    Child(&'static str),
    /// The node is the name.
    Itself,
    /// By the innermost part of a C declarator, when that declares a function.
    FunctionDeclarator,
    /// By the innermost part of a C declarator, whatever it declares.
    AnyDeclarator,
    /// By itself: an identifier on the left of an assignment. Only a plain name counts.
    Assigned,
}

/// What a node of some kind defines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    /// What; `None` for what only owns what stands in it (an `impl` block).
    pub(super) kind: Option<DefinitionKind>,
    /// Its name.
    pub(super) naming: Naming,
}

type Row = (&'static str, DefinitionKind, Naming);

const NAME: Naming = Naming::Field("name");

const RUST: &[Row] = &[
    ("function_item", Function, NAME),
    ("function_signature_item", Function, NAME),
    ("struct_item", Type, NAME),
    ("enum_item", Type, NAME),
    ("union_item", Type, NAME),
    ("trait_item", Type, NAME),
    ("type_item", Type, NAME),
    ("associated_type", Member, NAME),
    ("mod_item", Module, NAME),
    ("macro_definition", Macro, NAME),
    ("const_item", Constant, NAME),
    ("static_item", Variable, NAME),
    ("enum_variant", Member, NAME),
    ("field_declaration", Member, NAME),
];
const PYTHON: &[Row] = &[
    ("class_definition", Type, NAME),
    ("function_definition", Function, NAME),
    ("type_alias_statement", Type, Naming::Field("left")),
    ("assignment", Variable, Naming::Assigned),
];
const JAVASCRIPT: &[Row] = &[
    ("class_declaration", Type, NAME),
    ("function_declaration", Function, NAME),
    ("generator_function_declaration", Function, NAME),
    ("method_definition", Function, NAME),
    ("field_definition", Member, Naming::Field("property")),
    ("variable_declarator", Variable, NAME),
];
const TYPESCRIPT: &[Row] = &[
    ("class_declaration", Type, NAME),
    ("abstract_class_declaration", Type, NAME),
    ("interface_declaration", Type, NAME),
    ("type_alias_declaration", Type, NAME),
    ("enum_declaration", Type, NAME),
    ("enum_assignment", Member, NAME),
    ("property_identifier", Member, Naming::Itself),
    ("function_declaration", Function, NAME),
    ("generator_function_declaration", Function, NAME),
    ("function_signature", Function, NAME),
    ("method_definition", Function, NAME),
    ("method_signature", Function, NAME),
    ("abstract_method_signature", Function, NAME),
    ("public_field_definition", Member, NAME),
    ("property_signature", Member, NAME),
    ("variable_declarator", Variable, NAME),
    ("internal_module", Module, NAME),
];
const GO: &[Row] = &[
    ("function_declaration", Function, NAME),
    ("method_declaration", Function, NAME),
    ("method_elem", Function, NAME),
    ("type_spec", Type, NAME),
    ("type_alias", Type, NAME),
    ("const_spec", Constant, NAME),
    ("var_spec", Variable, NAME),
    ("field_declaration", Member, NAME),
];
const JAVA: &[Row] = &[
    ("class_declaration", Type, NAME),
    ("interface_declaration", Type, NAME),
    ("enum_declaration", Type, NAME),
    ("record_declaration", Type, NAME),
    ("annotation_type_declaration", Type, NAME),
    ("annotation_type_element_declaration", Member, NAME),
    ("method_declaration", Function, NAME),
    ("constructor_declaration", Function, NAME),
    ("enum_constant", Member, NAME),
    ("variable_declarator", Member, NAME),
];
const C: &[Row] = &[
    ("function_definition", Function, Naming::FunctionDeclarator),
    ("declaration", Function, Naming::FunctionDeclarator),
    ("struct_specifier", Type, NAME),
    ("union_specifier", Type, NAME),
    ("enum_specifier", Type, NAME),
    ("enumerator", Constant, NAME),
    ("type_definition", Type, Naming::AnyDeclarator),
    ("field_declaration", Member, Naming::AnyDeclarator),
    ("preproc_def", Macro, NAME),
    ("preproc_function_def", Macro, NAME),
];
const CPP: &[Row] = &[
    ("function_definition", Function, Naming::FunctionDeclarator),
    ("declaration", Function, Naming::FunctionDeclarator),
    ("class_specifier", Type, NAME),
    ("struct_specifier", Type, NAME),
    ("union_specifier", Type, NAME),
    ("enum_specifier", Type, NAME),
    ("enumerator", Constant, NAME),
    ("type_definition", Type, Naming::AnyDeclarator),
    ("alias_declaration", Type, NAME),
    ("concept_definition", Type, NAME),
    ("field_declaration", Member, Naming::AnyDeclarator),
    ("namespace_definition", Module, NAME),
    ("preproc_def", Macro, NAME),
    ("preproc_function_def", Macro, NAME),
];
const CSHARP: &[Row] = &[
    ("class_declaration", Type, NAME),
    ("struct_declaration", Type, NAME),
    ("interface_declaration", Type, NAME),
    ("enum_declaration", Type, NAME),
    ("record_declaration", Type, NAME),
    ("delegate_declaration", Type, NAME),
    ("method_declaration", Function, NAME),
    ("constructor_declaration", Function, NAME),
    ("local_function_statement", Function, NAME),
    ("property_declaration", Member, NAME),
    ("event_declaration", Member, NAME),
    ("enum_member_declaration", Member, NAME),
    ("variable_declarator", Member, NAME),
];
const RUBY: &[Row] = &[
    ("class", Type, NAME),
    ("module", Type, NAME),
    ("method", Function, NAME),
    ("singleton_method", Function, NAME),
    ("alias", Function, NAME),
    ("assignment", Constant, Naming::Assigned),
];
const PHP: &[Row] = &[
    ("class_declaration", Type, NAME),
    ("interface_declaration", Type, NAME),
    ("trait_declaration", Type, NAME),
    ("enum_declaration", Type, NAME),
    ("enum_case", Member, NAME),
    ("function_definition", Function, NAME),
    ("method_declaration", Function, NAME),
    ("const_element", Constant, Naming::Child("name")),
    ("property_element", Member, NAME),
];
const KOTLIN: &[Row] = &[
    ("class_declaration", Type, NAME),
    ("object_declaration", Type, NAME),
    ("function_declaration", Function, NAME),
    ("type_alias", Type, Naming::Field("type")),
    ("enum_entry", Member, Naming::Child("identifier")),
    ("variable_declaration", Variable, Naming::Child("identifier")),
    ("class_parameter", Member, Naming::Child("identifier")),
];
const SWIFT: &[Row] = &[
    ("class_declaration", Type, NAME),
    ("protocol_declaration", Type, NAME),
    ("typealias_declaration", Type, NAME),
    ("function_declaration", Function, NAME),
    ("protocol_function_declaration", Function, NAME),
    ("init_declaration", Function, NAME),
    ("enum_entry", Member, NAME),
    ("property_declaration", Variable, NAME),
    ("protocol_property_declaration", Member, NAME),
];
const SHELL: &[Row] = &[("function_definition", Function, NAME), ("variable_assignment", Variable, NAME)];

fn rows(language: Language) -> &'static [Row] {
    match language {
        Language::Rust => RUST,
        Language::Python => PYTHON,
        Language::JavaScript => JAVASCRIPT,
        Language::TypeScript | Language::Tsx => TYPESCRIPT,
        Language::Go => GO,
        Language::Java => JAVA,
        Language::C => C,
        Language::Cpp => CPP,
        Language::CSharp => CSHARP,
        Language::Ruby => RUBY,
        Language::Php => PHP,
        Language::Kotlin => KOTLIN,
        Language::Swift => SWIFT,
        Language::Shell => SHELL,
    }
}

/// Kinds of nodes that name something in code, in all grammars together.
const IDENTIFIERS: [&str; 14] = [
    "identifier",
    "type_identifier",
    "field_identifier",
    "property_identifier",
    "private_property_identifier",
    "shorthand_property_identifier",
    "shorthand_field_identifier",
    "package_identifier",
    "namespace_identifier",
    "simple_identifier",
    // Ruby
    "constant",
    // PHP
    "name",
    // shell
    "command_name",
    "variable_name",
];

/// What the nodes of a grammar mean, by the numbers that it gives to their kinds.
pub(super) struct Nodes {
    /// What they define.
    pub(super) rules: Vec<Option<Rule>>,
    /// Whether they are names.
    pub(super) is_identifier: Vec<bool>,
}

/// The nodes of a language. Made once in a process: looking kinds up by their names takes as long as parsing a small file.
pub(super) fn nodes(language: Language, grammar: &tree_sitter::Language) -> &'static Nodes {
    static NODES: [OnceLock<Nodes>; Language::ALL.len()] = [const { OnceLock::new() }; Language::ALL.len()];
    NODES[language as usize].get_or_init(|| {
        let ids = 0..u16::try_from(grammar.node_kind_count()).unwrap_or(u16::MAX);
        let is_name = |id| {
            let is_named = grammar.node_kind_is_named(id);
            is_named && grammar.node_kind_for_id(id).is_some_and(|kind| IDENTIFIERS.contains(&kind))
        };
        Nodes { rules: rules(language, grammar), is_identifier: ids.map(is_name).collect() }
    })
}

fn rules(language: Language, grammar: &tree_sitter::Language) -> Vec<Option<Rule>> {
    let mut rules = vec![None; grammar.node_kind_count()];
    let mut put = |node: &str, rule: Rule| {
        let id = grammar.id_for_node_kind(node, true);
        if id != 0
            && let Some(place) = rules.get_mut(usize::from(id))
        {
            *place = Some(rule);
        }
    };
    for (node, kind, naming) in rows(language) {
        put(node, Rule { kind: Some(*kind), naming: *naming });
    }
    if language == Language::Rust {
        put("impl_item", Rule { kind: None, naming: Naming::Field("type") });
    }
    rules
}

/// The node that holds the name.
pub(super) fn name_node(node: Node<'_>, naming: Naming) -> Option<Node<'_>> {
    match naming {
        Naming::Field(field) => node.child_by_field_name(field),
        Naming::Child(kind) => {
            let mut cursor = node.walk();
            node.named_children(&mut cursor).find(|child| child.kind() == kind)
        }
        Naming::Assigned => {
            let left = node.child_by_field_name("left")?;
            matches!(left.kind(), "identifier" | "constant").then_some(left)
        }
        Naming::Itself => Some(node),
        Naming::FunctionDeclarator => declared(node, true),
        Naming::AnyDeclarator => declared(node, false),
    }
}

/// Follows declarators inwards: `int (*f)(void)` names `f`.
fn declared(node: Node<'_>, function_only: bool) -> Option<Node<'_>> {
    let mut node = node.child_by_field_name("declarator")?;
    let mut is_function = false;
    for _ in 0..20 {
        is_function |= node.kind() == "function_declarator";
        let inner = node.child_by_field_name("declarator").or_else(|| {
            // parentheses and references have no field
            let wraps = matches!(node.kind(), "parenthesized_declarator" | "reference_declarator");
            wraps.then(|| node.named_child(0)).flatten()
        });
        match inner {
            Some(inner) => node = inner,
            None => return (is_function || !function_only).then_some(node),
        }
    }
    None
}

/// A name as it is written elsewhere: the last part, and what stands before it, if anything (`Shape::area`).
pub(super) fn split_name<'a>(source: &Source<'a>, node: Node<'_>) -> (Option<&'a str>, &'a str) {
    let text = source.text(node).trim();
    let text = text.trim_matches(['"', '\'', '`']).trim_start_matches('$');
    // type arguments do not belong to a name
    let text = if text.starts_with("operator") { text } else { text.split(['<', '(', '[']).next().unwrap_or_default() };
    let separator = if text.contains("::") { "::" } else { "." };
    match text.rsplit_once(separator) {
        Some((before, name)) if !name.is_empty() => {
            (before.rsplit(separator).next().filter(|owner| !owner.is_empty()), name.trim())
        }
        _ => (None, text.trim()),
    }
}
