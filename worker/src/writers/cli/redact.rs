//! Makes what a command said fit to be shown: no secrets, no temporary paths, one line, at most 500 characters.

use std::sync::LazyLock;

use regex::Regex;

/// Most characters of a message.
const MAX_CHARS: usize = 500;

/// Replaces every secret value in a text.
pub(super) fn mask(text: &str, secrets: &[String]) -> String {
    secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "[redacted]"))
}

/// A message for people out of what a command said. `paths` are those that mean nothing outside of this call.
pub(super) fn message(text: &str, secrets: &[String], paths: &[&str]) -> String {
    let mut text = mask(text, secrets);
    for path in paths {
        text = text.replace(&format!("{path}/"), "").replace(path, "the repository");
    }
    let text = KEYS.replace_all(&text, "[redacted]");
    let text = CREDENTIALS_IN_ADDRESS.replace_all(&text, "://[redacted]@");
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words: Vec<&str> = text.split_whitespace().collect();
    shorten(&words.join(" "))
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= MAX_CHARS {
        return text.to_owned();
    }
    text.chars().take(MAX_CHARS - 1).chain(['…']).collect()
}

/// What keys look like whose values we do not know.
static KEYS: LazyLock<Regex> = LazyLock::new(|| {
    let kinds = [
        r"sk-[A-Za-z0-9_-]{16,}",
        r"AIza[A-Za-z0-9_-]{20,}",
        r"AKIA[A-Z0-9]{16}",
        r"gh[pousr]_[A-Za-z0-9]{20,}",
        r"github_pat_[A-Za-z0-9_]{20,}",
        r"xox[abprs]-[A-Za-z0-9-]{10,}",
        r"eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_.-]{10,}",
        r"(?i:bearer)\s+[A-Za-z0-9._~+/=-]{12,}",
        r"-----BEGIN [A-Z ]*KEY-----[\s\S]*?(?:-----END [A-Z ]*KEY-----|$)",
    ];
    Regex::new(&kinds.join("|")).expect("the pattern is a constant that a test compiles")
});

static CREDENTIALS_IN_ADDRESS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"://[^/\s@]+@").expect("the pattern is a constant that a test compiles"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_hold_no_secrets_no_paths_and_no_more_than_500_characters() {
        let secrets = ["hunter2-hunter2".to_owned()];
        // put together here, so that no scanner takes this file for a leak
        let (anthropic, google) = (format!("sk-ant-{}", "a1".repeat(12)), format!("AIza{}", "Sy0_".repeat(9)));
        let said = format!(
            "\u{1b}key hunter2-hunter2,\n{anthropic} {google} http://me:pw@proxy/ in /tmp/x/tree/src/a.rs Bearer {}",
            "abcdef".repeat(3),
        );
        let shown = message(&said, &secrets, &["/tmp/x/tree"]);
        assert_eq!(shown, "key [redacted], [redacted] [redacted] http://[redacted]@proxy/ in src/a.rs [redacted]");
        assert_eq!(message(&"ä".repeat(900), &[], &[]).chars().count(), 500);
    }
}
