//! Small pieces of Markdown: places in the source, table cells, first sentences, headings moved down.

use super::symbols::cut;

/// A place in the source, which the renderer turns into a link: `[[path:10-24]]`. Lines count from 1; without lines the
/// whole file. A path that would break the brackets is written as code instead.
pub(crate) fn place(path: &str, lines: Option<(u32, u32)>) -> String {
    if path.contains(['[', ']', '|', '`', '\n']) {
        return format!("`{}`", path.replace('`', "'"));
    }
    match lines {
        None => format!("[[{path}]]"),
        Some((first, last)) if first >= last => format!("[[{path}:{first}]]"),
        Some((first, last)) => format!("[[{path}:{first}-{last}]]"),
    }
}

/// Text as inline code, whatever backticks it holds.
pub(crate) fn code(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() {
        return String::new();
    }
    if !text.contains('`') {
        return format!("`{text}`");
    }
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    format!("{fence} {text} {fence}")
}

/// A fenced block, whatever backticks it holds.
pub(crate) fn fenced(language: &str, text: &str) -> String {
    let longest =
        text.lines().map(|line| line.trim_start().chars().take_while(|c| *c == '`').count()).max().unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{language}\n{}\n{fence}\n", text.trim_end())
}

/// Text as one cell of a table: one line, bars escaped (also inside code, as the table syntax wants it).
pub(crate) fn cell(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.replace("\\|", "|").replace('|', "\\|")
}

/// Plain words as Markdown text: what could begin markup is escaped.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '<' | '*' | '_' | '[' | ']' | '`' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// A table; `None` without rows. Cells are Markdown already made by [`cell`].
pub(crate) fn table(header: &[&str], rows: &[Vec<String>]) -> Option<String> {
    if rows.is_empty() {
        return None;
    }
    let mut table = format!("| {} |\n|{}\n", header.join(" | "), " --- |".repeat(header.len()));
    for row in rows {
        put!(table, "| {} |\n", row.join(" | "));
    }
    Some(table)
}

/// What of a paragraph is looked at for its first sentence, in bytes.
const MAX_SENTENCE_BYTES: usize = 3_000;

/// The first sentence of a text as plain words, at most `max` characters; empty when the text begins with no sentence.
pub(crate) fn first_sentence(text: &str, max: usize) -> String {
    let paragraph: Vec<&str> = text
        .lines()
        .map(str::trim)
        .skip_while(|line| {
            line.is_empty() || line.starts_with(['#', '<', '!', '|', '>', '=', '-', '.']) || says_nothing(line)
        })
        .take_while(|line| !line.is_empty() && !line.starts_with(['#', '|']) && !line.starts_with("```"))
        .collect();
    let plain = plain_text(&cut(&paragraph.join(" "), MAX_SENTENCE_BYTES));
    let mut sentence = String::new();
    let mut characters = plain.chars().peekable();
    while let Some(c) = characters.next() {
        sentence.push(c);
        let short = ["e.g.", "i.e.", "etc.", "vs.", "cf."].iter().any(|word| sentence.ends_with(word));
        if matches!(c, '.' | '!' | '?') && !short && characters.peek().is_none_or(|next| next.is_whitespace()) {
            break;
        }
    }
    shorten(sentence.trim(), max)
}

/// Whether a line is only a link, an image or a bold title.
fn says_nothing(line: &str) -> bool {
    let is_title = line.starts_with("**") && line.ends_with("**") && line.len() < 100;
    let is_link = line.starts_with('[')
        && after_link(line).is_some_and(|(_, after)| after.trim_matches(['.', ' ', '|']).is_empty());
    let is_definition = line.starts_with('[') && line.contains("]: ");
    is_title || is_link || is_definition || line.starts_with("*Image:*")
}

/// At most `max` characters, cut after a word.
pub(crate) fn shorten(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let cut: String = text.chars().take(max.saturating_sub(1)).collect();
    let cut = cut.rsplit_once(' ').map_or(cut.as_str(), |(kept, _)| kept);
    format!("{}…", cut.trim_end_matches([',', ';', ':', '.']))
}

/// Markdown without links, emphasis, code signs and tags.
pub(crate) fn plain_text(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = match c {
            '!' if rest.starts_with("![") => after_link(&rest[1..]).map_or(&rest[1..], |(_, after)| after),
            // a place in the source
            '[' if rest.starts_with("[[") => match within(rest, ']').filter(|end| rest[end + 1..].starts_with(']')) {
                Some(end) => &rest[end + 2..],
                None => &rest[1..],
            },
            '[' => match after_link(rest) {
                Some((words, after)) => {
                    plain.push_str(&words.replace(['`', '*', '[', ']'], ""));
                    after
                }
                None => &rest[1..],
            },
            '<' if rest[1..].starts_with(|c: char| c.is_alphabetic() || c == '/') => match within(rest, '>') {
                Some(end) => &rest[end + 1..],
                None => &rest[1..],
            },
            '`' | '*' | ']' => &rest[1..],
            '\\' if rest[1..].starts_with(|c: char| c.is_ascii_punctuation()) => &rest[1..],
            _ => {
                plain.push(c);
                &rest[c.len_utf8()..]
            }
        };
    }
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The words of the link that `text` begins with, and what follows it.
fn after_link(text: &str) -> Option<(&str, &str)> {
    let end = closing(text, '[', ']')?;
    let words = &text[1..end];
    let after = &text[end + 1..];
    if after.starts_with('(') {
        let end = closing(after, '(', ')')?;
        return Some((words, &after[end + 1..]));
    }
    if after.starts_with('[') {
        let end = closing(after, '[', ']')?;
        return Some((words, &after[end + 1..]));
    }
    Some((words, after))
}

