//! `POST /api/generate` with `dry_run`: what a run would do and what it would cost. Nothing is started.

use reqwest::Method;
use serde_json::{Value, json};
use shared::{
    provider::Provider,
    variant::{Status, VariantKey},
};

use super::{ADMIN_KEY, Api, answer, occupy, refusal};
use crate::support::{
    repository::Repository,
    world::{World, variant},
};

struct Asked {
    world: World,
    api: Api,
    repository: Repository,
}

fn text_of(title: &str, file: &str) -> String {
    format!(
        "# {title}\n\nThis page is about one module of the project, and what it is good for. [[{file}:1-1]]\n\n\
         ## Second\n\nThe second line of the module is about something else. [[{file}:2-2]]\n"
    )
}

impl Asked {
    async fn start() -> Self {
        let world = World::start_counting().await;
        let api = Api::start(&world).await;
        let repository = Repository::library("adder");
        for (number, name) in [(1, "one"), (2, "two"), (3, "three")] {
            let file = format!("src/{name}.rs");
            repository.write(&file, &format!("pub const {name}_FIRST: u8 = 1;\npub const {name}_SECOND: u8 = 2;\n"));
            world.stand_ins.set_text(&format!("page-page-{number}"), &text_of(&format!("Page {number}"), &file));
        }
        repository.commit("modules");
        Self { world, api, repository }
    }

    async fn generate(&self, key: &VariantKey) {
        let row = self.world.generate(&self.repository, key, false).await;
        assert_eq!((row.status, row.error_message.as_deref()), (Status::Ready, None));
    }

