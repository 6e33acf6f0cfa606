//! Requests that race: each has one winner, whichever it is.

use std::sync::Arc;

use futures_util::future::join_all;
use reqwest::Method;
use shared::{
    db::{self, WriteError, generations::Finished},
    events,
    generation::State,
    ids::GenerationId,
    jobs::{self, Started, request_abort},
    provider::Provider,
    source::RepoSource,
    variant::{Status, VariantKey},
};
use sqlx::PgPool;
use tokio::sync::Barrier;

use super::{
    ApiProgram, start_short_worker,
    traces::{Site, assert_calls, assert_nothing_left, assert_same_site},
};
use crate::support::{
    repository::Repository,
    world::{World, new_generation, variant},
};

const ROUNDS: usize = 1000;
const SIDE_BY_SIDE: usize = 4;

/// One race of the run's last statement against an abort; says whether the abort won.
async fn race(pool: &PgPool, key: &VariantKey) -> bool {
    let mut conn = pool.acquire().await.unwrap();
    let source = RepoSource::LocalPath("/srv/demo".into());
    let wanted = jobs::Wanted { key: key.clone(), source, request: new_generation(key) };
    let started = jobs::start_generation(&mut conn, &wanted).await.unwrap();
    let Started::Queued(id) = started else { panic!("{started:?}") };
    let lease = std::time::Duration::from_mins(1);
    let fence = db::generations::claim(&mut conn, id, "racer", lease).await.unwrap().unwrap().fence;
    let variant = db::generations::find_variant_id(&mut conn, id).await.unwrap().unwrap();
    drop(conn);
    let line = Arc::new(Barrier::new(2));
    let finishing = tokio::spawn(finish(pool.clone(), Arc::clone(&line), variant, id, fence));
    let aborting = tokio::spawn({
        let pool = pool.clone();
        async move {
            let mut transaction = pool.begin().await.unwrap();
            line.wait().await;
            let asked = request_abort(&mut transaction, variant, id).await.unwrap();
            transaction.commit().await.unwrap();
            asked
        }
    });
    let (finished, asked) = (finishing.await.unwrap(), aborting.await.unwrap());
    let mut conn = pool.acquire().await.unwrap();
    match (&finished, asked) {
        (Ok(()), None) => {}
        // as the holder does when its last statement is refused
        (Err(WriteError::Lost), Some(State::Running)) => {
            let text = db::aborts::ABORTED_BY_USER;
            db::generations::end_unfinished(&mut conn, id, fence, State::Aborted, text).await.unwrap();
            events::emit_state(&mut conn, variant, id, State::Aborted, Some(text)).await.unwrap();
        }
        other => panic!("both won, or none: {other:?}"),
    }
    let aborted = finished.is_err();
    let (state, status, prefix): (String, String, Option<String>) = sqlx::query_as(
        "SELECT g.state, v.status, v.site_prefix FROM generations g JOIN variants v ON v.id = g.variant_id WHERE g.id = $1",
    )
    .bind(id.0)
    .fetch_one(&mut *conn)
    .await
    .unwrap();
    let expected = if aborted { "aborted" } else { "ready" };
    assert_eq!((state.as_str(), status.as_str()), (expected, expected));
    assert_eq!(prefix == Some(format!("{id}-{fence}")), !aborted, "{prefix:?}");
    let ends: Vec<String> = sqlx::query_scalar(
        "SELECT body->>'status' FROM events WHERE generation_id = $1 AND body->>'status' IN ('ready', 'aborted', 'error')",
    )
    .bind(id.0)
    .fetch_all(&mut *conn)
    .await
    .unwrap();
    assert_eq!(ends, [expected]);
    aborted
}

