//! The real `claude` and `gemini` against a model server on loopback. They run where `script/clis` has installed them;
//! elsewhere each test says that it was skipped.

use std::{fs, path::Path, process::Command, time::Duration};

use shared::plan::{NavGroup, PageType, RepoType};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::test_support::{agent_traps::set_traps, model_server::ModelServer};

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
        let settings = CliSettings::new(sandbox, environment, &RecordingSettings::default()).unwrap();
        let tree = RepositoryCopy { folder: self.tree(), content: "served".into() };
        open(provider, &model.parse().unwrap(), &settings, tree, self.folder.path().join("work"))
    }

    fn is_clean(&self) -> bool {
        !folder::is_left_in(&self.folder.path().join("work"))
    }
}

fn context() -> CallContext {
    CallContext { cancel: CancellationToken::new(), call_timeout: Duration::from_mins(2), account: None }
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
    let navigation = vec![NavGroup { group: "Guide".into(), pages: vec![page.clone()] }];
    let project_name = "Thing".into();
    let plan = Plan {
        project_name,
        tagline: String::new(),
        repo_type: RepoType::App,
        navigation,
        version: None,
        language: None,
        redirects: std::collections::BTreeMap::new(),
    };
    (plan, page)
}

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
            assert_eq!(plan.project_name, "Served");
            assert_eq!(plan.pages().count(), 3);
            let (plan, page) = page();
            let written = writer.write_page(&context(), &plan, &page).await.unwrap();
            assert!(written.starts_with("# Page 2\n\nWhat this page says"), "{}", written);
            assert!(desk.is_clean());
        }
    }
    let requests = desk.server.requests();
    assert!(requests.iter().all(|request| request.key == KEY));
    for (provider, model) in REAL {
        let requests = requests.iter().filter(|request| request.model == model);
        let sent: String = requests.map(|request| request.body.to_string()).collect();
        // their tools have read the files that the prompts name
        assert!(sent.contains("the-wished-name") && sent.contains("the-described-page"), "{provider}");
        assert!(sent.contains("You write the documentation"), "{provider} has not got our system prompt");
    }
}

#[tokio::test]
async fn an_answer_of_300_kb_arrives_whole() {
    let Some(desk) = Desk::open().await else { return };
    let (plan, page) = page();
    for (provider, model) in [(Provider::Claude, "claude-long"), (Provider::Gemini, "gemini-long")] {
        let written = desk.writer(provider, model, Sandbox::Auto).write_page(&context(), &plan, &page).await.unwrap();
        assert!(written.len() > 250_000 && written.ends_with("\nthe end\n"), "{}", written.len());
    }
}

#[tokio::test]
async fn searching_works_in_every_sandbox() {
    let Some(desk) = Desk::open().await else { return };
    let (plan, page) = page();
    for (number, sandbox) in sandboxes().into_iter().enumerate() {
        for provider in [Provider::Claude, Provider::Gemini] {
            let model = format!("{provider}-{number}-search");
            desk.writer(provider, &model, sandbox).write_page(&context(), &plan, &page).await.unwrap();
            let requests = desk.server.requests();
            let last = requests.iter().rev().find(|request| request.model == model).unwrap();
            let found = last.body.to_string().matches("README.md").count();
            // the grep names it, and the glob
            assert!(found >= 2, "{provider} {sandbox:?} found {found}: {}", last.body);
        }
    }
}

#[tokio::test]
async fn tools_beyond_reading_and_files_outside_are_refused() {
    let Some(desk) = Desk::open().await else { return };
    let (plan, page) = page();
    let canary = Path::new("/tmp/docmill-canary");
    let host = fs::read_to_string("/etc/hostname").unwrap();
    for (provider, model) in [(Provider::Claude, "claude-hostile"), (Provider::Gemini, "gemini-hostile")] {
        let writer = desk.writer(provider, model, Sandbox::Off);
        writer.write_page(&context(), &plan, &page).await.unwrap();
        let requests = desk.server.requests();
        let last = requests.iter().rev().find(|request| request.model == model).unwrap().body.to_string();
        assert!(last.matches("docmill-canary").count() >= 1 && !canary.exists());
        assert!(
            !last.contains(host.trim()) && !last.contains("ANTHROPIC_BASE_URL=") && !last.contains("uid="),
            "{last}"
        );
    }
}

#[tokio::test]
async fn nothing_that_a_hostile_repository_brings_along_takes_effect() {
    let Some(desk) = Desk::open().await else { return };
    let (elsewhere, canaries) = (ModelServer::start().await, tempfile::tempdir().unwrap());
    set_traps(&desk.tree(), canaries.path(), &elsewhere.url);
    let (plan, page) = page();
    for sandbox in sandboxes() {
        for (provider, model) in REAL {
            desk.writer(provider, model, sandbox).write_page(&context(), &plan, &page).await.unwrap();
        }
    }
    let fired: Vec<_> = fs::read_dir(canaries.path()).unwrap().flatten().collect();
    assert!(fired.is_empty(), "{fired:?}");
    assert!(elsewhere.requests().is_empty());
    let sent = desk.server.all_bodies();
    assert!(!sent.contains("CANARY-"), "a file of instructions got into the prompt");
    assert!(sent.contains("README.md"));
}

