//! A line above a page that says how far its site is behind the repository. It is put in when the page is sent: the files of a
//! site never change. No script, no style of its own.

use chrono::{DateTime, Utc};

/// What a check of the served site said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    /// Commits since then, when that is known.
    pub commits: Option<u32>,
    /// Sections of which something that they stand on has changed.
    pub stale_sections: u32,
    /// The commit that the branch stood at.
    pub head: String,
    /// When it was looked.
    pub checked_at: DateTime<Utc>,
}

impl Behind {
    /// The sentence, as plain text.
    pub fn sentence(&self) -> String {
        let commits = match self.commits {
            Some(1) => "1 commit behind its repository".to_owned(),
            Some(commits) => format!("{commits} commits behind its repository"),
            None => "behind its repository".to_owned(),
        };
        let sections = match self.stale_sections {
            0 => "nothing that it cites has changed".to_owned(),
            1 => "what 1 section stands on has changed".to_owned(),
            many => format!("what {many} sections stand on has changed"),
        };
        let head: String = self.head.chars().take(7).collect();
        let checked = self.checked_at.format("%Y-%m-%d %H:%M");
        format!("This documentation is {commits}: {sections}. Checked {checked} UTC against {head}.")
    }
}

/// The page with the line at the beginning of its content; nothing when it has no such place.
pub fn insert(page: &[u8], behind: &Behind) -> Option<Vec<u8>> {
    let open = page.windows(5).position(|window| window == b"<main")?;
    let at = open + page[open..].iter().position(|byte| *byte == b'>')? + 1;
    let line = format!("\n<p class=\"callout note behind\">{}</p>", escaped(&behind.sentence()));
    Some([&page[..at], line.as_bytes(), &page[at..]].concat())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behind(commits: Option<u32>, stale_sections: u32) -> Behind {
        let checked_at = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        Behind { commits, stale_sections, head: "abcdef0123456789".into(), checked_at }
    }

    #[test]
    fn the_line_says_how_far_how_much_and_when() {
        let sentence = behind(Some(12), 3).sentence();
        assert_eq!(
            sentence,
            "This documentation is 12 commits behind its repository: what 3 sections stand on has changed. \
             Checked 2023-11-14 22:13 UTC against abcdef0."
        );
        assert!(behind(Some(1), 1).sentence().contains("1 commit behind its repository: what 1 section stands on"));
        assert!(behind(None, 0).sentence().contains("is behind its repository: nothing that it cites has changed"));
    }

    #[test]
    fn it_stands_at_the_beginning_of_the_content_and_nothing_else_changes() {
        let page = b"<body><header>x</header><main id=\"a\" tabindex=\"-1\">\n<h1>T</h1></main>";
        let with = String::from_utf8(insert(page, &behind(Some(2), 0)).unwrap()).unwrap();
        let (before, rest) = with.split_once("<p class=\"callout note behind\">").unwrap();
        let (_, after) = rest.split_once("</p>").unwrap();
        assert_eq!(format!("{}{after}", before.trim_end()).as_bytes(), page);
        assert_eq!(insert(b"<p>no content</p>", &behind(None, 0)), None);
    }

    #[test]
    fn what_a_repository_says_cannot_become_html() {
        let with = insert(b"<main>", &Behind { head: "<b>&\"".into(), ..behind(None, 0) }).unwrap();
        assert!(String::from_utf8(with).unwrap().contains("against &lt;b&gt;&amp;&quot;."));
    }
}
