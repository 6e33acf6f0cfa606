//! Steering: what the repository's own `docmill.toml` and the request say about the documentation. Read from the pinned
//! commit, so every host that works on a run comes to the same. It is data: it chooses titles, files and pages, and nothing
//! of it reaches a command, a limit or a prompt's own words.
//!
//! In reading order: `file` (finds and reads the file), `filter` (which files are documented), `planned` (what becomes of a
//! plan).

mod file;
mod filter;
mod planned;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use shared::{
    evidence::Grade,
    options::{Instructions, LanguageTag, RunOptions, SiteTitle, WishedPage},
    plan::RepoType,
};

pub(crate) use self::filter::PathFilter;
use crate::git::{Checkout, GitError};

/// What holds for one run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Steering {
    /// The project's name as a title.
    pub(crate) title: Option<SiteTitle>,
    /// The language of the pages.
    pub(crate) language: Option<LanguageTag>,
    /// Which files are documented.
    pub(crate) filter: PathFilter,
    /// The file's kind of repository; the request's own wins.
    pub(crate) repo_type: Option<RepoType>,
    /// The sentence to end with, when the repository wants no documentation.
    pub(crate) refusal: Option<String>,
    instructions: Option<Instructions>,
    pages: Vec<WishedPage>,
    /// Whether the wished pages are all there are.
    pub(crate) pages_only: bool,
    /// The grade that the site must reach.
    pub(crate) min_grade: Option<Grade>,
}

impl Steering {
    /// Reads the file at the pinned commit and puts the request's options over it. What cannot be used is left out and told
    /// in the sentences, which quote the file at most in short and without control characters. Blocks.
    pub(crate) fn read(checkout: &Checkout, request: &RunOptions) -> Result<(Self, Vec<String>), GitError> {
        let (file, mut warnings) = file::read(checkout)?;
        let wished = request.clone().or(file.options);
        let include = wished.include.unwrap_or_default();
        let exclude = wished.exclude.unwrap_or_default();
        let filter = PathFilter::new(wished.subdirectory, include, exclude)?;
        let pages = wished.pages.unwrap_or_default();
        let mut pages_only = wished.pages_only.unwrap_or_default();
        if pages_only && pages.is_empty() {
            warnings.push("`pages_only` is ignored: there are no `pages`; name them, or take it out".to_owned());
            pages_only = false;
        }
        let steering = Self {
            title: wished.title,
            language: wished.language,
            instructions: wished.instructions.filter(|text| !text.as_str().is_empty()),
            filter,
            repo_type: file.repo_type,
            refusal: file.refusal,
            pages,
            pages_only,
            min_grade: wished.min_grade,
        };
        Ok((steering, warnings))
    }

    /// What a model is told, as a file of its own that the prompt calls untrusted wishes; nothing when nobody wished anything.
    pub(crate) fn wishes(&self) -> Option<Value> {
        let subdirectory = self.filter.subdirectory();
        if self.language.is_none() && self.instructions.is_none() && subdirectory.is_none() && self.pages.is_empty() {
            return None;
        }
        Some(json!({
            "language": self.language,
            "instructions": self.instructions,
            "subdirectory": subdirectory,
            "pages": self.pages,
        }))
    }

    /// Changes with everything that a page's words depend on besides the plan: which files are seen, and what is wished.
    /// `None` when nothing of that is said.
    pub(crate) fn digest(&self) -> Option<String> {
        let plain = self.title.is_none() && self.repo_type.is_none() && !self.pages_only;
        if plain && self.wishes().is_none() && self.filter.is_open() {
            return None;
        }
        let all = json!([self.title, self.repo_type, self.pages_only, self.wishes(), self.filter.describe()]);
        let digest = Sha256::digest(all.to_string());
        Some(hex::encode(&digest[..8]))
    }
}
