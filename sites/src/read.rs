//! Finds a file of a published site for a reader: what a path may be, which site answers, which form is sent.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use quick_cache::{Weighter, sync::Cache};

use crate::{
    encoding::Encoding,
    key::{CacheRule, SiteKey, SitePrefix},
    manifest::Manifest,
    store::{SiteStore, StoreError},
};

/// The only name with a leading dot that a site has.
const NO_JEKYLL: &str = ".nojekyll";

/// Longer paths are nobody's.
const MAX_PATH_BYTES: usize = 1024;

/// The path of a file in a site, without anything that could lead out of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SitePath(String);

/// Why a path is not looked up at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathRefused {
    /// It leads out of the site.
    #[error("the path leads out of the site")]
    Escapes,
    /// No file of any site can have it.
    #[error("no file of a site has such a path")]
    Invalid,
}

impl SitePath {
    /// Reads what stands behind the site's own address, percent-decoded exactly once. Nothing and `/` mean
    /// `index.html`; a folder means nothing else than itself.
    pub fn parse(path: &str) -> Result<Self, PathRefused> {
        if path.is_empty() || path == "/" {
            return Ok(Self("index.html".into()));
        }
        if path.starts_with('/') {
            return Err(PathRefused::Escapes);
        }
        let mut kept: Vec<&str> = Vec::new();
        for segment in path.split('/') {
            match segment {
                ".." => drop(kept.pop().ok_or(PathRefused::Escapes)?),
                segment => kept.push(segment),
            }
        }
        let is_odd = |character: char| character == '\\' || character.is_control();
        let is_hidden = |segment: &&str| segment.starts_with('.') && *segment != NO_JEKYLL;
        let is_nothing = |segment: &&str| segment.is_empty();
        if path.len() > MAX_PATH_BYTES || path.contains(is_odd) || kept.is_empty() {
            return Err(PathRefused::Invalid);
        }
        if kept.iter().any(|segment| is_hidden(segment) || is_nothing(segment)) {
            return Err(PathRefused::Invalid);
        }
        Ok(Self(kept.join("/")))
    }

    /// The path, without a leading slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part behind the last slash.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// Whether pages load it, and may go on to do so when a newer site has another.
    pub(crate) fn is_asset(&self) -> bool {
        self.0.starts_with("assets/")
    }

    /// Whether every file system and every store keeps the name as it is.
    pub(crate) fn is_portable(&self) -> bool {
        self.0.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte))
    }
}

impl fmt::Display for SitePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A file to be sent.
#[derive(Debug, Clone)]
pub struct SiteFile {
    /// The whole of it, in the chosen form.
    pub bytes: Bytes,
    /// The value of `ETag`, with its quotes; differs between the forms of one file.
    pub etag: String,
    /// The value of `Content-Type`.
    pub content_type: String,
    /// The chosen form; `None` is as rendered.
    pub encoding: Option<Encoding>,
    /// Whether there are other forms, so that the answer must say `Vary: Accept-Encoding`.
    pub varies: bool,
    /// How long it may be kept.
    pub cache_rule: CacheRule,
    /// Bytes as rendered.
    pub size: u64,
}

/// Reads sites, and keeps in memory what is read often. Clones share that memory.
#[derive(Debug, Clone)]
pub struct SiteReader {
    store: SiteStore,
    manifests: Arc<Cache<SitePrefix, Arc<Manifest>, Weight>>,
    forms: Arc<Cache<FormKey, Bytes, Weight>>,
}

type FormKey = (SiteKey, Option<Encoding>);

/// Bytes of memory, roughly.
#[derive(Debug, Clone)]
struct Weight;

/// What an entry costs beside its content.
const ENTRY_BYTES: u64 = 256;

impl Weighter<FormKey, Bytes> for Weight {
    fn weight(&self, (key, _): &FormKey, bytes: &Bytes) -> u64 {
        ENTRY_BYTES + (key.path().as_str().len() + bytes.len()) as u64
    }
}

