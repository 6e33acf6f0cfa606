//! Whether what a node defines may be used by other packages, as far as its file tells.

use tree_sitter::Node;

use super::{Language, outline::DefinitionKind, syntax::Source};

/// Where a definition stands.
pub(super) struct Place<'s, 't> {
    /// The nodes from the root to the definition, itself included.
    pub(super) ancestors: &'s [Node<'t>],
    /// Whether what it belongs to is public; true at the top of the file.
    pub(super) owner_is_public: bool,
    /// What kind of node it belongs to; empty at the top.
    pub(super) owner_node: &'s str,
    /// The last `public:`, `private` or the like above it among its siblings.
    pub(super) section: Option<&'s str>,
    /// Whether it stands in the body of a function.
    pub(super) is_local: bool,
}

/// Whether it is public.
pub(super) fn is_public(
    language: Language,
    source: &Source<'_>,
    path: &str,
    name: &str,
    kind: DefinitionKind,
    place: &Place<'_, '_>,
) -> bool {
    if place.is_local || !place.owner_is_public {
        return false;
    }
    let Some(node) = place.ancestors.last() else { return false };
    let says = |words: &[&str]| says(source, place.ancestors, words);
    match language {
        Language::Rust => match place.owner_node {
            "trait_item" | "enum_item" => true,
            "trait impl" => false,
            _ if kind == DefinitionKind::Macro => has_macro_export(source, *node),
            _ => child_text(source, *node, "visibility_modifier") == Some("pub"),
        },
        Language::Python => !name.starts_with('_'),
        Language::JavaScript | Language::TypeScript | Language::Tsx => {
            let exported = place.owner_node.is_empty() && is_exported(place.ancestors);
            let member = !place.owner_node.is_empty() && !says(&["private", "protected"]);
            (exported || member) && !name.starts_with('#')
        }
        Language::Go => name.starts_with(char::is_uppercase),
        Language::Java => place.owner_node == "interface_declaration" || kind_is_constant(*node) || says(&["public"]),
        Language::CSharp => {
            let inherits = matches!(place.owner_node, "interface_declaration" | "enum_declaration");
            inherits || says(&["public"])
        }
        Language::C => is_header(path) && !says(&["static"]),
        Language::Cpp => {
            let section = place.section.unwrap_or(match place.owner_node {
                "class_specifier" => "private",
                _ => "public",
            });
            is_header(path) && section == "public" && !(place.owner_node.is_empty() && says(&["static"]))
        }
        Language::Ruby => !matches!(place.section, Some("private" | "protected")) && !name.starts_with('_'),
        Language::Php => !says(&["private", "protected"]),
        Language::Kotlin => !says(&["private", "internal", "protected"]),
        Language::Swift => place.owner_node == "protocol_declaration" || says(&["public", "open"]),
        // a script is called, its functions are not
        Language::Shell => false,
    }
}

fn is_header(path: &str) -> bool {
    let ending = path.rsplit('.').next().unwrap_or_default();
    ending.starts_with('h') || ending == "ipp"
}

fn kind_is_constant(node: Node<'_>) -> bool {
    node.kind() == "enum_constant"
}

fn child_text<'a>(source: &Source<'a>, node: Node<'_>, kind: &str) -> Option<&'a str> {
    let mut cursor = node.walk();
    let child = node.named_children(&mut cursor).find(|child| child.kind() == kind)?;
    Some(source.text(child))
}

/// `#[macro_export]` stands beside the macro, not in it.
fn has_macro_export(source: &Source<'_>, node: Node<'_>) -> bool {
    let mut before = node.prev_named_sibling();
    while let Some(sibling) = before.filter(|sibling| sibling.kind() == "attribute_item") {
        if source.text(sibling).contains("macro_export") {
            return true;
        }
        before = sibling.prev_named_sibling();
    }
    false
}

/// Whether one of the two nodes around it is an export.
fn is_exported(ancestors: &[Node<'_>]) -> bool {
    let mut around = ancestors.iter().rev().skip(1).take(2);
    around.any(|node| matches!(node.kind(), "export_statement" | "ambient_declaration"))
}

/// Whether the declaration carries one of these words before its name; for a declarator, its declaration does.
fn says(source: &Source<'_>, ancestors: &[Node<'_>], words: &[&str]) -> bool {
    let is_part = |node: &Node<'_>| {
        matches!(node.kind(), "variable_declarator" | "variable_declaration" | "const_element" | "property_element")
    };
    for node in ancestors.iter().rev() {
        let mut cursor = node.walk();
        let modifiers =
            node.named_children(&mut cursor).take_while(|child| !child.kind().ends_with("body")).filter(|child| {
                matches!(
                    child.kind(),
                    "modifiers"
                        | "modifier"
                        | "visibility_modifier"
                        | "accessibility_modifier"
                        | "storage_class_specifier"
                )
            });
        for modifier in modifiers {
            let text = source.text(modifier);
            if text.split(|c: char| !c.is_alphanumeric()).any(|word| words.contains(&word)) {
                return true;
            }
        }
        if !is_part(node) {
            return false;
        }
    }
    false
}
