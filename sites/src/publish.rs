//! Writes a site into the store: compress, write every file, write the manifest. Readers see all of it or nothing.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use sha2::{Digest, Sha256};
use tokio::task;

use crate::{
    encoding::Encoding,
    key::{SiteKey, SitePrefix},
    manifest::{Manifest, ManifestFile, PackedForm},
    read::SitePath,
    render::{SiteFiles, is_shared_asset},
    store::{SiteStore, StoreError},
};

/// Objects written at a time. More does not help a disk, and a distant store answers each in tens of milliseconds.
const CONCURRENT_WRITES: usize = 16;

/// A site that is in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Where.
    pub prefix: SitePrefix,
    /// Number of files.
    pub files: usize,
    /// Bytes of all files as rendered.
    pub bytes: u64,
    /// Bytes of their compressed forms.
    pub encoded_bytes: u64,
}

/// Why a site was not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// A path that no reader could ask for.
    #[error("`{0}` cannot be the path of a published file")]
    InvalidPath(String),
    /// Another site was published under the same prefix.
    #[error("another site is published as `{0}` already")]
    Taken(SitePrefix),
    /// Compressing failed.
    #[error("the files of the site could not be compressed")]
    Encode(#[source] io::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Publishes `files` under `prefix`. After an error nothing of it stays behind; publishing the same again is no error.
/// When it returns, the site survives a crash of the machine.
pub async fn publish(store: &SiteStore, prefix: &SitePrefix, files: &SiteFiles) -> Result<Published, PublishError> {
    let site = encode(site_keys(prefix, files)?).await?;
    let published = site.describe(prefix);
    match Manifest::find(store, prefix).await? {
        Some(manifest) if manifest == site.manifest => return Ok(published),
        Some(_) => return Err(PublishError::Taken(*prefix)),
        // a try that was cut off; the fence makes us the only one to write here
        None => store.remove_site(prefix).await?,
    }
    if let Err(error) = write(store, prefix, site).await {
        if let Err(error) = store.remove_site(prefix).await {
            tracing::warn!(site.prefix = %prefix, %error, "an unfinished site stays behind");
        }
        return Err(error.into());
    }
    Ok(published)
}

fn site_keys(prefix: &SitePrefix, files: &SiteFiles) -> Result<Vec<(SiteKey, Bytes)>, PublishError> {
    let key = |(path, bytes): (&String, &Vec<u8>)| match SitePath::parse(path) {
        // a name that every file system and every store keeps as it is
        Ok(parsed) if parsed.as_str() == path && parsed.is_portable() => {
            Ok((SiteKey::new(*prefix, parsed), Bytes::copy_from_slice(bytes)))
        }
        _ => Err(PublishError::InvalidPath(path.clone())),
    };
    files.iter().map(key).collect()
}

/// All that will be written.
struct EncodedSite {
    files: Vec<(SiteKey, Bytes)>,
    pack: Vec<Bytes>,
    manifest: Manifest,
}

impl EncodedSite {
    fn describe(&self, prefix: &SitePrefix) -> Published {
        Published {
            prefix: *prefix,
            files: self.files.len(),
            bytes: self.manifest.files.values().map(|file| file.size).sum(),
            encoded_bytes: self.pack.iter().map(|form| form.len() as u64).sum(),
        }
    }
}

async fn encode(files: Vec<(SiteKey, Bytes)>) -> Result<EncodedSite, PublishError> {
    let encoded = task::spawn_blocking(move || {
        let forms = encode_on_all_cores(&files)?;
        Ok(assemble(files, forms))
    });
    encoded.await.unwrap_or_else(|panic| Err(panic.into())).map_err(PublishError::Encode)
}

/// What is computed from one file.
struct EncodedFile {
    sha256: String,
    forms: Vec<(Encoding, Bytes)>,
}

/// The results in the order of `files`.
fn encode_on_all_cores(files: &[(SiteKey, Bytes)]) -> io::Result<Vec<Arc<EncodedFile>>> {
    let next = AtomicUsize::new(0);
    let take_turns = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some((key, bytes)) = files.get(index) else { return io::Result::Ok(done) };
            done.push((index, encode_file(key, bytes)?));
        }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from).min(files.len().max(1));
    let mut done = thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(take_turns)).collect();
        let mut done = Vec::with_capacity(files.len());
        for thread in threads {
            done.extend(thread.join().unwrap_or_else(|_| Err(io::Error::other("a compressor panicked")))?);
        }
        io::Result::Ok(done)
    })?;
    done.sort_unstable_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, file)| file).collect())
}

