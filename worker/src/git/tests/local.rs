//! Rules about branches, limits and repositories on this host.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    time::Instant,
};

use git2::{ObjectType, Oid, Signature};
use shared::source::RepoSource;

use super::{
    super::{GitFailure, list_files, remote_head},
    FILE, World, commit_files, commit_tree, crafted_tree, noise,
};

#[tokio::test]
async fn branches_and_tags_are_found_whatever_their_name() {
    let world = World::new();
    let repository = world.repository("demo", &[("a", FILE, b"main")]);
    let feature = commit_files(&repository, &[("a", FILE, b"feature")]);
    repository.reference("refs/heads/feat/x", feature, true, "").unwrap();
    let tagged = commit_files(&repository, &[("a", FILE, b"tagged")]);
    let author = Signature::now("A", "a@example.com").unwrap();
    let commit = repository.find_object(tagged, Some(ObjectType::Commit)).unwrap();
    repository.tag("v1.0", &commit, &author, "annotated", false).unwrap();
    repository.tag_lightweight("light", &commit, false).unwrap();

    for (name, commit) in [("feat/x", feature), ("v1.0", tagged), ("light", tagged)] {
        let checkout = world.clone_local("demo", name).await.unwrap();
        assert_eq!(checkout.commit.as_str(), commit.to_string(), "{name}");
        fs::remove_dir_all(&checkout.git_dir).unwrap();
        let source = RepoSource::LocalPath(world.path("demo"));
        let head = remote_head(&source, &checkout.branch, &world.settings, &world.limits, &world.cancel).await;
        assert_eq!(head.unwrap(), checkout.commit, "{name}");
    }
}

#[tokio::test]
async fn a_missing_branch_is_named_together_with_those_that_exist() {
    let world = World::new();
    world.repository("demo", &[("a", FILE, b"a")]);
    let error = world.clone_local("demo", "mian").await.unwrap_err();
    assert_eq!(error.failure, GitFailure::MissingBranch);
    let path = world.path("demo");
    let path = path.display();
    assert_eq!(error.message, format!("branch or tag `mian` does not exist in `{path}`, it has: main"));

    let source = RepoSource::LocalPath(world.path("demo"));
    let branch = "mian".parse().unwrap();
    let asked = remote_head(&source, &branch, &world.settings, &world.limits, &world.cancel).await;
    assert_eq!(asked.unwrap_err(), error);
}

#[tokio::test]
async fn an_empty_repository_and_a_plain_folder_are_told_apart() {
    let world = World::new();
    git2::Repository::init(world.path("empty")).unwrap();
    let error = world.clone_local("empty", "main").await.unwrap_err();
    assert_eq!(error.failure, GitFailure::EmptyRepository, "{error}");

    fs::create_dir(world.path("plain")).unwrap();
    let error = world.clone_local("plain", "main").await.unwrap_err();
    assert_eq!(error.failure, GitFailure::NotARepository);
    assert!(error.message.starts_with("Not a git repository (no .git directory): '"), "{error}");
    let error = world.clone_local("nothing", "main").await.unwrap_err();
    assert!(error.message.starts_with("Repository path does not exist: '"), "{error}");
}

#[tokio::test]
async fn a_tag_of_something_other_than_a_commit_is_refused() {
    let world = World::new();
    let repository = world.repository("demo", &[("a", FILE, b"a")]);
    let blob = repository.blob(b"x").unwrap();
    repository.reference("refs/tags/odd", blob, true, "").unwrap();
    let error = world.clone_local("demo", "odd").await.unwrap_err();
    assert!(!error.is_retryable(), "{error:?}");
}

#[tokio::test]
async fn a_folder_with_an_unusual_name_is_cloned() {
    let world = World::new();
    for name in ["with space", "100%25", "it's", "--upload-pack=x", "ünï"] {
        world.repository(name, &[("a", FILE, b"a")]);
        let checkout = world.clone_local(name, "main").await.unwrap();
        fs::remove_dir_all(checkout.git_dir).unwrap();
    }
}

