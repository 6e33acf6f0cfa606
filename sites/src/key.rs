//! The typed names of what is stored: a site's prefix, and a file in it with its content type and cache rule.

use std::{fmt, str::FromStr};

use object_store::path::Path;
use serde::{Deserialize, Serialize};
use shared::ids::GenerationId;

use crate::read::SitePath;

/// The folder of one published site: the generation that wrote it, and the fence under which it did. A worker that
/// lost its lease can only ever write under a prefix that nobody points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SitePrefix {
    generation: GenerationId,
    fence: i64,
}

/// Not the prefix of a site.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the prefix of a site, which is `<generation>-<fence>`")]
pub struct InvalidSitePrefix(String);

impl SitePrefix {
    /// The place for what a generation writes while it holds `fence`, which is never negative.
    pub fn new(generation: GenerationId, fence: i64) -> Self {
        Self { generation, fence }
    }

    /// Who wrote it.
    pub fn generation(&self) -> GenerationId {
        self.generation
    }

    /// Under which fence.
    pub fn fence(&self) -> i64 {
        self.fence
    }

    pub(crate) fn root_path(&self) -> Path {
        Path::from(self.to_string())
    }

    pub(crate) fn manifest_path(&self) -> Path {
        self.root_path().join("manifest.json")
    }

    pub(crate) fn pack_path(&self) -> Path {
        self.root_path().join("encoded.pack")
    }
}

impl fmt::Display for SitePrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.generation, self.fence)
    }
}

impl FromStr for SitePrefix {
    type Err = InvalidSitePrefix;

    fn from_str(text: &str) -> Result<Self, InvalidSitePrefix> {
        let parse = || {
            let (generation, fence) = text.rsplit_once('-')?;
            let prefix = Self::new(generation.parse().ok()?, fence.parse().ok()?);
            // one spelling only: what is listed must be what is removed
            (prefix.to_string() == text).then_some(prefix)
        };
        parse().ok_or_else(|| InvalidSitePrefix(text.to_owned()))
    }
}

impl TryFrom<String> for SitePrefix {
    type Error = InvalidSitePrefix;
    fn try_from(text: String) -> Result<Self, InvalidSitePrefix> {
        text.parse()
    }
}

impl From<SitePrefix> for String {
    fn from(prefix: SitePrefix) -> Self {
        prefix.to_string()
    }
}

/// How long a reader may keep a file without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheRule {
    /// The name carries a hash of the content: for ever.
    Immutable,
    /// Ask each time, with the `ETag`.
    Revalidate,
}

impl CacheRule {
    /// The value of `Cache-Control`. Sites are not public: no cache that several people share may keep them.
    pub fn cache_control(self) -> &'static str {
        match self {
            Self::Immutable => "private, max-age=31536000, immutable",
            Self::Revalidate => "private, no-cache",
        }
    }
}

/// One file of one site.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SiteKey {
    prefix: SitePrefix,
    path: SitePath,
}

impl SiteKey {
    /// The file `path` of the site `prefix`.
    pub fn new(prefix: SitePrefix, path: SitePath) -> Self {
        Self { prefix, path }
    }

    /// Where it is in its site.
    pub fn path(&self) -> &SitePath {
        &self.path
    }

    /// Where it is in the store.
    pub fn object_path(&self) -> Path {
        Path::from(format!("{}/site/{}", self.prefix, self.path))
    }

    /// The value of `Content-Type`, by the ending of the name.
    pub fn content_type(&self) -> &'static str {
        let name = self.path.file_name();
        match name.rsplit_once('.') {
            // `.nojekyll`
            Some(("", _)) => "text/plain; charset=utf-8",
            Some((_, ending)) => content_type_of_ending(ending),
            None => "application/octet-stream",
        }
    }

    /// How long it may be kept.
    pub fn cache_rule(&self) -> CacheRule {
        let is_hash = |part: &str| part.len() >= 8 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        if self.path.is_asset() && self.path.file_name().split('.').any(is_hash) {
            return CacheRule::Immutable;
        }
        CacheRule::Revalidate
    }
}

fn content_type_of_ending(ending: &str) -> &'static str {
    match ending {
        "html" => "text/html; charset=utf-8",
        "md" => "text/markdown; charset=utf-8",
        "txt" => "text/plain; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "xml" => "application/xml",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "ico" => "image/x-icon",
        "woff" => "font/woff",
        "woff2" => "font/woff2",
        "pdf" => "application/pdf",
        _ => "application/octet-stream",
    }
}
