//! `POST .../check`: how far a site is behind its repository, without making anything and without a model.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use shared::{
    db::{self, variants::VariantRow},
    ids::InspectionId,
    provider::Provider,
    variant::{Status, VariantKey},
};

use super::{Api, answer, publish_site, queue, refusal, variant_of};
use crate::support::{
    repository::Repository,
    world::{World, variant},
};

const ADDRESS: &str = "/api/projects/adder/main/claude/test-model";
const SITE: &str = "/docs/adder/main/claude/test-model";

/// Two functions, of which a page cites the first in its beginning and the second in a section.
fn module(name: &str) -> String {
    format!("pub fn {name}_first() -> u16 {{\n    80\n}}\n\npub fn {name}_second() -> u16 {{\n    443\n}}\n")
}

fn text_of(title: &str, file: &str) -> String {
    format!(
        "# {title}\n\nThis page is about one module of the project, which listens on port 80 unless it is told \
         something else. [[{file}:1-3]]\n\n## Secure\n\nThe second port is the secure one. [[{file}:5-7]]\n\n\
         ## Notes\n\nNothing of this is about a file.\n"
    )
}

/// A site of three pages, each about a file of its own, and the API.
struct Served {
    world: World,
    api: Api,
    repository: Repository,
    key: VariantKey,
    row: VariantRow,
}

impl Served {
    async fn start() -> Self {
        let world = World::start_counting().await;
        let api = Api::start(&world).await;
        let repository = Repository::library("adder");
        for (number, name) in [(1, "one"), (2, "two"), (3, "three")] {
            repository.write(&format!("src/{name}.rs"), &module(name));
            let text = text_of(&format!("Page {number}"), &format!("src/{name}.rs"));
            world.stand_ins.set_text(&format!("page-page-{number}"), &text);
        }
        repository.commit("modules");
        let key = variant("adder", Provider::Claude);
        let row = world.generate(&repository, &key, false).await;
        assert_eq!((row.status, row.error_message.as_deref()), (Status::Ready, None));
        Self { world, api, repository, key, row }
    }

    /// Moves the functions of one module, changes one of another, and removes a third; in two commits.
    fn go_on(&self) -> String {
        self.repository.write("src/one.rs", &format!("//! One.\n\n{}", module("one")));
        self.repository.commit("one moves");
        self.repository.write("src/two.rs", &module("two").replace("443", "8443"));
        std::fs::remove_file(self.repository.path().join("src/three.rs")).unwrap();
        self.repository.commit("two changes, three goes")
    }

    async fn check(&self) -> Value {
        let (status, body) = answer(self.api.post(&format!("{ADDRESS}/check"))).await;
        assert_eq!((status, &body["state"]), (200, &json!("done")), "{body}");
        body["check"].clone()
    }

    async fn variant(&self) -> Value {
        answer(self.api.get(ADDRESS)).await.1
    }

    async fn open_generations(&self) -> i64 {
        let count = sqlx::query_scalar("SELECT count(*) FROM generations");
        count.fetch_one(&self.world.pool).await.unwrap()
    }
}

