//! The list of what a published site consists of: stored last, read first.

use std::{collections::BTreeMap, ops::Range};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    encoding::Encoding,
    key::SitePrefix,
    store::{SiteStore, StoreError},
};

/// Raises when a manifest means something else than before.
const FORMAT: u32 = 1;

/// A whole site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    format: u32,
    /// By path, in its order.
    pub files: BTreeMap<String, ManifestFile>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFile {
    /// Bytes, as rendered.
    pub size: u64,
    /// Hexadecimal SHA-256 of the file as rendered.
    pub sha256: String,
    /// The value of `Content-Type`.
    pub content_type: String,
    /// The compressed forms that are smaller.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub encodings: BTreeMap<Encoding, PackedForm>,
}

/// Where in the pack a compressed form is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackedForm {
    /// Bytes before it.
    pub offset: u64,
    /// Its own bytes.
    pub size: u64,
}

impl PackedForm {
    pub(crate) fn range(self) -> Range<u64> {
        self.offset..self.offset.saturating_add(self.size)
    }
}

impl Manifest {
    pub(crate) fn new(files: BTreeMap<String, ManifestFile>) -> Self {
        Self { format: FORMAT, files }
    }

    /// Reads the manifest of a site; `None` when no such site was published.
    pub async fn find(store: &SiteStore, prefix: &SitePrefix) -> Result<Option<Self>, StoreError> {
        let path = prefix.manifest_path();
        let Some(bytes) = store.read(&path, None).await? else { return Ok(None) };
        let damaged = |reason: String| StoreError::Damaged { object: path.to_string(), reason };
        let manifest: Self = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if manifest.format != FORMAT {
            return Err(damaged(format!("format {} is newer than this docmill reads", manifest.format)));
        }
        Ok(Some(manifest))
    }

    pub(crate) fn to_json(&self) -> Bytes {
        serde_json::to_vec(self).expect("numbers, strings and maps with string keys always serialise").into()
    }
}
