//! `SiteStore`: where published sites and pinned commits are kept, over an object store.
//!
//! ```text
//! <generation>-<fence>/site/<path>      the files of a site, as they were rendered
//! <generation>-<fence>/encoded.pack     their compressed forms, one after the other
//! <generation>-<fence>/manifest.json    what there is; written last, a site without it does not exist
//! commits/<generation>/<name>           the commit that a generation is made from, and its index
//! ```
//!
//! Everything is written once and never changed. A write that returned survives a crash of the machine; the files of a site do
//! before its manifest is there.

use std::{
    error::Error,
    fs, io,
    ops::Range,
    os::unix::fs::DirBuilderExt,
    path::{Path as FilePath, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use object_store::{
    GetResultPayload, ObjectStore, ObjectStoreExt, PutMode, PutOptions, WriteMultipart, local::LocalFileSystem,
    memory::InMemory, path::Path,
};
use shared::ids::GenerationId;
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncWriteExt},
    task,
};

use crate::key::SitePrefix;

/// Folder of the pinned commits.
const COMMITS: &str = "commits";

/// How much of a commit is in memory at a time: three parts of this size while it is written. S3 takes no less.
const PART_BYTES: usize = 5 * 1024 * 1024;

type AnyError = Box<dyn Error + Send + Sync>;

/// Why something could not be stored or found. The texts name objects of the store, never paths of this host.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No room left.
    #[error("the disk that holds the sites is full")]
    Full(#[source] AnyError),
    /// Somebody wrote it before.
    #[error("`{0}` exists already in the site store and nothing there is ever overwritten")]
    Exists(String),
    /// The object is there and makes no sense.
    #[error("`{object}` in the site store is damaged: {reason}")]
    Damaged {
        /// Which object.
        object: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Anything else that the store or the disk answered.
    #[error("the site store could not {action} `{object}`")]
    Failed {
        /// What was tried.
        action: &'static str,
        /// With which object.
        object: String,
        /// The answer.
        #[source]
        source: AnyError,
    },
}

impl StoreError {
    pub(crate) fn new(action: &'static str, object: impl Into<String>, source: impl Into<AnyError>) -> Self {
        let source = source.into();
        if means_disk_full(source.as_ref()) {
            return Self::Full(source);
        }
        Self::Failed { action, object: object.into(), source }
    }
}

/// Looks for the operating system's word in whatever wraps it.
fn means_disk_full(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>()
            && matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
        {
            return true;
        }
        cause = error.source();
    }
    false
}

/// A store of sites. Clones share it.
#[derive(Debug, Clone)]
pub struct SiteStore {
    objects: Arc<dyn ObjectStore>,
    /// The same one. What is written by it may be lost in a crash, of a site until [`SiteStore::sync_site`] returns.
    unsynced: Arc<dyn ObjectStore>,
    folder: Option<Arc<FilePath>>,
}

impl SiteStore {
    /// Keeps everything in a folder, which is made for this user alone when it is missing. Blocks for as long as that
    /// takes.
    pub fn local(folder: &FilePath) -> Result<Self, StoreError> {
        let open = || {
            if let Some(parent) = folder.parent() {
                fs::create_dir_all(parent)?;
            }
            match fs::DirBuilder::new().mode(0o700).create(folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
                _ => folder.canonicalize(),
            }
        };
        let folder = open().map_err(|error| StoreError::new("open", "its folder", error))?;
        let open =
            || LocalFileSystem::new_with_prefix(&folder).map_err(|error| StoreError::new("open", "its folder", error));
        let (objects, unsynced) = (Arc::new(open()?.with_fsync(true)), Arc::new(open()?));
        Ok(Self { objects, unsynced, folder: Some(folder.into()) })
    }

    /// Keeps everything in memory, for tests.
    pub fn memory() -> Self {
        let objects = Arc::new(InMemory::new());
        Self { unsynced: Arc::clone(&objects) as _, objects, folder: None }
    }

