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
        let keys = keys.map(|name| (name.to_owned(), "stand-in-key".to_owned()));
        let environment = Environment::from_variables(self.stand_ins.variables().into_iter().chain(keys));
        let settings = CliSettings::new(sandbox, environment).unwrap();
        let [tree, work] = ["tree", "work"].map(|name| self.folder.path().join(name));
        open(provider, &"stand-in-1".parse().unwrap(), &settings, tree, work)
    }
}

fn context(timeout: Duration) -> CallContext {
    CallContext { cancel: CancellationToken::new(), call_timeout: timeout }
}

fn patient() -> CallContext {
    context(Duration::from_secs(60))
}

const PROVIDERS: [Provider; 3] = [Provider::Claude, Provider::Gemini, Provider::Cursor];

#[tokio::test]
async fn every_command_line_plans_writes_and_revises() {
    let desk = Desk::new();
    desk.stand_ins.set("pages", "4");
    for provider in PROVIDERS {
        let writer = desk.writer(provider, Sandbox::Auto);
        let wish = PlanWish { repo_type: Some(RepoType::Library), project_name: "x".into(), repo_url: None };
        let plan = writer.plan(&patient(), &wish).await.unwrap();
        assert_eq!(plan.value.pages().count(), 4, "{provider}");
        assert_eq!(plan.value.repo_type, RepoType::Library);
        assert_eq!((plan.usage.input_tokens, plan.usage.output_tokens, plan.usage.cached_tokens), (100, 50, 10));
        let page = plan.value.pages().nth(1).unwrap();
        let written = writer.write_page(&patient(), &plan.value, page).await.unwrap();
        assert!(written.value.starts_with("# Page 2\n"), "{provider}: {}", written.value);
        assert!(written.value.contains("[[README.md:1-1]]"));
        let findings = ["a finding".to_owned()];
        let revised = writer.revise_page(&patient(), &plan.value, page, &written.value, &findings).await.unwrap();
        assert_eq!(revised.value, written.value);
    }
    assert_eq!(fs::read_dir(desk.folder.path().join("work")).unwrap().count(), 0, "folders of calls are left");
}
