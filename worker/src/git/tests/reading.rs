//! Rules about reading files of a commit, copying them, and carrying the commit to another host.

use std::fs;

use super::{
    super::{
        ExportLimits, GitFailure, export_tree, list_files, open_bare, pack_commit, read_blob, restore_commit,
        tree::Exported,
    },
    FILE, LINK, World, commit_tree, crafted_tree, noise,
};

const EXPORT: ExportLimits = ExportLimits { max_files: 100, max_file_bytes: 1000, max_total_bytes: 10_000 };

#[tokio::test]
async fn only_regular_files_are_listed_and_copied() {
    let world = World::new();
    let repository = world.repository(
        "demo",
        &[
            ("src/a", FILE, b"a"),
            ("run", 0o100_755, b"#!/bin/sh\n"),
            ("link", LINK, b"/etc/passwd"),
            ("up", LINK, b"../.."),
        ],
    );
    drop(repository);
    let checkout = world.clone_local("demo", "main").await.unwrap();

    let list = list_files(&checkout, 100).unwrap();
    let paths: Vec<_> = list.files.iter().map(|file| (file.path.as_str(), file.is_executable)).collect();
    assert_eq!(paths, [("run", true), ("src/a", false)]);
    assert_eq!((list.links, list.skipped_names), (2, 0));

    let copy = world.path("copy");
    let exported = export_tree(&checkout, &copy, &|path| path != "run", EXPORT).unwrap();
    assert_eq!(exported, Exported { files: 1, bytes: 1, skipped: 0 });
    let entries: Vec<_> = fs::read_dir(&copy).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(entries, ["src"]);
    assert_eq!(fs::read(copy.join("src/a")).unwrap(), b"a");
}

#[tokio::test]
async fn names_that_leave_the_folder_are_skipped() {
    let world = World::new();
    let repository = world.repository("demo", &[("a", FILE, b"a")]);
    let blob = repository.blob(b"x").unwrap();
    let inner = crafted_tree(&repository, &[("100644", b"hooks", blob)]);
    let root = crafted_tree(
        &repository,
        &[
            ("100644", b"..", blob),
            ("100644", b".GIT", blob),
            ("40000", b".git", inner),
            ("100644", b"/etc/x", blob),
            ("100644", b"a/../../x", blob),
            ("100644", b"\xff\xfe", blob),
            ("160000", b"module", blob),
            ("100644", b"ok", blob),
            ("40000", b"ok", inner),
        ],
    );
    let commit = commit_tree(&repository, root);
    repository.reference("refs/heads/hostile", commit, true, "").unwrap();
    let checkout = world.clone_local("demo", "hostile").await.unwrap();

    let list = list_files(&checkout, 100).unwrap();
    let paths: Vec<_> = list.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["ok", "ok/hooks"]);
    assert_eq!((list.links, list.skipped_names), (1, 6));
    // a file and a folder of one name: whichever comes first
    let exported = export_tree(&checkout, &world.path("copy"), &|_| true, EXPORT).unwrap();
    assert_eq!(exported, Exported { files: 1, bytes: 1, skipped: 1 });
}

#[tokio::test]
async fn copies_and_reads_stay_within_their_limits() {
    let world = World::new();
    world.repository("demo", &[("a", FILE, &[b'a'; 900]), ("b", FILE, &[b'b'; 900]), ("c", FILE, &[b'c'; 1001])]);
    let checkout = world.clone_local("demo", "main").await.unwrap();
    let exported = export_tree(&checkout, &world.path("copy"), &|_| true, EXPORT).unwrap();
    assert_eq!(exported, Exported { files: 2, bytes: 1800, skipped: 1 });

    let limits = ExportLimits { max_total_bytes: 1000, ..EXPORT };
    let error = export_tree(&checkout, &world.path("copy2"), &|_| true, limits).unwrap_err();
    assert_eq!(error.failure, GitFailure::OverLimit);
    assert!(error.message.contains("1000 bytes"), "{error}");

    let list = list_files(&checkout, 100).unwrap();
    let repository = open_bare(&checkout.git_dir).unwrap();
    assert_eq!(read_blob(&repository, list.files[0].blob, 900).unwrap(), [b'a'; 900]);
    assert_eq!(read_blob(&repository, list.files[0].blob, 899), None);
}

#[tokio::test]
async fn a_packed_commit_is_restored_elsewhere_without_what_was_left_out() {
    let mut world = World::new();
    world.limits.max_blob_bytes = 1000;
    world.repository("demo", &[("a/b/c", FILE, b"c"), ("large", FILE, &noise(5000)), ("z", FILE, b"z")]);
    let checkout = world.clone_local("demo", "main").await.unwrap();
    let pack = world.path("commit.pack");
    let bytes = pack_commit(&checkout, &pack, &world.limits, &world.cancel).await.unwrap();
    assert_eq!(bytes, fs::metadata(&pack).unwrap().len());
    assert!(bytes < 1000, "{bytes}");
    fs::remove_dir_all(world.path("demo")).unwrap();

    let elsewhere = world.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let (commit, branch) = (&checkout.commit, &checkout.branch);
    let restored = restore_commit(&pack, &elsewhere, commit, branch, &world.limits, &world.cancel).await.unwrap();
    assert_eq!(restored.commit_time, checkout.commit_time);
    assert_eq!(list_files(&restored, 100).unwrap().files, list_files(&checkout, 100).unwrap().files);

    // a pack of a pack is the same commit once more
    let again = world.path("again.pack");
    assert_eq!(pack_commit(&restored, &again, &world.limits, &world.cancel).await.unwrap(), bytes);
    assert!(pack_commit(&restored, &again, &world.limits, &world.cancel).await.is_err(), "packs are written once");
    assert!(again.exists(), "a pack that was there before must stay");
}

#[tokio::test]
async fn a_damaged_pack_or_another_commit_is_noticed() {
    let world = World::new();
    world.repository("demo", &[("a", FILE, b"a")]);
    let checkout = world.clone_local("demo", "main").await.unwrap();
    let pack = world.path("commit.pack");
    pack_commit(&checkout, &pack, &world.limits, &world.cancel).await.unwrap();

    let restore = async |name: &str, commit: &str| {
        let folder = world.path(name);
        fs::create_dir(&folder).unwrap();
        let commit = commit.parse().unwrap();
        restore_commit(&pack, &folder, &commit, &checkout.branch, &world.limits, &world.cancel).await
    };
    restore("good", checkout.commit.as_str()).await.unwrap();
    let error = restore("other", &"0".repeat(40)).await.unwrap_err();
    assert_eq!(error.failure, GitFailure::Host, "{error}");

    let mut content = fs::read(&pack).unwrap();
    content[20] ^= 1;
    fs::write(&pack, content).unwrap();
    let error = restore("damaged", checkout.commit.as_str()).await.unwrap_err();
    let folder = world.path("damaged").display().to_string();
    assert!(!error.message.contains(&folder), "{error}");
}
