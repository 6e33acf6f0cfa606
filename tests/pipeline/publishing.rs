//! What a run leaves behind when it goes well.

use shared::{db, provider::Provider, stage::Stage, variant::Status};

use crate::support::{
    repository::Repository,
    world::{World, variant},
};

#[tokio::test]
async fn a_library_becomes_a_site_without_any_model() {
    let world = World::start().await;
    let repository = Repository::library("adder");
    let key = variant("adder", Provider::Builtin);
    let row = world.generate(&repository, &key, false).await;
    assert_eq!((row.status, row.error_message.as_deref()), (Status::Ready, None));
    assert_eq!(row.last_commit_sha.as_deref(), Some(repository.git(&["rev-parse", "HEAD"]).as_str()));
    let index = world.site_file(&row, "index.html").await.unwrap();
    assert!(index.contains("adder"));
    let everything = world.site_file(&row, "llms-full.txt").await.unwrap();
    assert!(everything.contains("pub fn add(a: i64, b: i64) -> i64"), "{everything}");
    assert!(everything.contains("Adds two numbers."));
}

#[tokio::test]
async fn every_command_line_writes_a_site() {
    let world = World::start().await;
    let repository = Repository::library("adder");
    for provider in [Provider::Claude, Provider::Gemini, Provider::Cursor] {
        let row = world.generate(&repository, &variant("adder", provider), false).await;
        assert_eq!((row.status, row.error_message.as_deref(), row.page_count), (Status::Ready, None, 3), "{provider}");
        assert!(world.site_file(&row, "page-2.html").await.unwrap().contains("Page 2"));
    }
}

#[tokio::test]
async fn stages_are_shown_in_order_and_pages_one_by_one() {
    let world = World::start().await;
    let repository = Repository::library("adder");
    let key = variant("adder", Provider::Claude);
    let row = world.generate(&repository, &key, false).await;
    let mut connection = world.pool.acquire().await.unwrap();
    let generation = row.generation_id.unwrap();
    let events = db::events::list_of_generation(&mut connection, generation, 0, 1000).await.unwrap();
    let mut stages: Vec<&str> = events.iter().filter_map(|event| event.body["current_stage"].as_str()).collect();
    stages.dedup();
    assert_eq!(stages, ["cloning", "planning", "generating_pages", "validating", "cross_linking", "rendering"]);
    // pages that are written at the same moment may be counted together, but a count never goes back
    let counts: Vec<i64> = events.iter().filter_map(|event| event.body["page_count"].as_i64()).collect();
    assert!(counts.is_sorted() && counts.first() == Some(&0) && counts.last() == Some(&3), "{counts:?}");
    let mut pages: Vec<&str> = events.iter().filter_map(|event| event.body["page"].as_str()).collect();
    pages.sort_unstable();
    assert_eq!(pages, ["page-1", "page-2", "page-3"]);
    let ends: Vec<&str> = events.iter().filter_map(|event| event.body["status"].as_str()).collect();
    assert_eq!(ends, ["queued", "ready"]);
    assert_eq!(row.current_stage, None);
}

/// Whoever has seen a page done has its event behind it: what a stage tells never comes after the beginning of the next one.
#[tokio::test]
async fn a_page_its_event_and_its_call_end_in_one_transaction() {
    let world = World::start().await;
    world.stand_ins.set("pages", "12");
    let row = world.generate(&Repository::library("adder"), &variant("adder", Provider::Claude), false).await;
    assert_eq!((row.status, row.page_count), (Status::Ready, 12));
    let together: Vec<bool> = sqlx::query_scalar(
        "SELECT p.xmin = e.xmin AND c.xmin = e.xmin
           FROM page_jobs p
           JOIN events e ON e.generation_id = p.generation_id AND e.body ->> 'page' = p.slug
           JOIN ai_calls c ON c.generation_id = p.generation_id AND c.slug = p.slug
          WHERE p.state = 'done'",
    )
    .fetch_all(&world.pool)
    .await
    .unwrap();
    assert_eq!(together, [true; 12]);
    let counts: Vec<i32> = sqlx::query_scalar(
        "SELECT (body ->> 'page_count')::int FROM events WHERE body ->> 'page' IS NOT NULL ORDER BY id",
    )
    .fetch_all(&world.pool)
    .await
    .unwrap();
    assert_eq!(counts, (1..=12).collect::<Vec<i32>>());
}

