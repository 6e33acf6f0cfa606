//! Names that people choose, each parsed once at the edge and trusted from there on.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de};

/// Why a text is not a name of the wanted kind. The sentence names the kind, the rule and the limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidName(pub String);

/// Declares a newtype over `String` whose only way in is `FromStr`.
macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $parse:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, sqlx::Type)]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                let parse: fn(&str) -> Result<(), String> = $parse;
                parse(text).map_err(InvalidName)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    };
}

name_type!(
    /// The last part of a repository's address: 1 to 100 letters, digits, `.`, `_`, `-`, not beginning with a sign.
    /// Rule and error text are docsfy's (docsfy-behaviour 1.3); the length is ours.
    ProjectName,
    |text| {
        let fits = starts_alphanumeric(text) && text.len() <= 100 && text.chars().all(is_name_char);
        fits.then_some(()).ok_or_else(|| format!("Invalid project name: '{}'", shown(text)))
    }
);

name_type!(
    /// A branch or a tag: 1 to 200 letters, digits, `.`, `_`, `-`, `/`; no `..`, no empty part, no part that git refuses.
    BranchName,
    |text| {
        let part_fits = |part: &str| {
            !part.is_empty() && !part.starts_with('.') && !part.ends_with('.') && part.strip_suffix(".lock").is_none()
        };
        let fits = starts_alphanumeric(text)
            && text.len() <= 200
            && text.chars().all(|c| is_name_char(c) || c == '/')
            && !text.contains("..")
            && text.split('/').all(part_fits);
        fits.then_some(()).ok_or_else(|| format!("Invalid branch name: '{}'", shown(text)))
    }
);

name_type!(
    /// Who owns variants: 2 to 50 letters, digits, `.`, `_`, `-`. Rule and text are docsfy's.
    Username,
    |text| {
        let fits = starts_alphanumeric(text) && (2..=50).contains(&text.len()) && text.chars().all(is_name_char);
        fits.then_some(()).ok_or_else(|| {
            format!(
                "Invalid username: '{}'. Must be 2-50 alphanumeric characters, dots, hyphens, underscores.",
                shown(text)
            )
        })
    }
);

name_type!(
    /// A model as its provider names it: 1 to 128 of letters, digits and `._:@+[]=,-`, beginning with a letter or digit,
    /// so that it can be neither a flag on a command line nor a second path segment.
    ModelId,
    |text| {
        let fits = starts_alphanumeric(text)
            && text.len() <= 128
            && !text.contains("..")
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "._:@+[]=,-".contains(c));
        fits.then_some(()).ok_or_else(|| {
            format!("Invalid model: '{}'. Use 1 to 128 letters, digits or any of ._:@+[]=,-", shown(text))
        })
    }
);

name_type!(
    /// A page's file name without its ending: `^[a-z0-9][a-z0-9-]{0,79}$` and none of the names a site needs itself.
    PageSlug,
    |text| {
        let fits = text.len() <= 80
            && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !fits {
            return Err(format!("Invalid page slug: '{}'. Use 1 to 80 of a-z, 0-9 and -", shown(text)));
        }
        if RESERVED_SLUGS.contains(&text) {
            return Err(format!("Invalid page slug: '{text}' is reserved"));
        }
        Ok(())
    }
);

name_type!(
    /// A full commit id: 40 (SHA-1) or 64 (SHA-256) lower-case hexadecimal digits.
    CommitSha,
    |text| {
        let fits = matches!(text.len(), 40 | 64) && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        fits.then_some(()).ok_or_else(|| format!("invalid commit id `{}`", shown(text)))
    }
);

/// Page names that would collide with files of the site itself or with device names of some systems.
const RESERVED_SLUGS: [&str; 16] = [
    "index",
    "search",
    "search-index",
    "llms",
    "llms-full",
    "assets",
    "images",
    "quality",
    "404",
    "manifest",
    "plan",
    "con",
    "prn",
    "aux",
    "nul",
    "sitemap",
];

impl BranchName {
    /// The branch as one segment of a URL, a path or a file name: `~` is written `~7E` and `/` is written `~2F`.
    pub fn to_segment(&self) -> String {
        self.0.replace('~', "~7E").replace('/', "~2F")
    }

    /// Reads a segment written by [`Self::to_segment`]; plain names are their own segment.
    pub fn from_segment(segment: &str) -> Result<Self, InvalidName> {
        segment.replace("~2F", "/").replace("~7E", "~").parse()
    }
}

impl PageSlug {
    /// Makes a slug out of any text; `page` when nothing of it is usable. The caller makes it unique.
    pub fn slugify(text: &str) -> Self {
        let mut slug = String::new();
        for c in text.chars().flat_map(char::to_lowercase) {
            if c.is_ascii_alphanumeric() {
                slug.push(c);
            } else if !slug.ends_with('-') && !slug.is_empty() {
                slug.push('-');
            }
            if slug.len() >= 80 {
                break;
            }
        }
        let slug = slug.trim_matches('-').to_owned();
        if slug.is_empty() {
            return Self("page".into());
        }
        if RESERVED_SLUGS.contains(&slug.as_str()) {
            return Self(format!("{slug}-page"));
        }
        Self(slug)
    }

    /// The same slug with `-number` at its end, cut so that it stays within the limit.
    #[must_use]
    pub fn numbered(&self, number: usize) -> Self {
        let suffix = format!("-{number}");
        let kept = &self.0[..self.0.len().min(80 - suffix.len())];
        Self(format!("{}{suffix}", kept.trim_end_matches('-')))
    }
}

impl CommitSha {
    /// The first seven digits, as people write it.
    pub fn short(&self) -> &str {
        &self.0[..7]
    }
}

fn starts_alphanumeric(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

/// What of a refused text an error message repeats: at most 80 characters, control characters as `?`.
fn shown(text: &str) -> String {
    text.chars().take(80).map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_refuse_what_could_leave_its_place() {
        for bad in ["", ".hidden", "-x", "a/b", "a\n", "a b", "ü", &"a".repeat(101)] {
            assert!(bad.parse::<ProjectName>().is_err(), "{bad:?}");
        }
        for bad in ["", "-x", "a..b", "a//b", "/a", "a/", "a/.b", "a.lock", "a\n", "a b"] {
            assert!(bad.parse::<BranchName>().is_err(), "{bad:?}");
        }
        for bad in ["", "--yolo", "a/b", "a\n", "a b"] {
            assert!(bad.parse::<ModelId>().is_err(), "{bad:?}");
        }
        for bad in ["", "index", "con", "A", "a_b", "-a", &"a".repeat(81)] {
            assert!(bad.parse::<PageSlug>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_slash_branch_survives_its_segment() {
        let branch: BranchName = "feat/x".parse().unwrap();
        assert_eq!(branch.to_segment(), "feat~2Fx");
        assert_eq!(BranchName::from_segment("feat~2Fx").unwrap(), branch);
    }

    #[test]
    fn every_text_becomes_a_valid_slug() {
        for text in ["", "Index", "Über uns!", "C++ / API", &"x".repeat(500), "--", "src/lib.rs"] {
            let slug = PageSlug::slugify(text);
            assert!(slug.as_str().parse::<PageSlug>().is_ok(), "{text:?} -> {slug}");
            assert!(slug.numbered(12).as_str().parse::<PageSlug>().is_ok());
        }
    }
}
