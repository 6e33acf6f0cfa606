//! What does not fit is left out or repaired, and said.

use std::os::unix::fs::symlink;

use shared::{names::ModelId, provider::Provider, variant::VariantKey};

use super::{Home, assert_line};
use crate::{
    routes::{answer, variant_of},
    support::docsfy::{Docsfy, plan},
};

#[tokio::test]
async fn rows_that_do_not_fit_are_left_out_with_the_reason() {
    let home = Home::start().await;
    let docsfy = Docsfy::v1_9();
    docsfy.user("Admin", "admin", "docsfy_key_of_admin");
    docsfy.user("x", "user", "docsfy_key_of_x");
    docsfy.user("odd", "owner", "docsfy_key_of_odd");
    docsfy.user("lost", "user", "docsfy_key_of_lost");
    docsfy.sql("UPDATE users SET api_key_hash = 'no hash' WHERE username = 'lost'");
    docsfy.row("admin", "slash", "a/b");
    for name in [".github", "_x", "..", "demo\n", "tools\u{1b}[2J"] {
        docsfy.row("admin", name, "opus");
    }
    docsfy.row("../etc", "demo", "opus");
    docsfy.row("admin", "provider", "opus");
    docsfy.row("admin", "address", "opus");
    docsfy.row("admin", "kind", "opus");
    docsfy.row("admin", "good", "opus");
    docsfy.row("_default", "good", "opus");
    docsfy.row("", "good", "opus");
    docsfy.sql(
        "UPDATE projects SET ai_provider = 'openai' WHERE name = 'provider';
         UPDATE projects SET repo_url = 'https://me:secret@host/a/b' WHERE name = 'address';
         UPDATE projects SET branch = x'00ff' WHERE name = 'kind';
         INSERT INTO project_access VALUES ('good', 'admin', 'nobody'), ('gone', 'admin', 'odd'), ('good', 'admin', 'odd');
         INSERT INTO settings VALUES ('ai_cli_timeout', 'soon'), ('default_ai_provider', 'claude'), ('secret', 'x')",
    );
    let report = home.import(&docsfy, &[]);
    for line in [
        "user Admin: left out: the name `admin` belongs to the holder of ADMIN_KEY",
        "user x: left out: Invalid username: 'x'. Must be 2-50 alphanumeric characters, dots, hyphens, underscores.",
        "  the role `owner` is unknown; it is viewer now",
        "  docsfy kept no usable key; nobody can log in until an admin rotates it",
        "variant admin/slash/main/claude/a/b: left out: Invalid model: 'a/b'. Use 1 to 128 letters, digits or any of ._:@+[]=,-",
        "variant admin/.github/main/claude/opus: left out: Invalid project name: '.github'",
        "variant admin/_x/main/claude/opus: left out: Invalid project name: '_x'",
        "variant admin/../main/claude/opus: left out: Invalid project name: '..'",
        "variant admin/demo?/main/claude/opus: left out: Invalid project name: 'demo?'",
        "variant admin/tools?[2J/main/claude/opus: left out: Invalid project name: 'tools?[2J'",
        "variant ../etc/demo/main/claude/opus: left out: no user can be called `../etc`",
        "variant admin/provider/main/openai/opus: left out: `openai` is none of docsfy's providers, which are claude, gemini and cursor",
        "variant admin/kind//claude/opus: left out: its branch is no text",
        "variant /good/main/claude/opus: left out: another row is the same variant",
        "access nobody to admin/good: left out: there is no such user",
        "access odd to admin/gone: left out: there is no such project",
        "access odd to admin/good: imported",
        "setting ai_cli_timeout: left out: `soon` is no number from 1 to 1440",
        "setting default_ai_provider: left out: it needs default_ai_model, which does not fit",
        "setting secret: left out: docmill has no such setting",
        "users                 2              0         2",
    ] {
        assert_line(&report, line);
    }
    assert!(
        report.contains("variant admin/address/main/claude/opus: left out: ") && !report.contains("secret@"),
        "{report}"
    );
    assert!(!report.contains('\u{1b}'), "a control character reaches the terminal");
    let (_, status) = answer(home.api.get("/api/status")).await;
    let names: Vec<_> =
        status["projects"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["good", "good"]);
}

