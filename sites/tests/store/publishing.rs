//! What publishing promises.

use std::fs;

use shared::ids::GenerationId;
use sites::{
    key::SitePrefix,
    publish::{PublishError, publish},
    read::SiteReader,
    render::SiteFiles,
    store::SiteStore,
};

use crate::{LocalStore, new_prefix, path, site};

#[tokio::test]
async fn a_published_site_lies_in_its_folder_as_it_was_rendered() {
    let local = LocalStore::new();
    let (prefix, files) = (new_prefix(), site("new"));
    let published = publish(&local.store, &prefix, &files).await.unwrap();
    assert_eq!((published.files, published.prefix), (5, prefix));
    assert_eq!(published.bytes, files.values().map(|bytes| bytes.len() as u64).sum::<u64>());
    assert!(published.encoded_bytes > 0 && published.encoded_bytes < published.bytes);
    let folder = local.store.folder_of(&prefix).unwrap();
    for (name, bytes) in &files {
        assert_eq!(&fs::read(folder.join(name)).unwrap(), bytes, "{name}");
    }
    let beside: Vec<_> =
        fs::read_dir(folder.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(beside.len(), 3, "the manifest and the pack stand beside the site, not in it: {beside:?}");
}

#[tokio::test]
async fn the_manifest_names_size_hash_type_and_smaller_forms_of_each_file() {
    let store = SiteStore::memory();
    let prefix = new_prefix();
    publish(&store, &prefix, &site("new")).await.unwrap();
    let manifest = SiteReader::new(store, 1 << 20).manifest(&prefix).await.unwrap().unwrap();
    let empty = &manifest.files[".nojekyll"];
    assert_eq!(empty.sha256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_eq!((empty.size, empty.content_type.as_str()), (0, "text/plain; charset=utf-8"));
    assert!(empty.encodings.is_empty(), "nothing is smaller than nothing");
    assert!(manifest.files["assets/logo.png"].encodings.is_empty());
    let page = &manifest.files["guide.html"];
    assert_eq!(page.encodings.len(), 2);
    assert!(page.encodings.values().all(|form| form.size < page.size));
}

#[tokio::test]
async fn publishing_the_same_again_is_no_error_and_another_site_never_replaces_it() {
    let local = LocalStore::new();
    for store in [SiteStore::memory(), local.store.clone()] {
        let prefix = new_prefix();
        let first = publish(&store, &prefix, &site("old")).await.unwrap();
        assert_eq!(publish(&store, &prefix, &site("old")).await.unwrap(), first);
        let refusal = publish(&store, &prefix, &site("new")).await.unwrap_err();
        assert!(matches!(refusal, PublishError::Taken(_)), "{refusal}");
        let page = SiteReader::new(store, 1 << 20).open(&[prefix], &path("guide.html"), None).await.unwrap().unwrap();
        assert_eq!(page.bytes, site("old")["guide.html"]);
    }
}

#[tokio::test]
async fn a_half_written_site_is_not_found_is_listed_and_is_replaced() {
    let local = LocalStore::new();
    let prefix = new_prefix();
    let folder = local.store.folder_of(&prefix).unwrap();
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("guide.html"), "half").unwrap();
    // what a killed process leaves of a file that it was writing
    fs::write(folder.join("index.html#1"), "ha").unwrap();
    let reader = SiteReader::new(local.store.clone(), 1 << 20);
    assert!(reader.open(&[prefix], &path("guide.html"), None).await.unwrap().is_none());
    assert_eq!(local.store.list_prefixes().await.unwrap(), [prefix]);

    publish(&local.store, &prefix, &site("new")).await.unwrap();
    let page = reader.open(&[prefix], &path("guide.html"), None).await.unwrap().unwrap();
    assert_eq!(page.bytes, site("new")["guide.html"]);
    assert!(!folder.join("index.html#1").exists());
}

#[tokio::test]
async fn a_removed_site_is_gone_and_others_stay() {
    let local = LocalStore::new();
    for store in [SiteStore::memory(), local.store.clone()] {
        let generation = GenerationId::new();
        let (first, second) = (SitePrefix::new(generation, 9), SitePrefix::new(generation, 10));
        for prefix in [second, first] {
            publish(&store, &prefix, &site("new")).await.unwrap();
        }
        assert_eq!(store.list_prefixes().await.unwrap(), [first, second]);
        store.remove_site(&first).await.unwrap();
        store.remove_site(&first).await.unwrap();
        assert_eq!(store.list_prefixes().await.unwrap(), [second]);
        let reader = SiteReader::new(store, 1 << 20);
        assert!(reader.open(&[first], &path(""), None).await.unwrap().is_none());
        assert!(reader.open(&[second], &path(""), None).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_path_that_no_reader_could_ask_for_is_not_published() {
    let local = LocalStore::new();
    for name in ["../out.html", "/etc/passwd", "a//b", ".git/config", "a b.html", "ä.html", "x#1", "", "page/"] {
        let files = SiteFiles::from([(name.to_owned(), Vec::new())]);
        let refusal = publish(&local.store, &new_prefix(), &files).await.unwrap_err();
        assert!(matches!(refusal, PublishError::InvalidPath(_)), "{name}: {refusal}");
    }
    assert_eq!(fs::read_dir(local.folder.path()).unwrap().count(), 0);
}

#[test]
fn a_prefix_has_one_spelling() {
    let prefix = new_prefix();
    assert_eq!(prefix.to_string().parse(), Ok(prefix));
    let upper = prefix.to_string().to_uppercase();
    let plus = format!("{}-+1", prefix.generation());
    for wrong in ["", "commits", "7", upper.as_str(), plus.as_str(), &prefix.generation().to_string()] {
        assert!(wrong.parse::<SitePrefix>().is_err(), "{wrong}");
    }
}
