//! What the table-driven lexer knows of each language.

use super::lexer::{Feature, Grammar, NOTHING, Quote};

const fn quote(mark: &'static str) -> Quote {
    Quote { open: mark, close: mark, escapes: true, lines: false }
}

const fn long_quote(mark: &'static str) -> Quote {
    Quote { open: mark, close: mark, escapes: true, lines: true }
}

const fn raw_quote(open: &'static str, close: &'static str) -> Quote {
    Quote { open, close, escapes: false, lines: true }
}

const C_COMMENT: Option<(&str, &str)> = Some(("/*", "*/"));
const ANNOTATED: &[Feature] = &[Feature::CapitalTypes, Feature::Calls, Feature::AtDecorators];
const SINGLE_AND_DOUBLE: &[Quote] = &[quote("\""), quote("'")];

pub(super) const RUST: Grammar = Grammar {
    keywords: &[
        "as", "async", "await", "break", "const", "continue", "crate", "dyn", "else", "enum", "extern", "fn", "for",
        "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub", "ref", "return", "static", "struct",
        "super", "trait", "type", "unsafe", "use", "where", "while", "yield", "union",
    ],
    types: &[
        "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "str", "u8", "u16", "u32", "u64",
        "u128", "usize",
    ],
    constants: &["true", "false", "self", "Self", "None", "Some", "Ok", "Err"],
    line_comments: &["//"],
    block_comment: C_COMMENT,
    strings: &[long_quote("\"")],
    string_prefixes: "bc",
    features: &[Feature::CapitalTypes, Feature::Calls, Feature::Rust],
};

pub(super) const PYTHON: Grammar = Grammar {
    keywords: &[
        "and", "as", "assert", "async", "await", "break", "case", "class", "continue", "def", "del", "elif", "else",
        "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "match", "nonlocal", "not",
        "or", "pass", "raise", "return", "try", "while", "with", "yield",
    ],
    types: &["bool", "bytes", "dict", "float", "frozenset", "int", "list", "object", "set", "str", "tuple", "type"],
    constants: &["True", "False", "None", "self", "cls", "NotImplemented"],
    line_comments: &["#"],
    strings: &[long_quote("\"\"\""), long_quote("'''"), quote("\""), quote("'")],
    string_prefixes: "rbfuRBFU",
    features: ANNOTATED,
    ..NOTHING
};

pub(super) const JAVASCRIPT: Grammar = Grammar {
    keywords: &[
        "abstract", "as", "async", "await", "break", "case", "catch", "class", "const", "continue", "debugger",
        "declare", "default", "delete", "do", "else", "enum", "export", "extends", "finally", "for", "from", "function",
        "get", "if", "implements", "import", "in", "infer", "instanceof", "interface", "is", "keyof", "let", "namespace",
        "new", "of", "private", "protected", "public", "readonly", "return", "satisfies", "set", "static", "super",
        "switch", "throw", "try", "type", "typeof", "var", "void", "while", "with", "yield",
    ],
    types: &["any", "bigint", "boolean", "never", "number", "object", "string", "symbol", "unknown"],
    constants: &["true", "false", "null", "undefined", "NaN", "Infinity", "this"],
    line_comments: &["//"],
    block_comment: C_COMMENT,
    strings: &[long_quote("`"), quote("\""), quote("'")],
    features: &[Feature::CapitalTypes, Feature::Calls, Feature::AtDecorators, Feature::DollarWords],
    ..NOTHING
};

pub(super) const GO: Grammar = Grammar {
    keywords: &[
        "break", "case", "chan", "const", "continue", "default", "defer", "else", "fallthrough", "for", "func", "go",
        "goto", "if", "import", "interface", "map", "package", "range", "return", "select", "struct", "switch", "type",
        "var",
    ],
    types: &[
        "any", "bool", "byte", "complex64", "complex128", "error", "float32", "float64", "int", "int8", "int16",
        "int32", "int64", "rune", "string", "uint", "uint8", "uint16", "uint32", "uint64", "uintptr",
    ],
    constants: &["true", "false", "nil", "iota"],
    line_comments: &["//"],
    block_comment: C_COMMENT,
    strings: &[raw_quote("`", "`"), quote("\""), quote("'")],
    features: &[Feature::Calls],
    ..NOTHING
};