async fn finish(
    pool: PgPool,
    line: Arc<Barrier>,
    variant: i64,
    id: GenerationId,
    fence: i64,
) -> Result<(), WriteError> {
    let finished = Finished {
        site_prefix: Some(format!("{id}-{fence}")),
        commit: "0123456789012345678901234567890123456789".parse().unwrap(),
        page_count: 1,
        final_stage: None,
    };
    let mut transaction = pool.begin().await?;
    line.wait().await;
    db::generations::finish(&mut transaction, id, fence, &finished).await?;
    events::emit_state(&mut transaction, variant, id, State::Ready, None).await?;
    Ok(transaction.commit().await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_aborts_that_race_with_the_end_leave_one_end_each() {
    let world = World::without_worker().await;
    let racers = (0..SIDE_BY_SIDE).map(|number| {
        let (pool, key) = (world.pool.clone(), variant(&format!("r{number}"), Provider::Builtin));
        tokio::spawn(async move {
            let mut aborted = 0;
            for _ in 0..ROUNDS / SIDE_BY_SIDE {
                aborted += usize::from(race(&pool, &key).await);
            }
            aborted
        })
    });
    let aborted: usize = join_all(racers).await.into_iter().map(Result::unwrap).sum();
    println!("of {ROUNDS} races the abort won {aborted}");
    assert!((1..ROUNDS).contains(&aborted), "one side always wins: that is no race");
}

#[tokio::test(flavor = "multi_thread")]
async fn aborts_of_a_working_fleet_say_what_happened() {
    let world = World::without_worker().await;
    let api = ApiProgram::start(&world, &[]).await;
    let worker = start_short_worker(&world, "worker");
    let repository = Repository::library("adder");
    let key = variant("adder", Provider::Claude);
    let stages = ["cloning", "planning", "generating_pages", "validating", "cross_linking", "rendering"];
    let (mut aborted, mut too_late) = (0, 0);
    for round in 0..30 {
        assert_eq!(api.generate(&repository).send().await.unwrap().status(), 202);
        // at another stage in each round, or when it is over
        let awaited = stages.get(round % (stages.len() + 1));
        world
            .wait_until(&key, |row| {
                row.status != Status::Generating
                    || row.current_stage.is_some_and(|now| {
                        let position = |name: &str| stages.iter().position(|stage| *stage == name);
                        awaited.is_some_and(|awaited| position(now.as_str()) >= position(awaited))
                    })
            })
            .await;
        let answer = api.ask(Method::POST, "/api/projects/adder/main/claude/test-model/abort").send().await.unwrap();
        let status = answer.status().as_u16();
        let row = world.wait_for_end(&key).await;
        match status {
            200 => {
                assert_eq!(row.status, Status::Aborted);
                aborted += 1;
            }
            404 | 409 => {
                assert_eq!(row.status, Status::Ready);
                too_late += 1;
            }
            other => panic!("{other}: {}", answer.text().await.unwrap()),
        }
    }
    println!("{aborted} aborted, {too_late} were over");
    assert!(aborted > 0 && too_late > 0);
    tokio::task::block_in_place(|| assert_eq!(worker.terminate(), Some(0)));
    assert_nothing_left(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_forty_requests_for_one_variant_one_is_taken_and_done_once() {
    let world = World::without_worker().await;
    let api = ApiProgram::start(&world, &[]).await;
    let worker = start_short_worker(&world, "worker");
    let repository = Repository::library("adder");
    // while they are asked for, none ends
    world.stand_ins.block("plan");
    let requests = join_all((0..40).map(|_| api.generate(&repository).send())).await;
    let mut statuses: Vec<u16> = requests.into_iter().map(|answer| answer.unwrap().status().as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [[202].as_slice(), &[409; 39]].concat());
    world.stand_ins.release("plan");
    let row = world.wait_for_end(&variant("adder", Provider::Claude)).await;
    assert_same_site(&world, &row, Site::First).await;
    assert_calls(&world, 0, &["plan", "page-page-1", "page-page-2", "page-page-3"], &[]);
    tokio::task::block_in_place(|| assert_eq!(worker.terminate(), Some(0)));
    assert_nothing_left(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_and_a_request_of_a_working_fleet_have_one_order() {
    let world = World::without_worker().await;
    let api = ApiProgram::start(&world, &[]).await;
    let workers = [start_short_worker(&world, "one"), start_short_worker(&world, "two")];
    let repository = Repository::library("adder");
    let key = variant("adder", Provider::Claude);
    let path = "/api/projects/adder/main/claude/test-model?owner=admin";
    let (mut deleted_first, mut refused) = (0, 0);
    world.generate(&repository, &key, false).await;
    for _ in 0..15 {
        let (asked, deleted) = tokio::join!(api.generate(&repository).send(), api.ask(Method::DELETE, path).send());
        assert_eq!(asked.unwrap().status(), 202);
        match deleted.unwrap().status().as_u16() {
            200 => deleted_first += 1,
            409 => refused += 1,
            other => panic!("{other}"),
        }
        let row = world.wait_for_end(&key).await;
        assert_same_site(&world, &row, Site::First).await;
    }
    println!("{deleted_first} deleted first, {refused} refused");
    assert_eq!(api.ask(Method::DELETE, path).send().await.unwrap().status(), 200);
    for worker in workers {
        tokio::task::block_in_place(|| assert_eq!(worker.terminate(), Some(0)));
    }
    assert_nothing_left(&world).await;
}
