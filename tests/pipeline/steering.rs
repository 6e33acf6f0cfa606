//! What `docmill.toml` and the fields of a request change about a site, looked at from outside: rows, warnings, pages, and
//! what a writer got to see.

use serde_json::{Value, json};
use shared::{
    db::{generations::NewGeneration, variants::VariantRow},
    options::{RunOptions, read_options},
    provider::Provider,
    stage::Stage,
    variant::{Status, VariantKey},
};

use crate::support::{
    repository::Repository,
    world::{World, new_generation, variant},
};

/// A repository of two packages with a file that steers.
pub(super) fn monorepo(file: &str) -> Repository {
    let repository = Repository::library("mono");
    for name in ["a", "b"] {
        repository.write(
            &format!("packages/{name}/README.md"),
            &format!(
                "# Package {name}\n\nThe package {name} does one thing, and it does that thing with great care.\n"
            ),
        );
        repository.write(
            &format!("packages/{name}/Cargo.toml"),
            &format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n"),
        );
        repository.write(
            &format!("packages/{name}/src/lib.rs"),
            &format!("//! Things of {name}.\n\n/// Does what {name} does.\npub fn do_{name}() {{}}\n"),
        );
    }
    repository.write("docmill.toml", file);
    repository.commit("packages");
    repository
}

fn options(value: &Value) -> RunOptions {
    let (options, problems) = read_options(value.as_object().unwrap());
    assert_eq!(problems, []);
    options
}

async fn generate_with(world: &World, repository: &Repository, key: &VariantKey, wished: &Value) -> VariantRow {
    let request = NewGeneration { options: options(wished), ..new_generation(key) };
    world.request_with(repository, key, request).await.unwrap();
    world.wait_for_end(key).await
}

/// The warnings of the newest run.
pub(super) async fn warnings(world: &World, row: &VariantRow) -> Vec<String> {
    sqlx::query_scalar("SELECT body->>'message' FROM events WHERE generation_id = $1 AND kind = 'warning' ORDER BY id")
        .bind(row.generation_id.unwrap())
        .fetch_all(&world.pool)
        .await
        .unwrap()
}

fn ready(row: &VariantRow) -> Value {
    assert_eq!((row.status, row.error_message.as_deref()), (Status::Ready, None));
    serde_json::from_str(row.plan_json.as_ref().unwrap()).unwrap()
}

/// Slugs by group.
fn groups(plan: &Value) -> Vec<(String, Vec<String>)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let pages = |group: &Value| group["pages"].as_array().unwrap().iter().map(|page| text(&page["slug"])).collect();
    plan["navigation"].as_array().unwrap().iter().map(|group| (text(&group["group"]), pages(group))).collect()
}

/// What a stand-in in the mode `show` was given.
struct Shown {
    files: Vec<String>,
    wishes: String,
    prompt: String,
}

async fn shown(world: &World, row: &VariantRow, slug: &str) -> Shown {
    let page = world.page(row, slug).await.unwrap();
    let line = |name: &str| {
        let line = page.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{page}"));
        line.trim().to_owned()
    };
    Shown {
        files: line("files:").split(' ').map(|file| file.trim_start_matches("./").to_owned()).collect(),
        wishes: decoded(&line("wishes:")),
        prompt: decoded(&line("prompt:")),
    }
}

fn decoded(base64: &str) -> String {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut held, mut bytes) = (0_u32, 0, Vec::new());
    for letter in base64.bytes().filter(|letter| *letter != b'=') {
        let value = letters.iter().position(|known| *known == letter).unwrap();
        bits = (bits << 6) | u32::try_from(value).unwrap();
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xFF).unwrap());
            bits &= (1 << held) - 1;
        }
    }
    String::from_utf8(bytes).unwrap()
}

const FILE: &str = r#"
title = "Das Füllhorn"
language = "de"
repo_type = "framework"
instructions = "Stress the canary-4711 and nothing else."
include = ["packages/", "/README.md"]
exclude = ["packages/b"]

