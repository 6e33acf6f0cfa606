//! What AI calls used up: users see their own, admins everybody's.

use reqwest::Method;
use serde_json::{Value, json};
use shared::{provider::Provider, variant::VariantKey};

use super::{ADMIN_KEY, Api, answer, refusal};
use crate::support::{
    repository::Repository,
    world::{World, variant},
};

fn of(owner: &str, name: &str) -> VariantKey {
    VariantKey { owner: owner.into(), ..variant(name, Provider::Claude) }
}

fn sums(row: &Value) -> (&str, i64, i64, i64) {
    let number = |name: &str| row[name].as_i64().unwrap();
    (row["key"].as_str().unwrap(), number("calls"), number("failed_calls"), number("input_tokens"))
}

fn cost(row: &Value) -> f64 {
    row["cost_usd"].as_f64().unwrap()
}

#[tokio::test]
async fn users_see_their_own_usage_and_admins_everybodys() {
    let world = World::start().await;
    let api = Api::start(&world).await;
    let (bob, carol) = (api.create_user("bob", "user").await, api.create_user("carol", "user").await);
    world.generate(&Repository::library("first"), &of("bob", "first"), false).await;
    world.stand_ins.set("mode.plan", "auth");
    world.generate(&Repository::library("second"), &of("carol", "second"), false).await;
    let get = |key: &str, query: &str| {
        let request = api.ask(Method::GET, &format!("/api/usage{query}")).bearer_auth(key);
        async move {
            let (status, body) = answer(request).await;
            assert_eq!(status, 200, "{body}");
            body
        }
    };

    let own = get(&bob, "?group_by=user&user=carol").await;
    assert_eq!(own["rows"].as_array().unwrap().len(), 1, "{own}");
    assert_eq!(sums(&own["rows"][0]), ("bob", 4, 0, 400));
    assert_eq!(sums(&own["totals"]), ("", 4, 0, 400));
    assert!((cost(&own["totals"]) - 0.004).abs() < 1e-9, "{own}");
    let own = get(&carol, "?group_by=stage").await;
    assert_eq!(own["rows"].as_array().unwrap().len(), 1, "{own}");
    assert_eq!(sums(&own["rows"][0]), ("planning", 1, 1, 40));

    // the most expensive first
    let all = get(ADMIN_KEY, "?group_by=project").await;
    let rows: Vec<_> = all["rows"].as_array().unwrap().iter().map(sums).collect();
    assert_eq!(rows, [("bob/first", 4, 0, 400), ("carol/second", 1, 1, 40)]);
    assert!((cost(&all["totals"]) - 0.0045).abs() < 1e-9, "{all}");
    let of_carol = get(ADMIN_KEY, "?group_by=model&user=carol").await;
    assert_eq!(
        of_carol["rows"].as_array().unwrap().iter().map(sums).collect::<Vec<_>>(),
        [("claude/test-model", 1, 1, 40)]
    );

    // days: today by itself, and nothing in another year
    let today = get(ADMIN_KEY, "").await;
    assert_eq!((&today["group_by"], &today["rows"][0]["key"]), (&json!("day"), &today["to"]));
    assert_eq!(today["rows"][0]["calls"], 5);
    let past = get(ADMIN_KEY, "?from=2020-02-29&to=2021-02-28").await;
    assert_eq!((&past["rows"], &past["totals"]["calls"]), (&json!([]), &json!(0)));

    // who gets the name of a deleted user is somebody else
    sqlx::query("UPDATE users SET created_at = now() + interval '1 hour' WHERE username = 'bob'")
        .execute(&world.pool)
        .await
        .unwrap();
    assert_eq!(get(&bob, "").await["totals"]["calls"], 0);
}

#[tokio::test]
async fn a_query_that_cannot_be_is_refused_with_its_parameter() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    for (query, parameter, words) in [
        ("group_by=week", "group_by", "'day', 'user', 'project', 'model' or 'stage'"),
        ("group_by=", "group_by", "'day'"),
        ("from=2026-13-01", "from", "YYYY-MM-DD"),
        ("from=2026-1-1", "from", "YYYY-MM-DD"),
        ("to=%2B2026-01-1", "to", "YYYY-MM-DD"),
        ("to=tomorrow", "to", "YYYY-MM-DD"),
        ("from=2026-02-02&to=2026-02-01", "from", "must not be after"),
        ("from=2020-01-01&to=2021-01-01", "from", "367 days, the limit is 366"),
        ("from=0000-01-01", "from", "the limit is 366"),
    ] {
        let (status, body) = answer(api.get(&format!("/api/usage?{query}"))).await;
        assert_eq!((status, &body["detail"][0]["loc"]), (422, &json!(["query", parameter])), "{query}: {body}");
        assert!(body["detail"][0]["msg"].as_str().unwrap().contains(words), "{query}: {body}");
    }
    assert_eq!(refusal(api.ask(Method::GET, "/api/usage")).await.0, 401);
    assert_eq!(refusal(api.get("/api/usage?user=%00")).await.0, 400);
}

