//! A site is brought to a new commit: only pages that the change concerns are asked for, the others stay byte for byte.

use serde_json::{Value, json};
use shared::{
    db::{self, variants::VariantRow},
    provider::Provider,
    stage::Stage,
    variant::{Status, VariantKey},
};

use crate::support::{
    repository::Repository,
    world::{World, variant},
};

/// A site of three pages, each about a file of its own, and how many calls it took.
struct Written {
    world: World,
    repository: Repository,
    key: VariantKey,
    row: VariantRow,
    calls: usize,
}

fn text_of(title: &str, file: &str) -> String {
    format!(
        "# {title}\n\nThis page is about one module of the project, which listens on port 80 unless it is told \
         something else. [[{file}:1-1]]\n\n## More\n\nThe code is in `{file}`. See [Page 1](page-1.html).\n"
    )
}

/// An answer to the question for all sections of a page.
fn sections_of(text: &str) -> String {
    let sections = shared::section::sections(text).into_iter();
    let sections: Vec<Value> =
        sections.map(|section| json!({"position": section.position, "text": section.text})).collect();
    json!({ "sections": sections }).to_string()
}

impl Written {
    async fn site() -> Self {
        let world = World::start_counting().await;
        let repository = Repository::library("adder");
        for (number, name) in [(1, "one"), (2, "two"), (3, "three")] {
            repository.write(&format!("src/{name}.rs"), &format!("pub const PORT_{number}: u16 = 80;\n"));
            let text = text_of(&format!("Page {number}"), &format!("src/{name}.rs"));
            world.stand_ins.set_text(&format!("page-page-{number}"), &text);
            world.stand_ins.set_text(&format!("sections-page-{number}"), &sections_of(&text));
        }
        repository.commit("modules");
        let key = variant("adder", Provider::Claude);
        let row = world.generate(&repository, &key, false).await;
        assert_eq!((row.status, row.error_message.as_deref(), row.page_count), (Status::Ready, None, 3));
        let calls = world.stand_ins.calls().len();
        Self { world, repository, key, row, calls }
    }

    /// Commits what was written and generates; gives the new row and the calls that it took, sorted.
    async fn update(&mut self) -> (VariantRow, Vec<String>) {
        let commit = self.repository.commit("later");
        self.world.request(&self.repository, &self.key, false).await.unwrap();
        self.finish(&commit).await
    }

    async fn finish(&mut self, commit: &str) -> (VariantRow, Vec<String>) {
        let row = self.world.wait_for_end(&self.key).await;
        assert_eq!((row.status, row.error_message.as_deref()), (Status::Ready, None));
        assert_eq!(row.last_commit_sha.as_deref(), Some(commit));
        let mut calls = self.world.stand_ins.calls().split_off(self.calls);
        self.calls += calls.len();
        calls.sort();
        (row, calls)
    }

    fn change(&self, name: &str) {
        self.repository.write(&format!("src/{name}.rs"), "pub const PORT: u16 = 81;\n");
    }

    fn answer(&self, key: &str, answer: &Value) {
        self.world.stand_ins.set_text(key, &answer.to_string());
    }

    /// What is answered when the sections of a page are asked for: those of its first text, with a replacement.
    fn sections(&self, number: usize, name: &str, replacement: (&str, &str)) {
        let text = text_of(&format!("Page {number}"), &format!("src/{name}.rs"));
        let text = text.replace(replacement.0, replacement.1);
        self.world.stand_ins.set_text(&format!("sections-page-{number}"), &sections_of(&text));
    }

    fn edits(&self, key: &str, edits: &[(&str, &str)]) {
        let edits: Vec<Value> = edits.iter().map(|(find, replace)| json!({"find": find, "replace": replace})).collect();
        self.answer(key, &json!({ "edits": edits }));
    }

    /// That a page has the very text of the first site and nobody was asked for it.
    async fn assert_kept(&self, row: &VariantRow, slug: &str) {
        let (before, after) = (self.world.page(&self.row, slug).await, self.world.page(row, slug).await);
        assert!(after.is_some() && before == after, "{slug}: {after:?}");
        assert_eq!(self.world.written_times(row, slug).await, 0);
    }
}

