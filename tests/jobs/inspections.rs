//! Who has an inspection, and what counts as a death over it.

use std::time::Duration;

use serde_json::json;
use shared::{
    db::inspections::{self, NewInspection, Question},
    ids::InspectionId,
    inspection::State,
};
use sqlx::{Connection, PgConnection};

use crate::support::database::fresh_database;

/// A lease that is over at once, as that of a worker that died or is slow.
const OVER: Duration = Duration::ZERO;

async fn queued() -> (PgConnection, InspectionId) {
    let mut conn = PgConnection::connect(&fresh_database().await).await.unwrap();
    let new = NewInspection { variant_id: None, requested_by: "alice", question: Question::Check };
    let id = inspections::create(&mut conn, &new).await.unwrap().unwrap();
    (conn, id)
}

async fn claim(conn: &mut PgConnection, id: InspectionId, lease: Duration) -> i64 {
    inspections::claim(conn, id, lease).await.unwrap().unwrap().fence
}

async fn state(conn: &mut PgConnection, id: InspectionId) -> State {
    inspections::find(conn, id).await.unwrap().unwrap().inspection.state
}

#[tokio::test]
async fn neither_orderly_ends_nor_workers_that_were_slow_count_as_deaths_of_an_inspection() {
    let (mut conn, id) = queued().await;
    for _ in 0..5 {
        let fence = claim(&mut conn, id, Duration::from_mins(1)).await;
        inspections::put_back(&mut conn, id, fence).await.unwrap();
    }
    for _ in 0..5 {
        let slow = claim(&mut conn, id, OVER).await;
        assert_eq!(inspections::reap(&mut conn).await.unwrap().0, [(id, slow)]);
        let next = claim(&mut conn, id, Duration::from_mins(1)).await;
        assert!(inspections::renew(&mut conn, id, slow, OVER).await.is_err(), "another has it");
        inspections::live_on(&mut conn, id, slow).await.unwrap();
        inspections::put_back(&mut conn, id, next).await.unwrap();
    }
    for death in 1..=3 {
        claim(&mut conn, id, OVER).await;
        let (_, ended) = inspections::reap(&mut conn).await.unwrap();
        assert_eq!(ended.len(), usize::from(death == 3), "death {death}");
    }
    assert_eq!(state(&mut conn, id).await, State::Failed);
}

#[tokio::test]
async fn an_answer_that_comes_late_is_taken_while_nobody_else_looks() {
    let (mut conn, id) = queued().await;
    let slow = claim(&mut conn, id, OVER).await;
    inspections::reap(&mut conn).await.unwrap();
    let other = claim(&mut conn, id, OVER).await;
    assert!(inspections::finish(&mut conn, id, slow, Ok(&json!({}))).await.is_err(), "another has it");
    inspections::reap(&mut conn).await.unwrap();
    inspections::finish(&mut conn, id, other, Ok(&json!({}))).await.unwrap();
    assert_eq!(state(&mut conn, id).await, State::Done);
    assert!(inspections::claim(&mut conn, id, OVER).await.unwrap().is_none());
}
