//! Code blocks: what a fence says about its code, and the frame around it.

use std::fmt::Write as _;

use shared::citation::{WrittenCitation, is_example};

use super::{
    citations,
    escape::push_escaped,
    highlight::{self, Language, language_of_file, language_of_name},
    site::Site,
    sources::{self, Mark, Standing},
};

/// What an info string such as `rust src/lib.rs:10-24` says.
#[derive(Default)]
struct Fence {
    language: Option<Language>,
    /// The name as it was written, when nobody knows the language.
    unknown: Option<String>,
    file: Option<WrittenCitation>,
    title: Option<String>,
    /// Whether its code is made up for readers and stands in no file.
    is_example: bool,
}

/// The file that a fence names, and the letters that name it.
pub(crate) fn source_of(info: &str) -> Option<(String, WrittenCitation)> {
    let file = Fence::read(info).file?;
    let name = file.path.rsplit('/').next().unwrap_or_default();
    let letters = info.split_whitespace().find(|word| word.contains(name)).unwrap_or_default();
    Some((letters.to_owned(), file))
}

/// The HTML of the page's code block number `number`, counted from 1 so that every label is its own; with the mark of
/// the source that it names.
pub(crate) fn code_block_html(site: &Site<'_>, info: &str, code: &str, number: usize, mark: Option<&Mark>) -> String {
    let mut fence = Fence::read(info);
    if let Some(mark) = mark.filter(|mark| mark.standing == Standing::Found) {
        fence.file = Some(mark.shown.clone());
    }
    let mut out = String::with_capacity(code.len() * 2 + 400);
    out.push_str("<figure class=\"code\">");
    fence.push_caption(site, mark, &mut out);
    write!(out, "<pre tabindex=\"0\" role=\"region\" aria-label=\"Code {number}")
        .expect("writing to a String cannot fail");
    if let Some(name) = fence.name() {
        out.push_str(": ");
        push_escaped(&mut out, &name);
    }
    out.push_str("\"><code>");
    out.push_str(&highlight::highlight(fence.language, code.trim_end_matches('\n')));
    out.push_str("</code></pre></figure>\n");
    out
}

impl Fence {
    fn read(info: &str) -> Self {
        let mut fence = Self { is_example: is_example(info), ..Self::default() };
        let info = info.trim().trim_start_matches('{').trim_end_matches('}');
        for (at, word) in info.split_whitespace().enumerate() {
            if let Some(title) = word.strip_prefix("title=").or_else(|| word.strip_prefix("filename=")) {
                fence.set_file_or_title(title.trim_matches(['"', '\'']));
            } else if at == 0 {
                fence.read_first(word);
            } else if fence.file.is_none() && !word.contains(['=', '{', '}', '"']) {
                fence.file = WrittenCitation::parse(word);
            }
        }
        if let (None, Some(file)) = (fence.language, &fence.file) {
            fence.language = language_of_file(&file.path);
        }
        fence
    }

