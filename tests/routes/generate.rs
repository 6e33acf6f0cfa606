//! Asking for a site.

use std::collections::HashMap;

use futures_util::{StreamExt, stream::FuturesUnordered};
use serde_json::{Value, json};
use shared::{db, provider::Provider};

use super::{Api, answer, refusal, variant_of};
use crate::support::{repository::Repository, world::World};

fn body(path: &std::path::Path) -> Value {
    json!({ "repo_path": path })
}

#[tokio::test]
async fn a_request_is_queued_once_and_shown_at_once() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let repository = Repository::library("demo");
    let mut request = body(&repository.path());
    request["repo_type"] = json!("library");
    let answer = api.post("/api/generate").json(&request).send().await.unwrap();
    assert_eq!(answer.status(), 202);
    let text = answer.text().await.unwrap();
    let id = serde_json::from_str::<Value>(&text).unwrap()["generation_id"].as_str().unwrap().to_owned();
    let expected = format!(
        r#"{{"project":"demo","status":"generating","branch":"main","generation_id":"{id}","repo_type":"library"}}"#
    );
    assert_eq!(text, expected);
    let mut conn = world.pool.acquire().await.unwrap();
    assert_eq!(db::queue::count_waiting(&mut conn, "generate").await.unwrap(), 1);

    let again = refusal(api.post("/api/generate").json(&request)).await;
    assert_eq!(again, (409, "Variant 'demo/main/builtin/extract' is already being generated".into()));
    assert_eq!(db::queue::count_waiting(&mut conn, "generate").await.unwrap(), 1);
    // another model of it runs beside it
    request["ai_provider"] = json!("claude");
    request["ai_model"] = json!("opus");
    assert_eq!(super::answer(api.post("/api/generate").json(&request)).await.0, 202);

    let shown = api.get("/api/status").send().await.unwrap().text().await.unwrap();
    let project = &serde_json::from_str::<Value>(&shown).unwrap()["projects"][1];
    assert_eq!((&project["status"], &project["generation_id"]), (&json!("generating"), &json!(id)));
    let keys = [
        "name",
        "branch",
        "ai_provider",
        "ai_model",
        "owner",
        "generation_id",
        "repo_url",
        "status",
        "current_stage",
        "last_commit_sha",
        "last_generated",
        "page_count",
        "error_message",
        "plan_json",
        "repo_type",
        "total_cost_usd",
        "vision_provider",
        "vision_model",
        "generation_duration",
        "generation_started_at",
        "created_at",
        "updated_at",
    ];
    let places: Vec<usize> = keys.iter().map(|key| shown.find(&format!("\"{key}\":")).unwrap()).collect();
    assert!(places.is_sorted(), "{shown}");
    assert_eq!(project.as_object().unwrap().len(), keys.len());
}

#[tokio::test]
async fn what_a_request_says_about_the_documentation_is_kept_with_its_run() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let repository = Repository::library("demo");
    let mut request = body(&repository.path());
    let wished = json!({
        "title": "Demo & more", "language": "de", "instructions": "Be brief.", "include": ["src/"], "exclude": ["*.md"],
        "subdirectory": "a", "pages": [{"slug": "x", "title": "X", "type": "recipe"}], "pages_only": true,
    });
    request.as_object_mut().unwrap().extend(wished.as_object().unwrap().clone());
    let (status, sent) = answer(api.post("/api/generate").json(&request)).await;
    assert_eq!(status, 202, "{sent}");
    let kept: Value = sqlx::query_scalar("SELECT options FROM generations").fetch_one(&world.pool).await.unwrap();
    assert_eq!(kept, wished);
    // a field that does not fit is refused, and nothing is queued
    for (field, value) in [
        ("title", json!("\u{0}")),
        ("language", json!("x-y z")),
        ("exclude", json!([["**"]])),
        ("include", json!(["../../etc"])),
        ("subdirectory", json!("/etc/passwd")),
        ("pages", json!([{"title": "A", "slug": "../../etc/passwd"}])),
    ] {
        let mut request = body(&Repository::library("other").path());
        request[field] = value;
        let (status, problem) = answer(api.post("/api/generate").json(&request)).await;
        assert_eq!((status, &problem["detail"][0]["loc"][1]), (422, &json!(field)), "{problem}");
    }
    let runs: i64 = sqlx::query_scalar("SELECT count(*) FROM generations").fetch_one(&world.pool).await.unwrap();
    assert_eq!(runs, 1);
}

