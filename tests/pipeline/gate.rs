//! The grade that a site must reach to be published: who may ask for which, and what stays when it does not.

use serde_json::{Value, json};
use shared::{
    db::{generations::NewGeneration, variants::VariantRow},
    evidence::Grade,
    options::read_options,
    provider::Provider,
    variant::{Status, VariantKey},
};

use crate::{
    routes::{Api, answer},
    support::{
        repository::Repository,
        world::{World, new_generation, variant},
    },
};

/// A page whose statements stand nowhere.
const LIES: &str = "# Page 1\n\nThis page tells what there is to know about the engine of the project, so that you can use \
    it whenever you need it. [[src/engine.rs:10-20]]\n\n## What it is for\n\nThe function `start_engine` takes the number \
    of cylinders and gives back how far the engine goes before it stops. [[src/engine.rs:30-40]]\n\n## How to use it\n\n\
    Set `ENGINE_POWER` to the power that you need and call `stop_engine` in the end. Everything else follows from \
    there by itself, and the file says which. [[src/power.rs:1]]\n";

fn lie(world: &World) {
    world.stand_ins.set("pages", "1");
    for task in ["page", "revise"] {
        world.stand_ins.set_text(task, LIES);
    }
}

fn tell_the_truth(world: &World) {
    for task in ["page", "revise"] {
        world.stand_ins.clear(&format!("text.{task}"));
    }
}

async fn generate(
    world: &World,
    repository: &Repository,
    key: &VariantKey,
    min_grade: Option<&str>,
    force: bool,
) -> VariantRow {
    let wished = min_grade.map_or_else(|| json!({}), |grade| json!({ "min_grade": grade }));
    let (options, problems) = read_options(wished.as_object().unwrap());
    assert_eq!(problems, []);
    world.request_with(repository, key, NewGeneration { options, force, ..new_generation(key) }).await.unwrap();
    world.wait_for_end(key).await
}

fn assert_refused(row: &VariantRow, asked: &str) {
    let said = row.error_message.as_deref().unwrap_or_default();
    assert_eq!(row.status, Status::Error, "{row:?}");
    assert!(said.contains("the documentation has grade") && said.contains(&format!("{asked} is asked for")), "{said}");
}

#[tokio::test]
async fn a_site_below_the_asked_grade_is_not_published_and_the_old_one_stays() {
    let world = World::start().await;
    let api = Api::start(&world).await;
    let (repository, key) = (Repository::library("gated"), variant("gated", Provider::Claude));
    world.stand_ins.set("pages", "1");
    let old = generate(&world, &repository, &key, None, false).await;
    assert_eq!((old.status, old.error_message.as_deref()), (Status::Ready, None));
    lie(&world);
    let row = generate(&world, &repository, &key, Some("A"), true).await;
    assert_refused(&row, "A");
    let said = row.error_message.as_deref().unwrap();
    assert!(said.contains("page `page-1`") && said.contains("src/engine.rs") && said.chars().count() < 1200, "{said}");
    assert_eq!((&row.site_prefix, &row.grade), (&old.site_prefix, &old.grade));
    assert!(world.site_file(&row, "page-1.html").await.unwrap().contains("What it is for"));
    let id = row.generation_id.unwrap();
    let (status, quality) = answer(api.get(&format!("/api/generations/{id}/quality"))).await;
    assert_eq!(status, 200, "{quality}");
    assert!(quality["finding_counts"]["error"].as_i64().unwrap() > 0, "{quality}");
    assert!(quality["findings"].to_string().contains("src/engine.rs"), "{quality}");
    assert_eq!(answer(api.get(&format!("/api/generations/{id}"))).await.1["grade"], quality["grade"]);
    // a retry asks for the same
    let (status, body) = answer(api.post(&format!("/api/generations/{id}/retry-from/validating"))).await;
    assert_eq!(status, 202, "{body}");
    assert_refused(&world.wait_for_end(&key).await, "A");
}

