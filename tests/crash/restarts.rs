//! Postgres goes away for a moment, in an orderly way or by a crash, and the API dies right after a commit: nothing that was
//! accepted or paid for is lost.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
    time::{Duration, Instant},
};

use docmill::postgres::EmbeddedPostgres;
use futures_util::future::join_all;
use reqwest::Method;
use shared::{db, provider::Provider, variant::Status};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;

use super::{
    ApiProgram, start_short_worker, start_worker,
    traces::{Site, assert_calls, assert_nothing_left, assert_same_site},
};
use crate::support::{
    proxy::FreezingProxy,
    repository::Repository,
    stand_ins::StandIns,
    world::{World, variant},
};

const CALLS: [&str; 4] = ["plan", "page-page-1", "page-page-2", "page-page-3"];
/// `pg_ctl stop -m fast` and `-m immediate`.
const SIGINT: i32 = 2;
const SIGQUIT: i32 = 3;

/// A world of its own on a server of this test.
async fn world_on(server: &EmbeddedPostgres, name: &str) -> World {
    let mut connection = PgConnection::connect(server.url()).await.unwrap();
    sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await.unwrap();
    let mut url = url::Url::parse(server.url()).unwrap();
    url.set_path(name);
    let pool = db::connect_to_migrate(url.as_str()).await.unwrap();
    db::migrate(&pool).await.unwrap();
    pool.close().await;
    World::on(url.into(), TempDir::new().unwrap(), StandIns::install()).await
}

fn server_pid(data_dir: &Path) -> Option<u32> {
    fs::read_to_string(data_dir.join("pg/postmaster.pid")).ok()?.lines().next()?.parse().ok()
}

async fn answers(world: &World) -> bool {
    sqlx::query("SELECT 1").execute(&world.pool).await.is_ok()
}

/// Waits until the server is away, or is another one already; `back`: until that one answers.
async fn wait_for_server(data_dir: &Path, old: u32, back: bool, worlds: &[World]) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let is_new = server_pid(data_dir).is_some_and(|pid| pid != old);
        let all_answer = join_all(worlds.iter().map(answers)).await.into_iter().all(|answers| answers);
        if if back { is_new && all_answer } else { is_new || !all_answer } {
            return;
        }
        assert!(Instant::now() < deadline, "the server does not go and come back");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// One run is in a page, one in a stage, when the server restarts; both calls answer while it is away.
async fn survive_a_restart(signal: i32) {
    let folder = tempfile::Builder::new().permissions(Permissions::from_mode(0o711)).tempdir().unwrap();
    let server = EmbeddedPostgres::start(folder.path()).await.unwrap();
    let worlds = [world_on(&server, "in_a_page").await, world_on(&server, "in_a_stage").await];
    let [in_a_page, in_a_stage] = &worlds;
    let key = variant("adder", Provider::Claude);
    let repository = Repository::library("adder");
    // the real times: the leases outlast the restart, so nobody takes over and nothing is paid for twice
    let workers = [start_worker(in_a_page, "worker", &[]), start_worker(in_a_stage, "worker", &[])];
    let api = ApiProgram::start(in_a_page, &[]).await;
    for (world, call) in [(in_a_page, "page-page-3"), (in_a_stage, "plan")] {
        world.stand_ins.block(call);
        world.request(&repository, &key, false).await.unwrap();
        world.stand_ins.wait_until_blocked(call);
    }
    in_a_page.wait_until(&key, |row| row.page_count == 2).await;
    let old = server_pid(folder.path()).unwrap();
    shared::os::send_signal(old, signal).unwrap();
    wait_for_server(folder.path(), old, false, &worlds).await;
    in_a_page.stand_ins.release("page-page-3");
    in_a_stage.stand_ins.release("plan");
    wait_for_server(folder.path(), old, true, &worlds).await;
    for world in &worlds {
        let row = world.wait_for_end(&key).await;
        assert_same_site(world, &row, Site::First).await;
        assert_calls(world, 0, &CALLS, &[]);
    }
    // the API is back, too, by itself
    let deadline = Instant::now() + Duration::from_secs(30);
    let status = loop {
        let status = api.generate(&repository).send().await.unwrap().status();
        if status != 503 || Instant::now() > deadline {
            break status;
        }
    };
    assert_eq!(status, 202);
    assert_eq!(in_a_page.wait_for_end(&key).await.status, Status::Ready);
    for worker in workers {
        assert_eq!(worker.terminate(), Some(0));
    }
    drop(api);
    for world in &worlds {
        assert_nothing_left(world).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn a_run_survives_an_orderly_restart_of_postgres() {
    survive_a_restart(SIGINT).await;
}

#[tokio::test]
async fn a_run_survives_a_crash_of_postgres() {
    survive_a_restart(SIGQUIT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_api_died_right_after_its_commit_is_done_once() {
    let world = World::without_worker().await;
    let proxy = FreezingProxy::before(&world.database_url).await;
    let api = ApiProgram::start(&world, &[("DATABASE_URL", proxy.url())]).await;
    let key = variant("adder", Provider::Claude);
    let repository = Repository::library("adder");
    proxy.swallow_answers_to_commits();
    let asked = tokio::spawn(api.generate(&repository).send());
    // committed, and nobody has learnt of it
    let deadline = Instant::now() + Duration::from_secs(30);
    let queued = "SELECT count(*) FROM generations WHERE state = 'queued'";
    while sqlx::query_scalar::<_, i64>(queued).fetch_one(&world.pool).await.unwrap() == 0 {
        assert!(Instant::now() < deadline, "the request was not committed");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!asked.is_finished(), "it was answered before it was killed");
    tokio::task::block_in_place(|| api.program.kill());
    assert!(asked.await.unwrap().is_err(), "a killed process answers nothing");

    let worker = start_short_worker(&world, "worker");
    let row = world.wait_for_end(&key).await;
    assert_same_site(&world, &row, Site::First).await;
    assert_calls(&world, 0, &CALLS, &[]);
    // whoever got no answer asks again, and is told what there is
    let api = ApiProgram::start(&world, &[]).await;
    let shown = api.ask(Method::GET, "/api/projects/adder/main/claude/test-model").send().await.unwrap();
    assert_eq!(shown.json::<serde_json::Value>().await.unwrap()["status"], "ready");
    tokio::task::block_in_place(|| assert_eq!(worker.terminate(), Some(0)));
    assert_nothing_left(&world).await;
}
