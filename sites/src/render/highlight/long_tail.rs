//! Languages without a lexer of ours: syntect with bat's syntaxes, loaded when the first of them is met.

use std::sync::LazyLock;

use syntect::parsing::{ParseState, Scope, ScopeStack, SyntaxReference, SyntaxSet};

use super::painter::{Class, Painter};

static SYNTAXES: LazyLock<SyntaxSet> = LazyLock::new(two_face::syntax::extra_newlines);

/// Longest line, in bytes, that is given to regular expressions.
const MAX_LINE_BYTES: usize = 4096;

/// Which scopes of a `TextMate` grammar become which class; the first that fits wins.
static CLASSES: LazyLock<Vec<(Scope, Class)>> = LazyLock::new(|| {
    [
        ("comment", Class::Comment),
        ("string", Class::Text),
        ("constant.numeric", Class::Number),
        ("constant.character.escape", Class::Constant),
        ("constant", Class::Constant),
        ("entity.name.function", Class::Function),
        ("support.function", Class::Function),
        ("variable.function", Class::Function),
        ("entity.name.tag", Class::Tag),
        ("entity.other.attribute-name", Class::Attribute),
        ("entity.name.section", Class::Heading),
        ("markup.heading", Class::Heading),
        ("markup.inserted", Class::Inserted),
        ("markup.deleted", Class::Deleted),
        ("entity.name", Class::Type),
        ("entity.other.inherited-class", Class::Type),
        ("support.type.property-name", Class::Property),
        ("support.class", Class::Type),
        ("support.type", Class::Type),
        ("storage.type", Class::Keyword),
        ("storage", Class::Keyword),
        ("keyword.operator", Class::Plain),
        ("keyword", Class::Keyword),
        ("variable.language", Class::Constant),
        ("variable.annotation", Class::Meta),
        ("meta.annotation", Class::Meta),
        ("meta.preprocessor", Class::Meta),
        ("variable.parameter", Class::Plain),
        ("variable.other.readwrite", Class::Variable),
    ]
    .into_iter()
    .filter_map(|(name, class)| Scope::new(name).ok().map(|scope| (scope, class)))
    .collect()
});

/// The syntax of this name or file ending, if there is one.
pub(super) fn find(name: &str) -> Option<&'static SyntaxReference> {
    SYNTAXES.find_syntax_by_token(name).filter(|syntax| syntax.name != "Plain Text")
}

/// Paints code with a syntax; what its grammar cannot read is plain.
pub(super) fn paint(painter: &mut Painter, syntax: &SyntaxReference, code: &str) {
    let mut state = ParseState::new(syntax);
    let mut stack = ScopeStack::new();
    for line in code.split_inclusive('\n') {
        let operations = if line.len() <= MAX_LINE_BYTES { state.parse_line(line, &SYNTAXES).ok() } else { None };
        let mut written = 0;
        for (at, operation) in operations.into_iter().flatten() {
            if let Some(text) = line.get(written..at) {
                painter.paint(class_of(&stack), text);
                written = at;
            }
            if stack.apply(&operation).is_err() {
                stack = ScopeStack::new();
            }
        }
        painter.paint(class_of(&stack), &line[written..]);
    }
}

/// The class of the innermost scope that has one; only the nearest few are asked, so that deep nesting stays cheap.
fn class_of(stack: &ScopeStack) -> Class {
    stack
        .as_slice()
        .iter()
        .rev()
        .take(8)
        .find_map(|scope| CLASSES.iter().find(|(prefix, _)| prefix.is_prefix_of(*scope)).map(|(_, class)| *class))
        .unwrap_or(Class::Plain)
}
