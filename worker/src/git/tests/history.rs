//! Rules about which commit changed some lines of a file.

use git2::{Oid, Repository, Signature, Time};
use shared::source::RepoSource;

use super::{
    super::{Since, fetch_contents, fetch_history},
    FILE, World,
};

/// A commit with these files and nothing else.
fn commit(repository: &Repository, parents: &[Oid], files: &[(&str, &str)]) -> Oid {
    let mut tree = repository.treebuilder(None).unwrap();
    for (name, text) in files {
        let blob = repository.blob(text.as_bytes()).unwrap();
        tree.insert(name, blob, i32::try_from(FILE).unwrap()).unwrap();
    }
    let tree = repository.find_tree(tree.write().unwrap()).unwrap();
    let who = Signature::new("A", "a@example.org", &Time::new(1_700_000_000, 0)).unwrap();
    let parents: Vec<_> = parents.iter().map(|parent| repository.find_commit(*parent).unwrap()).collect();
    repository.commit(None, &who, &who, "x", &tree, &parents.iter().collect::<Vec<_>>()).unwrap()
}

/// Twenty lines, one of them with something else in it.
fn twenty(other: usize) -> String {
    (1..=20).map(|line| if line == other { "other\n".to_owned() } else { format!("line {line}\n") }).collect()
}

/// What came after `base`, as a remote tells it, with all texts that are needed when `with_texts`.
async fn since(world: &World, base: Oid, head: Oid, files: &[&str], with_texts: bool) -> Since {
    let repository = Repository::open(world.path("demo")).unwrap();
    repository.reference("refs/heads/main", head, true, "").unwrap();
    let (source, branch, folder) =
        (RepoSource::LocalPath(world.path("demo")), "main".parse().unwrap(), world.run_folder());
    let request = world.request(&source, &branch, &folder);
    let history = fetch_history(&request, &head.to_string().parse().unwrap(), &world.cancel).await.unwrap();
    let base = base.to_string().parse().unwrap();
    let since = history.since(&base).unwrap();
    let touches: Vec<_> = files.iter().map(|file| since.touches(file).unwrap()).collect();
    let missing = since.missing_contents(touches.iter().map(Vec::as_slice));
    if with_texts && !missing.is_empty() {
        fetch_contents(&request, &history, &missing, &world.cancel).await.unwrap();
    }
    history.since(&base).unwrap()
}

#[tokio::test]
async fn of_several_commits_the_first_that_changed_the_lines_is_named() {
    let world = World::new();
    let repository = Repository::init(world.path("demo")).unwrap();
    let base = commit(&repository, &[], &[("f", &twenty(0))]);
    let above = commit(&repository, &[base], &[("f", &format!("new\n{}", twenty(0)))]);
    let changed = commit(&repository, &[above], &[("f", &format!("new\n{}", twenty(10)))]);
    let elsewhere = commit(&repository, &[changed], &[("f", &format!("new\n{}", twenty(10))), ("g", "g\n")]);
    let head = commit(&repository, &[elsewhere], &[("f", &format!("new\n{}end\n", twenty(10))), ("g", "g\n")]);

    let blind = since(&world, base, head, &["f"], false).await;
    let touches = blind.touches("f").unwrap();
    assert_eq!((blind.count(), touches.len()), (4, 3));
    assert_eq!(blind.first_to_change(&touches, Some((10, 10))), None, "nobody knows the texts");
    assert_eq!(blind.first_to_change(&blind.touches("g").unwrap(), Some((1, 1))), Some(elsewhere.to_string()));
    std::fs::remove_dir_all(world.run_folder()).unwrap();
    std::fs::create_dir(world.run_folder()).unwrap();

    let since = since(&world, base, head, &["f"], true).await;
    let first = |lines| since.first_to_change(&touches, lines);
    for lines in [(10, 10), (8, 12), (1, 10), (10, 20)] {
        assert_eq!(first(Some(lines)), Some(changed.to_string()), "{lines:?}");
    }
    // lines above and below were only moved
    for lines in [(1, 9), (11, 20)] {
        assert_eq!(first(Some(lines)), None, "{lines:?}");
    }
    assert_eq!(first(None), Some(above.to_string()), "of the whole file");
}

#[tokio::test]
async fn lines_between_which_something_is_added_or_removed_are_changed() {
    let world = World::new();
    let repository = Repository::init(world.path("demo")).unwrap();
    let base = commit(&repository, &[], &[("f", &twenty(0))]);
    let added = commit(&repository, &[base], &[("f", &twenty(0).replace("line 5\n", "line 5\nnew\n"))]);
    let text = twenty(0).replace("line 5\n", "line 5\nnew\n").replace("line 15\n", "");
    let head = commit(&repository, &[added], &[("f", &text)]);
    let since = since(&world, base, head, &["f"], true).await;
    let touches = since.touches("f").unwrap();
    let first = |lines| since.first_to_change(&touches, Some(lines));
    assert_eq!(first((5, 6)), Some(added.to_string()));
    assert_eq!((first((1, 5)), first((6, 14)), first((16, 20))), (None, None, None));
    assert_eq!(first((14, 15)), Some(head.to_string()));
}

#[tokio::test]
async fn merges_take_over_and_files_go_and_come_back() {
    let world = World::new();
    let repository = Repository::init(world.path("demo")).unwrap();
    let base = commit(&repository, &[], &[("f", "f\n"), ("g", "g\n"), ("h", "h\n")]);
    let left = commit(&repository, &[base], &[("f", "changed\n"), ("g", "g\n"), ("h", "h\n")]);
    let right = commit(&repository, &[base], &[("f", "f\n"), ("g", "g\n")]);
    let merge = commit(&repository, &[left, right], &[("f", "changed\n"), ("g", "g\n")]);
    let back = commit(&repository, &[merge], &[("f", "changed\n"), ("g", "g\n"), ("h", "h\n")]);
    let gone = commit(&repository, &[back], &[("f", "changed\n"), ("g", "g\n")]);
    let since = since(&world, base, gone, &["f", "h"], true).await;
    let touches = |file: &str| since.touches(file).unwrap();
    assert_eq!(since.first_to_change(&touches("f"), Some((1, 1))), Some(left.to_string()));
    assert_eq!((touches("g").len(), touches("h").len()), (0, 3));
    assert_eq!(Since::removed_by(&touches("h")), Some(gone.to_string()));
    assert_eq!(since.first_to_change(&touches("h"), Some((1, 1))), Some(right.to_string()));
    assert_eq!(Since::removed_by(&touches("f")), None);
}
