//! A banner on a page of a finished site that says how far the site is behind its repository. It is put in when the page is
//! sent: the files of a site never change. No script.

use chrono::{DateTime, Utc};

use crate::render::escaped;

/// The place of the banner in every page of a site: once, in front of the content. A page cannot write it: comments in
/// its text are left out, and `<` is escaped everywhere else.
pub const PLACE: &str = "<!--docmill:banner-->";

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

/// The page with a banner; nothing when it has no place for one, as pages of older sites and what is no page of ours.
pub fn insert(page: &[u8], behind: &Behind) -> Option<Vec<u8>> {
    let at = page.windows(PLACE.len()).position(|window| window == PLACE.as_bytes())?;
    let sentence = escaped(&behind.sentence());
    let banner = format!("<aside class=\"banner\" aria-label=\"Age of this page\"><p>{sentence}</p></aside>");
    Some([&page[..at], banner.as_bytes(), &page[at + PLACE.len()..]].concat())
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
    fn it_stands_in_its_place_and_nothing_else_changes() {
        let page = format!("<header></header>\n{PLACE}\n<main></main>");
        let with = String::from_utf8(insert(page.as_bytes(), &behind(Some(2), 0)).unwrap()).unwrap();
        let (before, rest) = with.split_once("<aside").unwrap();
        let (_, after) = rest.split_once("</aside>").unwrap();
        assert_eq!(format!("{before}{PLACE}{after}"), page);
        assert_eq!(insert(b"<main>{}</main>", &behind(None, 0)), None);
    }

    #[test]
    fn what_a_repository_says_cannot_become_html() {
        let with = insert(PLACE.as_bytes(), &Behind { head: "<b>&\"".into(), ..behind(None, 0) }).unwrap();
        let with = String::from_utf8(with).unwrap();
        assert!(with.contains("against &lt;b&gt;&amp;"), "{with}");
    }
}