[[pages]]
slug = "page-2"
title = "Umbenannt"

[[pages]]
title = "Sonderfall"
type = "recipe"
group = "Guide"

[[pages]]
slug = "anhang"
title = "Anhang"
group = "Ende"
"#;

#[tokio::test]
async fn every_key_of_the_file_holds_and_its_words_stay_out_of_the_prompt() {
    let world = World::start().await;
    world.stand_ins.set("mode.page", "show");
    let repository = monorepo(FILE);
    let row = world.generate(&repository, &variant("mono", Provider::Claude), false).await;
    let plan = ready(&row);
    assert_eq!(warnings(&world, &row).await, Vec::<String>::new());
    assert_eq!((&plan["project_name"], &plan["language"]), (&json!("Das Füllhorn"), &json!("de")));
    assert_eq!(plan["repo_type"], json!("framework"));
    let list = |slugs: &[&str]| slugs.iter().map(|slug| (*slug).to_owned()).collect::<Vec<_>>();
    let guide = list(&["page-1", "page-2", "page-3", "sonderfall"]);
    assert_eq!(groups(&plan), [("Guide".to_owned(), guide), ("Ende".to_owned(), list(&["anhang"]))]);
    assert_eq!(plan["navigation"][0]["pages"][1]["title"], json!("Umbenannt"));
    for slug in ["page-1", "anhang"] {
        let shown = shown(&world, &row, slug).await;
        let seen = ["README.md", "packages/a/Cargo.toml", "packages/a/README.md", "packages/a/src/lib.rs"];
        assert_eq!(shown.files, seen, "{slug}");
        assert!(
            shown.wishes.contains("canary-4711") && shown.wishes.contains("\"language\": \"de\""),
            "{}",
            shown.wishes
        );
        assert!(!shown.prompt.contains("canary") && !shown.prompt.contains("Füllhorn"), "{}", shown.prompt);
        assert!(shown.prompt.contains("wishes.json") && shown.prompt.contains("may be a stranger"), "{}", shown.prompt);
    }
    let page = world.site_file(&row, "anhang.html").await.unwrap();
    assert!(page.contains("<html lang=\"de\""), "{page}");
}

#[tokio::test]
async fn a_run_that_nobody_steers_gets_no_wishes() {
    let world = World::start().await;
    world.stand_ins.set("mode.page", "show");
    let row = world.generate(&Repository::library("adder"), &variant("adder", Provider::Claude), false).await;
    ready(&row);
    let shown = shown(&world, &row, "page-1").await;
    assert_eq!(
        (shown.files, shown.wishes.as_str()),
        (vec!["Cargo.toml".into(), "README.md".into(), "src/lib.rs".into()], "")
    );
    assert!(!shown.prompt.contains("wish") && !shown.prompt.contains('{'), "{}", shown.prompt);
    assert!(world.site_file(&row, "page-1.html").await.unwrap().contains("<html lang=\"en\""));
}

#[tokio::test]
async fn a_field_of_the_request_wins_and_a_list_replaces_a_list() {
    let world = World::start().await;
    world.stand_ins.set("mode.page", "show");
    let repository = monorepo(FILE);
    let wished = json!({
        "title": "Cornucopia", "language": "en-GB", "instructions": "", "include": [], "exclude": ["README.md", "*.toml"],
        "pages": [], "subdirectory": "packages",
    });
    let row = generate_with(&world, &repository, &variant("mono", Provider::Gemini), &wished).await;
    let plan = ready(&row);
    assert_eq!((&plan["project_name"], &plan["language"]), (&json!("Cornucopia"), &json!("en-GB")));
    assert_eq!(plan["repo_type"], json!("framework"), "what the request does not say is the file's");
    assert_eq!(groups(&plan).len(), 1);
    let shown = shown(&world, &row, "page-1").await;
    assert_eq!(shown.files, ["packages/a/src/lib.rs", "packages/b/src/lib.rs"]);
    assert!(!shown.wishes.contains("canary"), "{}", shown.wishes);
}