pub(super) const JAVA: Grammar = Grammar {
    keywords: &[
        "abstract", "assert", "break", "case", "catch", "class", "continue", "default", "do", "else", "enum", "extends",
        "final", "finally", "for", "if", "implements", "import", "instanceof", "interface", "native", "new", "package",
        "permits", "private", "protected", "public", "record", "return", "sealed", "static", "super", "switch",
        "synchronized", "throw", "throws", "transient", "try", "var", "void", "volatile", "while", "yield",
    ],
    types: &["boolean", "byte", "char", "double", "float", "int", "long", "short"],
    constants: &["true", "false", "null", "this"],
    line_comments: &["//"],
    block_comment: C_COMMENT,
    strings: &[long_quote("\"\"\""), quote("\""), quote("'")],
    features: ANNOTATED,
    ..NOTHING
};

const C_TYPES: &[&str] = &[
    "bool", "char", "double", "float", "int", "int8_t", "int16_t", "int32_t", "int64_t", "long", "ptrdiff_t", "short",
    "signed", "size_t", "ssize_t", "uint8_t", "uint16_t", "uint32_t", "uint64_t", "uintptr_t", "unsigned", "void",
    "wchar_t",
];

pub(super) const C: Grammar = Grammar {
    keywords: &[
        "auto", "break", "case", "const", "continue", "default", "do", "else", "enum", "extern", "for", "goto", "if",
        "inline", "register", "restrict", "return", "sizeof", "static", "struct", "switch", "typedef", "union",
        "volatile", "while",
    ],
    types: C_TYPES,
    constants: &["true", "false", "NULL", "nullptr"],
    line_comments: &["//"],
    block_comment: C_COMMENT,
    strings: SINGLE_AND_DOUBLE,
    string_prefixes: "LuU",
    features: &[Feature::CapitalTypes, Feature::Calls, Feature::Preprocessor],
};

pub(super) const CPP: Grammar = Grammar {
    keywords: &[
        "alignas", "auto", "break", "case", "catch", "class", "co_await", "co_return", "co_yield", "concept", "const",
        "consteval", "constexpr", "continue", "decltype", "default", "delete", "do", "else", "enum", "explicit",
        "export", "extern", "final", "for", "friend", "goto", "if", "inline", "mutable", "namespace", "new", "noexcept",
        "operator", "override", "private", "protected", "public", "requires", "return", "sizeof", "static",
        "static_assert", "static_cast", "dynamic_cast", "reinterpret_cast", "const_cast", "struct", "switch",
        "template", "throw", "try", "typedef", "typename", "union", "using", "virtual", "volatile", "while",
    ],
    constants: &["true", "false", "NULL", "nullptr", "this"],
    ..C
};

pub(super) const CSHARP: Grammar = Grammar {
    keywords: &[
        "abstract", "as", "async", "await", "base", "break", "case", "catch", "checked", "class", "const", "continue",
        "default", "delegate", "do", "else", "enum", "event", "explicit", "extern", "finally", "fixed", "for",
        "foreach", "get", "goto", "if", "implicit", "in", "init", "interface", "internal", "is", "lock", "nameof",
        "namespace", "new", "operator", "out", "override", "params", "partial", "private", "protected", "public",
        "readonly", "record", "ref", "required", "return", "sealed", "set", "sizeof", "stackalloc", "static", "struct",
        "switch", "throw", "try", "typeof", "unsafe", "using", "virtual", "volatile", "when", "where", "while", "with",
        "yield",
    ],
    types: &[
        "bool", "byte", "char", "decimal", "double", "dynamic", "float", "int", "long", "nint", "object", "sbyte",
        "short", "string", "uint", "ulong", "ushort", "var", "void",
    ],
    constants: &["true", "false", "null", "this"],
    line_comments: &["//"],
    block_comment: C_COMMENT,
    strings: &[long_quote("\"\"\""), raw_quote("@\"", "\""), quote("$\""), quote("\""), quote("'")],
    features: &[Feature::CapitalTypes, Feature::Calls, Feature::Preprocessor],
    ..NOTHING
};

pub(super) const RUBY: Grammar = Grammar {
    keywords: &[
        "alias", "and", "begin", "break", "case", "class", "def", "defined?", "do", "else", "elsif", "end", "ensure",
        "for", "if", "in", "include", "extend", "module", "next", "not", "or", "raise", "redo", "require",
        "require_relative", "rescue", "retry", "return", "super", "then", "undef", "unless", "until", "when", "while",
        "yield", "attr_reader", "attr_writer", "attr_accessor", "private", "protected", "public",
    ],
    constants: &["true", "false", "nil", "self", "__FILE__", "__dir__"],
    line_comments: &["#"],
    block_comment: Some(("=begin", "=end")),
    strings: &[long_quote("\""), long_quote("'"), quote("`")],
    features: &[Feature::CapitalTypes, Feature::Calls, Feature::Ruby, Feature::DollarVariables],
    ..NOTHING
};