#[tokio::test]
async fn a_check_says_what_moved_what_changed_and_what_is_gone_and_makes_nothing() {
    let site = Served::start().await;
    let (calls, generations) = (site.world.stand_ins.calls().len(), site.open_generations().await);
    let head = site.go_on();
    let check = site.check().await;
    assert_eq!(check["head_commit"], head.as_str());
    assert_eq!((&check["is_behind"], &check["behind_commits"]), (&json!(true), &json!(2)));
    let states = |page: usize| -> Vec<&str> {
        let sections = check["pages"][page]["sections"].as_array().unwrap();
        sections.iter().map(|section| section["state"].as_str().unwrap()).collect()
    };
    assert_eq!(states(0), ["moved", "moved", "unchanged"], "{check}");
    assert_eq!(states(1), ["unchanged", "changed", "unchanged"], "{check}");
    assert_eq!(states(2), ["lost", "lost", "unchanged"], "{check}");
    assert_eq!(check["stale_sections"], 3);
    let moved = &check["pages"][0]["sections"][1]["moved"];
    let place = |first: u32, last: u32| json!({"path": "src/one.rs", "first_line": first, "last_line": last});
    assert_eq!(moved, &json!([{"from": place(5, 7), "to": place(7, 9)}]));
    let reason = &check["pages"][1]["sections"][1]["reasons"][0];
    assert_eq!((&reason["kind"], &reason["commit"]), (&json!("cited_lines_changed"), &json!(head)));
    let totals = &check["totals"];
    let figures = ["sections", "moved", "changed", "lost", "citations", "moved_citations", "changed_citations"]
        .map(|name| totals[name].as_u64().unwrap());
    assert_eq!(figures, [9, 2, 1, 2, 6, 2, 3]);

    assert_eq!(site.world.stand_ins.calls().len(), calls, "a check asks no model");
    assert_eq!(site.open_generations().await, generations);
    let row = site.variant().await;
    assert_eq!((&row["behind_commits"], &row["stale_sections"]), (&json!(2), &json!(3)));
    assert_eq!((&row["checked_commit"], &row["status"]), (&json!(head), &json!("ready")));
    assert_eq!(site.world.row(&site.key).await.site_prefix, site.row.site_prefix);
}

#[tokio::test]
async fn of_several_commits_that_touched_a_file_the_one_that_changed_the_lines_is_to_blame() {
    let site = Served::start().await;
    let commit = |file: &str, text: &str| {
        site.repository.write(file, text);
        site.repository.commit("another")
    };
    commit("src/two.rs", &format!("//! Two.\n\n{}", module("two")));
    let changed = commit("src/two.rs", &format!("//! Two.\n\n{}", module("two").replace("443", "8443")));
    commit("src/two.rs", &format!("//! Two.\n\n{}\npub fn more() {{}}\n", module("two").replace("443", "8443")));
    commit("src/three.rs", "");
    std::fs::remove_file(site.repository.path().join("src/three.rs")).unwrap();
    let removed = site.repository.commit("three goes");
    let check = site.check().await;
    let reasons = |page: usize, section: usize| check["pages"][page]["sections"][section]["reasons"][0].clone();
    let named = |reason: Value| (reason["kind"].clone(), reason["commit"].clone());
    assert_eq!(named(reasons(1, 1)), (json!("cited_lines_changed"), json!(changed)), "{check}");
    assert_eq!(named(reasons(2, 0)), (json!("source_gone"), json!(removed)), "{check}");
}

#[tokio::test]
async fn readers_are_told_that_a_site_is_behind_and_the_site_itself_stays() {
    let site = Served::start().await;
    let page = format!("{SITE}/page-2.html");
    let get = |path: &str| site.api.get(path).header("accept-encoding", "br");
    let before = get(&page).send().await.unwrap();
    let old_tag = before.headers()["etag"].clone();
    site.go_on();
    site.check().await;
    let sentence = "This documentation is 2 commits behind its repository: what 3 sections stand on has changed.";
    for path in ["page-1.html", "page-2.html", ""] {
        let shown = get(&format!("{SITE}/{path}")).send().await.unwrap();
        assert_eq!(shown.headers().get("content-encoding"), None);
        assert!(shown.text().await.unwrap().contains(sentence), "{path}");
    }
    // a browser that has the page without the line gets the one with it, and may keep that
    let asked = get(&page).header("if-none-match", old_tag.clone()).send().await.unwrap();
    assert_eq!(asked.status(), 200);
    let new_tag = asked.headers()["etag"].clone();
    assert_ne!(new_tag, old_tag);
    let length: usize = asked.headers()["content-length"].to_str().unwrap().parse().unwrap();
    assert_eq!(asked.bytes().await.unwrap().len(), length);
    assert_eq!(get(&page).header("if-none-match", new_tag.clone()).send().await.unwrap().status(), 304);
    // other files are as they were, and so are the bytes that are kept
    let search = get(&format!("{SITE}/search-index.json")).send().await.unwrap();
    assert!(!search.text().await.unwrap().contains("behind its repository"));
    assert!(!site.world.site_file(&site.row, "page-2.html").await.unwrap().contains("behind its repository"));

    // a new site is not behind
    site.world.request(&site.repository, &site.key, true).await.unwrap();
    site.world.stand_ins.set_text("page-page-3", &text_of("Page 3", "src/one.rs"));
    let row = site.world.wait_for_end(&site.key).await;
    assert_eq!((row.status, row.error_message.as_deref()), (Status::Ready, None));
    let shown = get(&page).send().await.unwrap().text().await.unwrap();
    assert!(!shown.contains("behind its repository"));
    let row = site.variant().await;
    for field in ["checked_at", "checked_commit", "behind_commits", "stale_sections"] {
        assert_eq!(row.get(field), None, "{field}");
    }
}

