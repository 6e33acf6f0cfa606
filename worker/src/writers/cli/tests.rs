//! The three writers, each with its stand-in: what comes back, and how each kind of failure is told.

use std::{fs, time::Duration};

use shared::plan::RepoType;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::test_support::stand_ins::StandIns;

/// A writer with a stand-in and a tree of one file.
struct Desk {
    stand_ins: StandIns,
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("tree")).unwrap();
        fs::create_dir(folder.path().join("work")).unwrap();
        fs::write(folder.path().join("tree/README.md"), "# Thing\n").unwrap();
        Self { stand_ins: StandIns::install(), folder }
    }

    fn writer(&self, provider: Provider, sandbox: Sandbox) -> CliWriter {
        let keys = ["ANTHROPIC_API_KEY", "GEMINI_API_KEY", "CURSOR_API_KEY"];
        let keys = keys.map(|name| (name.to_owned(), KEY.to_owned()));
        let environment = Environment::from_variables(self.stand_ins.variables().into_iter().chain(keys));
        let settings = CliSettings::new(sandbox, environment, &RecordingSettings::default()).unwrap();
        let [tree, work] = ["tree", "work"].map(|name| self.folder.path().join(name));
        let tree = RepositoryCopy { folder: tree, content: "one file".into() };
        open(provider, &"stand-in-1".parse().unwrap(), &settings, tree, work)
    }

    /// Whether every folder of a call is gone.
    fn is_clean(&self) -> bool {
        !folder::is_left_in(&self.folder.path().join("work"))
    }
}

fn context(timeout: Duration) -> CallContext {
    CallContext { cancel: CancellationToken::new(), call_timeout: timeout, account: None }
}

fn patient() -> CallContext {
    context(Duration::from_mins(1))
}

fn one_page() -> (Plan, PlannedPage) {
    let plan = r#"{"navigation":[{"group":"Guide","pages":[{"slug":"page-2","title":"Page 2"}]}],"project_name":"x"}"#;
    let plan = answers::read_plan(plan, &PlanWish::default()).unwrap();
    let page = plan.pages().next().unwrap().clone();
    (plan, page)
}

const KEY: &str = "key-of-the-stand-ins";
const PROVIDERS: [Provider; 3] = [Provider::Claude, Provider::Gemini, Provider::Cursor];

#[tokio::test]
async fn every_command_line_plans_writes_and_revises() {
    let desk = Desk::new();
    desk.stand_ins.set("pages", "4");
    for provider in PROVIDERS {
        let writer = desk.writer(provider, Sandbox::Auto);
        let wish = PlanWish { repo_type: Some(RepoType::Library), project_name: "x".into(), repo_url: None };
        let plan = writer.plan(&patient(), &wish).await.unwrap();
        assert_eq!(plan.pages().count(), 4, "{provider}");
        assert_eq!(plan.repo_type, RepoType::Library);
        let page = plan.pages().nth(1).unwrap();
        let written = writer.write_page(&patient(), &plan, page).await.unwrap();
        assert!(written.starts_with("# Page 2\n"), "{provider}: {written}");
        assert!(written.contains("[[README.md:1-1]]"));
        let findings = ["a finding".to_owned()];
        let revised = writer.revise_page(&patient(), &plan, page, &written, &findings).await.unwrap();
        assert_eq!(revised, written);
    }
    assert!(desk.is_clean());
}

#[tokio::test]
async fn a_wrong_plan_is_asked_for_once_more() {
    let desk = Desk::new();
    desk.stand_ins.set("mode.plan", "wrong");
    let writer = desk.writer(Provider::Claude, Sandbox::Off);
    writer.plan(&patient(), &PlanWish::default()).await.unwrap();
    assert_eq!(desk.stand_ins.calls(), ["plan", "repair"]);
    desk.stand_ins.set("mode.repair", "wrong");
    let error = writer.plan(&patient(), &PlanWish::default()).await.unwrap_err();
    assert_eq!(error.failure, Failure::Protocol);
    assert!(error.message.contains("`navigation`"), "{error}");
    assert_eq!(desk.stand_ins.calls().len(), 4);
}

#[tokio::test]
async fn every_failure_of_every_command_line_has_its_class() {
    let desk = Desk::new();
    let (plan, page) = one_page();
    let modes = [
        ("auth", Failure::Auth),
        ("rate-limit", Failure::RateLimited { retry_after: None }),
        ("overloaded", Failure::Overloaded),
        ("no-model", Failure::ModelUnknown),
        ("empty", Failure::Empty),
        ("garbage", Failure::Protocol),
        ("exit 7", Failure::Protocol),
        ("flood", Failure::Killed),
    ];
    for provider in PROVIDERS {
        let writer = desk.writer(provider, Sandbox::Auto);
        for (mode, class) in modes {
            desk.stand_ins.set("mode.page", mode);
            let error = writer.write_page(&patient(), &plan, &page).await.unwrap_err();
            assert_eq!(error.failure, class, "{provider} {mode}: {error}");
            assert!(!error.message.contains(&shown(desk.folder.path())), "{error}");
        }
    }
}

