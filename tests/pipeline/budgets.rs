//! Budgets: reserved before a call, so that no more is spent than the calls in flight cost; what was paid for is kept.

use shared::{
    db,
    db::generations::NewGeneration,
    provider::Provider,
    variant::{Status, VariantKey},
    writer_defaults::SettingKey,
};

use crate::support::{
    repository::Repository,
    world::{World, new_generation, variant},
};

/// A plan and each page cost this much.
const COST_OF_A_CALL: f64 = 0.001;

async fn set(world: &World, key: SettingKey, value: &str) {
    let mut conn = world.pool.acquire().await.unwrap();
    db::settings::save(&mut conn, &[(key, value.to_owned())].into()).await.unwrap();
}

async fn spent(world: &World) -> f64 {
    sqlx::query_scalar("SELECT COALESCE(sum(cost_usd), 0) FROM ai_calls").fetch_one(&world.pool).await.unwrap()
}

async fn count_calls(world: &World, purpose: &str) -> i64 {
    let count = "SELECT count(*) FROM ai_calls WHERE purpose = $1";
    sqlx::query_scalar(count).bind(purpose).fetch_one(&world.pool).await.unwrap()
}

fn of(owner: &str, name: &str) -> VariantKey {
    VariantKey { owner: owner.into(), ..variant(name, Provider::Claude) }
}

#[tokio::test]
async fn the_budget_of_a_generation_ends_it_and_its_pages_are_kept() {
    let world = World::start().await;
    world.stand_ins.set("pages", "4");
    set(&world, SettingKey::Pages, "1").await;
    let (repository, key) = (Repository::library("adder"), variant("adder", Provider::Claude));
    let request = NewGeneration { max_cost_usd: Some(0.0025), ..new_generation(&key) };
    world.request_with(&repository, &key, request).await.unwrap();
    let row = world.wait_for_end(&key).await;
    let sentence = "budget of $0.0025 reached (of this generation)";
    assert_eq!((row.status, row.error_message.as_deref()), (Status::Error, Some(sentence)));
    // a plan and a page; the second page is known to cost more than what is left
    assert_eq!((row.page_count, count_calls(&world, "page").await), (1, 1));
    assert!((row.total_cost_usd.unwrap() - 2.0 * COST_OF_A_CALL).abs() < 1e-9);

    // the next run pays for the three other pages
    let row = world.generate(&repository, &key, false).await;
    assert_eq!((row.status, row.page_count, count_calls(&world, "page").await), (Status::Ready, 4, 4));
}

#[tokio::test]
async fn what_calls_in_flight_are_expected_to_cost_is_reserved() {
    let world = World::start().await;
    world.stand_ins.set("pages", "10");
    let (repository, key) = (Repository::library("adder"), variant("adder", Provider::Claude));
    world.generate(&repository, &key, false).await;
    let before = spent(&world).await;
    let request = NewGeneration { force: true, max_cost_usd: Some(0.0055), ..new_generation(&key) };
    world.request_with(&repository, &key, request).await.unwrap();
    let row = world.wait_for_end(&key).await;
    let sentence = "budget of $0.0055 reached (of this generation)";
    assert_eq!((row.status, row.error_message.as_deref()), (Status::Error, Some(sentence)));
    let cost = spent(&world).await - before;
    assert!(cost > 0.0 && cost < 0.0055, "{cost}");
    let reserved: f64 =
        sqlx::query_scalar("SELECT max(reserved_usd) FROM ai_calls").fetch_one(&world.pool).await.unwrap();
    assert!((reserved - COST_OF_A_CALL).abs() < 1e-9, "{reserved}");
}