#[tokio::test]
async fn states_times_and_numbers_that_make_no_sense_are_repaired() {
    let home = Home::start().await;
    let docsfy = Docsfy::v1_9();
    for name in ["cut", "odd", "future", "branch", "aborted"] {
        docsfy.variant("alice", name, "opus");
    }
    docsfy.sql(
        "UPDATE projects SET status = 'generating', current_stage = 'planning' WHERE name = 'cut';
         UPDATE projects SET status = 'lost', page_count = -5, total_cost_usd = -1.0, generation_id = 'x',
                last_generated = 'yesterday', updated_at = 7, error_message = CAST(x'61ff0062' AS TEXT) WHERE name = 'odd';
         UPDATE projects SET last_generated = '2999-01-01 00:00:00', generation_started_at = '2998-01-01T00:00:00Z',
                generation_duration = 1e300 WHERE name = 'future';
         UPDATE projects SET branch = 'feat/x' WHERE name = 'branch';
         UPDATE projects SET status = 'aborted', error_message = 'Generation aborted by user' WHERE name = 'aborted'",
    );
    std::fs::rename(docsfy.projects().join("alice/branch/main"), docsfy.projects().join("alice/branch/feat~2Fx"))
        .unwrap();
    let report = home.import(&docsfy, &[]);
    assert_line(&report, "  docsfy was still generating it; it is an error now");
    assert_line(&report, "  its status `lost` is unknown; it is an error now");
    assert_line(&report, "  its last_generated `yesterday` is no time");
    let row = async |name: &str, branch: &str| {
        answer(home.api.get(&format!("/api/projects/{name}/{branch}/claude/opus"))).await.1
    };
    let cut = row("cut", "main").await;
    assert_eq!((cut["status"].as_str(), cut["current_stage"].as_str()), (Some("error"), None));
    assert!(cut["error_message"].as_str().unwrap().contains("still generating"), "{cut}");
    // the site of its last good run is served all the same
    assert_eq!(home.api.get_raw("/docs/cut/main/claude/opus/start.html").await.0, 200);
    assert_eq!(row("odd", "main").await["status"], "error");
    let now = chrono_now(&home).await;
    assert!(row("future", "main").await["last_generated"].as_str().unwrap() <= now.as_str());
    assert_eq!(row("branch", "feat~2Fx").await["branch"], "feat/x");
    assert_eq!(home.api.get_raw("/docs/branch/feat~2Fx/claude/opus/start.html").await.0, 200);
    assert_eq!(row("aborted", "main").await["error_message"], "Generation aborted by user");
}