#[tokio::test]
async fn an_unchanged_commit_is_up_to_date_and_a_forced_one_is_made_anew() {
    let world = World::start().await;
    let repository = Repository::library("adder");
    let key = variant("adder", Provider::Builtin);
    let first = world.generate(&repository, &key, false).await;
    let second = world.generate(&repository, &key, false).await;
    assert_eq!((second.status, second.current_stage), (Status::Ready, Some(Stage::UpToDate)));
    assert_eq!((second.site_prefix.as_ref(), second.page_count), (first.site_prefix.as_ref(), first.page_count));
    let forced = world.generate(&repository, &key, true).await;
    assert_eq!((forced.status, forced.current_stage), (Status::Ready, None));
    assert_ne!(forced.site_prefix, first.site_prefix);
    repository.write("README.md", "# adder\n\nIt adds numbers with even more care than before, and tells about it.\n");
    let commit = repository.commit("second");
    let changed = world.generate(&repository, &key, false).await;
    assert_eq!(changed.last_commit_sha.as_deref(), Some(commit.as_str()));
}

#[tokio::test]
async fn a_tag_is_as_good_as_a_branch() {
    let world = World::start().await;
    let repository = Repository::library("adder");
    let tagged = repository.git(&["rev-parse", "HEAD"]);
    repository.git(&["tag", "v1.2.3"]);
    repository.commit("later");
    let mut key = variant("adder", Provider::Builtin);
    key.branch = "v1.2.3".parse().unwrap();
    let row = world.generate(&repository, &key, false).await;
    assert_eq!((row.status, row.last_commit_sha), (Status::Ready, Some(tagged)));
}

#[tokio::test]
async fn the_local_repository_is_not_touched() {
    let world = World::start().await;
    let repository = Repository::library("adder");
    repository.write("untracked.txt", "mine");
    let before = repository.git(&["status", "--porcelain"]);
    let row = world.generate(&repository, &variant("adder", Provider::Claude), false).await;
    assert_eq!(row.status, Status::Ready);
    assert_eq!(repository.git(&["status", "--porcelain"]), before);
    let everything = world.site_file(&row, "llms-full.txt").await.unwrap();
    assert!(!everything.contains("untracked"), "what is not committed is not documented");
}

#[tokio::test]
async fn temporary_trees_are_gone_when_the_run_is_over() {
    let mut world = World::start().await;
    let repository = Repository::library("adder");
    world.generate(&repository, &variant("adder", Provider::Claude), false).await;
    world.stop_worker().await;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while std::fs::read_dir(world.folder().join("work")).unwrap().count() > 0 {
        assert!(std::time::Instant::now() < deadline, "a temporary tree stays behind");
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn up_to_date_shows_the_served_site_and_not_what_an_ended_run_left() {
    let world = World::start().await;
    let repository = Repository::library("adder");
    let key = variant("adder", Provider::Claude);
    let served = world.generate(&repository, &key, false).await;
    world.stand_ins.set("pages", "5");
    world.stand_ins.set("mode.page-page-5", "auth");
    let failed = world.generate(&repository, &key, true).await;
    assert_eq!(failed.status, Status::Error);
    assert_ne!(failed.plan_json, served.plan_json);
    let row = world.generate(&repository, &key, false).await;
    assert_eq!((row.status, row.current_stage), (Status::Ready, Some(Stage::UpToDate)));
    assert_eq!((row.page_count, row.plan_json), (served.page_count, served.plan_json));
}
