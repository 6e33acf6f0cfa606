//! Rules about what changed between two commits, and about fetching the older one.

use shared::source::RepoSource;

use super::{
    super::{ChangeKind, Checkout, CloneRequest, DiffLimits, changes_between, existing_files, fetch_commit, tree_id},
    FILE, LINK, World, commit_files, noise,
};

const LIMITS: DiffLimits = DiffLimits { file_bytes: 400, total_bytes: 600 };

type Files<'a> = &'a [(&'a str, u32, &'a [u8])];

/// Two commits of one repository, each in a folder of its own.
async fn two_commits(world: &World, old: Files<'_>, new: Files<'_>) -> (Checkout, Checkout) {
    let repository = world.repository("demo", old);
    let before = world.clone_local("demo", "main").await.unwrap();
    std::fs::rename(world.run_folder(), world.path("old")).unwrap();
    std::fs::create_dir(world.run_folder()).unwrap();
    let commit = commit_files(&repository, new);
    repository.reference("refs/heads/main", commit, true, "").unwrap();
    let after = world.clone_local("demo", "main").await.unwrap();
    (Checkout { git_dir: world.path("old").join("repository.git"), ..before }, after)
}

fn lines(count: usize, changed: usize) -> Vec<u8> {
    let line = |number| if number < changed { format!("new {number}\n") } else { format!("line {number}\n") };
    (0..count).map(line).collect::<String>().into_bytes()
}

#[tokio::test]
async fn added_modified_deleted_and_renamed_files_are_told_apart() {
    let world = World::new();
    let (long, edited, other) = (lines(20, 0), lines(20, 5), lines(20, 15));
    let (old, new) = two_commits(
        &world,
        &[
            ("same", FILE, b"same\n"),
            ("edited", FILE, b"one\ntwo\n"),
            ("gone", FILE, b"gone\n"),
            ("moved/a", FILE, b"moved\n"),
            ("src/long", FILE, &long),
            ("src/rewritten", FILE, b"x\ny\nz\n"),
            ("mode", FILE, b"mode\n"),
            ("hidden", FILE, b"a\n"),
            ("link", LINK, b"same"),
            ("empty", FILE, b""),
        ],
        &[
            ("same", FILE, b"same\n"),
            ("edited", FILE, b"one\nzwei\n"),
            ("new", FILE, b"new\n"),
            ("moved/b", FILE, b"moved\n"),
            ("lib/long", FILE, &edited),
            ("lib/other", FILE, &other),
            ("mode", 0o100_755, b"mode\n"),
            ("hidden", FILE, b"b\n"),
            ("link", LINK, b"mode"),
            ("blank", FILE, b""),
        ],
    )
    .await;
    let changes = changes_between(&old, &new, &|path| path != "hidden", 100, LIMITS).unwrap();
    let from = |from: &str| ChangeKind::Renamed { from: from.to_owned() };
    let found: Vec<_> = changes.iter().map(|change| (change.path.as_str(), change.kind.clone())).collect();
    assert_eq!(
        found,
        [
            ("blank", ChangeKind::Added),
            ("edited", ChangeKind::Modified),
            ("empty", ChangeKind::Deleted),
            ("gone", ChangeKind::Deleted),
            ("lib/long", from("src/long")),
            ("lib/other", ChangeKind::Added),
            ("moved/b", from("moved/a")),
            ("new", ChangeKind::Added),
            ("src/rewritten", ChangeKind::Deleted),
        ]
    );
    let diff = changes[1].diff.as_ref().unwrap();
    assert!(diff.contains("-two\n") && diff.contains("+zwei\n"), "{diff}");
    let sizes: Vec<usize> = changes.iter().filter_map(|change| change.diff.as_ref().map(String::len)).collect();
    assert!(sizes.iter().all(|size| *size <= 400) && sizes.iter().sum::<usize>() <= 600, "{sizes:?}");
    assert!(changes[8].diff.is_none(), "the limit of all together is reached");
    assert_ne!(tree_id(&old).unwrap(), tree_id(&new).unwrap());
    let named = ["edited", "../edited", "/edited", "lib", "link", "Edited", "", "lib/long", "lib//long"];
    assert_eq!(existing_files(&new, named).unwrap(), ["edited", "lib/long"]);
}

#[tokio::test]
async fn what_is_no_text_or_too_large_changes_without_a_text() {
    let world = World::new();
    let (one, other) = (noise(2000), noise(2001));
    let (old, new) = two_commits(&world, &[("a", FILE, &one), ("b", FILE, b"b")], &[("a", FILE, &other)]).await;
    let changes = changes_between(&old, &new, &|_| true, 100, LIMITS).unwrap();
    assert_eq!((changes.len(), &changes[0].kind, &changes[0].diff), (2, &ChangeKind::Modified, &None));
    assert!(changes_between(&old, &new, &|_| true, 1, LIMITS).is_err(), "more files than allowed");
}

#[tokio::test]
async fn an_older_commit_is_fetched_by_its_id_as_long_as_the_source_has_it() {
    let world = World::new();
    let (old, new) = two_commits(&world, &[("a", FILE, b"old\n")], &[("a", FILE, b"new\n")]).await;
    let source = RepoSource::LocalPath(world.path("demo"));
    let folder = world.path("fetched");
    std::fs::create_dir(&folder).unwrap();
    let request = CloneRequest {
        source: &source,
        branch: &old.branch,
        settings: &world.settings,
        limits: &world.limits,
        folder: &folder,
    };
    let fetched = fetch_commit(&request, &old.commit, &world.cancel).await.unwrap();
    assert_eq!(tree_id(&fetched).unwrap(), tree_id(&old).unwrap());
    assert_eq!(changes_between(&fetched, &new, &|_| true, 100, LIMITS).unwrap().len(), 1);

    let unknown = "0123456789012345678901234567890123456789".parse().unwrap();
    let folder = world.path("unknown");
    std::fs::create_dir(&folder).unwrap();
    let request = CloneRequest { folder: &folder, ..request };
    let error = fetch_commit(&request, &unknown, &world.cancel).await.unwrap_err();
    assert!(!error.message.contains(&folder.display().to_string()), "{error}");
}