#[tokio::test]
async fn no_more_is_overspent_than_the_calls_in_flight_and_they_are_kept() {
    let world = World::start().await;
    world.stand_ins.set("pages", "8");
    set(&world, SettingKey::Pages, "3").await;
    let (repository, key) = (Repository::library("adder"), variant("adder", Provider::Claude));
    // nothing is known of what a page costs: three begin while there is anything left
    let request = NewGeneration { max_cost_usd: Some(0.0015), ..new_generation(&key) };
    for page in 1..=3 {
        world.stand_ins.block(&format!("page-page-{page}"));
    }
    world.request_with(&repository, &key, request).await.unwrap();
    let all_blocked = |_: &_| (1..=3).all(|page| world.stand_ins.is_blocked(&format!("page-page-{page}")));
    world.wait_until(&key, all_blocked).await;
    // the first to end uses up the budget; the next page is refused while two are being written
    world.stand_ins.release("page-page-1");
    world.wait_until(&key, |row| row.page_count == 1).await;
    wait_for_refusal(&world).await;
    assert_eq!(world.row(&key).await.status, Status::Generating, "pages that are being written are thrown away");
    world.stand_ins.release("page-page-2");
    world.stand_ins.release("page-page-3");
    let row = world.wait_for_end(&key).await;
    let sentence = "budget of $0.0015 reached (of this generation)";
    assert_eq!((row.status, row.error_message.as_deref(), row.page_count), (Status::Error, Some(sentence), 3));
    assert!((spent(&world).await - 4.0 * COST_OF_A_CALL).abs() < 1e-9);
}

async fn wait_for_refusal(world: &World) {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_mins(1);
    let failed = "SELECT count(*) FROM page_jobs WHERE state = 'failed' AND concerns_all";
    while sqlx::query_scalar::<_, i64>(failed).fetch_one(&world.pool).await.unwrap() == 0 {
        assert!(tokio::time::Instant::now() < deadline, "no page is refused");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_budget_of_a_user_is_of_this_month_and_of_nobody_else() {
    let world = World::start().await;
    world.generate(&Repository::library("first"), &of("bob", "first"), false).await;
    // what was spent before this month does not count; of another model, so that nothing is expected to cost as much
    sqlx::query("UPDATE ai_calls SET cost_usd = 5, model = 'other'").execute(&world.pool).await.unwrap();
    sqlx::query("UPDATE ai_calls SET started_at = date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' - interval '1 ms'")
        .execute(&world.pool)
        .await
        .unwrap();
    set(&world, SettingKey::UserMonthBudget, "6").await;
    let key = of("bob", "second");
    let row = world.generate(&Repository::library("second"), &key, false).await;
    assert_eq!((row.status, row.error_message.as_deref()), (Status::Ready, None));

    sqlx::query("UPDATE ai_calls SET cost_usd = 2, model = 'other' WHERE project = 'second'")
        .execute(&world.pool)
        .await
        .unwrap();
    let refused = world.generate(&Repository::library("third"), &of("bob", "third"), false).await;
    let sentence = "budget of $6 reached (of user `bob` this month)";
    assert_eq!((refused.status, refused.error_message.as_deref()), (Status::Error, Some(sentence)));
    assert_eq!(count_calls(&world, "plan").await, 2, "a call was made although nothing is left");
    let row = world.generate(&Repository::library("fourth"), &of("carol", "fourth"), false).await;
    assert_eq!((row.status, row.error_message.as_deref()), (Status::Ready, None));

    // nothing is paid for what the built-in writer does
    let key = VariantKey { owner: "bob".into(), ..variant("fifth", Provider::Builtin) };
    assert_eq!(world.generate(&Repository::library("fifth"), &key, false).await.status, Status::Ready);
}

#[tokio::test]
async fn the_budget_of_the_installation_counts_for_everybody() {
    let world = World::start().await;
    world.generate(&Repository::library("first"), &of("bob", "first"), false).await;
    set(&world, SettingKey::MonthBudget, "0.004").await;
    let repository = Repository::library("second");
    let row = world.generate(&repository, &of("carol", "second"), false).await;
    let sentence = "budget of $0.004 reached (of this installation this month)";
    assert_eq!((row.status, row.error_message.as_deref()), (Status::Error, Some(sentence)));
    set(&world, SettingKey::MonthBudget, "").await;
    let row = world.generate(&repository, &of("carol", "second"), false).await;
    assert_eq!((row.status, row.error_message.as_deref()), (Status::Ready, None));
}