    /// Where a site lies as plain files, when it does.
    pub fn folder_of(&self, prefix: &SitePrefix) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join(prefix.to_string()).join("site"))
    }

    /// Whether something can be written now: writes and removes a few bytes under a name that means nothing.
    pub async fn check_writable(&self) -> Result<(), StoreError> {
        let path = Path::from(format!("probe-{}", GenerationId::new()));
        self.create(&path, [Bytes::from_static(b"probe")]).await?;
        self.remove_object(&path).await
    }

    /// All sites, half written ones too, in order of generation and fence.
    pub async fn list_prefixes(&self) -> Result<Vec<SitePrefix>, StoreError> {
        let mut prefixes: Vec<SitePrefix> =
            self.list_folders(None).await?.iter().filter_map(|name| name.parse().ok()).collect();
        prefixes.sort();
        Ok(prefixes)
    }

    /// Removes a site, or what there is of it; no error when there is nothing.
    pub async fn remove_site(&self, prefix: &SitePrefix) -> Result<(), StoreError> {
        // first what makes it a site, so that nobody finds half of one
        self.remove_object(&prefix.manifest_path()).await?;
        self.remove_folder(&prefix.root_path()).await
    }

    /// Stores a file that pins the commit of a generation, such as `<sha>.pack`. A second time replaces it: both hold
    /// the same commit.
    pub async fn put_commit(&self, generation: GenerationId, name: &str, file: &FilePath) -> Result<(), StoreError> {
        put_commit(self.objects.as_ref(), generation, name, file).await
    }

    /// The same for what can be made again from that commit: a crash of the host may take it or cut it, so whoever reads it
    /// checks it.
    pub async fn put_derived(&self, generation: GenerationId, name: &str, file: &FilePath) -> Result<(), StoreError> {
        put_commit(self.unsynced.as_ref(), generation, name, file).await
    }

    /// Fetches such a file; `false` when there is none.
    pub async fn get_commit(&self, generation: GenerationId, name: &str, file: &FilePath) -> Result<bool, StoreError> {
        let path = commit_path(generation, name);
        let fetched = fetch_file(self.objects.as_ref(), &path, file).await;
        fetched.map_err(|error| StoreError::new("read", path.as_ref(), error))
    }

    /// The generations whose commits are kept.
    pub async fn list_commits(&self) -> Result<Vec<GenerationId>, StoreError> {
        let names = self.list_folders(Some(&Path::from(COMMITS))).await?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// Removes all that pins the commit of a generation; no error when there is nothing.
    pub async fn remove_commits(&self, generation: GenerationId) -> Result<(), StoreError> {
        self.remove_folder(&Path::from_iter([COMMITS, &generation.to_string()])).await
    }

    /// Writes an object that must not be there yet.
    pub(crate) async fn create(&self, path: &Path, parts: impl IntoIterator<Item = Bytes>) -> Result<(), StoreError> {
        create(self.objects.as_ref(), path, parts).await
    }

    /// The same for one of many objects of a site, which survive a crash when [`Self::sync_site`] has returned.
    pub(crate) async fn create_unsynced(
        &self,
        path: &Path,
        parts: impl IntoIterator<Item = Bytes>,
    ) -> Result<(), StoreError> {
        create(self.unsynced.as_ref(), path, parts).await
    }

    /// Waits until all that is written of a site survives a crash. Once for all of it: the disk is asked for each file and each
    /// folder once, not for every folder above each file.
    pub(crate) async fn sync_site(&self, prefix: &SitePrefix) -> Result<(), StoreError> {
        // other stores keep what they have taken
        let Some(folder) = self.folder.clone() else { return Ok(()) };
        let site = folder.join(prefix.to_string());
        let synced = task::spawn_blocking(move || {
            sync_tree(&site)?;
            fs::File::open(folder.as_ref())?.sync_all()
        });
        let synced = synced.await.unwrap_or_else(|panic| Err(panic.into()));
        synced.map_err(|error| StoreError::new("write", prefix.to_string(), error))
    }

    /// Reads an object, or a part of it; `None` when there is no such object.
    pub(crate) async fn read(&self, path: &Path, range: Option<Range<u64>>) -> Result<Option<Bytes>, StoreError> {
        let read = async {
            match range {
                Some(range) => self.objects.get_range(path, range).await,
                None => self.objects.get(path).await?.bytes().await,
            }
        };
        match read.await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(StoreError::new("read", path.as_ref(), error)),
        }
    }

    async fn list_folders(&self, parent: Option<&Path>) -> Result<Vec<String>, StoreError> {
        let listed = match self.objects.list_with_delimiter(parent).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(Vec::new()),
            result => result.map_err(|error| StoreError::new("list", parent.map_or("/", Path::as_ref), error))?,
        };
        let names = listed.common_prefixes.iter().filter_map(|folder| folder.filename().map(str::to_owned));
        Ok(names.collect())
    }

    async fn remove_object(&self, path: &Path) -> Result<(), StoreError> {
        match self.objects.delete(path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(StoreError::new("remove", path.as_ref(), error)),
        }
    }

    async fn remove_folder(&self, path: &Path) -> Result<(), StoreError> {
        let Some(folder) = &self.folder else {
            let objects = self.objects.list(Some(path)).map_ok(|object| object.location).boxed();
            let removed = self.objects.delete_stream(objects).try_for_each(|_| async { Ok(()) }).await;
            return removed.map_err(|error| StoreError::new("remove", path.as_ref(), error));
        };
        // the object store leaves empty folders, and does not see what a killed process had begun to write
        let folder = folder.join(path.as_ref());
        let removed = task::spawn_blocking(move || fs::remove_dir_all(folder)).await;
        match removed.unwrap_or_else(|panic| Err(panic.into())) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StoreError::new("remove", path.as_ref(), error))
            }
            _ => Ok(()),
        }
    }
}

