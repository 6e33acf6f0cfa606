//! Every call of an AI command line has a row from before its start on, with what came of it and what it cost.

use shared::{ids::GenerationId, provider::Provider, variant::Status};

use crate::support::{
    repository::Repository,
    world::{World, variant},
};

/// A row of the account.
#[derive(Debug, sqlx::FromRow)]
struct Call {
    slug: Option<String>,
    stage: String,
    purpose: String,
    attempt: i32,
    outcome: String,
    input_tokens: i64,
    cost_usd: Option<f64>,
    cost_source: Option<String>,
    prompt_hash: String,
    ended: bool,
}

async fn calls(world: &World, generation: GenerationId) -> Vec<Call> {
    sqlx::query_as(
        "SELECT slug, stage, purpose, attempt, outcome, input_tokens, cost_usd, cost_source, prompt_hash,
                ended_at IS NOT NULL AND duration_ms IS NOT NULL AS ended
           FROM ai_calls WHERE generation_id = $1 ORDER BY id",
    )
    .bind(generation)
    .fetch_all(&world.pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_generation_costs_what_its_calls_cost() {
    let world = World::start().await;
    world.stand_ins.set("pages", "4");
    let row = world.generate(&Repository::library("adder"), &variant("adder", Provider::Claude), false).await;
    assert_eq!((row.status, row.error_message.as_deref()), (Status::Ready, None));
    let calls = calls(&world, row.generation_id.unwrap()).await;
    let mut asked: Vec<_> =
        calls.iter().map(|call| (call.purpose.as_str(), call.slug.as_deref(), call.stage.as_str())).collect();
    asked.sort_unstable();
    assert_eq!(
        asked,
        [
            ("page", Some("page-1"), "generating_pages"),
            ("page", Some("page-2"), "generating_pages"),
            ("page", Some("page-3"), "generating_pages"),
            ("page", Some("page-4"), "generating_pages"),
            ("plan", None, "planning"),
        ]
    );
    for call in &calls {
        assert_eq!((call.outcome.as_str(), call.attempt, call.input_tokens, call.ended), ("ok", 1, 100, true));
        assert_eq!((call.cost_usd, call.cost_source.as_deref()), (Some(0.001), Some("cli")));
        assert_eq!(call.prompt_hash.len(), 64);
    }
    let total = row.total_cost_usd.unwrap();
    assert!((total - 0.005).abs() < 1e-9, "{total}");
    let of_generation: f64 =
        sqlx::query_scalar("SELECT cost_usd FROM generations").fetch_one(&world.pool).await.unwrap();
    assert!((of_generation - total).abs() < f64::EPSILON);
}