    /// A language, a file, or lines and a file as in `10:24:src/x.py`.
    fn read_first(&mut self, word: &str) {
        let name = word.split(',').next().unwrap_or_default().trim_start_matches('.');
        if let Some((lines, path)) = lines_and_path(word) {
            self.file = WrittenCitation::new(path, Some(lines));
        } else if let Some((language, path)) = word.split_once(':').filter(|(name, _)| language_of_name(name).is_some())
        {
            self.language = language_of_name(language);
            self.file = WrittenCitation::parse(path);
        } else if let Some(language) = language_of_name(name) {
            self.language = Some(language);
            let is_file_name = name.chars().next().is_some_and(char::is_uppercase) && language_of_file(name).is_some();
            self.file = WrittenCitation::parse(name).filter(|_| is_file_name && name.ends_with("file"));
        } else if word.contains(['/', '.']) || language_of_file(word).is_some() {
            self.set_file_or_title(word);
        } else {
            let name: String = name.chars().take(24).collect();
            self.unknown = Some(name).filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("example"));
        }
    }

    fn set_file_or_title(&mut self, text: &str) {
        self.file = WrittenCitation::parse(text);
        if self.file.is_none() {
            self.title = Some(text.chars().take(80).collect());
        }
    }

    /// What names the block for those who cannot see it.
    fn name(&self) -> Option<String> {
        self.file.as_ref().map(citations::label).or_else(|| self.title.clone()).or_else(|| self.kind())
    }

    /// The language, and that it is an example.
    fn kind(&self) -> Option<String> {
        let language = self.language.map(Language::label).or(self.unknown.as_deref());
        match (language, self.is_example) {
            (Some(language), true) => Some(format!("{language} example")),
            (None, true) => Some("Example".to_owned()),
            (language, false) => language.map(str::to_owned),
        }
    }

    /// Language and file above the code; nothing when neither is known.
    fn push_caption(&self, site: &Site<'_>, mark: Option<&Mark>, out: &mut String) {
        let kind = self.kind();
        if kind.is_none() && self.file.is_none() && self.title.is_none() {
            return;
        }
        out.push_str("<figcaption>");
        if let Some(file) = &self.file {
            // without lines it may as well be a file that readers are told to write
            let links = site.info.source.as_ref().filter(|_| mark.is_none_or(|mark| mark.standing == Standing::Found));
            match links.filter(|_| file.lines.is_some()) {
                Some(source) => {
                    out.push_str("<a class=\"file\" href=\"");
                    push_escaped(out, &citations::url(file, source));
                    out.push_str("\">");
                    push_escaped(out, &citations::label(file));
                    out.push_str("</a>");
                }
                None => push_span(out, "file", &citations::label(file)),
            }
            if let Some(mark) = mark {
                out.push_str(&sources::group_html(std::slice::from_ref(mark)));
            }
        } else if let Some(title) = &self.title {
            push_span(out, "file", title);
        }
        if let Some(kind) = kind {
            push_span(out, "language", &kind);
        }
        out.push_str("</figcaption>");
    }
}

fn push_span(out: &mut String, class: &str, text: &str) {
    out.push_str("<span class=\"");
    out.push_str(class);
    out.push_str("\">");
    push_escaped(out, text);
    out.push_str("</span>");
}

/// Reads `10:24:src/x.py`.
fn lines_and_path(word: &str) -> Option<((u32, u32), &str)> {
    let (first, rest) = word.split_once(':')?;
    let (last, path) = rest.split_once(':')?;
    Some(((first.parse().ok().filter(|line| *line > 0)?, last.parse().ok().filter(|line| *line > 0)?), path))
}

#[cfg(test)]
mod tests {
    use super::Fence;

    fn read(info: &str) -> (Option<&'static str>, Option<String>) {
        let fence = Fence::read(info);
        (fence.language.map(super::Language::label), fence.name().filter(|_| fence.file.is_some()))
    }

    #[test]
    fn a_fence_names_a_language_a_file_or_both() {
        assert_eq!(read("rust"), (Some("Rust"), None));
        assert_eq!(read("rust,ignore"), (Some("Rust"), None));
        assert_eq!(read("rust src/lib.rs:10-24"), (Some("Rust"), Some("src/lib.rs:10-24".into())));
        assert_eq!(read("10:24:src/x.py"), (Some("Python"), Some("src/x.py:10-24".into())));
        assert_eq!(read("config.yaml"), (Some("YAML"), Some("config.yaml".into())));
        assert_eq!(read("src/x.js"), (Some("JavaScript"), Some("src/x.js".into())));
        assert_eq!(read("rust:src/main.rs"), (Some("Rust"), Some("src/main.rs".into())));
        assert_eq!(read("Dockerfile"), (Some("Dockerfile"), Some("Dockerfile".into())));
        assert_eq!(read("dockerfile"), (Some("Dockerfile"), None));
        assert_eq!(read("toml title=\"Cargo.toml\""), (Some("TOML"), Some("Cargo.toml".into())));
        assert_eq!(read("js {1,3-5}"), (Some("JavaScript"), None));
        assert_eq!(read("no-such-language"), (None, None));
        assert_eq!(read(""), (None, None));
    }

    #[test]
    fn an_example_says_that_it_is_one() {
        let kind = |info| Fence::read(info).kind();
        assert_eq!(kind("rust example").as_deref(), Some("Rust example"));
        assert_eq!(kind("rust,example").as_deref(), Some("Rust example"));
        assert_eq!(kind("example").as_deref(), Some("Example"));
        assert_eq!(kind("rust").as_deref(), Some("Rust"));
        assert_eq!(kind("no-such-language example").as_deref(), Some("no-such-language example"));
    }
}
