//! Deleting: whose, when not, and what goes with it.

use http::Method;
use reqwest::RequestBuilder;
use serde_json::json;
use shared::{
    db,
    events::{ACCESS_CHANNEL, AccessChange, Heard},
    names::ProjectName,
    variant::VariantKey,
};
use sites::{key::SitePrefix, publish::publish, render::SiteFiles};

use super::{ADMIN_KEY, Api, answer, claim, publish_site, queue, refusal, variant_of};
use crate::support::{repository::Repository, world::World};

const VARIANT: &str = "/api/projects/demo/main/builtin/extract";

fn delete(api: &Api, key: &str, path: &str) -> RequestBuilder {
    api.ask(Method::DELETE, path).bearer_auth(key)
}

async fn count(world: &World, table: &str) -> i64 {
    let counted = format!("SELECT count(*) FROM {table}");
    sqlx::query_scalar(sqlx::AssertSqlSafe(counted)).fetch_one(&world.pool).await.unwrap()
}

fn folders(world: &World) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(world.sites_dir())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.parse::<SitePrefix>().is_ok())
        .collect();
    names.sort();
    names
}

async fn grant(world: &World, key: &VariantKey, username: &str) {
    let mut conn = world.pool.acquire().await.unwrap();
    db::grants::create(&mut conn, &key.owner, &key.name, username).await.unwrap();
}

