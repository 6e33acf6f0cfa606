//! A disk without room, which is a small tmpfs here.

use std::{fs, path::PathBuf, process::Command};

use sites::{
    publish::{PublishError, publish},
    read::SiteReader,
    store::{SiteStore, StoreError},
};
use tempfile::TempDir;

use crate::{new_prefix, noise, path, site};

/// Unmounted when dropped.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// `None`, with a note, where we may not mount.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=256k", "docmill-test"]).arg(folder.path()).output();
        match mount {
            Ok(output) if output.status.success() => Some(Self(folder)),
            Ok(output) => {
                println!("skipped, no tmpfs can be mounted: {}", String::from_utf8_lossy(&output.stderr));
                None
            }
            Err(error) => {
                println!("skipped, no `mount` here: {error}");
                None
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.0.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "{} stays mounted", self.0.path().display());
    }
}

#[tokio::test]
async fn a_full_disk_is_named_and_leaves_the_old_site_and_no_half_one() {
    let Some(disk) = SmallDisk::mount() else { return };
    let folder: PathBuf = disk.0.path().join("sites");
    let store = SiteStore::local(&folder).unwrap();
    let (old, new) = (new_prefix(), new_prefix());
    publish(&store, &old, &site("old")).await.unwrap();

    let mut files = site("new");
    files.extend((0..20).map(|number| (format!("assets/picture-{number}.png"), noise(30_000))));
    let error = publish(&store, &new, &files).await.unwrap_err();
    assert!(matches!(error, PublishError::Store(StoreError::Full(_))), "{error:?}");
    assert_eq!(error.to_string(), "the disk that holds the sites is full");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "only the old site is left");
    let reader = SiteReader::new(store.clone(), 1 << 20);
    let page = reader.open(&[old], &path("guide.html"), None).await.unwrap().unwrap();
    assert_eq!(page.bytes, site("old")["guide.html"]);

    publish(&store, &new, &site("new")).await.unwrap();
}

#[tokio::test]
async fn a_commit_that_does_not_fit_is_an_error_that_says_so() {
    let Some(disk) = SmallDisk::mount() else { return };
    let store = SiteStore::local(&disk.0.path().join("sites")).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("commit.pack");
    fs::write(&file, noise(400_000)).unwrap();
    let error = store.put_commit(new_prefix().generation(), "commit.pack", &file).await.unwrap_err();
    assert!(matches!(error, StoreError::Full(_)), "{error:?}");
}