/// A plan of these pages, as a model gives it.
fn navigation(slugs: &[&str]) -> Value {
    let pages: Vec<Value> = slugs.iter().map(|slug| json!({"slug": slug, "title": title_of(slug)})).collect();
    json!([{"group": "Guide", "pages": pages}])
}

fn title_of(slug: &str) -> String {
    let mut title = slug.replace('-', " ");
    title[..1].make_ascii_uppercase();
    title
}

fn redirects(row: &VariantRow) -> Value {
    let plan: Value = serde_json::from_str(row.plan_json.as_ref().unwrap()).unwrap();
    plan["redirects"].clone()
}

#[tokio::test]
async fn only_pages_that_name_a_changed_file_are_asked_for_and_the_others_stay_byte_for_byte() {
    let mut site = Written::site().await;
    site.change("two");
    site.repository.write("src/lib.rs", "//! No page names this file.\n");
    site.sections(2, "two", ("on port 80", "on port 81"));
    let (row, calls) = site.update().await;
    assert_eq!(calls, ["sections-page-2"]);
    assert_ne!(row.site_prefix, site.row.site_prefix);
    assert_eq!((row.page_count, &row.plan_json), (3, &site.row.plan_json));
    site.assert_kept(&row, "page-1").await;
    site.assert_kept(&row, "page-3").await;
    let expected = text_of("Page 2", "src/two.rs").replace("port 80", "port 81");
    assert_eq!(site.world.page(&row, "page-2").await.as_deref(), Some(expected.as_str()));
    assert!(site.world.site_file(&row, "page-2.html").await.unwrap().contains("on port 81"));
    // the copied pages know what they are based on, and so does the edited one
    site.change("three");
    site.sections(3, "three", ("on port 80", "on port 81"));
    assert_eq!(site.update().await.1, ["sections-page-3"]);
    site.repository.write("src/two.rs", "pub const PORT: u16 = 82;\n");
    site.sections(2, "two", ("on port 80", "on port 82"));
    assert_eq!(site.update().await.1, ["sections-page-2"]);
}

#[tokio::test]
async fn a_page_that_is_still_right_stays_byte_for_byte() {
    let mut site = Written::site().await;
    site.change("two");
    let (row, calls) = site.update().await;
    assert_eq!(calls, ["sections-page-2"]);
    assert_eq!(site.world.page(&row, "page-2").await, site.world.page(&site.row, "page-2").await);
}

#[tokio::test]
async fn sections_that_cannot_be_had_are_taken_from_the_page_written_anew() {
    let mut site = Written::site().await;
    // sections that were not asked for, no answer, half an answer
    site.answer("sections-page-1", &json!({"sections": [{"position": 9, "text": "## More"}]}));
    site.world.stand_ins.set("mode.sections-page-2", "wrong");
    site.answer("sections-page-3", &json!({"sections": [{"position": 1, "text": "## More\n\nHalf an answer."}]}));
    for (number, name) in [(1, "one"), (2, "two"), (3, "three")] {
        site.change(name);
        let text = text_of(&format!("Page {number}"), &format!("src/{name}.rs"));
        let text = text.replace("on port 80", "on port 81") + "\n## Another\n\nThis section was not on the page.\n";
        site.world.stand_ins.set_text(&format!("page-page-{number}"), &text);
    }
    let (row, calls) = site.update().await;
    let each = |number: usize| [format!("sections-page-{number}"), format!("sections-page-{number}")];
    let asked: Vec<String> =
        (1..=3).map(|number| format!("page-page-{number}")).chain((1..=3).flat_map(each)).collect();
    assert_eq!(calls, asked);
    for (number, name) in [(1, "one"), (2, "two"), (3, "three")] {
        let expected = text_of(&format!("Page {number}"), &format!("src/{name}.rs")).replace("port 80", "port 81");
        assert_eq!(site.world.page(&row, &format!("page-{number}")).await.as_deref(), Some(expected.as_str()));
    }
}