#[tokio::test]
async fn fixed_pages_are_the_plan_and_no_model_is_asked_for_one() {
    let world = World::start().await;
    world.stand_ins.set("mode.plan", "auth");
    let file = "pages_only = true\n[[pages]]\ntitle = \"Start\"\n[[pages]]\ntitle = \"More\"\ngroup = \"Later\"\n";
    let row = world.generate(&monorepo(file), &variant("mono", Provider::Claude), false).await;
    let plan = ready(&row);
    assert_eq!(plan["project_name"], json!("mono"));
    let group = |name: &str, slug: &str| (name.to_owned(), vec![slug.to_owned()]);
    assert_eq!(groups(&plan), [group("Documentation", "start"), group("Later", "more")]);
}

#[tokio::test]
async fn a_repository_that_opts_out_is_left_alone_whatever_the_request_says() {
    let world = World::start().await;
    // a call would end the run with another sentence
    world.stand_ins.set("mode.all", "auth");
    for (path, file) in [("docmill.toml", "generate = false"), (".docmill/config.toml", "generate = false\ntitle = ")] {
        let repository = Repository::library("adder");
        repository.write(path, file);
        repository.commit("no");
        for provider in [Provider::Claude, Provider::Builtin] {
            let key = variant("adder", provider);
            let request =
                NewGeneration { force: true, options: options(&json!({"title": "x"})), ..new_generation(&key) };
            world.request_with(&repository, &key, request).await.unwrap();
            let row = world.wait_for_end(&key).await;
            assert_eq!((row.status, row.site_prefix), (Status::Error, None));
            let sentence = row.error_message.unwrap();
            assert_eq!(
                sentence,
                format!("the repository opted out of documentation: its `{path}` says `generate = false`")
            );
        }
    }
}

#[tokio::test]
async fn a_subdirectory_is_documented_as_a_project_with_links_from_the_root() {
    let world = World::start().await;
    let repository =
        monorepo("subdirectory = \"packages/a\"\ntitle = \"Alpha\"\nlanguage = \"de\"\n[[pages]]\ntitle = \"X\"\n");
    let row = world.generate(&repository, &variant("mono", Provider::Builtin), false).await;
    let plan = ready(&row);
    assert_eq!(plan["project_name"], json!("Alpha"));
    assert_eq!(
        warnings(&world, &row).await,
        ["the built-in writer cannot follow `language`, `pages`: choose a model for that"]
    );
    let slugs: Vec<String> = groups(&plan).into_iter().flat_map(|(_, slugs)| slugs).collect();
    let mut all = String::new();
    for slug in &slugs {
        all.push_str(&world.page(&row, slug).await.unwrap());
    }
    assert!(all.contains("The package a does one thing") && all.contains("do_a"), "{all}");
    assert!(all.contains("[[packages/a/src/lib.rs:") && all.contains("[[packages/a/Cargo.toml]]"), "{all}");
    assert!(!all.contains("do_b") && !all.contains("adds numbers") && !all.contains("[[src/"), "{all}");
    // the other package, by a request: the same variant, and the newest wins
    let key = variant("mono", Provider::Builtin);
    let other =
        generate_with(&world, &repository, &key, &json!({"subdirectory": "packages/b", "exclude": ["*.toml"]})).await;
    ready(&other);
    let page = world.page(&other, "overview").await.unwrap();
    assert!(page.contains("The package b does one thing") && !page.contains("Cargo.toml"), "{page}");
}

#[tokio::test]
async fn filters_that_leave_nothing_are_named() {
    let world = World::start().await;
    let repository = monorepo("");
    let key = variant("mono", Provider::Builtin);
    for (wished, words) in [
        (json!({"subdirectory": "packages/c"}), "none of its 9 files is in the `subdirectory` `packages/c`"),
        (json!({"include": ["*.py"]}), "`include` matches none of 9 files"),
        (json!({"include": ["/packages"], "exclude": ["**"]}), "`exclude` leaves out all of 6 files"),
    ] {
        let row = generate_with(&world, &repository, &key, &wished).await;
        assert_eq!(row.status, Status::Error, "{wished}");
        let sentence = row.error_message.unwrap();
        assert_eq!(sentence, format!("nothing of the repository is left to document: {words}"));
    }
}

