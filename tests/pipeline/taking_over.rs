//! A run for another model at the same commit takes over the pages that are there; nothing is asked of a model.

use shared::{
    db::{self, generations::NewGeneration, variants::VariantRow},
    provider::Provider,
    stage::Stage,
    variant::{Status, VariantKey},
};

use crate::support::{
    repository::Repository,
    world::{World, new_generation, variant},
};

/// A world in which `claude` wrote a site, and no model answers any more.
async fn world_with_a_site() -> (World, Repository, VariantRow) {
    let world = World::start().await;
    let repository = Repository::library("adder");
    let written = world.generate(&repository, &variant("adder", Provider::Claude), false).await;
    assert_eq!((written.status, written.error_message.as_deref()), (Status::Ready, None));
    world.stand_ins.set("mode.all", "auth");
    (world, repository, written)
}

async fn replace(world: &World, repository: &Repository, key: &VariantKey) -> VariantRow {
    let request = NewGeneration { replace: true, ..new_generation(key) };
    world.request_with(repository, key, request).await.unwrap();
    world.wait_for_end(key).await
}

async fn variants(world: &World) -> Vec<VariantRow> {
    let mut conn = world.pool.acquire().await.unwrap();
    db::variants::list(&mut conn, db::variants::Scope::All).await.unwrap()
}

fn was_taken_over(row: &VariantRow) -> bool {
    assert_ne!(row.status, Status::Generating);
    // a run that asks a model fails in these worlds
    (row.status, row.current_stage) == (Status::Ready, Some(Stage::UpToDate))
}

#[tokio::test]
async fn another_model_at_the_same_commit_takes_over_plan_and_pages() {
    let (world, repository, written) = world_with_a_site().await;
    let taken = world.generate(&repository, &variant("adder", Provider::Gemini), false).await;
    assert!(was_taken_over(&taken), "{taken:?}");
    assert_eq!((&taken.plan_json, taken.page_count), (&written.plan_json, written.page_count));
    assert_eq!((&taken.last_commit_sha, taken.total_cost_usd), (&written.last_commit_sha, None));
    assert_ne!(taken.site_prefix, written.site_prefix);
    for slug in ["page-1", "page-2", "page-3"] {
        assert_eq!(world.page(&taken, slug).await, world.page(&written, slug).await);
        assert_eq!(world.written_times(&taken, slug).await, 0);
    }
    // both are served, and both say who wrote the words; so does a third that takes them over from the second
    let third = world.generate(&repository, &variant("adder", Provider::Cursor), false).await;
    assert!(was_taken_over(&third), "{third:?}");
    let page = world.site_file(&written, "page-1.html").await.unwrap();
    assert!(page.contains("Written by Claude"), "{page}");
    for row in [&taken, &third] {
        assert_eq!(world.site_file(row, "page-1.html").await.unwrap(), page);
    }
    assert_eq!(variants(&world).await.len(), 3);
    // from now on it is its own site that is up to date
    let again = world.generate(&repository, &variant("adder", Provider::Gemini), false).await;
    assert!(was_taken_over(&again), "{again:?}");
    assert_eq!((again.site_prefix, again.plan_json), (taken.site_prefix, taken.plan_json));
}

#[tokio::test]
async fn the_older_variant_goes_only_when_the_request_says_so() {
    let (world, repository, written) = world_with_a_site().await;
    let key = variant("adder", Provider::Gemini);
    let row = replace(&world, &repository, &key).await;
    assert!(was_taken_over(&row), "{row:?}");
    assert_eq!(variants(&world).await.iter().map(VariantRow::key).collect::<Vec<_>>(), [key]);
    assert!(world.site_file(&row, "page-1.html").await.is_some());
    let old = world.sites_dir().join(written.site_prefix.as_ref().unwrap());
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_mins(1);
    while old.exists() {
        assert!(tokio::time::Instant::now() < deadline, "the files of the replaced site are still there");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_forced_run_writes_anew_and_replaces_nothing() {
    let (world, repository, _) = world_with_a_site().await;
    let key = variant("adder", Provider::Gemini);
    let request = NewGeneration { force: true, replace: true, ..new_generation(&key) };
    world.request_with(&repository, &key, request.clone()).await.unwrap();
    assert_eq!(world.wait_for_end(&key).await.status, Status::Error, "a model was not asked");
    world.stand_ins.clear("mode.all");
    world.request_with(&repository, &key, request).await.unwrap();
    let row = world.wait_for_end(&key).await;
    assert_eq!((row.status, row.current_stage, variants(&world).await.len()), (Status::Ready, None, 2));
    assert_eq!(world.written_times(&row, "page-1").await, 1);
}

#[tokio::test]
async fn only_the_same_commit_of_the_same_branch_and_repository_of_the_same_owner_counts() {
    let (world, repository, _) = world_with_a_site().await;
    let key = variant("adder", Provider::Gemini);
    let others = VariantKey { owner: "alice".into(), ..key.clone() };
    repository.git(&["branch", "dev"]);
    let branch = VariantKey { branch: "dev".parse().unwrap(), ..key.clone() };
    for key in [&others, &branch] {
        assert_eq!(world.generate(&repository, key, false).await.status, Status::Error, "{key:?}");
    }
    // made in the same second from the same files, it has the very same commit
    let twin = Repository::library("adder");
    assert_eq!(twin.git(&["rev-parse", "HEAD"]), repository.git(&["rev-parse", "HEAD"]));
    let cursor = variant("adder", Provider::Cursor);
    assert_eq!(world.generate(&twin, &cursor, false).await.status, Status::Error);
    repository.commit("later");
    assert_eq!(world.generate(&repository, &key, false).await.status, Status::Error);
}

#[tokio::test]
async fn what_is_older_than_the_own_site_or_failed_is_not_taken_over() {
    let (world, repository, written) = world_with_a_site().await;
    let (claude, gemini) = (variant("adder", Provider::Claude), variant("adder", Provider::Gemini));
    world.generate(&repository, &gemini, false).await;
    // the own site stands at this commit: it stays, although there is a newer one
    let own = world.generate(&repository, &claude, false).await;
    assert!(was_taken_over(&own), "up to date: {own:?}");
    assert_eq!(own.site_prefix, written.site_prefix);
    // two others stand at the commit, but their newest runs failed
    for key in [&claude, &gemini] {
        assert_eq!(world.generate(&repository, key, true).await.status, Status::Error);
    }
    let cursor = world.generate(&repository, &variant("adder", Provider::Cursor), false).await;
    assert_eq!(cursor.status, Status::Error);
}

#[tokio::test]
async fn the_built_in_writer_neither_gives_its_pages_nor_takes_others() {
    let world = World::start().await;
    let repository = Repository::library("adder");
    let extracted = world.generate(&repository, &variant("adder", Provider::Builtin), false).await;
    let written = world.generate(&repository, &variant("adder", Provider::Claude), false).await;
    assert_eq!((written.status, written.current_stage), (Status::Ready, None), "who asks for a model gets its words");
    assert_ne!(written.plan_json, extracted.plan_json);
}
