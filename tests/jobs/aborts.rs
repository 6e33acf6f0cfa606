//! Aborting: a queued generation ends at once, a running one is told, and exactly one end wins.

use std::time::Duration;

use shared::{
    db::{self, WriteError, variants::Scope},
    generation::State,
    jobs::request_abort,
    variant::Status,
};

use super::generations::{LEASE, claim, finished, pool, start};

#[tokio::test]
async fn a_queued_generation_ends_at_once_and_its_task_goes() {
    let pool = pool().await;
    let mut connection = pool.acquire().await.unwrap();
    let id = start(&mut connection).await.unwrap();
    let variant = db::generations::find_variant_id(&mut connection, id).await.unwrap().unwrap();
    assert_eq!(request_abort(&mut connection, variant, id).await.unwrap(), Some(State::Aborted));
    assert_eq!(db::queue::count_waiting(&mut connection, "generate").await.unwrap(), 0);
    let row = db::variants::find(&mut connection, Scope::All, variant).await.unwrap().unwrap();
    assert_eq!((row.status, row.error_message.as_deref()), (Status::Aborted, Some("Generation aborted by user")));
    assert!(claim(&mut connection, id).await.is_none());
    // and the variant is free for the next one
    assert!(start(&mut connection).await.is_some());
}

#[tokio::test]
async fn an_abort_and_a_finish_that_race_leave_one_end() {
    let pool = pool().await;
    for _ in 0..50 {
        let mut connection = pool.acquire().await.unwrap();
        let id = start(&mut connection).await.unwrap();
        let fence = claim(&mut connection, id).await.unwrap().fence;
        let variant = db::generations::find_variant_id(&mut connection, id).await.unwrap().unwrap();
        let finishing = {
            let pool = pool.clone();
            tokio::spawn(async move {
                db::generations::finish(&mut pool.acquire().await.unwrap(), id, fence, &finished()).await
            })
        };
        let aborting = {
            let pool = pool.clone();
            tokio::spawn(async move { request_abort(&mut pool.acquire().await.unwrap(), variant, id).await.unwrap() })
        };
        let (finishing, aborting) = (finishing.await.unwrap(), aborting.await.unwrap());
        let state = db::generations::find_state(&mut connection, id).await.unwrap().unwrap().0;
        match (finishing, aborting) {
            (Ok(()), None) => assert_eq!(state, State::Ready),
            (Err(WriteError::Lost), Some(State::Running)) => {
                assert_eq!(state, State::Running);
                db::generations::end_unfinished(&mut connection, id, fence, State::Aborted, "x").await.unwrap();
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn the_holder_hears_of_the_abort_with_its_next_renewal() {
    let pool = pool().await;
    let mut connection = pool.acquire().await.unwrap();
    let id = start(&mut connection).await.unwrap();
    let fence = claim(&mut connection, id).await.unwrap().fence;
    assert!(!db::generations::renew(&mut connection, id, fence, LEASE).await.unwrap());
    let variant = db::generations::find_variant_id(&mut connection, id).await.unwrap().unwrap();
    assert_eq!(request_abort(&mut connection, variant, id).await.unwrap(), Some(State::Running));
    assert!(db::generations::renew(&mut connection, id, fence, LEASE).await.unwrap());
    // force waits for the lease
    assert!(!db::aborts::force(&mut connection, id).await.unwrap());
    db::generations::renew(&mut connection, id, fence, Duration::ZERO).await.unwrap();
    assert!(db::aborts::force(&mut connection, id).await.unwrap());
    assert_eq!(db::generations::find_state(&mut connection, id).await.unwrap().unwrap().0, State::Aborted);
}

#[tokio::test]
async fn a_run_to_be_aborted_is_not_queued_again() {
    let pool = pool().await;
    let mut connection = pool.acquire().await.unwrap();
    for fault_of_the_host in [false, true] {
        let id = start(&mut connection).await.unwrap();
        let fence = claim(&mut connection, id).await.unwrap().fence;
        db::aborts::request(&mut connection, id).await.unwrap();
        let (state, message) = if fault_of_the_host {
            db::generations::retry_or_fail(&mut connection, id, fence).await.unwrap()
        } else {
            db::generations::hand_back(&mut connection, id, fence).await.unwrap()
        };
        assert_eq!((state, message.as_deref()), (State::Aborted, Some("Generation aborted by user")));
        let variant = db::generations::find_variant_id(&mut connection, id).await.unwrap().unwrap();
        let row = db::variants::find(&mut connection, Scope::All, variant).await.unwrap().unwrap();
        assert_eq!((row.status, row.current_stage), (Status::Aborted, None));
        assert!(row.generation_finished_at.is_some());
    }
}

#[tokio::test]
async fn a_queued_run_that_was_to_be_aborted_is_found_by_the_reaper() {
    let pool = pool().await;
    let mut connection = pool.acquire().await.unwrap();
    let id = start(&mut connection).await.unwrap();
    sqlx::query("UPDATE generations SET cancel_requested_at = now()").execute(&mut *connection).await.unwrap();
    assert!(claim(&mut connection, id).await.is_none());
    let reaped = db::recovery::reap_expired(&mut connection).await.unwrap();
    assert_eq!(reaped.iter().map(|run| (run.id, run.state)).collect::<Vec<_>>(), [(id, State::Aborted)]);
    assert!(start(&mut connection).await.is_some(), "the variant stays busy");
}