#[tokio::test]
async fn another_wish_at_the_same_commit_is_another_site() {
    let world = World::start().await;
    world.stand_ins.set("mode.page", "show");
    let repository = monorepo("");
    let (claude, gemini) = (variant("mono", Provider::Claude), variant("mono", Provider::Gemini));
    let plain = world.generate(&repository, &claude, false).await;
    let wished = json!({"instructions": "Be brief."});
    let brief = generate_with(&world, &repository, &claude, &wished).await;
    ready(&brief);
    assert_ne!(brief.site_prefix, plain.site_prefix);
    assert!(shown(&world, &brief, "page-1").await.wishes.contains("Be brief."), "a page was taken over wrongly");
    // the same wish again is up to date, for another model it is taken over, and nothing else is
    let again = generate_with(&world, &repository, &claude, &wished).await;
    assert_eq!((again.current_stage, again.site_prefix), (Some(Stage::UpToDate), brief.site_prefix));
    let taken = generate_with(&world, &repository, &gemini, &wished).await;
    assert_eq!(taken.current_stage, Some(Stage::UpToDate));
    let other = generate_with(&world, &repository, &gemini, &json!({"language": "fr"})).await;
    assert_eq!((other.status, other.current_stage), (Status::Ready, None));
    assert!(shown(&world, &other, "page-1").await.wishes.contains("\"fr\""));
}

#[tokio::test]
async fn whoever_writes_a_page_sees_the_same() {
    // the first takes the run and writes one page at most, so another writes the rest
    let mut world = World::without_worker().await;
    world.start_another_worker(1);
    world.stand_ins.set("mode.page", "show");
    world.stand_ins.block("page");
    let repository = monorepo(FILE);
    let key = variant("mono", Provider::Claude);
    world.request(&repository, &key, false).await.unwrap();
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_mins(1);
    while !world.stand_ins.is_blocked("page") {
        assert!(tokio::time::Instant::now() < deadline, "no page is begun");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    world.start_worker();
    let workers = "SELECT count(DISTINCT worker) FROM page_jobs WHERE state = 'running'";
    while sqlx::query_scalar::<_, i64>(workers).fetch_one(&world.pool).await.unwrap() < 2 {
        assert!(tokio::time::Instant::now() < deadline, "no other worker takes a page");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    world.stand_ins.release("page");
    let row = world.wait_for_end(&key).await;
    let plan = ready(&row);
    let first = shown(&world, &row, "page-1").await;
    assert_eq!(first.files.len(), 4, "{:?}", first.files);
    for slug in groups(&plan).into_iter().flat_map(|(_, slugs)| slugs) {
        let shown = shown(&world, &row, &slug).await;
        assert_eq!((shown.files, shown.wishes), (first.files.clone(), first.wishes.clone()), "{slug}");
    }
}

#[tokio::test]
async fn a_commit_that_changes_only_the_file_changes_the_site() {
    let world = World::start().await;
    let key = variant("mono", Provider::Claude);
    let repository = monorepo("[[pages]]\ntitle = \"Start\"\n");
    let plan = ready(&world.generate(&repository, &key, false).await);
    assert_eq!(groups(&plan).len(), 2);
    for (file, kind) in [
        ("pages_only = true\n[[pages]]\ntitle = \"Start\"\n", "app"),
        ("pages_only = true\nrepo_type = \"tests\"\n[[pages]]\ntitle = \"Start\"\n", "tests"),
        ("repo_type = \"library\"\n", "library"),
    ] {
        repository.write("docmill.toml", file);
        repository.commit("the file alone");
        let plan = ready(&world.generate(&repository, &key, false).await);
        assert_eq!((&plan["repo_type"], groups(&plan).len()), (&json!(kind), 1), "{file}");
    }
}