#[tokio::test]
async fn a_new_module_gets_a_page_and_the_others_are_not_paid() {
    let mut site = Written::site().await;
    site.repository.write("src/four.rs", "pub fn four() {}\n");
    // in other words than before: those of pages that nothing concerns stay
    let mut navigation = navigation(&["page-1", "page-2", "page-3", "page-4"]);
    navigation[0]["pages"][0]["description"] = "Other words.".into();
    site.answer("plan_update", &json!({"affected": ["page-2"], "navigation": navigation}));
    let (row, calls) = site.update().await;
    assert_eq!(calls, ["edit-page-2", "page-page-4", "plan_update"]);
    assert_eq!((row.page_count, row.current_stage), (4, None));
    assert!(!row.plan_json.as_ref().unwrap().contains("Other words"), "{row:?}");
    site.assert_kept(&row, "page-1").await;
    assert!(site.world.site_file(&row, "page-4.html").await.is_some());
    assert_eq!(redirects(&row), Value::Null);
}

#[tokio::test]
async fn a_page_of_a_removed_module_goes_and_its_address_leads_to_the_first_page() {
    let mut site = Written::site().await;
    std::fs::remove_file(site.repository.path().join("src/three.rs")).unwrap();
    site.answer(
        "plan_update",
        &json!({"affected": [], "removed": ["page-3"], "navigation": navigation(&["page-1", "page-2"])}),
    );
    let (row, calls) = site.update().await;
    assert_eq!((calls, row.page_count), (vec!["plan_update".to_owned()], 2));
    assert_eq!(redirects(&row), json!({"page-3": null}));
    let old = site.world.site_file(&row, "page-3.html").await.unwrap();
    assert!(old.contains("href=\"index.html\"") && !old.contains("http-equiv=\"refresh\""), "{old}");
    site.assert_kept(&row, "page-1").await;
}

#[tokio::test]
async fn a_renamed_page_keeps_its_text_and_its_old_address_leads_to_it() {
    let mut site = Written::site().await;
    std::fs::remove_file(site.repository.path().join("src/one.rs")).unwrap();
    site.repository.write("src/first.rs", "pub fn first() -> u16 { 80 }\n");
    let answer =
        |slugs, old: &str, new: &str| json!({"affected": [], "renamed": {old: new}, "navigation": navigation(slugs)});
    site.answer("plan_update", &answer(&["first", "page-2", "page-3"], "page-1", "first"));
    // what names a file that is gone would go back to its writer
    let edits =
        [("# Page 1", "# First"), ("[[src/one.rs:1-1]]", "[[src/first.rs:1-1]]"), ("`src/one.rs`", "`src/first.rs`")];
    site.edits("edit-first", &edits);
    let (row, calls) = site.update().await;
    assert_eq!(calls, ["edit-first", "plan_update"]);
    assert_eq!(redirects(&row), json!({"page-1": "first"}));
    assert!(site.world.page(&row, "first").await.unwrap().starts_with("# First\n\nThis page is about one module"));
    let old = site.world.site_file(&row, "page-1.html").await.unwrap();
    assert!(old.contains("<link rel=\"canonical\" href=\"first.html\">") && old.contains(">First</a>"), "{old}");
    // pages that were not touched link to where it went, and nothing else of them is another
    let before = site.world.page(&site.row, "page-2").await.unwrap();
    assert_eq!(site.world.page(&row, "page-2").await.unwrap(), before.replace("page-1.html", "first.html"));
    assert_eq!(site.world.written_times(&row, "page-2").await, 0);
    let other = site.world.site_file(&row, "page-2.html").await.unwrap();
    assert!(other.contains("href=\"first.html\"") && !other.contains("href=\"page-1.html\""), "{other}");
    let index = site.world.site_file(&row, "search-index.json").await.unwrap();
    assert!(!index.contains("page-1"), "{index}");

    // it moves once more: both old addresses lead there in one step
    site.repository.write("src/zero.rs", "pub fn zero() {}\n");
    site.answer("plan_update", &answer(&["zero", "page-2", "page-3"], "first", "zero"));
    site.edits("edit-zero", &[("# First", "# Zero")]);
    let (row, _) = site.update().await;
    assert_eq!(redirects(&row), json!({"first": "zero", "page-1": "zero"}));
}

