//! The names that a text speaks of: what stands in single backticks and looks like a name of the code.

use shared::section::lines;

/// Longest code span that may be a name, in bytes.
const MAX_SPAN_BYTES: usize = 120;

/// Words that are no names.
const LITERALS: [&str; 14] =
    ["true", "false", "null", "none", "nil", "None", "True", "False", "self", "this", "undefined", "and", "or", "not"];

/// The names in a text in order, each once: `read` for `std::fs::read(path)`, `--port` for `--port=80`, `HOME` for `$HOME`.
pub(crate) fn names_in(text: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for line in lines(text).filter(|line| !line.in_code) {
        for name in spans(line.text).filter_map(name_of) {
            if seen.insert(name) {
                names.push(name.to_owned());
            }
        }
    }
    names
}

/// The texts between single backticks.
fn spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// The name that a code span is, if it is one.
fn name_of(span: &str) -> Option<&str> {
    let span = span.trim();
    if span.is_empty() || span.len() > MAX_SPAN_BYTES {
        return None;
    }
    if span.starts_with("--") {
        let flag = span.split(['=', ' ']).next()?;
        let is_flag = flag.len() > 2 && flag[2..].chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        return is_flag.then_some(flag);
    }
    let called = span.split(['(', '<', '=']).next()?.trim_end().trim_end_matches('!');
    if called.contains([' ', '/', '\\']) {
        return None;
    }
    let bare = called.trim_start_matches(['&', '*', '@', '$', '.', '#', ':', '{']).trim_end_matches(['}', ';', ':']);
    let last = bare.rsplit(['.', '#']).next()?.rsplit("::").next()?.rsplit("->").next()?;
    // `lib.rs` is a file
    let is_file = bare.contains('.') && !span.contains('(') && is_ending(last);
    let is_name = last.len() > 1
        && last.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && last.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '$' | '-'));
    (is_name && !is_file && !LITERALS.contains(&last)).then_some(last)
}

/// Whether it is the end of a file's name, as far as those are known.
fn is_ending(text: &str) -> bool {
    const ENDINGS: [&str; 42] = [
        "rs", "py", "js", "ts", "tsx", "jsx", "mjs", "cjs", "go", "java", "c", "h", "cc", "cpp", "hpp", "cs", "rb",
        "php", "kt", "swift", "sh", "toml", "yaml", "yml", "json", "md", "txt", "lock", "html", "css", "xml", "ini",
        "cfg", "conf", "env", "sql", "proto", "gradle", "mod", "sum", "rst", "svg",
    ];
    ENDINGS.contains(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_paths_numbers_and_words() {
        let text = "`std::fs::read(path)` `--port=80` `$HOME` `println!` `config.port` `Vec<u8>` `src/lib.rs` `lib.rs` `1.2.3` \
                    `true` `two words` `KEY=value` `read` `a` `my-crate` `self.run()` `fs.rs()`\n```sh\n`no`\n```\n";
        let names = ["read", "--port", "HOME", "println", "port", "Vec", "KEY", "my-crate", "run", "rs"];
        assert_eq!(names_in(text), names);
    }
}