async fn create(
    objects: &dyn ObjectStore,
    path: &Path,
    parts: impl IntoIterator<Item = Bytes>,
) -> Result<(), StoreError> {
    match objects.put_opts(path, parts.into_iter().collect(), PutOptions::from(PutMode::Create)).await {
        Ok(_) => Ok(()),
        Err(object_store::Error::AlreadyExists { .. }) => Err(StoreError::Exists(path.to_string())),
        Err(error) => Err(StoreError::new("write", path.as_ref(), error)),
    }
}

async fn put_commit(
    objects: &dyn ObjectStore,
    generation: GenerationId,
    name: &str,
    file: &FilePath,
) -> Result<(), StoreError> {
    let path = commit_path(generation, name);
    let sent = send_file(objects, &path, file).await;
    sent.map_err(|error| StoreError::new("write", path.as_ref(), error))
}

/// Every file and every folder below a folder, and the folder itself.
fn sync_tree(folder: &FilePath) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        } else {
            fs::File::open(entry.path())?.sync_all()?;
        }
    }
    fs::File::open(folder)?.sync_all()
}

async fn send_file(objects: &dyn ObjectStore, path: &Path, file: &FilePath) -> Result<(), AnyError> {
    let mut source = File::open(file).await?;
    let mut upload = WriteMultipart::new_with_chunk_size(objects.put_multipart(path).await?, PART_BYTES);
    match send_parts(&mut source, &mut upload).await {
        Ok(()) => drop(upload.finish().await?),
        Err(error) => {
            if let Err(error) = upload.abort().await {
                tracing::warn!(%error, "a part of an unfinished upload stays behind");
            }
            return Err(error);
        }
    }
    Ok(())
}

async fn send_parts(source: &mut File, upload: &mut WriteMultipart) -> Result<(), AnyError> {
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let length = source.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        upload.wait_for_capacity(2).await?;
        upload.write(&buffer[..length]);
    }
}

/// `false` when there is no such object; the file is not made then.
async fn fetch_file(objects: &dyn ObjectStore, path: &Path, file: &FilePath) -> Result<bool, AnyError> {
    let found = match objects.get(path).await {
        Err(object_store::Error::NotFound { .. }) => return Ok(false),
        result => result?,
    };
    match found.payload {
        // the kernel copies by itself
        GetResultPayload::File(mut source, _) => {
            let file = file.to_path_buf();
            task::spawn_blocking(move || io::copy(&mut source, &mut fs::File::create(file)?)).await??;
        }
        GetResultPayload::Stream(mut parts) => {
            let mut target = File::create(file).await?;
            while let Some(part) = parts.try_next().await? {
                target.write_all(&part).await?;
            }
            target.flush().await?;
        }
    }
    Ok(true)
}

fn commit_path(generation: GenerationId, name: &str) -> Path {
    Path::from_iter([COMMITS, &generation.to_string(), name])
}
