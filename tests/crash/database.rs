//! The database is out of reach for a moment: runs go on, and nothing that was paid for is lost.

use shared::{db, provider::Provider, variant::Status};

use super::start_short_worker;
use crate::support::{
    database::empty_database,
    repository::Repository,
    world::{World, variant},
};

#[tokio::test]
async fn results_are_kept_when_the_database_is_back() {
    let world = World::without_worker().await;
    // the first writes of a page, a checkpoint and a cost find a server that restarts
    let faults = "CREATE SEQUENCE faults;
        CREATE FUNCTION be_away() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF nextval('faults') <= 3 THEN RAISE EXCEPTION 'the database system is starting up' USING ERRCODE = '57P03'; END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER away BEFORE UPDATE ON pages FOR EACH ROW EXECUTE FUNCTION be_away();";
    sqlx::raw_sql(faults).execute(&world.pool).await.unwrap();
    let key = variant("adder", Provider::Claude);
    let _worker = start_short_worker(&world, "only");
    let row = world.generate(&Repository::library("adder"), &key, false).await;
    assert_eq!((row.status, row.error_message.as_deref()), (Status::Ready, None));
    let mut calls = world.stand_ins.calls();
    calls.sort();
    assert_eq!(calls, ["page-page-1", "page-page-2", "page-page-3", "plan"]);
}

#[tokio::test]
async fn processes_that_start_together_may_all_migrate() {
    let url = empty_database().await;
    let starts = (0..4).map(|_| {
        let url = url.clone();
        tokio::spawn(async move {
            let pool = db::connect_to_migrate(&url).await.unwrap();
            db::migrate(&pool).await
        })
    });
    for start in starts.collect::<Vec<_>>() {
        start.await.unwrap().unwrap();
    }
}