async fn chrono_now(home: &Home) -> String {
    sqlx::query_scalar("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')")
        .fetch_one(&home.world.pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn pages_that_docsfy_failed_to_write_make_an_error_that_the_next_run_repairs() {
    let home = Home::start().await;
    let docsfy = Docsfy::v1_2();
    docsfy.variant("alice", "demo", "opus");
    let stub = "# Usage\n\n*Documentation generation failed. Please re-run.*";
    docsfy.file("alice/demo/main/claude/opus/site/usage.md", stub.as_bytes());
    docsfy.file("alice/demo/main/claude/opus/cache/pages/usage.md", stub.as_bytes());
    let report = home.import(&docsfy, &[]);
    assert_line(&report, "variant alice/demo/main/claude/opus: imported: error, site with 1 pages");
    assert_line(&report, "  page usage: left out: docsfy had failed to write it");
    let model: ModelId = "opus".parse().unwrap();
    let row = home.world.row(&VariantKey { provider: Provider::Claude, model, ..variant_of("alice", "demo") }).await;
    assert_eq!(row.error_message.unwrap(), "1 of 2 pages of docsfy's site are missing; generate it again");
    assert_eq!(row.last_commit_sha, None, "a run at the same commit would have nothing to do");
    let (status, page) = home.api.get_raw("/docs/demo/main/claude/opus/start.html").await;
    assert_eq!(status, 200);
    assert!(!page.contains("usage.html"), "a link leads nowhere: {page}");
    assert_eq!(home.api.get_raw("/docs/demo/main/claude/opus/usage.html").await.0, 404);
}

#[tokio::test]
async fn files_that_are_not_what_they_seem_are_not_read() {
    let home = Home::start().await;
    let docsfy = Docsfy::v1_9();
    std::fs::write(docsfy.path().join("secret.md"), "# the secret of the host").unwrap();
    docsfy.variant("alice", "links", "opus");
    let place = docsfy.projects().join("alice/links/main/claude/opus");
    for file in ["site/usage.md", "cache/pages/usage.md"] {
        std::fs::remove_file(place.join(file)).unwrap();
        symlink(docsfy.path().join("secret.md"), place.join(file)).unwrap();
    }
    docsfy.row("alice", "folder", "opus");
    std::fs::create_dir_all(docsfy.projects().join("alice/folder/main/claude")).unwrap();
    symlink(&place, docsfy.projects().join("alice/folder/main/claude/opus")).unwrap();
    docsfy.variant("alice", "sizes", "opus");
    docsfy.file("alice/sizes/main/claude/opus/site/usage.md", &vec![b'x'; 2 << 20]);
    docsfy.file("alice/sizes/main/claude/opus/cache/pages/usage.md", &vec![b'x'; 2 << 20]);
    docsfy.file("alice/sizes/main/claude/opus/site/start.md", b"no title \xff\xfe \0 end");
    docsfy.file("alice/gone/main/claude/opus.deleting-0a1b/site/x.md", b"x");
    let report = home.import(&docsfy, &[]);
    for line in [
        "  page usage: left out: it is behind a symbolic link",
        "  site alice/folder/main/claude/opus: left out: docsfy kept no plan and no page of it",
        "  page usage: left out: the file has more than 1024 KiB",
        "  page start had bytes that are not UTF-8; they are shown as �",
        "folder alice/gone/main/claude/opus.deleting-0a1b: left out: docsfy was deleting it",
    ] {
        assert_line(&report, line);
    }
    let leaked: i64 = sqlx::query_scalar("SELECT count(*) FROM pages WHERE markdown LIKE '%secret%'")
        .fetch_one(&home.world.pool)
        .await
        .unwrap();
    assert_eq!(leaked, 0);
    let (_, page) = home.api.get_raw("/docs/sizes/main/claude/opus/start.html").await;
    assert!(page.contains("no title \u{fffd}\u{fffd}"), "{page}");
}

#[tokio::test]
async fn plans_that_do_not_fit_are_repaired() {
    let home = Home::start().await;
    let docsfy = Docsfy::v1_9();
    docsfy.variant("alice", "slugs", "opus");
    let place = "alice/slugs/main/claude/opus";
    let bad = plan(&[
        ("Set_Up", "Set up"),
        ("start", "Start"),
        ("../../../secret", "Secret"),
        ("start", "Again"),
        ("index", ""),
    ]);
    docsfy.file(&format!("{place}/plan.json"), bad.as_bytes());
    docsfy.file(
        &format!("{place}/site/Set_Up.md"),
        b"# Set up\n\nTo [itself](Set_Up.html#x) and [nowhere](gone.html).\n",
    );
    docsfy.file(&format!("{place}/site/index.md"), b"# Index\n\nA page of that name.\n");
    docsfy.variant("alice", "broken", "opus");
    docsfy.file("alice/broken/main/claude/opus/plan.json", b"{");
    docsfy.variant("alice", "none", "opus");
    std::fs::remove_file(docsfy.projects().join("alice/none/main/claude/opus/plan.json")).unwrap();
    docsfy.sql("UPDATE projects SET plan_json = 'x' WHERE name = 'none'");
    let report = home.import(&docsfy, &[]);
    for line in [
        "variant alice/slugs/main/claude/opus: imported: ready, site with 3 pages",
        "  page Set_Up is now set-up",
        "  page index is now index-page",
        "  page Secret: left out: docsfy wrote no file for its slug",
        "  page start: left out: the plan names it twice; the first place counts",
        "  its plan.json is not JSON",
        "variant alice/broken/main/claude/opus: imported: ready, site with 2 pages",
        "  it has no plan that can be read; its pages are in the order of their names",
        "variant alice/none/main/claude/opus: imported: ready, site with 2 pages",
    ] {
        assert_line(&report, line);
    }
    let (status, page) = home.api.get_raw("/docs/slugs/main/claude/opus/set-up.html").await;
    assert_eq!(status, 200);
    assert!(!page.contains("gone.html") && !page.contains("Set_Up.html"), "a link leads nowhere: {page}");
    assert_eq!(home.api.get_raw("/docs/none/main/claude/opus/usage.html").await.0, 200);
}
