//! Users and their keys: made, listed, changed and deleted, with everything that hangs on them.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::{ADMIN_KEY, Api, answer, claim, publish_site, queue, refusal, variant_of};
use crate::support::world::World;

const CHOSEN: &str = "correct horse battery staple";

fn as_user(api: &Api, key: &str, method: Method, path: &str) -> RequestBuilder {
    api.ask(method, path).bearer_auth(key)
}

async fn is_in(api: &Api, key: &str) -> bool {
    let status = as_user(api, key, Method::GET, "/api/auth/me").send().await.unwrap().status().as_u16();
    assert!(matches!(status, 200 | 401), "{status}");
    status == 200
}

async fn count(world: &World, table: &str) -> i64 {
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
        .fetch_one(&world.pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn admins_make_and_list_users_and_others_do_not() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let create = |body: &str| api.post("/api/admin/users").body(body.to_owned());
    let made = create(r#"{"username":"alice"}"#).send().await.unwrap();
    assert_eq!(made.headers()["cache-control"], "no-store");
    let text = made.text().await.unwrap();
    let made: Value = serde_json::from_str(&text).unwrap();
    let key = made["api_key"].as_str().unwrap();
    assert_eq!(text, format!(r#"{{"username":"alice","api_key":"{key}","role":"user"}}"#));
    assert!(key.starts_with("docsfy_") && key.len() == 56, "{key}");
    assert!(is_in(&api, key).await);
    answer(create(r#"{"username":"bob","role":"admin"}"#)).await;
    let (status, listed) = answer(api.get("/api/admin/users")).await;
    assert_eq!(status, 200);
    let users = listed["users"].as_array().unwrap();
    assert_eq!(users.iter().map(|user| &user["username"]).collect::<Vec<_>>(), ["bob", "alice"]);
    let keys: Vec<&String> = users[0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["created_at", "id", "role", "username"]);
    assert_eq!(users[0]["created_at"].as_str().unwrap().len(), "2026-11-21 07:00:00".len());
    for (body, sentence) in [
        ("", "Malformed JSON in request body"),
        ("[]", "Request body must be a JSON object"),
        ("{}", "Username is required"),
        (r#"{"username":""}"#, "Username is required"),
        (r#"{"username":7}"#, "Username must be a string"),
        (r#"{"username":"ADMIN"}"#, "Username 'admin' is reserved"),
        (
            r#"{"username":"a b"}"#,
            "Invalid username: 'a b'. Must be 2-50 alphanumeric characters, dots, hyphens, underscores.",
        ),
        (r#"{"username":"carol","role":"root"}"#, "Invalid role: 'root'. Must be admin, user, or viewer."),
        (r#"{"username":"alice"}"#, "User 'alice' already exists"),
    ] {
        assert_eq!(refusal(create(body)).await, (400, sentence.into()), "{body}");
    }
}

#[tokio::test]
async fn what_is_for_admins_is_refused_to_others_before_the_body_is_looked_at() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let (user, viewer) = (api.create_user("alice", "user").await, api.create_user("victor", "viewer").await);
    for (method, path) in [
        (Method::POST, "/api/admin/users"),
        (Method::GET, "/api/admin/users"),
        (Method::DELETE, "/api/admin/users/alice"),
        (Method::POST, "/api/admin/users/alice/rotate-key"),
        (Method::POST, "/api/admin/projects/demo/access"),
        (Method::GET, "/api/admin/projects/demo/access"),
        (Method::DELETE, "/api/admin/projects/demo/access/alice"),
    ] {
        assert_eq!(refusal(api.ask(method.clone(), path)).await, (401, "Unauthorized".into()), "{path}");
        for key in [&user, &viewer] {
            let asked = as_user(&api, key, method.clone(), path).body("no json");
            assert_eq!(refusal(asked).await, (403, "Admin access required".into()), "{path}");
        }
    }
    assert!(is_in(&api, &user).await);
}

#[tokio::test]
async fn a_new_key_takes_the_place_of_the_old_one_and_ends_every_session() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let old = api.create_user("victor", "viewer").await;
    let [first, second] = [api.log_in_as("victor", &old).await, api.log_in_as("victor", &old).await];
    let rotated = api.ask(Method::POST, "/api/auth/rotate-key").header("cookie", &first).send().await.unwrap();
    assert_eq!((rotated.status().as_u16(), rotated.headers()["cache-control"].to_str().unwrap()), (200, "no-store"));
    assert!(rotated.headers()["set-cookie"].to_str().unwrap().starts_with("docsfy_session=\"\"; expires="));
    let text = rotated.text().await.unwrap();
    let new = serde_json::from_str::<Value>(&text).unwrap()["new_api_key"].as_str().unwrap().to_owned();
    assert_eq!(text, format!(r#"{{"username":"victor","new_api_key":"{new}"}}"#));
    assert!(is_in(&api, &new).await && !is_in(&api, &old).await);
    for cookie in [first, second] {
        assert_eq!(refusal(api.ask(Method::GET, "/api/auth/me").header("cookie", cookie)).await.0, 401);
    }
    assert_eq!(refusal(api.login("victor", &old)).await.0, 401);
    api.log_in_as("victor", &new).await;
}

#[tokio::test]
async fn a_chosen_key_works_everywhere_and_bad_ones_are_refused_with_a_reason() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let old = api.create_user("alice", "user").await;
    let rotate = |key: &str, body: String| as_user(&api, key, Method::POST, "/api/auth/rotate-key").body(body);
    for (body, sentence) in [
        ("no json".to_owned(), "Malformed JSON in request body"),
        ("[]".to_owned(), "Request body must be a JSON object"),
        (r#"{"new_key":"fifteen-chars-k"}"#.to_owned(), "API key must be at least 16 characters long"),
        (r#"{"new_key":1234567890123456}"#.to_owned(), "new_key must be a string"),
        (json!({ "new_key": ADMIN_KEY }).to_string(), "API key cannot be used, choose another one"),
    ] {
        assert_eq!(refusal(rotate(&old, body.clone())).await, (400, sentence.into()), "{body}");
    }
    assert!(is_in(&api, &old).await);
    let (status, body) = answer(rotate(&old, json!({ "new_api_key": CHOSEN }).to_string())).await;
    assert_eq!((status, body["new_api_key"].as_str().unwrap()), (200, CHOSEN));
    assert!(is_in(&api, CHOSEN).await && !is_in(&api, &old).await && !is_in(&api, "correct horse battery").await);
    api.log_in_as("alice", CHOSEN).await;
    // the user may take the same key again, nobody else may
    assert_eq!(answer(rotate(CHOSEN, json!({ "new_key": CHOSEN }).to_string())).await.0, 200);
    let other = api.create_user("bob", "user").await;
    let refused = refusal(rotate(&other, json!({ "new_key": CHOSEN }).to_string())).await;
    assert_eq!(refused, (400, "API key cannot be used, choose another one".into()));
    assert!(is_in(&api, &other).await);
    let kept: String = sqlx::query_scalar("SELECT key_verifier FROM users WHERE username = 'alice'")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
}

#[tokio::test]
async fn choosing_keys_is_no_way_to_find_the_keys_of_others() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let key = api.create_user("alice", "user").await;
    let choose =
        || as_user(&api, &key, Method::POST, "/api/auth/rotate-key").body(json!({ "new_key": ADMIN_KEY }).to_string());
    for _ in 0..10 {
        assert_eq!(refusal(choose()).await.0, 400);
    }
    assert_eq!(refusal(choose()).await.0, 429);
    // a generated key tells nothing and is always to be had
    assert_eq!(answer(as_user(&api, &key, Method::POST, "/api/auth/rotate-key")).await.0, 200);
}

#[tokio::test]
async fn only_the_admin_of_the_settings_cannot_rotate() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let sentence = "ADMIN_KEY users cannot rotate keys. Change the ADMIN_KEY env var instead.";
    for body in ["", "no json"] {
        let refused = refusal(api.post("/api/auth/rotate-key").body(body)).await;
        assert_eq!(refused, (400, sentence.into()));
    }
    let admin = api.create_user("root2", "admin").await;
    assert_eq!(answer(as_user(&api, &admin, Method::POST, "/api/auth/rotate-key")).await.0, 200);
    assert!(!is_in(&api, &admin).await);
}

#[tokio::test]
async fn an_admin_gives_others_new_keys() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let old = api.create_user("alice", "user").await;
    let cookie = api.log_in_as("alice", &old).await;
    let rotate =
        |user: &str, body: &str| api.post(&format!("/api/admin/users/{user}/rotate-key")).body(body.to_owned());
    for user in ["nobody", "admin", "%0A", "a%20b"] {
        let (status, sentence) = refusal(rotate(user, "")).await;
        assert!(status == 404 && sentence.ends_with("' not found"), "{status} {sentence}");
    }
    assert_eq!(refusal(rotate("nobody", "")).await.1, "User 'nobody' not found");
    assert_eq!(refusal(rotate("nobody", r#"{"new_key":"short"}"#)).await.0, 400);
    let given = rotate("alice", "{}").send().await.unwrap();
    assert_eq!(given.headers()["cache-control"], "no-store");
    assert!(given.headers().get("set-cookie").is_none());
    let given: Value = serde_json::from_str(&given.text().await.unwrap()).unwrap();
    assert!(is_in(&api, given["new_api_key"].as_str().unwrap()).await && !is_in(&api, &old).await);
    assert_eq!(refusal(api.ask(Method::GET, "/api/auth/me").header("cookie", cookie)).await.0, 401);
    assert_eq!(answer(rotate("alice", &json!({ "new_key": CHOSEN }).to_string())).await.0, 200);
    assert!(is_in(&api, CHOSEN).await);
}

#[tokio::test]
async fn a_deleted_user_takes_everything_along_and_nothing_of_others() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let key = api.create_user("alice", "user").await;
    api.create_user("bob", "user").await;
    let cookie = api.log_in_as("alice", &key).await;
    let site = publish_site(&world, &variant_of("alice", "hers"), &[("index.html", "x")]).await;
    publish_site(&world, &variant_of("bob", "his"), &[("index.html", "x")]).await;
    for (owner, name, user) in [("alice", "hers", "bob"), ("bob", "his", "alice")] {
        let body = json!({ "username": user, "owner": owner }).to_string();
        assert_eq!(answer(api.post(&format!("/api/admin/projects/{name}/access")).body(body)).await.0, 200);
    }
    let folder = world.sites_dir().join(site.to_string());
    assert!(folder.exists());
    let (status, body) = answer(api.ask(Method::DELETE, "/api/admin/users/alice").bearer_auth(ADMIN_KEY)).await;
    assert_eq!((status, body.to_string().as_str()), (200, r#"{"deleted":"alice"}"#));
    assert!(!is_in(&api, &key).await);
    assert_eq!(refusal(api.ask(Method::GET, "/api/auth/me").header("cookie", cookie)).await.0, 401);
    assert!(!folder.exists());
    for (table, rows) in [("sessions", 0), ("project_access", 0), ("deleted_sites", 0), ("users", 1), ("variants", 1)] {
        assert_eq!(count(&world, table).await, rows, "{table}");
    }
    // somebody else of that name begins with nothing
    let new = api.create_user("alice", "user").await;
    let (_, listed) = answer(as_user(&api, &new, Method::GET, "/api/projects")).await;
    assert_eq!(listed["projects"], json!([]));
}

#[tokio::test]
async fn a_user_is_not_deleted_while_something_of_the_user_is_made() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let key = api.create_user("alice", "user").await;
    let variant = variant_of("alice", "hers");
    let delete = |name: &str| api.ask(Method::DELETE, &format!("/api/admin/users/{name}")).bearer_auth(ADMIN_KEY);
    let id = queue(&world, &variant).await;
    let busy = (409, "Cannot delete user while generation is in progress".to_owned());
    assert_eq!(refusal(delete("alice")).await, busy);
    claim(&world, id).await;
    assert_eq!(refusal(delete("alice")).await, busy);
    assert!(is_in(&api, &key).await);
    assert_eq!(refusal(delete("admin")).await, (400, "Cannot delete your own account".into()));
    assert_eq!(refusal(delete("nobody")).await, (404, "User 'nobody' not found".into()));
    let root = api.create_user("root2", "admin").await;
    let as_root = |name: &str| as_user(&api, &root, Method::DELETE, &format!("/api/admin/users/{name}"));
    assert_eq!(refusal(as_root("root2")).await, (400, "Cannot delete your own account".into()));
    assert_eq!(refusal(as_root("admin")).await, (404, "User 'admin' not found".into()));
    assert_eq!(refusal(as_root("%0A")).await, (404, "User '?' not found".into()));
}

#[tokio::test]
async fn a_user_who_is_being_deleted_starts_nothing_more() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let key = api.create_user("alice", "user").await;
    let mut deletion = world.pool.begin().await.unwrap();
    sqlx::query("DELETE FROM users WHERE username = 'alice'").execute(&mut *deletion).await.unwrap();
    let body = r#"{"repo_url":"https://127.0.0.1/acme/demo"}"#;
    let generate =
        as_user(&api, &key, Method::POST, "/api/generate").header("content-type", "application/json").body(body);
    let generate = tokio::spawn(generate.send());
    // the request waits for the end of the deletion
    let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&world.pool).await.unwrap() == 0 {
        tokio::task::yield_now().await;
    }
    deletion.commit().await.unwrap();
    assert_eq!(generate.await.unwrap().unwrap().status(), 401);
    assert_eq!(count(&world, "variants").await, 0);
}
