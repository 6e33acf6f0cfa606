//! A site as one `.tar.gz` whose bytes depend on nothing but the site, the name of its folder and the time given.

use std::io;

use bytes::Bytes;
use flate2::write::GzEncoder;
use futures_util::{Stream, stream};
use tokio::task;

use crate::{
    encoding::gzip_encoder,
    key::{SiteKey, SitePrefix},
    manifest::Manifest,
    read::SitePath,
    store::{SiteStore, StoreError},
};

/// Streams all files of a site below the folder `top_folder`, in order of path, as `ustar` with fixed modes and owners.
/// `mtime` is in seconds since 1970, that of the commit for instance. `None` when no such site was published.
///
/// A file is read when the receiver asks for the next part, so a slow receiver costs one file of memory and no thread,
/// and nothing goes on after it is gone. An error ends the stream without the end of the archive, so that a receiver
/// can tell that it is not whole.
pub async fn archive_site(
    store: &SiteStore,
    prefix: SitePrefix,
    top_folder: &str,
    mtime: u64,
) -> Result<Option<impl Stream<Item = io::Result<Bytes>> + Send + use<>>, StoreError> {
    let Some(manifest) = Manifest::find(store, &prefix).await? else { return Ok(None) };
    let archive = Archive {
        store: store.clone(),
        prefix,
        top_folder: top_folder.to_owned(),
        mtime,
        paths: manifest.files.into_keys().collect::<Vec<_>>().into_iter(),
        tar: tar::Builder::new(gzip_encoder(Vec::new())),
    };
    Ok(Some(stream::try_unfold(Some(archive), |archive| async {
        match archive {
            Some(archive) => archive.next_part().await.map(Some),
            None => Ok(None),
        }
    })))
}

struct Archive {
    store: SiteStore,
    prefix: SitePrefix,
    top_folder: String,
    mtime: u64,
    paths: std::vec::IntoIter<String>,
    tar: tar::Builder<GzEncoder<Vec<u8>>>,
}

impl Archive {
    /// Packs files until there is something to send; `None` instead of the archive means that this part is the last.
    async fn next_part(mut self) -> io::Result<(Bytes, Option<Self>)> {
        loop {
            let Some(path) = self.paths.next() else {
                let rest = run_blocking(move || self.tar.into_inner()?.finish()).await?;
                return Ok((rest.into(), None));
            };
            self = self.add(path).await?;
            let packed = std::mem::take(self.tar.get_mut().get_mut());
            if !packed.is_empty() {
                return Ok((packed.into(), Some(self)));
            }
        }
    }

    async fn add(mut self, path: String) -> io::Result<Self> {
        let damaged = || io::Error::other(format!("`{path}` of the site `{}` is missing or misnamed", self.prefix));
        let key = SiteKey::new(self.prefix, SitePath::parse(&path).map_err(|_| damaged())?);
        let bytes = self.store.read(&key.object_path(), None).await.map_err(io::Error::other)?.ok_or_else(damaged)?;
        run_blocking(move || {
            let mut header = tar::Header::new_ustar();
            header.set_entry_type(tar::EntryType::Regular);
            header.set_mode(0o644);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(self.mtime);
            header.set_size(bytes.len() as u64);
            self.tar.append_data(&mut header, format!("{}/{}", self.top_folder, key.path()), &*bytes)?;
            Ok(self)
        })
        .await
    }
}

async fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    task::spawn_blocking(work).await.unwrap_or_else(|panic| Err(panic.into()))
}
