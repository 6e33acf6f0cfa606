//! The pinned commits beside the sites.

use std::fs;

use shared::ids::GenerationId;
use sites::store::SiteStore;

use crate::{LocalStore, noise};

#[tokio::test]
async fn a_commit_comes_back_as_it_was_until_it_is_removed() {
    let work = tempfile::tempdir().unwrap();
    let (sent, fetched) = (work.path().join("sent.pack"), work.path().join("fetched.pack"));
    // more than one part
    fs::write(&sent, noise(6 * 1024 * 1024)).unwrap();
    let local = LocalStore::new();
    for store in [SiteStore::memory(), local.store.clone()] {
        let generation = GenerationId::new();
        assert!(!store.get_commit(generation, "commit.pack", &fetched).await.unwrap());
        assert!(!fetched.exists());
        store.put_commit(generation, "commit.pack", &sent).await.unwrap();
        store.put_commit(generation, "commit.pack", &sent).await.unwrap();
        store.put_derived(generation, "commit.index", &sent).await.unwrap();
        for name in ["commit.pack", "commit.index"] {
            assert!(store.get_commit(generation, name, &fetched).await.unwrap());
            assert!(fs::read(&fetched).unwrap() == fs::read(&sent).unwrap());
            fs::remove_file(&fetched).unwrap();
        }

        assert_eq!(store.list_commits().await.unwrap(), [generation]);
        assert!(store.list_prefixes().await.unwrap().is_empty(), "commits are not taken for sites");
        store.remove_commits(generation).await.unwrap();
        assert!(store.list_commits().await.unwrap().is_empty());
        assert!(!store.get_commit(generation, "commit.pack", &fetched).await.unwrap());
        assert!(!store.get_commit(generation, "commit.index", &fetched).await.unwrap());
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_an_error_and_stores_nothing() {
    let local = LocalStore::new();
    let generation = GenerationId::new();
    let missing = local.folder.path().join("missing");
    let error = local.store.put_commit(generation, "commit.pack", &missing).await.unwrap_err();
    assert!(error.to_string().starts_with("the site store could not write `commits/"), "{error}");
    assert!(!error.to_string().contains("missing"), "paths of this host stay out of what people see: {error}");
    assert!(local.store.list_commits().await.unwrap().is_empty());
}
