//! Fenced code: what its info string says (`rust src/lib.rs:10-24`, `example`), and whether it is a shell session.

use shared::citation::{WrittenCitation, is_example};

/// A code block.
#[derive(Debug)]
pub(super) struct Fence {
    pub(super) section: u32,
    /// The first word of the info string, in lower case.
    pub(super) language: String,
    /// The file and lines that it is quoted from.
    pub(super) source: Option<WrittenCitation>,
    /// Whether it says of itself that it is made up.
    pub(super) is_example: bool,
    pub(super) code: String,
}

/// Languages of what people type into a shell.
const SHELLS: [&str; 9] =
    ["sh", "bash", "shell", "console", "zsh", "shellsession", "shell-session", "terminal", "fish"];

impl Fence {
    /// Reads a code block.
    pub(super) fn read(section: u32, info: &str, code: &str, is_fenced: bool) -> Self {
        let mut fence =
            Self { section, language: String::new(), source: None, is_example: false, code: code.to_owned() };
        if !is_fenced {
            return fence;
        }
        fence.is_example = is_example(info);
        let info = info.trim().trim_start_matches('{').trim_end_matches('}');
        let words = info.split_whitespace().filter(|word| !word.eq_ignore_ascii_case("example"));
        for (at, word) in words.enumerate() {
            let named = ["title=", "filename=", "file="].iter().find_map(|key| word.strip_prefix(key));
            if let Some(file) = named {
                let file = WrittenCitation::parse(file.trim_matches(['"', '\'']));
                // a title without lines names a file that the reader makes as often as one of the repository
                fence.source = fence.source.or(file.filter(|file| file.lines.is_some()));
            } else if at == 0 {
                fence.read_first(word);
            } else if fence.source.is_none() && !word.contains(['=', '{', '}', '"', ',']) {
                fence.source = WrittenCitation::parse(word);
            }
        }
        fence
    }

    /// A language, a file, `language:file`, or lines and a file as in `10:24:src/x.py`.
    fn read_first(&mut self, word: &str) {
        let mut parts = word.splitn(3, ':');
        if let (Some(first), Some(last), Some(path)) = (parts.next(), parts.next(), parts.next())
            && let (Ok(first), Ok(last)) = (first.parse::<u32>(), last.parse::<u32>())
            && first > 0
        {
            self.source = WrittenCitation::new(path, Some((first.min(last), first.max(last))));
            return;
        }
        if let Some((language, file)) = word.split_once(':')
            && !language.contains(['/', '.'])
            && let Some(file) = WrittenCitation::parse(file).filter(|file| file.path.contains(['/', '.']))
        {
            self.language = language.to_lowercase();
            self.source = Some(file);
            return;
        }
        match WrittenCitation::parse(word).filter(|_| word.contains('/')) {
            Some(file) => self.source = Some(file),
            None => self.language = word.trim_start_matches('.').split(',').next().unwrap_or_default().to_lowercase(),
        }
    }

    /// Whether people type it into a shell.
    pub(super) fn is_shell(&self) -> bool {
        SHELLS.contains(&self.language.as_str())
    }

    /// Its commands: one per line, prompts and what a session prints left out, continued lines joined.
    pub(super) fn commands(&self) -> Vec<String> {
        let has_prompt = self.code.lines().any(|line| line.starts_with("$ "));
        let mut commands = Vec::new();
        let mut open: Option<String> = None;
        let mut until: Option<String> = None;
        for line in self.code.lines() {
            if let Some(end) = &until {
                if line.trim() == end {
                    until = None;
                }
                continue;
            }
            let trimmed = line.trim();
            let typed = match (open.take(), line.strip_prefix("$ ")) {
                (Some(before), _) => format!("{before} {}", trimmed.trim_start_matches("> ")),
                (None, Some(typed)) => typed.trim().to_owned(),
                (None, None) if has_prompt => continue,
                (None, None) => trimmed.to_owned(),
            };
            if let Some(before) = typed.strip_suffix('\\') {
                open = Some(before.trim_end().to_owned());
                continue;
            }
            if let Some((_, end)) = typed.split_once("<<") {
                let end = end.trim_start_matches('-').trim();
                let end: String =
                    end.trim_matches(['"', '\'']).chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                until = (!end.is_empty()).then_some(end);
            }
            if !typed.is_empty() && !typed.starts_with('#') {
                commands.push(typed);
            }
        }
        commands.extend(open);
        commands
    }
}