#[tokio::test]
async fn a_forced_run_after_a_refusal_takes_no_page_over() {
    let world = World::start().await;
    let (repository, key) = (Repository::library("again"), variant("again", Provider::Claude));
    lie(&world);
    assert_refused(&generate(&world, &repository, &key, Some("A"), false).await, "A");
    tell_the_truth(&world);
    let row = generate(&world, &repository, &key, Some("F"), true).await;
    assert_eq!((row.status, row.error_message.as_deref()), (Status::Ready, None));
    assert!(!world.page(&row, "page-1").await.unwrap().contains("start_engine"));
    assert!(row.grade.is_some(), "{row:?}");
}

#[tokio::test]
async fn a_grade_that_the_site_reaches_is_no_reason_to_write_it_anew() {
    let world = World::start_counting().await;
    let api = Api::start(&world).await;
    let (repository, key) = (Repository::library("reached"), variant("reached", Provider::Claude));
    let site = generate(&world, &repository, &key, None, false).await;
    assert!(site.grade.is_some(), "{site:?}");
    let calls = world.stand_ins.calls().len();
    let path = repository.path();
    let bill = |grade: &str| {
        let body = json!({ "repo_path": path, "ai_provider": "claude", "ai_model": key.model, "dry_run": true, "min_grade": grade });
        answer(api.post("/api/generate").body(body.to_string()))
    };
    assert_eq!(bill("F").await.1["bill"]["outcome"], "up_to_date");
    for grade in [Some("F"), None, Some("D")] {
        let row = generate(&world, &repository, &key, grade, false).await;
        assert_eq!((row.status, &row.site_prefix), (Status::Ready, &site.site_prefix), "{grade:?}: {row:?}");
    }
    assert_eq!(world.stand_ins.calls().len(), calls, "nothing was written");
    // one that it does not reach is: the pages of the new run may be better
    lie(&world);
    let (_, told) = bill("A").await;
    assert_eq!(told["bill"]["why_all"], "the site is below the grade that is asked for", "{told}");
    assert_refused(&generate(&world, &repository, &key, Some("A"), false).await, "A");
    assert!(world.stand_ins.calls().len() > calls);
}

#[tokio::test]
async fn a_repository_asks_for_a_grade_and_a_request_wins() {
    let world = World::start().await;
    let (repository, key) = (Repository::library("asking"), variant("asking", Provider::Claude));
    repository.write("docmill.toml", "min_grade = \"a\"\n");
    repository.commit("a grade");
    lie(&world);
    assert_refused(&generate(&world, &repository, &key, None, false).await, "A");
    let row = generate(&world, &repository, &key, Some("F"), false).await;
    assert_eq!((row.status, row.error_message.as_deref()), (Status::Ready, None));
}

#[tokio::test]
async fn nobody_goes_below_the_grade_of_the_operator() {
    let mut world = World::without_worker().await;
    world.min_grade = Some(Grade::A);
    world.start_worker();
    let (repository, key) = (Repository::library("floor"), variant("floor", Provider::Claude));
    repository.write("docmill.toml", "min_grade = \"F\"\n");
    repository.commit("a low grade");
    lie(&world);
    assert_refused(&generate(&world, &repository, &key, None, false).await, "A");
    assert_refused(&generate(&world, &repository, &key, Some("D"), false).await, "A");
}

#[test]
fn what_is_no_grade_is_told_with_what_is_one() {
    for wrong in [json!("E"), json!("AA"), json!(1), json!(["A"]), json!("")] {
        let (options, problems) = read_options(json!({ "min_grade": wrong }).as_object().unwrap());
        assert_eq!((options.min_grade, problems.len()), (None, 1), "{wrong}");
        assert!(problems[0].message.contains("`A`, `B`, `C`, `D` and `F`") && problems[0].path() == "min_grade");
    }
    assert_eq!(read_options(json!({ "min_grade": Value::Null }).as_object().unwrap()).1, []);
}