#[tokio::test]
async fn a_source_that_cannot_be_used_is_told_with_docsfys_sentence() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let folder = world.folder().join("plain");
    std::fs::create_dir(&folder).unwrap();
    let private = "Repository URL must not target localhost or private networks";
    for (request, status, sentence) in [
        (json!({"repo_path": "/nowhere/demo"}), 400, "Repository path does not exist: '/nowhere/demo'".to_owned()),
        (body(&folder), 400, format!("Not a git repository (no .git directory): '{}'", folder.display())),
        (json!({"repo_url": "https://10.0.0.1/a/b"}), 400, private.to_owned()),
        (json!({"repo_url": "https://localhost/a/b"}), 400, private.to_owned()),
        (json!({"repo_url": "https://[::ffff:10.0.0.1]/a/b"}), 400, private.to_owned()),
    ] {
        assert_eq!(refusal(api.post("/api/generate").json(&request)).await, (status, sentence), "{request}");
    }
    // a host of the list is allowed although it is this one, and a name that nobody knows fails in the run
    for url in ["http://127.0.0.1:9/a/b", "https://no-such-host.invalid/a/c"] {
        assert_eq!(answer(api.post("/api/generate").json(&json!({"repo_url": url}))).await.0, 202, "{url}");
    }
}

#[tokio::test]
async fn the_default_model_is_the_default_providers() {
    let world = World::without_worker().await;
    let change = |parts: &mut api::ApiParts| {
        parts.writer.ai_provider = Some(Provider::Claude);
        parts.writer.ai_model = Some("opus".parse().unwrap());
    };
    let api = Api::start_with(&world, change).await;
    let repository = Repository::library("demo");
    let ask = async |provider: Value, model: Value| {
        let mut request = body(&repository.path());
        request["ai_provider"] = provider;
        request["ai_model"] = model;
        answer(api.post("/api/generate").json(&request)).await
    };
    let no_model = json!({"detail": "AI model must be specified."});
    assert_eq!(ask(json!("gemini"), Value::Null).await, (400, no_model));
    let one_model = json!({"detail": "Provider 'builtin' has one model: 'extract'"});
    assert_eq!(ask(json!("builtin"), json!("opus")).await, (400, one_model));
    assert_eq!(ask(Value::Null, Value::Null).await.0, 202);
    assert_eq!(ask(json!("builtin"), Value::Null).await.0, 202);
    for path in ["claude/opus", "builtin/extract"] {
        assert_eq!(answer(api.get(&format!("/api/projects/demo/main/{path}"))).await.0, 200, "{path}");
    }
}

#[tokio::test]
async fn from_a_request_to_a_page_that_is_read() {
    let world = World::start().await;
    let api = Api::start(&world).await;
    let repository = Repository::library("demo");
    assert_eq!(answer(api.post("/api/generate").json(&body(&repository.path()))).await.0, 202);
    let row = world.wait_for_end(&super::variant_of("admin", "demo")).await;
    assert_eq!(row.error_message, None);
    let page = api.get("/docs/demo/").send().await.unwrap().text().await.unwrap();
    assert!(page.contains("demo adds numbers"), "{page}");
}

#[tokio::test]
async fn another_repository_of_the_same_name_is_refused_unless_it_is_forced() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let alice = api.create_user("alice", "user").await;
    let ask = async |url: &str, force: bool| {
        let request = json!({"repo_url": url, "force": force, "ai_provider": "claude", "ai_model": "opus"});
        let (status, body) = answer(api.post("/api/generate").json(&request)).await;
        if status == 202 {
            // the next one shall find it idle
            assert_eq!(answer(api.post("/api/projects/demo/abort")).await.0, 200);
        }
        (status, body["detail"].as_str().map(str::to_owned))
    };
    let first = "https://no-such-host.invalid/acme/demo";
    let second = "https://no-such-host.invalid/evil/demo";
    assert_eq!(ask(first, false).await.0, 202);
    for same in [
        "https://NO-such-host.invalid/acme/demo.git",
        "git@no-such-host.invalid:acme/demo.git",
        "ssh://git@no-such-host.invalid:2222/acme/demo",
        first,
    ] {
        assert_eq!(ask(same, false).await.0, 202, "{same}");
    }
    let refused = format!(
        "Variant 'demo/main/claude/opus' was made from another repository: '{first}'. Send 'force': true to make it \
         from '{second}' instead, or delete it first."
    );
    assert_eq!(ask(second, false).await, (409, Some(refused)));
    // what is of somebody else, of another branch or of another model stands in nobody's way
    let other = json!({"repo_url": second, "ai_provider": "claude", "ai_model": "sonnet"});
    assert_eq!(answer(api.post("/api/generate").json(&other)).await.0, 202);
    let others = json!({"repo_url": second, "ai_provider": "claude", "ai_model": "opus"});
    let request = api.ask(reqwest::Method::POST, "/api/generate").bearer_auth(&alice).json(&others);
    assert_eq!(answer(request).await.0, 202);
    for path in ["claude/sonnet", "claude/opus"] {
        let owner = if path.ends_with("opus") { "alice" } else { "admin" };
        let path = format!("/api/projects/demo/main/{path}/abort?owner={owner}");
        assert_eq!(answer(api.post(&path)).await.0, 200);
    }
    assert_eq!(ask(second, true).await.0, 202);
    assert!(ask(first, false).await.1.unwrap().contains(second), "the second one has it now");
}