    fn body(&self, key: &VariantKey, more: &Value) -> String {
        let mut body = json!({
            "repo_path": self.repository.path(), "ai_provider": key.provider.as_str(), "ai_model": key.model.as_str(),
            "dry_run": true,
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body.to_string()
    }

    async fn bill(&self, key: &VariantKey, more: Value) -> Value {
        let (status, body) = answer(self.api.post("/api/generate").body(self.body(key, &more))).await;
        assert_eq!((status, &body["state"], &body["kind"]), (200, &json!("done"), &json!("dry_run")), "{body}");
        body["bill"].clone()
    }

    async fn count(&self, table: &str) -> i64 {
        sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
            .fetch_one(&self.world.pool)
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn without_a_site_it_is_a_full_run_of_which_nobody_knows_the_pages_and_nothing_is_started() {
    let site = Asked::start().await;
    let key = variant("adder", Provider::Claude);
    let bill = site.bill(&key, json!({})).await;
    assert_eq!((&bill["outcome"], &bill["why_all"]), (&json!("full"), &json!("there is no site yet")));
    assert_eq!(bill["total"].get("calls"), None, "{bill}");
    assert!(bill["unknown"].as_str().unwrap().contains("how many pages"), "{bill}");
    assert_eq!((site.count("generations").await, site.count("variants").await), (0, 0));
    assert_eq!(site.world.stand_ins.calls(), Vec::<String>::new());

    // the pages that are wished for are all: nobody plans them
    let wished = json!({ "pages": [{ "title": "One" }, { "title": "Two", "slug": "second" }], "pages_only": true });
    let bill = site.bill(&key, wished).await;
    assert_eq!((&bill["outcome"], &bill["total"]["calls"]), (&json!("full"), &json!(2)), "{bill}");
    assert_eq!(bill["calls"].as_array().unwrap().len(), 1, "{bill}");
    let pages: Vec<&str> =
        bill["pages"].as_array().unwrap().iter().map(|page| page["slug"].as_str().unwrap()).collect();
    assert_eq!(pages, ["one", "second"]);

    let free = site.bill(&variant("adder", Provider::Builtin), json!({})).await;
    assert_eq!((&free["total"]["cost_usd"], &free["total"]["calls"]), (&json!(0.0), &json!(0)));
    assert_eq!(free.get("unknown"), None);
}

#[tokio::test]
async fn each_section_has_its_reason_and_the_calls_their_cost_of_past_ones() {
    let site = Asked::start().await;
    let key = variant("adder", Provider::Claude);
    site.generate(&key).await;
    assert_eq!(site.bill(&key, json!({})).await["outcome"], "up_to_date");
    let all = site.bill(&key, json!({"force": true})).await;
    assert_eq!(
        (&all["outcome"], &all["why_all"], &all["total"]["calls"]),
        (&json!("full"), &json!("`force`"), &json!(4))
    );
    let purposes: Vec<_> =
        all["calls"].as_array().unwrap().iter().map(|call| (&call["purpose"], &call["known_calls"])).collect();
    assert_eq!(purposes, [(&json!("plan"), &json!(1)), (&json!("page"), &json!(3))]);
    assert!(all["total"]["output_tokens"].is_u64(), "{all}");
    let other = site.bill(&key, json!({"title": "Another"})).await;
    assert_eq!(other["why_all"], "the options are others than those of the site");

    site.repository.write("src/two.rs", "pub const two_FIRST: u8 = 1;\npub const two_SECOND: u8 = 22;\n");
    let changed = site.repository.commit("two changes");
    site.repository.write("src/one.rs", "//! Moves.\npub const one_FIRST: u8 = 1;\npub const one_SECOND: u8 = 2;\n");
    site.repository.commit("one moves");
    let (generations, calls) = (site.count("generations").await, site.count("ai_calls").await);
    let bill = site.bill(&key, json!({})).await;
    assert_eq!(
        bill["pages"],
        json!([{"slug": "page-2", "action": "sections", "sections": [{
            "position": 1, "heading": "Second",
            "reasons": [{"kind": "cited_lines_changed", "commit": changed,
                         "place": {"path": "src/two.rs", "first_line": 2, "last_line": 2}}],
        }]}])
    );
    assert_eq!((&bill["questions"], &bill["total"]["calls"]), (&json!([]), &json!(1)));
    assert_eq!((&bill["with_rework"]["calls"], bill.get("warnings")), (&json!(2), None), "{bill}");
    assert_eq!(bill["unknown"], "`claude` `test-model` has made no call for `sections` yet");

    site.repository.write("src/four.rs", "pub fn four() {}\n");
    site.repository.commit("a module");
    let bill = site.bill(&key, json!({})).await;
    assert_eq!(bill["questions"], json!(["the file `src/four.rs` is new"]));
    assert_eq!(
        (&bill["total"]["calls"], &bill["with_rework"]),
        (&json!(2), &json!({})),
        "the answer may name more pages"
    );
    assert_eq!((site.count("generations").await, site.count("ai_calls").await), (generations, calls));
}

#[tokio::test]
async fn it_says_what_would_keep_the_run_from_its_end() {
    let site = Asked::start().await;
    let key = variant("adder", Provider::Claude);
    site.generate(&key).await;
    site.repository.write("src/two.rs", "pub const two_FIRST: u8 = 1;\npub const two_SECOND: u8 = 22;\n");
    site.repository.commit("two changes");
    let told = async |provider, more| {
        let bill = site.bill(&variant("adder", provider), more).await;
        let warnings = bill["warnings"].as_array().cloned().unwrap_or_default();
        warnings.iter().map(|sentence| sentence.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let pause = json!({"provider": "claude", "message": "new key on Monday"});
    assert_eq!(answer(site.api.post("/api/admin/pause").body(pause.to_string())).await.0, 200);
    let paused = ["`claude` is paused, a run would wait: new key on Monday"];
    assert_eq!(told(Provider::Claude, json!({})).await, paused);
    assert!(told(Provider::Builtin, json!({})).await.is_empty());
    answer(site.api.post("/api/admin/resume").body(pause.to_string())).await;
    // a full run costs what four past calls did, and the month has had them
    let small = json!({"force": true, "max_cost_usd": 0.001});
    let short = told(Provider::Claude, small).await;
    assert!(matches!(&short[..], [one] if one.contains("of the budget of $0.001 (of this generation)")), "{short:?}");
    let limit = json!({"settings": {"max_cost_per_user_per_month_usd": "0.001"}});
    let call = site.api.ask(Method::PUT, "/api/admin/settings").bearer_auth(ADMIN_KEY);
    assert_eq!(answer(call.body(limit.to_string())).await.0, 200);
    let spent = told(Provider::Claude, json!({})).await;
    assert!(matches!(&spent[..], [one] if one.starts_with("budget of $0.001 reached (of user")), "{spent:?}");
    assert!(told(Provider::Builtin, json!({})).await.is_empty());
}

#[tokio::test]
async fn it_is_answered_while_the_variant_is_generated_and_changes_nothing_of_it() {
    let site = Asked::start().await;
    let key = variant("adder", Provider::Claude);
    occupy(&site.world, &key).await;
    let before = site.world.row(&key).await;
    // the variant is of another repository, as for the real request
    let (status, _) = refusal(site.api.post("/api/generate").body(site.body(&key, &json!({})))).await;
    assert_eq!(status, 409);
    assert_eq!(site.bill(&key, json!({"force": true})).await["outcome"], "full");
    let after = site.world.row(&key).await;
    assert_eq!((before.generation_id, before.updated_at), (after.generation_id, after.updated_at));
}

#[tokio::test]
async fn what_the_real_request_refuses_is_refused() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    let (alice, viewer) = (api.create_user("alice", "user").await, api.create_user("viewer", "viewer").await);
    let ask = |key: &str, body: Value| api.ask(Method::POST, "/api/generate").bearer_auth(key).body(body.to_string());
    let body = json!({"repo_path": "/srv/demo", "ai_provider": "builtin", "dry_run": true});
    assert_eq!(refusal(ask(&alice, body.clone())).await.0, 403);
    assert_eq!(refusal(ask(&viewer, body)).await.0, 403);
    let odd = json!({"repo_url": "https://127.0.0.1/a/b", "dry_run": "perhaps"});
    let (status, body) = answer(ask(&alice, odd)).await;
    assert_eq!((status, &body["detail"][0]["loc"]), (422, &json!(["body", "dry_run"])));
    // questions that nobody answers are bounded
    let asked = |branch: usize| {
        let body = json!({"repo_url": "https://127.0.0.1/a/b", "ai_provider": "builtin", "dry_run": true,
                          "branch": format!("b{branch}")});
        api.ask(Method::POST, "/api/generate?wait=0").bearer_auth(&alice).body(body.to_string())
    };
    for branch in 0..20 {
        assert_eq!(answer(asked(branch)).await.0, 202);
    }
    let (status, detail) = refusal(asked(20)).await;
    assert!(status == 429 && detail.starts_with("20 questions of yours"), "{status} {detail}");
    assert_eq!(answer(asked(3)).await.0, 202, "what is asked already is no further question");
}