#[tokio::test]
async fn the_same_files_at_another_commit_are_up_to_date_without_a_call() {
    let mut site = Written::site().await;
    for key in [site.key.clone(), variant("adder", Provider::Builtin)] {
        if key.provider == Provider::Builtin {
            site.key = key;
            site.row = site.world.generate(&site.repository, &site.key, false).await;
        }
        let (row, calls) = site.update().await;
        assert_eq!((row.current_stage, calls.len()), (Some(Stage::UpToDate), 0));
        assert_eq!((row.site_prefix, row.page_count), (site.row.site_prefix.clone(), site.row.page_count));
        assert_ne!(row.last_commit_sha, site.row.last_commit_sha);
    }
}

#[tokio::test]
async fn a_change_that_concerns_no_page_is_up_to_date_and_is_not_asked_about_again() {
    let mut site = Written::site().await;
    site.repository.write("src/lib.rs", "//! No page names this file.\n");
    site.repository.write("CLAUDE.md", "Writers do not see this file.\n");
    let (row, calls) = site.update().await;
    assert_eq!((row.current_stage, calls.len()), (Some(Stage::UpToDate), 0));
    assert_eq!(row.site_prefix, site.row.site_prefix);

    site.repository.write("src/internal.rs", "fn internal() {}\n");
    let (row, calls) = site.update().await;
    assert_eq!((row.current_stage, calls), (Some(Stage::UpToDate), vec!["plan_update".to_owned()]));

    // only what came since then counts
    site.change("three");
    site.sections(3, "three", ("on port 80", "on port 81"));
    let (row, calls) = site.update().await;
    assert_eq!((row.current_stage, calls), (None, vec!["sections-page-3".to_owned()]));
    site.assert_kept(&row, "page-1").await;
}

/// The newest run is repeated, at its own commit, although the served site was made at an older one.
#[tokio::test]
async fn a_plan_that_is_made_again_after_an_up_to_date_run_is_of_its_commit() {
    let mut site = Written::site().await;
    site.repository.write("src/lib.rs", "//! No page names this file.\n");
    let (row, _) = site.update().await;
    assert_eq!(row.current_stage, Some(Stage::UpToDate));
    let commit = row.last_commit_sha.clone();
    assert_ne!(commit, site.row.last_commit_sha);
    let mut transaction = site.world.pool.begin().await.unwrap();
    let of = row.generation_id.unwrap();
    let retried = shared::jobs::retry_generation(&mut transaction, of, Some(Stage::Planning), "admin").await.unwrap();
    assert!(matches!(retried, shared::jobs::Retried::Queued(_)), "{retried:?}");
    transaction.commit().await.unwrap();
    let row = site.world.wait_for_end(&site.key).await;
    assert_eq!((row.status, row.error_message.as_deref(), row.current_stage), (Status::Ready, None, None));
    assert_eq!(row.last_commit_sha, commit);
}

/// Makes what lies in the folder the only commit there ever was.
fn forget_history(repository: &Repository) -> String {
    repository.git(&["add", "--all"]);
    let tree = repository.git(&["write-tree"]);
    let commit = repository.git(&["commit-tree", &tree, "-m", "another history"]);
    repository.git(&["reset", "--quiet", "--hard", &commit]);
    repository.git(&["reflog", "expire", "--expire=now", "--all"]);
    repository.git(&["gc", "--quiet", "--prune=now"]);
    commit
}

