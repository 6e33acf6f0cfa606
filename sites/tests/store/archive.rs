//! What a download holds.

use std::{io::Read, path::Path};

use futures_util::TryStreamExt;
use sites::{archive::archive_site, key::SitePrefix, publish::publish, render::SiteFiles, store::SiteStore};

use crate::{LocalStore, new_prefix, site};

const COMMIT_TIME: u64 = 1_700_000_000;

async fn download(store: &SiteStore, prefix: SitePrefix) -> Vec<u8> {
    let parts = archive_site(store, prefix, "demo-main", COMMIT_TIME).await.unwrap().unwrap();
    parts
        .try_fold(Vec::new(), |mut all, part| async move {
            all.extend_from_slice(&part);
            Ok(all)
        })
        .await
        .unwrap()
}

#[tokio::test]
async fn an_archive_holds_exactly_the_files_of_the_site_in_order() {
    let store = SiteStore::memory();
    let prefix = new_prefix();
    publish(&store, &prefix, &site("new")).await.unwrap();
    let bytes = download(&store, prefix).await;
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&*bytes));
    let mut unpacked = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let header = entry.header().clone();
        assert!(header.as_ustar().is_some());
        assert_eq!(header.entry_type(), tar::EntryType::Regular);
        assert_eq!((header.mode().unwrap(), header.mtime().unwrap()), (0o644, COMMIT_TIME));
        assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
        let path = entry.path().unwrap().strip_prefix(Path::new("demo-main")).unwrap().to_str().unwrap().to_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        unpacked.push((path, content));
    }
    assert_eq!(unpacked, site("new").into_iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn the_same_site_gives_the_same_bytes_from_every_store() {
    let mut archives = Vec::new();
    let local = LocalStore::new();
    for store in [SiteStore::memory(), local.store.clone()] {
        // another generation with the same pages
        let prefix = new_prefix();
        publish(&store, &prefix, &site("new")).await.unwrap();
        archives.push(download(&store, prefix).await);
        archives.push(download(&store, prefix).await);
    }
    archives.dedup();
    assert_eq!(archives.len(), 1);
    assert_eq!(archives[0][4..8], [0; 4], "no time in the gzip header");
    assert_eq!(archives[0][9], 255, "no system in the gzip header");
}

#[tokio::test]
async fn a_site_that_was_not_published_has_no_archive() {
    assert!(archive_site(&SiteStore::memory(), new_prefix(), "demo", 0).await.unwrap().is_none());
}

#[tokio::test]
async fn an_archive_is_made_while_it_is_read_and_a_missing_file_breaks_it_off() {
    let store = SiteStore::memory();
    let prefix = new_prefix();
    let files: SiteFiles = (0..9).map(|number| (format!("page-{number}.html"), crate::noise(100_000))).collect();
    publish(&store, &prefix, &files).await.unwrap();
    let mut parts = Box::pin(archive_site(&store, prefix, "demo", 0).await.unwrap().unwrap());
    let first = parts.try_next().await.unwrap().unwrap();
    assert!(first.len() < 200_000, "not the whole of it: {}", first.len());
    store.remove_site(&prefix).await.unwrap();
    let rest = parts.try_fold(0, |all, part| async move { Ok(all + part.len()) }).await;
    assert!(rest.unwrap_err().to_string().contains("is missing"));
}
