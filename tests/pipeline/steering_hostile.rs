//! A `docmill.toml` that is broken or means harm: the run ends well, says what it left out, and nobody gets more than before.

use shared::{provider::Provider, variant::Status};

use super::steering::{monorepo, warnings};
use crate::support::{
    repository::Repository,
    world::{World, variant},
};

#[tokio::test]
async fn a_file_that_cannot_be_used_is_a_warning() {
    let world = World::start().await;
    let key = variant("mono", Provider::Builtin);
    let large = format!("title = \"T\"\n# {}", "x".repeat(64 << 10));
    let deep = format!("title = {}", "[".repeat(30_000));
    let dotted = format!("x = {{ {} = 1 }}", vec!["a"; 20_000].join("."));
    for (file, words) in [
        (large.as_str(), "larger than 64 KiB"),
        (deep.as_str(), "no TOML"),
        (dotted.as_str(), "no TOML"),
        ("title = 'a\0b'", "no TOML"),
        ("subdirectory = \"../../etc\"", "`subdirectory` is ignored"),
        ("subdirectory = \"/etc\"", "`subdirectory` is ignored"),
        ("subdirectory = \"a\\u0000b\"", "`subdirectory` is ignored"),
        ("title = \"a\\nb\"", "`title` is ignored"),
        ("exclude = 5\ninclude = \"src\"", "`include` is ignored"),
        (
            "pages = [{title = \"A\", slug = \"../../x\"}, {title = \"B\", slug = \"index\"}]",
            "`pages[0].slug` is ignored",
        ),
        ("colour = \"red\"\n[sandbox]\nmode = \"off\"", "unknown keys are ignored: `colour`, `sandbox`"),
        (
            "provider = \"claude\"\nmodel = \"x\"\nhosts = [\"10.0.0.1\"]\nclone = {max_bytes = 1}",
            "unknown keys are ignored",
        ),
    ] {
        let row = world.generate(&monorepo(file), &key, true).await;
        assert_eq!((row.status, row.error_message.as_deref()), (Status::Ready, None), "{words}");
        let told = warnings(&world, &row).await;
        assert!(told.iter().any(|warning| warning.contains(words)), "{words}: {told:?}");
        assert!(told.iter().all(|warning| warning.len() < 1500 && !warning.contains('\n')), "{told:?}");
        let overview = world.page(&row, "overview").await.unwrap();
        assert!(overview.contains("adds numbers"), "the rest of the repository is as ever: {overview}");
    }
}

#[tokio::test]
async fn globs_made_to_blow_up_are_refused_one_by_one() {
    let world = World::start().await;
    let many = "**/".repeat(80);
    let braces = "{a,".repeat(80);
    let file = format!("exclude = [\"{many}x\", \"{braces}\", \"[\", \"packages/\"]");
    let row = world.generate(&monorepo(&file), &variant("mono", Provider::Claude), false).await;
    assert_eq!((row.status, row.error_message.as_deref()), (Status::Ready, None));
    let told = warnings(&world, &row).await;
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[0].contains("`exclude[0]` is ignored: a glob has at most 16 of"), "{told:?}");
}

#[tokio::test]
async fn a_link_is_not_followed_and_one_file_of_two_is_read() {
    let world = World::start().await;
    let key = variant("adder", Provider::Builtin);
    let repository = Repository::library("adder");
    std::os::unix::fs::symlink("/etc/passwd", repository.path().join("docmill.toml")).unwrap();
    repository.commit("a link");
    let row = world.generate(&repository, &key, false).await;
    assert_eq!(row.status, Status::Ready);
    let told = warnings(&world, &row).await;
    assert_eq!(told, ["`docmill.toml` is ignored: it is a link or a folder; make it a regular file"]);
    // nor is a folder that is a link, and the first of two files wins
    std::fs::remove_file(repository.path().join("docmill.toml")).unwrap();
    std::os::unix::fs::symlink("/etc", repository.path().join(".docmill")).unwrap();
    repository.commit("another");
    let row = world.generate(&repository, &key, false).await;
    assert_eq!((row.status, warnings(&world, &row).await), (Status::Ready, vec![]));
    std::fs::remove_file(repository.path().join(".docmill")).unwrap();
    repository.write(".docmill/config.toml", "title = \"Second\"\ngenerate = false\n");
    repository.write("docmill.toml", "title = \"First\"\n");
    repository.commit("two");
    let row = world.generate(&repository, &key, false).await;
    assert_eq!((row.status, row.error_message.as_deref()), (Status::Ready, None));
    assert!(row.plan_json.as_ref().unwrap().contains("\"First\""), "{row:?}");
    let told = warnings(&world, &row).await;
    assert_eq!(told, ["`.docmill/config.toml` is ignored: there is a `docmill.toml` as well; keep one"]);
}

#[tokio::test]
async fn bytes_that_are_no_text_are_a_warning() {
    let world = World::start().await;
    let repository = Repository::library("adder");
    std::fs::write(repository.path().join("docmill.toml"), b"title = \"\xff\xfe\"\n").unwrap();
    repository.commit("bytes");
    let row = world.generate(&repository, &variant("adder", Provider::Builtin), false).await;
    assert_eq!(row.status, Status::Ready);
    assert_eq!(warnings(&world, &row).await, ["`docmill.toml` is ignored: it is not UTF-8; save it as UTF-8"]);
}