#[tokio::test]
async fn without_the_commit_of_the_last_site_it_is_fetched_and_without_that_all_is_written_anew() {
    let mut site = Written::site().await;
    let commits = site.world.sites_dir().join("commits");
    std::fs::remove_dir_all(&commits).unwrap();
    site.change("two");
    site.sections(2, "two", ("on port 80", "on port 81"));
    assert_eq!(site.update().await.1, ["sections-page-2"], "the remote has it still");

    // history is written anew, and the remote forgets what was
    std::fs::remove_dir_all(&commits).unwrap();
    site.change("three");
    let commit = forget_history(&site.repository);
    site.world.request(&site.repository, &site.key, false).await.unwrap();
    let (_, calls) = site.finish(&commit).await;
    assert_eq!(calls, ["page-page-1", "page-page-2", "page-page-3", "plan"]);
}

#[tokio::test]
async fn a_force_pushed_branch_is_compared_with_the_commit_that_was_kept() {
    let mut site = Written::site().await;
    site.change("two");
    site.sections(2, "two", ("on port 80", "on port 81"));
    let commit = forget_history(&site.repository);
    site.world.request(&site.repository, &site.key, false).await.unwrap();
    assert_eq!(site.finish(&commit).await.1, ["sections-page-2"]);
}

#[tokio::test]
async fn an_answer_that_forgets_pages_is_asked_for_again_and_then_all_is_written_anew() {
    let mut site = Written::site().await;
    let forgetful = json!({"affected": [], "navigation": navigation(&["page-4"])});
    site.repository.write("src/four.rs", "pub fn four() {}\n");
    site.answer("plan_update", &forgetful);
    site.answer(
        "plan_update_repair",
        &json!({"affected": [], "navigation": navigation(&["page-4", "page-1", "page-2", "page-3"])}),
    );
    let (row, calls) = site.update().await;
    assert_eq!(calls, ["page-page-4", "plan_update", "plan_update_repair"]);
    site.assert_kept(&row, "page-3").await;

    site.repository.write("src/five.rs", "pub fn five() {}\n");
    site.answer("plan_update_repair", &forgetful);
    let (row, calls) = site.update().await;
    let all = ["page-page-1", "page-page-2", "page-page-3", "plan", "plan_update", "plan_update_repair"];
    assert_eq!((calls.iter().map(String::as_str).collect::<Vec<_>>(), row.page_count), (all.to_vec(), 3));
}

#[tokio::test]
async fn an_update_that_was_handed_back_goes_on_without_asking_again() {
    let mut site = Written::site().await;
    site.change("one");
    site.change("two");
    site.repository.write("src/four.rs", "pub fn four() {}\n");
    let commit = site.repository.commit("later");
    site.sections(1, "one", ("on port 80", "on port 81"));
    site.sections(2, "two", ("on port 80", "on port 81"));
    site.world.stand_ins.block("sections-page-2");
    site.world.request(&site.repository, &site.key, false).await.unwrap();
    // the one that was copied, and the one that is edited by now
    let row = site.world.wait_until(&site.key, |row| row.page_count == 2).await;
    assert_eq!(row.current_stage, Some(Stage::GeneratingPages));
    site.world.stop_worker().await;
    assert_eq!(site.world.row(&site.key).await.status, Status::Generating, "handed back, not ended");
    site.world.stand_ins.release("sections-page-2");
    let asked = site.world.stand_ins.calls().len();
    site.world.start_worker();
    let (row, _) = site.finish(&commit).await;
    assert_eq!(site.world.stand_ins.calls()[asked..], ["sections-page-2"]);
    for slug in ["page-1", "page-2"] {
        assert!(site.world.page(&row, slug).await.unwrap().contains("on port 81"));
    }
    site.assert_kept(&row, "page-3").await;
}

