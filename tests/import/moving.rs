//! What comes over, and that doing it again is safe.

use shared::{names::ModelId, provider::Provider, variant::VariantKey};

use super::{Home, assert_line};
use crate::{
    routes::{answer, publish_site, variant_of},
    support::docsfy::{COMMIT, DOCSFY_ADMIN_KEY, Docsfy},
};

const GENERATED_KEY: &str = "docsfy_abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
const ID: &str = "0b8a1c7e-5f6d-4e3c-9b2a-1f0e9d8c7b6a";

/// A docsfy 1.9 with a bit of everything.
fn small_docsfy() -> Docsfy {
    let docsfy = Docsfy::v1_9();
    docsfy.user("alice", "user", GENERATED_KEY);
    docsfy.user("bob", "viewer", "a key that bob chose");
    docsfy.variant("alice", "demo", "opus");
    docsfy.variant("admin", "tools", "opus");
    docsfy.sql(&format!(
        "UPDATE projects SET generation_id = '{ID}', repo_type = 'library', total_cost_usd = 1.25, generation_duration = 90
          WHERE name = 'demo';
         INSERT INTO project_access VALUES ('tools', 'admin', 'bob');
         INSERT INTO settings VALUES ('default_ai_provider', 'claude'), ('default_ai_model', 'opus'),
                ('max_concurrent_pages', '7'), ('vision_model', '')"
    ));
    docsfy
}

