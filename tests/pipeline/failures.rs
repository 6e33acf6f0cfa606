//! Runs that cannot succeed: a sentence to act on, never a failure published as ready, the old site untouched.

use shared::{provider::Provider, variant::Status};

use crate::support::{
    repository::Repository,
    world::{World, variant},
};

#[tokio::test]
async fn a_missing_branch_is_named() {
    let world = World::start().await;
    let repository = Repository::library("adder");
    let mut key = variant("adder", Provider::Builtin);
    key.branch = "no-such-branch".parse().unwrap();
    let row = world.generate(&repository, &key, false).await;
    assert_eq!(row.status, Status::Error);
    let message = row.error_message.unwrap();
    assert!(message.contains("no-such-branch"), "{message}");
    assert!(!message.contains("/work/"), "a temporary path is shown: {message}");
}

#[tokio::test]
async fn an_empty_repository_is_an_error() {
    let world = World::start().await;
    let row = world.generate(&Repository::empty("nothing"), &variant("nothing", Provider::Builtin), false).await;
    assert_eq!(row.status, Status::Error);
    assert!(row.error_message.as_ref().unwrap().contains("empty"), "{:?}", row.error_message);
}

#[tokio::test]
async fn a_page_that_stays_bad_ends_the_run_and_the_others_are_kept() {
    let world = World::start().await;
    world.stand_ins.set("mode.page-page-2", "stub");
    world.stand_ins.set("mode.revise-page-2", "stub");
    let repository = Repository::library("adder");
    let key = variant("adder", Provider::Claude);
    let row = world.generate(&repository, &key, false).await;
    assert_eq!(row.status, Status::Error);
    assert!(row.error_message.as_ref().unwrap().contains("`page-2`"), "{:?}", row.error_message);
    assert_eq!(row.site_prefix, None, "a failure was published");

    // the next try pays only for the bad page
    world.stand_ins.clear("mode.page-page-2");
    world.stand_ins.clear("mode.revise-page-2");
    for kept in ["page-page-1", "page-page-3"] {
        world.stand_ins.set(&format!("mode.{kept}"), "auth");
    }
    let row = world.generate(&repository, &key, false).await;
    assert_eq!((row.status, row.error_message), (Status::Ready, None));
}

#[tokio::test]
async fn a_page_that_fails_its_checks_is_written_once_more() {
    let world = World::start().await;
    world.stand_ins.set_text(
        "page-page-1",
        "# Page 1\n\nLet me look at the code first, before I write anything at all about what is in there.\n",
    );
    let row = world.generate(&Repository::library("adder"), &variant("adder", Provider::Gemini), false).await;
    assert_eq!((row.status, row.error_message.as_deref()), (Status::Ready, None));
    let page = world.page(&row, "page-1").await.unwrap();
    assert!(!page.contains("Let me look"), "{page}");
    assert_eq!(world.written_times(&row, "page-1").await, 2);
}

#[tokio::test]
async fn the_old_site_stays_when_a_later_run_fails() {
    let world = World::start().await;
    let repository = Repository::library("adder");
    let key = variant("adder", Provider::Claude);
    let good = world.generate(&repository, &key, false).await;
    repository.write("src/more.rs", "pub fn more() {}\n");
    repository.commit("second");
    world.stand_ins.set("mode.all", "auth");
    let failed = world.generate(&repository, &key, false).await;
    assert_eq!(failed.status, Status::Error);
    let message = failed.error_message.clone().unwrap();
    assert!(message.contains("claude") && !message.contains("test-key-of-claude"), "{message}");
    assert_eq!(failed.site_prefix, good.site_prefix);
    assert!(world.site_file(&failed, "page-1.html").await.is_some());
}

#[tokio::test]
async fn a_broken_plan_is_asked_for_again_once() {
    let world = World::start().await;
    world.stand_ins.set("mode.plan", "wrong");
    let row = world.generate(&Repository::library("adder"), &variant("adder", Provider::Cursor), false).await;
    assert_eq!((row.status, row.error_message), (Status::Ready, None));
}

#[tokio::test]
async fn broken_links_between_pages_are_repaired_or_become_text() {
    let world = World::start().await;
    let text =
        "# Page 1\n\nSee [the second](PAGE-2.md), and [another](nowhere.html), which has never been there at all.\n";
    world.stand_ins.set_text("page-page-1", text);
    world.stand_ins.set_text("revise-page-1", text);
    let row = world.generate(&Repository::library("adder"), &variant("adder", Provider::Claude), false).await;
    assert_eq!((row.status, row.error_message.as_deref()), (Status::Ready, None));
    let page = world.site_file(&row, "page-1.html").await.unwrap();
    assert!(page.contains("href=\"page-2.html\""), "{page}");
    assert!(!page.contains("nowhere.html") && page.contains("another"), "{page}");
}