#[tokio::test]
async fn a_site_at_the_head_of_its_branch_is_not_behind() {
    let site = Served::start().await;
    let check = site.check().await;
    assert_eq!((&check["is_behind"], &check["behind_commits"]), (&json!(false), &json!(0)));
    assert_eq!((&check["stale_sections"], &check["totals"]["unchanged"]), (&json!(0), &json!(9)));
    let shown = site.api.get(&format!("{SITE}/")).send().await.unwrap().text().await.unwrap();
    assert!(!shown.contains("behind its repository"));
    // a newer commit that touches nothing a page cites: behind, and nothing concerned
    site.repository.write("notes.txt", "nobody cites this\n");
    site.repository.commit("notes");
    let check = site.check().await;
    assert_eq!((&check["behind_commits"], &check["stale_sections"]), (&json!(1), &json!(0)));
    let shown = site.api.get(&format!("{SITE}/")).send().await.unwrap().text().await.unwrap();
    assert!(shown.contains("1 commit behind its repository: nothing that it cites has changed"));
}

#[tokio::test]
async fn a_repository_that_is_gone_is_the_answer_and_not_a_fault() {
    let site = Served::start().await;
    let elsewhere = site.repository.path().with_file_name("elsewhere");
    site.repository.git(&["branch", "--move", "main", "other"]);
    let (status, body) = answer(site.api.post(&format!("{ADDRESS}/check"))).await;
    assert_eq!((status, &body["state"]), (200, &json!("failed")), "{body}");
    assert!(body["message"].as_str().unwrap().starts_with("branch or tag `main` does not exist"), "{body}");
    std::fs::rename(site.repository.path(), &elsewhere).unwrap();
    let (status, _) = refusal(site.api.post(&format!("{ADDRESS}/check"))).await;
    std::fs::rename(&elsewhere, site.repository.path()).unwrap();
    assert_eq!(status, 400);
    assert_eq!(site.variant().await.get("checked_at"), None);
}

#[tokio::test]
async fn who_may_not_generate_may_not_check_and_what_is_asked_wrongly_is_refused() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let address = "/api/projects/demo/main/builtin/extract/check";
    publish_site(&world, &variant_of("alice", "demo"), &[("index.html", "start")]).await;
    queue(&world, &variant_of("alice", "unserved")).await;
    let (alice, bob) = (api.create_user("alice", "user").await, api.create_user("bob", "user").await);
    let viewer = api.create_user("viewer", "viewer").await;
    let ask = |key: &str, path: &str| api.ask(Method::POST, path).bearer_auth(key);
    assert_eq!(refusal(api.ask(Method::POST, address)).await.0, 401);
    assert_eq!(refusal(ask(&viewer, address)).await.0, 403);
    assert_eq!(refusal(ask(&bob, address)).await, (404, "Not found".into()));
    assert_eq!(refusal(ask(&alice, &address.replace("/main/", "/other/"))).await.0, 404);
    assert_eq!(refusal(ask(&alice, &address.replace("demo", "-x"))).await.0, 400);
    // its repository is a path on the server
    assert_eq!(refusal(ask(&alice, address)).await.0, 403);
    let unserved = "/api/projects/unserved/main/builtin/extract/check";
    assert_eq!(refusal(api.post(unserved)).await.0, 409);
    for wait in ["x", "-1", "26", "1.5", ""] {
        let (status, detail) = refusal(api.post(&format!("{address}?wait={wait}"))).await;
        assert_eq!((status, detail.as_str()), (400, "`wait` must be a whole number of seconds, 0 to 25"), "{wait}");
    }
    for (id, status) in [("x", 400), ("00000000-0000-0000-0000-000000000000", 404)] {
        assert_eq!(refusal(api.get(&format!("/api/inspections/{id}"))).await.0, status);
    }
}