/// The same without what keeps the repository out: were this to pass, the test above would prove nothing.
#[tokio::test]
async fn without_the_recipes_a_hostile_repository_does_take_effect() {
    let Some(desk) = Desk::open().await else { return };
    let (elsewhere, canaries) = (ModelServer::start().await, tempfile::tempdir().unwrap());
    set_traps(&desk.tree(), canaries.path(), &elsewhere.url);
    for (provider, model) in REAL {
        let writer = desk.writer(provider, model, Sandbox::Off);
        let prepared = writer.prepare(|_| Ok("docmill task: page\nslug: page-1\n".into())).await.unwrap();
        let (mut launch, folder) = writer.launch(prepared, writer.find_program().await.unwrap(), None);
        launch.environment.retain(|(name, _)| !name.starts_with("GEMINI_RESTRICTED") && !name.ends_with("WORKSPACE"));
        launch.arguments = vec![format!("--model={model}").into(), "--output-format".into(), "json".into()];
        launch.arguments.push(if provider == Provider::Claude { "-p" } else { "--skip-trust" }.into());
        let isolation = writer.settings.isolation.clone();
        // whether the call itself succeeds does not matter
        drop(process::run(launch, folder, &isolation, Vec::new(), &context()).await);
    }
    for canary in ["claude-hook", "claude-key-helper", "gemini-discovery"] {
        assert!(canaries.path().join(canary).exists(), "{canary} of the repository was not run");
    }
    assert!((desk.server.all_bodies() + &elsewhere.all_bodies()).contains("CANARY-CLAUDE-MD"));
    assert!(!elsewhere.requests().is_empty(), "the request did not go where the repository wanted it");
}

#[tokio::test]
async fn a_cancelled_command_line_is_dead_within_a_second() {
    let Some(desk) = Desk::open().await else { return };
    let (plan, page) = page();
    for (provider, model) in [(Provider::Claude, "claude-tools"), (Provider::Gemini, "gemini-tools")] {
        let (writer, context) = (desk.writer(provider, model, Sandbox::Auto), context());
        let cancel = async {
            // in the middle of its work: it has asked the model
            while !desk.server.requests().iter().any(|request| request.model == model) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            context.cancel.cancel();
            tokio::time::Instant::now()
        };
        let (error, cancelled) = tokio::join!(writer.write_page(&context, &plan, &page), cancel);
        assert_eq!(error.unwrap_err().failure, Failure::Cancelled);
        assert!(cancelled.elapsed() < Duration::from_secs(1), "{provider}: {:?}", cancelled.elapsed());
        assert!(desk.is_clean());
    }
}

/// Writes down how the real command lines answer and fail, for the tests of `parse()`. For a new version of one:
/// `cargo test -p worker record_answers -- --ignored`, then look at what changed. Takes three minutes.
#[tokio::test]
#[ignore = "writes files of the source tree"]
async fn record_answers() {
    let desk = Desk::open().await.expect("script/clis was run");
    let nobody = "http://127.0.0.1:9";
    let served = [
        "fake",
        "fail-400",
        "fail-401",
        "fail-403",
        "fail-404",
        "fail-429",
        "fail-500",
        "fail-503",
        "fail-529",
        "too-long",
        "drop",
        "empty",
        "refusal",
        "max-tokens",
        "tools",
    ];
    for provider in [Provider::Claude, Provider::Gemini] {
        for case in served {
            let writer = desk.writer(provider, &format!("{provider}-{case}"), Sandbox::Off);
            // from the 30th turn on `gemini` asks a second model whether it goes round in circles
            record(&writer, case, |launch| {
                for (_, settings) in &mut launch.home_files {
                    *settings = settings.replace("\"maxSessionTurns\":40", "\"maxSessionTurns\":5");
                }
            })
            .await;
        }
        let writer = desk.writer(provider, &format!("{provider}-fake"), Sandbox::Off);
        record(&writer, "no-key", |launch| launch.environment.retain(|(name, _)| !name.ends_with("_API_KEY"))).await;
        record(&writer, "no-prompt", |launch| launch.stdin.clear()).await;
        record(&writer, "bad-flag", |launch| launch.arguments.push("--no-such-flag".into())).await;
        let without_trust = json!({"security": {"auth": {"selectedType": "gemini-api-key"}}});
        record(&writer, "untrusted", |launch| {
            launch.home_files = vec![(".gemini/settings.json", without_trust.to_string())];
        })
        .await;
        let writer = desk.writer_at(provider, &format!("{provider}-fake"), Sandbox::Off, nobody);
        record(&writer, "refused", |_| {}).await;
    }
}

async fn record(writer: &CliWriter, case: &str, change: impl FnOnce(&mut Launch)) {
    let (plan, page) = page();
    let data = PageData::new(writer, &plan, &page);
    let prepared = writer.prepare(move |folder| Ok(prompts::page("page-2", &data.write(folder)?)));
    let program = writer.find_program().await.unwrap();
    let (mut launch, folder) = writer.launch(prepared.await.unwrap(), program, None);
    change(&mut launch);
    let output = process::run(launch, folder, &writer.settings.isolation, Vec::new(), &context()).await.unwrap();
    let Exit::Code(code) = output.exit else { panic!("{:?}", output.exit) };
    let cache = std::env::var("HOME").unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).replace(&shown(&writer.work_dir), "/work").replace(&cache, "~");
    let recorded = json!({"code": code, "stdout": text(&output.stdout), "stderr": text(&output.stderr)});
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/writers/cli/recorded");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!("{}-{case}.json", writer.provider)), pretty(&recorded) + "\n").unwrap();
}