#[tokio::test]
async fn users_grants_settings_and_sites_come_over_and_keys_work() {
    let home = Home::start().await;
    let report = home.import(&small_docsfy(), &["--admin-key", DOCSFY_ADMIN_KEY]);
    assert_line(&report, "variant alice/demo/main/claude/opus: imported: ready, site with 2 pages");
    assert_line(&report, "access bob to admin/tools: imported");
    assert_line(&report, "users                 2              0         0");
    assert_line(&report, "settings              3              0         0");

    let as_alice = |path: &str| home.api.ask(reqwest::Method::GET, path).bearer_auth(GENERATED_KEY);
    let (status, me) = answer(as_alice("/api/auth/me")).await;
    assert_eq!((status, me["username"].as_str(), me["role"].as_str()), (200, Some("alice"), Some("user")));
    let kept: (bool, bool) =
        sqlx::query_as("SELECT key_hash IS NOT NULL, docsfy_key_hash IS NOT NULL FROM users WHERE username = 'alice'")
            .fetch_one(&home.world.pool)
            .await
            .unwrap();
    assert_eq!(kept, (true, false), "the first use upgrades the key");
    assert_eq!(answer(as_alice("/api/auth/me")).await.0, 200, "and it works after that");
    let login = r#"{"username":"bob","api_key":"a key that bob chose"}"#;
    assert_eq!(answer(home.api.ask(reqwest::Method::POST, "/api/auth/login").body(login)).await.0, 200);

    let (status, row) = answer(as_alice(&format!("/api/projects/by-id/{ID}"))).await;
    assert_eq!(status, 200, "{row}");
    for (key, value) in [
        ("status", "ready"),
        ("repo_url", "https://github.com/acme/demo"),
        ("repo_type", "library"),
        ("last_commit_sha", COMMIT),
        ("last_generated", "2026-03-04 05:06:07"),
        ("created_at", "2026-03-01 01:02:03"),
        ("updated_at", "2026-03-04 05:06:08"),
        ("generation_id", ID),
    ] {
        assert_eq!(row[key], value, "{key}");
    }
    assert_eq!((row["page_count"].as_i64(), row["total_cost_usd"].as_f64()), (Some(2), Some(1.25)));
    assert_eq!(row["generation_duration"], 90);
    // docsfy forgets when it began, but not how long it took
    assert!(row["generation_started_at"].as_str().unwrap().starts_with("2026-03-04T05:04:38"), "{row}");
    let bob = "a key that bob chose";
    let shared = home.api.ask(reqwest::Method::GET, "/docs/tools/main/claude/opus/start.html").bearer_auth(bob);
    let page = shared.send().await.unwrap().text().await.unwrap();
    assert!(page.contains("The page Start of tools") && page.contains("Linked."), "{page}");
    assert!(page.contains(r#"href="usage.html""#), "{page}");
    let settings: Vec<(String, String)> =
        sqlx::query_as("SELECT key, value FROM settings ORDER BY key").fetch_all(&home.world.pool).await.unwrap();
    let settings: Vec<_> = settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let expected = [("default_ai_model", "opus"), ("default_ai_provider", "claude"), ("max_concurrent_pages", "7")];
    assert_eq!(settings, expected);
    let cached: String =
        sqlx::query_scalar("SELECT markdown FROM pages WHERE slug = 'start' AND generation_id = $1::uuid")
            .bind(ID)
            .fetch_one(&home.world.pool)
            .await
            .unwrap();
    assert!(!cached.contains("Linked."), "the text before links were put into it is what a run goes on with: {cached}");
}

#[tokio::test]
async fn a_docsfy_1_2_comes_over_although_it_knows_no_ids() {
    let home = Home::start().await;
    let docsfy = Docsfy::v1_2();
    docsfy.variant("", "demo", "opus");
    let report = home.import(&docsfy, &[]);
    assert_line(&report, "variant /demo/main/claude/opus: imported: ready, site with 2 pages");
    let (status, row) = answer(home.api.get("/api/projects/demo/main/claude/opus?owner=")).await;
    assert_eq!((status, row["owner"].as_str()), (200, Some("")), "{row}");
    let id = row["generation_id"].as_str().unwrap();
    assert_eq!(answer(home.api.get(&format!("/api/projects/by-id/{id}"))).await.0, 200);
    assert_eq!(row["generation_started_at"], serde_json::Value::Null);
    let (status, page) = home.api.get_raw("/docs/demo/start.html").await;
    assert_eq!(status, 200);
    assert!(page.contains("The page Start of demo"), "{page}");
}

#[tokio::test]
async fn a_second_import_changes_nothing() {
    let home = Home::start().await;
    let docsfy = small_docsfy();
    home.import(&docsfy, &["--admin-key", DOCSFY_ADMIN_KEY]);
    let before = home.rows().await;
    let report = home.import(&docsfy, &["--admin-key", DOCSFY_ADMIN_KEY]);
    assert_eq!(home.rows().await, before);
    assert_line(&report, "variant alice/demo/main/claude/opus: already there");
    assert_line(&report, "variants              0              2         0");
    assert_line(&report, "users                 0              2         0");
}

#[tokio::test]
async fn an_import_that_was_broken_off_is_completed_by_the_next() {
    let home = Home::start().await;
    let docsfy = small_docsfy();
    home.import(&docsfy, &[]);
    // as if it had ended after a site was published and before its row was made, by another version of docmill
    sqlx::query("DELETE FROM variants WHERE name = 'demo'").execute(&home.world.pool).await.unwrap();
    sqlx::query("DELETE FROM users WHERE username = 'bob'").execute(&home.world.pool).await.unwrap();
    let manifest = home.world.sites_dir().join(format!("{ID}-0/manifest.json"));
    let old = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, old.replacen("start.html", "other.html", 1)).unwrap();
    let report = home.import(&docsfy, &[]);
    assert_line(&report, "variant alice/demo/main/claude/opus: imported: ready, site with 2 pages");
    assert_line(&report, "variant admin/tools/main/claude/opus: already there");
    assert_line(&report, "access bob to admin/tools: imported");
    let (status, page) = home.api.get_raw("/docs/demo/main/claude/opus/start.html").await;
    assert!(status == 200 && page.contains("The page Start of demo"), "{page}");
}

#[tokio::test]
async fn what_docmill_made_itself_is_never_overwritten() {
    let home = Home::start().await;
    let model: ModelId = "opus".parse().unwrap();
    let key = VariantKey { provider: Provider::Claude, model, ..variant_of("alice", "demo") };
    publish_site(&home.world, &key, &[("index.html", "made by docmill")]).await;
    let before = home.world.row(&key).await;
    let report = home.import(&small_docsfy(), &[]);
    assert_line(
        &report,
        "variant alice/demo/main/claude/opus: already there: docmill has one of its own, which stays as it is",
    );
    let after = home.world.row(&key).await;
    assert_eq!((before.generation_id, before.site_prefix), (after.generation_id, after.site_prefix));
}

#[tokio::test]
async fn a_dry_run_writes_nothing_and_reports_the_same() {
    let home = Home::start().await;
    let docsfy = small_docsfy();
    let before = home.rows().await;
    let dry = home.import(&docsfy, &["--dry-run"]);
    assert_eq!(home.rows().await, before);
    assert!(std::fs::read_dir(home.world.sites_dir()).unwrap().next().is_none(), "a site was written");
    let real = home.import(&docsfy, &[]);
    assert_eq!(dry, format!("{real}this was a dry run: nothing was written\n"));
    let again = home.import(&docsfy, &["--dry-run"]);
    assert_line(&again, "variants              0              2         0");
}

#[tokio::test]
async fn keys_work_as_soon_as_the_admin_key_is_given_even_later() {
    let home = Home::start().await;
    let docsfy = small_docsfy();
    let me = || home.api.ask(reqwest::Method::GET, "/api/auth/me").bearer_auth(GENERATED_KEY);
    let report = home.import(&docsfy, &[]);
    assert!(report.contains("user alice: imported: user; the key works when this is run again"), "{report}");
    assert_eq!(answer(me()).await.0, 401);
    home.import(&docsfy, &["--admin-key", "another-key-than-docsfys"]);
    assert_eq!(answer(me()).await.0, 401);
    home.import(&docsfy, &["--admin-key", DOCSFY_ADMIN_KEY]);
    assert_eq!(answer(me()).await.0, 200);
}

#[tokio::test]
async fn the_source_folder_stays_as_it_is() {
    let home = Home::start().await;
    let docsfy = small_docsfy();
    // a folder that cannot be written to, as far as whoever runs the tests is stopped by that
    let mut rights = std::fs::metadata(docsfy.path()).unwrap().permissions();
    rights.set_readonly(true);
    std::fs::set_permissions(docsfy.path(), rights).unwrap();
    let before = docsfy.snapshot();
    let report = home.import(&docsfy, &["--admin-key", DOCSFY_ADMIN_KEY]);
    assert_line(&report, "variants              2              0         0");
    assert_eq!(docsfy.snapshot(), before);
}

#[tokio::test]
async fn what_docsfy_had_not_yet_written_into_its_database_is_read_too() {
    let home = Home::start().await;
    let docsfy = Docsfy::v1_9();
    docsfy.sql("PRAGMA journal_mode = wal; PRAGMA wal_autocheckpoint = 0");
    docsfy.variant("alice", "demo", "opus");
    assert!(std::fs::metadata(docsfy.path().join("docsfy.db-wal")).unwrap().len() > 0);
    let before = docsfy.snapshot();
    let report = home.import(&docsfy, &[]);
    assert_line(&report, "variant alice/demo/main/claude/opus: imported: ready, site with 2 pages");
    assert_eq!(docsfy.snapshot(), before);
}