#[tokio::test]
async fn an_answer_that_takes_long_is_fetched_later_and_asked_for_once() {
    let mut site = Served::start().await;
    site.world.stop_worker().await;
    let asked = || answer(site.api.post(&format!("{ADDRESS}/check?wait=0")));
    let (status, body) = asked().await;
    assert_eq!((status, &body["state"]), (202, &json!("queued")), "{body}");
    assert_eq!(asked().await.1["inspection_id"], body["inspection_id"]);
    let path = format!("/api/inspections/{}", body["inspection_id"].as_str().unwrap());
    let bob = site.api.create_user("bob", "user").await;
    assert_eq!(refusal(site.api.ask(Method::GET, &path).bearer_auth(&bob)).await.0, 404);
    site.world.start_worker();
    let done = wait_for_answer(&site, &path).await;
    assert_eq!((&done["state"], &done["check"]["is_behind"]), (&json!("done"), &json!(false)), "{done}");
}

async fn wait_for_answer(site: &Served, path: &str) -> Value {
    let mut heard = site.world.listening.subscribe();
    let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
    loop {
        let (status, body) = answer(site.api.get(path)).await;
        assert_eq!(status, 200, "{body}");
        if ["done", "failed"].contains(&body["state"].as_str().unwrap()) {
            return body;
        }
        assert!(tokio::time::Instant::now() < deadline, "waited in vain: {body}");
        let _ = tokio::time::timeout(Duration::from_millis(300), heard.recv()).await;
    }
}

#[tokio::test]
async fn an_inspection_whose_worker_died_is_answered_by_another_and_one_that_kills_three_ends() {
    let mut site = Served::start().await;
    site.world.stop_worker().await;
    let (_, body) = answer(site.api.post(&format!("{ADDRESS}/check?wait=0"))).await;
    let id: InspectionId = body["inspection_id"].as_str().unwrap().parse().unwrap();
    let path = format!("/api/inspections/{id}");
    let mut conn = site.world.pool.acquire().await.unwrap();
    // as a worker that takes it and dies at once
    assert!(db::inspections::claim(&mut conn, id, Duration::ZERO).await.unwrap().is_some());
    assert!(db::inspections::claim(&mut conn, id, Duration::ZERO).await.unwrap().is_none(), "it is taken");
    site.world.start_worker();
    assert_eq!(wait_for_answer(&site, &path).await["state"], "done");
    site.world.stop_worker().await;

    let (_, body) = answer(site.api.post(&format!("{ADDRESS}/check?wait=0"))).await;
    let id: InspectionId = body["inspection_id"].as_str().unwrap().parse().unwrap();
    for death in 1..=3 {
        assert!(db::inspections::claim(&mut conn, id, Duration::ZERO).await.unwrap().is_some());
        let (queued, ended) = db::inspections::reap(&mut conn).await.unwrap();
        assert_eq!((queued.len(), ended.len()), if death < 3 { (1, 0) } else { (0, 1) }, "death {death}");
    }
    let ended = wait_for_answer(&site, &format!("/api/inspections/{id}")).await;
    assert_eq!(ended["message"], "the workers that looked died over it");
}