pub(super) const PHP: Grammar = Grammar {
    keywords: &[
        "abstract", "and", "array", "as", "break", "callable", "case", "catch", "class", "clone", "const", "continue",
        "declare", "default", "do", "echo", "else", "elseif", "empty", "enum", "extends", "final", "finally", "fn",
        "for", "foreach", "function", "global", "if", "implements", "include", "include_once", "instanceof",
        "interface", "isset", "list", "match", "namespace", "new", "or", "print", "private", "protected", "public",
        "readonly", "require", "require_once", "return", "static", "switch", "throw", "trait", "try", "unset", "use",
        "var", "while", "yield", "php",
    ],
    types: &["bool", "float", "int", "iterable", "mixed", "never", "object", "string", "void"],
    constants: &["true", "false", "null", "self", "parent"],
    line_comments: &["//", "#"],
    block_comment: C_COMMENT,
    strings: &[long_quote("\""), long_quote("'")],
    features: &[Feature::CapitalTypes, Feature::Calls, Feature::DollarVariables],
    ..NOTHING
};

pub(super) const KOTLIN: Grammar = Grammar {
    keywords: &[
        "abstract", "actual", "annotation", "as", "break", "by", "catch", "class", "companion", "const", "constructor",
        "continue", "crossinline", "data", "do", "else", "enum", "expect", "external", "final", "finally", "for", "fun",
        "get", "if", "import", "in", "infix", "init", "inline", "inner", "interface", "internal", "is", "lateinit",
        "noinline", "object", "open", "operator", "out", "override", "package", "private", "protected", "public",
        "reified", "return", "sealed", "set", "super", "suspend", "tailrec", "throw", "try", "typealias", "val",
        "value", "var", "vararg", "when", "where", "while",
    ],
    constants: &["true", "false", "null", "this", "it"],
    ..JAVA
};

pub(super) const SWIFT: Grammar = Grammar {
    keywords: &[
        "actor", "any", "as", "associatedtype", "async", "await", "break", "case", "catch", "class", "continue",
        "convenience", "default", "defer", "deinit", "do", "else", "enum", "extension", "fallthrough", "fileprivate",
        "final", "for", "func", "guard", "if", "import", "in", "indirect", "init", "inout", "internal", "is", "lazy",
        "let", "mutating", "open", "operator", "override", "private", "protocol", "public", "repeat", "required",
        "rethrows", "return", "some", "static", "struct", "subscript", "super", "switch", "throw", "throws", "try",
        "typealias", "var", "weak", "where", "while",
    ],
    constants: &["true", "false", "nil", "self", "Self"],
    line_comments: &["//"],
    block_comment: C_COMMENT,
    strings: &[long_quote("\"\"\""), quote("\"")],
    features: ANNOTATED,
    ..NOTHING
};

pub(super) const SQL: Grammar = Grammar {
    keywords: &[
        "add", "all", "alter", "and", "any", "as", "asc", "begin", "between", "by", "cascade", "case", "cast", "check",
        "column", "commit", "conflict", "constraint", "create", "cross", "current", "database", "declare", "default",
        "delete", "desc", "distinct", "do", "drop", "else", "end", "except", "exists", "explain", "fetch", "for",
        "foreign", "from", "full", "function", "grant", "group", "having", "if", "ilike", "in", "index", "inner",
        "insert", "intersect", "into", "is", "join", "key", "language", "lateral", "left", "like", "limit", "lock",
        "materialized", "not", "nothing", "nulls", "of", "offset", "on", "or", "order", "outer", "over", "partition",
        "primary", "procedure", "references", "replace", "returning", "returns", "revoke", "right", "rollback", "row",
        "schema", "select", "set", "skip", "table", "temporary", "then", "to", "transaction", "trigger", "truncate",
        "union", "unique", "update", "using", "values", "view", "when", "where", "window", "with",
    ],
    types: &[
        "bigint", "bigserial", "blob", "boolean", "bytea", "char", "date", "decimal", "double", "float", "int",
        "integer", "interval", "json", "jsonb", "numeric", "real", "serial", "smallint", "text", "time", "timestamp",
        "timestamptz", "uuid", "varchar",
    ],
    constants: &["true", "false", "null"],
    line_comments: &["--"],
    block_comment: C_COMMENT,
    strings: &[raw_quote("'", "'"), raw_quote("\"", "\"")],
    features: &[Feature::AnyCase, Feature::Calls],
    ..NOTHING
};