#[tokio::test]
async fn everybody_deletes_their_own_and_admins_say_whose() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let (alice, bob) = (api.create_user("alice", "user").await, api.create_user("bob", "user").await);
    let viewer = api.create_user("eve", "viewer").await;
    for owner in ["alice", "admin", ""] {
        publish_site(&world, &variant_of(owner, "demo"), &[("index.html", owner)]).await;
    }
    grant(&world, &variant_of("alice", "demo"), "bob").await;

    let which = "Project owner is required for admin deletion. Use ?owner=username (or ?owner= for legacy projects)";
    let whole = "/api/projects/demo";
    for path in [VARIANT, whole] {
        assert_eq!(refusal(delete(&api, ADMIN_KEY, path)).await, (400, which.into()));
        assert_eq!(refusal(delete(&api, &viewer, path)).await, (403, "Write access required.".into()));
        assert_eq!(refusal(api.ask(Method::DELETE, path)).await, (401, "Unauthorized".into()));
    }
    // what was granted can be read and not deleted, and `?owner=` is not heard from those who are no admins
    assert_eq!(answer(api.ask(Method::GET, VARIANT).bearer_auth(&bob)).await.0, 200);
    for query in ["", "?owner=alice"] {
        let refused = refusal(delete(&api, &bob, &format!("{VARIANT}{query}"))).await;
        assert_eq!(refused, (404, "Variant not found".into()));
        let refused = refusal(delete(&api, &bob, &format!("{whole}{query}"))).await;
        assert_eq!(refused, (404, "Project 'demo' not found".into()));
    }
    assert_eq!(refusal(delete(&api, ADMIN_KEY, &format!("{VARIANT}?owner=bob"))).await.0, 404);
    assert_eq!(count(&world, "variants").await, 3);

    let (status, body) = answer(delete(&api, &alice, VARIANT)).await;
    assert_eq!((status, body.to_string().as_str()), (200, r#"{"deleted":"demo/main/builtin/extract"}"#));
    assert_eq!(refusal(delete(&api, &alice, VARIANT)).await, (404, "Variant not found".into()));
    assert_eq!(answer(delete(&api, ADMIN_KEY, &format!("{VARIANT}?owner="))).await.0, 200);
    let (status, body) = answer(delete(&api, ADMIN_KEY, &format!("{whole}?owner=admin"))).await;
    assert_eq!((status, body.to_string().as_str()), (200, r#"{"deleted":"demo"}"#));
    let gone = refusal(delete(&api, ADMIN_KEY, &format!("{whole}?owner=admin"))).await;
    assert_eq!(gone, (404, "Project 'demo' not found".into()));
}

#[tokio::test]
async fn names_are_looked_at_before_owners_and_slashes_are_spelled_out() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    for path in ["/api/projects/-x/main/builtin/extract", "/api/projects/-x"] {
        assert_eq!(refusal(delete(&api, ADMIN_KEY, path)).await, (400, "Invalid project name: '-x'".into()));
    }
    for part in ["a..b/builtin/extract", "main/gpt/x", "main/claude/a..b"] {
        let path = format!("/api/projects/demo/{part}");
        assert_eq!(refusal(delete(&api, ADMIN_KEY, &path)).await.0, 400, "whose is asked before that");
        let refused = refusal(delete(&api, ADMIN_KEY, &format!("{path}?owner=admin"))).await;
        assert_eq!(refused, (404, "Variant not found".into()), "{part}");
    }
    for branch in ["feat/x", "v1.2.3"] {
        let key = VariantKey { branch: branch.parse().unwrap(), ..variant_of("admin", "demo") };
        queue(&world, &key).await;
        let path = format!("/api/projects/demo/{}/builtin/extract", key.branch.to_segment());
        let busy = "Cannot delete 'demo/builtin/extract' while generation is in progress. Abort first.";
        let refused = refusal(delete(&api, ADMIN_KEY, &format!("{path}?owner=admin"))).await;
        assert_eq!(refused, (409, busy.into()), "{branch}");
        let (status, body) = answer(api.post(&format!("{path}/abort"))).await;
        assert_eq!((status, body), (200, json!({"aborted": format!("demo/{branch}/builtin/extract")})));
        let (status, body) = answer(delete(&api, ADMIN_KEY, &format!("{path}?owner=admin"))).await;
        assert_eq!((status, body), (200, json!({"deleted": format!("demo/{branch}/builtin/extract")})));
    }
}

#[tokio::test]
async fn nothing_of_a_project_goes_while_a_part_of_it_is_made() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let idle = variant_of("admin", "demo");
    let busy = VariantKey { branch: "dev".parse().unwrap(), ..idle.clone() };
    publish_site(&world, &idle, &[("index.html", "1")]).await;
    let id = queue(&world, &busy).await;
    let sentence = "Cannot delete 'demo' while generation is in progress. Abort running variants first.";
    for running in [false, true] {
        if running {
            claim(&world, id).await;
        }
        let refused = refusal(delete(&api, ADMIN_KEY, "/api/projects/demo?owner=admin")).await;
        assert_eq!(refused, (409, sentence.into()));
        assert_eq!((count(&world, "variants").await, count(&world, "deleted_sites").await), (2, 0));
    }
    // an idle variant of it can go by itself
    assert_eq!(answer(delete(&api, ADMIN_KEY, &format!("{VARIANT}?owner=admin"))).await.0, 200);
    assert_eq!(count(&world, "variants").await, 1);
}

#[tokio::test]
async fn everything_of_a_variant_goes_with_it_and_nothing_of_another() {
    let world = World::start().await;
    let api = Api::start(&world).await;
    let repository = Repository::library("demo");
    let key = variant_of("admin", "demo");
    world.generate(&repository, &key, false).await;
    world.generate(&repository, &key, true).await;
    let other = publish_site(&world, &variant_of("alice", "demo"), &[("index.html", "alice")]).await;
    assert_eq!((folders(&world).len(), count(&world, "checkpoints").await > 0), (3, true));
    let read = api.get("/docs/demo/main/builtin/extract/?owner=admin").send().await.unwrap();
    assert_eq!(read.status(), 200);

    assert_eq!(answer(delete(&api, ADMIN_KEY, "/api/projects/demo?owner=admin")).await.0, 200);
    let left = sqlx::query_scalar::<_, String>("SELECT owner FROM variants").fetch_all(&world.pool).await.unwrap();
    assert_eq!(left, ["alice"]);
    for table in ["pages", "checkpoints", "deleted_sites"] {
        assert_eq!(count(&world, table).await, 0, "{table}");
    }
    assert_eq!((count(&world, "generations").await, folders(&world)), (1, vec![other.to_string()]));
    let gone = api.get("/docs/demo/main/builtin/extract/?owner=admin").send().await.unwrap();
    assert_eq!(gone.status(), 404);
    let kept = api.get("/docs/demo/main/builtin/extract/?owner=alice").send().await.unwrap();
    assert_eq!(kept.text().await.unwrap(), "alice");
    assert_eq!(answer(api.get("/api/projects/demo")).await.1["variants"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn grants_go_with_the_last_variant_of_a_project_and_everybody_is_told() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    for name in ["bob", "carol"] {
        api.create_user(name, "user").await;
    }
    let first = variant_of("alice", "demo");
    let second = VariantKey { branch: "dev".parse().unwrap(), ..first.clone() };
    for key in [&first, &second] {
        publish_site(&world, key, &[("index.html", "x")]).await;
    }
    grant(&world, &first, "bob").await;
    grant(&world, &variant_of("alice", "other"), "carol").await;
    let mut heard = world.listening.subscribe();
    let project = AccessChange::Project { owner: "alice".into(), name: "demo".into() };
    for (branch, grants, told) in
        [("main", 2, vec![project.clone()]), ("dev", 1, vec![project, AccessChange::User("bob".into())])]
    {
        let path = format!("/api/projects/demo/{branch}/builtin/extract?owner=alice");
        assert_eq!(answer(delete(&api, ADMIN_KEY, &path)).await.0, 200);
        assert_eq!(count(&world, "project_access").await, grants, "after {branch}");
        for change in told {
            let next = loop {
                match heard.recv().await.unwrap() {
                    Heard::Notification { channel, payload } if &*channel == ACCESS_CHANNEL => break payload,
                    _ => {}
                }
            };
            assert_eq!(serde_json::from_str::<AccessChange>(&next).unwrap(), change);
        }
    }
}

#[tokio::test]
async fn files_of_a_deletion_that_was_cut_off_are_removed_by_a_worker() {
    let mut world = World::without_worker().await;
    let key = variant_of("admin", "demo");
    // a worker that lost its lease had begun a folder under the fence before the one that finished
    let id = queue(&world, &key).await;
    let lost = claim(&world, id).await;
    let mut transaction = world.pool.begin().await.unwrap();
    db::generations::hand_back(&mut transaction, id, lost).await.unwrap();
    transaction.commit().await.unwrap();
    let fence = claim(&world, id).await;
    let files: SiteFiles = [("index.html".to_owned(), b"x".to_vec())].into();
    for fence in [lost, fence] {
        publish(&world.store, &SitePrefix::new(id, fence), &files).await.unwrap();
    }
    let mut transaction = world.pool.begin().await.unwrap();
    let error = shared::generation::State::Error;
    db::generations::end_unfinished(&mut transaction, id, fence, error, "x").await.unwrap();
    transaction.commit().await.unwrap();
    let other = publish_site(&world, &variant_of("alice", "demo"), &[("index.html", "alice")]).await;

    // all that an API does before it is killed
    let name: ProjectName = "demo".parse().unwrap();
    let mut transaction = world.pool.begin().await.unwrap();
    let outcome = db::deletions::delete_project(&mut transaction, "admin", &name).await.unwrap();
    transaction.commit().await.unwrap();
    let mut expected = vec![SitePrefix::new(id, lost).to_string(), SitePrefix::new(id, fence).to_string()];
    expected.sort();
    let db::deletions::Outcome::Deleted(mut prefixes) = outcome else { panic!("{outcome:?}") };
    prefixes.sort();
    assert_eq!((prefixes, folders(&world).len()), (expected, 3));

    world.start_worker();
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_mins(1);
    while count(&world, "deleted_sites").await > 0 {
        assert!(tokio::time::Instant::now() < deadline, "nobody removed the files");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(folders(&world), [other.to_string()]);
}

/// Waiting tasks about generations that are not there, or not waiting.
const ORPHAN_TASKS: &str = "apalis.jobs j WHERE j.job_type = 'generate' AND j.status = 'Pending' AND NOT EXISTS (
    SELECT 1 FROM generations g WHERE j.idempotency_key = g.id || ':' || g.fence AND g.state = 'queued')";

#[tokio::test]
async fn deletions_requests_and_aborts_that_race_have_one_winner_and_leave_nothing_behind() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let repository = Repository::library("demo");
    let key = variant_of("admin", "demo");
    let body = json!({"repo_path": repository.path(), "force": true});
    let status = async |request: RequestBuilder| request.send().await.unwrap().status().as_u16();
    let deletion = || status(delete(&api, ADMIN_KEY, &format!("{VARIANT}?owner=admin")));
    let whole = || status(delete(&api, ADMIN_KEY, "/api/projects/demo?owner=admin"));
    let mut seen = [0; 4];
    for _ in 0..40 {
        publish_site(&world, &key, &[("index.html", "x")]).await;
        let read = || status(api.get("/docs/demo/main/builtin/extract/"));
        let archive = || status(api.get(&format!("{VARIANT}/download")));
        let (first, second, third, page, packed) = tokio::join!(deletion(), whole(), deletion(), read(), archive());
        let mut statuses = [first, second, third];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 404, 404]);
        assert!([200, 404].contains(&page) && [200, 404].contains(&packed), "{page} {packed}");

        publish_site(&world, &key, &[("index.html", "x")]).await;
        let generate = || status(api.post("/api/generate").json(&body));
        let (started, again, deleted) = tokio::join!(generate(), generate(), deletion());
        let mut statuses = [started, again];
        statuses.sort_unstable();
        assert_eq!(statuses, [202, 409]);
        let generations = count(&world, "generations").await;
        match deleted {
            200 => assert_eq!(generations, 1, "the old one is gone, the new one is there"),
            409 => assert_eq!(generations, 2, "both are there"),
            other => panic!("{other}"),
        }
        seen[usize::from(deleted == 200)] += 1;

        let abort = || status(api.post(&format!("{VARIANT}/abort")));
        let (aborted, deleted) = tokio::join!(abort(), whole());
        assert_eq!(aborted, 200);
        assert!([200, 409].contains(&deleted), "{deleted}");
        seen[2 + usize::from(deleted == 200)] += 1;
        if deleted == 409 {
            assert_eq!(deletion().await, 200);
        }
        for table in ["variants", "generations", "events", "deleted_sites", ORPHAN_TASKS] {
            assert_eq!(count(&world, table).await, 0, "{table}");
        }
        assert_eq!(folders(&world), Vec::<String>::new());
    }
    println!("deleted after / before a request {seen:?}");
}

#[tokio::test]
async fn deletions_and_a_worker_never_wait_in_a_circle() {
    let world = World::start().await;
    let api = Api::start(&world).await;
    let repository = Repository::library("demo");
    let keys: Vec<VariantKey> = ["main", "v1", "v2"]
        .map(|branch| VariantKey { branch: branch.parse().unwrap(), ..variant_of("admin", "demo") })
        .to_vec();
    for tag in ["v1", "v2"] {
        repository.git(&["tag", tag]);
    }
    let mut deletions = 0;
    for _ in 0..6 {
        for key in &keys {
            world.request(&repository, key, true).await;
        }
        // asks all the time while the runs write, until all have ended
        loop {
            let asked = delete(&api, ADMIN_KEY, "/api/projects/demo?owner=admin");
            match asked.send().await.unwrap().status().as_u16() {
                200 => break deletions += 1,
                409 => {}
                other => panic!("{other}"),
            }
        }
        assert_eq!((count(&world, "generations").await, folders(&world).len()), (0, 0));
    }
    assert_eq!(deletions, 6);
}