#[tokio::test]
async fn a_hanging_command_line_is_ended_by_the_timeout() {
    let desk = Desk::new();
    desk.stand_ins.set("mode.page", "hang");
    let (plan, page) = one_page();
    let writer = desk.writer(Provider::Gemini, Sandbox::Auto);
    let error = writer.write_page(&context(Duration::from_millis(200)), &plan, &page).await.unwrap_err();
    assert_eq!(error.failure, Failure::Timeout);
    assert!(desk.is_clean());
}

#[tokio::test]
async fn a_blocked_call_waits_until_it_is_released() {
    let desk = Desk::new();
    desk.stand_ins.block("page-page-2");
    let writer = desk.writer(Provider::Cursor, Sandbox::Auto);
    let (plan, page) = one_page();
    let context = patient();
    let release = async {
        while !desk.stand_ins.is_blocked("page-page-2") {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        desk.stand_ins.release("page-page-2");
    };
    let (written, ()) = tokio::join!(writer.write_page(&context, &plan, &page), release);
    assert!(written.unwrap().starts_with("# Page 2"));
}

#[test]
fn claude_is_told_what_is_left_of_a_budget() {
    let desk = Desk::new();
    let writer = desk.writer(Provider::Claude, Sandbox::Off);
    let program = writer.settings.environment.program(Provider::Claude).unwrap();
    let folder = CallFolder::create(&writer.work_dir, &writer.tree, "", None).unwrap();
    for (left_usd, told) in [(None, None), (Some(1.25), Some("1.2500")), (Some(1e-9), Some("0.0100"))] {
        let spec = CallSpec { model: "m".parse().unwrap(), prompt: String::new(), left_usd };
        let launch = launch(Provider::Claude, &spec, folder.dirs(), program.clone(), &writer.settings.environment);
        let at = launch.arguments.iter().position(|argument| argument == "--max-budget-usd");
        assert_eq!(at.map(|at| launch.arguments[at + 1].to_str().unwrap()), told);
    }
}

#[tokio::test]
async fn a_secret_in_an_answer_is_masked() {
    let desk = Desk::new();
    desk.stand_ins.set_text("page", &format!("# Page 2\n\nThe key is \"{KEY}\".\n"));
    let (plan, page) = one_page();
    let written = desk.writer(Provider::Claude, Sandbox::Auto).write_page(&patient(), &plan, &page).await.unwrap();
    assert_eq!(written, "# Page 2\n\nThe key is \"[redacted]\".\n");
}

#[tokio::test]
async fn a_missing_folder_is_told_without_its_path() {
    let desk = Desk::new();
    let (plan, page) = one_page();
    let writer = desk.writer(Provider::Claude, Sandbox::Off);
    fs::remove_dir(desk.folder.path().join("work")).unwrap();
    let error = writer.write_page(&patient(), &plan, &page).await.unwrap_err();
    assert_eq!(error.failure, Failure::Host);
    assert!(!error.message.contains(&shown(desk.folder.path())), "{error}");
}

#[tokio::test]
async fn a_cancelled_run_starts_nothing() {
    let desk = Desk::new();
    let context = patient();
    context.cancel.cancel();
    let (plan, page) = one_page();
    let error = desk.writer(Provider::Claude, Sandbox::Off).write_page(&context, &plan, &page).await.unwrap_err();
    assert_eq!(error.failure, Failure::Cancelled);
    assert!(desk.stand_ins.calls().is_empty());
}

#[tokio::test]
async fn fifty_pages_at_once_are_written_and_nothing_is_left() {
    let desk = Desk::new();
    desk.stand_ins.set("pages", "50");
    let writer = desk.writer(Provider::Claude, Sandbox::Auto);
    let context = patient();
    let plan = writer.plan(&context, &PlanWish::default()).await.unwrap();
    let started = std::time::Instant::now();
    let pages = futures_util::future::join_all(plan.pages().map(|page| writer.write_page(&context, &plan, page))).await;
    println!("50 pages in {:?}", started.elapsed());
    for (page, written) in plan.pages().zip(pages) {
        assert!(written.unwrap().starts_with(&format!("# {}\n", page.title)));
    }
    assert!(desk.is_clean());
}