/// What sites of this version share is computed once: their style and scripts, a few files.
static SHARED: Mutex<BTreeMap<String, Arc<EncodedFile>>> = Mutex::new(BTreeMap::new());

fn encode_file(key: &SiteKey, bytes: &Bytes) -> io::Result<Arc<EncodedFile>> {
    if !is_shared_asset(bytes) {
        return Ok(Arc::new(encode_bytes(key, bytes)?));
    }
    let path = key.path().to_string();
    let kept = SHARED.lock().unwrap_or_else(PoisonError::into_inner).get(&path).cloned();
    if let Some(kept) = kept {
        return Ok(kept);
    }
    let encoded = Arc::new(encode_bytes(key, bytes)?);
    SHARED.lock().unwrap_or_else(PoisonError::into_inner).insert(path, Arc::clone(&encoded));
    Ok(encoded)
}

fn encode_bytes(key: &SiteKey, bytes: &Bytes) -> io::Result<EncodedFile> {
    let sha256 = hex::encode(Sha256::digest(bytes));
    let mut forms = Vec::new();
    if is_compressible(key.content_type()) {
        for encoding in Encoding::ALL {
            let form = encoding.compress(bytes)?;
            if form.len() < bytes.len() {
                forms.push((encoding, form.into()));
            }
        }
    }
    Ok(EncodedFile { sha256, forms })
}

/// Images, fonts and archives are compressed already.
fn is_compressible(content_type: &str) -> bool {
    content_type.starts_with("text/")
        || ["application/json", "application/xml", "application/manifest+json", "image/svg+xml"].contains(&content_type)
}

/// All compressed forms go into one object: that halves the time of a durable publish and leaves a third of the
/// objects.
fn assemble(files: Vec<(SiteKey, Bytes)>, encoded: Vec<Arc<EncodedFile>>) -> EncodedSite {
    let mut listed = BTreeMap::new();
    let mut pack = Vec::new();
    let mut offset = 0;
    for ((key, bytes), file) in files.iter().zip(encoded) {
        let mut encodings = BTreeMap::new();
        for (encoding, form) in &file.forms {
            let size = form.len() as u64;
            encodings.insert(*encoding, PackedForm { offset, size });
            offset += size;
            pack.push(form.clone());
        }
        let size = bytes.len() as u64;
        let content_type = key.content_type().to_owned();
        listed.insert(
            key.path().to_string(),
            ManifestFile { size, sha256: file.sha256.clone(), content_type, encodings },
        );
    }
    EncodedSite { files, pack, manifest: Manifest::new(listed) }
}

async fn write(store: &SiteStore, prefix: &SitePrefix, site: EncodedSite) -> Result<(), StoreError> {
    let pack = (prefix.pack_path(), site.pack);
    let files = site.files.into_iter().map(|(key, bytes)| (key.object_path(), vec![bytes]));
    stream::iter(files.chain([pack]))
        .map(|(path, parts)| async move { store.create_unsynced(&path, parts).await })
        .buffer_unordered(CONCURRENT_WRITES)
        .try_collect::<()>()
        .await?;
    store.sync_site(prefix).await?;
    store.create(&prefix.manifest_path(), [site.manifest.to_json()]).await
}
