//! The built-in writer through its front door: small repositories in, plan and pages out.
#![expect(clippy::format_collect, reason = "the texts of a test are short")]

mod hostile;
mod languages;
mod measure;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use git2::{Repository, Signature, Tree};
use shared::plan::Plan;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::{BuiltinOptions, BuiltinWriter, open};
use crate::{
    git::Checkout,
    steering::PathFilter,
    writers::{CallContext, PlanWish, Writer},
};

/// A bare repository with one commit, made on the fly.
struct Fixture {
    _folder: TempDir,
    checkout: Checkout,
}

fn tree<'r>(repository: &'r Repository, files: &BTreeMap<String, Vec<u8>>) -> Tree<'r> {
    let mut builder = repository.treebuilder(None).unwrap();
    let mut folders: BTreeMap<&str, BTreeMap<String, Vec<u8>>> = BTreeMap::new();
    for (path, content) in files {
        match path.split_once('/') {
            Some((folder, rest)) => {
                folders.entry(folder).or_default().insert(rest.to_owned(), content.clone());
            }
            None => {
                builder.insert(path, repository.blob(content).unwrap(), 0o100_644).unwrap();
            }
        }
    }
    for (folder, files) in folders {
        builder.insert(folder, tree(repository, &files).id(), 0o040_000).unwrap();
    }
    repository.find_tree(builder.write().unwrap()).unwrap()
}

fn fixture<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::init_bare(folder.path()).unwrap();
    let files = files.into_iter().map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec())).collect();
    let someone = Signature::new("A", "a@example.org", &git2::Time::new(1_700_000_000, 0)).unwrap();
    let commit = repository.commit(Some("HEAD"), &someone, &someone, "first", &tree(&repository, &files), &[]).unwrap();
    let checkout = checkout(folder.path(), &commit.to_string());
    Fixture { _folder: folder, checkout }
}

fn checkout(git_dir: &Path, commit: &str) -> Checkout {
    Checkout {
        git_dir: git_dir.to_owned(),
        commit: commit.parse().unwrap(),
        commit_time: chrono::DateTime::UNIX_EPOCH,
        branch: "main".parse().unwrap(),
    }
}

/// The binary of this crate that runs nothing but the parsing child; cargo builds it for the tests in `worker/tests`.
fn parser() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().unwrap().parent().unwrap().join("parse-source");
    assert!(path.exists(), "run `cargo build -p worker --bin parse-source` first: {}", path.display());
    path
}

fn options() -> BuiltinOptions {
    let parser_limits = super::ParserLimits::default();
    BuiltinOptions {
        project_name: "demo".into(),
        title: None,
        filter: PathFilter::default(),
        steering_digest: None,
        repo_url: None,
        parser_command: parser(),
        parser_limits,
    }
}

fn context() -> CallContext {
    CallContext { cancel: CancellationToken::new(), call_timeout: Duration::from_mins(1), account: None }
}

async fn site(writer: &BuiltinWriter) -> (Plan, BTreeMap<String, String>) {
    let plan = writer.plan(&context(), &PlanWish::default()).await.unwrap();
    plan.validate().unwrap();
    let mut pages = BTreeMap::new();
    for page in plan.pages() {
        let text = writer.write_page(&context(), &plan, page).await.unwrap();
        assert!(text.starts_with("# "), "{}: {text}", page.slug);
        pages.insert(page.slug.to_string(), text);
    }
    (plan, pages)
}

