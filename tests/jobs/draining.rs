//! A worker that is drained takes nothing new, ends what it is paid for, and ends: nothing is lost or done twice.

use std::time::{Duration, Instant};

use shared::{provider::Provider, variant::Status};

use crate::{
    routes::{Api, answer},
    support::{
        process::Program,
        repository::Repository,
        world::{World, variant},
    },
};

/// Starts `docmill worker` with two slots, and gives its name. With the real leases: this host may be too busy for short ones,
/// and a page that was lost for that would be written twice.
async fn start_worker(world: &World, api: &Api, label: &str) -> (Program, String) {
    let known = names(api).await;
    let data_dir = world.folder().join(label);
    let (data_dir, sites_dir) = (data_dir.to_str().unwrap().to_owned(), world.sites_dir());
    let owned = world.variables();
    let mut variables: Vec<(&str, &str)> = owned.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    variables.extend([
        ("DATABASE_URL", world.database_url.as_str()),
        ("DATA_DIR", &data_dir),
        ("SITES_DIR", sites_dir.to_str().unwrap()),
        // the stand-ins write down who called them
        ("SANDBOX", "off"),
        ("WORKER_AI_SLOTS", "2"),
    ]);
    let program = Program::start(&["worker"], &variables, &world.folder().join(format!("{label}.log")));
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        if let Some(name) = names(api).await.into_iter().find(|name| !known.contains(name)) {
            return (program, name);
        }
        assert!(Instant::now() < deadline, "the worker does not come");
        tokio::task::yield_now().await;
    }
}

async fn names(api: &Api) -> Vec<String> {
    let (_, body) = answer(api.get("/api/admin/workers")).await;
    let workers = body["workers"].as_array().unwrap().iter();
    workers.map(|worker| worker["name"].as_str().unwrap().to_owned()).collect()
}

async fn drain(api: &Api, name: &str) {
    assert_eq!(answer(api.post(&format!("/api/admin/workers/{name}/drain"))).await.0, 202);
}

fn assert_each_call_once(world: &World) {
    let mut calls = world.stand_ins.calls();
    calls.sort();
    assert_eq!(calls, ["page-page-1", "page-page-2", "page-page-3", "plan"]);
}

#[tokio::test]
async fn a_drained_worker_ends_its_pages_and_another_goes_on_with_its_run() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let (leaving, name) = start_worker(&world, &api, "leaving").await;
    let key = variant("adder", Provider::Claude);
    for page in ["page-page-1", "page-page-2"] {
        world.stand_ins.block(page);
    }
    let repository = Repository::library("adder");
    let id = world.request(&repository, &key, false).await.unwrap();
    world.stand_ins.wait_until_blocked("page-page-1");
    world.stand_ins.wait_until_blocked("page-page-2");
    let (_, body) = answer(api.get("/api/admin/workers")).await;
    assert_eq!(body["workers"][0]["pages"].as_array().unwrap().len(), 2, "{body}");
    let (_staying, other) = start_worker(&world, &api, "staying").await;
    drain(&api, &name).await;
    // the third page is written by the other while the first two are not let go
    world.wait_until(&key, |row| row.page_count == 1).await;
    let holder: Option<String> = sqlx::query_scalar("SELECT worker FROM generations WHERE id = $1")
        .bind(id.0)
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert_eq!(holder.as_deref(), Some(other.as_str()), "the run was not handed over");
    world.stand_ins.release("page-page-1");
    world.stand_ins.release("page-page-2");
    assert_eq!(leaving.wait_for(Duration::from_mins(1)).code(), Some(0));
    let row = world.wait_for_end(&key).await;
    assert_eq!((row.status, row.error_message, row.page_count), (Status::Ready, None, 3));
    assert_each_call_once(&world);
    assert_eq!(names(&api).await, [other]);
    let crashes: i32 = sqlx::query_scalar("SELECT crash_count FROM generations").fetch_one(&world.pool).await.unwrap();
    assert_eq!(crashes, 0);
}

#[tokio::test]
async fn a_plan_that_is_being_made_is_not_paid_for_twice() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let (leaving, name) = start_worker(&world, &api, "leaving").await;
    let key = variant("adder", Provider::Claude);
    world.stand_ins.block("plan");
    let repository = Repository::library("adder");
    world.request(&repository, &key, false).await.unwrap();
    world.stand_ins.wait_until_blocked("plan");
    let (_staying, _) = start_worker(&world, &api, "staying").await;
    drain(&api, &name).await;
    world.stand_ins.release("plan");
    assert_eq!(leaving.wait_for(Duration::from_mins(1)).code(), Some(0));
    let row = world.wait_for_end(&key).await;
    assert_eq!((row.status, row.error_message, row.page_count), (Status::Ready, None, 3));
    assert_each_call_once(&world);
}