#[tokio::test]
async fn the_calls_of_a_generation_are_for_its_owner_and_admins() {
    let world = World::start().await;
    let api = Api::start(&world).await;
    let (bob, carol) = (api.create_user("bob", "user").await, api.create_user("carol", "user").await);
    let row = world.generate(&Repository::library("first"), &of("bob", "first"), false).await;
    let path = format!("/api/generations/{}/calls", row.generation_id.unwrap());
    let as_user = |key: &str, path: &str| api.ask(Method::GET, path).bearer_auth(key);
    let (status, body) = answer(as_user(&bob, &path)).await;
    assert_eq!(status, 200, "{body}");
    let calls = body["calls"].as_array().unwrap();
    assert_eq!(calls.len(), 4);
    let ids: Vec<i64> = calls.iter().map(|call| call["id"].as_i64().unwrap()).collect();
    assert!(ids.is_sorted_by(|newer, older| newer > older), "{ids:?}");
    let plan = &calls[3];
    assert_eq!((&plan["purpose"], &plan["page"], &plan["outcome"]), (&json!("plan"), &Value::Null, &json!("ok")));
    assert!(plan["worker"].is_null() && plan["ended_at"].is_string(), "{plan}");
    let (_, older) = answer(as_user(&bob, &format!("{path}?before={}", ids[2]))).await;
    assert_eq!(older["calls"], json!([plan]));

    let (_, body) = answer(api.get(&path)).await;
    assert!(body["calls"][0]["worker"].is_string(), "{body}");
    let missing = (404, "Generation ID not found".to_owned());
    assert_eq!(refusal(as_user(&carol, &path)).await, missing);
    assert_eq!(refusal(api.get("/api/generations/00000000-0000-7000-8000-000000000000/calls")).await, missing);
    assert_eq!(refusal(api.get("/api/generations/x/calls")).await, (400, "Invalid generation ID format".to_owned()));
    assert_eq!(answer(api.get(&format!("{path}?before=x"))).await.0, 422);
}

#[tokio::test]
async fn budgets_are_asked_for_and_set_within_their_limits() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let repository = Repository::library("demo");
    let ask = |budget: Value| {
        let body =
            json!({"repo_path": repository.path(), "ai_provider": "claude", "ai_model": "m", "max_cost_usd": budget});
        answer(api.post("/api/generate").json(&body))
    };
    for (budget, kind) in [
        (json!(0), "greater_than"),
        (json!(-1.5), "greater_than"),
        (json!(100_001), "less_than_equal"),
        (json!("nan"), "finite_number"),
        (json!("1e999"), "finite_number"),
        (json!("five"), "float_parsing"),
        (json!([5]), "float_type"),
        (json!(true), "float_type"),
    ] {
        let (status, body) = ask(budget.clone()).await;
        assert_eq!((status, &body["detail"][0]["type"]), (422, &json!(kind)), "{budget}: {body}");
        assert_eq!(body["detail"][0]["loc"], json!(["body", "max_cost_usd"]));
    }
    assert_eq!(ask(json!("2.5")).await.0, 202);
    let kept: Option<f64> =
        sqlx::query_scalar("SELECT max_cost_usd FROM generations").fetch_one(&world.pool).await.unwrap();
    assert_eq!(kept, Some(2.5));

    let path = "/api/admin/settings";
    let put = |value: Value| {
        let body = json!({"settings": {"max_cost_per_month_usd": value}});
        answer(api.ask(Method::PUT, path).bearer_auth(ADMIN_KEY).json(&body))
    };
    for value in [json!(0), json!(-1), json!("x"), json!("nan"), json!("inf"), json!(100_000.5), json!({})] {
        assert_eq!(put(value.clone()).await.0, 400, "{value}");
    }
    let read = || async { answer(api.get(path)).await.1["settings"]["max_cost_per_month_usd"].clone() };
    assert_eq!(read().await, Value::Null);
    assert_eq!(put(json!(12.5)).await.0, 200);
    assert_eq!(read().await, 12.5);
    assert_eq!(put(Value::Null).await.0, 200);
    assert_eq!(read().await, Value::Null);
}
