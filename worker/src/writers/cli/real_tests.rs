//! The real `claude` and `gemini` against a model server on loopback. They run where `script/clis` has installed them;
//! elsewhere each test says that it was skipped.

use std::{fs, path::Path, process::Command, time::Duration};

use shared::plan::PageType;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::test_support::model_server::ModelServer;

const KEY: &str = "fake-key-of-the-tests";

/// A writer of a real command line, a repository and a model server.
struct Desk {
    server: ModelServer,
    folder: tempfile::TempDir,
    programs: Vec<(String, String)>,
}

impl Desk {
    /// `None`, and a word about it, where the command lines are not installed.
    async fn open() -> Option<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../script/clis");
        let listed = Command::new(script).arg("--installed").output().unwrap();
        if !listed.status.success() {
            println!("skipped: claude and gemini are not installed, run script/clis");
            return None;
        }
        let listed = String::from_utf8(listed.stdout).unwrap();
        let lines = listed.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('='));
        let programs = lines.map(|(name, path)| (name.to_owned(), path.trim_matches('\'').to_owned())).collect();
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("tree")).unwrap();
        fs::create_dir(folder.path().join("work")).unwrap();
        fs::write(folder.path().join("tree/README.md"), "# Thing\n\nA thing that does things.\n").unwrap();
        Some(Self { server: ModelServer::start().await, folder, programs })
    }

    fn tree(&self) -> PathBuf {
        self.folder.path().join("tree")
    }

    fn writer(&self, provider: Provider, model: &str, sandbox: Sandbox) -> CliWriter {
        self.writer_at(provider, model, sandbox, &self.server.url)
    }

    fn writer_at(&self, provider: Provider, model: &str, sandbox: Sandbox, url: &str) -> CliWriter {
        let variables = [
            ("ANTHROPIC_API_KEY", KEY),
            ("ANTHROPIC_BASE_URL", url),
            ("GEMINI_API_KEY", KEY),
            ("GOOGLE_GEMINI_BASE_URL", url),
            ("PATH", &std::env::var("PATH").unwrap()),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let environment = Environment::from_variables(variables.into_iter().chain(self.programs.clone()));
        let settings = CliSettings::new(sandbox, environment).unwrap();
        open(provider, &model.parse().unwrap(), &settings, self.tree(), self.folder.path().join("work"))
    }

    fn is_clean(&self) -> bool {
        fs::read_dir(self.folder.path().join("work")).unwrap().count() == 0
    }
}

fn context() -> CallContext {
    CallContext { cancel: CancellationToken::new(), call_timeout: Duration::from_secs(120) }
}

fn wish() -> PlanWish {
    PlanWish { project_name: "the-wished-name".into(), ..PlanWish::default() }
}

fn page() -> (Plan, PlannedPage) {
    let page = PlannedPage {
        slug: "page-2".parse().unwrap(),
        title: "Page 2".into(),
        description: "the-described-page".into(),
        page_type: PageType::Guide,
    };
    let navigation = vec![shared::plan::NavGroup { group: "Guide".into(), pages: vec![page.clone()] }];
    let project_name = "Thing".into();
    let plan = Plan { project_name, tagline: String::new(), repo_type: RepoType::App, navigation, version: None };
    (plan, page)
}

use shared::plan::RepoType;

const REAL: [(Provider, &str); 2] = [(Provider::Claude, "claude-fake"), (Provider::Gemini, "gemini-fake")];

fn sandboxes() -> Vec<Sandbox> {
    let all = [Sandbox::Landlock, Sandbox::Bwrap, Sandbox::Off];
    all.into_iter().filter(|sandbox| sandbox::probe(*sandbox).is_ok()).collect()
}

#[tokio::test]
async fn the_real_command_lines_plan_and_write_in_every_sandbox() {
    let Some(desk) = Desk::open().await else { return };
    for sandbox in sandboxes() {
        for (provider, model) in REAL {
            let writer = desk.writer(provider, model, sandbox);
            let plan = writer.plan(&context(), &wish()).await.unwrap_or_else(|e| panic!("{provider} {sandbox:?}: {e}"));
            assert_eq!(plan.value.project_name, "Served");
            assert_eq!(plan.value.pages().count(), 3);
            assert!(plan.usage.output_tokens >= 100, "{provider}: {:?}", plan.usage);
            let (plan, page) = page();
            let written = writer.write_page(&context(), &plan, &page).await.unwrap();
            assert!(written.value.starts_with("# Page 2\n\nWhat this page says"), "{}", written.value);
            assert!(desk.is_clean());
        }
    }
    let requests = desk.server.requests();
    assert!(requests.iter().all(|request| request.key == KEY));
    let sent = desk.server.all_bodies();
    // the files that the prompt names were read by the tools
    assert!(sent.contains("the-wished-name") && sent.contains("the-described-page"));
}