#[tokio::test]
async fn a_link_to_a_repository_is_that_repository() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let (repository, other) = (Repository::library("demo"), Repository::library("demo"));
    let folder = world.folder().join("links");
    std::fs::create_dir(&folder).unwrap();
    std::os::unix::fs::symlink(repository.path(), folder.join("demo")).unwrap();
    for (path, expected) in [(repository.path(), 202), (folder.join("demo"), 202), (other.path(), 409)] {
        let (status, _) = answer(api.post("/api/generate").json(&body(&path))).await;
        assert_eq!(status, expected, "{}", path.display());
        if status == 202 {
            assert_eq!(answer(api.post("/api/projects/demo/abort")).await.0, 200);
        }
    }
}

#[tokio::test]
async fn nothing_is_started_for_a_user_who_is_deleted_just_now() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    for round in 0..15 {
        let name = format!("alice-{round}");
        let key = api.create_user(&name, "user").await;
        let request = json!({"repo_url": "https://no-such-host.invalid/acme/demo"});
        let asked = api.ask(reqwest::Method::POST, "/api/generate").bearer_auth(&key).json(&request);
        let pool = world.pool.clone();
        let deleting = async {
            let mut transaction = pool.begin().await.unwrap();
            let outcome = db::deletions::delete_of_owner(&mut transaction, &name).await.unwrap();
            if outcome == db::deletions::Outcome::Active {
                return false;
            }
            assert!(db::users::delete(&mut transaction, &name).await.unwrap());
            transaction.commit().await.unwrap();
            true
        };
        let ((status, _), deleted) = tokio::join!(answer(asked), deleting);
        assert_eq!(status, if deleted { 401 } else { 202 });
        let owned: i64 = sqlx::query_scalar("SELECT count(*) FROM variants WHERE owner = $1")
            .bind(&name)
            .fetch_one(&world.pool)
            .await
            .unwrap();
        assert_eq!(owned, i64::from(!deleted));
    }
}

#[tokio::test]
async fn of_many_requests_at_once_each_gets_its_own_answer() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let ask = |number: usize| {
        // a public address, so that nobody waits for a name service
        let mut request = json!({"repo_url": format!("https://1.1.1.1/acme/demo-{}", number % 20)});
        match number {
            // these two cannot be started with the others, and do not hold them up
            0 => request["ai_model"] = json!("opus"),
            1 => request["repo_url"] = json!("https://1.1.1.1/acme/held"),
            _ => (),
        }
        let asked = api.post("/api/generate").json(&request);
        async move { (number, answer(asked).await) }
    };
    let held = variant_of("admin", "held");
    let mut holder = world.pool.begin().await.unwrap();
    sqlx::query(
        "INSERT INTO variants (owner, name, branch, ai_provider, ai_model, repo_url, status) VALUES ($1, $2, $3, $4, $5, '', 'ready')",
    )
    .bind(&held.owner)
    .bind(held.name.as_str())
    .bind(held.branch.as_str())
    .bind(held.provider.as_str())
    .bind(held.model.as_str())
    .execute(&mut *holder)
    .await
    .unwrap();
    let mut answers = (0..40).map(ask).collect::<FuturesUnordered<_>>();
    let mut accepted = HashMap::new();
    let (mut refused, mut others) = (0, 0);
    let mut letting_go = Some(holder);
    while let Some((number, (status, body))) = answers.next().await {
        match (number, status) {
            (0, status) => {
                assert_eq!((status, &body["detail"]), (400, &json!("Provider 'builtin' has one model: 'extract'")));
            }
            // a machine under load may not be done with the others within what a lock is waited for
            (1, status) => {
                assert!([202, 503].contains(&status), "{body}");
                others += i64::from(status == 202);
            }
            (_, 202) => assert_eq!(accepted.insert(body["project"].clone(), body["generation_id"].clone()), None),
            (_, status) => {
                assert_eq!(status, 409, "{body}");
                refused += 1;
            }
        }
        if accepted.len() + refused == 38
            && let Some(holder) = letting_go.take()
        {
            holder.rollback().await.unwrap();
        }
    }
    assert_eq!((accepted.len(), refused), (20, 18));
    let told: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM events e JOIN generations g ON g.id = e.generation_id
          WHERE g.state = 'queued' AND e.kind = 'status_change' AND e.body = '{\"status\": \"queued\"}'",
    )
    .fetch_one(&world.pool)
    .await
    .unwrap();
    let mut conn = world.pool.acquire().await.unwrap();
    assert_eq!((told, db::queue::count_waiting(&mut conn, "generate").await.unwrap()), (20 + others, 20 + others));
}