/// Deepest nesting of brackets in a link.
const MAX_BRACKETS: usize = 8;

/// Where `wanted`, an ASCII character, comes first, within 2,000 bytes: a search to the end of the text for each of its
/// brackets would take hours on a hostile one.
pub(crate) fn within(text: &str, wanted: char) -> Option<usize> {
    text.bytes().take(2_000).position(|byte| char::from(byte) == wanted)
}

/// Where the bracket that `text` begins with closes, within 2,000 bytes and eight levels.
pub(crate) fn closing(text: &str, open: char, close: char) -> Option<usize> {
    let mut depth = 0_usize;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if at > 2_000 {
            return None;
        }
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == open && depth == MAX_BRACKETS => return None,
            c if c == open => depth += 1,
            c if c == close => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// The text with links to pages that do not exist (`[words](slug.html#x)`) turned into their words.
pub(crate) fn without_dead_links(text: &str, exists: impl Fn(&str) -> bool) -> String {
    let mut fences = Fences::default();
    let mut written = String::with_capacity(text.len());
    for line in text.lines() {
        let mut rest = line;
        let is_code = fences.is_code(line);
        while let Some(at) = rest.find('[').filter(|_| !is_code) {
            written.push_str(&rest[..at]);
            rest = &rest[at..];
            let words = closing(rest, '[', ']').filter(|end| rest[end + 1..].starts_with('('));
            let target = words.and_then(|end| Some((end, closing(&rest[end + 1..], '(', ')')?)));
            let Some((end, close)) = target else {
                written.push('[');
                rest = &rest[1..];
                continue;
            };
            let target = &rest[end + 2..end + 1 + close];
            let slug = target.split('#').next().unwrap_or_default().strip_suffix(".html");
            let dead = slug.is_some_and(|slug| !slug.contains(['/', ':']) && !exists(slug));
            let whole = &rest[..end + 2 + close];
            written.push_str(if dead { &rest[1..end] } else { whole });
            rest = &rest[whole.len()..];
        }
        written.push_str(rest);
        written.push('\n');
    }
    written
}

/// The text with the paths of its places (see [`place`]) changed where `change` knows another; code stays.
pub(crate) fn with_changed_places(text: &str, change: &dyn Fn(&str) -> Option<String>) -> String {
    let mut fences = Fences::default();
    let mut changed = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let mut rest = line;
        let was_open = fences.is_open();
        let is_code = fences.is_code(line);
        if is_code && !was_open {
            changed.push_str(&with_changed_source(line, change));
            continue;
        }
        while let Some((before, after)) = rest.split_once("[[").filter(|_| !is_code) {
            // no path is longer, and a text may be full of brackets
            let near = &after[..after.floor_char_boundary(1100)];
            let inner = near.split_once("]]").map_or("", |(inner, _)| inner);
            let is_lines = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
            let path = inner.rsplit_once(':').filter(|(_, lines)| is_lines(lines)).map_or(inner, |(path, _)| path);
            let other = change(path).filter(|_| !path.is_empty() && !before.ends_with('`'));
            changed.extend([before, "[[", other.as_deref().unwrap_or(path)]);
            rest = &after[path.len()..];
        }
        changed.push_str(rest);
    }
    changed
}

/// A fence that names its source, with another path.
fn with_changed_source(line: &str, change: &dyn Fn(&str) -> Option<String>) -> String {
    let source = line.trim_end().rsplit_once(' ').and_then(|(before, word)| {
        let (path, lines) = word.rsplit_once(':')?;
        Some(format!("{before} {}:{lines}\n", change(path)?))
    });
    source.unwrap_or_else(|| line.to_owned())
}

/// Follows fences of code through the lines of a text.
#[derive(Debug, Default)]
pub(crate) struct Fences {
    open: Option<(char, usize)>,
}

