//! The account of AI calls when workers die.

use std::time::Duration;

use shared::{provider::Provider, variant::Status};

use super::start_short_worker;
use crate::support::{
    repository::Repository,
    world::{World, variant},
};

#[tokio::test]
async fn a_call_of_a_killed_worker_was_written_down_and_is_lost() {
    let world = World::without_worker().await;
    let worker = start_short_worker(&world, "first");
    world.stand_ins.block("page-page-2");
    let key = variant("adder", Provider::Claude);
    let repository = Repository::library("adder");
    let id = world.request(&repository, &key, false).await.unwrap();
    world.wait_until(&key, |row| row.page_count == 2 && world.stand_ins.is_blocked("page-page-2")).await;
    let outcomes = || async {
        sqlx::query_as::<_, (String, Option<f64>)>(
            "SELECT outcome, cost_usd FROM ai_calls WHERE generation_id = $1 AND slug = 'page-2' ORDER BY id",
        )
        .bind(id)
        .fetch_all(&world.pool)
        .await
        .unwrap()
    };
    assert_eq!(outcomes().await, [("running".to_owned(), None)]);
    worker.kill();

    let _second = start_short_worker(&world, "second");
    let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
    while outcomes().await[0].0 != "lost" {
        assert!(tokio::time::Instant::now() < deadline, "nobody gives the call up");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    world.stand_ins.release("page-page-2");
    let row = world.wait_for_end(&key).await;
    assert_eq!((row.status, row.error_message.as_deref()), (Status::Ready, None));
    assert_eq!(outcomes().await, [("lost".to_owned(), None), ("ok".to_owned(), Some(0.001))]);
    // a plan and three pages: what the lost call cost nobody knows
    assert!((row.total_cost_usd.unwrap() - 0.004).abs() < 1e-9, "{:?}", row.total_cost_usd);
}