#[tokio::test]
async fn nothing_that_a_local_repository_configures_is_executed() {
    let world = World::new();
    let repository = world.repository("demo", &[("a", FILE, b"a"), (".gitattributes", FILE, b"* filter=x diff=x\n")]);
    let canary = world.path("canary");
    let script = world.path("script");
    fs::write(&script, format!("#!/bin/sh\necho $0 $* >> {}\n", canary.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let hooks = repository.path().join("hooks");
    fs::create_dir_all(&hooks).unwrap();
    for hook in ["post-checkout", "pre-receive", "reference-transaction", "post-index-change", "fsmonitor-watchman"] {
        fs::copy(&script, hooks.join(hook)).unwrap();
    }
    let run = script.display().to_string();
    let mut config = repository.config().unwrap();
    for key in [
        "core.fsmonitor",
        "core.sshCommand",
        "core.pager",
        "core.editor",
        "core.alternateRefsCommand",
        "core.askPass",
        "core.gitProxy",
        "diff.external",
        "filter.x.smudge",
        "filter.x.process",
        "uploadpack.packObjectsHook",
        "remote.origin.uploadpack",
        "credential.helper",
        "alias.upload-pack",
    ] {
        config.set_str(key, &run).unwrap();
    }
    config.set_str("core.hooksPath", &hooks.display().to_string()).unwrap();
    config.set_str("remote.origin.url", &format!("ext::{run}")).unwrap();
    config.set_str("remote.origin.promisor", "true").unwrap();
    config.set_str("protocol.ext.allow", "always").unwrap();

    world.clone_local("demo", "main").await.unwrap();
    assert!(!canary.exists(), "{}", fs::read_to_string(&canary).unwrap());

    // even when an object is missing that the repository promises to fetch by that command
    let blob = Oid::hash_object(ObjectType::Blob, b"a").unwrap().to_string();
    fs::remove_file(repository.path().join("objects").join(&blob[..2]).join(&blob[2..])).unwrap();
    fs::remove_dir_all(world.run_folder().join("repository.git")).unwrap();
    world.clone_local("demo", "main").await.unwrap_err();
    assert!(!canary.exists(), "{}", fs::read_to_string(&canary).unwrap());
}

#[tokio::test]
async fn a_clone_above_the_size_limit_fails_and_names_it() {
    let mut world = World::new();
    let content = noise(600_000);
    world.repository("demo", &[("a", FILE, &content[..300_000]), ("b", FILE, &content[300_000..])]);
    world.limits.max_bytes = 256 << 10;
    let error = world.clone_local("demo", "main").await.unwrap_err();
    assert_eq!(error.failure, GitFailure::OverLimit, "{error}");
    assert!(error.message.ends_with("takes more than 262144 bytes, the limit of one clone"), "{error}");
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn a_commit_above_the_file_limit_fails_and_names_it() {
    let mut world = World::new();
    world.repository("demo", &[("a", FILE, b"a"), ("b", FILE, b"b"), ("c/d", FILE, b"d")]);
    world.limits.max_files = 4;
    let checkout = world.clone_local("demo", "main").await.unwrap();
    assert_eq!(list_files(&checkout, 4).unwrap().files.len(), 3);
    fs::remove_dir_all(checkout.git_dir).unwrap();

    world.limits.max_files = 3;
    let error = world.clone_local("demo", "main").await.unwrap_err();
    assert_eq!(error.failure, GitFailure::OverLimit);
    assert_eq!(error.message, "the repository has more than 3 files and folders, the limit for one commit");
}

#[tokio::test]
async fn ten_million_paths_in_a_small_pack_are_refused_at_once() {
    let world = World::new();
    let repository = world.repository("demo", &[("a", FILE, b"a")]);
    let mut entry = ("100644", repository.blob(b"x").unwrap());
    for _ in 0..7 {
        let names: Vec<String> = (0..10).map(|digit| format!("f{digit}")).collect();
        let entries: Vec<_> = names.iter().map(|name| (entry.0, name.as_bytes(), entry.1)).collect();
        entry = ("40000", crafted_tree(&repository, &entries));
    }
    let commit = commit_tree(&repository, entry.1);
    repository.reference("refs/heads/bomb", commit, true, "").unwrap();
    let start = Instant::now();
    let error = world.clone_local("demo", "bomb").await.unwrap_err();
    assert_eq!(error.failure, GitFailure::OverLimit);
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_repository_with_other_object_ids_is_refused_with_a_reason() {
    let world = World::new();
    let init = ["init", "--quiet", "--object-format=sha256", "--initial-branch=main", "demo"];
    let commit =
        ["-C", "demo", "-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "-qm", "x", "--allow-empty"];
    for arguments in [&init[..], &commit[..]] {
        let git = std::process::Command::new("git").args(arguments).current_dir(world.folder.path()).status();
        assert!(git.unwrap().success());
    }
    let error = world.clone_local("demo", "main").await.unwrap_err();
    assert!(error.message.contains("SHA-256"), "{error}");
}

/// Only root can make a repository of somebody else, and only for root it is an everyday case.
#[tokio::test]
async fn root_may_clone_the_repository_of_another_user() {
    let world = World::new();
    let repository = world.repository("demo", &[("a", FILE, b"a")]);
    if shared::os::is_root() {
        for path in [world.path("demo"), repository.path().to_path_buf(), repository.path().join("config")] {
            chown(path, Some(65_534), Some(65_534)).unwrap();
        }
    }
    world.clone_local("demo", "main").await.unwrap();
}
