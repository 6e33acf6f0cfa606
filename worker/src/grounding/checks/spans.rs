//! What a code span is: a path, a flag, a variable, a route, an identifier, or nothing that can be looked up.

/// What a code span names.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Named<'t> {
    /// A path with a folder: `src/lib.rs`.
    Path(&'t str),
    /// A file without its folder: `lib.rs`.
    File(&'t str),
    /// `--max-pages`, its value left out.
    Flag(&'t str),
    /// `MAX_PAGES`.
    Variable(&'t str),
    /// Method, empty when there is none, and path.
    Route(&'t str, &'t str),
    /// `run()`, `Scheduler::next`, `max_pages`, `PageText`.
    Identifier(Identifier<'t>),
    /// Several words, the first one a program.
    Command(&'t str),
    /// Nothing that can be looked up: a value, a template, a word.
    Other,
}

/// An identifier with what it belongs to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Identifier<'t> {
    /// `Scheduler`, `next`.
    pub(super) parts: Vec<&'t str>,
    /// Whether it is written as a call or with `::`, so that it can only be code.
    pub(super) is_surely_code: bool,
}

/// Longest span that is looked at.
const MAX_BYTES: usize = 200;
/// HTTP methods.
const METHODS: [&str; 9] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "WS", "ANY"];
/// Endings of files of code and of what stands beside it; what has another ending is as likely a field or a domain.
const ENDINGS: [&str; 52] = [
    "rs", "py", "js", "jsx", "ts", "tsx", "mjs", "cjs", "go", "java", "kt", "kts", "swift", "c", "h", "cc", "cpp",
    "hpp", "cs", "rb", "php", "sh", "bash", "sql", "toml", "yaml", "yml", "json", "md", "rst", "txt", "html", "css",
    "scss", "xml", "ini", "cfg", "conf", "lock", "proto", "gradle", "vue", "svelte", "lua", "ex", "exs", "erl", "hs",
    "ml", "scala", "pl", "ipynb",
];
/// Endings of what people make, keep and send: a file of these is as rarely one of the repository as it is a name of its code.
const DATA: [&str; 40] = [
    "jpg", "jpeg", "png", "gif", "svg", "webp", "ico", "bmp", "pdf", "doc", "docx", "xls", "xlsx", "ppt", "pptx",
    "csv", "tsv", "mp3", "mp4", "wav", "avi", "mov", "zip", "gz", "tgz", "xz", "bz2", "tar", "rar", "7z", "exe", "dll",
    "dmg", "deb", "rpm", "apk", "log", "bak", "tmp", "sqlite",
];
/// Ends of names on the web.
const DOMAINS: [&str; 14] =
    ["com", "org", "io", "dev", "net", "local", "internal", "test", "example", "app", "ai", "edu", "gov", "localhost"];

/// Reads a code span.
pub(super) fn classify(text: &str) -> Named<'_> {
    let text = text.trim();
    if text.is_empty()
        || text.len() > MAX_BYTES
        || text.contains(['\n', '\0', '\\', '…', '"', '\''])
        || text.contains("://")
    {
        return Named::Other;
    }
    if let Some((first, rest)) = text.split_once(char::is_whitespace) {
        let rest = rest.trim();
        if METHODS.contains(&first) && rest.starts_with('/') && !rest.contains(char::is_whitespace) {
            return Named::Route(first, rest);
        }
        if first.starts_with("--") {
            return flag(first);
        }
        return if is_program(first) { Named::Command(text) } else { Named::Other };
    }
    if text.starts_with('-') {
        return flag(text);
    }
    if text.starts_with('/') {
        return Named::Route("", text);
    }
    if text.starts_with(['@', '.', '#', '$', '~', '<', '{', '[', '(', '%', '*', ':'])
        || text.contains(['<', '{', '[', '*', '$', '|', '@', ',', ';', '=', '+', '!', '^', '&', '#', '%'])
    {
        return Named::Other;
    }
    if text.contains('/') {
        return if is_path(text) { Named::Path(text.trim_end_matches('/')) } else { Named::Other };
    }
    if is_variable(text) {
        return Named::Variable(text);
    }
    if text.rsplit_once('.').is_some_and(|(stem, ending)| !stem.is_empty() && DATA.contains(&ending)) {
        return Named::Other;
    }
    if is_file(text) {
        return Named::File(text);
    }
    read_identifier(text).map_or(Named::Other, Named::Identifier)
}

/// The word of a span by which it is found in code, for identifiers and variables.
pub(super) fn identifier(text: &str) -> Option<&str> {
    match classify(text) {
        Named::Variable(name) => Some(name),
        Named::Identifier(identifier) => identifier.parts.last().copied(),
        _ => None,
    }
}

fn flag(text: &str) -> Named<'_> {
    let name = text.split(['=', ' ']).next().unwrap_or_default();
    let word = name.trim_start_matches('-');
    let fits = name.starts_with("--") && word.len() > 1 && word.starts_with(|c: char| c.is_ascii_alphabetic());
    let fits = fits && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if fits { Named::Flag(name) } else { Named::Other }
}

fn is_program(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_lowercase() || c == '.')
        && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/'))
}

