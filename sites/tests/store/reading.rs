//! What a reader gets.

use std::io::Read;

use sites::{
    encoding::Encoding,
    key::{CacheRule, SitePrefix},
    publish::publish,
    read::{SiteFile, SiteReader},
    render::SiteFiles,
    store::SiteStore,
};

use crate::{LocalStore, new_prefix, path, site};

const MEMORY: u64 = 1 << 20;

async fn published(store: &SiteStore, word: &str) -> SitePrefix {
    let prefix = new_prefix();
    publish(store, &prefix, &site(word)).await.unwrap();
    prefix
}

async fn open(reader: &SiteReader, prefixes: &[SitePrefix], name: &str, accept: Option<&str>) -> Option<SiteFile> {
    reader.open(prefixes, &path(name), accept).await.unwrap()
}

fn unpack(file: &SiteFile) -> Vec<u8> {
    let mut bytes = Vec::new();
    match file.encoding {
        Some(Encoding::Brotli) => brotli::BrotliDecompress(&mut &*file.bytes, &mut bytes).unwrap(),
        Some(Encoding::Gzip) => drop(flate2::read::GzDecoder::new(&*file.bytes).read_to_end(&mut bytes).unwrap()),
        None => bytes.extend_from_slice(&file.bytes),
    }
    bytes
}

#[tokio::test]
async fn the_densest_accepted_form_is_sent_and_holds_the_same_page() {
    let local = LocalStore::new();
    for store in [SiteStore::memory(), local.store.clone()] {
        let prefixes = [published(&store, "new").await];
        let reader = SiteReader::new(store, MEMORY);
        let cases = [
            (Some("gzip, deflate, br, zstd"), Some(Encoding::Brotli)),
            (Some("gzip;q=1.0, br;q=0"), Some(Encoding::Gzip)),
            (Some("GZIP"), Some(Encoding::Gzip)),
            (Some("*"), Some(Encoding::Brotli)),
            (Some("*, br;q=0.0"), Some(Encoding::Gzip)),
            (Some("identity"), None),
            (Some("br;q=nonsense"), None),
            (Some(""), None),
            (None, None),
        ];
        let mut etags = Vec::new();
        for (accept, encoding) in cases {
            let file = open(&reader, &prefixes, "guide.html", accept).await.unwrap();
            assert_eq!(file.encoding, encoding, "{accept:?}");
            assert_eq!(unpack(&file), site("new")["guide.html"], "{accept:?}");
            assert!(file.varies);
            etags.push(file.etag);
        }
        etags.sort();
        etags.dedup();
        assert_eq!(etags.len(), 3, "each form has its own: {etags:?}");
        let picture = open(&reader, &prefixes, "assets/logo.png", Some("br")).await.unwrap();
        assert_eq!((picture.encoding, picture.varies), (None, false));
    }
}

#[tokio::test]
async fn a_missing_asset_is_found_in_an_older_site_but_a_page_never_is() {
    let store = SiteStore::memory();
    let old = published(&store, "old").await;
    let mut files = site("new");
    files.remove("guide.html");
    let new = new_prefix();
    publish(&store, &new, &files).await.unwrap();
    let reader = SiteReader::new(store, MEMORY);
    let prefixes = [new, old];
    assert!(open(&reader, &prefixes, "assets/site.4e5f6a7b.css", None).await.is_some());
    assert!(open(&reader, &prefixes, "assets/site.0a1b2c3d.css", None).await.is_some(), "of the older site");
    assert!(open(&reader, &prefixes, "assets/site.ffffffff.css", None).await.is_none());
    assert!(open(&reader, &prefixes, "guide.html", None).await.is_none());
    assert!(open(&reader, &[], "guide.html", None).await.is_none());
    assert!(open(&reader, &[new_prefix()], "index.html", None).await.is_none(), "such a site was never published");
}

#[tokio::test]
async fn only_a_name_with_a_hash_may_be_kept_for_ever() {
    let store = SiteStore::memory();
    let prefixes = [published(&store, "new").await];
    let reader = SiteReader::new(store, MEMORY);
    for (name, rule, content_type) in [
        ("assets/site.4e5f6a7b.css", CacheRule::Immutable, "text/css; charset=utf-8"),
        ("assets/logo.png", CacheRule::Revalidate, "image/png"),
        ("index.html", CacheRule::Revalidate, "text/html; charset=utf-8"),
        (".nojekyll", CacheRule::Revalidate, "text/plain; charset=utf-8"),
    ] {
        let file = open(&reader, &prefixes, name, None).await.unwrap();
        assert_eq!((file.cache_rule, file.content_type.as_str()), (rule, content_type), "{name}");
    }
}

#[tokio::test]
async fn a_file_that_was_read_is_answered_from_memory() {
    let local = LocalStore::new();
    let prefixes = [published(&local.store, "new").await];
    let reader = SiteReader::new(local.store.clone(), MEMORY);
    let first = open(&reader, &prefixes, "guide.html", Some("br")).await.unwrap();
    local.store.remove_site(&prefixes[0]).await.unwrap();
    let second = open(&reader, &prefixes, "guide.html", Some("br")).await.unwrap();
    assert_eq!((first.bytes, first.etag), (second.bytes, second.etag));
    assert!(open(&reader, &prefixes, "index.html", Some("br")).await.is_none(), "this one was not read before");
}

#[tokio::test]
async fn files_larger_than_the_memory_are_served_all_the_same() {
    let store = SiteStore::memory();
    let prefix = new_prefix();
    let files: SiteFiles = (0..40).map(|number| (format!("page-{number}.html"), crate::noise(20_000))).collect();
    publish(&store, &prefix, &files).await.unwrap();
    let reader = SiteReader::new(store, 4_000);
    for (name, bytes) in &files {
        assert_eq!(open(&reader, &[prefix], name, None).await.unwrap().bytes, bytes);
    }
}