impl Fences {
    /// Whether this line is code or one of the fences around it. Call it once per line, in order.
    pub(crate) fn is_code(&mut self, line: &str) -> bool {
        let trimmed = line.trim_start();
        let mark = trimmed.chars().next().filter(|c| matches!(c, '`' | '~'));
        let length = mark.map_or(0, |mark| trimmed.chars().take_while(|c| *c == mark).count());
        match (self.open, mark) {
            (None, Some(mark)) if length >= 3 && !trimmed[length..].contains('`') => {
                self.open = Some((mark, length));
                true
            }
            (Some((mark, opened)), Some(this))
                if this == mark && length >= opened && trimmed[length..].trim().is_empty() =>
            {
                self.open = None;
                true
            }
            (open, _) => open.is_some(),
        }
    }

    /// Whether the next line is inside of a block.
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// The fence that would close what is open.
    pub(crate) fn closing(&self) -> Option<String> {
        self.open.map(|(mark, length)| mark.to_string().repeat(length))
    }
}

/// The level of a line that is a `#` heading, and its text.
pub(crate) fn heading(line: &str) -> Option<(usize, &str)> {
    let indentation = line.len() - line.trim_start_matches(' ').len();
    let line = line.trim();
    let level = line.chars().take_while(|c| *c == '#').count();
    let text = line.get(level..)?;
    if indentation > 3 || !(1..=6).contains(&level) || !(text.is_empty() || text.starts_with([' ', '\t'])) {
        return None;
    }
    Some((level, text.trim().trim_end_matches('#').trim()))
}

/// Moves all headings so that the highest has level `top`; deeper than six becomes bold text.
pub(crate) fn shift_headings(text: &str, top: usize) -> String {
    let mut fences = Fences::default();
    let levels = text.lines().filter(|line| !fences.is_code(line)).filter_map(heading).map(|(level, _)| level);
    let Some(highest) = levels.min() else { return text.to_owned() };
    map_headings(text, |level, words| {
        let level = level + top - highest;
        if level <= 6 { format!("{} {words}", "#".repeat(level)) } else { format!("**{words}**") }
    })
}

/// Turns all headings into bold lines: for texts that stand below a heading of their own.
pub(crate) fn bold_headings(text: &str) -> String {
    map_headings(text, |_, words| format!("\n**{}**\n", words.trim_matches('*')))
}

fn map_headings(text: &str, mut map: impl FnMut(usize, &str) -> String) -> String {
    let mut fences = Fences::default();
    let mut mapped = String::with_capacity(text.len());
    for line in text.lines() {
        match heading(line) {
            Some((level, words)) if !fences.is_code(line) => {
                if !words.is_empty() {
                    mapped.push_str(&map(level, words));
                }
            }
            Some(_) => mapped.push_str(line),
            None => {
                fences.is_code(line);
                mapped.push_str(line);
            }
        }
        mapped.push('\n');
    }
    mapped
}

/// The fragment that leads to a heading, as GitHub and the renderer make it.
pub(crate) fn fragment(title: &str) -> String {
    let plain = plain_text(title).to_lowercase();
    let kept = plain.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | ' '));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The fragments of all headings of a text.
pub(crate) fn fragments(text: &str) -> Vec<String> {
    let mut fences = Fences::default();
    let lines = text.lines().filter(|line| !fences.is_code(line));
    lines.filter_map(heading).map(|(_, title)| fragment(title)).collect()
}

/// The beginning of a Markdown text up to a line end before `max_bytes`, with an open fence closed.
pub(crate) fn cut_markdown(text: &str, max_bytes: usize) -> (String, bool) {
    if text.len() <= max_bytes {
        return (text.to_owned(), false);
    }
    let mut fences = Fences::default();
    let mut kept = String::new();
    for line in text.lines() {
        if kept.len() + line.len() + 1 > max_bytes {
            break;
        }
        fences.is_code(line);
        kept.push_str(line);
        kept.push('\n');
    }
    if let Some(fence) = fences.closing() {
        kept.push_str(&fence);
        kept.push('\n');
    }
    (kept, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_citations_unless_the_path_would_break_them() {
        assert_eq!(place("a/b.rs", Some((3, 9))), "[[a/b.rs:3-9]]");
        assert_eq!(place("a/b.rs", Some((3, 3))), "[[a/b.rs:3]]");
        assert_eq!(place("app/[id]/page.tsx", None), "`app/[id]/page.tsx`");
    }

    #[test]
    fn a_first_sentence_has_no_markup_and_ends_where_it_should() {
        assert_eq!(
            first_sentence("# T\n\nA [fast](http://x) `tool`, e.g. for v1.2. More.", 100),
            "A fast tool, e.g. for v1.2."
        );
        assert_eq!(shorten("one two three", 9), "one two…");
    }

    #[test]
    fn headings_move_but_code_stays() {
        assert_eq!(shift_headings("# A\n```\n# no\n```\n## B", 2), "## A\n```\n# no\n```\n### B\n");
    }

    #[test]
    fn fences_outlast_the_backticks_of_their_text() {
        assert_eq!(fenced("md", "```\nx\n```"), "````md\n```\nx\n```\n````\n");
        assert_eq!(code("a`b"), "`` a`b ``");
    }
}
