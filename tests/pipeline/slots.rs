//! The places for AI calls of a worker: whoever waits for one gets it in turn, and waiting costs nobody the lease.

use std::time::Duration;

use shared::{provider::Provider, stage::Stage, variant::Status};

use crate::support::{
    repository::Repository,
    world::{World, variant},
};

#[tokio::test]
async fn a_run_plans_between_the_pages_of_another() {
    let world = World::without_worker().await;
    world.start_another_worker(1);
    world.stand_ins.set("pages", "8");
    world.stand_ins.block("page-page-1");
    let (large, small) = (variant("large", Provider::Claude), variant("small", Provider::Claude));
    let (first, second) = (Repository::library("large"), Repository::library("small"));
    world.request(&first, &large, false).await.unwrap();
    world.wait_until(&large, |_| world.stand_ins.is_blocked("page-page-1")).await;
    world.request(&second, &small, false).await.unwrap();
    world.wait_until(&small, |row| row.current_stage == Some(Stage::Planning)).await;
    world.stand_ins.release("page-page-1");
    for key in [&large, &small] {
        assert_eq!(world.wait_for_end(key).await.status, Status::Ready);
    }
    let order = "SELECT (SELECT min(id) FROM ai_calls WHERE project = 'small')
                      < (SELECT max(id) FROM ai_calls WHERE project = 'large' AND purpose = 'page')";
    let is_between: bool = sqlx::query_scalar(order).fetch_one(&world.pool).await.unwrap();
    assert!(is_between, "it waited for all pages of the other run");
}

#[tokio::test]
async fn a_suspect_page_keeps_its_lease_while_it_waits_to_be_alone() {
    let world = World::without_worker().await;
    // two workers died at each page before
    sqlx::query("ALTER TABLE page_jobs ALTER COLUMN deaths SET DEFAULT 2").execute(&world.pool).await.unwrap();
    world.start_another_worker(2);
    world.stand_ins.set("pages", "2");
    world.stand_ins.block("page");
    let (repository, key) = (Repository::library("adder"), variant("adder", Provider::Claude));
    world.request(&repository, &key, false).await.unwrap();
    world.wait_until(&key, |_| world.stand_ins.is_blocked("page")).await;
    let states = "SELECT max(deaths), count(*) FILTER (WHERE lease_until > claimed_at + interval '5 seconds')
                    FROM page_jobs WHERE state <> 'done'";
    loop {
        let (deaths, renewed): (i32, i64) = sqlx::query_as(states).fetch_one(&world.pool).await.unwrap();
        assert_eq!(deaths, 2, "a page that waits is taken for one whose worker died");
        if renewed == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    world.stand_ins.release("page");
    let row = world.wait_for_end(&key).await;
    assert_eq!((row.status, row.page_count), (Status::Ready, 2));
}