impl Weighter<SitePrefix, Arc<Manifest>> for Weight {
    fn weight(&self, _: &SitePrefix, manifest: &Arc<Manifest>) -> u64 {
        let paths: usize = manifest.files.keys().map(String::len).sum();
        // a file has a hash, a content type and its forms
        ENTRY_BYTES + paths as u64 + manifest.files.len() as u64 * 512
    }
}

/// Why there is nothing to keep in memory.
enum NotRead {
    Missing,
    Failed(StoreError),
}

impl From<StoreError> for NotRead {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

/// What is not there is no error.
fn found<T>(read: Result<T, NotRead>) -> Result<Option<T>, StoreError> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(NotRead::Missing) => Ok(None),
        Err(NotRead::Failed(error)) => Err(error),
    }
}

impl SiteReader {
    /// Keeps at most about `memory_bytes` in memory, an eighth of it for manifests.
    pub fn new(store: SiteStore, memory_bytes: u64) -> Self {
        const USUAL_FILE_BYTES: u64 = 16 * 1024;
        const USUAL_MANIFEST_BYTES: u64 = 64 * 1024;
        let for_manifests = memory_bytes / 8;
        let for_forms = memory_bytes - for_manifests;
        let items = |bytes: u64, each: u64| usize::try_from(bytes / each).unwrap_or(usize::MAX).max(1);
        let manifests = Cache::with_weighter(items(for_manifests, USUAL_MANIFEST_BYTES), for_manifests, Weight);
        let forms = Cache::with_weighter(items(for_forms, USUAL_FILE_BYTES), for_forms, Weight);
        Self { store, manifests: Arc::new(manifests), forms: Arc::new(forms) }
    }

    /// Finds a file in the first of `prefixes`, the newest site. Only assets are looked for in the older ones too: a
    /// page that was loaded before the newest was published goes on to work. The form is chosen by the header.
    pub async fn open(
        &self,
        prefixes: &[SitePrefix],
        path: &SitePath,
        accept_encoding: Option<&str>,
    ) -> Result<Option<SiteFile>, StoreError> {
        let sites = if path.is_asset() { prefixes } else { &prefixes[..prefixes.len().min(1)] };
        for prefix in sites {
            if let Some(file) = self.open_in(*prefix, path, accept_encoding).await? {
                return Ok(Some(file));
            }
        }
        Ok(None)
    }

    /// The manifest of a site; `None` when no such site was published.
    pub async fn manifest(&self, prefix: &SitePrefix) -> Result<Option<Arc<Manifest>>, StoreError> {
        let read = async {
            let manifest = Manifest::find(&self.store, prefix).await?;
            manifest.map(Arc::new).ok_or(NotRead::Missing)
        };
        found(self.manifests.get_or_insert_async(prefix, read).await)
    }

    async fn open_in(
        &self,
        prefix: SitePrefix,
        path: &SitePath,
        accept_encoding: Option<&str>,
    ) -> Result<Option<SiteFile>, StoreError> {
        let Some(manifest) = self.manifest(&prefix).await? else { return Ok(None) };
        let Some(file) = manifest.files.get(path.as_str()) else { return Ok(None) };
        let encoding = Encoding::choose(file.encodings.keys().copied(), accept_encoding);
        let packed = encoding.and_then(|encoding| file.encodings.get(&encoding));
        let key = (SiteKey::new(prefix, path.clone()), encoding);
        let read = async {
            let bytes = match packed {
                Some(form) => self.store.read(&prefix.pack_path(), Some(form.range())).await?,
                None => self.store.read(&key.0.object_path(), None).await?,
            };
            bytes.ok_or(NotRead::Missing)
        };
        let Some(bytes) = found(self.forms.get_or_insert_async(&key, read).await)? else { return Ok(None) };
        let etag = match encoding {
            Some(encoding) => format!("\"{}-{}\"", file.sha256, encoding.as_str()),
            None => format!("\"{}\"", file.sha256),
        };
        Ok(Some(SiteFile {
            bytes,
            etag,
            content_type: file.content_type.clone(),
            encoding,
            varies: !file.encodings.is_empty(),
            cache_rule: key.0.cache_rule(),
            size: file.size,
        }))
    }
}