#[tokio::test]
async fn a_repository_becomes_a_site() {
    let looked_at = std::env::var_os("DOCMILL_LOOK_AT").map(PathBuf::from);
    let fixture = fixture([
        (
            "README.md",
            "# Demo\n\n[![x](https://img.shields.io/x)](y)\n\nA demo of things.\n\n## Installation\n\nDo it.\n\n## More\n\nSee [lib](src/lib.rs).\n",
        ),
        ("Cargo.toml", "[package]\nname = \"demo\"\nversion = \"1.2.3\"\nlicense = \"MIT\"\n"),
        ("src/lib.rs", "//! Things.\n\n/// Adds.\npub fn add(a: u8) -> u8 { a }\n"),
    ]);
    let checkout = match &looked_at {
        None => fixture.checkout.clone(),
        Some(git_dir) => {
            let head = Repository::open_bare(git_dir).unwrap().head().unwrap().target().unwrap();
            checkout(git_dir, &head.to_string())
        }
    };
    let name =
        looked_at.as_ref().and_then(|path| path.parent()?.file_name()?.to_str()?.rsplit('+').next().map(str::to_owned));
    let options = BuiltinOptions { project_name: name.unwrap_or_else(|| "demo".into()), ..options() };
    let started = std::time::Instant::now();
    let writer = open(&checkout, options);
    let (plan, pages) = site(&writer).await;
    if let Some(out) = std::env::var_os("DOCMILL_LOOK_OUT").map(PathBuf::from) {
        println!("{} pages in {:?}", pages.len(), started.elapsed());
        std::fs::create_dir_all(&out).unwrap();
        std::fs::write(out.join("plan.json"), serde_json::to_string_pretty(&plan).unwrap()).unwrap();
        std::fs::write(out.join("findings.txt"), writer.findings().join("\n")).unwrap();
        for (slug, text) in &pages {
            std::fs::write(out.join(format!("{slug}.md")), text).unwrap();
        }
        measure::print(&checkout, &plan, &pages);
        return;
    }
    assert_eq!(plan.version.as_deref(), Some("1.2.3"));
    assert_eq!(plan.tagline, "A demo of things.");
    assert!(pages["overview"].contains("See lib [[src/lib.rs]]."), "{}", pages["overview"]);
    assert!(!pages["overview"].contains("shields.io"));
    assert!(pages["quick-start"].contains("cargo add demo") && pages["quick-start"].contains("Do it."));
    assert!(
        pages["demo"].contains("### `add`\n\n```rust\npub fn add(a: u8) -> u8\n```\n\n[[src/lib.rs:4]]\n\nAdds."),
        "{}",
        pages["demo"]
    );
    assert_eq!(writer.findings(), Vec::<String>::new());
}

/// Many packages, many modules, long pages.
fn large() -> Fixture {
    let mut files = vec![("README.md".to_owned(), "# Demo\n\nLarge.\n".to_owned())];
    for module in 0..300 {
        let functions: String =
            (0..12).map(|n| format!("def f{n}(a, b):\n    \"\"\"Does {n} things.\"\"\"\n\n")).collect();
        files.push((format!("pkg{}/m{module}.py", module % 4), functions));
    }
    let many: String =
        (0..1_000).map(|n| format!("def g{n}():\n    \"\"\"{}\"\"\"\n\n", "Long words. ".repeat(35))).collect();
    files.push(("pkg0/many.py".into(), many));
    fixture(files.iter().map(|(path, text)| (path.as_str(), text.as_str())))
}

#[tokio::test]
async fn pages_and_bytes_stay_within_their_limits() {
    let fixture = large();
    let (plan, pages) = site(&open(&fixture.checkout, options())).await;
    assert!(plan.pages().count() <= super::site::MAX_PAGES, "{}", plan.pages().count());
    assert!(plan.pages().count() >= 20, "{}", plan.pages().count());
    for (slug, text) in &pages {
        assert!(text.len() <= super::site::MAX_PAGE_BYTES + 200, "{slug}: {}", text.len());
        assert!(text.matches("\n### ").count() <= 150, "{slug}");
    }
    assert!(pages.values().any(|text| text.contains("g999")), "a large module is split, not cut");
}

#[tokio::test]
async fn the_same_commit_gives_the_same_bytes_also_after_a_restart() {
    let fixture = large();
    let (plan, pages) = site(&open(&fixture.checkout, options())).await;
    let stored = serde_json::to_string(&plan).unwrap();
    // another process: it has the stored plan and has never planned
    let plan: Plan = serde_json::from_str(&stored).unwrap();
    let writer = open(&fixture.checkout, options());
    for page in plan.pages() {
        let text = writer.write_page(&context(), &plan, page).await.unwrap();
        assert_eq!(text, pages[page.slug.as_str()]);
    }
}

#[tokio::test]
async fn a_revised_page_loses_links_that_lead_nowhere() {
    let fixture = fixture([
        ("README.md", "# Demo\n\nA demo. See [guide](docs/guide.md).\n"),
        ("docs/guide.md", &format!("# Guide\n\n{}\n", "Words about it. ".repeat(20))),
    ]);
    let writer = open(&fixture.checkout, options());
    let mut plan = writer.plan(&context(), &PlanWish::default()).await.unwrap();
    plan.navigation.retain(|group| group.group != "Guides");
    let page = plan.pages().next().unwrap().clone();
    let first = writer.write_page(&context(), &plan, &page).await.unwrap();
    assert!(first.contains("[guide](guide.html)"), "{first}");
    let findings = ["broken link".to_owned()];
    let revised = writer.revise_page(&context(), &plan, &page, &first, &findings).await.unwrap();
    assert!(revised.contains("See guide."), "{revised}");
}