#[tokio::test]
async fn a_failed_update_leaves_what_it_paid_for_to_the_next() {
    let mut site = Written::site().await;
    site.change("one");
    site.change("two");
    let commit = site.repository.commit("later");
    site.sections(1, "one", ("on port 80", "on port 81"));
    site.world.stand_ins.block("sections-page-2");
    site.world.stand_ins.set("mode.sections-page-2", "auth");
    site.world.request(&site.repository, &site.key, false).await.unwrap();
    site.world.wait_until(&site.key, |row| row.page_count == 2).await;
    site.world.stand_ins.release("sections-page-2");
    let failed = site.world.wait_for_end(&site.key).await;
    assert_eq!((failed.status, &failed.site_prefix), (Status::Error, &site.row.site_prefix));
    site.world.stand_ins.clear("mode.sections-page-2");
    let asked = site.world.stand_ins.calls().len();
    site.world.request(&site.repository, &site.key, false).await.unwrap();
    let (row, _) = site.finish(&commit).await;
    assert_eq!(site.world.stand_ins.calls()[asked..], ["sections-page-2"]);
    assert!(site.world.page(&row, "page-1").await.unwrap().contains("on port 81"));
}

#[tokio::test]
async fn forcing_writes_all_pages_anew() {
    let mut site = Written::site().await;
    site.change("two");
    let commit = site.repository.commit("later");
    site.world.request(&site.repository, &site.key, true).await.unwrap();
    assert_eq!(site.finish(&commit).await.1, ["page-page-1", "page-page-2", "page-page-3", "plan"]);
}

#[tokio::test]
async fn the_commits_to_compare_with_and_the_newest_are_kept_and_no_others() {
    let mut site = Written::site().await;
    let mut runs = vec![site.row.generation_id.unwrap()];
    site.change("two");
    runs.push(site.update().await.0.generation_id.unwrap());
    // up to date: nothing new to serve, a newer commit to compare with
    runs.push(site.update().await.0.generation_id.unwrap());
    site.change("one");
    site.repository.commit("later");
    site.world.stand_ins.set("mode.all", "auth");
    let failed = site.world.generate(&site.repository, &site.key, false).await;
    assert_eq!(failed.status, Status::Error);
    runs.push(failed.generation_id.unwrap());
    sqlx::query("UPDATE generations SET finished_at = finished_at - interval '2 hours'")
        .execute(&site.world.pool)
        .await
        .unwrap();
    let mut conn = site.world.pool.acquire().await.unwrap();
    let mut kept = db::recovery::list_pinned_of(&mut conn, &runs).await.unwrap();
    kept.sort();
    // that of the site is what its citations are followed from, that of the last good run says what is new
    let mut expected = runs[1..].to_vec();
    expected.sort();
    assert_eq!(kept, expected);
}

#[tokio::test]
async fn a_retry_of_a_failed_update_asks_only_for_what_failed_and_knows_what_its_pages_name() {
    let mut site = Written::site().await;
    site.change("one");
    site.change("two");
    site.repository.write("src/four.rs", "pub fn four() {}\n");
    let commit = site.repository.commit("later");
    site.world.stand_ins.set("mode.sections-page-2", "auth");
    site.world.request(&site.repository, &site.key, false).await.unwrap();
    let failed = site.world.wait_for_end(&site.key).await;
    assert_eq!(failed.status, Status::Error);
    site.world.stand_ins.clear("mode.sections-page-2");
    let asked = site.world.stand_ins.calls().len();
    let mut transaction = site.world.pool.begin().await.unwrap();
    let retried =
        shared::jobs::retry_generation(&mut transaction, failed.generation_id.unwrap(), None, "admin").await.unwrap();
    assert!(matches!(retried, shared::jobs::Retried::Queued(_)), "{retried:?}");
    transaction.commit().await.unwrap();
    let (row, _) = site.finish(&commit).await;
    let calls = site.world.stand_ins.calls().split_off(asked);
    assert!(calls.contains(&"sections-page-2".to_owned()) && calls.len() <= 2, "{calls:?}");
    assert!(calls.iter().all(|call| call.starts_with("sections-")), "{calls:?}");
    site.assert_kept(&row, "page-3").await;
    // no page is without its sources: nothing is asked about the plan
    site.change("three");
    assert_eq!(site.update().await.1, ["sections-page-3"]);
}