fn is_path(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty() && part != ".." && part.chars().all(|c| c.is_alphanumeric() || "._-+~".contains(c))
    };
    text.trim_end_matches('/').split('/').all(is_part)
}

fn is_variable(text: &str) -> bool {
    text.contains('_')
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && !text.ends_with('_')
        && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

fn is_file(text: &str) -> bool {
    let Some((stem, ending)) = text.rsplit_once('.') else { return false };
    ENDINGS.contains(&ending)
        && !stem.is_empty()
        && stem.chars().all(|c| c.is_alphanumeric() || "._-".contains(c))
        // `app.py` is a file; `Node.js` is none
        && !matches!(text, "Node.js" | "Vue.js" | "Next.js" | "React.js" | "Express.js" | "D3.js" | "node.js" | "Three.js")
}

fn read_identifier(text: &str) -> Option<Identifier<'_>> {
    let (path, is_call) = match text.split_once('(') {
        Some((path, rest)) if rest.ends_with(')') => (path, true),
        Some(_) => return None,
        None => (text, false),
    };
    let path = path.trim_end_matches('?').trim_end_matches(':');
    let has_colons = path.contains("::");
    let parts: Vec<&str> =
        path.split("::").flat_map(|part| part.split("->")).flat_map(|part| part.split('.')).collect();
    let is_word = |part: &&str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if parts.is_empty() || !parts.iter().all(is_word) {
        return None;
    }
    let is_domain =
        parts.len() > 1 && parts.last().is_some_and(|last| DOMAINS.contains(last)) && !is_call && !has_colons;
    let is_shaped = is_call || has_colons || parts.len() > 1 || has_code_shape(parts[0]);
    (is_shaped && !is_domain && parts.last().is_some_and(|last| last.len() > 2))
        .then_some(Identifier { parts, is_surely_code: is_call || has_colons })
}

/// `max_pages`, `maxPages` and `PageText`, but no word, no `GitHub` and no abbreviation.
fn has_code_shape(word: &str) -> bool {
    let inner = word.trim_matches('_');
    if inner.contains('_') {
        return true;
    }
    let humps = inner.as_bytes().windows(2).filter(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase());
    humps.count() > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_what_they_look_like() {
        assert_eq!(classify("src/lib.rs"), Named::Path("src/lib.rs"));
        assert_eq!(classify("lib.rs"), Named::File("lib.rs"));
        assert_eq!(classify("--max-pages=4"), Named::Flag("--max-pages"));
        assert_eq!(classify("MAX_PAGES"), Named::Variable("MAX_PAGES"));
        assert_eq!(classify("GET /api/status"), Named::Route("GET", "/api/status"));
        assert_eq!(classify("tally serve --port 1"), Named::Command("tally serve --port 1"));
        for (text, last) in
            [("Queue::take()", "take"), ("max_pages", "max_pages"), ("PageText", "PageText"), ("a.bcd", "bcd")]
        {
            assert_eq!(identifier(text), Some(last), "{text}");
        }
        for other in [
            "true",
            "info",
            "example.com",
            "page1.jpg",
            "sales_2024.xlsx",
            "Node.js",
            "-v",
            "{id}",
            "x=1",
            "UTF-8",
            "1.2.3",
            "*.rs",
            "",
            "`",
            "…",
        ] {
            assert_eq!(classify(other), Named::Other, "{other}");
        }
    }
}
