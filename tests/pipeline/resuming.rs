//! A run goes on where it stopped: nothing checkpointed is made, or paid for, again.

use shared::{provider::Provider, variant::Status};

use crate::support::{
    repository::Repository,
    world::{World, variant},
};

#[tokio::test]
async fn a_run_that_was_handed_back_goes_on_from_its_pages() {
    let mut world = World::start().await;
    let repository = Repository::library("adder");
    let key = variant("adder", Provider::Claude);
    world.stand_ins.block("page-page-3");
    world.request(&repository, &key, false).await.unwrap();
    world.wait_until(&key, |row| row.page_count == 2).await;
    world.stop_worker().await;
    assert_eq!(world.row(&key).await.status, Status::Generating, "handed back, not ended");

    // the plan and the other pages must not be asked for again, nor may the repository be needed
    world.stand_ins.release("page-page-3");
    for paid in ["plan", "page-page-1", "page-page-2"] {
        world.stand_ins.set(&format!("mode.{paid}"), "auth");
    }
    drop(repository);
    world.start_worker();
    let row = world.wait_for_end(&key).await;
    assert_eq!((row.status, row.error_message, row.page_count), (Status::Ready, None, 3));
}

#[tokio::test]
async fn forcing_ignores_what_a_ready_run_made() {
    let world = World::start().await;
    let repository = Repository::library("adder");
    let key = variant("adder", Provider::Claude);
    world.generate(&repository, &key, false).await;
    world.stand_ins.set_text(
        "page-page-1",
        "# Page 1\n\nThis is a new text, with other words than the first one had, and long enough to pass.\n",
    );
    let row = world.generate(&repository, &key, true).await;
    let page = world.page(&row, "page-1").await.unwrap();
    assert!(page.contains("a new text"), "{page} {row:?}");
}

#[tokio::test]
async fn what_a_failed_run_wrote_is_not_paid_for_again() {
    let world = World::start().await;
    let repository = Repository::library("adder");
    let key = variant("adder", Provider::Claude);
    world.stand_ins.block("page-page-3");
    world.stand_ins.set("mode.page-page-3", "auth");
    world.request(&repository, &key, false).await.unwrap();
    // nothing is checked before all pages are written
    world.wait_until(&key, |row| row.page_count == 2).await;
    world.stand_ins.release("page-page-3");
    assert_eq!(world.wait_for_end(&key).await.status, Status::Error);

    world.stand_ins.clear("mode.page-page-3");
    for paid in ["page-page-1", "page-page-2"] {
        world.stand_ins.set(&format!("mode.{paid}"), "auth");
    }
    let row = world.generate(&repository, &key, true).await;
    assert_eq!((row.status, row.error_message, row.page_count), (Status::Ready, None, 3));
}
