//! A rolling restart: SIGTERM to all workers, one after the other, while a run is in each of its stages. Nothing is lost, no
//! death is counted, and each ends with 0.

use std::{fs, time::Duration};

use futures_util::future::join_all;
use shared::{provider::Provider, variant::Status};

use super::{
    PLACES,
    barrier::Barrier,
    log_of, start_short_worker,
    traces::{Site, assert_nothing_left, assert_same_site, change},
};
use crate::support::{
    process::Program,
    repository::Repository,
    world::{World, variant},
};

/// Where the run is when the first worker is told to end.
#[derive(Debug, Clone, Copy)]
enum At {
    /// A call of this key is being answered, for as long as the restart takes: it is handed back.
    Call(&'static str),
    /// A row of a table is written that fulfils a condition: what takes milliseconds is finished before the end.
    Row(&'static str, &'static str),
}

/// Replaces each of the workers by a new one, in turn; `name` tells their logs apart.
async fn replace_all(world: &World, workers: Vec<Program>, name: &str) -> Vec<Program> {
    let mut replaced = Vec::new();
    for (number, worker) in workers.into_iter().enumerate() {
        let code = tokio::task::spawn_blocking(|| worker.terminate()).await.unwrap();
        let log = || fs::read_to_string(log_of(world, "old")).unwrap_or_default();
        assert_eq!(code, Some(0), "{}", log());
        replaced.push(start_short_worker(world, &format!("{name}-{number}")));
    }
    replaced
}

async fn restart_all_at(at: At) {
    let _place = PLACES.acquire().await.unwrap();
    let world = World::without_worker().await;
    let key = variant("adder", Provider::Claude);
    let repository = Repository::library("adder");
    change(&world, &repository);
    let workers = vec![start_short_worker(&world, "old"), start_short_worker(&world, "old")];
    let barrier = match at {
        At::Row(table, condition) => Some(Barrier::raise(&world, table, condition).await),
        At::Call(call) => {
            world.stand_ins.block(call);
            None
        }
    };
    world.request(&repository, &key, false).await.unwrap();
    if let Some(mut barrier) = barrier {
        barrier.wait_for_arrival().await;
        for worker in &workers {
            shared::os::send_signal(worker.id(), 15).unwrap();
        }
        barrier.open().await;
        for worker in workers {
            let ended = tokio::task::spawn_blocking(|| worker.wait_for(Duration::from_mins(1)));
            assert_eq!(ended.await.unwrap().code(), Some(0), "{at:?}");
        }
        let new = vec![start_short_worker(&world, "new")];
        finish(&world, at, new).await;
    } else if let At::Call(call) = at {
        tokio::task::block_in_place(|| world.stand_ins.wait_until_blocked(call));
        let new = replace_all(&world, workers, "new").await;
        assert_eq!(world.row(&key).await.status, Status::Generating, "{at:?}");
        world.stand_ins.release(call);
        finish(&world, at, new).await;
    }
}

async fn finish(world: &World, at: At, workers: Vec<Program>) {
    let row = world.wait_for_end(&variant("adder", Provider::Claude)).await;
    println!("{at:?}: {:?} {:?}", row.status, world.stand_ins.calls());
    assert_same_site(world, &row, Site::Second).await;
    let deaths: i64 = sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM generations WHERE crash_count <> 0) + (SELECT count(*) FROM page_jobs WHERE deaths <> 0)",
    )
    .fetch_one(&world.pool)
    .await
    .unwrap();
    assert_eq!(deaths, 0, "an orderly end is no death");
    let calls = world.stand_ins.calls();
    for call in ["plan", "page-page-1", "page-page-2", "page-page-3", "revise-page-2"] {
        let made = calls.iter().filter(|made| *made == call).count();
        // one that is in flight is cut off by the end of its worker, of which there are two
        let most = if matches!(at, At::Call(blocked) if blocked == call) { 3 } else { 1 };
        assert!((1..=most).contains(&made), "{at:?}: {calls:?}");
    }
    // a process that has only just started does not listen to signals yet
    let started = "SELECT count(*) FROM workers";
    while sqlx::query_scalar::<_, i64>(started).fetch_one(&world.pool).await.unwrap()
        < i64::try_from(workers.len()).unwrap()
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for worker in workers {
        let code = tokio::task::spawn_blocking(|| worker.terminate()).await.unwrap();
        assert_eq!(code, Some(0));
    }
    assert_nothing_left(world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_in_any_stage_loses_nothing_and_counts_no_death() {
    let moments = [
        At::Row("generations", "NEW.stage = 'cloning'"),
        At::Row("checkpoints", "NEW.stage = 'cloning'"),
        At::Call("plan"),
        At::Call("page-page-3"),
        At::Call("revise-page-2"),
        At::Row("checkpoints", "NEW.stage = 'cross_linking'"),
        At::Row("generations", "NEW.state = 'ready'"),
    ];
    for run in join_all(moments.map(|at| tokio::spawn(restart_all_at(at)))).await {
        run.unwrap();
    }
}
